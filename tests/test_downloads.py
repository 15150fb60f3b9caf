"""Downloads from a server on this machine: whole, once, with the reason where one fails."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import servers

from camtraps import downloads
from camtraps.access import CREDENTIALS
from camtraps.errors import InputError


class Handler(BaseHTTPRequestHandler):
    """Answers by the path; counts what was fetched whole."""

    version = "1"
    fetched = 0

    def do_HEAD(self):
        self.answer(b"")

    def do_GET(self):
        type(self).fetched += 1
        self.answer(b"content of the file")

    def answer(self, body):
        if self.path.startswith("/gone"):
            self.send_error(404)
        elif self.path.startswith("/refused"):
            self.send_error(403, "Forbidden")
        else:
            length = 1000 if self.path.startswith("/cut") else 19
            self.send_response(200)
            self.send_header("Content-Length", str(length))
            if self.version:
                self.send_header("ETag", self.version)
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *arguments):
        """Say nothing."""


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    servers.alone(monkeypatch, tmp_path)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(Handler, "fetched", 0)
    monkeypatch.setattr(Handler, "version", "1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made, servers.serving(made):
        yield f"http://127.0.0.1:{made.server_port}"


def test_a_file_is_kept_under_its_name(server, work):
    path = downloads.fetch(f"{server}/a/photos%20of%202024.json.zip?key=secret")
    assert path.read_bytes() == b"content of the file"
    assert path.name == "photos of 2024.json.zip"
    assert path.is_relative_to(work / "downloads")


def test_a_file_is_fetched_once_until_it_changes(server, monkeypatch):
    assert downloads.fetch(f"{server}/a.zip") == downloads.fetch(f"{server}/a.zip")
    assert Handler.fetched == 1
    monkeypatch.setattr(Handler, "version", "2")
    downloads.fetch(f"{server}/a.zip")
    assert Handler.fetched == 2


def test_a_file_of_which_no_version_is_told_may_have_changed(server, monkeypatch):
    monkeypatch.setattr(Handler, "version", "")
    assert downloads.fetch(f"{server}/a.zip") == downloads.fetch(f"{server}/a.zip")
    assert Handler.fetched == 2


def test_a_password_in_the_address_is_not_told(server):
    with pytest.raises(InputError) as caught:
        downloads.fetch(f"{server.replace('://', '://me:SECRET@')}/gone")
    assert str(caught.value) == f"{server}/gone: cannot be downloaded: no such file"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("gone?key=secret", "no such file"),
        ("refused?key=secret", "HOST refuses the credentials that it was given: HTTP 403 Forbidden"),
        ("refused", f"HOST is not open to all: HTTP 403 Forbidden; {CREDENTIALS['web']}"),
    ],
)
def test_a_refusal_is_told_without_the_key(server, path, said):
    with pytest.raises(InputError) as caught:
        downloads.fetch(f"{server}/{path}")
    told = f"{server}/{path.partition('?')[0]}: cannot be downloaded: {said.replace('HOST', server)}"
    assert str(caught.value) == told


def test_nothing_is_kept_of_a_download_that_breaks_off(server, work):
    with pytest.raises(
        InputError, match=rf"^{server}/cut.zip: cannot be downloaded: the connection to {server} broke off"
    ):
        downloads.fetch(f"{server}/cut.zip")
    assert not [path for path in (work / "downloads").rglob("*") if path.is_file()]


@pytest.mark.parametrize("url", ["nan", "/etc/passwd", ""])
def test_what_is_no_web_address_is_refused(url):
    with pytest.raises(InputError) as caught:
        downloads.fetch(url)
    assert str(caught.value) == f"{url!r} is no web address"


def test_a_server_that_is_not_there_is_said(work):
    told = r"^http://127.0.0.1:9/a.zip: cannot be downloaded: no connection to http://127.0.0.1:9$"
    with pytest.raises(InputError, match=told):
        downloads.fetch("http://127.0.0.1:9/a.zip")
