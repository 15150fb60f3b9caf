"""Calibration: curves that say how often a detector is right, their files, and the boxes they are fitted on."""

import numpy as np
import pytest
from make_tables import rows

from camtraps import calibrating, calibration, tables
from camtraps.calibration import Curve
from camtraps.errors import InputError, MissingError, TableError
from camtraps.schema import CATALOG, DETECTIONS, RECORDED

HALF = Curve(np.array([0.2, 0.8]), np.array([0.1, 0.4]))


def boxes_of(share, number, seed=0):
    """Draw confidences, and whether a box is right: as often as ``share`` says."""
    generator = np.random.default_rng(seed)
    confidence = generator.random(number)
    return confidence, generator.random(number) < share(confidence)


def test_a_calibrated_confidence_is_how_often_boxes_are_right():
    confidence, is_right = boxes_of(lambda c: c**3, 20_000)
    curve = calibration.fit(confidence, is_right)
    points = np.array([0.3, 0.5, 0.7, 0.9])
    assert curve(points) == pytest.approx(points**3, abs=0.05)
    assert calibration.error(confidence, is_right) == pytest.approx(0.25, abs=0.02)
    assert calibration.error(curve(confidence), is_right) < 0.02


def test_calibration_keeps_the_order_of_confidences():
    confidence, is_right = boxes_of(lambda c: c, 300)
    assert (np.diff(calibration.fit(confidence, is_right)(np.linspace(0, 1, 50))) >= 0).all()


def test_between_points_lies_a_line_and_beyond_them_the_end():
    """R9: a confidence beyond the fitted ones ended training."""
    assert HALF(np.array([0.0, 0.2, 0.5, 0.8, 1.0])).tolist() == pytest.approx([0.1, 0.1, 0.25, 0.4, 0.4])


def test_a_location_is_calibrated_without_its_own_boxes():
    confidence = np.full(40, 0.5)
    is_right = np.repeat([True, False], 20)
    groups = np.repeat(["a", "b"], 20)
    assert calibration.held_out(confidence, is_right, groups).tolist() == [0.0] * 20 + [1.0] * 20
    assert np.isnan(calibration.held_out(confidence, is_right, np.full(40, "a"))).all()


def test_reliability_counts_boxes_by_confidence():
    table = calibration.reliability(np.array([0.05, 0.95, 1.0]), np.array([False, True, False]))
    assert table.to_dict("list") == {
        "from": [0.0, 0.9],
        "boxes": [1, 2],
        "confidence": pytest.approx([0.05, 0.975]),
        "right": [0.0, 0.5],
    }


def test_each_detector_has_its_own_calibration_and_people_need_none():
    given = [("md", 0.8), ("motion", 0.8), ("human", None)]
    boxes = [{"image": "d/a", "box": at, "detector": d, "confidence": c} for at, (d, c) in enumerate(given)]
    found = rows(DETECTIONS, *boxes)
    assert calibration.apply(found, {"md": HALF}).fillna(-1).tolist() == pytest.approx([0.4, -1, -1])


def test_what_is_written_is_read_and_has_the_two_arrays_of_the_ancestor(tmp_path):
    path = tmp_path / "v5" / "calibration.npz"
    path.parent.mkdir()
    calibration.write(path, Curve(HALF.x, HALF.y, "v5", "2024-04-01"))
    with np.load(path) as archive:
        assert archive["x"].tolist() == [0.2, 0.8]
        assert archive["y"].tolist() == [0.1, 0.4]
    curve = calibration.read(path)
    assert (curve.x.tolist(), curve.y.tolist()) == (HALF.x.tolist(), HALF.y.tolist())
    assert (curve.detector, curve.made) == ("v5", "2024-04-01")


def test_the_ancestors_file_of_two_arrays_is_read(tmp_path):
    np.savez_compressed(tmp_path / "c.npz", x=np.array([0.1, 0.9], np.float32), y=np.array([0.0, 1.0], np.float32))
    assert calibration.read(tmp_path / "c.npz")(np.array([0.5]))[0] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": [0.1]}, "not a NumPy archive with the arrays x and y"),
        ({"x": [[0.1]], "y": [0.1]}, "x: expected a list of numbers, got float64 of shape (1, 1)"),
        ({"x": ["a"], "y": [0.1]}, "x: expected a list of numbers, got <U1 of shape (1,)"),
        ({"x": [], "y": []}, "x: expected a list of numbers, got float64 of shape (0,)"),
        ({"x": [0.1, 0.2], "y": [0.1, 1.5]}, "y[1]: expected a number from 0 to 1, got 1.5"),
        ({"x": [0.1, np.nan], "y": [0.1, 0.5]}, "x[1]: expected a number from 0 to 1, got nan"),
        ({"x": [0.1, 0.2], "y": [0.1]}, "x has 2 values, y has 1; expected the same number"),
        ({"x": [0.2, 0.1], "y": [0.1, 0.2]}, "x[1]: expected at least the 0.2 before it, got 0.1"),
        ({"x": np.array([{}], object), "y": [0.1]}, "not a NumPy archive with the arrays x and y"),
    ],
)
def test_a_file_that_is_no_calibration_is_refused_in_one_line(tmp_path, arrays, message):
    path = tmp_path / "c.npz"
    np.savez(path, **{name: np.asarray(values) for name, values in arrays.items()})
    with pytest.raises(InputError) as caught:
        calibration.read(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"no archive", b"PK\x03\x04cut"])
def test_other_files_are_refused_too(tmp_path, data):
    (tmp_path / "c.npz").write_bytes(data)
    with pytest.raises(InputError, match="not a NumPy archive"):
        calibration.read(tmp_path / "c.npz")
    with pytest.raises(MissingError, match="not found"):
        calibration.read(tmp_path / "d.npz")


def test_an_archive_that_is_damaged_or_packed_in_another_way_is_refused(tmp_path):
    path = tmp_path / "c.npz"
    np.savez_compressed(path, x=np.linspace(0, 1, 99), y=np.linspace(0, 1, 99))
    whole = path.read_bytes()
    for place, value in ((8, 99), (6, 1), (60, 255)):  # the way of packing, locked, what is packed
        damaged = bytearray(whole)
        directory = damaged.index(b"PK\x01\x02")
        damaged[place] = value
        if place < 30:  # the directory at the end says it again
            damaged[directory + place + 2] = value
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="not a NumPy archive"):
            calibration.read(path)


def test_a_folder_is_no_calibration(tmp_path):
    with pytest.raises(InputError, match=f"^{tmp_path}: cannot be read as a file: is a directory$"):
        calibration.read(tmp_path)


def box(confidence=None, category="animal", **place):
    full = {"category": category, "x": 0.1, "y": 0.1, "w": 0.2, "h": 0.2} | place
    return full | ({} if confidence is None else {"confidence": confidence})


def collection(tmp_path, photos):
    """Write a collection of photos, given as (human boxes or None, recorded boxes or None)."""
    given, found = [], []
    for at, (true, recorded) in enumerate(photos):
        place = {"image": f"d/{at:03}.jpg", "dataset": "d", "file": f"{at:03}.jpg"}
        given.append(place | {"location": f"c{at % 3}", "labels": [], "boxes": true})
        found.append(place | {"boxes": recorded, "failure": None if recorded is not None else "broken"})
    tables.write(rows(CATALOG, *given), tmp_path / "catalog/d.parquet", CATALOG)
    tables.write(rows(RECORDED, *found), tmp_path / "detections/v5/d.parquet", RECORDED)
    return tmp_path


def test_recorded_boxes_are_judged_by_human_ones(tmp_path):
    photos = [([box() | {"class": None}], [box(0.9), box(0.8, x=0.7)])] * 30
    photos += [([], [box(0.3)]), (None, [box(0.2)]), ([box() | {"class": None}], None)]
    judged = calibrating.judge(collection(tmp_path, photos), "v5")
    assert (len(judged.confidence), judged.is_right.sum(), judged.num_true, judged.num_photos) == (61, 30, 30, 31)
    assert judged.precision_recall(0.85) == (1.0, 1.0)
    assert judged.precision_recall(0.5) == (0.5, 1.0)
    assert sorted(set(judged.locations)) == ["d/c0", "d/c1", "d/c2"]
    curve, table, errors = calibrating.fit(judged, "v5", "2024-04-01")
    assert curve(np.array([0.3, 0.8, 0.9])).tolist() == [0.0, 0.0, 1.0]
    assert table["boxes"].sum() == 61
    assert errors["held_out"] < 0.02 < errors["raw"]


def test_what_is_recorded_must_be_a_table_of_this_version(tmp_path):
    path = collection(tmp_path, [([], [])]) / "detections/v5/e.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(TableError, match=f"^{path}: not a readable Parquet file"):
        calibrating.judge(tmp_path, "v5")


def test_a_box_of_another_category_is_wrong(tmp_path):
    photos = [([box() | {"class": None}], [box(0.9, "person")])] * 30 + [([box() | {"class": None}], [box(0.9)])] * 30
    assert calibrating.judge(collection(tmp_path, photos), "v5").is_right.sum() == 30


def test_too_few_boxes_give_no_calibration(tmp_path):
    with pytest.raises(InputError) as caught:
        calibrating.judge(collection(tmp_path, [([], [box(0.3)])] * 60), "v5")
    assert "60 boxes in 60 photos that people have boxed, 0 of them right" in str(caught.value)
    with pytest.raises(MissingError, match=r"v4: no recorded detections; there are: v5$"):
        calibrating.judge(tmp_path, "v4")
