"""COCO Camera Traps: which rows a document becomes, and what makes it no such document."""

from pathlib import Path
from typing import Any

import make
import pytest

from camtraps.errors import InputError, MissingError
from camtraps.formats import coco
from camtraps.formats.rows import Annotation, Category, Fault, Given, Photo

IMAGE = {"id": "i1", "file_name": "cam3/1.jpg"}
LABEL = {"id": "a1", "image_id": "i1", "category_id": 1}


def document(image: dict[str, Any] | None = None, label: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Make a document of one photo of a deer; keys of its image and annotation may be added or changed."""
    own = {"images": [IMAGE | (image or {})], "annotations": [LABEL | (label or {})]}
    return {**own, "categories": [{"id": 1, "name": "deer"}], **more}


def read(folder: Path, *given: Any, **more: Any) -> list[Given]:
    return list(coco.read(make.write_json(folder / "cct.json", document(*given, **more))))


def photo(folder: Path, **image: Any) -> Photo:
    (row,) = (row for row in read(folder, image) if isinstance(row, Photo))
    return row


def annotation(folder: Path, **label: Any) -> Annotation:
    (row,) = (row for row in read(folder, None, label) if isinstance(row, Annotation))
    return row


def faults(folder: Path, given: Any) -> list[str]:
    rows = coco.read(make.write_json(folder / "cct.json", given))
    return [row.text for row in rows if isinstance(row, Fault)]


def test_the_example_of_the_format_becomes_rows_in_the_order_of_the_file(tmp_path):
    image = {
        **{"id": "i1", "file_name": "cam3/1.jpg", "location": "cam3", "seq_id": "s1", "frame_num": 0, "width": 200},
        **{"height": 100, "datetime": "2024-04-01 05:12:09", "corrupt": True, "rights_holder": "somebody"},
    }
    label = LABEL | {"bbox": [20, 30, 60, 25], "sequence_level_annotation": True}
    assert read(tmp_path, image, label, info={"version": "1.0"}) == [
        Photo("images[0]", "i1", "cam3/1.jpg", "cam3", "s1", "0", "2024-04-01 05:12:09", "200", "100", True),
        Annotation("annotations[0]", "i1", "1", "sequence", 20.0, 30.0, 60.0, 25.0, True),
        Category("categories[0]", "1", "deer"),
    ]


@pytest.mark.parametrize(
    ("location", "text"),
    [("007", "007"), (7, "7"), (0, "0"), ("NA", "NA"), ("null", "null"), (" x ", " x "), (None, None), (" ", None)],
)
def test_a_location_is_text(tmp_path, location, text):
    assert photo(tmp_path, location=location).location == text


def test_what_an_image_does_not_say_is_none(tmp_path):
    assert photo(tmp_path) == Photo("images[0]", "i1", "cam3/1.jpg")


def test_ids_are_text(tmp_path):
    images, annotations = [{"id": 7, "file_name": "a.jpg"}], [{"image_id": 7, "category_id": "007"}]
    rows = read(tmp_path, images=images, annotations=annotations, categories=[{"id": "007", "name": "deer"}])
    assert rows == [
        Photo("images[0]", "7", "a.jpg"),
        Annotation("annotations[0]", "7", "007"),
        Category("categories[0]", "007", "deer"),
    ]


@pytest.mark.parametrize("corrupt", [False, None, 0, 1, "true"])
def test_only_true_means_corrupt(tmp_path, corrupt):
    assert photo(tmp_path, corrupt=corrupt).corrupt is False


def test_a_relative_box_is_not_in_pixels(tmp_path):
    row = annotation(tmp_path, bbox_relative=[0.1, 0.2, 0.3, 0.4])
    assert (row.x, row.y, row.w, row.h, row.in_pixels) == (0.1, 0.2, 0.3, 0.4, False)


def test_pixels_go_before_the_relative_box(tmp_path):
    row = annotation(tmp_path, bbox=[1, 2, 3, 4], bbox_relative=[0.1, 0.2, 0.3, 0.4])
    assert (row.x, row.y, row.w, row.h, row.in_pixels) == (1.0, 2.0, 3.0, 4.0, True)


@pytest.mark.parametrize("label", [{}, {"bbox": None}, {"bbox_relative": None}, {"bbox": None, "bbox_relative": None}])
def test_an_annotation_may_have_no_box(tmp_path, label):
    assert annotation(tmp_path, **label) == Annotation("annotations[0]", "i1", "1")


def test_a_bare_nan_in_place_of_a_box_is_none(tmp_path):
    assert annotation(tmp_path, bbox=float("nan")) == Annotation("annotations[0]", "i1", "1")


@pytest.mark.parametrize("box", [[1, 2, 3], [1, 2, 3, None], [1, 2, 3, "4"], [1, 2, 3, True], [], "1,2,3,4", {"x": 1}])
def test_a_box_that_is_not_four_numbers_keeps_its_class_and_says_so(tmp_path, box):
    row = annotation(tmp_path, bbox=box)
    assert (row.name, row.x, row.problem, row.found) == ("1", None, "box is not four numbers", repr(box))


def test_an_image_that_somebody_looked_at_says_so(tmp_path):
    rows = read(tmp_path, {"boxed": True}, annotations=[])
    assert rows[:2] == [Photo("images[0]", "i1", "cam3/1.jpg"), Annotation("images[0]", "i1", boxed=True)]


def test_lists_may_be_empty_and_stand_in_any_order(tmp_path):
    rows = list(coco.read(make.write_json(tmp_path / "a.json", {"annotations": [], "categories": [], "images": []})))
    assert rows == []
    turned = dict(reversed(document().items()))
    kinds = [type(row) for row in coco.read(make.write_json(tmp_path / "b.json", turned))]
    assert kinds == [Category, Annotation, Photo]


def test_a_list_as_a_whole_is_refused_at_once(tmp_path):
    path = make.write_json(tmp_path / "cct.json", [IMAGE])
    with pytest.raises(InputError) as caught:
        list(coco.read(path))
    assert str(caught.value) == f"{path}: expected an object with images, categories, annotations, got a list"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, [f"the list '{name}' is missing; it has nothing" for name in ("images", "categories", "annotations")]),
        (
            {"images": [IMAGE], "info": {}},
            [f"the list '{name}' is missing; it has images, info" for name in ("categories", "annotations")],
        ),
        (document(images={"a": 1}), ["images: expected a list, got {'a': 1}"]),
        (document(images=None), ["images: expected a list, got None"]),
        (document(images=["x"]), ["images[0]: expected an object, got 'x'"]),
        (document({"id": None}), ["images[0]: key 'id' is missing or None"]),
        (document({"file_name": ""}), ["images[0]: key 'file_name' is missing or ''"]),
        (document(None, {"category_id": [1]}), ["annotations[0]: key 'category_id' is missing or [1]"]),
        (
            document(annotations=[{}]),
            [f"annotations[0]: key '{key}' is missing or None" for key in ("image_id", "category_id")],
        ),
        (document(categories=[{"id": 1}]), ["categories[0]: key 'name' is missing or None"]),
    ],
)
def test_what_is_no_cct_file_has_faults(tmp_path, given, said):
    assert faults(tmp_path, given) == said


def test_a_fault_shows_only_the_start_of_a_long_value(tmp_path):
    (said,) = faults(tmp_path, document(images=["x" * 1000]))
    assert len(said) == 150


def test_all_rows_before_and_behind_a_fault_are_given(tmp_path):
    rows = read(tmp_path, images=[IMAGE, {"id": 2}, IMAGE | {"id": "i3"}])
    assert [type(row).__name__ for row in rows] == ["Photo", "Fault", "Photo", "Annotation", "Category"]


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(MissingError) as caught:
        list(coco.read(tmp_path / "cct.json"))
    assert str(caught.value) == f"{tmp_path}/cct.json: not found; check the path"
