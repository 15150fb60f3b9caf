"""The bodies of requests: read within limits of bytes and seconds, and understood."""

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import PurePosixPath
from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from camtraps.service.limits import Forbidden, Limits, check_uri
from camtraps.service.protocol import Refusal
from camtraps.service.setup import Item


async def items(request: Request, limits: Limits) -> list[Item]:
    """Read the photos of a request: one as it is, several as multipart, or a JSON list of URIs.

    Raises:
        Refusal: 400 or 415, with what is wrong.
    """
    kind = kind_of(request)
    if kind == "application/json":
        given = parsed(await body(request, limits))
        if not isinstance(given, list) or not all(isinstance(uri, str) for uri in given):
            raise Refusal(400, "expected a JSON list of URIs")
        for uri in given:
            try:
                check_uri(uri, limits)
            except Forbidden as error:
                raise Refusal(400, f"{uri.partition('?')[0][:200]!r}: the address {error}") from None
        return [Item(uri.partition("?")[0], None, uri) for uri in given]
    if kind == "multipart/form-data":
        return await _uploads(request, limits)
    if kind.startswith("image/") or kind == "application/octet-stream":
        data = await body(request, limits)
        if not data:
            raise Refusal(400, "the body is empty; expected a photo")
        return [Item("photo", data)]
    raise Refusal(415, "expected image/..., multipart/form-data or application/json")


async def _uploads(request: Request, limits: Limits) -> list[Item]:
    data = await body(request, limits)

    async def stream() -> AsyncGenerator[bytes]:
        yield data
        yield b""

    try:
        form = await MultiPartParser(request.headers, stream(), max_files=limits.max_photos).parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise Refusal(400, f"the multipart body cannot be read: {error}") from None
    found = []
    for part in (value for _, value in form.multi_items() if isinstance(value, UploadFile)):
        name = PurePosixPath((part.filename or "").replace("\\", "/")).name or "photo"
        found.append(Item(name, await part.read()))
    await form.close()
    return found


async def body(request: Request, limits: Limits) -> bytes:
    """Read the body of a request.

    Raises:
        Refusal: 400, it is longer than allowed, or too slow.
    """
    too_large = Refusal(400, f"the body is larger than {limits.max_bytes:,} bytes")
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limits.max_bytes:
        raise too_large
    data = bytearray()
    try:
        async with asyncio.timeout(limits.timeout):
            async for chunk in request.stream():
                data += chunk
                if len(data) > limits.max_bytes:
                    raise too_large
    except TimeoutError:
        raise Refusal(400, "the body took too long to come") from None
    return bytes(data)


def parsed(data: bytes) -> Any:
    """Read JSON.

    Raises:
        Refusal: 400, it is none.
    """
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise Refusal(400, "the body is no JSON") from None


def kind_of(request: Request) -> str:
    """Give the kind of a body, such as ``image/jpeg``, without what is said of it besides."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
