"""Photos in an S3 server: named profiles, custom endpoints, public buckets, and each refusal with its reason."""

import pytest
import servers
from servers import ODD_NAMES, PHOTOS, PIXELS, settings

from camtraps import remote, storage
from camtraps.formats import animl
from camtraps.storage import PhotoError, photo_uri, presence, read_photo

REMEDY = "set AWS_PROFILE, or profile in storage.yaml"


@pytest.fixture(scope="module")
def server():
    with servers.s3() as running:
        yield running


@pytest.fixture(autouse=True)
def home(server, monkeypatch, tmp_path):
    """Know the server and a profile, but nothing to use it."""
    from s3fs import S3FileSystem

    servers.alone(monkeypatch, tmp_path)
    (tmp_path / "credentials").write_text("[animl]\naws_access_key_id = ANIML\naws_secret_access_key = x\n")
    (tmp_path / "config").write_text("[profile other]\nregion = us-west-2\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    settings(f"s3://: {{endpoint: '{server.address}'}}")
    server.keys.clear()
    server.failures.clear()
    yield
    S3FileSystem.clear_instance_cache()


def reason(uri: str) -> str:
    with pytest.raises(PhotoError) as caught:
        read_photo(uri)
    return str(caught.value)


def test_a_public_bucket_needs_no_credentials(server):
    assert read_photo("s3://open/large.jpg") == PHOTOS["large.jpg"]
    assert presence("s3://open/large.jpg") is True
    assert server.keys == [None, None]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_photo_with_an_odd_name_is_read(name):
    uri = photo_uri("s3://open", f"cam 1/{name}")
    assert read_photo(uri) == PIXELS
    assert presence(uri) is True


def test_a_named_profile_of_the_environment_is_used(server, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "animl")
    assert read_photo("s3://team/large.jpg") == PHOTOS["large.jpg"]
    assert server.keys == ["ANIML"]


def test_a_named_profile_of_the_settings_is_used(server):
    settings(f"s3://team: {{profile: animl, region: us-west-2, endpoint: '{server.address}'}}")
    assert read_photo("s3://team/large.jpg") == PHOTOS["large.jpg"]
    assert server.keys == ["ANIML"]


def test_who_wants_to_be_anonymous_is(server, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "animl")
    settings(f"s3://: {{anonymous: true, endpoint: '{server.address}'}}")
    assert read_photo("s3://open/large.jpg") == PHOTOS["large.jpg"]
    assert server.keys == [None]


def test_the_endpoint_may_stand_in_the_environment(server, monkeypatch):
    settings("s3://open: {anonymous: true}")
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.address)
    assert read_photo("s3://open/large.jpg") == PHOTOS["large.jpg"]


def test_photos_of_animl_are_read_from_its_bucket(server, tmp_path):
    key = "production/4a9/4a9d-original.jpg"
    make_bucket(server, animl.BUCKET.removeprefix("s3://"), {key: PIXELS})
    settings(f"{animl.BUCKET}: {{profile: animl, region: us-west-2, endpoint: '{server.address}'}}")
    uri = photo_uri(animl.BUCKET, key)
    assert read_photo(uri) == PIXELS
    assert storage.download(uri, tmp_path / "a.jpg") == len(PIXELS)
    assert server.keys == ["ANIML", "ANIML"]


def make_bucket(server, bucket, photos):
    import boto3

    place = {"LocationConstraint": "us-west-2"}
    key = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-west-2"}
    client = boto3.client("s3", endpoint_url=server.address, **key)
    client.create_bucket(Bucket=bucket, CreateBucketConfiguration=place)
    for name, data in photos.items():
        client.put_object(Bucket=bucket, Key=name, Body=data)
    client.close()
    server.keys.clear()


def test_a_photo_is_downloaded_whole(tmp_path):
    assert storage.download("s3://open/large.jpg", tmp_path / "new/a.jpg") == len(PHOTOS["large.jpg"])
    assert (tmp_path / "new/a.jpg").read_bytes() == PHOTOS["large.jpg"]


def test_size_and_version_are_told():
    about = remote.look("s3://open/large.jpg")
    assert about.size == len(PHOTOS["large.jpg"])
    assert about.versions != remote.look("s3://open/empty.jpg").versions
    assert remote.look("s3://open/empty.jpg").size == 0


def test_an_absent_or_empty_photo_has_that_reason():
    assert reason("s3://open/no.jpg") == "photo not found"
    assert presence("s3://open/no.jpg") is False
    assert reason("s3://open/empty.jpg") == "photo is an empty file"
    assert presence("s3://open/empty.jpg") is True


def test_a_missing_bucket_is_no_absence():
    assert reason("s3://no-such-bucket/a.jpg") == "photo not readable: s3://no-such-bucket does not exist"
    assert presence("s3://no-such-bucket/a.jpg") is None


def test_missing_credentials_are_named_with_the_remedy(server):
    told = f"photo not readable: s3://team is not open to all: HTTP 403 Forbidden; {REMEDY}"
    assert reason("s3://team/large.jpg") == told
    assert reason("s3://team/empty.jpg") == told
    assert presence("s3://team/large.jpg") is None
    assert server.keys == [None] * 3


def test_a_profile_without_credentials_is_told(server):
    settings(f"s3://: {{profile: other, endpoint: '{server.address}'}}")
    assert reason("s3://team/large.jpg") == f"photo not readable: no credentials for s3://team; {REMEDY}"
    assert server.keys == []


def test_a_missing_profile_is_named(monkeypatch):
    told = "photo not readable: AWS has no profile 'nobody'; make it with `aws configure --profile nobody`"
    settings("s3://: {profile: nobody}")
    assert reason("s3://team/large.jpg") == told
    settings("{}")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert reason("s3://team/large.jpg") == told
    assert presence("s3://team/large.jpg") is None


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"])
def test_wrong_credentials_are_told_by_the_stores_word_and_asked_with_once(server, monkeypatch, code):
    monkeypatch.setenv("AWS_PROFILE", "animl")
    server.failures[:] = [("403 Forbidden", code)]
    told = f"photo not readable: s3://team refuses the AWS profile 'animl': HTTP 403 {code}"
    assert reason("s3://team/large.jpg") == told
    assert server.keys == ["ANIML"]


@pytest.mark.parametrize("failure", [("503 Slow Down", "SlowDown"), ("400 Bad Request", "RequestTimeout")])
def test_trouble_that_passes_is_waited_for(server, failure):
    server.failures[:] = [failure] * 3
    assert read_photo("s3://open/large.jpg") == PHOTOS["large.jpg"]
    server.failures[:] = [failure] * 4
    assert reason("s3://open/large.jpg") == f"photo not readable: HTTP {failure[0].split()[0]} {failure[1]}"
    assert len(server.keys) == 8


def test_a_server_out_of_reach_is_told():
    with servers.Web() as closed:
        pass
    settings(f"s3://: {{endpoint: '{closed.address}', anonymous: true}}")
    assert reason("s3://open/large.jpg") == "photo not readable: no connection to s3://open"
    assert presence("s3://open/large.jpg") is None


def test_a_server_that_is_silent_is_told():
    with servers.web() as server:
        server.photo("hang", folder="team")
        settings(f"s3://: {{endpoint: '{server.address}', anonymous: true, timeout: 0.1, tries: 2}}")
        assert reason("s3://team/0.jpg") == "photo not readable: s3://team did not answer within 0.1 s"
        assert len(server.asked) == 2


@pytest.mark.parametrize("failure", ["drop", "short"])
def test_a_photo_that_breaks_off_is_read_again(failure):
    with servers.web() as server:
        server.photo(failure, failure, 200, folder="team")
        settings(f"s3://: {{endpoint: '{server.address}', anonymous: true}}")
        assert read_photo("s3://team/0.jpg") == PIXELS
        assert len(server.asked) == 3
