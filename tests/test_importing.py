"""Import of photos into a collection: checked before anything is written, readable afterwards."""

import shutil
from pathlib import Path
from typing import Any

import make
import pytest

from camtraps import collection_files, collections, importing, tables
from camtraps.errors import FailuresError, InputError, MissingError
from camtraps.formats.rows import Annotation, Given, Location, Photo
from camtraps.importing import Source
from camtraps.intake import Rules
from camtraps.schema import CATALOG

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


def bring_rows(collection: Path, *given: Given) -> importing.Imported:
    """Import rows as a reader gives them; those without a dataset are of `main`."""
    path = make.write_json(collection.parent / "rows.json", [])
    return importing.import_photos(collection, Source(path=path, given=given, images="s3://x"), Rules(dataset="main"))


def photo(dataset: str | None, file: str, label: str = "deer") -> list[Given]:
    key = f"{dataset}/{file}"
    return [Photo(f"row {key}", key, file, dataset=dataset), Annotation(f"row {key}", key, label)]


def datasets(collection: Path) -> list[str]:
    return sorted(path.stem for path in (collection / "catalog").glob("*.parquet"))


def test_an_imported_photo_is_a_row_of_the_catalog(source):
    bring(source)
    rows = tables.read_arrow(source.parent / "data" / "catalog" / "tiny.parquet", CATALOG).to_pylist()
    assert [row["file"] for row in rows] == sorted(f"{at}/{name}.jpg" for at in make.LOCATIONS for name in make.CLASSES)
    row = next(row for row in rows if row["file"] == "NA/null.jpg")
    assert (row["location"], row["labels"]) == ("NA", [{"class": "null", "level": "image"}])


def test_the_summary_of_an_import_counts_what_is_there(source):
    assert bring(source).lines == (
        f"{source.parent}/data/catalog/tiny.parquet: 12 of 12 photos, 6 boxes, 4 classes, 3 locations, "
        "from 2024-04-01 to 2024-04-01",
    )


def test_the_summary_of_an_import_counts_what_is_not_there(source):
    document = make.cct()
    document["images"][0] |= {"location": None, "datetime": None}
    document["annotations"] = document["annotations"][1:]
    (line,) = bring(source, document).lines
    assert line.endswith(", 1 without location, 1 without label, 1 without time")


def test_an_import_prepares_what_else_a_collection_needs(source):
    bring(source)
    collection = source.parent / "data"
    assert (collection / "corrections.csv").read_text().startswith("dataset,file,correct_class,")
    assert (collection / "problems" / "tiny.csv").read_text() == "item,kind,reason,found\n"
    assert (collection / "detections").is_dir()


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
    assert imported.lines[-1] == (
        f"  3 photos are not in the image folder (first: {source}/images/007/fox.jpg); stages will list them as failed"
    )


def test_absent_photos_above_the_limit_end_the_import(source):
    (source / "images" / "007" / "fox.jpg").unlink()
    (source / "images" / "NA" / "fox.jpg").unlink()
    assert refused(FailuresError, source, max_failed=0.1) == (
        "cct.json: of 12 photos, 2 absent from images, more than 10.0%; first: images/007/fox.jpg is not there; "
        "mend them or raise --max-failed"
    )


def test_dropped_photos_above_the_limit_end_the_import_with_their_reason(source):
    document = make.cct()
    document["images"][0]["datetime"] = "long ago"
    document["images"][3]["file_name"] = "../secret.jpg"
    (source / "images" / "NA" / "fox.jpg").unlink()
    assert refused(FailuresError, source, document) == (
        "other.json: of 12 photos, 1 unusable and 1 absent from images, more than 1.0%; first: images[3] "
        "../secret.jpg: file name leads out of the image folder; images/NA/fox.jpg is not there; mend them or raise "
        "--max-failed"
    )


def test_a_source_without_one_photo_that_can_be_used_is_refused_whatever_may_fail(source):
    document = make.cct()
    document["images"] = [document["images"][0] | {"file_name": "../secret.jpg"}]
    assert refused(InputError, source, document, max_failed=1) == (
        "other.json: none of 1 photo can be used; first: images[0] ../secret.jpg: file name leads out of the image "
        "folder"
    )


def test_problems_below_the_limit_are_counted_and_listed_with_their_value(source):
    document = make.cct()
    document["images"][3]["file_name"] = "../secret.jpg"
    document["annotations"][0]["image_id"] = "nobody"
    imported = bring(source, document, max_failed=0.1)
    listed = source.parent / "data" / "problems" / "tiny.csv"
    assert imported.lines[1:] == (
        "  1 dropped: file name leads out of the image folder (first: images[3] ../secret.jpg)",
        "  1 ignored: names no photo of this file (first: annotations[0]: nobody)",
        f"  each is listed in {listed}",
    )
    assert listed.read_text() == (
        "item,kind,reason,found\n"
        "images[3] ../secret.jpg,dropped,file name leads out of the image folder,\n"
        "annotations[0],ignored,names no photo of this file,nobody\n"
    )


def test_an_absent_image_folder_is_named(source):
    assert refused(MissingError, source, images="/nowhere/photos") == "/nowhere/photos: image folder not found"


def test_an_empty_list_of_images_is_refused(source):
    document = make.cct() | {"images": [], "annotations": []}
    assert refused(InputError, source, document) == "other.json: there is no photo in it"


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "", "a b", "-x"])
def test_a_dataset_name_that_is_no_file_name_is_refused(source, name):
    assert refused(InputError, source, dataset=name) == (
        f"dataset name {name!r}: use letters, digits, '.', '_' and '-', a letter or digit first"
    )


def test_each_dataset_of_a_source_becomes_a_file_of_its_own(tmp_path):
    imported = bring_rows(tmp_path / "data", *photo("a", "1.jpg"), *photo("b", "1.jpg", "fox"), *photo(None, "1.jpg"))
    assert datasets(tmp_path / "data") == ["a", "b", "main"]
    assert imported.classes == {("a", "deer"), ("b", "fox"), ("main", "deer")}
    assert imported.lines[0].endswith(
        "/catalog/main.parquet: 3 of 3 photos, 0 boxes, 2 classes, 3 datasets, 0 locations, 3 without location, "
        "3 without time"
    )
    rows = collections.read_datasets(tmp_path / "data" / "datasets.csv")
    assert [(row["dataset"], row["images"], row["photos"]) for row in rows] == [
        ("a", "s3://x", "1"),
        ("b", "s3://x", "1"),
        ("main", "s3://x", "1"),
    ]


def test_importing_again_replaces_only_the_datasets_of_the_source(tmp_path):
    collection = tmp_path / "data"
    bring_rows(collection, *photo("a", "1.jpg"), *photo("b", "1.jpg"))
    before = (collection / "catalog" / "a.parquet").read_bytes()
    bring_rows(collection, *photo("b", "2.jpg"), *photo("b", "3.jpg"))
    assert datasets(collection) == ["a", "b"]
    assert (collection / "catalog" / "a.parquet").read_bytes() == before
    rows = collections.read_datasets(collection / "datasets.csv")
    assert [(row["dataset"], row["photos"]) for row in rows] == [("a", "1"), ("b", "2")]


def test_coordinates_of_other_datasets_are_kept(tmp_path):
    collection = tmp_path / "data"
    bring_rows(collection, *photo("a", "1.jpg"), Location("007", 1.5, 2.5, "a"), Location("8", 1.0, 2.0, "a"))
    bring_rows(collection, *photo(None, "1.jpg"), Location("NA", 3.5, 4.5))
    bring_rows(collection, *photo("a", "1.jpg"), Location("9", 5.5, 6.5, "a"))
    assert (collection / "locations.csv").read_text() == (
        "dataset,location,latitude,longitude\na,9,5.5,6.5\nmain,NA,3.5,4.5\n"
    )


@pytest.mark.parametrize("name", ["Tiny", "TINY"])
def test_a_dataset_whose_name_differs_by_case_only_is_refused(source, name):
    bring(source)
    with pytest.raises(InputError) as caught:
        bring(source, dataset=name)
    assert str(caught.value) == (
        f"dataset {name!r} would be the same as 'tiny' of {source.parent}/data: names of datasets are compared "
        "without case and signs; rename one of them, or import it into another collection"
    )
    assert datasets(source.parent / "data") == ["tiny"]


def test_two_datasets_of_a_source_whose_names_differ_by_signs_only_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"^dataset 'a_b' would be the same as 'a-b' of "):
        bring_rows(tmp_path / "data", *photo("a-b", "1.jpg"), *photo("a_b", "1.jpg"))
    assert not (tmp_path / "data").exists()


def test_the_image_folder_may_depend_on_the_dataset(tmp_path):
    for name in "ab":
        (tmp_path / "images" / name).mkdir(parents=True)
    (tmp_path / "images" / "a" / "1.jpg").write_bytes(b"x")
    path = make.write_json(tmp_path / "rows.json", [])
    given = [*photo("a", "1.jpg"), *photo("b", "1.jpg")]
    source = Source(path=path, given=given, images=lambda name: f"{tmp_path}/images/{name}")
    imported = importing.import_photos(tmp_path / "data", source, Rules(dataset="main"), 0.5)
    assert imported.lines[-1] == (
        f"  1 photo is not in the image folder (first: {tmp_path}/images/b/1.jpg); stages will list them as failed"
    )
    roots = collections.read_image_roots(tmp_path / "data")
    assert roots == {"a": f"{tmp_path}/images/a", "b": f"{tmp_path}/images/b"}


def test_text_that_is_latin_1_is_refused_and_a_byte_order_mark_is_not(source):
    text = (source / "cct.json").read_text()
    (source / "cct.json").write_bytes(text.replace("north", "nördlich").encode("latin-1"))
    place = text.index("north") + 1
    assert refused(InputError, source) == f"cct.json: byte {place} is not UTF-8; save the file as UTF-8"
    (source / "cct.json").write_bytes(text.encode("utf-8-sig"))
    assert bring(source).num_photos == 12


def test_a_checked_taxonomy_and_label_specification_are_copied(tmp_path):
    collection = make.write_collection(tmp_path)
    for name in ("taxonomy.csv", "label_spec.json"):
        assert (collection / name).read_bytes() == (tmp_path / "source" / name).read_bytes()


def test_a_broken_label_specification_never_replaces_a_good_one(tmp_path):
    collection = make.write_collection(tmp_path)
    before = (collection / "label_spec.json").read_bytes()
    (tmp_path / "broken.json").write_text("{,}")
    with pytest.raises(InputError):
        collection_files.place_label_spec(collection, tmp_path / "broken.json")
    assert (collection / "label_spec.json").read_bytes() == before


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
    assert str(caught.value) == f"{tmp_path}/datasets.csv: not found; bring photos in with `camtraps import`"
