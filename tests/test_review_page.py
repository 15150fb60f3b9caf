"""The review page: what it holds of each candidate, and what it leaves out."""

import json
from dataclasses import replace

import pytest
from test_pages import parsed

from camtraps import collections, layout, review_page, runs, taxonomy
from camtraps.review_page import Reviewed, compose, run_key
from camtraps.shards import Reader
from camtraps.storage import Images


@pytest.fixture(scope="module")
def given(drawn):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(drawn)
        run, names = runs.read(layout.collection()), taxonomy.read(layout.collection() / "taxonomy.csv")
    return Reviewed(
        name=run.name,
        candidates=run.candidates.head(20),
        neighbours=run.neighbours,
        crops=run.crops,
        detections=run.detections,
        predictions=run.predictions,
        classes=run.classes,
        taxonomy=names,
    )


@pytest.fixture
def made(drawn, monkeypatch):
    monkeypatch.chdir(drawn)

    def made(given, max_bytes=10_000_000, photos=None):
        text = compose(given, photos or collections.read_images(layout.collection()), Reader(layout.CROPS), max_bytes)
        assert not parsed(text).depth
        return [json.loads(text.split(f'id="{name}">')[1].split("</script>")[0]) for name in ("data", "pictures")]

    return made


def test_a_candidate_has_its_label_its_prediction_and_why(given, made):
    (data, _), row = made(given), given.candidates.iloc[0]
    entry = data["candidates"][0]
    for name in ("dataset", "file", "label", "predicted", "location", "split"):
        assert entry[name] == row[name]
    assert entry["evidence"] == ["looks like another", "alone in its sequence"]
    assert entry["rectangle"] == [0.25, 0.25, 0.5, 0.5]


def test_the_commonest_classes_are_those_of_the_classifier_for_locations_that_it_has_not_seen(given, made):
    own = dict(made(given)[0]["candidates"][0]["probabilities"])
    crops = given.predictions.crops
    at = crops.index[crops["image"] == given.candidates.iloc[0]["image"]][0]
    shares = dict(zip(given.classes, given.predictions.probabilities[at].tolist(), strict=True))
    assert own == pytest.approx({name: round(share, 4) for name, share in shares.items()}, abs=1e-4)


def test_for_crops_of_train_only_what_another_network_said_is_known(given, made):
    of_fold = given.candidates.assign(fold=given.candidates["fold"].fillna(2))
    row = of_fold.iloc[0]
    entry = made(replace(given, candidates=of_fold))[0]["candidates"][0]
    assert entry["probabilities"] == [
        [row["predicted"], round(row["p_predicted"], 4)],
        [row["label"], round(row["p_label"], 4)],
    ]


def test_neighbours_of_both_classes_are_shown(given, made):
    data, pictures = made(given)
    for entry in data["candidates"]:
        assert [len(entry["near"][like]) for like in ("label", "predicted")] == [3, 3]
        assert all(number < len(pictures) for like in entry["near"].values() for number in like)


def test_where_a_photo_is_not_at_hand_it_is_said(given, made, tmp_path):
    data, _ = made(given, photos=Images({"d": str(tmp_path)}))
    assert {entry["no_photo"] for entry in data["candidates"]} >= {"photo not found"}
    assert {entry["photo"] for entry in data["candidates"]} == {None}


def test_photos_are_given_up_after_twenty_in_a_row(given, made, tmp_path, monkeypatch):
    asked = []

    def ahead(uris):
        for uri in uris:
            asked.append(uri)
            yield review_page.PhotoError("photo not readable: out of reach")

    monkeypatch.setattr(review_page.reading, "ahead", ahead)
    twice = replace(given, candidates=given.candidates.iloc[[*range(20), *range(20)]])
    made(twice, photos=Images({"d": str(tmp_path)}))
    assert len(asked) == 20


def test_where_there_is_little_room_crops_come_first_and_the_rest_is_left_out(given, made):
    whole, pictures = made(given)
    crops = sum(len(pictures[entry["crop"]]) for entry in whole["candidates"])
    data, few = made(given, int(crops / review_page.OF_CROPS * 0.8))
    num = len(data["candidates"])
    assert 10 < num < 20
    assert f"{20 - num} more are in data/review/candidates.csv" in data["about"]
    assert all(entry["crop"] is not None for entry in data["candidates"])
    assert sum(map(len, few)) <= crops / review_page.OF_CROPS * 0.8


def test_a_run_without_candidates_has_a_page(given, made):
    data, pictures = made(replace(given, candidates=given.candidates.head(0)))
    assert (data["candidates"], pictures) == ([], [])


def test_classes_of_the_dataset_come_with_the_names_of_their_taxa(given, made):
    assert made(given)[0]["classes"] == {"d": [["roe deer", "capreolus capreolus"]]}


def test_decisions_are_kept_by_the_photos_and_labels_of_the_run(given):
    first = given.candidates
    assert run_key("a", first) == run_key("a", first.copy())
    others = [run_key("b", first), run_key("a", first.assign(label="x")), run_key("a", first.head(3))]
    assert len({run_key("a", first), *others}) == 4
