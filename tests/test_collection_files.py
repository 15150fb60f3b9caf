"""The small files of a collection: what replaces what, what is still missing."""

import json

import make
import pytest

from camtraps import collection_files as files
from camtraps.collections import DATASET_COLUMNS, read_datasets

ROW = dict.fromkeys(DATASET_COLUMNS, "x")


@pytest.fixture
def collection(tmp_path, monkeypatch):
    """Give a collection without a taxonomy and a specification."""
    monkeypatch.chdir(tmp_path)
    make.write_source(tmp_path / "source")
    files.record_datasets(tmp_path / "mine", [ROW | {"dataset": "tiny", "images": "/photos"}])
    return (tmp_path / "mine").relative_to(tmp_path)


def test_a_row_of_a_dataset_replaces_its_earlier_one(collection):
    new = [ROW | {"dataset": "tiny", "images": "b"}, ROW | {"dataset": "other", "images": "c"}]
    files.record_datasets(collection, new)
    assert (collection / "datasets.csv").read_text().splitlines()[1:] == ["other,c,x,x,x,x", "tiny,b,x,x,x,x"]


def test_what_is_missing_is_said_with_the_way_to_get_it(collection):
    assert files.next_steps(collection) == [
        "still missing: mine/taxonomy.csv, in the layout of LILA's taxonomy mapping; put it there, or import again "
        "with --taxonomy",
        "still missing: mine/label_spec.json; `camtraps labels suggest --name mine --out mine/label_spec.json` "
        "proposes one",
    ]


def test_a_complete_collection_says_how_to_run_and_version_it(collection, tmp_path):
    files.place_taxonomy(collection, tmp_path / "source" / "taxonomy.csv")
    assert files.place_label_spec(collection, tmp_path / "source" / "label_spec.json") == []
    assert files.next_steps(collection) == [
        "next: put `name: mine` under `data:` in params.yaml, then `dvc repro`",
        "to version it: dvc add mine/catalog mine/detections, and git add mine",
    ]


def test_photos_in_the_collection_are_not_for_git(collection, tmp_path):
    files.place_taxonomy(collection, tmp_path / "source" / "taxonomy.csv")
    files.place_label_spec(collection, tmp_path / "source" / "label_spec.json")
    files.record_datasets(collection, [ROW | {"dataset": name, "images": f"images/{name}"} for name in "ab"])
    assert files.next_steps(collection)[1] == (
        "to version it: dvc add mine/catalog mine/detections mine/images, and git add mine"
    )


def test_a_specification_of_the_other_form_is_removed(collection, tmp_path):
    files.place_label_spec(collection, tmp_path / "source" / "label_spec.json")
    (tmp_path / "spec.CSV").write_text("output_label,type,content\nfox,family,canidae\n")
    assert files.place_label_spec(collection, tmp_path / "spec.CSV") == [
        "mine/label_spec.csv takes the place of mine/label_spec.json, which was removed"
    ]
    assert [path.name for path in collection.glob("label_spec*")] == ["label_spec.csv"]
    files.place_taxonomy(collection, tmp_path / "source" / "taxonomy.csv")
    assert files.next_steps(collection)[0] == (
        "next: put `name: mine` and `label_spec: label_spec.csv` under `data:` in params.yaml, then `dvc repro`"
    )


def test_a_specification_that_lies_there_already_is_kept(collection):
    (collection / "label_spec.json").write_text(json.dumps(make.LABEL_SPEC))
    assert files.place_label_spec(collection, collection / "label_spec.json") == []
    assert json.loads((collection / "label_spec.json").read_text()) == make.LABEL_SPEC


def test_classes_that_the_taxonomy_lacks_are_named(collection, tmp_path):
    assert files.missing_from_taxonomy(collection, [("mine", "fox")]) == []
    files.place_taxonomy(collection, tmp_path / "source" / "taxonomy.csv")
    assert files.missing_from_taxonomy(collection, [("Tiny", "Fox"), ("tiny", "deer")]) == []
    assert files.missing_from_taxonomy(collection, [("mine", "fox"), ("tiny", "deer")]) == [
        "warning: mine/taxonomy.csv has no row for 1 of 2 classes: fox; add rows, or import with a --dataset that its "
        "dataset_name column has: tiny"
    ]


def test_folders_of_a_person_say_what_they_are_for_and_are_left_as_they_are(collection):
    files.create_folders(collection)
    assert {path.relative_to(collection).as_posix() for path in collection.rglob("*.txt")} == {
        "foreign/README.txt",
        "splits/README.txt",
    }
    (collection / "splits/README.txt").write_text("ours")
    files.create_folders(collection)
    assert (collection / "splits/README.txt").read_text() == "ours"


def test_a_licence_that_somebody_wrote_stays_when_a_dataset_is_imported_again(tmp_path):
    files.record_datasets(tmp_path, [ROW | {"dataset": name} for name in ("a", "b")])
    path = tmp_path / "datasets.csv"
    first, *others = path.read_text().splitlines()
    path.write_text("\n".join([f"{first},licence", f"{others[0]},CC BY 4.0", f"{others[1]},"]) + "\n")
    files.record_datasets(tmp_path, [ROW | {"dataset": "a", "photos": "9"}, ROW | {"dataset": "c"}])
    rows = read_datasets(path)
    assert [(each["dataset"], each["licence"]) for each in rows] == [("a", "CC BY 4.0"), ("b", ""), ("c", "")]
    assert rows[0]["photos"] == "9"
