"""MegaDB: what sequences say of their images, classes by level, boxes, and where the photos lie."""

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from camtraps.errors import InputError, MissingError
from camtraps.formats import megadb
from camtraps.formats.megadb import Storage
from camtraps.formats.rows import Annotation, Fault, Given, Photo

FIRST = {"file": "cam3/0007.jpg", "frame_num": 1, "bbox": [{"category": "animal", "bbox": [0.1, 0.2, 0.3, 0.25]}]}
SEQUENCE = {
    "dataset": "alpha",
    "seq_id": "s1",
    "location": "cam3",
    "class": ["roe deer"],
    "images": [FIRST, {"file": "cam3/0008.jpg", "frame_num": 2, "bbox": []}],
}


@pytest.fixture
def read(tmp_path):
    def give(document: Any, *prefixes: Any) -> list[Given]:
        path = tmp_path / "sequences.json"
        path.write_text(json.dumps(document))
        return list(megadb.read(path, *prefixes))

    return give


def sequence(image: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    """Make a file of one image; keys of its sequence may be added."""
    return [{"dataset": "alpha", "images": [{"file": "1.jpg"} | image]} | more]


def photo(given: list[Given]) -> Photo:
    (found,) = (each for each in given if isinstance(each, Photo))
    return found


def labels(given: list[Given]) -> list[tuple[str | None, str]]:
    return [(each.name, each.level) for each in given if isinstance(each, Annotation) and each.name]


def test_the_example_of_the_format_becomes_photos_labels_and_boxes(read):
    one, other = "sequences[0].images[0]", "sequences[0].images[1]"
    expected = [
        Photo(one, "alpha/cam3/0007.jpg", "cam3/0007.jpg", "cam3", "s1", "1", dataset="alpha"),
        Annotation(one, "alpha/cam3/0007.jpg", "roe deer", "sequence"),
        Annotation(f"{one}.bbox[0]", "alpha/cam3/0007.jpg", x=0.1, y=0.2, w=0.3, h=0.25, category="animal"),
        Photo(other, "alpha/cam3/0008.jpg", "cam3/0008.jpg", "cam3", "s1", "2", dataset="alpha"),
        Annotation(other, "alpha/cam3/0008.jpg", "roe deer", "sequence"),
        Annotation(other, "alpha/cam3/0008.jpg", boxed=True),
    ]
    assert read([SEQUENCE]) == expected
    assert read({"info": {}, "sequences": [SEQUENCE], "more": [1]}) == expected
    assert read([dict(reversed(SEQUENCE.items()))]) == expected


@pytest.mark.parametrize("packed", ["zip", "gz"])
def test_the_file_may_be_packed(tmp_path, packed):
    path = tmp_path / f"sequences.{packed}"
    if packed == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("sequences.json", json.dumps([SEQUENCE]))
    else:
        path.write_bytes(gzip.compress(json.dumps([SEQUENCE]).encode()))
    assert len(list(megadb.read(path))) == 6


def test_a_prefix_belongs_to_the_file_name(read):
    given = read([SEQUENCE], {"alpha": "/2024/", "beta": "x"})
    assert [(each.key, each.file) for each in given if isinstance(each, Photo)] == [
        ("alpha/2024/cam3/0007.jpg", "2024/cam3/0007.jpg"),
        ("alpha/2024/cam3/0008.jpg", "2024/cam3/0008.jpg"),
    ]
    assert {each.photo for each in given if isinstance(each, Annotation)} == {
        "alpha/2024/cam3/0007.jpg",
        "alpha/2024/cam3/0008.jpg",
    }
    assert photo(read(sequence({}), {"alpha": ""})).file == "1.jpg"


def test_what_an_image_does_not_say_its_sequence_may(read):
    constant = {"frame_num": 3, "datetime": "2024-04-01", "location": 7, "width": 20, "height": 10, "corrupt": True}
    assert photo(read(sequence({}, **constant)))[3:] == ("7", None, "3", "2024-04-01", "20", "10", True, "alpha")
    own = photo(read(sequence({"location": "007", "datetime": None}, **constant)))
    assert (own.location, own.taken) == ("007", "2024-04-01")
    assert Annotation("sequences[0].images[0]", "alpha/1.jpg", boxed=True) in read(sequence({}, bbox=[]))


@pytest.mark.parametrize(
    ("image", "of_sequence", "expected"),
    [
        # Spec of the ancestor: a class of the image counts even where the list is empty.
        (["deer"], ["fox"], [("deer", "image")]),
        (["deer", "elk"], ["deer"], [("deer", "image"), ("elk", "image")]),
        (None, ["elk"], [("elk", "sequence")]),
        (None, ["deer", "elk"], [("deer", "sequence"), ("elk", "sequence")]),
        ([], ["deer"], []),
        (None, None, []),
        (None, ["__label_unavailable"], []),
        (["__label_unavailable"], ["deer"], []),
        (["empty"], None, [("empty", "image")]),
        (["NA", "null", "x#1"], None, [("NA", "image"), ("null", "image"), ("x#1", "image")]),
    ],
)
def test_a_class_is_of_the_image_or_else_of_the_sequence(read, image, of_sequence, expected):
    assert labels(read(sequence({"class": image}, **{"class": of_sequence}))) == expected
    if image is None:
        assert labels(read(sequence({}, **{"class": of_sequence}))) == expected


@pytest.mark.parametrize(
    ("given", "expected"), [("dummy_17", None), ("s dummy_1", "s dummy_1"), (17, "17"), ("007", "007"), (None, None)]
)
def test_a_dummy_sequence_is_none(read, given, expected):
    assert photo(read(sequence({}, seq_id=given))).sequence == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("007", "007"),
        (7, "7"),
        ("NA", "NA"),
        (None, None),
        (" ", None),
        ({}, None),
        ({"site": "ü", "cam": 1}, '{"cam":1,"site":"ü"}'),
        ({"cam": 1, "site": "ü"}, '{"cam":1,"site":"ü"}'),
    ],
)
def test_a_location_is_text(read, given, expected):
    assert photo(read(sequence({"location": given}))).location == expected


@pytest.mark.parametrize(
    ("box", "problem", "found"),
    [
        (
            {"category": "bear", "bbox": [0, 0, 1, 1]},
            "box category is none of animal, person, vehicle, group",
            "'bear'",
        ),
        ({"bbox": [0, 0, 1, 1]}, "box category is none of animal, person, vehicle, group", "None"),
        ({"category": "animal", "bbox": [0, 0, 1]}, "box is not four numbers", "[0, 0, 1]"),
        ({"category": "animal", "bbox": "x"}, "box is not four numbers", "'x'"),
        ({"category": "animal"}, "box is not four numbers", "None"),
    ],
)
def test_a_box_that_cannot_be_used_has_its_problem(read, box, problem, found):
    given = read(sequence({"bbox": [box, {"category": "group", "bbox": [0, 0, 1, 1]}], "class": ["deer"]}))
    first, second = (each for each in given if isinstance(each, Annotation) and not each.name)
    assert (first.place, first.problem, first.found) == ("sequences[0].images[0].bbox[0]", problem, found)
    assert (first.x, first.boxed) == (None, False)
    assert (second.category, second.x, second.problem) == ("group", 0.0, None)


@pytest.mark.parametrize(
    ("document", "texts"),
    [
        ([7], ["sequences[0]: expected an object, got 7"]),
        ({"sequences": {"a": 1}}, ["sequences: expected a list, got {'a': 1}"]),
        ({"images": [], "info": {}}, ["the list 'sequences' is missing; it has images, info"]),
        (
            [SEQUENCE, {"dataset": 3, "images": [], "class": "deer"}],
            [
                "sequences[1].dataset: expected a name, got 3",
                "sequences[1].images: expected a list of at least one image, got []",
                "sequences[1].class: expected a list of texts, got 'deer'",
            ],
        ),
        ([{"dataset": "a"}], ["sequences[0].images: expected a list of at least one image, got None"]),
        (
            [{"dataset": "a", "images": ["x", {}, {"file": 3}, {"file": "1.jpg", "class": [1]}]}],
            [
                "sequences[0].images[0]: expected an object, got 'x'",
                "sequences[0].images[1].file: expected a file name, got None",
                "sequences[0].images[2].file: expected a file name, got 3",
                "sequences[0].images[3].class: expected a list of texts, got [1]",
            ],
        ),
        (sequence({"bbox": {"a": 1}}), ["sequences[0].images[0].bbox: expected a list of boxes, got {'a': 1}"]),
        (
            sequence({"bbox": [[0, 0, 1, 1]]}),
            ["sequences[0].images[0].bbox[0]: expected an object with category and bbox, got [0, 0, 1, 1]"],
        ),
    ],
)
def test_wrong_types_are_faults_with_their_place(read, document, texts):
    assert [each.text for each in read(document) if isinstance(each, Fault)] == texts


def test_no_sequences_are_no_fault(read):
    assert read([]) == []
    assert read({"sequences": []}) == []
    assert read({"info": {}, "sequences": []}) == []


def test_a_missing_file_is_said_so(tmp_path):
    with pytest.raises(MissingError, match=r"x.json: not found; check the path$"):
        list(megadb.read(tmp_path / "x.json"))


DATASET = {
    "dataset_name": "alpha",
    "storage_account": "acct",
    "container": "cont",
    "path_prefix": "2024",
    "container_sas_key": "?sv=2020&sig=secret",
    "access": ["internal"],
}


def write(tmp_path: Path, document: Any) -> Path:
    path = tmp_path / "datasets.json"
    path.write_text(json.dumps(document))
    return path


def test_datasets_have_a_root_and_a_prefix_but_no_key(tmp_path):
    by_name = {"alpha": {name: value for name, value in DATASET.items() if name != "dataset_name"}}
    for document in ([DATASET], {"datasets": [DATASET]}, by_name):
        storages = megadb.read_datasets(write(tmp_path, document))
        assert storages == {"alpha": Storage("https://acct.blob.core.windows.net/cont", "2024")}
    for prefix, expected in (("", ""), (None, ""), ("/a/b/", "a/b")):
        storages = megadb.read_datasets(write(tmp_path, [DATASET | {"path_prefix": prefix}]))
        assert storages["alpha"].prefix == expected


def test_problems_of_datasets_are_told_together_without_keys(tmp_path):
    wrong = {"dataset_name": "b", "storage_account": "acct", "container": "cont?sig=secret", "path_prefix": 3}
    path = write(tmp_path, [DATASET, DATASET, wrong, 7, {"container": "c"}])
    with pytest.raises(InputError) as caught:
        megadb.read_datasets(path)
    assert str(caught.value) == (
        f"{path}: datasets[1]: dataset 'alpha' stands twice; datasets[2]: container is missing or no such name: "
        "'cont'; datasets[2]: path_prefix is no text; datasets[3]: expected an object, got a int; "
        "datasets[4]: dataset_name is missing; datasets[4]: storage_account is missing or no such name: 'None'"
    )


def test_a_table_of_datasets_is_a_list_or_an_object(tmp_path):
    path = write(tmp_path, 7)
    with pytest.raises(InputError) as caught:
        megadb.read_datasets(path)
    assert str(caught.value) == f"{path}: expected a list of datasets, got a int"
