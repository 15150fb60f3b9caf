"""The benchmark of wrong labels: what is labelled wrongly, and that no ranking sees the truth."""

import numpy as np
import pandas as pd
import pytest

from benchmarks import mislabel
from benchmarks.mislabel import RANKINGS, rankings, summary
from benchmarks.mislabel import mislabel as wrongly


def photos(num=120):
    labels = ["deer", "fox", "hare", "badger", "bird", "raccoon", "wild_boar"]
    sequences = [f"s{at // 3:03}" for at in range(num)]
    return pd.DataFrame({"sequence": sequences, "truth": [labels[at // 3 % 7] for at in range(num)]})


@pytest.mark.parametrize("share", [0.05, 0.1])
def test_a_share_of_the_photos_is_labelled_wrongly_half_of_them_in_whole_sequences(share):
    given = photos(600)
    labels = wrongly(given, share, 1)
    wrong = labels != given["truth"].to_numpy()
    assert wrong.sum() == round(share * 600)
    whole = pd.Series(wrong).groupby(given["sequence"]).transform("all").to_numpy()
    assert whole.sum() == pytest.approx(wrong.sum() / 2, abs=3)
    assert (pd.Series(labels[whole]).groupby(given["sequence"].to_numpy()[whole]).nunique() == 1).all()


def test_labels_depend_on_the_seed_alone():
    assert np.array_equal(wrongly(photos(), 0.1, 1), wrongly(photos(), 0.1, 1))
    assert not np.array_equal(wrongly(photos(), 0.1, 1), wrongly(photos(), 0.1, 2))


def test_what_is_judged_has_no_truth_in_it(monkeypatch, tmp_path):
    given = {"image": ["a", "b"], "truth": ["deer", "fox"], "label": ["deer", "deer"], "recorded": ["deer", "deer"]}
    seen = []

    def judged(crops, epochs, folder):
        seen.append(list(crops))
        return crops.assign(score=[0.1, 0.9], margin=[-0.5, 0.5], is_confident=[False, True])

    monkeypatch.setattr(mislabel, "_judged", judged)
    crops = pd.DataFrame({"image": ["a", "b"], "box": [0, 0]})
    scores = mislabel.measure(pd.DataFrame(given), crops, 1, tmp_path)
    assert seen == [["image", "box", "label"]]
    assert {f"ap_{name}": 1.0 for name in RANKINGS}.items() <= scores.items()
    assert scores["brier_ours"] == pytest.approx(0.01)


def test_confident_learning_ranks_what_it_counts_as_wrong_first():
    columns = {"image": ["a", "a", "b", "c"], "box": [0, 1, 0, 0], "margin": [0.9, -0.2, 0.8, 0.1]}
    judged = pd.DataFrame(columns | {"is_confident": [True, False, False, True], "score": 0.5})
    found = rankings(judged)
    assert found["margin"].to_dict() == {"a": -0.2, "b": 0.8, "c": 0.1}  # one crop of its label clears a photo
    assert list(found["confident_learning"].sort_values(ascending=False).index) == ["c", "b", "a"]


def test_the_lead_of_ours_is_that_over_the_better_of_the_others_where_it_is_smallest():
    rows = [{"variant": name, "seed": 1, "ap_ours": ours, "ap_margin": 0.5, "ap_confident_learning": other}
            for name, ours, other in (("demo", 0.9, 0.6), ("2_percent", 0.75, 0.7))]  # fmt: skip
    values = summary(pd.DataFrame(rows))
    assert values["ours_at_least"] == pytest.approx(0.05)
    assert values["ap_ours"] == pytest.approx(0.825)
    assert values["ap_ours_demo"] == 0.9
