"""Photos in Google Cloud Storage: public buckets, and a service account that gets its token as Google's do."""

import pytest
import servers
from servers import ODD_NAMES, PHOTOS, settings

from camtraps import access, remote, storage
from camtraps.errors import InputError
from camtraps.storage import PhotoError, photo_uri, presence, read_photo

pytest.importorskip("gcsfs", reason="gcsfs is not installed")
REMEDY = "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS"


@pytest.fixture
def server(monkeypatch, tmp_path):
    from gcsfs.core import GCSFileSystem

    servers.alone(monkeypatch, tmp_path)
    with servers.google() as running:
        settings(f"gs://: {{endpoint: '{running.address}'}}")
        yield running
    GCSFileSystem.clear_instance_cache()


@pytest.fixture
def account(server, monkeypatch, tmp_path):
    (tmp_path / "account.json").write_text(server.service_account())
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "account.json"))


def reason(uri: str) -> str:
    with pytest.raises(PhotoError) as caught:
        read_photo(uri)
    return str(caught.value)


@pytest.mark.parametrize("name", [f"cam 1/{name}" for name in ODD_NAMES] + ["large.jpg"])
def test_a_public_bucket_needs_no_credentials(server, name):
    uri = photo_uri("gs://open", name)
    assert read_photo(uri) == PHOTOS[name]
    assert presence(uri) is True


def test_a_service_account_is_used(account):
    assert read_photo("gs://team/large.jpg") == PHOTOS["large.jpg"]
    assert presence("gs://team/large.jpg") is True


def test_who_wants_to_be_anonymous_is(server, account):
    settings(f"gs://: {{endpoint: '{server.address}', anonymous: true}}")
    assert reason("gs://team/large.jpg").startswith("photo not readable: gs://team is not open to all: HTTP 401")
    assert read_photo("gs://open/large.jpg") == PHOTOS["large.jpg"]


def test_missing_credentials_are_named_with_the_remedy(server):
    told = f"photo not readable: gs://team is not open to all: HTTP 401 Unauthorized; {REMEDY}"
    assert reason("gs://team/large.jpg") == reason("gs://team/no.jpg") == told
    assert presence("gs://team/large.jpg") is None


def test_credentials_that_are_refused_are_told(server, account):
    server.failures[:] = [403]
    told = "photo not readable: gs://team refuses the credentials that it was given: HTTP 403 Forbidden"
    assert reason("gs://team/large.jpg") == told


def test_credentials_that_cannot_be_used_are_told(server, account, tmp_path, monkeypatch):
    (tmp_path / "account.json").write_text(server.service_account().replace("/token", "/no-token-here"))
    assert reason("gs://team/large.jpg") == f"photo not readable: no credentials for gs://team; {REMEDY}"


def test_a_file_of_credentials_that_is_not_there_is_named(server, tmp_path, monkeypatch):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", f"{tmp_path}/no.json")
    with pytest.raises(InputError, match=f"^GOOGLE_APPLICATION_CREDENTIALS: File {tmp_path}/no.json was not found"):
        read_photo("gs://open/large.jpg")


def test_an_absent_or_empty_photo_has_that_reason(server):
    assert reason("gs://open/no.jpg") == "photo not found"
    assert presence("gs://open/no.jpg") is False
    assert reason("gs://open/empty.jpg") == "photo is an empty file"
    assert presence("gs://open/empty.jpg") is True


def test_a_photo_is_downloaded_whole(server, tmp_path):
    assert storage.download("gs://open/large.jpg", tmp_path / "a.jpg") == len(PHOTOS["large.jpg"])
    assert (tmp_path / "a.jpg").read_bytes() == PHOTOS["large.jpg"]
    assert remote.look("gs://open/large.jpg").size == len(PHOTOS["large.jpg"])


@pytest.mark.parametrize("status", [429, 503])
def test_trouble_that_passes_is_waited_for(server, status):
    server.failures[:] = [status] * 3
    assert read_photo("gs://open/large.jpg") == PHOTOS["large.jpg"]
    server.failures[:] = [status] * 4
    assert reason("gs://open/large.jpg").startswith(f"photo not readable: HTTP {status} ")


def test_a_server_out_of_reach_is_told(server):
    with servers.Web() as closed:
        pass
    settings(f"gs://: {{endpoint: '{closed.address}'}}")
    assert reason("gs://open/large.jpg") == "photo not readable: no connection to gs://open"
    assert access.reach("gs://open/large.jpg").endpoint == closed.address
