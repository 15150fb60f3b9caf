"""The region decoder: the very pixels and failures of Pillow, silent, and safe among threads."""

import functools
import io
import os
import random
import struct
import subprocess
import sys
import threading

import numpy as np
import pytest
from imports import ROOT
from PIL import Image

from camtraps import images, regions
from camtraps.storage import PhotoError

pytestmark = pytest.mark.skipif(regions.decoder() is None, reason="nvidia-nvimgcodec is for Linux on x86-64")
RECTANGLE = (40, 30, 70, 60)


def textured(width, height, seed=0):
    """Draw smooth colours with grain, so that every block and its neighbours matter."""
    generator = np.random.default_rng(seed)
    grains = [generator.normal(size=(height // side + 1, width // side + 1, 3)) for side in (1, 6, 19)]
    layers = [np.kron(grain, np.ones((side, side, 1))) for grain, side in zip(grains, (1, 6, 19), strict=True)]
    pixels = sum(layer[:height, :width] for layer in layers)
    return Image.fromarray((128 + 30 * pixels).clip(0, 255).astype(np.uint8))


def saved(image, **options):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def resampled(data, size, sampling):
    """Give a baseline JPEG another size and colour resolution of as many blocks: a valid file of a mixed-up picture."""
    changed, frame = bytearray(data), data.index(b"\xff\xc0")
    changed[frame + 5 : frame + 9] = struct.pack(">HH", size[1], size[0])
    changed[frame + 11] = sampling
    return bytes(changed)


def photo(kind, generator):
    """Make a JPEG of a kind, of a size, quality, orientation and with restart marks as they come."""
    width, height = generator.randrange(1, 150), generator.randrange(1, 150)
    exif = Image.Exif()
    exif[0x0112] = generator.randrange(1, 9)
    options = {"quality": generator.choice([30, 75, 92, 100]), "exif": exif}
    if generator.random() < 0.3:
        options["restart_marker_blocks"] = generator.randrange(1, 9)
    if kind == "4:4:0":
        return resampled(saved(textured(width, height), subsampling="4:2:2", **options), (height, width), 0x12)
    if kind == "4:1:1":
        across, down = width // 16 + 1, height // 16 + 1
        data = saved(textured(16 * across, 16 * down), subsampling="4:2:0", **options)
        return resampled(data, (32 * across - generator.randrange(32), 8 * down - generator.randrange(8)), 0x41)
    if kind == "grey":
        return saved(textured(width, height).convert("L"), **options)
    if kind == "rgb":
        return saved(textured(width, height), keep_rgb=True, **options)
    return saved(textured(width, height), subsampling=kind, **options)


def span(length, generator):
    """Choose a stretch: at the start, at the end, thin, or any."""
    start = generator.choice([0, generator.randrange(length)])
    return start, generator.choice([length, min(length, start + 2), generator.randrange(start + 1, length + 1)])


def rectangle(size, generator):
    (left, right), (top, bottom) = (span(length, generator) for length in size)
    return left, top, right, bottom


def damaged(data, generator):
    """Cut a file, or change bits, bytes and markers in it."""
    if generator.random() < 0.3:
        return data[: generator.randrange(len(data))] + generator.choice([b"", b"\xff\xd9"])
    broken = bytearray(data)
    for _ in range(generator.choice([1, 2, 5])):
        at = generator.randrange(len(broken) - 1)
        kind = generator.choice(["bit", "byte", "marker", "gap"])
        if kind == "bit":
            broken[at] ^= 1 << generator.randrange(8)
        elif kind == "byte":
            broken[at] = generator.randrange(256)
        elif kind == "marker":
            broken[at : at + 2] = bytes([0xFF, generator.choice([0xC0, 0xC4, 0xD0, 0xD8, 0xD9, 0xDA, 0xDB, 0xFE])])
        else:
            del broken[at : at + generator.randrange(1, 20)]
    return bytes(broken)


def outcome(data, rectangle, max_side=None):
    """Cut a fresh photo: its pixels, or the reason why there are none."""
    try:
        return images.opened(data).cut(rectangle, max_side).tobytes()
    except PhotoError as error:
        return str(error)


@pytest.fixture
def decoded(monkeypatch):
    """Count the regions that the region decoder gave."""
    given, decode = [], regions.Decoder.decode

    def counting(self, data, region):
        pixels = decode(self, data, region)
        given.extend([] if pixels is None else [region])
        return pixels

    monkeypatch.setattr(regions.Decoder, "decode", counting)
    return given


@pytest.mark.parametrize("kind", ["4:4:4", "4:2:2", "4:2:0", "4:4:0", "4:1:1", "grey", "rgb"])
def test_a_region_has_the_pixels_of_pillow(kind, decoded):
    generator = random.Random(kind)
    for _ in range(60):
        data = photo(kind, generator)
        whole = images.decode(data)
        asked = [rectangle(whole.size, generator) for _ in range(3)]
        for each in asked:
            assert images.opened(data).cut(each, None).tobytes() == whole.crop(each).tobytes(), (whole.size, each)
    assert len(decoded) > 90  # of 180; of large rectangles Pillow is faster


def test_a_damaged_photo_ends_the_same_with_and_without_the_region_decoder(decoded, monkeypatch):
    generator = random.Random(0)
    cases = []
    for _ in range(400):
        data = damaged(photo(generator.choice(["4:4:4", "4:2:0", "grey"]), generator), generator)
        cases.append((data, rectangle((60, 60), generator)))
    fast = [outcome(*case, 32) for case in cases]
    assert 50 < len(decoded) < 350
    monkeypatch.setattr(regions, "decoder", lambda: None)
    assert fast == [outcome(*case, 32) for case in cases]
    assert len({each for each in fast if isinstance(each, str)}) > 3


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("progressive", saved(textured(100, 90), progressive=True)),
        ("arithmetic coding", saved(textured(100, 90)).replace(b"\xff\xc0", b"\xff\xc9", 1)),
        ("CMYK", saved(textured(100, 90).convert("CMYK"))),
        ("cut off", saved(textured(100, 90))[:-2]),
        ("a marker among its pixels", saved(textured(100, 90))[:-40] + b"\xff\xc4" + saved(textured(100, 90))[-38:]),
    ],
)
def test_what_could_differ_is_left_to_pillow(name, data, decoded, monkeypatch):
    assert not regions.has_one_whole_scan(data) or name == "CMYK"
    fast = outcome(data, RECTANGLE)
    assert not decoded
    monkeypatch.setattr(regions, "decoder", lambda: None)
    assert fast == outcome(data, RECTANGLE)


def test_a_cut_off_photo_fails_though_the_region_lies_above_the_cut(decoded):
    data = saved(textured(100, 900))
    assert outcome(data[: len(data) // 2], (0, 0, 9, 9)).startswith("photo cannot be decoded: image file is truncated")
    assert not decoded


def test_bytes_that_a_camera_appends_do_not_matter(decoded):
    data = saved(textured(100, 90))
    assert outcome(data + b"\0camera" + data[:300], RECTANGLE) == outcome(data, RECTANGLE)
    assert len(decoded) == 2


def test_many_boxes_of_a_photo_are_cut_from_the_whole_of_it(decoded):
    image = images.opened(saved(textured(100, 90)))
    crops = [image.cut(RECTANGLE, None).tobytes() for _ in range(9)]
    assert 1 <= len(decoded) <= 3
    assert set(crops) == {crops[0]}


def test_for_boxes_known_to_be_many_the_whole_is_decoded_at_once(decoded):
    image = images.opened(saved(textured(100, 90)))
    image.expect([RECTANGLE])
    crop = image.cut(RECTANGLE, None)
    assert len(decoded) == 1
    image.expect([RECTANGLE] * 9)
    assert image.cut(RECTANGLE, None).tobytes() == crop.tobytes()
    assert len(decoded) == 1


def test_threads_do_not_get_pixels_of_each_other(decoded):
    photos = [saved(textured(800, 600, seed)) for seed in range(3)]
    rectangles = [rectangle((800, 200), random.Random(seed)) for seed in range(20)]
    expected = [[images.decode(data).crop(each).tobytes() for each in rectangles] for data in photos]
    found, decoders = [[] for _ in photos], []

    def cut(at):
        decoders.append(regions.decoder()._decoder)
        found[at] += [images.opened(photos[at]).cut(each, None).tobytes() for each in rectangles]

    threads = [threading.Thread(target=cut, args=[at]) for at in range(len(photos))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == expected
    assert len(decoded) > 30
    assert len({id(each) for each in decoders}) == len(photos)


def test_threads_that_come_together_share_one_silence(monkeypatch):  # of two, one would take "nowhere" for C's stderr
    monkeypatch.setattr(regions, "_load", functools.cache(regions._load.__wrapped__))
    load, found, made = regions._nvimgcodec, [], []
    second = threading.Thread(target=lambda: found.append(regions.decoder()))

    def load_slowly():
        made.append(1)
        if len(made) == 1:
            second.start()
            second.join(0.2)
        return load()

    monkeypatch.setattr(regions, "_nvimgcodec", load_slowly)
    first = regions.decoder()
    second.join()
    assert found == [first]
    assert len(made) == 1


def test_neither_loading_nor_a_damaged_photo_prints_anything(tmp_path):
    data = saved(textured(100, 90))
    (tmp_path / "odd.jpg").write_bytes(data[:-400] + bytes(10) + data[-390:])
    table = data.index(b"\xff\xc4")
    (tmp_path / "no table.jpg").write_bytes(data[: table + 5] + bytes([255] * 16) + data[table + 21 :])
    code = """
import ctypes, sys
from pathlib import Path
from camtraps import images
from camtraps.storage import PhotoError
assert "nvidia.nvimgcodec" not in sys.modules
images.opened((Path(sys.argv[1]) / "odd.jpg").read_bytes()).cut((40, 60, 70, 90), None)
try:
    images.opened((Path(sys.argv[1]) / "no table.jpg").read_bytes()).cut((40, 60, 70, 90), None)
except PhotoError as error:
    print(error)
assert "nvidia.nvimgcodec" in sys.modules
print("python", file=sys.stderr)
ctypes.CDLL(None).perror(b"C")
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "photo cannot be decoded: broken data stream when reading image file\n"
    assert done.stderr.splitlines() == ["python", "C: Success"]


def test_loading_leaves_the_environment_as_it_was(monkeypatch):
    monkeypatch.setenv("NVIMGCODEC_EXTENSIONS_PATH", "/mine")
    monkeypatch.delenv("PYNVIMGCODEC_VERBOSITY", raising=False)
    before = dict(os.environ)
    assert regions._load.__wrapped__() is not None
    assert dict(os.environ) == before


@pytest.mark.parametrize("missing", [None, "parent"])
def test_without_the_wheel_there_is_no_decoder(missing, monkeypatch):
    def find_spec(name):
        if missing == "parent":
            raise ModuleNotFoundError("No module named 'nvidia'")

    monkeypatch.setattr(regions, "find_spec", find_spec)
    assert regions._load.__wrapped__() is None


def test_a_wheel_that_does_not_load_is_no_decoder(monkeypatch):
    def broken(name):
        raise ImportError("libstdc++.so.6: version `GLIBCXX_3.4.29' not found")

    monkeypatch.setattr(regions.importlib, "import_module", broken)
    assert regions._load.__wrapped__() is None
