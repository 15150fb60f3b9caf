"""Photos where they lie: local files and URIs, each failure with its reason."""

import errno
import os
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import fsspec
import pytest
import servers
from imports import ROOT
from servers import ODD_NAMES, PIXELS, settings

from camtraps import remote, storage
from camtraps.errors import InputError
from camtraps.remote import NotWritten
from camtraps.storage import Images, PhotoError, presence


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    servers.alone(monkeypatch, tmp_path)


@pytest.fixture
def server():
    with servers.web() as running:
        yield running


class FolderHandler(SimpleHTTPRequestHandler):
    """Serve the files of a folder."""

    def log_message(self, *_):
        pass


@pytest.fixture
def web_folder(tmp_path):
    """Give a folder and the address that its files are served at."""
    handler = partial(FolderHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running, servers.serving(running):
        yield tmp_path, f"http://127.0.0.1:{running.server_port}"


@pytest.fixture
def refused():
    """Give the address of a port that nobody listens at."""
    with servers.Web() as closed:
        pass
    return closed.address


def reason(uri: str) -> str:
    with pytest.raises(PhotoError) as caught:
        storage.read_photo(uri)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_local_photo_is_read(tmp_path):
    (tmp_path / "a.jpg").write_bytes(PIXELS)
    assert storage.read_photo(storage.photo_uri(f"{tmp_path}/", "a.jpg")) == PIXELS


def test_a_remote_photo_is_read():
    fsspec.filesystem("memory").pipe("/bucket/cam 1/a.jpg", PIXELS)
    assert storage.read_photo(storage.photo_uri("memory://bucket", "cam 1/a.jpg")) == PIXELS


@pytest.mark.parametrize("root", ["http://x.org/a%20b", "https://x.org/a%20b/"])
def test_a_name_below_a_web_address_is_quoted(root):
    uri = storage.photo_uri(root, "c 1/a b#c?d%.jpg")
    assert uri == root.rstrip("/") + "/c%201/a%20b%23c%3Fd%25.jpg"


@pytest.mark.parametrize("root", ["/data", "s3://bucket", "memory://bucket/a b"])
def test_other_names_stay_as_they_are(root):
    assert storage.photo_uri(root, "a b#c?d%.jpg") == f"{root}/a b#c?d%.jpg"


def test_what_an_address_has_behind_its_mark_stands_behind_the_file():
    assert (
        storage.photo_uri("https://x.org/c?sv=1&sig=a%2Fb", "1 a?.jpg") == "https://x.org/c/1%20a%3F.jpg?sv=1&sig=a%2Fb"
    )


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_photo_with_an_odd_name_is_read_from_a_web_server(web_folder, name):
    folder, address = web_folder
    (folder / "cam 1").mkdir()
    (folder / "cam 1" / name).write_bytes(PIXELS)
    uri = storage.photo_uri(address, f"cam 1/{name}")
    assert storage.read_photo(uri) == PIXELS
    assert presence(uri) is True


@pytest.mark.parametrize("name", ["a::b.jpg", "::a.jpg", "cam::/a.jpg", "a::memory", "a::http:/x.jpg"])
def test_two_colons_in_a_name_are_no_chain_of_file_systems(name):
    fsspec.filesystem("memory").pipe(f"/bucket/cam 1/{name}", PIXELS)
    uri = storage.photo_uri("memory://bucket", f"cam 1/{name}")
    assert storage.read_photo(uri) == PIXELS
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


def test_a_reason_of_several_lines_is_told_whole(server):
    settings(f"s3://: {{endpoint: '{server.address}', anonymous: true, region: us-west-2}}")
    told = reason("s3://no bucket/a.jpg")
    assert told.startswith("photo not readable: Parameter validation failed: Invalid bucket name ")


def test_a_protocol_that_nobody_knows_has_that_reason():
    assert reason("zz://bucket/a.jpg") == "photo not readable: Protocol not known: zz"


def test_a_local_photo_that_may_not_be_read_has_that_reason(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(PIXELS)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("root may read everything")
    assert reason(str(path)) == "photo not readable: Permission denied"


def test_a_photo_on_a_web_server_is_read_with_one_request(server):
    assert storage.read_photo(server.photo(200)) == PIXELS
    assert server.asked == [("GET", None)]


def test_a_photo_that_has_moved_is_followed(server):
    assert storage.read_photo(server.photo("moved")) == PIXELS


@pytest.mark.parametrize("status", [404, 410])
def test_only_a_web_server_that_says_so_makes_a_photo_absent(server, status):
    uri = server.photo(status)
    assert reason(uri) == "photo not found"
    assert presence(uri) is False
    assert len(server.asked) == 2


@pytest.mark.parametrize(("status", "told"), [(401, "Unauthorized"), (403, "Forbidden")])
def test_a_web_server_that_refuses_is_asked_once_and_is_no_absence(server, status, told):
    uri = server.photo(status)
    assert reason(uri) == (
        f"photo not readable: {server.address} is not open to all: HTTP {status} {told}; "
        "if it asks for a key (SAS), name the variable that holds it as sas in storage.yaml"
    )
    assert presence(uri) is None
    assert len(server.asked) == 2


def test_a_key_that_is_refused_is_not_told(server):
    assert reason(f"{server.photo(403)}?sig=SECRET") == (
        f"photo not readable: {server.address} refuses the credentials that it was given: HTTP 403 Forbidden"
    )


@pytest.mark.parametrize(("status", "told"), [(500, "Internal Server Error"), (429, "Too Many Requests"), (599, "")])
def test_a_web_server_that_fails_is_no_absence(server, status, told):
    uri = server.photo(status)
    assert reason(uri) == f"photo not readable: HTTP {status} {told}".strip()
    assert presence(uri) is None


@pytest.mark.parametrize("failure", [503, 429, "drop", "short"])
def test_trouble_that_passes_is_waited_for(server, failure, tmp_path):
    assert storage.read_photo(server.photo(failure, failure, 200)) == PIXELS
    assert storage.download(server.photo(failure, failure, 200), tmp_path / "new/a.jpg") == len(PIXELS)
    assert (tmp_path / "new/a.jpg").read_bytes() == PIXELS
    assert len(server.asked) == 6


def test_tries_end(server):
    settings(f"{server.address}: {{tries: 2}}")
    assert reason(server.photo("drop")) == f"photo not readable: the connection to {server.address} broke off"
    assert len(server.asked) == 2


def test_the_pauses_grow(server, monkeypatch):
    slept = []
    monkeypatch.setattr(remote, "PAUSE", 1.0)
    monkeypatch.setattr(remote.time, "sleep", slept.append)
    reason(server.photo(503))
    pauses = [seconds for seconds in slept if seconds]
    assert [0.5 <= seconds / 2**at <= 1.5 for at, seconds in enumerate(pauses)] == [True] * 3


def test_a_server_that_is_not_there_is_no_absence(refused):
    assert reason(f"{refused}/a.jpg") == f"photo not readable: no connection to {refused}"
    assert presence(f"{refused}/a.jpg") is None


def test_a_server_that_does_not_answer_is_no_absence(server):
    settings(f"{server.address}: {{timeout: 0.1, tries: 2}}")
    assert reason(server.photo("hang")) == f"photo not readable: {server.address} did not answer within 0.1 s"
    assert presence(server.photo("hang")) is None
    assert len(server.asked) == 4


@pytest.mark.parametrize(("answer", "told"), [(404, "photo not found"), ("drop", "photo not readable: the connection")])
def test_nothing_is_kept_of_a_photo_that_did_not_come_whole(server, tmp_path, answer, told):
    with pytest.raises(PhotoError, match=f"^{told}"):
        storage.download(server.photo(answer), tmp_path / "new/a.jpg")
    assert list((tmp_path / "new").iterdir()) == []


def test_an_empty_photo_is_not_downloaded(web_folder, tmp_path):
    folder, address = web_folder
    (folder / "a.jpg").touch()
    with pytest.raises(PhotoError, match=r"^photo is an empty file$"):
        storage.download(f"{address}/a.jpg", tmp_path / "new/a.jpg")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_download_takes_the_place_of_what_was_there(server, tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"old")
    assert storage.download(server.photo(200), tmp_path / "a.jpg") == len(PIXELS)
    assert (tmp_path / "a.jpg").read_bytes() == PIXELS


def test_a_full_disk_is_no_failure_of_the_photo(server, monkeypatch):
    monkeypatch.setattr("camtraps.storage.replacing", lambda path: fsspec.utils.nullcontext(path))
    with pytest.raises(NotWritten, match=r"^/dev: cannot be written to: No space left on device$") as caught:
        storage.download(server.photo(200), storage.Path("/dev/full"))
    assert caught.value.errno == errno.ENOSPC
    assert len(server.asked) == 1


def test_any_file_system_of_fsspec_is_downloaded_from(tmp_path):
    fsspec.filesystem("memory").pipe("/bucket/a.jpg", PIXELS)
    assert storage.download("memory://bucket/a.jpg", tmp_path / "a.jpg") == len(PIXELS)
    assert (tmp_path / "a.jpg").read_bytes() == PIXELS


def test_presence_asks_three_times_more_before_it_gives_up(server):
    assert presence(server.photo(503, 503, 200)) is True
    assert presence(server.photo(503, 503, 404)) is False
    assert presence(server.photo(503, 503, 503, 503, 200)) is None


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


def test_presence_in_a_store():
    fsspec.filesystem("memory").pipe("/bucket/cam 1/a.jpg", PIXELS)
    assert presence("memory://bucket/cam 1/a.jpg") is True
    assert presence("memory://bucket/cam 1/b.jpg") is False
    assert presence("memory://bucket/cam 1") is False
    assert presence("zz://bucket/a.jpg") is None


def test_a_name_that_is_too_long_for_the_disk_cannot_be_told(tmp_path):
    assert presence(str(tmp_path / ("a" * 300))) is None


def test_web_sessions_are_closed_at_the_end(server):
    uris = [server.photo(200), server.photo(403), server.photo(206, head=405), server.photo(404)]
    code = f"""
from camtraps import remote, storage
remote.PAUSE = 0
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


def test_a_saved_copy_is_read_in_place_of_the_source(tmp_path):
    images = Images({"d": "https://x.org/c", "here": "/data"}, tmp_path)
    assert images.uri("d", "a b.jpg") == "https://x.org/c/a%20b.jpg"
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a b.jpg").write_bytes(PIXELS)
    assert images.uri("d", "a b.jpg") == str(tmp_path / "d/a b.jpg")
    assert images.source("d", "a b.jpg") == "https://x.org/c/a%20b.jpg"
    assert images.copy("here", "a.jpg") is None


def test_a_photo_whose_name_no_file_here_can_have_is_read_where_it_is(tmp_path):
    images = Images({"d": "s3://bucket"}, tmp_path)
    assert images.uri("d", f"{'a' * 300}.jpg") == f"s3://bucket/{'a' * 300}.jpg"
