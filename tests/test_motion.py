"""Motion: drawn places with a known animal, and what must not be taken for one."""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from camtraps import images, reading
from camtraps.detectors.answers import Answer, Box
from camtraps.detectors.background import thumb
from camtraps.detectors.motion import Photo, detect
from camtraps.storage import PhotoError

Picture = NDArray[np.floating[Any]]
HEIGHT, WIDTH = 240, 320


def place(seed: int = 0) -> Picture:
    """Draw ground with stones, grey levels 60 to 160."""
    generator = np.random.default_rng(seed)
    coarse = generator.uniform(60, 160, (HEIGHT // 8, WIDTH // 8))
    return np.kron(coarse, np.ones((8, 8)))


def with_animal(picture: Picture, left: int, top: int, width: int = 60, height: int = 40) -> Picture:
    drawn = picture.copy()
    drawn[top : top + height, left : left + width] = 230
    return drawn


def box_of(left: int, top: int, width: int = 60, height: int = 40) -> Box:
    return Box(left / WIDTH, top / HEIGHT, width / WIDTH, height / HEIGHT, 1.0)


def look(folder: Path, pictures: list[Picture], burst: int = 3) -> list[Answer]:
    """Save the pictures with sensor noise, as bursts a minute apart, and detect in all of them."""
    generator = np.random.default_rng(1)
    photos = []
    for number, picture in enumerate(pictures):
        path = folder / f"{number}.png"
        noisy = picture + generator.normal(0, 3, picture.shape)
        Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(path)
        photos.append(
            Photo(path.name, str(path), f"burst {number // burst}", 60.0 * (number // burst) + number % burst)
        )
    return list(detect(photos, {photo.image for photo in photos}).values())


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = min(one.x + one.w, other.x + other.w) - max(one.x, other.x)
    height = min(one.y + one.h, other.y + other.h) - max(one.y, other.y)
    common = max(0.0, width) * max(0.0, height)
    return common / (one.w * one.h + other.w * other.h - common)


def test_a_walking_animal_is_found_in_each_photo(tmp_path: Path) -> None:
    corners = [(20 + 70 * step, 60 + 20 * step) for step in range(3)]
    pictures = [with_animal(place(), *corner) for corner in corners] + [place()] * 3
    found = look(tmp_path, pictures)
    for answer, corner in zip(found[:3], corners, strict=True):
        assert overlap(answer.boxes[0], box_of(*corner)) > 0.5
        assert answer.boxes[0].confidence > 0.5
    assert found[3:] == [Answer([], "nothing moved")] * 3


def test_an_animal_that_rests_through_its_burst_is_found_by_other_bursts(tmp_path: Path) -> None:
    found = look(tmp_path, [with_animal(place(), 100, 100)] * 3 + [place()] * 6)
    assert all(overlap(answer.boxes[0], box_of(100, 100)) > 0.5 for answer in found[:3])


def test_the_hole_that_a_resting_animal_leaves_in_the_background_is_no_box(tmp_path: Path) -> None:
    found = look(tmp_path, [with_animal(place(), 100, 100)] * 7 + [place()], burst=8)
    assert found[7].boxes == []


def by_day(picture: Picture) -> Picture:
    """Give an infrared picture the colours of the day, and its shades: leaves are dark in visible light."""
    return np.stack([0.5 * picture, 1.1 * (250 - picture), 0.3 * picture], axis=2)


def test_day_and_night_have_a_background_each(tmp_path: Path) -> None:
    night, day = with_animal(place(), 100, 100), by_day(with_animal(place(), 200, 60))
    found = look(tmp_path, [*[place()] * 4, night, *[by_day(place())] * 4, day], burst=1)
    assert [len(answer.boxes) for answer in found] == [0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    assert overlap(found[4].boxes[0], box_of(100, 100)) > 0.5
    assert overlap(found[9].boxes[0], box_of(200, 60)) > 0.5


def test_a_single_photo_of_the_night_has_no_background(tmp_path: Path) -> None:
    tinted = np.stack([place() + 20, place(), place() - 40], axis=2)  # the same in shades of grey
    found = look(tmp_path, [*[tinted] * 6, with_animal(place(), 100, 100)], burst=1)
    assert found[6] == Answer([], "too few photos of this place in this light (0, need 4)")


def test_what_stands_out_more_is_more_credible(tmp_path: Path) -> None:
    chances = []
    for cover in (0.0, 0.4, 1.0):
        (tmp_path / str(cover)).mkdir()
        veiled = cover * with_animal(place(), 100, 100) + (1 - cover) * place()
        boxes = look(tmp_path / str(cover), [veiled, *[place()] * 5], burst=1)[0].boxes
        chances.append(boxes[0].confidence if boxes else 0.0)
    assert 0 == chances[0] < chances[1] < chances[2] <= 1, chances


def test_a_change_of_light_or_contrast_is_no_box(tmp_path: Path) -> None:
    pictures = [place()] * 6 + [place() * 1.3, place() - 40, place() * 0.7 + 20]
    assert all(answer == Answer([], "nothing moved") for answer in look(tmp_path, pictures))


def test_a_changing_strip_is_no_box(tmp_path: Path) -> None:
    pictures = []
    for number in range(6):
        picture = place()
        picture[-16:] = 0
        picture[-12:-4, 10 + 20 * number : 50 + 20 * number] = 255
        pictures.append(picture)
    assert all(answer.boxes == [] for answer in look(tmp_path, pictures))


def test_photos_of_another_place_under_the_same_name_do_not_matter(tmp_path: Path) -> None:
    here = [with_animal(place(), 100, 100), *[place()] * 5]
    found = look(tmp_path, [*here, *[place(seed=7)] * 6])
    assert [len(answer.boxes) for answer in found] == [1] + [0] * 11


def test_too_few_photos_give_the_reason(tmp_path: Path) -> None:
    reason = "too few photos of this place in this light (2, need 4)"
    assert look(tmp_path, [place()] * 3) == [Answer([], reason)] * 3


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "photo not found"), (b"", "photo is an empty file"), (b"text", "photo is not an image")],
)
def test_an_unreadable_photo_fails_and_leaves_the_others_alone(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    look(tmp_path, [place()] * 6)
    photos = [Photo(f"{number}.png", str(tmp_path / f"{number}.png"), None, None) for number in range(6)]
    Path(photos[2].uri).unlink()
    if content is not None:
        Path(photos[2].uri).write_bytes(content)
    answers = detect(photos, {"2.png", "3.png"})
    assert answers == {"2.png": Answer([], failure=reason), "3.png": Answer([], "nothing moved")}


def test_an_answer_does_not_depend_on_what_else_is_asked(tmp_path: Path) -> None:
    everything = look(tmp_path, [with_animal(place(), 40 * number, 90) for number in range(6)])
    photos = [
        Photo(f"{n}.png", str(tmp_path / f"{n}.png"), f"burst {n // 3}", 60.0 * (n // 3) + n % 3) for n in range(6)
    ]
    assert detect(photos, {"4.png"}) == {"4.png": everything[4]}
    assert everything[4].boxes


def test_neighbouring_photos_from_elsewhere_are_read_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(place().astype(np.uint8)).save(tmp_path / "a.png")
    data, lots = (tmp_path / "a.png").read_bytes(), []

    def ahead(uris: Iterable[str]) -> list[bytes]:
        lots.append(list(uris))
        return [data for _ in lots[-1]]

    monkeypatch.setattr(reading, "ahead", ahead)
    photos = [Photo(str(at), f"https://host/{at}", None, 3600.0 * at) for at in range(40)]
    detect(photos, {"20"})
    assert [len(lot) for lot in lots] == [16, 16, 8][: len(lots)]
    assert lots[0] == [f"https://host/{at}" for at in range(16, 32)]


def test_a_thumbnail_of_sixteen_bits_has_its_shades() -> None:
    data = io.BytesIO()
    Image.fromarray(np.tile(np.linspace(0, 65_535, 400).astype(np.uint16), (300, 1))).save(data, "PNG")
    luma = thumb(data.getvalue()).luma
    assert luma[:, 0].max() < 5
    assert luma[:, 96].mean() == pytest.approx(128, abs=3)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_thumbnail_of_an_absurd_size_is_refused(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = io.BytesIO()
    Image.new("RGB", (4000, 300)).save(data, kind)
    monkeypatch.setattr(images, "MAX_PIXELS", 1_000_000)
    with pytest.raises(PhotoError, match="too many pixels"):
        thumb(data.getvalue())
