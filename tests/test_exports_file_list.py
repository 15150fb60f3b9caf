"""Lists of photos for AzCopy and rclone, and the command that goes with each."""

from pathlib import Path

import pytest

from camtraps.exports import file_list
from camtraps.photo_lists import Listed


@pytest.fixture
def storage_file(tmp_path, monkeypatch):
    """Write how the stores of the tests are reached."""
    (tmp_path / "storage.yaml").write_text(
        "az://mine: {account: wolf}\ns3://animl-images-serving-prod: {profile: animl}\n"
        "s3://mine: {endpoint: 'http://minio:9000'}\ns3://open: {anonymous: true}\n"
    )
    monkeypatch.chdir(tmp_path)


def listed(*files):
    return [Listed(f"a/{file}", "a", file) for file in files]


def test_names_stand_one_a_line_as_the_catalog_has_them(tmp_path):
    names = ["cam 1/a b#c?d%20.jpg", "cam 1/Fuchs ä.jpg", "'x'.jpg"]
    assert file_list.export(listed(*names), tmp_path / "list.txt") == "3 files"
    assert (tmp_path / "list.txt").read_bytes() == "".join(f"{name}\n" for name in names).encode()


def test_a_name_with_a_line_end_is_left_out_and_counted(tmp_path):
    told = file_list.export(listed("a.jpg", "b\nc.jpg", "d\re.jpg"), tmp_path / "list.txt")
    assert told == "1 files; 2 left out: a line end in the name"
    assert (tmp_path / "list.txt").read_text() == "a.jpg\n"


AZURE = "https://fox.blob.core.windows.net"


@pytest.mark.parametrize(
    ("root", "source"),
    [
        (f"{AZURE}/photos/a%20b", f"'{AZURE}/photos/a%20b?SAS'"),
        (f"{AZURE}/photos?sv=2024&sig=secret", f"'{AZURE}/photos?SAS'"),
        ("az://mine/a", "'https://wolf.blob.core.windows.net/mine/a?SAS'"),
        ("az://photos/a b", "'https://ACCOUNT.blob.core.windows.net/photos/a%20b?SAS'"),
        ("az://photos", "'https://ACCOUNT.blob.core.windows.net/photos?SAS'"),
        ("abfs://photos@fox.dfs.core.windows.net/a", f"'{AZURE}/photos/a?SAS'"),
    ],
)
def test_azure_is_for_azcopy_and_no_key_is_told(storage_file, root, source):
    told = file_list.command(root, Path("l.txt"), Path("data/x/images/a"))
    assert told == f"azcopy copy {source} data/x/images/a --list-of-files l.txt --as-subdir=false"


@pytest.mark.parametrize(
    ("root", "source"),
    [
        ("s3://animl-images-serving-prod", ":s3,provider=AWS,env_auth=true,profile=animl:animl-images-serving-prod"),
        ("s3://mine/a", "':s3,provider=Other,endpoint='\"'\"'http://minio:9000'\"'\"',env_auth=true:mine/a'"),
        ("s3://open/a", ":s3,provider=AWS:open/a"),
        ("gs://lila/a b", "':gcs,env_auth=true:lila/a b'"),
        ("https://me:secret@x.org:8443/a%20b?key=secret", "':http,url='\"'\"'https://x.org:8443'\"'\"':a b'"),
    ],
)
def test_other_stores_are_for_rclone(storage_file, root, source):
    told = file_list.command(root, Path("my l.txt"), Path("out"))
    assert told == f"rclone copy {source} out --files-from-raw 'my l.txt' --no-traverse"


def test_local_photos_are_to_be_brought_to_azure():
    told = file_list.command("/data/photos", Path("l.txt"), Path("out"))
    target = "'https://ACCOUNT.blob.core.windows.net/CONTAINER?SAS'"
    assert told == f"azcopy copy /data/photos {target} --list-of-files l.txt --as-subdir=false"
