"""The suggested specification: its labels by hand, and that it always resolves to just what was counted."""

import random
from pathlib import Path

import make

from camtraps import label_json, label_specs, labels, suggestion, taxonomy

ANIMALIA, MAMMALIA, AVES = ("kingdom", "animalia"), ("class", "mammalia"), ("class", "aves")
DEER, FOX, WOLF, MAN = (
    ("species", name) for name in ("cervus elaphus", "vulpes vulpes", "canis lupus", "homo sapiens")
)
LINEAGES = {
    ("ds1", "deer"): [DEER, MAMMALIA, ANIMALIA],
    ("ds2", "deer"): [DEER, MAMMALIA, ANIMALIA],
    ("ds1", "fox"): [FOX, MAMMALIA, ANIMALIA],
    ("ds1", "wolf"): [WOLF, MAMMALIA, ANIMALIA],
    ("ds1", "mammal"): [MAMMALIA, ANIMALIA],
    ("ds1", "bird"): [AVES, ANIMALIA],
    ("ds1", "human"): [MAN, MAMMALIA, ANIMALIA],
    ("ds1", "empty"): [],
}
COUNTS = {
    ("ds1", "deer"): 60,
    ("ds2", "deer"): 40,
    ("ds1", "fox"): 70,
    ("ds1", "wolf"): 50,
    ("ds1", "mammal"): 30,
    ("ds1", "bird"): 20,
    ("ds1", "human"): 500,
    ("ds1", "empty"): 900,
}


def table(folder: Path, lineages: dict[taxonomy.Pair, list[tuple[str, str]]]) -> taxonomy.Taxonomy:
    path = folder / "taxonomy.csv"
    path.write_text(make.taxonomy_csv(lineages))
    return taxonomy.read(path)


def suggest(folder: Path, min_photos: int, total: int | None = None) -> suggestion.Suggestion:
    return suggestion.suggest(table(folder, LINEAGES), COUNTS, min_photos, total)


def test_taxa_with_enough_photos_become_labels_and_the_rest_of_their_siblings_one_more(tmp_path):
    found = suggest(tmp_path, 100)
    assert found.photos == {"class: mammalia (other)": 120, "species: cervus elaphus": 100}
    assert label_json.document(found.rules) == {
        "class: mammalia (other)": {
            "taxa": [{"level": "species", "name": "canis lupus"}, {"level": "species", "name": "vulpes vulpes"}]
        },
        "species: cervus elaphus": {"taxa": [{"level": "species", "name": "cervus elaphus"}]},
    }


def test_what_is_in_no_label_is_said(tmp_path):
    assert suggest(tmp_path, 100).left_out == [
        ("labels in no taxon", 900),
        ("homo sapiens", 500),
        ("labels that say just class mammalia", 30),
        ("other children of kingdom animalia, too few", 20),
    ]


def test_a_taxon_whose_children_are_all_too_few_becomes_a_label_without_humans(tmp_path):
    found = suggest(tmp_path, 200)
    (rule,) = found.rules
    assert (rule.label, found.photos) == ("class: mammalia", {"class: mammalia": 250})
    assert [str(taxon) for taxon in rule.exclude.taxa] == ["species homo sapiens"]


def test_too_few_photos_make_no_label(tmp_path):
    found = suggest(tmp_path, 1000)
    assert (found.rules, found.photos) == ((), {})
    assert ("kingdom animalia, too few", 270) in found.left_out


def test_caps_share_out_the_wanted_crops_at_three_photos_each(tmp_path):
    assert [rule.max_count for rule in suggest(tmp_path, 100, total=33).rules] == [49, 49]  # int(33 / 2 * 3)
    assert [rule.max_count for rule in suggest(tmp_path, 100).rules] == [None, None]


def test_a_taxon_that_rows_put_below_two_others_is_in_one_label(tmp_path):
    one, two, species = ("family", "one"), ("family", "two"), ("species", "s")
    lineages = {
        ("ds1", "a"): [species, one],
        ("ds1", "b"): [species, one],
        ("ds1", "c"): [species, two],
        ("ds1", "d"): [two],
    }
    taxa = table(tmp_path, lineages)
    found = suggestion.suggest(taxa, dict.fromkeys(lineages, 10), 10)
    label_specs.write(found.rules, tmp_path / "spec.csv")
    selection = labels.resolve(label_specs.read(tmp_path / "spec.csv"), taxa, (), tmp_path / "spec.csv")
    assert {label: pairs["dataset_labels"] for label, pairs in selection.by_label().items()} == {
        "species: s": [["ds1", "a"], ["ds1", "b"], ["ds1", "c"]],
        "family: two": [["ds1", "d"]],
    }


def test_any_suggestion_resolves_without_overlaps_to_the_photos_it_says(tmp_path):
    draw = random.Random(11)
    levels = ["species", "genus", "family", "order", "class"]
    for _ in range(150):
        lineages = {
            (f"ds{at % 3}", f"label {at}"): [
                (level, draw.choice(["a", "b", "c", "homo sapiens"])) for level in levels[draw.randint(0, 5) :]
            ]
            for at in range(draw.randint(1, 20))
        }
        counts = {pair: draw.randint(0, 50) for pair in lineages}
        taxa = table(tmp_path, lineages)
        found = suggestion.suggest(taxa, counts, draw.randint(1, 60))
        selection = labels.resolve(found.rules, taxa, (), tmp_path / "spec.csv")
        photos = dict.fromkeys(found.photos, 0)
        for pair, (hit,) in selection.pairs.items():
            photos[hit.label] += counts[pair]
        assert photos == found.photos
        assert sum(photos.values()) + sum(number for _, number in found.left_out) == sum(counts.values())
