"""Recorded detections: read by version, for some photos only, a success before every failure."""

from pathlib import Path
from typing import Any

import make
import pandas as pd
import pytest
from make_tables import rows as filled

from camtraps import recorded, recording, tables
from camtraps.errors import MissingError, TableError
from camtraps.schema import RECORDED

FOX = {"category": "animal", "confidence": 0.9, **make.BOX}
CAR = FOX | {"category": "vehicle"}


def write(collection: Path, version: str, given: dict[str, Any], dataset: str = "d") -> None:
    """Write results: file -> boxes, or why it failed."""
    rows = [
        {"dataset": dataset, "file": file, "note": None}
        | ({"failure": what, "boxes": None} if isinstance(what, str) else {"failure": None, "boxes": what})
        for file, what in given.items()
    ]
    tables.write(filled(RECORDED, *rows), collection / "detections" / version / f"{dataset}.parquet", RECORDED)


def read(collection: Path, version: str, *images: str) -> dict[str, tuple[str, str | None, list[Any] | None]]:
    """Read results: image -> version, failure, boxes."""
    rows = recorded.read(collection, version, pd.Series(images) if images else None)
    assert list(rows) == ["image", "version", "failure", "note", "boxes"]
    assert rows["note"].isna().all()
    columns = (rows[name].astype(object).where(rows[name].notna(), None) for name in ("version", "failure"))
    boxes = [None if each is pd.NA else each for each in rows["boxes"].tolist()]
    return dict(zip(rows["image"], zip(*columns, boxes, strict=True), strict=True))


def test_results_are_read_by_version(tmp_path):
    write(tmp_path, "a", {"1.jpg": [FOX, CAR], "2.jpg": [], "3.jpg": "broken"})
    write(tmp_path, "a", {"1.jpg": [CAR]}, "e")
    write(tmp_path, "b", {"4.jpg": [FOX]})
    assert read(tmp_path, "a") == {
        "d/1.jpg": ("a", None, [FOX, CAR]),
        "d/2.jpg": ("a", None, []),
        "d/3.jpg": ("a", "broken", None),
        "e/1.jpg": ("a", None, [CAR]),
    }


def test_of_all_versions_the_first_success_counts(tmp_path):
    write(tmp_path, "b", {"1.jpg": [FOX], "2.jpg": [FOX], "3.jpg": "late"})
    write(tmp_path, "a", {"1.jpg": "broken", "2.jpg": [CAR], "3.jpg": "early"})
    assert read(tmp_path, "all") == {
        "d/1.jpg": ("b", None, [FOX]),
        "d/2.jpg": ("a", None, [CAR]),
        "d/3.jpg": ("a", "early", None),
    }


def test_only_what_is_asked_for_is_given(tmp_path):
    write(tmp_path, "a", {"1.jpg": [FOX], "2.jpg": []})
    assert set(read(tmp_path, "a", "d/2.jpg", "d/9.jpg")) == {"d/2.jpg"}
    assert len(recorded.read(tmp_path, "a", pd.Series([], dtype="str"))) == 0


def test_without_results_there_is_no_row(tmp_path):
    assert read(tmp_path, "all") == {}
    write(tmp_path, "a", {"1.jpg": [FOX]})
    assert read(tmp_path, "none") == {}


def test_only_tables_are_results(tmp_path):
    write(tmp_path, "a", {"1.jpg": [FOX]})
    (tmp_path / "detections" / "a" / "calibration.npz").touch()
    (tmp_path / "detections" / "motion").mkdir()
    (tmp_path / "detections" / "motion" / "calibration.npz").touch()
    assert set(read(tmp_path, "all")) == {"d/1.jpg"}
    assert read(tmp_path, "motion") == {}


def test_a_version_that_is_not_there_is_named_with_those_that_are(tmp_path):
    write(tmp_path, "a", {})
    with pytest.raises(MissingError) as caught:
        recorded.read(tmp_path, "b")
    assert str(caught.value) == f"{tmp_path}/detections/b: no such recorded detector; there are: a"


def test_a_table_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "detections" / "a" / "d.parquet"
    path.parent.mkdir(parents=True)
    pd.DataFrame({"image": ["d/1.jpg"]}).to_parquet(path)
    with pytest.raises(TableError, match="not a recorded detections table of this version"):
        recorded.read(tmp_path, "a")


def test_a_version_may_be_called_otherwise_than_the_model_in_the_file(tmp_path):  # C5
    collection = make.write_collection(tmp_path / "made")
    found = {"file": "007/deer.jpg", "detections": [{"category": "1", "conf": 0.9, "bbox": list(make.BOX.values())}]}
    info = {"format_version": "1.6", "detector": "md_v4.1.0.pb"}
    document = {"info": info, "detection_categories": {"1": "animal"}, "images": [found]}
    recording.import_detections(collection, "tiny", [make.write_json(tmp_path / "a.json", document)], version="4.1")
    assert read(collection, "4.1") == {"tiny/007/deer.jpg": ("4.1", None, [FOX])}
