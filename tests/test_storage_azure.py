"""Photos in an Azure Blob server: by key, by shared access signature, and in a public container."""

import pytest
import servers
from servers import ACCOUNT, KEY, NO_AZURITE, ODD_NAMES, PHOTOS, PIXELS, settings

from camtraps import remote, storage
from camtraps.storage import PhotoError, photo_uri, presence, read_photo

pytestmark = pytest.mark.skipif(bool(NO_AZURITE), reason=str(NO_AZURITE))
REMEDY = "set AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN, or anonymous: true in storage.yaml"
WEB_REMEDY = "if it asks for a key (SAS), name the variable that holds it as sas in storage.yaml"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with servers.azure(tmp_path_factory.mktemp("azurite")) as address:
        yield address


@pytest.fixture(autouse=True)
def home(server, monkeypatch, tmp_path):
    from adlfs import AzureBlobFileSystem

    servers.alone(monkeypatch, tmp_path)
    settings(f"az://: {{account: {ACCOUNT}, endpoint: '{server}', tries: 2}}")
    yield
    AzureBlobFileSystem.clear_instance_cache()


@pytest.fixture
def key(monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", KEY)


@pytest.fixture
def sas(server, monkeypatch):
    """Put a signature into the environment, where the settings look for it."""
    monkeypatch.setenv("ALDER_SAS", f"?{servers.signature()}")
    settings(f"{server}/team: {{sas: ALDER_SAS}}\naz://team: {{endpoint: '{server}', sas: ALDER_SAS}}\n")


def reason(uri: str) -> str:
    with pytest.raises(PhotoError) as caught:
        read_photo(uri)
    return str(caught.value)


@pytest.mark.parametrize("name", [f"cam 1/{name}" for name in ODD_NAMES] + ["large.jpg"])
@pytest.mark.parametrize("protocol", ["az", "abfs"])
def test_a_photo_is_read_by_the_accounts_key(key, protocol, name, server):
    settings(f"{protocol}://team: {{account: {ACCOUNT}, endpoint: '{server}'}}")
    uri = photo_uri(f"{protocol}://team", name)
    assert read_photo(uri) == PHOTOS[name]
    assert presence(uri) is True


@pytest.mark.parametrize("name", [f"cam 1/{name}" for name in ODD_NAMES] + ["large.jpg"])
@pytest.mark.parametrize("root", ["az://team", "WEB/team"])
def test_a_photo_is_read_by_a_signature(sas, server, root, name):
    uri = photo_uri(root.replace("WEB", server), name)
    assert read_photo(uri) == PHOTOS[name]
    assert presence(uri) is True


def test_a_photo_is_read_by_a_signature_in_the_root(server):
    uri = photo_uri(f"{server}/team?{servers.signature()}", f"cam 1/{ODD_NAMES[0]}")
    assert read_photo(uri) == PIXELS
    assert presence(uri) is True


def test_a_signature_of_the_environment_is_used(monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", servers.signature())
    assert read_photo("az://team/large.jpg") == PHOTOS["large.jpg"]


def test_the_account_may_stand_in_the_environment(server, monkeypatch):
    settings("{}")
    monkeypatch.setenv(
        "AZURE_STORAGE_CONNECTION_STRING", f"BlobEndpoint={server};AccountName={ACCOUNT};AccountKey={KEY}"
    )
    assert read_photo("az://team/large.jpg") == PHOTOS["large.jpg"]


def test_a_public_container_is_read_without_a_key(server, monkeypatch):
    settings(f"az://open: {{endpoint: '{server}', anonymous: true}}")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "of another account")
    assert read_photo("az://open/large.jpg") == PHOTOS["large.jpg"]
    assert read_photo(f"{server}/open/large.jpg") == PHOTOS["large.jpg"]


@pytest.mark.parametrize("root", ["az://open", "WEB/open"])
def test_a_photo_is_downloaded_whole(key, server, root, tmp_path):
    uri = f"{root.replace('WEB', server)}/large.jpg"
    assert storage.download(uri, tmp_path / "new/a.jpg") == len(PHOTOS["large.jpg"])
    assert (tmp_path / "new/a.jpg").read_bytes() == PHOTOS["large.jpg"]
    assert remote.look(uri).size == len(PHOTOS["large.jpg"])
    assert remote.look(uri).versions


@pytest.mark.parametrize("root", ["az://open", "WEB/open"])
def test_an_absent_or_empty_photo_has_that_reason(key, server, root):
    root = root.replace("WEB", server)
    assert reason(f"{root}/no.jpg") == "photo not found"
    assert presence(f"{root}/no.jpg") is False
    assert reason(f"{root}/empty.jpg") == "photo is an empty file"
    assert presence(f"{root}/empty.jpg") is True


def test_a_missing_container_is_no_absence(key):
    assert reason("az://nowhere/a.jpg") == "photo not readable: az://nowhere does not exist"
    assert presence("az://nowhere/a.jpg") is None


def test_missing_credentials_are_named_with_the_remedy(server):
    told = "is not open to all: HTTP 403 AuthorizationFailure"
    place = server.removesuffix(f"/{ACCOUNT}")
    assert reason("az://team/large.jpg") == f"photo not readable: az://team {told}; {REMEDY}"
    assert reason(f"{server}/team/large.jpg") == f"photo not readable: {place} {told}; {WEB_REMEDY}"
    assert presence("az://team/large.jpg") is presence(f"{server}/team/large.jpg") is None


@pytest.mark.parametrize("root", ["az://team", "WEB/team"])
def test_a_wrong_signature_is_told_without_it(sas, server, root, monkeypatch):
    monkeypatch.setenv("ALDER_SAS", servers.signature().replace("sig=", "sig=SECRET"))
    told = "refuses the key in ALDER_SAS: HTTP 403 AuthorizationFailure"
    assert reason(f"{root.replace('WEB', server)}/large.jpg").endswith(f" {told}")
    assert presence(f"{root.replace('WEB', server)}/large.jpg") is None


def test_a_wrong_key_is_told_without_it(monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", f"A{KEY[1:]}")
    told = "photo not readable: az://team refuses the credentials that it was given: HTTP 403 AuthorizationFailure"
    assert reason("az://team/large.jpg") == told


def test_a_key_that_is_none_is_told_without_it(monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "SECRET!")
    assert reason("az://team/large.jpg").startswith("photo not readable: ")
    assert "SECRET" not in reason("az://team/large.jpg")


@pytest.mark.parametrize("failure", [503, 429])
def test_trouble_that_passes_is_waited_for(key, failure):
    with servers.web() as server:
        server.photo(failure, failure, 404, folder="team")
        settings(f"az://: {{account: {ACCOUNT}, endpoint: '{server.address}'}}")
        assert reason("az://team/0.jpg") == "photo not found"
        assert len(server.asked) == 3


def test_a_server_that_is_silent_is_told(key):
    with servers.web() as server:
        server.photo("hang", folder="team")
        settings(f"az://: {{account: {ACCOUNT}, endpoint: '{server.address}', timeout: 0.1, tries: 2}}")
        assert reason("az://team/0.jpg") == "photo not readable: az://team did not answer within 0.1 s"
        assert len(server.asked) == 2


def test_a_server_out_of_reach_is_told(key):
    with servers.Web() as closed:
        pass
    settings(f"az://: {{account: {ACCOUNT}, endpoint: '{closed.address}'}}")
    assert reason("az://team/large.jpg") == "photo not readable: no connection to az://team"
