"""Which photos a command is about: of datasets and classes, of the last query, of the last failures, of a folder."""

from pathlib import Path

import make
import make_tables
import pytest

from camtraps import photo_lists, tables
from camtraps.errors import InputError, MissingError
from camtraps.photo_lists import Listed, Wanted
from camtraps.schema import FAILURES, QUERIED


@pytest.fixture
def database(tmp_path, monkeypatch):
    """Open a catalog of the datasets a and b, in a repository without outputs."""
    monkeypatch.chdir(tmp_path)
    return make.database(
        tmp_path / "catalog",
        make.row("a/1.jpg", "deer"),
        make.row("a/2 #ä.jpg", "fox"),
        make.row("b/1.jpg", sequence=(" Deer",)),
        make.row("b/2.jpg", "fox", sequence=("deer",)),
        make.row("b/3.jpg"),
    )


def images(database, **wanted):
    return [photo.image for photo in photo_lists.choose(database, Wanted(**wanted))]


def failed(folder, *photos, kind="failed"):
    rows = [{"image": image, "stage": folder, "kind": kind, "reason": "-"} for image in photos]
    tables.write(make_tables.rows(FAILURES, *rows), Path(f"data/{folder}/failures.parquet"), FAILURES)


def test_all_photos_are_listed_by_image_with_their_names(database):
    photos = photo_lists.choose(database, Wanted())
    assert list(photos)[:2] == [Listed("a/1.jpg", "a", "1.jpg"), Listed("a/2 #ä.jpg", "a", "2 #ä.jpg")]
    assert (photos.num_photos, len(photos), len(list(photos))) == ({"a": 2, "b": 3}, 5, 5)


def test_more_photos_than_fit_in_memory_come_in_order(database, monkeypatch):
    monkeypatch.setattr(photo_lists, "ROWS", 2)
    assert images(database) == ["a/1.jpg", "a/2 #ä.jpg", "b/1.jpg", "b/2.jpg", "b/3.jpg"]


def test_photos_of_some_datasets(database):
    assert images(database, datasets=("B",)) == ["b/1.jpg", "b/2.jpg", "b/3.jpg"]
    assert len(images(database, datasets=("a", "b"))) == 5


def test_a_class_is_that_of_the_query(database):
    assert images(database, label="DEER") == ["a/1.jpg", "b/1.jpg"]
    assert images(database, label="fox", datasets=("b",)) == ["b/2.jpg"]


def test_photos_that_the_query_chose(database):
    rows = [{"image": image, "class": "fox", "label": "fox"} for image in ("b/2.jpg", "c/9.jpg")]
    tables.write(make_tables.rows(QUERIED, *rows), Path("data/queried/queried.parquet"), QUERIED)
    assert images(database, queried=True) == ["b/2.jpg"]
    with pytest.raises(InputError, match=r"^data/queried: the last query chose no such photo of this collection"):
        images(database, queried=True, datasets=("a",))


def test_photos_that_failed_in_any_stage(database):
    failed("queried", "b/3.jpg")
    failed("crops", "a/1.jpg", "a/1.jpg")
    assert images(database, failed=True) == ["a/1.jpg", "b/3.jpg"]
    assert images(database, failed=True, label="deer") == ["a/1.jpg"]


def test_what_a_rule_left_out_has_not_failed(database):
    failed("queried", "b/3.jpg", kind="skipped")
    with pytest.raises(InputError, match=r"^the last run of the pipeline lists no such photo as failed$"):
        images(database, failed=True)


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"datasets": ("c",)}, "the catalog has no dataset 'c'; the nearest: 'a', 'b'"),
        ({"label": "dear"}, "the catalog has no class 'dear'; the nearest: 'deer', 'fox'"),
        ({"label": "deer", "datasets": ("a", "none")}, "the catalog has no dataset 'none'; the nearest: 'a', 'b'"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(database, wanted, told):
    with pytest.raises(InputError) as error:
        images(database, **wanted)
    assert str(error.value) == told


@pytest.mark.parametrize("name", ["queried", "failed"])
def test_without_outputs_of_the_pipeline_it_is_to_run(database, name):
    with pytest.raises(MissingError, match=r"^data/queried/\w+.parquet: not found; run `dvc repro`"):
        images(database, **{name: True})


def test_photos_of_a_folder(tmp_path):
    for name in ("b.JPG", "a/1 #.png", "a/notes.txt", "._b.JPG", "c.jpg.part"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert photo_lists.in_folder(tmp_path) == [Listed("a/1 #.png", "", "a/1 #.png"), Listed("b.JPG", "", "b.JPG")]


def test_a_folder_without_photos_is_told(tmp_path):
    with pytest.raises(InputError, match=r"no photo in it; looked for \.jpg "):
        photo_lists.in_folder(tmp_path)
    with pytest.raises(MissingError, match=r"/no: image folder not found$"):
        photo_lists.in_folder(tmp_path / "no")
