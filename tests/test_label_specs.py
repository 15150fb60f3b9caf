"""The file of a label specification: chosen by suffix, found in a collection, the same rules in both forms."""

import json
import random
from pathlib import Path

import pytest

from camtraps import label_specs
from camtraps.errors import InputError, MissingError
from camtraps.label_rules import LabelRule, TaxonRule, grouped, merged

FOX = LabelRule("Fox", (TaxonRule("genus", "vulpes"),))


def drawn(draw: random.Random, label: str, is_exclude: bool = False) -> LabelRule:
    """Draw a rule of names that are hard to keep."""
    names = ["null", "na", "007", "x#1", "a|b", "a,b", "#", "!", 'q"q', "x;y", "nan"]
    datasets = ["ds1", "caltech-camera-traps", "7"]
    taxa = [
        TaxonRule(draw.choice(["family", "species"]), draw.choice(names), draw.choice([None, ("ds1",), ("7", "ds1")]))
        for _ in range(draw.randint(1, 4))
    ]
    pairs = [(draw.choice(datasets), draw.choice(names)) for _ in range(draw.randint(0, 6))]
    rule = LabelRule(label, merged(taxa), grouped(pairs))
    if is_exclude:
        return rule
    cap = draw.choice([None, 1, 2000])
    groups = draw.choice([(), (("ds1",), ("7", "ds1"))]) if cap else ()
    return LabelRule(
        label, rule.taxa, rule.dataset_labels, draw.choice([None, drawn(draw, label, is_exclude=True)]), cap, groups
    )


@pytest.mark.parametrize("suffix", ["json", "csv"])
def test_any_rules_are_written_and_read_back_alike(tmp_path, suffix):
    draw = random.Random(5)
    path = tmp_path / f"spec.{suffix}"
    for _ in range(50):
        labels = draw.sample(["null", "NA", "007", "x#1", "#1", "a|b", "a,b", 'q"q', "deer; elk", "нет"], 4)
        rules = tuple(drawn(draw, label) for label in labels)
        label_specs.write(rules, path)
        assert label_specs.read(path) == rules


def test_json_is_written_in_the_order_of_the_keys(tmp_path):
    rule = LabelRule("x", (TaxonRule("genus", "y"),), (("d", "z"),), None, 5, (("d",),))
    label_specs.write((rule,), tmp_path / "x.json")
    text = (tmp_path / "x.json").read_text()
    assert list(json.loads(text)["x"]) == ["dataset_labels", "taxa", "max_count", "prioritize"]
    assert label_specs.text((rule,)) == text


@pytest.mark.parametrize("name", ["x.txt", "x", "x.json.gz"])
def test_another_suffix_is_refused(name):
    with pytest.raises(InputError) as caught:
        label_specs.read(Path(name))
    assert str(caught.value) == f"{name}: a label specification ends in .json or .csv"


@pytest.mark.parametrize("name", ["label_spec.json", "label_spec.csv"])
def test_a_missing_specification_says_how_to_bring_one_in(tmp_path, name):
    with pytest.raises(MissingError) as caught:
        label_specs.read(tmp_path / name)
    remedy = "write one, or bring it in with `camtraps import ... --label-spec`"
    assert str(caught.value) == f"{tmp_path}/{name}: not found; {remedy}"


@pytest.mark.parametrize("name", ["label_spec.json", "label_spec.csv"])
def test_the_specification_of_a_collection_is_found_in_either_form(tmp_path, name):
    label_specs.write((FOX,), tmp_path / name)
    assert label_specs.find(tmp_path) == tmp_path / name


def test_a_collection_without_a_specification_is_an_error(tmp_path):
    with pytest.raises(MissingError) as caught:
        label_specs.find(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}/label_spec.json: not found, nor label_spec.csv; write one, ")


def test_a_collection_with_two_specifications_is_an_error(tmp_path):
    for name in label_specs.NAMES:
        label_specs.write((FOX,), tmp_path / name)
    with pytest.raises(InputError) as caught:
        label_specs.find(tmp_path)
    assert str(caught.value) == f"{tmp_path}: has both label_spec.json and label_spec.csv; remove one"
