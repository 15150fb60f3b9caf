"""Detecting: the detector runs where nothing else has answered, and every photo is accounted for."""

import fsspec
import numpy as np
import pandas as pd
import pytest
from imports import REFUSERS, ROOT, closure
from make_tables import rows
from PIL import Image

from camtraps import detecting
from camtraps.detecting import detect_motion, gather
from camtraps.detections import DetectParams, Sources, sort_out
from camtraps.detectors.motion import Box, Found
from camtraps.schema import BOXES, DETECTIONS, QUERIED, RECORDED

PARAMS = DetectParams(recorded="all", detector="motion", threshold=0.3, max_failed=0.0)
BOX = {"category": "animal", "confidence": 0.9, "x": 0.1, "y": 0.2, "w": 0.3, "h": 0.4}


def sources(**answers):
    """Sort out photos by what is known of them: human, recorded boxes (a list) or a recorded failure (a text)."""
    queried = rows(QUERIED, *({"image": f"d/{n}", "has_truth_boxes": a == "human"} for n, a in answers.items()))
    human = [{"image": f"d/{name}", "category": "animal"} for name, answer in answers.items() if answer == "human"]
    told = {name: answer for name, answer in answers.items() if answer not in ("human", None)}
    given = [
        {"image": f"d/{name}", "boxes": answer if isinstance(answer, list) else None}
        | {"failure": None if isinstance(answer, list) else answer}
        for name, answer in told.items()
    ]
    return queried, sort_out(queried, rows(BOXES, *human), rows(RECORDED, *given).assign(version="v5"), 0.3)


def reasons(gathered):
    table = gathered.failures
    rows_of = zip(table["image"], table["kind"], table["reason"], strict=True)
    return {image.removeprefix("d/"): (kind, reason) for image, kind, reason in rows_of}


def place(folder, num=6, animal_at=2):
    """Draw photos of a place, an animal in one of them, and write the rows of the catalog."""
    ground = np.kron(np.random.default_rng(0).uniform(60, 160, (30, 40)), np.ones((8, 8)))
    for number in range(num):
        pixels = ground + np.random.default_rng(number).normal(0, 3, ground.shape)
        if number == animal_at:
            pixels[100:140, 100:160] = 230
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / f"{number}.png")
    files = [f"{number}.png" for number in range(num)]
    times = pd.date_range("2024-01-01", periods=num, freq="1h")
    photos = pd.DataFrame({"file": files, "datetime": times, "sequence": None, "dataset": "d", "place": "p"})
    return photos.assign(image="d/" + photos["file"])


@pytest.fixture
def one_process(monkeypatch):
    monkeypatch.setenv("CAMTRAPS_WORKERS", "1")


def test_the_boxes_of_all_sources_stand_in_one_table():
    queried, known = sources(a="human", b=[BOX], c=None)
    result = gather(queried, known, {"d/c": Found([Box(0.5, 0.5, 0.1, 0.1, 0.8)])}, PARAMS)
    assert dict(zip(result.detections["image"], result.detections["detector"], strict=True)) == {
        "d/a": "human", "d/b": "v5", "d/c": "motion",
    }  # fmt: skip
    assert result.photos_by_source == {"human": 1, "motion": 1, "v5": 1}
    assert set(result.detections.columns) == set(DETECTIONS.schema.names)


def test_a_detector_that_is_sure_of_nothing_is_said_so():
    queried, known = sources(a=None, b=None)
    found = {"d/a": Found([Box(0.5, 0.5, 0.1, 0.1, 0.29)]), "d/b": Found([], "nothing moved")}
    result = gather(queried, known, found, PARAMS)
    assert reasons(result) == {
        "a": ("skipped", "without detection: all below detect.threshold"),
        "b": ("skipped", "without detection: nothing moved"),
    }


def test_a_box_keeps_its_place_in_the_detectors_answer():
    queried, known = sources(a=None)
    found = {"d/a": Found([Box(0, 0, 1, 1, c) for c in (0.9, 0.1, 0.3)])}
    assert gather(queried, known, found, PARAMS).detections["box"].tolist() == [0, 2]


def test_a_photo_that_the_detector_cannot_read_is_failed():
    queried, known = sources(a=None)
    result = gather(queried, known, {"d/a": Found([], "photo not found", failed=True)}, PARAMS)
    assert reasons(result) == {"a": ("failed", "photo not found")}


def test_without_a_detector_recorded_failures_are_failed_and_the_rest_is_skipped():
    queried, known = sources(a="image access failure", b=None)
    assert reasons(gather(queried, known, {}, PARAMS)) == {
        "a": ("failed", "no detector was run; recorded: image access failure"),
        "b": ("skipped", "no detector was run; recorded: nothing"),
    }


def test_counts_add_up_over_photos():
    queried, known = sources(a="human", b=[BOX, BOX], c=[], d="broken", e=None)
    counts = gather(queried, known, {"d/e": Found([])}, PARAMS).counts
    assert (counts.unit, counts.rows_in, counts.rows_out, counts.skipped, counts.failed) == ("photos", 5, 2, 2, 1)


def test_nothing_queried_gives_empty_tables():
    queried, known = sources()
    result = gather(queried, known, {}, PARAMS)
    assert (len(result.detections), len(result.failures)) == (0, 0)
    assert isinstance(known, Sources)


def test_motion_answers_for_each_wanted_photo(tmp_path, one_process):
    found = detect_motion(place(tmp_path), {"d/2.png", "d/3.png"}, {"d": str(tmp_path)})
    assert sorted(found) == ["d/2.png", "d/3.png"]
    (box,) = found["d/2.png"].boxes
    assert box.x == pytest.approx(100 / 320, abs=0.03)
    assert box.w == pytest.approx(60 / 320, abs=0.05)
    assert found["d/3.png"] == Found([], "nothing moved")


def test_a_photo_that_is_gone_fails_and_the_rest_of_its_place_is_done(tmp_path, one_process):
    photos = place(tmp_path, num=7)
    (tmp_path / "6.png").unlink()
    found = detect_motion(photos, {"d/2.png", "d/6.png"}, {"d": str(tmp_path)})
    assert found["d/6.png"] == Found([], "photo not found", failed=True)
    assert len(found["d/2.png"].boxes) == 1


def test_places_are_not_looked_at_again_until_a_photo_changes(tmp_path, one_process, monkeypatch):
    photos, looked = place(tmp_path), []
    detect_place = detecting._detect_place

    def counted(payload, folder):
        looked.append(len(payload["photos"]))
        return detect_place(payload, folder)

    monkeypatch.setattr(detecting, "_detect_place", counted)
    first = detect_motion(photos, {"d/2.png"}, {"d": str(tmp_path)})
    assert detect_motion(photos, {"d/2.png"}, {"d": str(tmp_path)}) == first
    assert looked == [6]
    Image.new("L", (320, 240), 10).save(tmp_path / "2.png")
    assert detect_motion(photos, {"d/2.png"}, {"d": str(tmp_path)}) != first
    assert looked == [6, 6]


def test_a_remote_photo_that_failed_is_tried_again(tmp_path, one_process):
    photos, roots = place(tmp_path), {"d": f"memory://{tmp_path.name}"}
    for name in photos["file"].drop(2):
        with fsspec.open(f"{roots['d']}/{name}", "wb") as file:
            file.write((tmp_path / name).read_bytes())
    assert detect_motion(photos, {"d/2.png"}, roots) == {"d/2.png": Found([], "photo not found", failed=True)}
    with fsspec.open(f"{roots['d']}/2.png", "wb") as file:
        file.write((tmp_path / "2.png").read_bytes())
    assert len(detect_motion(photos, {"d/2.png"}, roots)["d/2.png"].boxes) == 1


def test_answers_are_made_again_when_any_code_behind_them_changes():
    behind = closure(ROOT / "camtraps/detectors/motion.py") - REFUSERS - {"camtraps/files.py"}
    assert behind <= {name.replace(".", "/") + ".py" for name in detecting.CODE}
