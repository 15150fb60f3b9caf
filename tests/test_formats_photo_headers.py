"""Photo headers: sizes, times and tags."""

import io

import pytest
from make_photos import CHANGED, DIGITIZED, ORIGINAL, packet, photo
from PIL import Image, features

from camtraps import images
from camtraps.formats import photo_headers
from camtraps.formats.photo_headers import Header


def header(root, file, sidecars=None):
    """Read the header of one photo."""
    ((name, found),) = photo_headers.read(root, [file], None if sidecars is None else {file: sidecars})
    assert name == file
    return found


@pytest.mark.parametrize(
    ("times", "taken"),
    [
        ({ORIGINAL: "2024:04:01 05:06:07", DIGITIZED: "2025:01:01 00:00:01"}, "2024-04-01 05:06:07"),
        ({DIGITIZED: "2024:04:02 05:06:07", CHANGED: "2025:01:01 00:00:01"}, "2024-04-02 05:06:07"),
        ({CHANGED: "2024:04:03 05:06:07"}, "2024-04-03 05:06:07"),
        ({ORIGINAL: "0000:00:00 00:00:00", CHANGED: "2024:04:03 05:06:07"}, "2024-04-03 05:06:07"),
        ({ORIGINAL: "    :  :     :  :  "}, None),
        ({ORIGINAL: "04/01/2024 5:06"}, "04/01/2024 5:06"),
        ({}, None),
    ],
)
def test_the_time_of_the_shot_is_taken_from_exif(tmp_path, times, taken):
    photo(tmp_path / "1.jpg", times=times)
    assert header(tmp_path, "1.jpg").taken == taken


@pytest.mark.parametrize("orientation", [None, 1, 3, 5, 6, 7, 8])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_width_and_height_are_those_of_the_photo_upright(tmp_path, kind, orientation):
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow cannot write AVIF")
    path = photo(tmp_path / f"1.{kind.lower()}", kind, orientation=orientation)
    expected = (4, 8) if orientation in (5, 6, 7, 8) else (8, 4)
    assert header(tmp_path, path.name).size_px == expected
    assert images.decode(path.read_bytes()).size == expected


def test_pixels_are_not_decoded(tmp_path, monkeypatch):
    for kind in ("JPEG", "PNG", "TIFF", "WEBP"):
        photo(tmp_path / f"1.{kind.lower()}", kind, orientation=6, xmp=packet(("fox",)))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", None)
    files = sorted(path.name for path in tmp_path.iterdir())
    found = [each for _, each in photo_headers.read(tmp_path, files, {file: [] for file in files})]
    assert found == [Header((4, 8), None, [("fox",)], [])] * 4


def test_a_photo_that_is_far_too_large_cannot_be_opened(tmp_path):
    # The header of a 60000 x 60000 GIF.
    (tmp_path / "1.gif").write_bytes(b"GIF89a\x60\xea\x60\xea\x00\x00\x00;")
    found = header(tmp_path, "1.gif")
    assert found.size_px is None
    assert [reason for reason, _ in found.problems] == ["photo cannot be opened; marked as corrupt"]


def test_broken_exif_is_passed_over(tmp_path):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 4)).save(buffer, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x32\0\x02")
    (tmp_path / "1.jpg").write_bytes(buffer.getvalue())
    assert header(tmp_path, "1.jpg") == Header((8, 4), None, [], [])


def test_headers_come_in_the_order_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(photo_headers, "AT_ONCE", 2)
    files = [f"{at}.jpg" for at in (3, 1, 2, 5, 4)]
    for file in files:
        photo(tmp_path / file)
    assert [file for file, _ in photo_headers.read(tmp_path, files, None)] == files


def test_tags_are_read_only_if_asked_for(tmp_path):
    photo(tmp_path / "1.jpg", xmp=packet(("fox",)))
    assert header(tmp_path, "1.jpg").tags == []
    assert header(tmp_path, "1.jpg", []).tags == [("fox",)]


def test_the_first_packet_with_tags_counts(tmp_path):
    photo(tmp_path / "1.jpg", xmp=packet(("in the photo",)))
    for name, content in (("broken", b"<x>"), ("empty", packet()), ("full", packet(("beside",)))):
        (tmp_path / f"{name}.xmp").write_bytes(content)
    found = header(tmp_path, "1.jpg", ["broken.xmp", "empty.xmp", "full.xmp"])
    assert found.tags == [("beside",)]
    reason = "XMP cannot be read; its tags are left out"
    assert found.problems == [(reason, "no element found: line 1, column 3")]
    assert header(tmp_path, "1.jpg", ["empty.xmp"]).tags == [("in the photo",)]
