"""Detections: people first, then recorded results, then a detector; never a mixture."""

import re

import pandas as pd
import pytest
from make_tables import rows

from camtraps import tables
from camtraps.detections import DetectParams, sort_out
from camtraps.schema import BOXES, QUERIED, RECORDED


def box(confidence, category="animal"):
    return {"category": category, "confidence": confidence, "x": 0.1, "y": 0.2, "w": 0.3, "h": 0.4}


def photos(*names, human=()):
    return rows(QUERIED, *({"image": f"d/{name}", "has_truth_boxes": name in human} for name in names))


def human_boxes(*names):
    return rows(BOXES, *({"image": f"d/{name}", "category": "animal", "class": "fox"} for name in names))


def recorded(**answers):
    """Make recorded results: a list of boxes or the text of a failure for each photo."""
    if not answers:
        return tables.empty(RECORDED).assign(version="")
    given = [
        {"image": f"d/{name}", "boxes": answer if isinstance(answer, list) else None}
        | {"failure": answer if isinstance(answer, str) else None}
        for name, answer in answers.items()
    ]
    return rows(RECORDED, *given).assign(version="v5")


def test_human_boxes_beat_recorded_results():
    sources = sort_out(photos("a", human="a"), human_boxes("a"), recorded(a=[box(0.9)]), 0.1)
    assert (len(sources.human), len(sources.recorded), sources.missing) == (1, 0, {})
    (row,) = sources.human.to_dict("records")
    assert (row["image"], row["detector"], row["class"]) == ("d/a", "human", "fox")
    assert pd.isna(row["confidence"])


def test_recorded_boxes_carry_their_detector_and_place_in_the_list():
    sources = sort_out(photos("a"), human_boxes(), recorded(a=[box(0.05), box(0.9, "person")]), 0.1)
    (row,) = sources.recorded.to_dict("records")
    assert row == {"image": "d/a", "detector": "v5", "box": 1, "class": None, **box(0.9, "person")}


def test_a_recorded_box_at_the_threshold_is_kept():
    sources = sort_out(photos("a"), human_boxes(), recorded(a=[box(0.1), box(0.0999)]), 0.1)
    assert sources.recorded["box"].tolist() == [0]


def test_a_recorded_failure_counts_as_missing_and_keeps_its_reason():
    sources = sort_out(photos("a", "b"), human_boxes(), recorded(a="image access failure", b=[box(0.9)]), 0.1)
    assert sources.missing == {"d/a": "image access failure"}
    assert sources.recorded["image"].tolist() == ["d/b"]


def test_a_photo_that_nobody_recorded_is_missing():
    assert sort_out(photos("a"), human_boxes(), recorded(), 0.1).missing == {"d/a": ""}


def test_a_photo_that_a_person_found_empty_is_not_given_to_a_detector():
    sources = sort_out(photos("a", human="a"), human_boxes(), recorded(a=[box(0.9)]), 0.1)
    assert (sources.without, sources.missing, len(sources.recorded)) == (["d/a"], {}, 0)


@pytest.mark.parametrize("answer", [[], [box(0.05)]])
def test_a_recorded_photo_without_a_box_above_the_threshold_is_without_detection(answer):
    sources = sort_out(photos("a"), human_boxes(), recorded(a=answer), 0.1)
    assert (sources.without, sources.missing) == (["d/a"], {})


def test_every_photo_has_exactly_one_source():
    queried = photos("a", "b", "c", "d", "e", human="ab")
    sources = sort_out(queried, human_boxes("a"), recorded(a=[box(1.0)], c=[box(0.9), box(0.8)], d="broken"), 0.1)
    parts = [set(sources.human["image"]), set(sources.recorded["image"]), set(sources.without), set(sources.missing)]
    assert parts == [{"d/a"}, {"d/c"}, {"d/b"}, {"d/d", "d/e"}]


def test_a_recorded_photo_that_was_not_asked_for_is_left_alone():
    sources = sort_out(photos("a"), human_boxes(), recorded(a=[box(0.9)], other=[box(0.9)]), 0.1)
    assert sources.recorded["image"].tolist() == ["d/a"]


def test_a_threshold_in_percent_is_refused():
    message = "threshold: must be from 0.0 to 1.0, got 10.0"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        DetectParams(recorded="all", detector="motion", threshold=10.0, max_failed=0.0)
