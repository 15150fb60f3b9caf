"""Import of recorded results: merged by photo, the same bytes for the same results, nothing written where refused."""

import csv
import json
import random
import shutil
import zipfile
from pathlib import Path
from typing import Any

import make
import pytest

from camtraps import recorded, recording, tables
from camtraps.errors import InputError, MissingError
from camtraps.schema import RECORDED

BOX = {"category": "animal", "confidence": 0.9, **make.BOX}
DEER, FOX = "007/deer.jpg", "NA/fox.jpg"
FAILED = {"file": DEER, "failure": "x", "detections": None}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Make the tiny collection once."""
    return make.write_collection(tmp_path_factory.mktemp("made"))


@pytest.fixture
def collection(made, tmp_path):
    """Give a copy of the tiny collection."""
    return Path(shutil.copytree(made, tmp_path / "data" / "tiny"))


def found(file: str, conf: float = 0.9, category: str = "1") -> dict[str, Any]:
    return {"file": file, "detections": [{"category": category, "conf": conf, "bbox": [0.25, 0.25, 0.5, 0.5]}]}


def results(*images: dict[str, Any], detector: str | None = "md_v5a.0.0.pt", **more: Any) -> dict[str, Any]:
    info = {"format_version": "1.6"} | ({"detector": detector} if detector else {})
    return {"info": info, "detection_categories": {"1": "animal"}, "images": list(images)} | more


def detect(collection: Path, *documents: dict[str, Any], dataset: str = "tiny", **more: Any) -> recording.Recorded:
    paths = [make.write_json(collection.parent / f"{'ab'[at]}.json", each) for at, each in enumerate(documents)]
    return recording.import_detections(collection, dataset, paths, **more)


def refused(kind: type[Exception], collection: Path, *documents: dict[str, Any], **more: Any) -> str:
    with pytest.raises(kind) as caught:
        detect(collection, *documents, **more)
    assert not list((collection / "detections").iterdir())
    return str(caught.value).replace(f"{collection}/", "").replace(f"{collection.parent}/", "")


def rows(imported: recording.Recorded) -> dict[str, Any]:
    """Give the table: file -> confidences of its boxes, or its failure."""
    return {
        row["file"]: row["failure"] or [box["confidence"] for box in row["boxes"]]
        for row in tables.read_arrow(imported.path, RECORDED).to_pylist()
    }


def problems(collection: Path, version: str = "md_v5a.0.0.pt") -> list[dict[str, str]]:
    with (collection / "problems" / f"tiny.{version}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_results_are_kept_by_the_name_of_their_detector(collection):
    imported = detect(collection, results(found(DEER), {"file": FOX, "failure": "x"}))
    assert imported.path == collection / "detections" / "md_v5a.0.0.pt" / "tiny.parquet"
    assert imported.lines == (f"{imported.path}: results for 2 of 12 photos, 1 box, 1 failed",)
    assert tables.read_arrow(imported.path, RECORDED).to_pylist() == [
        {"image": f"tiny/{DEER}", "dataset": "tiny", "file": DEER, "failure": None, "note": None, "boxes": [BOX]},
        {"image": f"tiny/{FOX}", "dataset": "tiny", "file": FOX, "failure": "x", "note": None, "boxes": None},
    ]
    assert problems(collection) == []


def test_a_failure_is_no_crash_and_no_empty_photo(collection):  # D5
    images = [
        {"file": DEER, "failure": "x"},
        {"file": FOX, "failure": "y", "detections": None},
        {"file": "NA/null.jpg"},
    ]
    assert rows(detect(collection, results(*images, {"file": "NA/deer.jpg", "detections": []}))) == {
        DEER: "x",
        FOX: "y",
        "NA/deer.jpg": [],
        "NA/null.jpg": "no detections recorded",
    }
    assert recorded.read(collection, "all")["boxes"].isna().tolist() == [True, False, True, True]


def test_categories_are_merged_by_name_whatever_their_ids(collection):  # D6
    four, three = {"0": "empty", "1": "animal", "2": "person", "3": "group", "4": "vehicle"}, {"1": "vehicle"}
    one = results(found(DEER, category="4"), detection_categories=four)
    imported = detect(collection, one, results(found(FOX, category="1"), detection_categories=three))
    boxes = [row["boxes"] for row in tables.read_arrow(imported.path, RECORDED).to_pylist()]
    assert [[box["category"] for box in each] for each in boxes] == [["vehicle"], ["vehicle"]]
    assert imported.lines == (f"{imported.path}: results for 2 of 12 photos, 2 boxes (2 vehicle)",)


@pytest.mark.parametrize(
    ("detector", "version"),
    [
        ("md_v4.1.0.pb", "md_v4.1.0.pb"),
        ("md_v5a.0.0.pt", "md_v5a.0.0.pt"),
        ("mdv5", "mdv5"),
        ("redwood", "redwood"),
        (None, "megadetector_v4"),
        ("/models/my model (2).pt", "my_model__2_.pt"),
        ("C:\\models\\md v5.pt", "md_v5.pt"),
        ("../..", "unnamed"),
        ("-rf", "rf"),
        ("x" * 300, "x" * 100),
        ("é\ud800", "ud800"),
        (5.1, "5.1"),
    ],
)
def test_any_name_of_a_model_is_a_version(collection, detector, version):  # D7
    assert detect(collection, results(found(DEER), detector=detector)).path.parent.name == version


@pytest.mark.parametrize("version", ["all", "none", "human", "motion"])
def test_a_word_with_a_meaning_is_no_version(collection, version):
    said = f"version {version!r}: has a meaning of its own; choose another with --version"
    assert refused(InputError, collection, results(found(DEER)), version=version) == said
    assert refused(InputError, collection, results(found(DEER), detector=version)) == said


@pytest.mark.parametrize("version", ["", "a/b", "..", "a b"])
def test_a_version_that_is_given_must_be_a_name(collection, version):
    said = f"version {version!r}: use letters, digits, '.', '_' and '-', a letter or digit first"
    assert refused(InputError, collection, results(found(DEER)), version=version) == said


def test_files_of_two_detectors_need_a_version(collection):
    documents = results(found(DEER)), results(found(FOX), detector="md_v4.1.0.pb")
    assert refused(InputError, collection, *documents) == (
        "b.json: made by md_v4.1.0.pb, but a.json by md_v5a.0.0.pt; import each by itself, or name what to keep them "
        "all as with --version"
    )
    assert set(rows(detect(collection, *documents, version="both"))) == {DEER, FOX}


def test_of_a_photo_that_stands_twice_the_first_success_counts(collection):
    twice = [{"file": DEER, "failure": "x"}, found(DEER, 0.5), found(DEER, 0.7), {"file": DEER, "failure": "y"}]
    imported = detect(collection, results(*twice), results(found(DEER, 0.8), found(FOX)))
    assert rows(imported) == {DEER: [0.5], FOX: [0.9]}
    assert imported.lines[1:] == ("  4 results left out, because another one of the same photo comes first",)


def test_importing_again_merges_and_a_success_replaces_a_failure(collection):
    detect(collection, results(FAILED, found(FOX, 0.1)))
    imported = detect(collection, results(found(DEER, 0.5), found(FOX, 0.5), found("NA/deer.jpg")))
    assert rows(imported) == {DEER: [0.5], "NA/deer.jpg": [0.9], FOX: [0.1]}
    assert imported.lines == (
        f"{imported.path}: results for 3 of 12 photos, 3 boxes",
        "  1 photo is recorded already, and not changed; --replace takes the new results",
        "  1 failure of an earlier import made good",
    )


def test_replacing_forgets_what_was_there(collection):
    detect(collection, results(found(DEER), found(FOX, 0.1)))
    assert rows(detect(collection, results(found(FOX, 0.5)), replace=True)) == {FOX: [0.5]}


def test_other_datasets_and_versions_are_left_alone(collection):
    other = detect(collection, results(found(DEER)), version="other").path
    before = other.read_bytes()
    detect(collection, results(found(FOX)))
    assert other.read_bytes() == before


def test_the_same_results_are_the_same_bytes_in_any_order(collection):
    images = [found(f"{at:05}.jpg") for at in range(3000)] + [found(DEER), FAILED | {"file": FOX}]
    path = detect(collection, results(*images)).path
    before = path.read_bytes()
    random.Random(0).shuffle(images)
    document = results(*images)
    shuffled = {key: document[key] for key in reversed(document)}
    assert detect(collection, shuffled, replace=True).path.read_bytes() == before
    assert detect(collection, shuffled).path.read_bytes() == before


def test_many_batches_are_as_one(collection, monkeypatch):
    images = [found(f"{at:02}.jpg") for at in range(20)] + [found(DEER), FAILED | {"file": FOX}, found(FOX, 7)]
    before = detect(collection, results(*images)).path.read_bytes()
    monkeypatch.setattr(recording, "BATCH", 3)
    assert detect(collection, results(*images), replace=True).path.read_bytes() == before


def test_notes_of_an_earlier_run_of_a_detector_stay(collection):
    row = {"image": f"tiny/{FOX}", "dataset": "tiny", "file": FOX, "failure": None, "note": "dark", "boxes": []}
    path = collection / "detections" / "v1" / "tiny.parquet"
    tables.write_arrow(tables.pa.Table.from_pylist([row], schema=RECORDED.schema), path, RECORDED)
    detect(collection, results(found(DEER)), version="v1")
    assert [row["note"] for row in tables.read_arrow(path, RECORDED).to_pylist()] == [None, "dark"]


def test_an_earlier_import_that_cannot_be_read_is_no_dead_end(collection):
    path = collection / "detections" / "a" / "tiny.parquet"
    path.parent.mkdir()
    path.write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"tiny.parquet: not a readable Parquet file: .*; import with --replace$"):
        detect(collection, results(found(DEER)), version="a")
    assert rows(detect(collection, results(found(DEER)), version="a", replace=True)) == {DEER: [0.9]}


def test_problems_are_counted_by_reason_and_listed_with_their_value(collection):
    wrong = found("NA/deer.jpg") | {
        "detections": [{"category": "1", "conf": conf, "bbox": [0, 0, 1, 1]} for conf in (2, 3)]
    }
    unknown = found(DEER)["detections"] + found(DEER, category="9")["detections"]
    images = [{"file": DEER, "detections": unknown}, wrong, {"file": "../x.jpg", "detections": []}, found("x.jpg")]
    imported = detect(collection, results(*images))
    assert rows(imported) == {DEER: [0.9], "NA/deer.jpg": "none of its boxes can be used", "x.jpg": [0.9]}
    listed = f"{collection}/problems/tiny.md_v5a.0.0.pt.csv"
    assert imported.lines == (
        f"{imported.path}: results for 2 of 12 photos, 1 box, 1 failed",
        "  1 dropped: file name leads out of the image folder (first: images[2] ../x.jpg)",
        f"  1 ignored: category is not in detection_categories (first: images[0] {DEER}: 9)",
        "  2 ignored: conf is not a number from 0 to 1 (first: images[1] NA/deer.jpg: 2)",
        f"  each is listed in {listed}",
        "  1 photo is not in the catalog of tiny (first: x.jpg)",
    )
    assert problems(collection)[0] == {
        "item": "images[1] NA/deer.jpg",
        "kind": "ignored",
        "reason": "conf is not a number from 0 to 1",
        "found": "2",
    }


def test_of_several_files_a_problem_names_its_own(collection):
    detect(collection, results(found(DEER)), results(found(FOX, category="9"), found(DEER, 7)))
    assert [row["item"] for row in problems(collection)] == [f"b.json images[1] {DEER}", f"b.json images[0] {FOX}"]


@pytest.mark.parametrize("file", [f"./{DEER}", ".//007//./deer.jpg", "007\\deer.jpg", ".\\007\\deer.jpg"])
def test_results_may_write_a_path_in_other_ways(collection, file):
    assert set(rows(detect(collection, results(found(file))))) == {DEER}


@pytest.mark.parametrize("folder", ["tiny", "images", "source/images"])
def test_a_folder_above_the_photos_is_left_out_where_they_are_found_so(collection, folder):
    imported = detect(collection, results(found(f"{folder}/{DEER}"), found(f"{folder}/x.jpg"), found("y.jpg")))
    assert set(rows(imported)) == {DEER, "x.jpg", "y.jpg"}
    assert f"  {folder + '/'!r} in front of file names was left out" in imported.lines


def test_a_folder_of_the_catalog_is_not_left_out(collection):
    path = collection / "datasets.csv"
    path.write_text(path.read_text().replace("source/images", "007"))
    assert set(rows(detect(collection, results(found(DEER), found(FOX))))) == {DEER, FOX}


def test_an_absolute_path_in_the_image_folder_is_made_relative(collection, made):
    images = made.parents[1] / "source" / "images"
    outside = {"file": str(made / "x.jpg"), "detections": []}
    imported = detect(collection, results(found(f"{images}/{DEER}"), found(str(images / "new.jpg")), outside))
    assert set(rows(imported)) == {DEER, "new.jpg"}
    assert problems(collection)[0]["reason"] == "file name leads out of the image folder"


def move(collection: Path, images: str) -> None:
    """Say that the photos lie elsewhere."""
    text = (collection / "datasets.csv").read_text().split("\n")
    text[1] = ",".join(["tiny", images, *text[1].split(",")[2:]])
    (collection / "datasets.csv").write_text("\n".join(text))


def test_a_web_address_of_a_photo_is_made_relative(collection):
    move(collection, "s3://bucket/photos")
    assert set(rows(detect(collection, results(found(f"s3://bucket/photos/{DEER}"))))) == {DEER}
    assert set(rows(detect(collection, results(found(f"bucket/photos/{FOX}")), replace=True))) == {FOX}


def test_a_web_address_may_be_quoted_and_carry_a_key(collection):
    move(collection, "https://x.org/a%20b")
    names = {DEER: f"{DEER}?sig=a%2Fb", "cam 1/ä#?.jpg": "cam%201/%C3%A4%23%3F.jpg?sv=1", "1%.jpg": "1%25.jpg"}
    images = [found(f"https://x.org/a%20b/{name}") for name in names.values()]
    climbing = found("https://x.org/a%20b/%2E%2E/x.jpg")
    assert set(rows(detect(collection, results(*images, climbing)))) == set(names)
    assert problems(collection)[0]["reason"] == "file name leads out of the image folder"


def test_a_photo_of_whose_boxes_no_category_is_known_is_not_an_empty_one(collection):
    images = [found(DEER, category="9"), {"file": FOX, "detections": []}, FAILED | {"file": "NA/deer.jpg"}]
    assert rows(detect(collection, results(*images))) == {
        DEER: "none of its boxes can be used",
        FOX: [],
        "NA/deer.jpg": "x",
    }


def test_a_video_is_skipped(collection):
    video = {"file": "007/deer.mp4", "frame_rate": 30, "detections": []}
    imported = detect(collection, results(found(DEER), video))
    assert set(rows(imported)) == {DEER}
    assert imported.lines[1] == "  1 skipped: it is a video, not a photo (first: images[1] 007/deer.mp4)"


def test_half_characters_in_results_are_escaped(collection):
    images = [
        found(DEER),
        {"file": FOX, "failure": "x\ud800"},
        found("\ud800.jpg"),
        found("007/fox.jpg", category="\ud800"),
    ]
    imported = detect(collection, results(*images, detection_categories={"1": "animal\ud800"}))
    first, fox, other = tables.read_arrow(imported.path, RECORDED).to_pylist()
    assert (first["boxes"][0]["category"], fox["boxes"], other["failure"]) == ("animal\\ud800", None, "x\\ud800")
    assert [(row["kind"], row["found"]) for row in problems(collection)] == [("dropped", ""), ("ignored", "\\ud800")]


def test_results_may_be_zipped(collection):
    with zipfile.ZipFile(collection.parent / "md.zip", "w") as archive:
        archive.writestr("md.json", json.dumps(results(found(DEER))))
    assert set(rows(recording.import_detections(collection, "tiny", [collection.parent / "md.zip"]))) == {DEER}


@pytest.mark.parametrize(
    ("file", "shown"),
    [
        ("deer.jpg", "deer.jpg"),
        ("/data/images/007/deer.jpg", "images[0] /data/images/007/deer.jpg"),
        ("C:\\images\\deer.jpg", "images[0] C:/images/deer.jpg"),
    ],
)
def test_results_for_other_files_than_those_of_the_catalog_are_refused(collection, file, shown):
    assert refused(InputError, collection, results(found(file))) == (
        f"a.json: none of its files is in the catalog of tiny: it has {shown!r}, the catalog '007/deer.jpg'; "
        "run the detector with paths relative to the image folder"
    )


def test_each_of_several_files_must_have_photos_of_the_catalog(collection):
    said = refused(InputError, collection, results(found(DEER)), results(found("x.jpg")))
    assert said.startswith("b.json: none of its files is in the catalog of tiny: it has 'x.jpg'")


@pytest.mark.parametrize("dataset", ["other", "../tiny"])
def test_results_for_a_dataset_that_is_not_there_are_refused(collection, dataset):
    said = refused(MissingError, collection, results(found("a.jpg")), dataset=dataset)
    assert said == (
        f"catalog/{dataset}.parquet: not found; bring the dataset in with `camtraps import` first, or name one that is "
        "there with --dataset: tiny"
    )


def test_of_many_faults_twenty_are_shown_and_the_rest_counted(collection):
    said = refused(InputError, collection, results(*[{}] * 25))
    assert said.count("expected an object with a text 'file'") == 20
    assert said.endswith("; and 5 more")
