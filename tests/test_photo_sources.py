"""Photo sources: what a user names, as items in order."""

import json
from pathlib import Path

import pytest
from make_classify import results, write_photo

from camtraps.errors import InputError, MissingError
from camtraps.photo_sources import Box, find


@pytest.fixture
def photos(tmp_path):
    """Two folders with photos of the same name, a video and a file that is neither."""
    for at, name in enumerate(("a/1.jpg", "b/deep/1.JPG", "2.png")):
        write_photo(tmp_path / "photos" / name, at)
    (tmp_path / "photos/a/clip.MP4").touch()
    (tmp_path / "photos/a/notes.txt").touch()
    return tmp_path / "photos"


def names(source):
    found = [item.name for item in source.items()]
    assert len(found) == source.num
    return found


def refused(error, *arguments):
    with pytest.raises(error) as caught:
        find(*arguments)
    return str(caught.value)


def test_a_folder_gives_its_photos_and_videos_of_any_depth(photos):
    source = find(str(photos), None, None)
    assert names(source) == ["2.png", "a/1.jpg", "a/clip.MP4", "b/deep/1.JPG"]
    assert [Path(item.uri).is_file() for item in source.items()] == [True] * 4
    assert [item.is_video for item in source.items()] == [False, False, True, False]
    assert source.detector is None


@pytest.mark.parametrize("suffix", [".txt", ".json"])
def test_a_list_gives_names_relative_to_its_folder_and_addresses(photos, suffix):
    path, given = photos / f"list{suffix}", ["a/1.jpg", "https://x.org/a%20b.jpg", "../secret.jpg", "./2.png"]
    path.write_text(json.dumps(given) if suffix == ".json" else "\ufeff" + "\n\n".join(given) + "\n")
    first, web, outside, last = find(str(path), None, None).items()
    assert (first.name, first.uri) == ("a/1.jpg", f"{photos}/a/1.jpg")
    assert web.uri == "https://x.org/a%20b.jpg"
    assert outside.failure == "its name leads out of the image folder"
    assert last.name == "2.png"


def test_a_list_may_be_relative_to_another_folder(photos, tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("1.jpg\n")
    assert [item.uri for item in find(str(path), f"{photos}/a", None).items()] == [f"{photos}/a/1.jpg"]


def test_results_give_their_boxes_and_failures(photos, tmp_path):
    boxes = {"a/1.jpg": [("1", 0.9), ("7", 0.5), ("2", 0.3)], "a\\2.jpg": None, "2.png": []}
    source = find(str(results(tmp_path / "md.json", boxes)), str(photos), None)
    first, second, third = source.items()
    assert first.boxes == (Box("animal", 0.9, 0.25, 0.25, 0.5, 0.5), Box("person", 0.3, 0.25, 0.25, 0.5, 0.5))
    assert (second.name, second.boxes, second.failure) == ("a/2.jpg", None, "Failure image access")
    assert (third.boxes, third.failure) == ((), None)
    assert source.detector == "md_v5a.0.1.pt"


def test_photos_of_a_folder_that_the_results_lack_are_failures(photos, tmp_path):
    path = results(tmp_path / "md.json", {"a/1.jpg": [], "gone.jpg": []})
    source = find(str(photos), None, path)
    said = {item.name: item.failure for item in source.items()}
    missing = "no detections recorded"
    assert said == {"a/1.jpg": None, "gone.jpg": None} | dict.fromkeys(["2.png", "a/clip.MP4", "b/deep/1.JPG"], missing)
    assert source.num == 5


def test_a_single_photo_is_a_source(photos):
    assert names(find(str(photos / "a/1.jpg"), None, None)) == ["1.jpg"]


def test_what_cannot_be_a_source_is_one_line(photos, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "no photo in it; looked for .jpg" in refused(InputError, str(tmp_path / "empty"), None, None)
    assert "image folder not found" in refused(MissingError, str(tmp_path / "gone"), None, None)
    assert "not found; check the path" in refused(MissingError, str(tmp_path / "gone.jpg"), None, None)
    md = results(tmp_path / "md.json", {})
    assert (
        refused(InputError, str(md), None, None)
        == f"{md}: results of MegaDetector; say with --images where the photos are"
    )
    assert refused(InputError, str(photos), "x", None).startswith("--images: is for a list or a result file")
    assert "is no folder" in refused(InputError, str(md), None, md)
    (tmp_path / "x.doc").write_text("x")
    assert "no photo, and no list of photos" in refused(InputError, str(tmp_path / "x.doc"), None, None)
