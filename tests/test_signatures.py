"""Signatures: near for pictures that look the same, nothing for plain ones, computed once."""

import io

import numpy as np
import pytest
from make_tables import colour_crops
from PIL import Image, ImageFilter

from camtraps import signatures
from camtraps.errors import MissingError
from camtraps.images import encode
from camtraps.signatures import look, read


def picture(seed, size=256):
    """Draw soft blobs."""
    noise = np.random.default_rng(seed).integers(0, 255, (12, 12), np.uint8)
    return Image.fromarray(noise).resize((size, size), Image.Resampling.BICUBIC).convert("RGB")


def apart(one, other):
    return sum((a ^ b).bit_count() for a, b in zip(look(one), look(other), strict=True))


@pytest.mark.parametrize("seed", range(5))
def test_a_picture_saved_anew_or_smaller_looks_the_same(seed):
    image = picture(seed)
    poor = Image.open(io.BytesIO(encode(image, 50)))
    assert apart(image, poor) <= 3
    assert apart(image, image.resize((180, 180))) <= 3


def test_other_pictures_look_different():
    distances = [apart(picture(seed), picture(seed + 1)) for seed in range(20)]
    assert min(distances) > 20


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGB", (64, 64)),
        Image.new("RGB", (64, 64), (90, 90, 90)),
        Image.effect_noise((64, 64), 8).convert("RGB"),
        Image.linear_gradient("L").filter(ImageFilter.GaussianBlur(20)).resize((64, 64)).point(lambda x: x // 16),
    ],
)
def test_dark_and_plain_pictures_have_no_look(image):
    assert look(image) == (0, 0)


def test_signatures_stand_in_the_order_of_the_crops(tmp_path):
    crops = colour_crops(tmp_path, ["red", "blue", "green", "red"])
    given = read(crops, tmp_path)
    assert given.shape == (4, 3)
    assert len(set(given[:, 0].tolist())) == 4
    assert (read(crops.iloc[::-1], tmp_path) == given[::-1]).all()


def test_a_crop_that_cannot_be_decoded_has_no_signature(tmp_path):
    crops = colour_crops(tmp_path, ["red", "blue"])
    shard = tmp_path / crops["shard"][0]
    content = bytearray(shard.read_bytes())
    content[crops["offset"][0] : crops["offset"][0] + 4] = b"none"
    shard.write_bytes(content)
    assert read(crops, tmp_path).any(axis=1).tolist() == [False, True]


def test_shards_are_read_once(tmp_path, monkeypatch):
    crops = colour_crops(tmp_path, ["red", "blue"])
    first = read(crops, tmp_path)
    monkeypatch.setattr(signatures, "_sign_shard", None)
    assert (read(crops, tmp_path) == first).all()


def test_changed_shards_are_read_again(tmp_path):
    first = read(colour_crops(tmp_path, ["red", "blue"]), tmp_path)
    assert (read(colour_crops(tmp_path, ["blue", "blue"], (50, 50)), tmp_path)[:, 0] != first[:, 0]).all()


def test_a_missing_shard_is_an_error(tmp_path):
    crops = colour_crops(tmp_path, ["red"]).assign(shard="shards/no.zip")
    with pytest.raises(MissingError, match=r"shards/no\.zip: not found; run `dvc pull` or `dvc repro`"):
        read(crops, tmp_path)
