"""Reading from URIs on behalf of a caller: only from allowed addresses, no more bytes and seconds than allowed.

A web address is looked up once, and the connection is made to an address that was checked: a name that leads to this
machine or into its network is of no use, nor is one that changes meanwhile. Redirects are not followed.
"""

import asyncio
import socket
from collections.abc import Sequence
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector
from aiohttp.abc import AbstractResolver
from aiohttp.resolver import ThreadedResolver

from camtraps import remote
from camtraps.errors import CamtrapsError
from camtraps.service.limits import Forbidden, Limits, check_uri, is_public
from camtraps.storage import PhotoError, is_web, read_photo

AT_ONCE = 8  # URIs
CHUNK = 1 << 18  # bytes


class _PublicOnly(AbstractResolver):
    """Looks names up, and keeps back addresses that are not of the open internet."""

    def __init__(self) -> None:
        self._asked = ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_UNSPEC) -> Any:
        found = await self._asked.resolve(host, port, family)
        public = [each for each in found if is_public(each["host"])]
        if not public:
            raise OSError("no public address")
        return public

    async def close(self) -> None:
        await self._asked.close()


def read_all(uris: Sequence[str], limits: Limits) -> list[bytes | PhotoError]:
    """Read files, some at once; give the bytes of each, or why there are none."""

    async def gather() -> list[bytes | PhotoError]:
        turns = asyncio.Semaphore(AT_ONCE)
        resolver = None if limits.allow_private else _PublicOnly()
        connector = TCPConnector(resolver=resolver, use_dns_cache=False)
        async with ClientSession(connector=connector, auto_decompress=False) as session:
            return await asyncio.gather(*(_read(uri, session, turns, limits) for uri in uris))

    return asyncio.run(gather())


def read(uri: str, limits: Limits) -> bytes:
    """Read a file.

    Raises:
        PhotoError: it cannot be had.
    """
    (found,) = read_all([uri], limits)
    if isinstance(found, PhotoError):
        raise found
    return found


async def _read(uri: str, session: ClientSession, turns: asyncio.Semaphore, limits: Limits) -> bytes | PhotoError:
    async with turns:
        try:
            check_uri(uri, limits)
            async with asyncio.timeout(limits.timeout):
                return await (_web(uri, session, limits) if is_web(uri) else asyncio.to_thread(_stored, uri, limits))
        except TimeoutError:
            return PhotoError("photo not readable: timed out")
        except Forbidden as error:
            return PhotoError(f"photo not readable: its address {error}")
        except PhotoError as error:
            return error
        except (ClientError, OSError, CamtrapsError):
            # No details: what a name inside of our network answers is nobody's business.
            return PhotoError("photo not readable: out of reach")


async def _web(uri: str, session: ClientSession, limits: Limits) -> bytes:
    headers = {"Accept-Encoding": "identity"}
    timeout = ClientTimeout(total=limits.timeout)
    async with session.get(uri, allow_redirects=False, headers=headers, timeout=timeout) as answer:
        if answer.status != 200:
            raise PhotoError("photo not found" if answer.status == 404 else f"photo not readable: HTTP {answer.status}")
        data = bytearray()
        async for chunk in answer.content.iter_chunked(CHUNK):
            data += chunk
            if len(data) > limits.max_bytes:
                raise PhotoError(f"photo not readable: more than {limits.max_bytes:,} bytes")
        return bytes(data)


def _stored(uri: str, limits: Limits) -> bytes:
    size = remote.look(uri).size
    if size is None or size > limits.max_bytes:
        raise PhotoError(f"photo not readable: more than {limits.max_bytes:,} bytes")
    return read_photo(uri)
