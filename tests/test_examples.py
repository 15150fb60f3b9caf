"""Extreme examples: the most confident right and wrong crops of each label, as the specification's priorities say."""

import io

import make_tables
import numpy as np
import pytest
from PIL import Image

from camtraps import examples, shards

CLASSES = ["deer", "fox", "owl"]
# Label and probabilities of crops of test.
CROPS = [
    ("deer", [0.9, 0.1, 0.0]),
    ("deer", [0.6, 0.2, 0.2]),
    ("deer", [0.5, 0.5, 0.0]),
    ("deer", [0.1, 0.8, 0.1]),
    ("fox", [0.7, 0.0, 0.3]),
]


def predicted(crops=CROPS, split="test"):
    given = [
        {"image": f"d/{at}", "label": label, "probabilities": row, "split": split}
        | {"prediction": CLASSES[int(np.argmax(row))], "confidence": max(row)}
        for at, (label, row) in enumerate(crops)
    ]
    return make_tables.predictions(*given)


def chosen(num=3, **options):
    table = examples.choose(predicted(**options), CLASSES, num)
    return [(row.label, row.kind, row.rank, row.image, row.priority) for row in table.itertuples()]


def test_right_ones_are_ranked_by_their_lead_and_wrong_ones_by_their_distance_from_the_label():
    assert chosen() == [
        ("deer", "tp", 1, "d/0", pytest.approx(0.8)),
        ("deer", "tp", 2, "d/1", pytest.approx(0.4)),
        ("deer", "tp", 3, "d/2", 0.0),
        ("deer", "fp", 1, "d/4", pytest.approx(0.7)),
        ("deer", "fn", 1, "d/3", pytest.approx(0.7)),
        ("fox", "fp", 1, "d/3", pytest.approx(0.7)),
        ("fox", "fn", 1, "d/4", pytest.approx(0.7)),
    ]


def test_no_more_than_asked_for_of_each_kind():
    assert [each[3] for each in chosen(num=1)] == ["d/0", "d/4", "d/3", "d/3", "d/4"]
    assert chosen(num=0) == []


def test_of_equal_priorities_the_first_image_stands_first():
    crops = [("deer", [1.0, 0.0, 0.0])] * 3
    assert [each[3] for each in chosen(num=2, crops=crops)] == ["d/0", "d/1"]


def test_only_the_test_split_is_shown():
    assert chosen(split="train") == []


def test_a_million_crops_are_chosen_from_without_a_loop_and_only_their_pictures_are_read(tmp_path):
    # R11: images of all candidates were held, and every sample was looked at in a Python loop.
    crops = make_tables.colour_crops(tmp_path, ["red", "blue", "red", "green", "blue"], size=(400, 200))
    table = examples.choose(predicted(), CLASSES, 1).assign(image=[crops["image"][at] for at in (0, 4, 3, 3, 4)])
    read = []

    class Reader(shards.Reader):
        def read(self, *place):
            read.append(place)
            return super().read(*place)

    pictures = examples.pictures(table, crops, Reader(tmp_path))
    assert [name for name, _ in pictures] == [f"{at:06}.jpg" for at in range(5)]
    assert len(read) == 5
    for _, data in pictures:
        assert Image.open(io.BytesIO(data)).size == (160, 80)
