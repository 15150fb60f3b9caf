"""Image folders: which files are found, with links and without."""

import pytest

from camtraps import image_folders
from camtraps.errors import MissingError


@pytest.fixture
def images(tmp_path):
    for name in ("a/1.jpg", "b/2.jpg"):
        (tmp_path / "images" / name).parent.mkdir(parents=True)
        (tmp_path / "images" / name).write_bytes(b"12345")
    return tmp_path / "images"


def test_each_file_stands_with_its_size(images):
    (images / "a" / "empty").touch()
    assert image_folders.sizes(str(images)) == {"a/1.jpg": 5, "b/2.jpg": 5, "a/empty": 0}


def test_links_that_lead_nowhere_or_to_themselves_are_passed_over(images):
    (images / "gone").symlink_to("nowhere")
    (images / "a" / "self").symlink_to("self")
    assert sorted(image_folders.sizes(str(images))) == ["a/1.jpg", "b/2.jpg"]


def test_a_link_to_a_folder_above_it_is_passed_over(images):
    (images / "a" / "circle").symlink_to(images)
    assert sorted(image_folders.sizes(str(images))) == ["a/1.jpg", "b/2.jpg"]


def test_two_folders_that_link_to_each_other_end_where_the_circle_closes(images):
    (images / "a" / "l").symlink_to(images / "b")
    (images / "b" / "m").symlink_to(images / "a")
    assert sorted(image_folders.sizes(str(images))) == ["a/1.jpg", "a/l/2.jpg", "b/2.jpg", "b/m/1.jpg"]


def test_photos_behind_a_link_to_another_place_are_there(images):
    (images / "a").rename(images.parent / "elsewhere")
    (images / "a").symlink_to(images.parent / "elsewhere")
    (images / "b" / "3.jpg").symlink_to(images / "b" / "2.jpg")
    assert image_folders.sizes(str(images)) == {"a/1.jpg": 5, "b/2.jpg": 5, "b/3.jpg": 5}


def test_the_folder_itself_may_be_a_link(images):
    (images.parent / "linked").symlink_to(images)
    assert sorted(image_folders.sizes(str(images.parent / "linked"))) == ["a/1.jpg", "b/2.jpg"]


def test_a_folder_that_is_not_there_is_named_and_a_uri_is_believed():
    image_folders.check("s3://bucket/photos")
    with pytest.raises(MissingError, match=r"^/nowhere/photos: image folder not found$"):
        image_folders.check("/nowhere/photos")


def test_a_folder_in_the_collection_is_stored_relative_to_it(tmp_path):
    collection = tmp_path / "data" / "mine"
    assert image_folders.stored(str(collection / "images" / "a"), collection) == "images/a"
    assert image_folders.stored(str(collection / ".." / "photos"), collection) == f"{tmp_path}/data/photos"
    assert image_folders.stored("s3://bucket/photos", collection) == "s3://bucket/photos"
