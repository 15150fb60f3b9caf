"""Views: what the network sees of a crop."""

import numpy as np
import pytest
import torch
from PIL import Image

from camtraps import transforms
from camtraps.transforms import MEAN, STD, eval_view, normalise, train_view


def stripes(width, height):
    """Draw a picture whose left third is red, middle green, right blue."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for at in range(3):
        pixels[:, at * width // 3 : (at + 1) * width // 3, at] = 255
    return Image.fromarray(pixels)


def view(crop, *seed, size=32):
    return train_view(crop, size, np.random.default_rng(seed))


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (48, 48), (513, 20)])
def test_views_of_crops_of_any_shape_have_the_asked_size(size):
    crop = Image.new("RGB", size, (200, 100, 50))
    for found in (eval_view(crop, 32), *(view(crop, seed) for seed in range(20))):
        assert (found.shape, found.dtype) == ((3, 32, 32), torch.uint8)


def test_the_fixed_view_is_the_middle_of_a_long_crop():
    found = eval_view(stripes(96, 32), 32)
    assert found[1, :, 4:-4].float().mean() > 250
    assert found[[0, 2], :, 4:-4].float().mean() < 5


def test_the_fixed_view_of_a_square_crop_is_all_of_it():
    found = eval_view(stripes(96, 96), 48).float()
    assert [found[at, :, 16 * at + 4 : 16 * at + 12].mean() > 250 for at in range(3)] == [True] * 3


def test_the_same_seed_draws_the_same_view():
    assert torch.equal(view(stripes(60, 60), 1, 2, 3), view(stripes(60, 60), 1, 2, 3))
    assert not torch.equal(view(stripes(60, 60), 1, 2, 3), view(stripes(60, 60), 1, 2, 4))


def test_a_view_draws_nothing_from_torch():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    view(stripes(60, 60), 1)
    assert torch.equal(torch.rand(1), expected)


def test_views_are_mirrored_half_of_the_time():
    left_is_red = [
        bool(v[0, 16, 4].float() > v[2, 16, 4].float()) for v in (view(stripes(60, 60), n) for n in range(200))
    ]
    left_is_blue = [
        bool(v[0, 16, 4].float() < v[2, 16, 4].float()) for v in (view(stripes(60, 60), n) for n in range(200))
    ]
    mirrored = sum(left_is_blue) / (sum(left_is_red) + sum(left_is_blue))
    assert abs(mirrored - 0.5) < 5 * 0.5 / np.sqrt(150)


def test_some_views_are_grey_and_most_are_not():
    crop = Image.new("RGB", (40, 40), (200, 100, 50))
    grey = [bool((v[0, 8:24, 8:24] == v[2, 8:24, 8:24]).all()) for v in (view(crop, n) for n in range(300))]
    assert abs(np.mean(grey) - 0.2) < 5 * 0.4 / np.sqrt(300)


def test_a_view_keeps_most_of_a_square_crop():
    generator = np.random.default_rng(0)
    parts = [transforms._part((100, 100), generator) for _ in range(300)]
    assert all(0 <= top <= 100 - height and 0 <= left <= 100 - width for top, left, height, width in parts)
    assert min(height * width for *_, height, width in parts) >= 0.59 * 100 * 100
    assert max(height * width for *_, height, width in parts) > 0.95 * 100 * 100


def test_normalised_views_have_the_mean_and_deviation_of_imagenet():
    levels = torch.tensor([0, 128, 255], dtype=torch.uint8)
    views = levels.view(3, 1, 1, 1).expand(3, 3, 2, 2)
    expected = (levels.double().view(3, 1) / 255 - torch.tensor(MEAN).double()) / torch.tensor(STD).double()
    found = normalise(views)
    assert found.dtype == torch.float32
    assert torch.allclose(found[:, :, 1, 1].double(), expected, atol=1e-5)
    assert normalise(torch.zeros(1, 3, 1, 1, dtype=torch.uint8))[0, 0].item() == pytest.approx(-0.485 / 0.229)
