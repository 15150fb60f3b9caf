"""What we write of MegaDetector's format: read again by our reader, the same bytes, with ids for all categories."""

import json

import pyarrow as pa
import pytest

from camtraps.formats import megadetector, megadetector_json
from camtraps.formats.megadetector import Header, Result
from camtraps.formats.megadetector_json import TEXT, Document

BOX = '{"category": "1", "conf": 0.9, "bbox": [0.1, 0.2, 0.3, 0.4]}'


def document(files=("a.jpg", "b.jpg")):
    head = megadetector_json.head({"detector": "motion"}, megadetector.CATEGORIES, {"0": "fox"})
    entries = [f'"detections": [{BOX}]}}', megadetector_json.failure('photo "x" not found')]
    return Document(head, files, pa.array(entries, TEXT))


def test_what_we_write_we_can_read(tmp_path):
    megadetector_json.write(document(), tmp_path / "md.json")
    assert list(megadetector.read(tmp_path / "md.json")) == [
        Result(0, "a.jpg", None, [("1", 0.9, 0.1, 0.2, 0.3, 0.4)]),
        Result(1, "b.jpg", 'photo "x" not found', None),
        Header("motion", {"1": "animal", "2": "person", "3": "vehicle"}),
    ]
    written = json.loads((tmp_path / "md.json").read_text())
    assert written["info"] == {"detector": "motion", "format_version": "1.6"}
    assert written["classification_categories"] == {"0": "fox"}


def test_the_same_document_is_the_same_bytes_however_many_lines_are_written_together(tmp_path, monkeypatch):
    megadetector_json.write(document(), tmp_path / "one.json")
    monkeypatch.setattr(megadetector_json, "LINES", 1)
    megadetector_json.write(document(), tmp_path / "other.json")
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "other.json").read_bytes()


def test_categories_that_are_not_usual_get_the_next_numbers():
    ids = megadetector_json.category_ids(["group", "animal", "car"])
    assert ids == {"animal": "1", "person": "2", "vehicle": "3", "car": "4", "group": "5"}


def test_a_head_gets_more_keys_without_being_changed():
    first = document()
    more = first.with_head(info={}, note="x")
    assert (more.head["note"], more.head["info"], first.head["info"]["detector"]) == ("x", {}, "motion")


def test_nan_is_refused():
    with pytest.raises(ValueError, match="JSON compliant"):
        megadetector_json.text(float("nan"))
