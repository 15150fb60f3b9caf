"""Reading on behalf of a caller, from servers on this machine."""

import socket

import pytest
import servers

from camtraps.service import reading
from camtraps.service.limits import Limits
from camtraps.storage import PhotoError

HERE = Limits(allow=("http://",), allow_private=True, timeout=0.5)


@pytest.fixture(scope="module")
def web():
    with servers.web() as server:
        yield server


def reason(uri, limits=HERE):
    with pytest.raises(PhotoError) as error:
        reading.read(uri, limits)
    return str(error.value)


def test_files_come_in_the_order_in_which_they_were_asked_for(web):
    good, gone = web.photo(200), web.photo(404)
    data, error, again = reading.read_all([good, gone, good], HERE)
    assert (data, str(error), again) == (servers.PIXELS, "photo not found", servers.PIXELS)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (403, "photo not readable: HTTP 403"),
        ("moved", "photo not readable: HTTP 302"),
        ("hang", "photo not readable: timed out"),
        ("drop", "photo not readable: out of reach"),
    ],
)
def test_other_answers_are_reasons(web, answer, said):  # redirects could lead anywhere
    assert reason(web.photo(answer)) == said


def test_a_file_that_is_too_large_is_not_read(web, monkeypatch):
    monkeypatch.setattr(servers, "PIXELS", b"x" * 1001)
    limits = Limits(allow=("http://",), allow_private=True, max_bytes=1000)
    assert reason(web.photo(200), limits) == "photo not readable: more than 1,000 bytes"


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f000001"])
def test_names_that_lead_to_this_machine_are_not_followed(web, host):
    uri = web.photo(200).replace("127.0.0.1", host)
    num_asked = len(web.asked)
    said = reason(uri, Limits(allow=("http://",), timeout=5.0))
    assert said in ("photo not readable: out of reach", "photo not readable: its address leads to a private address")
    assert len(web.asked) == num_asked


def test_a_name_that_changes_to_a_private_address_is_of_no_use(web, monkeypatch):
    """DNS rebinding: what is connected to is what was checked."""
    looked_up = []

    def lookup(host, port, *_, **__):
        looked_up.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    num_asked = len(web.asked)
    uri = web.photo(200).replace("127.0.0.1", "photos.example.org")
    assert reason(uri, Limits(allow=("http://",), timeout=5.0)) == "photo not readable: out of reach"
    assert (looked_up, len(web.asked)) == (["photos.example.org"], num_asked)


def test_a_forbidden_address_is_not_asked(web):
    num_asked = len(web.asked)
    said = reason(web.photo(200), Limits(allow=("https://",)))
    assert said == "photo not readable: its address is not among the addresses that are allowed here (https://)"
    assert len(web.asked) == num_asked


def test_photos_in_a_bucket_are_read_as_everywhere(tmp_path, monkeypatch):
    servers.alone(monkeypatch, tmp_path)
    with servers.s3() as store:
        servers.settings(f"s3://open: {{endpoint: '{store.address}', anonymous: true}}")
        limits = Limits(allow=("s3://open/",))
        assert reading.read("s3://open/large.jpg", limits) == servers.PHOTOS["large.jpg"]
        small = Limits(allow=("s3://open/",), max_bytes=1000)
        assert reason("s3://open/large.jpg", small) == "photo not readable: more than 1,000 bytes"
        assert reason("s3://team/large.jpg", limits).startswith("photo not readable: its address is not among")


def test_a_storage_file_that_cannot_be_used_tells_nothing_to_callers(tmp_path, monkeypatch):
    servers.alone(monkeypatch, tmp_path)
    servers.settings("s3://x: {secret: 1}")
    assert reason("s3://open/a.jpg", Limits(allow=("s3://",))) == "photo not readable: out of reach"
