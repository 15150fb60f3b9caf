"""Repeat detections: what recurs over sequences at one camera is flagged, and nothing else."""

import numpy as np
import pandas as pd
from make_tables import rows

from camtraps.repeats import flag
from camtraps.schema import DETECTIONS, QUERIED

STUMP = {"x": 0.4, "y": 0.5, "w": 0.1, "h": 0.1, "confidence": 0.6}


def photos(number, location="c1", **more):
    return [{"dataset": "d", "file": f"{location}/{at}.jpg", "location": location} | more for at in range(number)]


def flagged(given, boxes, min_iou=0.8, least=5):
    """Flag boxes, given as (number of the photo, box)."""
    queried = rows(QUERIED, *given)
    found = [
        {"image": queried["image"][photo], "box": at, "category": "animal"} | STUMP | box
        for at, (photo, box) in enumerate(boxes)
    ]
    return flag(rows(DETECTIONS, *found), queried, min_iou, least)


def test_a_stump_is_flagged_in_all_its_photos():
    moved = [(at, {"x": 0.4 + at * 0.001}) for at in range(5)]
    assert flagged(photos(5), moved).tolist() == [0] * 5


def test_an_animal_that_rests_for_one_sequence_is_not():
    boxes = [(at, {}) for at in range(8)]
    assert flagged(photos(8, sequence="s"), boxes).isna().all()


def test_what_recurs_less_often_than_asked_is_not():
    assert flagged(photos(5), [(at, {}) for at in range(4)]).isna().all()


def test_the_same_place_in_another_camera_is_another_place():
    given = photos(3, "c1") + photos(3, "c2")
    assert flagged(given, [(at, {}) for at in range(6)]).isna().all()
    assert flagged(given, [(at, {}) for at in range(6)], least=3).tolist() == [0, 0, 0, 1, 1, 1]


def test_boxes_elsewhere_and_of_another_size_stay():
    boxes = [(at, {}) for at in range(5)] + [(0, {"x": 0.1}), (1, {"w": 0.2}), (2, {"x": 0.43})]
    assert flagged(photos(5), boxes).isna().tolist() == [False] * 5 + [True] * 3


def test_boxes_that_people_drew_and_photos_without_location_stay():
    assert flagged(photos(5), [(at, {"confidence": None}) for at in range(5)]).isna().all()
    nowhere = [photo | {"location": None} for photo in photos(5)]
    assert flagged(nowhere, [(at, {}) for at in range(5)]).isna().all()


def test_a_close_animal_that_fills_the_frame_stays():
    assert flagged(photos(5), [(at, {"x": 0.0, "w": 1.0, "h": 0.5}) for at in range(5)]).isna().all()


def test_no_number_of_sequences_flags_nothing():
    assert flagged(photos(5), [(at, {}) for at in range(5)], least=None).isna().all()
    assert flagged(photos(5), []).tolist() == []


def test_two_stumps_are_two_groups_whatever_the_order_of_the_rows():
    queried = rows(QUERIED, *photos(6))
    found = [{"image": image, "box": 0, "category": "animal"} | STUMP for image in queried["image"]]
    found += [{"image": image, "box": 1, "category": "animal"} | STUMP | {"y": 0.1} for image in queried["image"]]
    table = rows(DETECTIONS, *found)
    straight = flag(table, queried, 0.8, 5)
    order = np.random.default_rng(0).permutation(len(table))
    shuffled = flag(table.iloc[order], queried.iloc[::-1], 0.8, 5)
    assert sorted(straight.unique()) == [0, 1]
    pd.testing.assert_series_equal(shuffled.sort_index(), straight)
