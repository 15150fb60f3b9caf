"""The classifier in use: the same answers as the pipeline's own, for pictures in memory."""

import io
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from make_networks import INFO, SMALL, compiled, settled
from make_tables import colour_crops, crop_params
from PIL import Image

from camtraps import classifier, images, models
from camtraps.datasets import CropDataset, Loader, in_order
from camtraps.errors import InputError
from camtraps.images import decode_crop
from camtraps.inference import run
from camtraps.networks import build
from camtraps.shards import Reader

torch.set_num_threads(1)
CROP = asdict(crop_params()) | {"categories": ["animal"]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("models") / "small"
    models.save(path, build(SMALL, 3, 32), replace(INFO, crop=CROP))
    return path


def jpeg(image):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def test_logits_are_those_of_the_pipeline(folder, tmp_path):
    crops = colour_crops(tmp_path, ["red", "blue", "green"])
    ours = classifier.load(folder)
    dataset = CropDataset(crops, np.zeros(3, np.int64), tmp_path, 32)
    expected = run(ours.network, Loader(dataset, 0), in_order(3), 3).logits
    reader = Reader(tmp_path)
    places = zip(crops["shard"], crops["offset"], crops["length"], strict=True)
    pictures = [decode_crop(reader.read(*place), 32) for place in places]
    assert ours.logits(pictures) == pytest.approx(expected, abs=1e-6)
    assert ours.logits(np.asarray(each) for each in pictures) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("architecture", ["efficientnet-b0", "efficientnet-b3"])
def test_an_efficientnet_without_normalisations_is_the_same_function(architecture):
    torch.manual_seed(0)
    network = settled(build(architecture, 3, 64), 64).eval()
    smaller, views = classifier.folded(network), torch.randn(2, 3, 64, 64)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in smaller.modules())
    with torch.inference_mode():
        assert torch.allclose(smaller(views), network(views), atol=1e-4, rtol=1e-4)


def test_no_picture_gives_no_row(folder):
    assert classifier.load(folder).logits([]).shape == (0, 3)


def test_a_compiled_model_works_the_same(folder, tmp_path):
    ours = classifier.load(folder)
    models.save(tmp_path / "m", compiled(ours.network), replace(ours.info, architecture=models.TORCHSCRIPT))
    picture = Image.new("RGB", (50, 40), "red")
    assert classifier.load(tmp_path / "m").logits([picture]) == pytest.approx(ours.logits([picture]), abs=1e-5)


def test_probabilities_are_calibrated_by_the_temperature_of_the_model(folder):
    logits = np.log([[0.5, 0.25, 0.25]]) * INFO.temperature
    assert classifier.load(folder).probabilities(logits) == pytest.approx(np.array([[0.5, 0.25, 0.25]]))


def test_a_large_picture_is_shrunk_as_a_stored_crop_is():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    stored = decode_crop(jpeg(Image.fromarray(noise).resize((256, 256))), 32)
    picture = Image.fromarray(noise).resize((256, 256))
    near = classifier.view(picture, 32).float() - classifier.view(stored, 32).float()
    assert near.abs().mean() < 3


def test_boxes_are_cut_by_the_rule_of_the_model():
    photo = Image.new("RGB", (160, 120), "grey")
    photo.paste("red", (94, 24, 130, 60))
    box = (0.6, 0.2, 0.2, 0.3)  # 96..128, 24..60; as a square 94..130
    (crop,) = classifier.cut(images.opened(jpeg(photo)), [box], crop_params())
    assert crop.size == (36, 36)
    assert np.asarray(crop).reshape(-1, 3).mean(axis=0) == pytest.approx([254, 0, 0], abs=8)


def test_a_box_without_a_pixel_gives_no_crop():
    photo = images.opened(jpeg(Image.new("RGB", (160, 120))))
    boxes = [(0.5, 0.5, 0.001, 0.1), (0.1, 0.1, 0.5, 0.5)]
    none, some = classifier.cut(photo, boxes, crop_params(rule="ancestor", shape="box"))
    assert none is None
    assert some.size == (80, 60)


def test_a_crop_rule_of_another_version_is_refused():
    with pytest.raises(InputError, match=r"^model.json: crop: not a crop rule of this version"):
        classifier.crop_params(INFO)
