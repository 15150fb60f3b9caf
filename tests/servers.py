"""Servers on this machine that speak as stores of photos do: HTTP with failures, S3, Azure Blobs, Google's."""

import asyncio
import contextlib
import json
import logging
import math
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseServer
from urllib.parse import unquote, urlsplit

from imports import ROOT

from camtraps import access, remote

AZURITE = ROOT / ".venv/node_modules/.bin/azurite-blob"
S3RVER = ROOT / ".venv/node_modules/.bin/s3rver"
NO_S3RVER = None if S3RVER.exists() and shutil.which("node") else "s3rver is not installed (npm)"
NO_AZURITE = None if AZURITE.exists() and shutil.which("node") else "azurite is not installed (npm)"
ACCOUNT = "devstoreaccount1"
# Known to everybody: Azurite's.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
PIXELS = b"pixels"
ODD_NAMES = ["a b#c?d%.jpg", "a%20b.jpg", "ä+&=;@:.jpg", "a::b.jpg", "a::memory.jpg"]
PHOTOS = {f"cam 1/{name}": PIXELS for name in ODD_NAMES} | {"empty.jpg": b"", "large.jpg": bytes(range(256)) * 20_000}


def alone(monkeypatch, folder: Path) -> None:
    """Work in a folder, know no credentials and no way to find any, and do not wait between tries."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "AZURE_", "GOOGLE_", "CAMTRAPS_STORAGE"))]:
        monkeypatch.delenv(name)
    for name in ("HOME", "CLOUDSDK_CONFIG", "AZURE_CONFIG_DIR"):
        monkeypatch.setenv(name, str(folder))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(remote, "PAUSE", 0.001)
    access.has_aws_credentials.cache_clear()
    access.has_google_credentials.cache_clear()


def settings(text: str) -> None:
    """Write ``storage.yaml``."""
    Path("storage.yaml").write_text(text, encoding="utf-8")


@contextmanager
def serving(server: BaseServer) -> Iterator[None]:
    """Serve until the block ends."""
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


class Web(ThreadingHTTPServer):
    """Answers each path with a list of answers, the last of them for ever; ``asked`` keeps the requests.

    An answer is a status, or ``hang`` (nothing comes), ``drop`` (the connection breaks in the middle), ``short`` (it is
    closed there in good order) or ``moved`` (the photo is at another address).
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.asked, self.closing = {}, [], threading.Event()
        self.address = f"http://127.0.0.1:{self.server_port}"

    def photo(self, *answers, head=None, folder="cam 1"):
        """Give the URI of a new photo."""
        path = f"/{folder}/{len(self.answers)}.jpg"
        self.answers[path] = {"GET": list(answers), "HEAD": [head] if head else list(answers)}
        return f"{self.address}{path}"

    def handle_error(self, request, client_address):
        """Say nothing of clients that go away."""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append((self.command, self.headers["Range"]))
        if path == "/moved.jpg":
            return self.answer(200)
        answers = self.server.answers[path][self.command]
        self.answer(answers.pop(0) if len(answers) > 1 else answers[0])

    do_HEAD = do_GET

    def answer(self, answer):
        if answer == "hang":
            self.server.closing.wait()
            return
        self.send_response({"moved": 302}.get(answer, answer if isinstance(answer, int) else 200))
        self.send_header("Location", "/moved.jpg")
        self.send_header("Content-Length", str(len(PIXELS)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(PIXELS[:3] if answer in ("drop", "short") else PIXELS)
        if answer == "drop":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close_connection = answer in ("drop", "short")

    def log_message(self, *_):
        pass


@contextmanager
def web() -> Iterator[Web]:
    """Run a web server."""
    with Web() as server, serving(server):
        yield server
        server.closing.set()


class S3:
    """An S3 server; ``keys`` are the access keys of the requests, None for anonymous ones.

    ``failures`` are what the next requests get, None for an answer.
    """

    def __init__(self) -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        self.keys: list[str | None] = []
        self.failures: list[tuple[str, str] | None] = []
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._app = DomainDispatcherApplication(create_backend_app)
        self.server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def _answer(self, environ, start_response):
        given = environ.get("HTTP_AUTHORIZATION", "")
        self.keys.append(given.partition("Credential=")[2].partition("/")[0] or None)
        if self.failures and (failure := self.failures.pop(0)):
            status, code = failure
            start_response(status, [("Content-Type", "application/xml")])
            return [f"<Error><Code>{code}</Code><Message>request 17</Message></Error>".encode()]
        return self._app(environ, start_response)


@contextmanager
def s3() -> Iterator[S3]:
    """Run an S3 server with `PHOTOS` in the bucket ``team`` and, for everybody, in ``open``."""
    import boto3
    from moto.moto_api._internal.models import moto_api_backend

    made = S3()
    with serving(made.server):
        client = boto3.client(
            "s3", endpoint_url=made.address, aws_access_key_id="a", aws_secret_access_key="b", region_name="us-west-2"
        )
        for bucket, acl in (("team", "private"), ("open", "public-read")):
            client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
            for name, data in PHOTOS.items():
                client.put_object(Bucket=bucket, Key=name, Body=data, ACL=acl)
        client.close()
        made.keys.clear()
        yield made
    moto_api_backend.reset()  # its buckets outlive the server
    made.server.server_close()


@contextmanager
def azure(folder: Path) -> Iterator[str]:
    """Run Azurite with `PHOTOS` in the containers ``team`` and, for everybody, ``open``; give its account's address."""
    command = [AZURITE, "--skipApiVersionCheck", "--loose", "--silent", "--disableTelemetry", "--location", folder]
    with _running([*command, "--blobHost", "127.0.0.1", "--blobPort"]) as port:
        address = f"http://127.0.0.1:{port}/{ACCOUNT}"
        _fill(address)
        yield address


@contextmanager
def s3rver(folder: Path) -> Iterator[int]:
    """Run the S3 server s3rver with an empty bucket ``team``, for the access key S3RVER; give its port."""
    command = [S3RVER, "--directory", folder, "--address", "127.0.0.1", "--silent", "--configure-bucket", "team"]
    with _running([*command, "--port"]) as port:
        yield port


@contextmanager
def _running(command: list[str | Path]) -> Iterator[int]:
    """Run a server whose command ends with its port, which is given when it answers there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen([*command, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(600):
                with socket.socket() as attempt:
                    if attempt.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert process.poll() is None, f"{command[0]} ended"
                time.sleep(0.05)
            yield port
        finally:
            process.terminate()


@contextmanager
def ssh(folder: Path) -> Iterator[int]:
    """Run an SSH server that shows the files below a folder to ``me`` with the password ``key``; give its port."""
    import asyncssh

    visitors = []

    class Server(asyncssh.SSHServer):
        def connection_made(self, connection):
            visitors.append(connection)

        def password_auth_supported(self):
            return True

        def validate_password(self, username, password):
            return (username, password) == ("me", "key")

    async def start():
        key = asyncssh.generate_private_key("ssh-ed25519")
        home = lambda channel: asyncssh.SFTPServer(channel, chroot=str(folder))  # noqa: E731
        return await asyncssh.listen("127.0.0.1", 0, server_factory=Server, server_host_keys=[key], sftp_factory=home)

    async def stop():
        server.close()
        for visitor in visitors:
            visitor.abort()
            await visitor.wait_closed()
        await server.wait_closed()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(start(), loop).result()
    try:
        yield server.get_port()
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class Gate:
    """A port that leads to another one, until so many bytes went through; then nobody answers there any more."""

    def __init__(self, target: int) -> None:
        self.target, self.port, self.left = target, 0, math.inf
        self.closed = threading.Event()
        self.open()

    def open(self, num_bytes: float = math.inf) -> None:
        """Let so many bytes through from now on."""
        self.left = num_bytes
        self.closed.clear()
        self._server = socket.create_server(("127.0.0.1", self.port))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._server,), daemon=True).start()

    def close(self) -> None:
        """Refuse whoever comes."""
        with contextlib.suppress(OSError):  # closed already
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.closed.set()

    def _accept(self, server):
        while True:
            try:
                near = server.accept()[0]
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            for ends in ((near, far), (far, near)):
                threading.Thread(target=self._relay, args=ends, daemon=True).start()

    def _relay(self, source, target):
        with contextlib.suppress(OSError), source, target:
            while data := source.recv(1 << 15):
                self.left -= len(data)
                if self.left < 0:
                    self.close()
                    return
                target.sendall(data)


def _fill(address: str) -> None:
    from azure.storage.blob import BlobServiceClient

    with BlobServiceClient(address, {"account_name": ACCOUNT, "account_key": KEY}) as client:
        for container, access_level in (("team", None), ("open", "blob")):
            client.create_container(container, public_access=access_level)
            for name, data in PHOTOS.items():
                client.get_blob_client(container, name).upload_blob(data)


def signature() -> str:
    """Give a shared access signature for the container ``team``."""
    from azure.storage.blob import generate_container_sas

    end = datetime.now(UTC) + timedelta(hours=1)
    return generate_container_sas(ACCOUNT, "team", account_key=KEY, permission="r", expiry=end)


class Google(ThreadingHTTPServer):
    """Answers downloads as Google's JSON API does; the bucket ``open`` is public, ``team`` asks for the token."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), GoogleHandler)
        self.failures: list[int] = []
        self.address = f"http://127.0.0.1:{self.server_port}"

    def service_account(self) -> str:
        """Give the JSON of a service account that gets its token here."""
        from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        key = generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        given = {"type": "service_account", "project_id": "p", "client_email": "a@example.org", "private_key_id": "1"}
        return json.dumps(given | {"private_key": key.decode(), "token_uri": f"{self.address}/token"})


class GoogleHandler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != "/token":
            return self.answer(400, b'{"error": "invalid_grant"}')
        self.answer(200, json.dumps({"access_token": "GIVEN", "expires_in": 3600, "token_type": "Bearer"}).encode())

    def do_GET(self):
        url = urlsplit(self.path)
        bucket, _, quoted = url.path.removeprefix("/download/storage/v1/b/").partition("/o/")
        assert (url.query, "/" in quoted) == ("alt=media", False)
        name = unquote(quoted)
        if self.server.failures:
            self.answer(self.server.failures.pop(0), b"{}")
        elif bucket != "open" and self.headers["Authorization"] != "Bearer GIVEN":
            self.answer(401, b'{"error": {"code": 401, "message": "Anonymous caller does not have access"}}')
        elif name not in PHOTOS:
            self.answer(404, b"No such object")
        elif not self.headers["Range"]:
            self.answer(200, PHOTOS[name])
        elif data := PHOTOS[name]:
            self.answer(206, data[:1], f"bytes 0-0/{len(data)}")
        else:
            self.answer(416, b"")

    def answer(self, status, body, content_range=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextmanager
def google() -> Iterator[Google]:
    """Run a server of Google Cloud Storage."""
    with Google() as server, serving(server):
        yield server
