"""Photos where they lie: local files and URIs, each failure with its reason."""

import subprocess
import sys
import threading
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer

import fsspec
import pytest
from imports import ROOT

from camtraps import storage
from camtraps.errors import InputError
from camtraps.storage import PhotoError, presence


class Server(ThreadingHTTPServer):
    """Answer each path with a list of statuses, the last of them for ever; ``asked`` keeps the requests."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.asked, self.closing = {}, [], threading.Event()

    def photo(self, *answers, head=None):
        """Give the URI of a new photo; a status of 0 never comes."""
        path = f"/cam 1/{len(self.answers)}.jpg"
        self.answers[path] = {"GET": list(answers), "HEAD": [head] if head else list(answers)}
        return f"http://127.0.0.1:{self.server_port}{path}"


class FolderHandler(SimpleHTTPRequestHandler):
    """Serve the files of a folder."""

    def log_message(self, *_):
        pass


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        answers = self.server.answers[self.path.replace("%20", " ")][self.command]
        self.server.asked.append((self.command, self.headers["Range"]))
        status = answers.pop(0) if len(answers) > 1 else answers[0]
        if status == 0:
            self.server.closing.wait()
            return
        self.send_response(status)
        self.send_header("Content-Length", "6")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(b"pixels")

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


@contextmanager
def serving(running):
    thread = threading.Thread(target=running.serve_forever, args=(0.02,))
    thread.start()
    yield
    running.shutdown()
    thread.join()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(storage, "PAUSES", (0.0, 0.0))
    with Server() as running, serving(running):
        yield running
        running.closing.set()


@pytest.fixture
def web_folder(tmp_path):
    """Give a folder and the address that its files are served at."""
    handler = partial(FolderHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running, serving(running):
        yield tmp_path, f"http://127.0.0.1:{running.server_port}"


@pytest.fixture
def refused():
    """Give the URI of a photo on a port that nobody listens at."""
    with Server() as closed:
        port = closed.server_port
    return f"http://127.0.0.1:{port}/a.jpg"


def reason(uri: str) -> str:
    with pytest.raises(PhotoError) as caught:
        storage.read_photo(uri)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_local_photo_is_read(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"pixels")
    assert storage.read_photo(storage.photo_uri(f"{tmp_path}/", "a.jpg")) == b"pixels"


def test_a_remote_photo_is_read():
    fsspec.filesystem("memory").pipe("/bucket/cam 1/a.jpg", b"pixels")
    assert storage.read_photo(storage.photo_uri("memory://bucket", "cam 1/a.jpg")) == b"pixels"


@pytest.mark.parametrize("root", ["http://x.org/a%20b", "https://x.org/a%20b/"])
def test_a_name_below_a_web_address_is_quoted(root):
    uri = storage.photo_uri(root, "c 1/a b#c?d%.jpg")
    assert uri == root.rstrip("/") + "/c%201/a%20b%23c%3Fd%25.jpg"


@pytest.mark.parametrize("root", ["/data", "s3://bucket", "memory://bucket/a b"])
def test_other_names_stay_as_they_are(root):
    assert storage.photo_uri(root, "a b#c?d%.jpg") == f"{root}/a b#c?d%.jpg"


@pytest.mark.parametrize("name", ["a b#c?d%.jpg", "a%20b.jpg", "ä+&=;@:.jpg", "a::b.jpg", "a::memory.jpg"])
def test_a_photo_with_an_odd_name_is_read_from_a_web_server(web_folder, name):
    folder, address = web_folder
    (folder / "cam 1").mkdir()
    (folder / "cam 1" / name).write_bytes(b"pixels")
    uri = storage.photo_uri(address, f"cam 1/{name}")
    assert storage.read_photo(uri) == b"pixels"
    assert presence(uri) is True


@pytest.mark.parametrize("name", ["a::b.jpg", "::a.jpg", "cam::/a.jpg", "a::memory", "a::http:/x.jpg"])
def test_two_colons_in_a_name_are_no_chain_of_file_systems(name):
    fsspec.filesystem("memory").pipe(f"/bucket/cam 1/{name}", b"pixels")
    uri = storage.photo_uri("memory://bucket", f"cam 1/{name}")
    assert storage.read_photo(uri) == b"pixels"
    assert presence(uri) is True
    assert reason(uri + "::b") == "photo not found"


@pytest.mark.parametrize("file", ["../a.jpg", "/a.jpg", "C:\\a.jpg", ""])
def test_a_name_never_leads_out_of_its_folder(file):
    with pytest.raises(InputError) as caught:
        storage.photo_uri("s3://bucket", file)
    assert str(caught.value) == f"{file!r} leads out of the image folder s3://bucket"


@pytest.mark.parametrize("uri", ["/nowhere/a.jpg", "memory://nowhere/a.jpg"])
def test_an_absent_photo_has_that_reason(uri):
    assert reason(uri) == "photo not found"


def test_an_empty_photo_has_that_reason(tmp_path):
    (tmp_path / "a.jpg").touch()
    assert reason(str(tmp_path / "a.jpg")) == "photo is an empty file"


def test_a_folder_in_the_place_of_a_photo_has_that_reason(tmp_path):
    assert reason(str(tmp_path)) == "photo not readable: Is a directory"


def test_a_protocol_that_nobody_knows_has_that_reason():
    assert reason("zz://bucket/a.jpg") == "photo not readable: Protocol not known: zz"


class NoCredentialsError(Exception):
    """As botocore's, which is no OSError."""


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (NoCredentialsError("Unable to locate credentials\nsee the manual"), "Unable to locate credentials"),
        (NoCredentialsError(), "NoCredentialsError"),
        (PermissionError("Access Denied"), "Access Denied"),
        (TimeoutError(), "timed out"),
    ],
)
def test_an_error_of_a_back_end_is_the_reason_and_no_absence(monkeypatch, error, told):
    def fail(uri):
        raise error

    monkeypatch.setattr(storage, "url_to_fs", fail)
    monkeypatch.setattr(storage, "PAUSES", (0.0, 0.0))
    assert reason("s3://bucket/a.jpg") == f"photo not readable: {told}"
    assert presence("s3://bucket/a.jpg") is None


def test_a_photo_on_a_web_server_is_read_with_one_request(server):
    assert storage.read_photo(server.photo(200)) == b"pixels"
    assert server.asked == [("GET", None)]


@pytest.mark.parametrize("status", [404, 410])
def test_only_a_web_server_that_says_so_makes_a_photo_absent(server, status):
    uri = server.photo(status)
    assert reason(uri) == "photo not found"
    assert presence(uri) is False
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("status", "told"), [(401, "Unauthorized"), (403, "Forbidden"), (500, "Internal Server Error")]
)
def test_a_web_server_that_refuses_or_fails_is_no_absence(server, status, told):
    uri = server.photo(status)
    assert reason(uri) == f"photo not readable: HTTP {status} {told}"
    assert presence(uri) is None


def test_a_server_that_is_not_there_is_no_absence(refused, monkeypatch):
    monkeypatch.setattr(storage, "PAUSES", (0.0, 0.0))
    assert reason(refused).startswith("photo not readable: Connect call failed ('127.0.0.1', ")
    assert presence(refused) is None


def test_a_server_that_does_not_answer_is_no_absence(server, monkeypatch):
    monkeypatch.setattr(storage, "PATIENCE", 0.1)
    assert presence(server.photo(0)) is None
    assert len(server.asked) == 3


def test_presence_asks_twice_more_before_it_gives_up(server):
    assert presence(server.photo(503, 503, 200)) is True
    assert presence(server.photo(503, 503, 404)) is False
    assert presence(server.photo(503, 503, 503, 200)) is None


def test_presence_reads_no_photo(server):
    assert presence(server.photo(200)) is True
    assert server.asked == [("HEAD", None)]


@pytest.mark.parametrize("refusal", [405, 501])
@pytest.mark.parametrize(
    ("status", "there"), [(206, True), (200, True), (416, True), (404, False), (410, False), (403, None)]
)
def test_where_head_is_refused_presence_asks_for_one_byte(server, refusal, status, there):
    assert presence(server.photo(status, head=refusal)) is there
    assert server.asked[:2] == [("HEAD", None), ("GET", "bytes=0-0")]


def test_presence_of_a_local_photo(tmp_path):
    (tmp_path / "a.jpg").touch()
    (tmp_path / "link.jpg").symlink_to("nowhere.jpg")
    found = {name: presence(f"{tmp_path}/{name}") for name in ("a.jpg", "b.jpg", "a.jpg/c.jpg", "link.jpg", "")}
    assert found == {"a.jpg": True, "b.jpg": False, "a.jpg/c.jpg": False, "link.jpg": False, "": False}


def test_presence_in_a_store(monkeypatch):
    monkeypatch.setattr(storage, "PAUSES", (0.0, 0.0))
    fsspec.filesystem("memory").pipe("/bucket/cam 1/a.jpg", b"pixels")
    assert presence("memory://bucket/cam 1/a.jpg") is True
    assert presence("memory://bucket/cam 1/b.jpg") is False
    assert presence("memory://bucket/cam 1") is False
    assert presence("zz://bucket/a.jpg") is None


def test_a_name_that_is_too_long_for_the_disk_cannot_be_told(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "PAUSES", (0.0, 0.0))
    assert presence(str(tmp_path / ("a" * 300))) is None


def test_web_sessions_are_closed_at_the_end(server):
    uris = [server.photo(200), server.photo(403), server.photo(206, head=405), server.photo(404)]
    code = f"""
from camtraps import storage
storage.PAUSES = (0, 0)
for uri in {uris}:
    storage.presence(uri)
    try:
        storage.read_photo(uri)
    except storage.PhotoError:
        pass
"""
    command = [sys.executable, "-X", "dev", "-W", "default::ResourceWarning", "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(("uri", "local"), [("/data/a.jpg", True), ("a.jpg", True), ("s3://b/a.jpg", False)])
def test_a_uri_with_a_protocol_is_not_local(uri, local):
    assert storage.is_local(uri) is local


def test_the_stamp_of_a_photo_changes_with_its_bytes(tmp_path):
    path = tmp_path / "a.jpg"
    assert storage.stamp(str(path)) == "absent"
    path.write_bytes(b"one")
    before = storage.stamp(str(path))
    path.write_bytes(b"three")
    assert storage.stamp(str(path)) != before
    assert before.startswith("3:")
    assert storage.stamp("s3://bucket/a.jpg") == ""
