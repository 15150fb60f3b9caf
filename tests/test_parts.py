import make
import pytest

from camtraps import parts
from camtraps.errors import InputError
from camtraps.parts import Part


@pytest.fixture
def photos(tmp_path):
    """Two datasets, with a class in three spellings."""
    return make.database(
        tmp_path / "catalog",
        make.row("a/x.jpg", "Deer", "fox", location="007"),
        make.row("a/y.jpg", sequence=("deer ", "cow"), location="NA"),
        make.row("b/w.jpg", "deer", location="007"),
        make.row("b/x.jpg", "fox", location="007"),
    )


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (Part(dataset="c"), "the catalog has no dataset 'c'; the nearest: 'a', 'b'"),
        (Part(label="dear"), "the catalog has no class 'dear'; the nearest: 'deer', 'cow', 'fox'"),
        (Part(label="cow", dataset="b"), "dataset 'b' has no class 'cow'; the nearest: 'fox', 'deer'"),
        (Part(location="7"), "the catalog has no location '7'; the nearest: '007', 'NA'"),
    ],
)
def test_a_name_that_is_not_there_is_answered_with_the_nearest(photos, part, message):
    with pytest.raises(InputError) as error:
        parts.resolve(photos, part)
    assert str(error.value) == message


def test_a_catalog_without_labels_has_no_class(tmp_path):
    with pytest.raises(InputError) as error:
        parts.resolve(make.database(tmp_path, make.row("a/x.jpg")), Part(label="deer"))
    assert str(error.value) == "the catalog has no class 'deer'; it has no class"


def test_names_are_found_in_other_spellings(tmp_path):
    database = make.database(tmp_path, make.row("my-set/x.jpg", "Deer"))
    assert parts.resolve(database, Part(dataset="My Set", label=" DEER ")) == Part(dataset="my-set", label="deer")


def test_a_class_is_found_however_python_folds_it(tmp_path):
    database = make.database(tmp_path, make.row("a/x.jpg", "\u00a0ΟΔΟΣ\t"))
    assert parts.resolve(database, Part(label="οδος")) == Part(label="οδος")


def test_a_dataset_whose_name_fits_two_is_not_found(tmp_path):
    database = make.database(tmp_path, make.row("my-set/x.jpg"), make.row("My_set/x.jpg"))
    assert parts.resolve(database, Part(dataset="My_set")) == Part(dataset="My_set")
    with pytest.raises(InputError) as error:
        parts.resolve(database, Part(dataset="my set"))
    assert str(error.value) == "the catalog has no dataset 'my set'; the nearest: 'My_set', 'my-set'"


def test_a_part_has_a_name_for_messages():
    assert str(Part()) == "the catalog"
    assert str(Part(dataset="a", label="deer", location="007")) == "class 'deer', location '007', dataset 'a'"
