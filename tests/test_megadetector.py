"""MegaDetector through the real package, with a tiny model in the true file format."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from imports import ROOT
from make_tables import detect_params, predictions, rows
from PIL import Image

from camtraps import merge, schema
from camtraps.detectors import megadetector
from camtraps.errors import InputError

package = pytest.importorskip(
    "megadetector.detection.run_detector", reason="needs the package megadetector; run `make megadetector`"
)

from make_megadetector import (  # noqa: E402
    BLUE,
    GREEN,
    RED,
    WHITE,
    TinyDet,
    checkpoint,
    look,
    photo,
    publish,
    refusal,
    table,
    trusted,
)
from megadetector.detection import pytorch_detector  # noqa: E402
from megadetector.postprocessing.validate_batch_results import validate_batch_results  # noqa: E402

Row = dict[str, Any]


@pytest.fixture(autouse=True)
def shim(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tests/megadetector_shim"))


@pytest.fixture
def model(tmp_path, monkeypatch):
    return trusted(checkpoint(tmp_path / "tiny.pt"), monkeypatch)


def one(path: Path, model: str, **params: Any) -> list[Row]:
    return look(table(path), model, **params)[path.name]["boxes"]


def corners(box: Row, size: tuple[int, int]) -> list[float]:
    width, height = size
    return [box["x"] * width, box["y"] * height, (box["x"] + box["w"]) * width, (box["y"] + box["h"]) * height]


def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have a GPU by word only; give the list in which the sizes of batches will stand."""
    sizes: list[int] = []
    real = pytorch_detector.PTDetector.generate_detections_one_batch

    def spy(self, images, *arguments, **more):
        sizes.append(len(images))
        return real(self, images, *arguments, **more)

    monkeypatch.setattr(package, "is_gpu_available", lambda path, **more: True)
    monkeypatch.setattr(pytorch_detector.PTDetector, "generate_detections_one_batch", spy)
    return sizes


def test_boxes_are_where_things_are_the_surest_first(tmp_path, model, capsys):
    things = ((150, 10, 10), (40, 60, 120, 100)), (BLUE, (200, 200, 300, 280))
    wide = photo(tmp_path / "a.png", *things, ground=(0, 0, 0))
    tall = photo(tmp_path / "b.png", (GREEN, (100, 300, 200, 500)), size=(300, 600))
    found = look(table(wide, tall, photo(tmp_path / "c.png")), model)
    vehicle, animal = found["a.png"]["boxes"]
    assert [vehicle["category"], animal["category"]] == ["vehicle", "animal"]
    assert [vehicle["confidence"], animal["confidence"]] == pytest.approx([0.98, 0.58], abs=0.02)
    assert np.allclose(corners(vehicle, (400, 300)), [200, 200, 300, 280], atol=3)
    assert np.allclose(corners(animal, (400, 300)), [40, 60, 120, 100], atol=3)
    (person,) = found["b.png"]["boxes"]
    assert person["category"] == "person"
    assert np.allclose(corners(person, (300, 600)), [100, 300, 200, 500], atol=4)
    assert found["c.png"]["boxes"] == []
    assert capsys.readouterr() == ("", "")  # the package has much to say


def test_boxes_of_a_turned_photo_are_those_of_the_upright_one(tmp_path, model):
    upright = Image.open(photo(tmp_path / "up.png", (RED, (20, 200, 100, 350)), size=(300, 400)))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned right by 90 degrees
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    (box,) = one(tmp_path / "turned.jpg", model)
    assert np.allclose(corners(box, (300, 400)), [20, 200, 100, 350], atol=4)


def test_a_photo_that_cannot_be_read_fails_and_the_others_are_done(tmp_path, model):
    (tmp_path / "pdf.jpg").write_bytes(b"%PDF-1.7 something")
    good = photo(tmp_path / "good.png", (RED, (40, 60, 120, 100)))
    found = look(table(tmp_path / "gone.jpg", tmp_path / "pdf.jpg", good), model)
    assert [row["failure"] for row in found.values()] == ["photo not found", "photo is not an image", None]
    assert [row["boxes"] is None for row in found.values()] == [True, True, False]


def test_batches_halve_where_memory_does_not_hold_them(tmp_path, monkeypatch):
    sizes = batches(monkeypatch)
    file = trusted(checkpoint(tmp_path / "small.pt", TinyDet(most=2)), monkeypatch)
    paths = [photo(tmp_path / f"{at}.png", (RED, (10 * at, 60, 120, 100))) for at in range(7)]
    found = look(table(*paths), file, batch_size=4)
    assert sizes == [1, 4, 2, 2, 2, 1]  # the first is a trial on a grey picture
    for at, row in enumerate(found.values()):
        assert np.allclose(corners(row["boxes"][0], (400, 300)), [10 * at, 60, 120, 100], atol=3)


def test_a_photo_that_the_model_fails_on_does_not_take_its_batch_with_it(tmp_path, model, monkeypatch):
    sizes = batches(monkeypatch)
    things = [(RED, (40, 60, 120, 100)), (WHITE, (0, 0, 400, 300)), (RED, (40, 60, 120, 100))]
    found = look(table(*[photo(tmp_path / f"{at}.png", thing) for at, thing in enumerate(things)]), model)
    assert [row["failure"] for row in found.values()] == [None, "model failed: a white photo", None]
    assert [len(row["boxes"] or []) for row in found.values()] == [1, 0, 1]
    assert sizes == [1, 3, 1, 1, 1, 1]  # twice the grey picture, on which it works


def test_a_cpu_looks_at_one_photo_after_the_other(tmp_path, model, monkeypatch):
    sizes = batches(monkeypatch)
    monkeypatch.setattr(package, "is_gpu_available", lambda path, **more: False)
    look(table(*[photo(tmp_path / f"{at}.png") for at in range(3)]), model)
    assert sizes == [1, 1, 1, 1]


def test_what_was_kept_before_a_kill_need_not_be_done_again(tmp_path, model, monkeypatch):
    monkeypatch.setattr(megadetector, "KEEP_PHOTOS", 2)
    photos = table(*[photo(tmp_path / f"{at}.png") for at in range(5)])
    kept: list[Row] = []

    def keep(rows: list[Row]) -> None:
        kept.extend(rows)
        if len(kept) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        megadetector.detect(photos, detect_params(model=model), keep)
    left = photos[~photos["image"].isin([row["image"] for row in kept])]
    megadetector.detect(left, detect_params(model=model), kept.extend)
    assert [row["image"] for row in kept] == list(photos["image"])


def test_a_model_that_stops_working_ends_the_run_with_what_is_done(tmp_path, model, monkeypatch):
    real, calls, kept = pytorch_detector.PTDetector._process_batch_group, [], []

    def breaks(*arguments):
        calls.append(1)
        if len(calls) > 3:
            raise RuntimeError("CUDA error: unspecified launch failure")
        return real(*arguments)

    monkeypatch.setattr(pytorch_detector.PTDetector, "_process_batch_group", breaks)
    photos = table(*[photo(tmp_path / f"{at}.png") for at in range(5)])
    with pytest.raises(InputError, match=r"tiny\.pt: does not work here: model failed: CUDA error: unspecified"):
        megadetector.detect(photos, detect_params(model=model), kept.extend)
    assert [(row["image"], row["failure"]) for row in kept] == [("ds/0.png", None), ("ds/1.png", None)]


def test_rows_are_kept_after_some_time_too(tmp_path, model, monkeypatch):
    monkeypatch.setattr(megadetector, "KEEP_SECONDS", -1)
    sizes: list[int] = []
    photos = table(*[photo(tmp_path / f"{at}.png") for at in range(3)])
    megadetector.detect(photos, detect_params(model=model), lambda rows: sizes.append(len(rows)))
    assert sizes == [1, 1, 1]


def test_without_photos_no_model_is_loaded():
    megadetector.detect(table().reindex(columns=["uri"]), detect_params(model="no such"), lambda rows: None)


def test_the_image_size_decides_what_can_be_seen(tmp_path, model):
    speck = photo(tmp_path / "speck.png", (RED, (803, 603, 805, 605)), size=(1600, 1200))
    assert one(speck, model) == []  # 320 px, as the model's file says
    (box,) = one(speck, model, image_size=1600)
    assert np.allclose(corners(box, (1600, 1200)), [803, 603, 805, 605], atol=1)


def test_a_foreign_model_names_its_own_classes(tmp_path, monkeypatch):
    names = {0: "deer", 1: "boar", 2: "fox"}
    file = trusted(checkpoint(tmp_path / "own.pt", TinyDet(names=names)), monkeypatch)
    path = photo(tmp_path / "a.png", (GREEN, (40, 60, 120, 100)))
    assert [box["category"] for box in one(path, file)] == ["boar"]
    publish(Path(file), monkeypatch)
    assert [box["category"] for box in one(path, file)] == ["person"]


def test_what_a_kind_of_model_needs_besides_is_told(tmp_path, model, monkeypatch):
    path = photo(tmp_path / "a.png")
    monkeypatch.setattr(pytorch_detector, "yolo_model_type_imported", None)
    for name in ("utils", "utils.general", "utils.augmentations", "yolov5"):
        monkeypatch.setitem(sys.modules, name, None)
    said = refusal(path, model=model)
    assert said.startswith(f"{model}: this model needs the code of yolov5, not a part of camtraps: `pip install ")
    assert "pip install --no-deps yolov5==7.0.10`" in said
    monkeypatch.setitem(sys.modules, "ultralytics", None)
    checkpoint(Path(model), kind="ultralytics")
    trusted(Path(model), monkeypatch)
    assert "needs the code of ultralytics, not a part of camtraps: `pip install --no-deps ultralytics`" in refusal(
        path, model=model
    )
    larch = [line for line in megadetector.installed() if "MDv1000-larch" in line]
    assert larch == ["for MDv1000-larch, MDv1000-sorrel: `pip install --no-deps ultralytics`"]
    monkeypatch.setitem(sys.modules, "megadetector.detection.run_detector", None)
    assert refusal(path, model=model).endswith("run `make megadetector`")


def test_the_validator_of_megadetector_accepts_what_we_write(tmp_path, model):
    things = (RED, (40, 60, 120, 100)), (GREEN, (200, 100, 250, 250))
    paths = photo(tmp_path / "a.png", *things), photo(tmp_path / "b.png"), tmp_path / "gone.png"
    found = look(table(*paths), model).values()
    boxes = [
        {"image": row["image"], "box": at, "detector": "megadetector_tiny", **box}
        for row in found
        for at, box in enumerate(row["boxes"] or [])
    ]
    queried = rows(schema.QUERIED, *({"image": row["image"], "label": "fox"} for row in found))
    failed = {row["image"]: row["failure"] for row in found if row["failure"]}
    params = merge.MergeParams(threshold=0.05, label="none")
    predicted = predictions({"image": "ds/a.png", "label": "fox", "probabilities": [1.0]})
    document = merge.merge(queried, rows(schema.DETECTIONS, *boxes), failed, predicted, ["fox"], params)
    document = merge.with_descriptions(document, {"fox": (("genus", "vulpes"),)})
    document = {**document.head, "images": document.images()}
    assert [len(image["detections"] or []) for image in document["images"]] == [2, 0, 0]
    assert document["images"][0]["detections"][0]["classifications"] == [["0", 1.0]]
    verdict = validate_batch_results(document)["validation_results"]
    assert (verdict["errors"], verdict["warnings"]) == ([], [])
    document["images"][0]["detections"][0]["category"] = "9"
    assert validate_batch_results(document)["validation_results"]["errors"]
