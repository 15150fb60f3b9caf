"""The tutorial's table of classes, to the letter, and its files."""

import json
from xml.etree import ElementTree

import pandas as pd
import pytest

from camtraps import statistics
from camtraps.errors import InputError

# Spec C.10.
PRINTED = """Statistics of the testing split:
Locations used:
['C01', 'C09']
In total  3  classes and  120  images.
Classes with one or more images:  2
Images per class:
ID    Name            Image count
    0 empty                     0
    1 zebra                   100
    2 lion                     20"""


def assigned(*given):
    return pd.DataFrame(given, columns=["dataset", "location", "label", "split"])


def coco(path, categories=((0, "empty"), (1, "zebra"), (2, "lion")), pairs=((1, 1), (2, 2))):
    document = {
        "images": [{"id": at, "location": f"C{at}", "original_key": f"k{at}"} for at, _ in pairs],
        "categories": [{"id": at, "name": name} for at, name in categories],
        "annotations": [{"id": at, "image_id": image, "category_id": to} for at, (image, to) in enumerate(pairs)],
    }
    path.write_text(json.dumps(document))
    return path


def test_the_table_is_printed_as_in_the_tutorial():
    split = statistics.SplitStatistics("test", dict(enumerate(["empty", "zebra", "lion"])), {0: 0, 1: 100, 2: 20},
                                       ["C01", "C09"])  # fmt: skip
    assert "\n".join(statistics.lines(split)) == PRINTED


def test_crops_are_counted_by_split_and_label():
    rows = assigned(("d", "2", "fox", "train"), ("d", "1", "fox", "train"), ("d", "3", "elk", "val"))
    train, val = statistics.of_splits(rows)
    assert (train.name, train.counts, train.locations) == ("train", {0: 0, 1: 2}, ["1", "2"])
    assert (val.classes, val.counts) == ({0: "elk", 1: "fox"}, {0: 1, 1: 0})


def test_locations_of_two_datasets_stay_apart():
    (train,) = statistics.of_splits(assigned(("d", "1", "fox", "train"), ("e", "1", "fox", "train")))
    assert train.locations == ["d/1", "e/1"]


def test_a_coco_file_is_counted_by_its_own_ids(tmp_path):
    found = statistics.of_coco(coco(tmp_path / "train.json", ((7, "elk"), (3, "fox")), ((1, 7), (2, 7))))
    assert (found.name, found.counts, found.locations) == ("train", {3: 0, 7: 2}, ["C1", "C2"])


def test_an_image_with_two_annotations_of_a_class_counts_once(tmp_path):
    path = coco(tmp_path / "train.json", pairs=((1, 1), (1, 1), (1, 2)))
    assert statistics.of_coco(path).counts == {0: 0, 1: 1, 2: 1}


def test_locations_may_stand_in_the_file_of_the_photos(tmp_path):  # spec 12.2: via original_key
    photos = tmp_path / "photos.json"
    images = [{"id": "k1", "site": "S7"}, {"id": "k2"}]
    photos.write_text(json.dumps({"images": images, "categories": [], "annotations": []}))
    assert statistics.of_coco(coco(tmp_path / "train.json"), "site", photos).locations == ["S7"]


def test_ids_that_do_not_fit_together_are_all_told(tmp_path):
    path = coco(tmp_path / "train.json", pairs=((1, 9),))
    document = json.loads(path.read_text())
    document["annotations"].append({"image_id": 5, "category_id": 1})
    path.write_text(json.dumps(document))
    with pytest.raises(InputError) as error:
        statistics.of_coco(path)
    assert str(error.value) == f"{path}: annotations: no category 9; annotations: no image 5"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "images: expected a list, got NoneType; categories: "),
        ('{"images": [1], "categories": [], "annotations": []}', "images[0]: expected an object with id, got 1"),
        ('{"images": [], "categories": [], "annotations": [{"image_id": []}]}', "annotations[0]: expected an object"),
    ],
)
def test_what_is_no_coco_is_refused(tmp_path, text, said):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError) as error:
        statistics.of_coco(tmp_path / "a.json")
    assert str(error.value).startswith(f"{tmp_path / 'a.json'}: {said}")


def test_line_k_of_the_class_list_is_class_k(tmp_path):
    assert statistics.class_list(statistics.of_coco(coco(tmp_path / "a.json"))) == "empty\nzebra\nlion\n"


def test_a_class_list_of_ids_with_gaps_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"^a: category ids are not 0 to 1; a class list needs that$"):
        statistics.class_list(statistics.of_coco(coco(tmp_path / "a.json", ((1, "zebra"), (2, "lion")))))


def test_a_name_of_two_lines_is_in_no_class_list(tmp_path):
    with pytest.raises(InputError, match="does not fit in one line"):
        statistics.class_list(statistics.of_coco(coco(tmp_path / "a.json", ((0, "a\nb"),), ())))


def test_the_table_has_a_row_for_each_class_and_split():
    rows = statistics.table(statistics.of_splits(assigned(("d", "1", "fox", "train"), ("d", "2", "elk", "test"))))
    assert rows.values.tolist() == [["train", 0, "elk", 0], ["train", 1, "fox", 1], ["test", 0, "elk", 1],
                                    ["test", 1, "fox", 0]]  # fmt: skip


def test_the_chart_has_a_bar_for_each_class_and_split():
    rows = [("d", "1", "a & b", "train")] * 4 + [("d", "2", "elk", "test")]
    svg = ElementTree.fromstring(statistics.chart(statistics.of_splits(assigned(*rows))))
    bars = [float(each.get("width")) for each in svg.findall("{*}rect[@height='12']")]
    assert bars == [560.0, 0.0, 0.0, 140.0]
    assert "a & b" in [each.text for each in svg.findall("{*}text")]
