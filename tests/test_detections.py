"""Detections: people first, then recorded results, then a detector; never a mixture."""

import re

import pandas as pd
import pyarrow as pa
import pytest
from make_tables import detect_params, rows

from camtraps import tables
from camtraps.detections import boxes_of, sort_out
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
    sources = sort_out(photos("a", human="a"), human_boxes("a"), recorded(a=[box(0.9)]))
    assert (len(sources.human), len(sources.recorded), sources.missing) == (1, 0, {})
    (row,) = sources.human.to_dict("records")
    assert (row["image"], row["detector"], row["class"]) == ("d/a", "human", "fox")
    assert pd.isna(row["confidence"])


def test_a_recorded_failure_counts_as_missing_and_keeps_its_reason():  # D5
    sources = sort_out(photos("a", "b"), human_boxes(), recorded(a="image access failure", b=[box(0.9)]))
    assert sources.missing == {"d/a": "image access failure"}
    assert sources.recorded["image"].tolist() == ["d/b"]


def test_a_photo_that_nobody_recorded_is_missing():
    assert sort_out(photos("a"), human_boxes(), recorded()).missing == {"d/a": ""}


def test_a_photo_that_a_person_found_empty_is_not_given_to_a_detector():
    sources = sort_out(photos("a", human="a"), human_boxes(), recorded(a=[box(0.9)]))
    assert (sources.missing, len(sources.recorded), len(sources.human)) == ({}, 0, 0)


def test_a_photo_that_a_detector_found_empty_is_not_missing():
    sources = sort_out(photos("a"), human_boxes(), recorded(a=[]))
    assert (sources.missing, sources.recorded["image"].tolist()) == ({}, ["d/a"])


def test_every_photo_has_at_most_one_source():
    queried = photos("a", "b", "c", "d", "e", human="ab")
    sources = sort_out(queried, human_boxes("a"), recorded(a=[box(1.0)], c=[box(0.9), box(0.8)], d="broken"))
    parts = [set(sources.human["image"]), set(sources.recorded["image"]), set(sources.missing)]
    assert parts == [{"d/a"}, {"d/c"}, {"d/d", "d/e"}]


def test_a_recorded_photo_that_was_not_asked_for_is_left_alone():
    sources = sort_out(photos("a"), human_boxes(), recorded(a=[box(0.9)], other=[box(0.9)]))
    assert sources.recorded["image"].tolist() == ["d/a"]


def laid_out(threshold, *lists):
    given = [{"image": f"d/{at}", "failure": None if some is not None else "broken"} for at, some in enumerate(lists)]
    answers = rows(RECORDED, *given).assign(version=[f"v{at}" for at in range(len(lists))])
    kind = RECORDED.schema.field("boxes").type
    return boxes_of(answers.assign(boxes=pd.Series(pa.array(lists, kind), dtype=pd.ArrowDtype(kind))), threshold)


def test_boxes_carry_their_detector_and_their_place_in_its_list():
    found = laid_out(0.1, [box(0.5), box(0.05), box(0.9, "person")], None, [], [box(0.3)])
    assert found[["image", "detector", "box"]].to_numpy().tolist() == [
        ["d/0", "v0", 0], ["d/0", "v0", 2], ["d/3", "v3", 0],
    ]  # fmt: skip
    assert found.drop(columns=["image", "detector", "box", "class"]).to_dict("records") == [
        box(0.5), box(0.9, "person"), box(0.3),
    ]  # fmt: skip
    assert found["class"].isna().all()


def test_a_box_at_the_threshold_is_kept():
    assert laid_out(0.1, [box(0.1), box(0.0999)])["box"].tolist() == [0]


@pytest.mark.parametrize("lists", [(), (None,), ([],), ([box(0.05)],)])
def test_no_boxes_give_an_empty_table(lists):
    assert len(laid_out(0.1, *lists)) == 0


def test_a_threshold_in_percent_is_refused():
    message = "threshold: must be from 0.0 to 1.0, got 10.0"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        detect_params(threshold=10.0)
