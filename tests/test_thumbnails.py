"""Thumbnails: crops and photos made small, up to a number of bytes."""

import base64
import io

import numpy as np
import pytest
from make_tables import colour_crops, damage
from PIL import Image

from camtraps.shards import Reader
from camtraps.storage import PhotoError
from camtraps.thumbnails import Album, gallery, of_crop, of_photo


def opened(data):
    return Image.open(io.BytesIO(data))


def photo(size, form="JPEG", **more):
    image = Image.fromarray(np.zeros((size[1], size[0], 3), np.uint8))
    image.paste((250, 10, 10), (0, 0, size[0] // 2, size[1] // 2))  # red at the top left
    buffer = io.BytesIO()
    image.save(buffer, form, **more)
    return buffer.getvalue()


def test_an_album_is_full_from_the_first_picture_without_room_on():
    album = Album(10)
    assert album.number("a", lambda: b"123") == 0  # four letters of base64
    assert album.number("b", lambda: b"123456") is None
    assert album.is_full
    assert album.number("c", lambda: b"1") is None
    assert album.pictures == [base64.b64encode(b"123").decode()]


def test_a_picture_is_made_and_kept_once():
    album, made = Album(100), []
    for _ in range(2):
        assert album.number("a", lambda: made.append(1) or b"123") == 0
    assert made == [1]
    assert len(album.pictures) == 1


def test_a_picture_that_cannot_be_made_takes_no_room():
    album = Album(4)
    assert album.number("a", lambda: None) is None
    assert not album.is_full
    assert album.number("b", lambda: b"123") == 0


def test_an_album_that_grew_takes_what_it_had_no_room_for():
    album = Album(2)
    assert album.number("a", lambda: b"123") is None
    album.grow(2)
    assert album.number("a", lambda: b"123") == 0


def test_a_crop_keeps_its_shape_and_gets_no_larger(tmp_path):
    row = next(colour_crops(tmp_path, ["red"], size=(400, 200)).itertuples())
    assert opened(of_crop(row, Reader(tmp_path), 100, 80)).size == (100, 50)
    assert opened(of_crop(row, Reader(tmp_path), 900, 80)).size == (400, 200)


def test_a_damaged_crop_has_no_picture(tmp_path):
    row = next(colour_crops(tmp_path, ["red"]).itertuples())
    damage(tmp_path, row.offset)
    assert of_crop(row, Reader(tmp_path), 100, 80) is None


def test_a_photo_is_upright_as_its_exif_says():
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    small = opened(of_photo(photo((800, 400), exif=exif), 100, 90))
    assert small.size == (50, 100)
    assert small.getpixel((40, 20))[0] > 200  # red at the top right now


@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP"])
def test_photos_of_other_formats_are_shown_too(form):
    small = opened(of_photo(photo((300, 200), form), 100, 90))
    assert small.size == (100, 67)
    assert small.getpixel((10, 10))[0] > 200


def test_what_is_no_photo_or_cut_off_is_a_photo_error():
    with pytest.raises(PhotoError, match="photo is not an image"):
        of_photo(b"nothing", 100, 90)
    whole = photo((800, 600))
    with pytest.raises(PhotoError, match="photo cannot be decoded: image file is truncated"):
        of_photo(whole[: len(whole) // 2], 100, 90)


def test_a_gallery_shows_as_many_crops_as_there_is_room_for(tmp_path):
    crops = colour_crops(tmp_path, ["red", "blue", "green"])
    one = len(base64.b64encode(of_crop(next(crops.itertuples()), Reader(tmp_path))))
    drawn = gallery(crops, ["<a>", "b", "c"], Reader(tmp_path), Album(int(one * 2.5)))
    assert drawn.count("<img") == 2
    assert drawn.count("no picture here") == 1
    assert "&lt;a&gt;" in drawn
