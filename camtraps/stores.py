"""Files in remote stores: each is asked for as its store wants it, with one request."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

from fsspec import filesystem
from fsspec.core import url_to_fs

from camtraps import access, troubles
from camtraps.access import Reach

CHUNK = 1 << 20  # bytes that come at a time
NO_HEAD = (405, 501)  # HTTP answers of a server that knows GET only
EMPTY = 416  # HTTP answer to a request for the first byte of an empty file
FIRST = "bytes=0-0"  # to ask for one byte: as much as a look needs, and refusals come with their reason
VERSIONS = ("ETag", "Last-Modified", "etag", "last_modified", "LastModified", "mtime")  # how stores tell of a change


@dataclass(frozen=True)
class About:
    """What a store says of a file: its size in bytes, if it does, and texts that change when the file does."""

    size: int | None
    versions: tuple[str, ...]


@dataclass(frozen=True)
class Body:
    """A file on its way: its size in bytes, if that is known beforehand, and what comes of it."""

    size: int | None
    chunks: AsyncIterator[bytes]


class Source(Protocol):
    """One file in a store; errors are those of the store's client."""

    @property
    def signed(self) -> bool:
        """Whether credentials go along."""

    def opened(self) -> AbstractAsyncContextManager[Body]:
        """Begin to read it."""

    async def about(self) -> About:
        """Look for it."""


def source(uri: str, reach: Reach) -> Source:
    """Give a file as its store wants to be asked for it.

    Raises:
        InputError: ``storage.yaml`` cannot be used, or a package is missing.
    """
    kind = access.kind(uri)
    bucket, _, name = uri.partition("://")[2].partition("/")
    if kind == "web":
        key = access.signature(reach)
        url = f"{uri}?{key}" if key and "?" not in uri else uri
        return _Web(filesystem("http"), url, reach.timeout, "?" in url, {})
    if kind == "gs":
        store, headers = access.gs(reach), dict[str, str]()
        store.credentials.apply(headers)
        url = store.url(f"{bucket}/{name}")
        return _Web(filesystem("http"), url, reach.timeout, bool(headers), headers, knows_head=False)
    if kind == "s3":
        return _S3(access.s3(reach), bucket, name)
    if kind == "az":
        container, _, host = bucket.partition("@")
        return _Azure(access.az(reach, host.partition(".")[0]), container, name, reach)
    return _Other(uri)


@dataclass(frozen=True)
class _Web:
    store: Any
    url: str
    timeout: float
    signed: bool
    headers: dict[str, str]
    knows_head: bool = True

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Body]:
        # Not packed for the way, so that its length is that of the file.
        async with self._asked("GET", {"Accept-Encoding": "identity"}) as answer:
            _check_status(answer)
            packed = "Content-Encoding" in answer.headers
            yield Body(None if packed else answer.content_length, answer.content.iter_chunked(CHUNK))

    async def about(self) -> About:
        if self.knows_head:
            async with self._asked("HEAD", {"Accept-Encoding": "identity"}) as answer:
                if answer.status not in NO_HEAD:
                    _check_status(answer)
                    return _about(answer.headers, answer.content_length)
        async with self._asked("GET", {"Range": FIRST, "Accept-Encoding": "identity"}) as answer:
            if answer.status != EMPTY:
                _check_status(answer)
            return _about(answer.headers, answer.headers.get("Content-Range", "").rpartition("/")[2])

    @asynccontextmanager
    async def _asked(self, method: str, headers: dict[str, str]) -> AsyncIterator[Any]:
        from aiohttp import ClientTimeout

        session = await self.store.set_session()
        limits = ClientTimeout(total=None, sock_connect=self.timeout, sock_read=self.timeout)
        url = self.store.encode_url(self.url)
        async with session.request(method, url, headers=self.headers | headers, timeout=limits) as answer:
            yield answer


@dataclass(frozen=True)
class _S3:
    store: Any
    bucket: str
    key: str

    @property
    def signed(self) -> bool:
        return not self.store.anon

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Body]:
        client = await self.store.set_session()
        answer = await client.get_object(Bucket=self.bucket, Key=self.key)
        async with answer["Body"] as body:
            yield Body(answer["ContentLength"], body.iter_chunks(CHUNK))

    async def about(self) -> About:
        client = await self.store.set_session()
        try:
            answer = await client.get_object(Bucket=self.bucket, Key=self.key, Range=FIRST)
        except client.exceptions.ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == EMPTY:
                return About(0, ())
            raise
        answer["Body"].close()
        return _about(answer, answer.get("ContentRange", "").rpartition("/")[2])


@dataclass(frozen=True)
class _Azure:
    store: Any
    container: str
    name: str
    reach: Reach

    @property
    def signed(self) -> bool:
        given = self.store.connection_string or ""
        return bool(self.store.credential or "AccountKey=" in given or "SharedAccessSignature=" in given)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Body]:
        stream = await self.blob().download_blob(**self._limits())
        yield Body(stream.size, stream.chunks())

    async def about(self) -> About:
        found = await self.blob().get_blob_properties(**self._limits())
        return _about(found, found.size)

    def blob(self) -> Any:
        return self.store.service_client.get_blob_client(self.container, self.name)

    def _limits(self) -> dict[str, float]:
        # Its own tries pause for a quarter of a minute.
        return {"retry_total": 0, "connection_timeout": self.reach.timeout, "read_timeout": self.reach.timeout}


@dataclass(frozen=True)
class _Other:
    """A file in any file system of fsspec, as that reads it."""

    uri: str
    signed: bool = False

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Body]:
        store, path = self._located()
        with await asyncio.to_thread(store.open, path, "rb") as file:
            yield Body(None, self._chunks(file))

    async def about(self) -> About:
        store, path = self._located()
        found = await asyncio.to_thread(store.info, path)
        if found["type"] == "directory":
            raise FileNotFoundError(path)
        return _about(found, found.get("size"))

    def _located(self) -> tuple[Any, str]:
        # fsspec takes what stands behind `::` for another file system. No file name has a NUL, which stands in for it.
        protocol, mark, name = self.uri.partition("://")
        store, path = url_to_fs(protocol + mark + name.replace("::", "\0"))
        return store, path.replace("\0", "::")

    async def _chunks(self, file: BinaryIO) -> AsyncIterator[bytes]:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk


def _check_status(answer: Any) -> None:
    if not 200 <= answer.status < 300:
        raise troubles.Refused(answer.status, answer.headers.get("x-ms-error-code", ""))


def _about(given: Any, size: Any) -> About:
    versions = tuple(str(given[name]) for name in VERSIONS if name in given)
    return About(int(size) if str(size).isdigit() else None, versions)
