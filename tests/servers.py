"""Servers on this machine that speak as stores of photos do: HTTP with failures, S3, Azure Blobs, Google's."""

import json
import logging
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
    """An S3 server; ``keys`` are the access keys of the requests, None for anonymous ones; ``failures`` come first."""

    def __init__(self) -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        self.keys: list[str | None] = []
        self.failures: list[tuple[str, str]] = []
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._app = DomainDispatcherApplication(create_backend_app)
        self.server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def _answer(self, environ, start_response):
        given = environ.get("HTTP_AUTHORIZATION", "")
        self.keys.append(given.partition("Credential=")[2].partition("/")[0] or None)
        if self.failures:
            status, code = self.failures.pop(0)
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
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [AZURITE, "--skipApiVersionCheck", "--loose", "--silent", "--disableTelemetry", "--location", folder]
    command += ["--blobHost", "127.0.0.1", "--blobPort", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(600):
                with socket.socket() as attempt:
                    if attempt.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert process.poll() is None, "azurite ended"
                time.sleep(0.05)
            address = f"http://127.0.0.1:{port}/{ACCOUNT}"
            _fill(address)
            yield address
        finally:
            process.terminate()


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
