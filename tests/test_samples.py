"""Sample predictions: some crops of each label, and what the classifier says of them."""

from collections import Counter

import make_classifier
import pytest
from make_tables import colour_crops

from camtraps import classifier, samples

LABELS = ["red"] * 6 + ["green"] * 2 + ["blue"]


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples")
    return folder, colour_crops(folder, LABELS), classifier.load(make_classifier.save(folder / "model"))


def test_labels_take_turns(given):
    chosen = samples.choose(given[1], 6, seed=0)
    assert set(chosen["label"][:3]) == {"red", "green", "blue"}
    assert Counter(chosen["label"]) == {"red": 3, "green": 2, "blue": 1}


def test_asking_for_more_than_there_are_ends(given):
    """The tutorial's tool went on for ever then (spec 12.4)."""
    assert sorted(samples.choose(given[1], 100, seed=0)["image"]) == sorted(given[1]["image"])


def test_the_seed_decides_and_not_the_order_of_the_rows(given):
    first = samples.choose(given[1], 4, seed=7)["image"].tolist()
    assert first == samples.choose(given[1].sample(frac=1, random_state=1), 4, seed=7)["image"].tolist()
    assert len({tuple(samples.choose(given[1], 4, seed)["image"]) for seed in range(9)}) > 1


def test_each_picture_has_its_text_beside_it(given, tmp_path):  # spec 12.4: path joined by ___
    folder, crops, model = given
    paths = samples.write(crops[:2], folder, model, 5, tmp_path / "out")
    assert [path.name for path in paths] == ["d___000.jpg___crop00_-.jpg", "d___001.jpg___crop00_-.jpg"]
    text = (tmp_path / "out/d___000.jpg___crop00_-.txt").read_text().splitlines()
    assert text[0] == "Prediction finished. Most likely classes:"
    assert len(text) == 4  # three classes are all there are
    shares = [float(line.rpartition(" ")[2].rstrip("%")) for line in text[1:]]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(100, abs=0.02)
