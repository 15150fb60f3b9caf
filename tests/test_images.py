"""Pixels: upright, cut where asked, and a reason for every file that is no photo."""

import io
import random

import make
import pytest
from PIL import Image

from camtraps import images
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
        images.decode(data)
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


@pytest.mark.parametrize("data", [b"", b"hello", b"\xff\xd8\xff"])
def test_what_is_no_image_has_that_reason(data):
    assert reason(data) == "photo is not an image"


def test_a_photo_that_is_cut_off_is_not_a_grey_one():
    said = reason(saved(Image.effect_noise((200, 200), 50), "JPEG")[:2000])
    assert said.startswith("photo cannot be decoded: image file is truncated")


def test_a_photo_of_absurd_size_is_refused(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 7)
    assert reason(saved(corners())) == "photo has too many pixels to be from a camera"


@pytest.mark.filterwarnings("ignore")  # Pillow warns of some of what it then refuses
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


def test_a_cut_has_the_pixels_of_its_rectangle():
    crop = images.cut(corners(), (2, 0, 4, 2), None)
    assert [crop.getpixel((0, 0)), crop.getpixel((1, 1))] == [GREEN, WHITE]
    assert crop.size == (2, 2)


def test_what_lies_outside_the_photo_is_black():
    crop = images.cut(corners(), (-1, 0, 3, 2), None)
    assert crop.size == (4, 2)
    assert [crop.getpixel((0, 0)), crop.getpixel((1, 0))] == [(0, 0, 0), RED]


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
    assert images.cut(images.decode(make.photo("deer")), rectangle, max_side).size == size


def test_the_same_pixels_are_the_same_bytes_without_metadata():
    image = images.decode(with_orientation(6))
    data = images.encode(image, 92)
    assert data == images.encode(image.copy(), 92)
    assert not Image.open(io.BytesIO(data)).getexif()


@pytest.mark.parametrize(("side", "size"), [(400, (400, 200)), (100, (200, 100)), (25, (50, 25))])
def test_a_crop_is_decoded_at_the_smallest_scale_that_is_large_enough(side, size):
    assert images.decode_crop(saved(Image.new("RGB", (400, 200)), "JPEG"), side).size == size
