"""The demo collection: the same from the same seed, true to its own records, with every special case in it."""

import csv
import io
import json
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from camtraps.demo import drawing, plan, sources
from camtraps.demo.plan import DemoParams, Photo
from camtraps.demo.scenes import HEIGHT, WIDTH, scene
from camtraps.demo.species import SHARES, label

SEED = 5
PARAMS = DemoParams(seed=SEED, photos=150)
TAXONOMY = Path(__file__).parents[1] / "data" / "demo" / "taxonomy.csv"


@pytest.fixture(scope="module")
def photos() -> list[Photo]:
    return plan.photos(PARAMS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("demo")
    sources.make(PARAMS, made)
    return made


def _upright(drawn: drawing.Drawn) -> np.ndarray:
    with Image.open(io.BytesIO(drawn.data)) as image:
        return np.asarray(ImageOps.exif_transpose(image), np.float32)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_the_same_seed_gives_the_same_bytes_with_any_number_of_workers(photos, tmp_path, monkeypatch):
    some = photos[:4] + photos[-4:]
    for workers in ("1", "2"):
        monkeypatch.setenv("CAMTRAPS_WORKERS", workers)
        scene.cache_clear()
        sources.draw_all(some, SEED, tmp_path / workers)
    for photo in some:
        file = Path(photo.dataset) / photo.file
        assert (tmp_path / "1" / file).read_bytes() == (tmp_path / "2" / file).read_bytes()


def test_another_seed_gives_another_photo(photos):
    photo = next(photo for photo in photos if photo.is_animal)
    assert drawing.draw(photo, SEED).data != drawing.draw(photo, SEED + 1).data


def test_a_box_lies_where_the_photo_differs_from_the_empty_place(photos):
    alone = [photo for photo in photos if photo.is_animal and len(photo.figures) == 1 and photo.damage == "none"]
    for photo in alone[:: len(alone) // 8]:
        drawn = drawing.draw(photo, SEED)
        place = scene(SEED, photo.dataset, photo.scene)
        empty = np.repeat(place.night[..., None], 3, 2) if photo.night else place.day
        differs = np.abs(_upright(drawn) - empty).mean(2)
        (box,) = drawn.boxes
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.w <= WIDTH
        assert box.y + box.h <= HEIGHT - drawing.STRIP_PX
        inside = differs[box.y : box.y + box.h, box.x : box.x + box.w]
        assert (inside > 15).mean() > 0.2, photo
        assert inside.mean() > 2 * np.median(differs), photo


def test_wrong_labels_are_exactly_the_stated_share_of_the_animal_photos(photos):
    wrong = [photo for photo in photos if photo.kinds != photo.recorded]
    assert len(wrong) == round(0.04 * sum(photo.is_animal for photo in photos))
    assert {photo.dataset for photo in wrong} == {"alder", "birch"}
    assert all(set(photo.recorded) <= set(SHARES) and photo.damage == "none" for photo in wrong)


@pytest.mark.parametrize("num", [120, 150, 1200])
def test_every_species_is_at_four_locations_or_more_and_in_both_datasets(num):
    planned = plan.photos(DemoParams(seed=SEED, photos=num))
    assert len(planned) == num
    places = defaultdict(set)
    for photo in planned:
        for kind in photo.kinds:
            places[kind].add((photo.dataset, photo.location))
    for kind in SHARES:
        assert len(places[kind]) >= 4
        assert {dataset for dataset, _ in places[kind]} == {"alder", "birch"}


@pytest.mark.parametrize("num", [120, 150, 1200])
def test_special_photos_are_in_a_collection_of_any_size(num):
    planned = plan.photos(DemoParams(seed=SEED, photos=num))
    assert Counter((photo.damage, photo.boxed) for photo in planned if photo.damage != "none") == {
        ("truncated", "human"): 1,
        ("empty", "none"): 1,
    }
    assert [photo.boxed for photo in planned if photo.failure] == ["recorded"]
    assert any(photo.location is None for photo in planned)
    assert any(photo.location == "007" for photo in planned)
    assert {photo.orientation for photo in planned} >= {1, 6}
    assert {"empty", "person", "vehicle"} <= {photo.kinds[0] for photo in planned}
    assert any(len(photo.kinds) == 2 for photo in planned)


def test_a_turned_photo_is_upright_after_its_exif_orientation(photos):
    for orientation in {photo.orientation for photo in photos} - {1}:
        photo = next(photo for photo in photos if photo.orientation == orientation and photo.damage == "none")
        drawn = drawing.draw(photo, SEED)
        assert Image.open(io.BytesIO(drawn.data)).size == (HEIGHT, WIDTH)
        upright = _upright(drawn)
        assert upright.shape[:2] == (HEIGHT, WIDTH)
        # Only the strip at the bottom is paper from edge to edge.
        assert np.median(upright[HEIGHT - 20 :]) == pytest.approx(213, abs=6)


def test_the_damaged_files_are_damaged_on_disk(folder, photos):
    for photo in photos:
        data = (folder / "images" / photo.dataset / photo.file).read_bytes()
        assert (len(data) == 0) == (photo.damage == "empty")
        assert (data[-2:] == b"\xff\xd9") == (photo.damage == "none")


def test_records_agree_with_the_truth(folder):
    truth = defaultdict(list)
    for row in _rows(folder / "truth.csv"):
        truth[row["dataset"], row["file"]].append(row["recorded_class"])
    for dataset in ("alder", "birch"):
        records = json.loads((folder / "source" / f"{dataset}.cct.json").read_text())
        names = {category["id"]: category["name"] for category in records["categories"]}
        files = {image["id"]: image["file_name"] for image in records["images"]}
        classes = defaultdict(set)
        for mark in records["annotations"]:
            classes[files[mark["image_id"]]].add(names[mark["category_id"]])
        assert {file: set(truth[dataset, file]) for file in files.values()} == classes
        assert all(image.get("location", "") is not None for image in records["images"])


def test_photos_have_human_boxes_or_a_recorded_result_and_never_both(folder):
    for dataset in ("alder", "birch"):
        records = json.loads((folder / "source" / f"{dataset}.cct.json").read_text())
        result = json.loads((folder / "source" / f"{dataset}.detections.json").read_text())
        files = {image["id"]: image["file_name"] for image in records["images"]}
        boxed = {files[mark["image_id"]] for mark in records["annotations"] if "bbox" in mark}
        detected = {image["file"] for image in result["images"]}
        assert boxed
        assert detected
        assert not boxed & detected
        assert len(boxed | detected) < len(files)
        for image in result["images"]:
            for found in image["detections"] or []:
                x, y, w, h = found["bbox"]
                assert min(x, y) >= 0
                assert min(w, h) > 0
                assert max(x + w, y + h) <= 1.0001


def test_the_taxonomy_knows_every_class_of_both_datasets():
    known = {(row["dataset_name"], row["query"]) for row in _rows(TAXONOMY)}
    wanted = {(dataset, label(dataset, kind).lower()) for dataset in plan.LOCATIONS for kind in sources.CATEGORIES}
    assert known == wanted


def test_too_few_photos_are_refused():
    with pytest.raises(ValueError, match=r"^photos: must be from 120 to 100000, got 20$"):
        DemoParams(seed=1, photos=20)
