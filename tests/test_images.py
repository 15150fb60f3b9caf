"""Pixels: upright, cut where asked, and a reason for every file that is no photo."""

import io
import random
import struct
import subprocess
import sys
import warnings

import make
import numpy as np
import pytest
from imports import ROOT
from PIL import Image, ImageFile, ImageOps

from camtraps import images, regions
from camtraps.formats import photo_headers
from camtraps.storage import PhotoError

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def corners() -> Image.Image:
    """Draw 4 x 2 pixels: red and green on top, blue and white below."""
    image = Image.new("RGB", (4, 2))
    for at, colour in enumerate((RED, GREEN, BLUE, WHITE)):
        image.paste(colour, (2 * (at % 2), at // 2, 2 * (at % 2) + 2, at // 2 + 1))
    return image


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def reason(data: bytes) -> str:
    with pytest.raises(PhotoError) as caught:
        images.opened(data).cut((0, 0, 1, 1), None)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def with_orientation(value: object) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = value
    return saved(corners(), exif=exif)


@pytest.mark.parametrize(
    ("orientation", "size", "top_left", "bottom_right"),
    [(1, (4, 2), RED, WHITE), (3, (4, 2), WHITE, RED), (6, (2, 4), BLUE, GREEN), (8, (2, 4), GREEN, BLUE)],
)
def test_a_photo_is_turned_upright(orientation, size, top_left, bottom_right):
    image = images.decode(with_orientation(orientation))
    assert image.size == size
    assert image.getpixel((0, 0)) == top_left
    assert image.getpixel((size[0] - 1, size[1] - 1)) == bottom_right


@pytest.mark.parametrize(
    ("mode", "kind"), [("L", "JPEG"), ("CMYK", "JPEG"), ("P", "PNG"), ("RGBA", "PNG"), ("1", "TIFF")]
)
def test_a_photo_of_any_mode_has_three_channels(mode, kind):
    image = images.decode(saved(Image.new(mode, (5, 3)), kind))
    assert (image.mode, image.size) == ("RGB", (5, 3))


@pytest.mark.parametrize("data", [b"", b"hello", b"\xff\xd8\xff", b"%PDF-1.7\n1 0 obj\n"])
def test_what_is_no_image_has_that_reason(data):
    assert reason(data) == "photo is not an image"


@pytest.mark.parametrize("is_lenient", [False, True])
def test_a_photo_that_is_cut_off_is_not_a_grey_one_whatever_other_packages_ask_of_pillow(is_lenient, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", is_lenient)
    said = reason(saved(Image.effect_noise((200, 200), 50), "JPEG")[:2000])
    assert said == "photo cannot be decoded: image file is truncated"


def test_a_photo_of_absurd_size_is_refused(monkeypatch):
    said = "photo has too many pixels to be from a camera"
    data = bytearray(make.photo())
    size_at = data.index(b"\xff\xc0") + 5
    data[size_at : size_at + 4] = struct.pack(">HH", 60_000, 60_000)
    assert reason(bytes(data)) == said
    monkeypatch.setattr(images, "MAX_PIXELS", 7)
    assert reason(saved(corners())) == said


@pytest.mark.parametrize("kind", [*images.FORMATS, "MPO"])
def test_what_a_photo_can_be_is_opened(kind):
    assert images.decode(saved(corners(), kind)).size == (4, 2)


def test_no_other_program_is_run_on_what_is_no_photo():  # Pillow reads EPS by Ghostscript
    assert reason(saved(corners(), "EPS")) == "photo is not an image"
    assert photo_headers.FORMATS == images.FORMATS


def test_decoding_leaves_the_warnings_of_other_threads_alone():
    before = list(warnings.filters)
    with images.decoding():
        assert warnings.filters == before


def test_pillow_warns_of_nothing():
    odd = saved(corners(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01")
    code = """
import io, sys
from PIL import Image
data = sys.stdin.buffer.read()
try:
    Image.open(io.BytesIO(data)).getexif()
except UserWarning as warning:
    print(warning)
from camtraps import images
print(images.decode(data).size)
"""
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=ROOT, input=odd, capture_output=True, check=True)
    warned, decoded = done.stdout.decode().splitlines()
    assert warned.startswith("Corrupt EXIF data")
    assert (decoded, done.stderr) == ("(4, 2)", b"")


def test_for_the_whole_photo_no_decoder_of_regions_is_loaded(monkeypatch):
    monkeypatch.setattr(regions, "decoder", lambda: pytest.fail("loaded"))
    photo = images.opened(make.photo())
    whole = photo.whole()
    assert photo.cut((1, 1, 9, 9), None).tobytes() == whole.crop((1, 1, 9, 9)).tobytes()


def test_wrong_bytes_in_the_head_of_a_photo_are_a_reason_and_no_crash():
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Maker"
    data, generator, num_whole = saved(corners(), "JPEG", exif=exif), random.Random(1), 0
    for _ in range(3000):
        broken = bytearray(data)
        for _ in range(4):
            broken[generator.randrange(100)] = generator.randrange(256)
        try:
            num_whole += images.decode(bytes(broken)).mode == "RGB"
        except PhotoError:
            continue
    assert 0 < num_whole < 3000


def test_bits_above_eight_are_dropped_and_not_the_brightness():
    values = np.array([[0, 255, 256, 40_000, 65_535]], np.uint16)
    for kind in ("PNG", "TIFF"):
        photo = images.decode(saved(Image.fromarray(values), kind))
        assert [photo.getpixel((x, 0))[0] for x in range(5)] == [0, 0, 1, 156, 255], kind


@pytest.mark.parametrize("mode", ["I", "F"])
def test_grey_values_without_a_range_are_no_photo(mode):
    said = reason(saved(Image.new(mode, (5, 3), 7), "TIFF"))
    assert said == "photo cannot be decoded: its grey values have 32 bits and no known range"


def test_what_is_transparent_in_a_palette_keeps_its_colour():
    palette = corners().quantize(4)
    assert images.decode(saved(palette, transparency=bytes([0, 9, 99, 255]))).getpixel((0, 0)) == RED


def test_a_cut_has_the_pixels_of_its_rectangle():
    crop = images.opened(saved(corners())).cut((2, 0, 4, 2), None)
    assert [crop.getpixel((0, 0)), crop.getpixel((1, 1))] == [GREEN, WHITE]
    assert crop.size == (2, 2)


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("rectangle", [(0, 0, 5, 3), (4, 1, 9, 7), (3, 8, 4, 11), (-2, -3, 4, 5), (1, 2, 30, 30)])
def test_a_cut_of_a_turned_photo_is_that_of_the_upright_one(orientation, rectangle):  # C2
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (7, 11, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(image, exif=exif)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    photo = images.opened(data)
    assert photo.size == upright.size
    assert photo.cut(rectangle, None).tobytes() == upright.crop(rectangle).tobytes()
    assert images.decode(data).tobytes() == upright.tobytes()


def test_a_turned_tiff_is_turned_once():
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = images.opened(saved(corners(), "TIFF", exif=exif))
    assert photo.size == (2, 4)
    assert photo.cut((0, 0, 2, 4), None).getpixel((0, 0)) == BLUE


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK", "P"])
def test_what_lies_outside_the_photo_is_black(mode):  # a CMYK of zeros is white, and a palette's first colour any
    white = Image.new("RGB", (4, 2), WHITE)
    photo = images.opened(saved(white.quantize(2) if mode == "P" else white.convert(mode), "TIFF"))
    crop = photo.cut((-1, 0, 3, 2), None)
    assert crop.size == (4, 2)
    assert [crop.getpixel((0, 0)), crop.getpixel((1, 0))] == [(0, 0, 0), WHITE]


def test_a_cut_that_is_mostly_black_may_be_larger_than_pillow_cuts(monkeypatch):
    photo = images.opened(saved(corners()))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    crop = photo.cut((-20, -20, 20, 20), None)
    assert crop.size == (40, 40)
    assert [crop.getpixel((20, 20)), crop.getpixel((19, 19)), crop.getpixel((24, 20))] == [RED, (0, 0, 0), (0, 0, 0)]


def test_a_padded_cut_lies_in_the_middle_of_a_black_square():
    crop = images.opened(saved(corners())).cut((0, 0, 4, 2), None, pad_to=4)
    rows = [crop.getpixel((0, y)) for y in range(4)]
    assert crop.size == (4, 4)
    assert rows == [(0, 0, 0), RED, BLUE, (0, 0, 0)]


@pytest.mark.parametrize("size", [(4, 1), (1, 2), (2, 1), (3, 2), (2, 2)])
def test_a_padded_cut_lies_where_the_ancestor_put_it(size):
    crop = images.opened(saved(corners())).cut((0, 0, *size), None)
    padded = images.opened(saved(corners())).cut((0, 0, *size), None, pad_to=max(size))
    assert padded.tobytes() == ImageOps.pad(crop, (max(size), max(size)), color=0).tobytes()


@pytest.mark.parametrize(
    ("rectangle", "max_side", "size"),
    [
        ((0, 0, 64, 48), 32, (32, 24)),
        ((0, 0, 64, 48), 64, (64, 48)),
        ((0, 0, 64, 48), None, (64, 48)),
        ((0, 0, 10, 40), 20, (5, 20)),
        ((0, 0, 64, 1), 16, (16, 1)),
    ],
)
def test_a_large_cut_is_shrunk_and_a_small_one_never_grown(rectangle, max_side, size):
    assert images.opened(make.photo("deer")).cut(rectangle, max_side).size == size


def test_a_padded_cut_is_shrunk_with_its_square():
    assert images.opened(make.photo("deer")).cut((0, 0, 64, 48), 32, pad_to=64).size == (32, 32)


def test_the_same_pixels_are_the_same_bytes_without_metadata():
    image = images.decode(with_orientation(6))
    data = images.encode(image, 92)
    assert data == images.encode(image.copy(), 92)
    assert not Image.open(io.BytesIO(data)).getexif()


@pytest.mark.parametrize("kind", ["JPEG", "GIF"])
def test_nothing_that_a_camera_wrote_beside_the_pixels_is_in_a_crop(kind):
    data = saved(corners(), kind, comment=b"Camera of Anna", xmp=b"<x/>")
    crop = images.encode(images.decode(data), 92)
    assert crop == images.encode(Image.frombytes("RGB", (4, 2), images.decode(data).tobytes()), 92)


def test_colours_are_kept_in_full_where_it_is_asked_for():  # C7
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, ::2, 0], stripes[:, 1::2, 2] = 255, 255
    image = Image.fromarray(stripes)

    def loss(**options):
        return np.abs(np.asarray(images.decode(images.encode(image, **options)), int) - stripes).mean()

    assert loss(quality=92, subsampling=444) < 5
    assert loss(quality=92, subsampling=444) < loss(quality=75, subsampling=444)
    assert loss(quality=92) > 20  # red and blue columns become violet


@pytest.mark.parametrize(("side", "size"), [(400, (400, 200)), (100, (200, 100)), (25, (50, 25))])
def test_a_crop_is_decoded_at_the_smallest_scale_that_is_large_enough(side, size):
    assert images.decode_crop(saved(Image.new("RGB", (400, 200)), "JPEG"), side).size == size
