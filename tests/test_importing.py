"""Import of photos and detections into a collection: checked before anything is written, readable afterwards."""

import shutil
from pathlib import Path
from typing import Any

import make
import pytest

from camtraps import collections, importing, tables
from camtraps.errors import FailuresError, InputError, MissingError
from camtraps.schema import CATALOG, RECORDED

DATASETS_HEADER = "dataset,images,photos,photos_digest,source,source_digest\n"


@pytest.fixture
def source(tmp_path):
    return make.write_source(tmp_path / "source")


def bring(source: Path, document: Any = None, **more: Any) -> importing.Imported:
    """Import the tiny collection, or another document with its images."""
    path = source / "cct.json" if document is None else make.write_json(source / "other.json", document)
    given = {"dataset": "tiny", "images": str(source / "images")} | more
    return importing.import_cct(source.parent / "data", source=path, **given)


def refused(kind: type[Exception], source: Path, document: Any = None, **more: Any) -> str:
    """Give the message, without the folder, and make sure that nothing was written."""
    with pytest.raises(kind) as caught:
        bring(source, document, **more)
    assert not (source.parent / "data").exists()
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(f"{source}/", "")


def results(*images: dict[str, Any], detector: str = "md_v5a.0.0.pt") -> dict[str, Any]:
    info = {"format_version": "1.6", "detector": detector}
    return {"info": info, "detection_categories": {"1": "animal"}, "images": list(images)}


def found(file: str, conf: float = 0.9) -> dict[str, Any]:
    return {"file": file, "detections": [{"category": "1", "conf": conf, "bbox": [0.25, 0.25, 0.5, 0.5]}]}


def detect(collection: Path, document: Any, dataset: str = "tiny", version: str | None = None) -> importing.Imported:
    path = make.write_json(collection.parent / "md.json", document)
    return importing.import_detections(collection, dataset, path, version)


def detect_refused(kind: type[Exception], collection: Path, document: Any, **more: Any) -> str:
    with pytest.raises(kind) as caught:
        detect(collection, document, **more)
    assert not list((collection / "detections").iterdir())
    return str(caught.value).replace(f"{collection}/", "").replace(f"{collection.parent}/", "")


def test_an_imported_photo_is_a_row_of_the_catalog(source):
    bring(source)
    rows = tables.read_arrow(source.parent / "data" / "catalog" / "tiny.parquet", CATALOG).to_pylist()
    assert [row["file"] for row in rows] == sorted(f"{at}/{name}.jpg" for at in make.LOCATIONS for name in make.CLASSES)
    row = next(row for row in rows if row["file"] == "NA/null.jpg")
    assert (row["location"], row["labels"]) == ("NA", [{"class": "null", "level": "image"}])


def test_the_summary_of_an_import_counts_what_is_there(source):
    lines = bring(source).lines()
    assert lines == [
        f"{source.parent}/data/catalog/tiny.parquet: 12 of 12 photos, 6 boxes, 4 classes, 3 locations, "
        "0 photos without location, from 2024-04-01 to 2024-04-01"
    ]


def test_an_import_prepares_what_else_a_collection_needs(source):
    bring(source)
    collection = source.parent / "data"
    assert (collection / "corrections.csv").read_text().startswith("dataset,file,correct_class,")
    assert (collection / "problems" / "tiny.csv").read_text() == "item,kind,reason\n"
    assert (collection / "detections").is_dir()
    assert importing.next_steps(collection) == [f"still missing in {collection}: taxonomy.csv, label_spec.json"]


def test_importing_again_gives_the_same_bytes_and_keeps_the_corrections(source):
    bring(source)
    collection = source.parent / "data"
    before = {path: path.read_bytes() for path in collection.rglob("*") if path.is_file()}
    (collection / "corrections.csv").write_text("mine")
    bring(source)
    after = {path: path.read_bytes() for path in collection.rglob("*") if path.is_file()}
    assert after == before | {collection / "corrections.csv": b"mine"}


def test_a_photo_that_was_replaced_changes_the_digest(source):
    bring(source)
    path = source.parent / "data" / "datasets.csv"
    before = collections.read_datasets(path)[0]
    (source / "images" / "007" / "fox.jpg").write_bytes(b"another photo")
    bring(source)
    after = collections.read_datasets(path)[0]
    assert before["photos_digest"] != after["photos_digest"]
    assert {**before, "photos_digest": ""} == {**after, "photos_digest": ""}


def test_each_dataset_keeps_its_own_image_folder(source):
    collection = source.parent / "data"
    shutil.copytree(source / "images", collection / "images")
    bring(source, images=str(collection / "images"))
    bring(source, dataset="b", images="s3://bucket/photos")
    bring(source, dataset="c")
    assert "\ntiny,images,12," in (collection / "datasets.csv").read_text()
    assert collections.read_image_roots(collection) == {
        "b": "s3://bucket/photos",
        "c": str(source / "images"),
        "tiny": f"{collection}/images",
    }


def test_as_many_absent_photos_as_allowed_are_counted(source):
    for location in make.LOCATIONS:
        (source / "images" / location / "fox.jpg").unlink()
    imported = bring(source, max_failed=0.25)
    assert imported.num_absent == 3
    assert imported.lines()[-1] == "  3 photos are not in the image folder; stages will list them as failed"


def test_absent_photos_above_the_limit_end_the_import(source):
    (source / "images" / "007" / "fox.jpg").unlink()
    (source / "images" / "NA" / "fox.jpg").unlink()
    assert refused(FailuresError, source, max_failed=0.1) == (
        "cct.json: 0 of 12 photos cannot be used and 2 are not in images, more than 10.0%; "
        "first: images/007/fox.jpg is not there; mend them or raise --max-failed"
    )


def test_dropped_photos_above_the_limit_end_the_import_with_their_reason(source):
    document = make.cct()
    document["images"][0]["datetime"] = "long ago"
    document["images"][3]["file_name"] = "../secret.jpg"
    assert refused(FailuresError, source, document) == (
        "other.json: 1 of 12 photos cannot be used and 0 are not in images, more than 1.0%; "
        "first: images[3] ../secret.jpg: file name leads out of the image folder; mend them or raise --max-failed"
    )


def test_dropped_photos_below_the_limit_are_listed_as_problems(source):
    document = make.cct()
    document["images"][3]["file_name"] = "../secret.jpg"
    imported = bring(source, document, max_failed=0.1)
    listed = source.parent / "data" / "problems" / "tiny.csv"
    assert imported.lines()[1:] == [
        "  1 dropped: file name leads out of the image folder",
        f"  each is listed in {listed}",
    ]
    assert listed.read_text() == (
        "item,kind,reason\nimages[3] ../secret.jpg,dropped,file name leads out of the image folder\n"
    )


def test_links_that_lead_nowhere_or_in_circles_are_passed_over(source):
    (source / "images" / "gone").symlink_to("nowhere")
    (source / "images" / "007" / "circle").symlink_to(source / "images")
    assert bring(source).num_absent == 0


def test_photos_behind_a_linked_folder_are_there(source):
    (source / "images" / "NA").rename(source / "elsewhere")
    (source / "images" / "NA").symlink_to(source / "elsewhere")
    assert bring(source).num_absent == 0


def test_an_absent_image_folder_is_named(source):
    assert refused(MissingError, source, images="/nowhere/photos") == "/nowhere/photos: image folder not found"


def test_an_empty_list_of_images_is_refused(source):
    document = make.cct() | {"images": [], "annotations": []}
    assert refused(InputError, source, document) == "other.json: its list of images is empty"


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "", "a b", "-x"])
def test_a_dataset_name_that_is_no_file_name_is_refused(source, name):
    assert refused(InputError, source, dataset=name) == (
        f"dataset name {name!r}: use letters, digits, '.', '_' and '-', a letter or digit first"
    )


def test_text_that_is_latin_1_is_refused_and_a_byte_order_mark_is_not(source):
    text = (source / "cct.json").read_text()
    (source / "cct.json").write_bytes(text.replace("north", "nördlich").encode("latin-1"))
    place = text.index("north") + 1
    assert refused(InputError, source) == f"cct.json: byte {place} is not UTF-8; save the file as UTF-8"
    (source / "cct.json").write_bytes(text.encode("utf-8-sig"))
    assert len(bring(source).parsed.rows) == 12


def test_a_checked_taxonomy_and_label_specification_are_copied(tmp_path):
    collection = make.write_collection(tmp_path)
    for name in ("taxonomy.csv", "label_spec.json"):
        assert (collection / name).read_bytes() == (tmp_path / "source" / name).read_bytes()
    assert importing.next_steps(collection)[0] == (
        "next: put `name: tiny` under `data:` in params.yaml, then `dvc repro`"
    )


def test_a_broken_label_specification_never_replaces_a_good_one(tmp_path):
    collection = make.write_collection(tmp_path)
    before = (collection / "label_spec.json").read_bytes()
    (tmp_path / "broken.json").write_text("{,}")
    with pytest.raises(InputError):
        importing.place_label_spec(collection, tmp_path / "broken.json")
    assert (collection / "label_spec.json").read_bytes() == before


def test_imported_detections_can_be_read_by_version(tmp_path):
    collection = make.write_collection(tmp_path)
    detect(collection, results(found("007/deer.jpg"), {"file": "NA/fox.jpg", "failure": "x"}))
    rows = collections.read_recorded(collection, "md_v5a.0.0.pt").set_index("image")
    box = {"category": "animal", "confidence": 0.9, **make.BOX}
    assert rows.loc["tiny/007/deer.jpg", "boxes"].tolist() == [box]
    assert rows.loc["tiny/NA/fox.jpg", "failure"] == "x"


def test_detections_are_kept_under_a_name_that_is_a_folder_name(tmp_path):
    collection = make.write_collection(tmp_path)
    detect(collection, results(found("007/deer.jpg"), detector="../MD v5/a.pt"))
    detect(collection, results(found("007/deer.jpg")), version="mine")
    assert sorted(path.name for path in (collection / "detections").iterdir()) == ["_MD_v5_a.pt", "mine"]


def test_of_all_versions_the_first_success_counts(tmp_path):
    collection = make.write_collection(tmp_path)
    detect(collection, results({"file": "007/deer.jpg", "failure": "x"}, found("NA/fox.jpg", 0.1)), version="a")
    detect(collection, results(found("007/deer.jpg", 0.5), found("NA/fox.jpg", 0.5)), version="b")
    rows = collections.read_recorded(collection, "all")
    assert dict(zip(rows["image"], rows["version"], strict=True)) == {"tiny/007/deer.jpg": "b", "tiny/NA/fox.jpg": "a"}
    assert len(collections.read_recorded(collection, "none")) == 0


def test_a_recorded_version_that_is_not_there_is_named_with_those_that_are(tmp_path):
    collection = make.write_collection(tmp_path)
    detect(collection, results(found("007/deer.jpg")), version="a")
    with pytest.raises(MissingError) as caught:
        collections.read_recorded(collection, "b")
    assert str(caught.value) == f"{collection}/detections/b: no such recorded detector; there are: a"


def test_a_written_result_keeps_failures_and_empties_apart(tmp_path):
    collection = make.write_collection(tmp_path)
    photos = [{"file": "007/deer.jpg", "detections": []}, {"file": "NA/fox.jpg", "failure": "x", "detections": None}]
    imported = detect(collection, results(*photos), version="a")
    rows = tables.read_arrow(imported.path, RECORDED).select(["failure", "boxes"]).to_pylist()
    assert rows == [{"failure": None, "boxes": []}, {"failure": "x", "boxes": None}]


@pytest.mark.parametrize("file", ["deer.jpg", "/data/images/007/deer.jpg", "C:\\images\\deer.jpg"])
def test_results_for_other_files_than_those_of_the_catalog_are_refused(tmp_path, file):
    collection = make.write_collection(tmp_path)
    assert detect_refused(InputError, collection, results(found(file))) == (
        f"md.json: none of its files is in the catalog of tiny: it has {file!r}, the catalog '007/deer.jpg'; "
        "run the detector with paths relative to the image folder"
    )


def test_results_for_a_dataset_that_is_not_there_are_refused(tmp_path):
    collection = make.write_collection(tmp_path)
    said = detect_refused(MissingError, collection, results(found("a.jpg")), dataset="other")
    assert said == "catalog/other.parquet: not found; bring the dataset in with `camtraps import cct` first"


@pytest.mark.parametrize("version", ["all", "none"])
def test_results_cannot_be_kept_under_a_word_of_params_yaml(tmp_path, version):
    collection = make.write_collection(tmp_path)
    said = detect_refused(InputError, collection, results(found("007/deer.jpg")), version=version)
    assert said == f"version {version!r}: has a meaning of its own in params.yaml (detect.recorded); choose another"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "dataset,images\n",
            ":1: column photos, photos_digest, source, source_digest is missing; it has dataset, images",
        ),
        (
            DATASETS_HEADER + "tiny\n",
            ": line 2: expected dataset, images, photos, photos_digest, source, source_digest, got only tiny",
        ),
    ],
)
def test_a_malformed_list_of_datasets_is_refused(tmp_path, text, said):
    (tmp_path / "datasets.csv").write_text(text)
    with pytest.raises(InputError) as caught:
        collections.read_image_roots(tmp_path)
    assert str(caught.value) == f"{tmp_path}/datasets.csv{said}"


def test_a_collection_without_datasets_says_how_to_bring_one_in(tmp_path):
    with pytest.raises(MissingError) as caught:
        collections.read_image_roots(tmp_path)
    assert str(caught.value) == f"{tmp_path}/datasets.csv: not found; bring photos in with `camtraps import cct`"


def test_a_taxonomy_of_another_dataset_is_noticed(source):
    imported = bring(source, make.cct())
    collection = source.parent / "data"
    (collection / "taxonomy.csv").write_text("dataset_name,query,taxonomy_string\nother,fox,\n")
    (line,) = importing.missing_from_taxonomy(collection, imported)
    assert line.startswith(f"warning: {collection / 'taxonomy.csv'} has no row for ")
    assert line.endswith("its dataset_name column has other")
