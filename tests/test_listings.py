"""Listings: every file below a folder, in order, whatever lies there."""

import fsspec
import pytest
import servers

from camtraps.errors import InputError, MissingError
from camtraps.listings import walk


def files(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_files_come_before_folders_sorted(tmp_path):
    files(tmp_path, "b/z.jpg", "b/a/1.jpg", "a.jpg", "c.jpg", ".hidden/x.jpg", "b/.x.jpg")
    assert list(walk(str(tmp_path))) == ["a.jpg", "c.jpg", "b/z.jpg", "b/a/1.jpg"]


def test_links_are_followed_but_not_in_circles(tmp_path):
    files(tmp_path, "real/1.jpg")
    (tmp_path / "real/round").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)
    (tmp_path / "nowhere.jpg").symlink_to(tmp_path / "gone.jpg")
    assert list(walk(str(tmp_path))) == ["link/1.jpg", "real/1.jpg"]


def test_a_store_is_listed_as_a_folder_is():
    store = fsspec.filesystem("memory")
    for name in ("b/z.jpg", "b/a/1.jpg", "a.jpg"):
        store.pipe(f"/listed/{name}", b"x")
    assert list(walk("memory://listed")) == ["a.jpg", "b/z.jpg", "b/a/1.jpg"]
    assert list(walk("memory://listed/b/")) == ["z.jpg", "a/1.jpg"]


def test_what_cannot_be_listed_is_one_line(tmp_path):
    with pytest.raises(MissingError, match="image folder not found"):
        walk(str(tmp_path / "x"))
    with pytest.raises(MissingError, match=r"^memory://no/such: not found$"):
        list(walk("memory://no/such"))
    with pytest.raises(InputError, match=r"^https://x.org/photos: a folder of the web cannot be listed; give a list"):
        walk("https://x.org/photos?sig=secret")


def test_a_bucket_is_listed_with_the_credentials_of_its_store(monkeypatch, tmp_path):
    from s3fs import S3FileSystem

    servers.alone(monkeypatch, tmp_path)
    with servers.s3() as server:
        servers.settings(f"s3://: {{endpoint: '{server.address}'}}")
        assert set(walk("s3://open")) == set(servers.PHOTOS)
        assert set(walk("s3://open/cam 1/")) == set(servers.ODD_NAMES)
        with pytest.raises(MissingError, match=r"^s3://no-such-bucket: not found$"):
            list(walk("s3://no-such-bucket"))
    S3FileSystem.clear_instance_cache()
