"""Review: labels that the predictions contradict, most suspicious first."""

import re

import numpy as np
import pytest
from make_tables import predictions

from camtraps.review import MislabelParams, rank

CLASSES = ["deer", "fox", "owl"]


def ranked(*crops, min_margin=0.0):
    """Rank crops given as (photo, split, label, probabilities)."""
    numbers: dict[str, int] = {}
    given = []
    for photo, split, label, probabilities in crops:
        numbers[photo] = numbers.get(photo, -1) + 1
        given.append(
            {"image": f"d/{photo}", "box": numbers[photo], "split": split, "label": label}
            | {"probabilities": probabilities}
        )
    return rank(predictions(*given), CLASSES, min_margin)


def listed(result):
    return [image.removeprefix("d/") for image in result.candidates["image"]]


def reasons(result):
    return {
        image.removeprefix("d/"): reason
        for image, reason in zip(result.skipped["image"], result.skipped["reason"], strict=True)
    }


def test_only_wrong_predictions_are_listed():
    result = ranked(("right", "test", "fox", [0.2, 0.7, 0.1]), ("wrong", "test", "fox", [0.7, 0.2, 0.1]))
    assert listed(result) == ["wrong"]
    assert reasons(result) == {"right": "prediction does not contradict the label"}


def test_a_tie_of_label_and_rival_is_no_contradiction():
    assert listed(ranked(("tie", "test", "fox", [0.4, 0.4, 0.2]))) == []


def test_a_candidate_says_what_was_predicted_and_why():
    (row,) = ranked(("a", "val", "fox", [0.7, 0.2, 0.1])).candidates.to_dict("records")
    assert (row["rank"], row["label"], row["predicted"], row["split"]) == (1, "fox", "deer", "val")
    assert row["margin"] == pytest.approx(0.5, abs=1e-6)
    assert row["score"] == pytest.approx(np.log(0.7 / 0.2), abs=1e-6)
    assert row["evidence"] == "p(deer)=0.700 p(fox)=0.200"


def test_one_crop_that_looks_like_the_label_clears_the_photo():
    herd = [("a", "test", "fox", [0.98, 0.01, 0.01]), ("a", "test", "fox", [0.1, 0.8, 0.1])]
    assert listed(ranked(*herd)) == []


def test_the_margin_of_a_photo_is_the_smallest_of_its_crops():
    result = ranked(("a", "test", "fox", [0.9, 0.1, 0.0]), ("a", "test", "fox", [0.6, 0.3, 0.1]))
    assert result.candidates["margin"].tolist() == pytest.approx([0.3], abs=1e-6)


def test_the_smallest_margin_counts_also_where_its_ratio_is_larger():
    # Margins 0.15 and 0.3, ratios 4 and 2.
    result = ranked(("a", "test", "fox", [0.2, 0.05, 0.2]), ("a", "test", "fox", [0.6, 0.3, 0.1]))
    assert result.candidates["margin"].tolist() == pytest.approx([0.15], abs=1e-6)


def test_a_photo_of_train_is_not_judged_and_said_so():
    result = ranked(("seen", "train", "fox", [1.0, 0.0, 0.0]), ("new", "test", "fox", [1.0, 0.0, 0.0]))
    assert listed(result) == ["new"]
    assert reasons(result) == {"seen": "split train: the network has seen its label"}


def test_the_most_suspicious_stands_first():
    result = ranked(
        ("b", "test", "fox", [0.6, 0.4, 0.0]),
        ("c", "val", "owl", [0.9, 0.08, 0.02]),
        ("a", "test", "fox", [0.6, 0.4, 0.0]),
    )
    assert listed(result) == ["c", "a", "b"]
    assert result.candidates["rank"].tolist() == [1, 2, 3]


def test_saturated_predictions_are_still_told_apart():
    result = ranked(("a", "test", "fox", [0.9999, 1e-4, 0.0]), ("b", "test", "fox", [0.9999, 1e-6, 1e-4]))
    assert listed(result) == ["b", "a"]


def test_a_margin_at_the_least_is_listed_and_one_below_is_not():
    crops = [("at", "test", "fox", [0.75, 0.25, 0.0]), ("below", "test", "fox", [0.7, 0.3, 0.0])]
    result = ranked(*crops, min_margin=0.5)
    assert listed(result) == ["at"]
    assert reasons(result) == {"below": "margin below mislabel.min_margin"}


def test_every_photo_is_listed_or_skipped():
    generator = np.random.default_rng(0)
    crops = [
        (
            f"{n % 40}",
            ("train", "val", "test")[n % 40 % 3],
            CLASSES[n % 40 % 2],
            generator.dirichlet([1, 1, 1]).tolist(),
        )
        for n in range(100)
    ]
    result = ranked(*crops)
    assert sorted(listed(result) + list(reasons(result))) == sorted({crop[0] for crop in crops})
    assert len(result.candidates) > 5
    assert result.num_photos == 40


def test_a_margin_that_nothing_can_reach_is_refused():
    message = "min_margin: must be from 0.0 to 1.0, got 2.0"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        MislabelParams(min_margin=2.0)
