"""The explanation of a label specification, from counts made by hand."""

import pandas as pd

from camtraps import explanation
from camtraps.label_rules import LabelRule
from camtraps.labels import Hit, Selection

SELECTION = Selection(
    (LabelRule("cervid", max_count=1000), LabelRule("fox")),
    {
        ("alder", "deer"): (Hit("cervid", "family cervidae"),),
        ("alder", "elk"): (Hit("cervid", "family cervidae"),),
        ("birch", "na"): (Hit("cervid", "dataset label"),),
        ("birch", "moose"): (Hit("cervid", "family cervidae"),),
        ("birch", "fox"): (Hit("fox", "genus vulpes"),),
    },
)
CLASSES = pd.DataFrame(
    [
        ("cervid", "alder", "elk", "family cervidae", 100, 80),
        ("cervid", "alder", "Deer", "family cervidae", 1100, 900),
        ("cervid", "birch", "NA", "dataset label", 20, 20),
        ("fox", "birch", "fox", "genus vulpes", 1, 1),
    ],
    columns=["label", "dataset", "class", "why", "before", "after"],
)
PLACES = pd.DataFrame(
    [
        ("cervid", "alder", "007", 1150, 930),
        ("cervid", "alder", None, 50, 50),
        ("cervid", "birch", "NA", 20, 20),
        ("fox", "birch", "NA", 1, 1),
    ],
    columns=["label", "dataset", "location", "before", "after"],
)


def test_each_label_says_what_it_takes_and_why():
    assert explanation.explain(SELECTION, CLASSES, PLACES, by_location=False) == [
        "cervid: 1,220 photos, 1,000 under its cap of 1,000, in 2 locations",
        "  family cervidae: 2 dataset labels, 1,200 photos, 980 under the cap",
        "    alder: Deer, 1,100 photos, 900 under the cap",
        "    alder: elk, 100 photos, 80 under the cap",
        "  dataset label: 1 dataset label, 20 photos",
        "    birch: NA, 20 photos",
        "  dataset alder: 1,200 photos, 980 under the cap, 1 location",
        "  dataset birch: 20 photos, 1 location",
        "  without photos: birch 'moose'",
        "fox: 1 photo, in 1 location",
        "  genus vulpes: 1 dataset label, 1 photo",
        "    birch: fox, 1 photo",
        "  dataset birch: 1 photo, 1 location",
    ]


def test_locations_are_listed_on_demand_unknown_ones_last():
    lines = explanation.explain(SELECTION, CLASSES, PLACES, by_location=True)
    at = lines.index("  dataset alder: 1,200 photos, 980 under the cap, 1 location")
    assert lines[at + 1 : at + 5] == [
        "    007: 1,150 photos, 930 under the cap",
        "    location unknown: 50 photos",
        "  dataset birch: 20 photos, 1 location",
        "    NA: 20 photos",
    ]


def test_a_label_without_photos_says_so():
    lines = explanation.explain(SELECTION, CLASSES.iloc[:0], PLACES.iloc[:0], by_location=True)
    assert lines == [
        "cervid: 0 photos, 0 under its cap of 1,000",
        "  without photos: alder 'deer', alder 'elk', birch 'moose', birch 'na'",
        "fox: 0 photos",
        "  without photos: birch 'fox'",
    ]


def test_labels_that_nothing_selects_are_listed_commonest_first_and_the_rest_counted():
    rows = [("alder", "Deer", 5), ("Alder", "empty", 900)] + [("alder", f"c{at:02}", at) for at in range(1, 23)]
    lines = explanation.unselected(SELECTION, pd.DataFrame(rows, columns=["dataset", "class", "photos"]))
    assert lines[:3] == ["in no label: 23 dataset labels", "  Alder: empty, 900 photos", "  alder: c22, 22 photos"]
    assert lines[-2:] == ["  alder: c04, 4 photos", "  and 3 more with 6 photos"]


def test_nothing_may_be_left():
    counts = pd.DataFrame([("alder", "deer", 5)], columns=["dataset", "class", "photos"])
    assert explanation.unselected(SELECTION, counts) == ["every label of the catalog is in the specification"]


def test_photos_that_were_left_out_are_counted_by_reason():
    assert explanation.left_out(["corrupt", "two classes", "corrupt"], {"over the cap": 1200}) == [
        "left out: 1,200 photos: over the cap",
        "left out: 2 photos: corrupt",
        "left out: 1 photo: two classes",
    ]


def test_of_many_reasons_the_rest_is_counted():
    lines = explanation.left_out((f"reason {at}" for at in range(23)), {})
    assert (len(lines), lines[-1]) == (21, "left out: 3 photos for other reasons")
