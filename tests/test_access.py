"""storage.yaml: the longest prefix counts, mistakes are told with their place, and no key gets in or out."""

import sys

import pytest
import servers
from servers import settings

from camtraps import access, stores
from camtraps.access import Reach
from camtraps.errors import InputError, MissingError, ParamsError
from camtraps.storage import read_photo


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    servers.alone(monkeypatch, tmp_path)


def told(text: str) -> str:
    settings(text)
    with pytest.raises(ParamsError) as caught:
        access.reach("s3://bucket/a.jpg")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_without_the_file_everything_is_as_the_clouds_tools_find_it():
    assert access.reach("s3://bucket/a.jpg") == Reach()


def test_the_longest_prefix_on_a_bound_of_names_counts():
    settings(
        "s3://: {tries: 2}\ns3://bucket: {profile: a}\ns3://bucket/x/: {profile: b}\nhttps://a.org/c: {timeout: 5}\n"
    )
    found = {uri: access.reach(uri) for uri in ("s3://bucket/a.jpg", "s3://bucket/x/a.jpg", "s3://bucket/xy/a.jpg")}
    assert [each.profile for each in found.values()] == ["a", "b", "a"]
    assert access.reach("s3://bucket") == Reach(profile="a")
    assert access.reach("s3://bucket2/a.jpg") == Reach(tries=2)
    assert access.reach("https://a.org/c/a.jpg") == Reach(timeout=5.0)
    assert access.reach("https://a.org/cc/a.jpg") == Reach()


def test_a_change_of_the_file_counts_at_once():
    settings("s3://bucket: {profile: a}")
    assert access.reach("s3://bucket/a.jpg").profile == "a"
    settings("s3://bucket: {profile: other}")
    assert access.reach("s3://bucket/a.jpg").profile == "other"


def test_the_environment_names_another_file(monkeypatch, tmp_path):
    settings("s3://bucket: {profile: a}")
    (tmp_path / "mine.yaml").write_text("s3://bucket: {profile: mine}")
    monkeypatch.setenv("CAMTRAPS_STORAGE", str(tmp_path / "mine.yaml"))
    assert access.reach("s3://bucket/a.jpg").profile == "mine"
    monkeypatch.setenv("CAMTRAPS_STORAGE", str(tmp_path / "no.yaml"))
    with pytest.raises(MissingError, match=r"no\.yaml: not found"):
        access.reach("s3://bucket/a.jpg")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "s3://b: {account: a}",
            "s3://b.account: unknown key; known are profile, region, endpoint, anonymous, timeout,",
        ),
        ("gs://b: {key: abc}", "gs://b.key: unknown key; known are endpoint, anonymous, timeout, tries"),
        ("s3://b: {profile: 3}", "s3://b.profile: expected str, got 3"),
        ("s3://b: {anonymous: 'yes'}", "s3://b.anonymous: expected bool, got 'yes'"),
        ("s3://b: [profile]", "s3://b: expected keys and values, got ['profile']"),
        ("s3://b: {tries: 0}", "s3://b.tries: must be from 1 to 100, got 0"),
        ("s3://b: {timeout: 0}", "s3://b.timeout: must be from 0.1 to 3600, got 0"),
        ("s3://b: {endpoint: minio.example.org}", "s3://b.endpoint: must begin with https:// or http://, got 'minio"),
        ("bucket: {profile: a}", "bucket: must begin with s3://, az://, gs://, https:// or http://"),
        ("/data: {timeout: 3}", "/data: must begin with s3://, az://, gs://, https:// or http://"),
        ("sftp://host: {timeout: 3}", "sftp://host: must begin with s3://, az://, gs://, https:// or http://"),
        ("3: {timeout: 3}", "3: must begin with s3://, az://, gs://, https:// or http://"),
    ],
)
def test_a_mistake_is_told_with_its_place(text, said):
    assert told(text).startswith(f"storage.yaml: {said}")


@pytest.mark.parametrize(
    "text",
    [
        "https://a.blob.core.windows.net/c: {sas: '?sv=2024&sig=SECRET'}",
        "https://a.blob.core.windows.net/c?sv=2024&sig=SECRET: {timeout: 3}",
        "https://user:SECRET@a.org/c: {timeout: 3}",
        "az://c: {endpoint: 'https://a.org/?sig=SECRET'}",
        f"s3://b: {{profile: {'SECRET/' * 6}}}",
        "az://c: {sas: SECRET-KEY}",
        "az://c: {endpoint: 'https://SECRET@a.org'}",
        f"az://c: {{sas: {'SECRETabc' * 5}}}",
        "s3://KEY:SECRET@b/c: {timeout: 3}",
    ],
)
def test_a_key_is_refused_and_not_repeated(text):
    message = told(text)
    assert "key" in message
    assert "SECRET" not in message


def test_names_that_look_a_little_like_keys_are_none():
    settings("s3://b: {profile: me@corp}\naz://c: {sas: AZURE_PHOTOS_SHARED_ACCESS_SIGNATURE_OF_TEAM}")
    assert access.reach("s3://b/a.jpg").profile == "me@corp"
    assert access.reach("az://c/a.jpg").sas == "AZURE_PHOTOS_SHARED_ACCESS_SIGNATURE_OF_TEAM"


def test_a_variable_that_is_not_set_is_named():
    settings("https://a.org/c: {sas: ALDER_SAS}")
    with pytest.raises(InputError) as caught:
        read_photo("https://a.org/c/a.jpg")
    assert str(caught.value) == "storage.yaml: the environment variable ALDER_SAS that sas names is not set; export it"


def test_a_signature_is_taken_with_or_without_its_mark(monkeypatch):
    monkeypatch.setenv("ALDER_SAS", " ?sv=1&sig=x\n")
    assert access.signature(Reach(sas="ALDER_SAS")) == "sv=1&sig=x"
    assert access.signature(Reach()) == ""


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("https://a.blob.core.windows.net/c/x?sv=1&sig=SECRET", "https://a.blob.core.windows.net/c/x"),
        ("https://user:SECRET@a.org/c", "https://a.org/c"),
        ("az://c/x?sig=SECRET", "az://c/x"),
        ("az://c/x/sig=SECRET", "az://c/x/"),
        ("ftp://me:SECRET@a.org/c", "ftp://a.org/c"),
        ("sftp://me:SECRET@a.org", "sftp://a.org"),
        ("s3://KEY:SECRET@b/x", "s3://b/x"),
        ("https://a.org/c#sig=SECRET", "https://a.org/c"),
        ("https://me:SECRET@[bad/c", "https://[bad/c"),
    ],
)
def test_the_address_of_an_image_folder_holds_no_key(uri, shown):
    with pytest.raises(InputError) as caught:
        access.check_root(uri)
    assert str(caught.value) == (
        f"{shown}: the address of an image folder must not hold a key, since it is kept in datasets.csv; give it "
        "without, and name the environment variable that holds the key in storage.yaml, as in "
        f"`{shown}: {{sas: PHOTOS_SAS}}`"
    )


@pytest.mark.parametrize(
    "uri",
    [
        "/data/what?/sig=1",
        "/data/a:b@c",
        "s3://bucket/what?",
        "s3://bucket/a:b@c",
        "https://a.org/c",
        "https://[bad/c",
        "abfs://c@a.dfs.core.x/d",
        "sftp://me@a.org/c",
    ],
)
def test_other_addresses_of_image_folders_are_fine(uri):
    access.check_root(uri)


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("s3://bucket/a/b.jpg", "s3://bucket"),
        ("https://u:p@a.org:80/c?sig=x", "https://a.org:80"),
        ("https://a.org?sig=x@y", "https://a.org"),
    ],
)
def test_the_place_in_a_message_is_the_same_for_all_photos_and_holds_no_key(uri, place):
    assert access.place(uri) == place


@pytest.mark.parametrize(
    ("uri", "package", "said"),
    [
        ("gs://bucket/a.jpg", "gcsfs.core", "to read from gs:// gcsfs is needed; pip install 'camtraps[gcs]'"),
        ("az://photos/a.jpg", "adlfs", "to read from az:// adlfs is needed; pip install adlfs"),
    ],
)
def test_a_package_that_is_missing_is_named(uri, package, said, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError) as caught:
        read_photo(uri)
    assert str(caught.value) == said


def test_azure_needs_an_account():
    with pytest.raises(InputError) as caught:
        read_photo("az://photos/a.jpg")
    assert str(caught.value) == "az:// needs an account: set AZURE_STORAGE_ACCOUNT_NAME, or account in storage.yaml"


@pytest.mark.parametrize("uri", ["abfss://photos@lila.dfs.core.windows.net/a.jpg", "az://photos/a.jpg"])
def test_azures_account_may_stand_in_the_address_or_the_settings(uri):
    settings("az://photos: {account: lila, anonymous: true}\nabfss://: {anonymous: true}")
    source = stores.source(uri, access.reach(uri))
    assert source.blob().url == "https://lila.blob.core.windows.net/photos/a.jpg"
    assert not source.signed
