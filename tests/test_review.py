"""Review: the evidence about each label put together, photos listed by the chance that their label is wrong."""

import re

import numpy as np
import pandas as pd
import pytest
from make_tables import rows

from camtraps import review
from camtraps.lookalikes import Lookalikes
from camtraps.review import MislabelParams, Seen, candidates, judge, neighbours, skipped
from camtraps.schema import CANDIDATES, JUDGED, NEIGHBOURS

CLASSES = ["deer", "fox", "owl"]
FAR = np.full((3, 3), 3.0)
DEER, FOX = [0.985, 0.01, 0.005], [0.06, 0.9, 0.04]


def seen(*crops, votes=None):
    """Make what was seen of crops given as (photo, sequence, label, probabilities)."""
    numbers: dict[str, int] = {}
    given = []
    for photo, sequence, label, _ in crops:
        numbers[photo] = numbers.get(photo, -1) + 1
        given.append({"image": f"d/{photo}", "box": numbers[photo], "sequence": sequence, "label": label})
    frame = pd.DataFrame(given).assign(
        dataset="d", location="1", split="test", fold=pd.array([None] * len(given), "Int32")
    )
    frame = frame.astype({"sequence": "str"})
    shown = np.full((len(given), 3), -1)
    votes = np.zeros((len(given), 3), np.int64) if votes is None else np.array(votes)
    like = Lookalikes(votes, shown, shown.copy())
    every = frame[["image", "box"]]
    return Seen(frame, CLASSES, np.array([each[3] for each in crops]), like, every)


def burst(name, labels, probabilities=FOX):
    return [(f"{name}{at}", name, label, probabilities) for at, label in enumerate(labels)]


def many(num=30):
    """Make bursts of two photos whose labels are right."""
    return [crop for at in range(num) for crop in burst(f"ok{at}-", ["fox", "fox"])]


def scores(result):
    return dict(zip(result.crops["image"].str.removeprefix("d/"), result.crops["score"], strict=True))


def listed(result, min_score=0.0, decided=()):
    found = candidates(result.crops, min_score, {f"d/{name}" for name in decided})
    return [image.removeprefix("d/") for image in found["image"]]


def test_the_most_suspicious_stands_first_and_ranks_count_from_one():
    """Defect B4 of CameraTraps: its lists have no order."""
    result = judge(seen(*many(), ("a", None, "fox", DEER), ("b", None, "fox", [0.5, 0.4, 0.1])), FAR)
    found = candidates(result.crops, 0.0, set())
    assert [image.removeprefix("d/") for image in found["image"]][:2] == ["a", "b"]
    assert found["rank"].tolist() == list(range(1, 63))
    assert found["score"].is_monotonic_decreasing


def test_a_score_is_a_chance_and_a_listed_photo_reaches_the_least():
    result = judge(seen(*many(), ("a", None, "fox", DEER)), FAR)
    assert result.crops["score"].between(0, 1).all()
    assert listed(result, 0.3) == ["a"]


def test_a_candidate_says_everything_about_itself():
    """Defect B3: CameraTraps lists names alone, without label, prediction, margin and crop."""
    result = judge(seen(*many(), *burst("s", ["owl", "fox"])), FAR)
    row = candidates(result.crops, 0.0, set()).iloc[0]
    assert (row["image"], row["file"], row["box"], row["label"], row["predicted"]) == ("d/s0", "s0", 0, "owl", "fox")
    assert row["margin"] == pytest.approx(0.86)
    assert (row["p_label"], row["p_predicted"]) == (0.04, 0.9)
    assert (row["sequence_photos"], row["sequence_same_label"]) == (1, 0)
    assert (row["sequence_p_label"], row["sequence_p_predicted"]) == (0.04, 0.9)
    assert row["taxon_distance"] == 3
    assert row["evidence"].split("; ") == [
        "p(fox)=0.900 p(owl)=0.040",
        "0 of 1 other photos of the sequence are labelled so, there p(fox)=0.90 p(owl)=0.04",
        "confident learning counts it as wrong",
    ]


def test_lookalikes_at_other_locations_speak_for_or_against_a_label():
    crops = [*many(), ("with", None, "fox", [0.5, 0.45, 0.05]), ("against", None, "fox", [0.5, 0.45, 0.05])]
    votes = [[0, 10, 0]] * 60 + [[1, 9, 0], [8, 1, 1]]
    result = judge(seen(*crops, votes=votes), FAR)
    assert scores(result)["against"] > 3 * scores(result)["with"]
    row = candidates(result.crops, 0.0, set()).iloc[0]
    assert (row["neighbours_label"], row["neighbours_predicted"]) == (0.1, 0.8)
    assert "of the most similar crops at other locations 80% are deer, 10% fox" in row["evidence"]


def test_a_label_unlike_those_of_its_sequence_is_more_suspicious_than_one_alone():
    odd = [crop for at in range(4) for crop in burst(f"odd{at}-", ["deer", "fox", "fox"], [0.35, 0.6, 0.05])]
    result = judge(seen(*many(), *odd, ("alone", None, "deer", [0.35, 0.6, 0.05])), FAR)
    assert scores(result)["odd0-0"] > scores(result)["alone"]


def test_one_crop_that_looks_like_the_label_clears_the_photo():
    herd = [("a", None, "fox", [0.98, 0.01, 0.01]), ("a", None, "fox", [0.1, 0.8, 0.1])]
    result = judge(seen(*many(), *herd, ("b", None, "fox", DEER)), FAR)
    assert listed(result, 0.3) == ["b"]
    of_a = result.crops[result.crops["image"] == "d/a"]
    assert of_a["score"].iloc[0] > 0.3 > of_a["score"].iloc[1]


def test_a_photo_that_a_person_has_decided_about_is_not_listed_again():
    result = judge(seen(*many(), ("a", None, "fox", DEER), ("b", None, "fox", DEER)), FAR)
    assert listed(result, 0.3, decided=["a"]) == ["b"]


def test_every_photo_is_listed_or_skipped_with_its_reason():
    result = judge(seen(*many(2), ("a", None, "fox", DEER), ("b", None, "fox", DEER)), FAR)
    found = candidates(result.crops, 0.02, {"d/b"})
    unseen = pd.DataFrame({"image": ["d/t", "d/t", "d/a"], "reason": ["split train"] * 3})
    left = skipped(result.crops, found, {"d/b"}, unseen).set_index("image")["reason"]
    assert left["d/b"] == "a person has decided"
    assert left["d/ok0-0"] == "the evidence is for the label"
    assert left["d/t"] == "split train"
    assert sorted([*found["image"], *left.index]) == sorted({*result.crops["image"], "d/t"})


def test_tables_have_their_columns_and_neighbours_are_named():
    given = seen(*many(2), ("a", None, "fox", DEER))
    given.lookalikes.like_label[4] = [0, 2, -1]
    given.lookalikes.like_predicted[4] = [3, -1, -1]
    found = candidates(judge(given, FAR).crops, 0.02, set())
    assert list(found[CANDIDATES.schema.names].iloc[0][["image", "rank"]]) == ["d/a", 1]
    near = neighbours(found, given)
    assert list(near) == NEIGHBOURS.schema.names
    assert near[["like", "position", "neighbour_image"]].to_numpy().tolist() == [
        ["label", 1, "d/ok0-0"],
        ["label", 2, "d/ok1-0"],
        ["predicted", 1, "d/ok1-1"],
    ]


def test_without_candidates_the_tables_are_empty():
    given = seen(*many(2))
    found = candidates(judge(given, FAR).crops, 1.0, set())
    assert len(found) == len(neighbours(found, given)) == 0


def test_what_the_scores_are_made_of_is_told():
    told = judge(seen(*many()), FAR).describe(CLASSES)
    assert list(told["weights"]) == list(review.SOURCES)
    assert 0 < told["share_of_wrong_labels"] < 0.1
    assert set(told["company_of_wrong_labels"]) == {"alone", "same", "mixed", "other"}


def test_the_judged_crops_fit_their_schema():
    judged = judge(seen(*many(2), ("a", None, "fox", DEER)), np.full((3, 3), np.nan)).crops
    assert list(judged) == list(rows(JUDGED))
    assert judged["taxon_distance"].isna().all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"min_score": 2.0}, "min_score: must be from 0.0 to 1.0, got 2.0"),
        ({"folds": 2}, "folds: must be from 3 to 100, got 2"),
    ],
)
def test_what_cannot_be_is_refused(given, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        MislabelParams(**{"folds": None, "min_score": 0.1} | given)
