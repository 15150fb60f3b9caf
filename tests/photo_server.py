"""A web server on loopback that serves photos, and fails on some of them as it is told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

from servers import serving

DROPPED = "dropped"  # in `answers`: the connection breaks in the middle of the photo
HANGS = "hangs"  # the photo does not go on until `go` is set


class PhotoServer(ThreadingHTTPServer):
    """Serve ``photos`` by their path.

    ``answers`` are what comes first of a path instead: HTTP statuses, `DROPPED` or `HANGS`; ``asked`` are the paths
    that were asked for with GET.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.photos: dict[str, bytes] = {}
        self.answers: dict[str, list[int | str]] = {}
        self.asked: list[str] = []
        self.go = threading.Event()
        self.address = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: PhotoServer

    def do_GET(self) -> None:
        path = unquote(self.path)
        if self.command == "GET":
            self.server.asked.append(path)
        given = self.server.answers.get(path)
        answer = given.pop(0) if given and self.command == "GET" else 200
        data = self.server.photos.get(path)
        if isinstance(answer, int) and (data is None or answer != 200):
            self.send_response(404 if answer == 200 else answer)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        assert data is not None, path
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "HEAD":
            return
        half = len(data) // 2
        self.wfile.write(data[:half])
        self.wfile.flush()
        if answer == DROPPED:
            self.close_connection = True
            return
        if answer == HANGS:
            self.server.go.wait()
        self.wfile.write(data[half:])

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def photo_server() -> Iterator[PhotoServer]:
    """Run a server."""
    with PhotoServer() as server, serving(server):
        yield server
        server.go.set()
