"""Views: what the network sees of a crop."""

import numpy as np
import pytest
import torch
from PIL import Image

from camtraps import transforms
from camtraps.transforms import AUGMENTATIONS, MEAN, STD, eval_view, normalise, train_view, vary

OURS, ANCESTOR = AUGMENTATIONS["camtraps"], AUGMENTATIONS["ancestor"]


def stripes(width, height):
    """Draw a picture whose left third is red, middle green, right blue."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for at in range(3):
        pixels[:, at * width // 3 : (at + 1) * width // 3, at] = 255
    return Image.fromarray(pixels)


def view(crop, *seed, size=32, augmentation=OURS):
    """Draw a view and give it as the network sees it, in grey levels."""
    drawn, look = train_view(crop, size, augmentation, np.random.default_rng(seed))
    return vary(drawn[None], look[None], augmentation)[0]


def looks(*rows):
    return torch.tensor(rows, dtype=torch.float32)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (48, 48), (513, 20)])
def test_views_of_crops_of_any_shape_have_the_asked_size(size):
    crop = Image.new("RGB", size, (200, 100, 50))
    for augmentation in (OURS, ANCESTOR):
        drawn = [train_view(crop, 32, augmentation, np.random.default_rng(seed))[0] for seed in range(20)]
        for found in (eval_view(crop, 32), *drawn):
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
    grey = [torch.allclose(v[0, 8:24, 8:24], v[2, 8:24, 8:24], atol=0.1) for v in (view(crop, n) for n in range(300))]
    assert abs(np.mean(grey) - 0.2) < 5 * 0.4 / np.sqrt(300)


def test_a_view_keeps_most_of_a_square_crop():
    """R8: a view of 8% of a crop that is tight around the animal may show none of it."""
    generator = np.random.default_rng(0)
    parts = [transforms._part((100, 100), OURS, generator) for _ in range(300)]
    assert all(0 <= left < right <= 100 and 0 <= top < bottom <= 100 for left, top, right, bottom in parts)
    areas = [(right - left) * (bottom - top) for left, top, right, bottom in parts]
    assert min(areas) >= 0.59 * 100 * 100
    assert max(areas) > 0.95 * 100 * 100


def test_the_ancestors_views_may_show_little_and_stand_on_their_head():
    generator = np.random.default_rng(0)
    parts = [transforms._part((100, 100), ANCESTOR, generator) for _ in range(300)]
    assert min((right - left) * (bottom - top) for left, top, right, bottom in parts) < 0.15 * 100 * 100
    top_is_red = Image.fromarray(np.asarray(stripes(60, 60)).transpose(1, 0, 2).copy())
    drawn = [train_view(top_is_red, 32, ANCESTOR, np.random.default_rng(n))[0] for n in range(300)]
    on_head = np.mean([bool(v[0, 2].float().mean() < v[2, 2].float().mean()) for v in drawn])
    assert 0.02 < on_head < 0.25


def test_a_view_without_a_change_is_what_was_drawn():
    drawn, _ = train_view(stripes(60, 60), 32, OURS, np.random.default_rng(1))
    assert torch.allclose(vary(drawn[None], looks([0, 1, 1, 1]), OURS)[0], drawn.float(), atol=0.01)


def test_a_quarter_turn_moves_what_is_left_to_the_top_or_the_bottom():
    drawn = eval_view(stripes(60, 60), 30)
    turned = vary(torch.stack([drawn, drawn]), looks([90, 1, 1, 1], [-90, 1, 1, 1]), ANCESTOR)
    red_at = [float(turned[at, 0].mean(1).argmax()) for at in (0, 1)]
    assert sorted(red_at)[0] < 10
    assert sorted(red_at)[1] >= 20


@pytest.mark.parametrize(("augmentation", "corner"), [(OURS, 127), (ANCESTOR, 0)])
def test_a_turn_leaves_corners_of_one_grey_level(augmentation, corner):
    white = torch.full((1, 3, 32, 32), 255, dtype=torch.uint8)
    turned = vary(white, looks([45, 1, 1, 1]), augmentation)[0]
    assert turned[:, 0, 0].tolist() == pytest.approx([corner] * 3)
    assert turned[:, 16, 16].tolist() == pytest.approx([255] * 3)


def test_light_changes_as_drawn():
    views = torch.tensor([200, 100, 50], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    grey = 0.299 * 200 + 0.587 * 100 + 0.114 * 50
    for look, expected in (
        ([0, 0.5, 1, 1], [100, 50, 25]),
        ([0, 2, 1, 1], [255, 200, 100]),
        ([0, 1, 0.5, 1], [(value + grey) / 2 for value in (200, 100, 50)]),
        ([0, 1, 1, 0], [grey] * 3),
    ):
        assert vary(views, looks(look), OURS)[0, :, 0, 0].tolist() == pytest.approx(expected, abs=0.01)


def test_normalised_views_have_the_mean_and_deviation_of_imagenet():
    levels = torch.tensor([0, 128, 255], dtype=torch.uint8)
    views = levels.view(3, 1, 1, 1).expand(3, 3, 2, 2)
    expected = (levels.double().view(3, 1) / 255 - torch.tensor(MEAN).double()) / torch.tensor(STD).double()
    found = normalise(views)
    assert found.dtype == torch.float32
    assert torch.allclose(found[:, :, 1, 1].double(), expected, atol=1e-5)
    assert normalise(torch.zeros(1, 3, 1, 1, dtype=torch.uint8))[0, 0].item() == pytest.approx(-0.485 / 0.229)
