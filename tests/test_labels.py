"""The label specification: which dataset labels a label takes (spec A.2), and what is refused with its key."""

import json
from pathlib import Path
from typing import Any

import make
import pytest

from camtraps import labels, taxonomy
from camtraps.errors import InputError, MissingError

# The taxonomy of spec A.2.
LINEAGES = {
    ("ds1", "red fox"): [("species", "vulpes vulpes"), ("genus", "vulpes"), ("family", "canidae")],
    ("ds1", "canid"): [("family", "canidae")],
    ("ds2", "wolf"): [("species", "canis lupus"), ("genus", "canis"), ("family", "canidae")],
}
CANIDAE = {"level": "family", "name": "canidae"}
VULPES = {"level": "genus", "name": "vulpes"}


def read(folder: Path, spec: Any) -> tuple[labels.LabelRule, ...]:
    path = folder / "label_spec.json"
    path.write_text(spec if isinstance(spec, str) else json.dumps(spec), encoding="utf-8")
    return labels.read(path)


def resolve(folder: Path, spec: Any, known: tuple[taxonomy.Pair, ...] = ()) -> labels.Selection:
    table = folder / "taxonomy.csv"
    table.write_text(make.taxonomy_csv(LINEAGES), encoding="utf-8")
    return labels.resolve(read(folder, spec), taxonomy.read(table), known, folder / "label_spec.json")


def message(folder: Path, spec: Any, step=read) -> str:
    with pytest.raises(InputError) as caught:
        step(folder, spec)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(f"{folder}/", "")


@pytest.mark.parametrize(
    ("spec", "pairs"),
    [
        ({"taxa": [CANIDAE]}, {("ds1", "red fox"), ("ds1", "canid"), ("ds2", "wolf")}),
        ({"taxa": [CANIDAE | {"datasets": ["ds2"]}]}, {("ds2", "wolf")}),
        ({"taxa": [CANIDAE], "exclude": {"taxa": [VULPES]}}, {("ds1", "canid"), ("ds2", "wolf")}),
        ({"taxa": [VULPES], "dataset_labels": {"ds2": ["wolf"]}}, {("ds1", "red fox"), ("ds2", "wolf")}),
        ({"taxa": [CANIDAE], "exclude": {"dataset_labels": {"ds2": ["wolf"]}}}, {("ds1", "red fox"), ("ds1", "canid")}),
        ({"taxa": {"level": "Family", "name": " Canidae "}}, {("ds1", "red fox"), ("ds1", "canid"), ("ds2", "wolf")}),
        ({"dataset_labels": {"DS1": ["Red Fox"]}}, {("ds1", "red fox")}),
    ],
)
def test_a_label_takes_what_its_rules_name(tmp_path, spec, pairs):
    assert set(resolve(tmp_path, {"x": spec}).pairs) == pairs


def test_a_dataset_label_of_the_catalog_needs_no_taxonomy(tmp_path):
    selection = resolve(tmp_path, {"x": {"dataset_labels": {"ds1": ["NA"]}}}, (("ds1", "na"),))
    assert selection.pairs == {("ds1", "na"): ("x", "dataset label")}


def test_a_pair_knows_its_label_and_the_rule_that_chose_it(tmp_path):
    spec = {"x": {"taxa": [VULPES], "dataset_labels": {"ds2": ["wolf"]}}}
    why = {("ds1", "red fox"): ("x", "genus vulpes"), ("ds2", "wolf"): ("x", "dataset label")}
    assert resolve(tmp_path, spec).pairs == why


def test_a_selection_lists_taxa_and_dataset_labels_of_each_label(tmp_path):
    assert resolve(tmp_path, {"x": {"taxa": [VULPES]}, "y": {"dataset_labels": {"ds2": ["wolf"]}}}).by_label() == {
        "x": {"taxa": ["genus vulpes"], "dataset_labels": [["ds1", "red fox"]]},
        "y": {"taxa": [], "dataset_labels": [["ds2", "wolf"]]},
    }


def test_labels_keep_their_spelling_and_order(tmp_path):
    spec = {name: {"taxa": [VULPES]} for name in ("null", "NA", "007", "Fox")}
    assert [rule.label for rule in read(tmp_path, spec)] == ["null", "NA", "007", "Fox"]


def test_two_labels_may_not_share_a_dataset_label(tmp_path):
    said = message(tmp_path, {"fox": {"taxa": [VULPES]}, "canid": {"taxa": [CANIDAE]}}, resolve)
    assert said == "label_spec.json: canid and fox both take 'red fox' of dataset ds1"


def test_an_unknown_taxon_is_refused_with_near_ones(tmp_path):
    said = message(tmp_path, {"x": {"taxa": [{"level": "genus", "name": "vulpez"}]}}, resolve)
    assert said == "label_spec.json: x: taxonomy.csv has no genus 'vulpez'; near: genus vulpes"


def test_an_unknown_taxon_to_exclude_is_refused(tmp_path):
    spec = {"x": {"taxa": [CANIDAE], "exclude": {"taxa": [{"level": "class", "name": "aves"}]}}}
    assert message(tmp_path, spec, resolve) == "label_spec.json: x: taxonomy.csv has no class 'aves'"


def test_an_unknown_dataset_label_is_refused_with_a_near_one(tmp_path):
    said = message(tmp_path, {"x": {"dataset_labels": {"ds1": ["red foxx"]}}}, resolve)
    assert said == "label_spec.json: x: dataset ds1 has no label 'red foxx'; near: red fox"


def test_an_unknown_dataset_is_refused_wherever_it_stands(tmp_path):
    spec = {"x": {"taxa": [CANIDAE, VULPES | {"datasets": ["ds3"]}], "max_count": 5, "prioritize": [["ds1"], ["dsx"]]}}
    assert message(tmp_path, spec, resolve) == (
        "label_spec.json: x.taxa: there is no dataset 'ds3'; there are: ds1, ds2; "
        "x.prioritize: there is no dataset 'dsx'; there are: ds1, ds2"
    )


def test_a_label_that_its_exclude_empties_is_refused(tmp_path):
    said = message(tmp_path, {"x": {"taxa": [VULPES], "exclude": {"taxa": [CANIDAE]}}}, resolve)
    assert said == "label_spec.json: x: nothing is left after its exclude"


@pytest.mark.parametrize("spec", [{"dataset_labels": {"ds1": []}}, {"taxa": [VULPES | {"datasets": ["ds2"]}]}])
def test_a_label_that_takes_nothing_is_refused(tmp_path, spec):
    assert message(tmp_path, {"x": spec}, resolve) == "label_spec.json: x: takes no dataset label of these datasets"


def test_problems_of_all_labels_are_said_at_once(tmp_path):
    spec = {"x": {"taxa": [{"level": "class", "name": "aves"}]}, "y": {"dataset_labels": {"ds1": []}}}
    assert message(tmp_path, spec, resolve) == (
        "label_spec.json: x: taxonomy.csv has no class 'aves'; y: takes no dataset label of these datasets"
    )


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"taxon": [CANIDAE], "taxa": [VULPES]}, "x.taxon: unknown key; did you mean taxa?"),
        (
            {"zzz": 1, "taxa": [VULPES]},
            "x.zzz: unknown key; known are taxa, dataset_labels, exclude, max_count, prioritize",
        ),
        ({"taxa": [VULPES], "max_count": 0}, "x.max_count: expected a whole number above 0, got 0"),
        ({"taxa": [VULPES], "max_count": -1}, "x.max_count: expected a whole number above 0, got -1"),
        ({"taxa": [VULPES], "max_count": "5"}, "x.max_count: expected a whole number above 0, got '5'"),
        ({"taxa": [VULPES], "max_count": True}, "x.max_count: expected a whole number above 0, got True"),
        (
            {"taxa": [VULPES], "prioritize": [["ds1"]]},
            "x.prioritize: has no effect without max_count; add one or remove it",
        ),
        (
            {"taxa": [VULPES], "max_count": 5, "prioritize": ["ds1"]},
            "x.prioritize: expected [[dataset, ...], ...], got ['ds1']",
        ),
        ({"taxa": ["vulpes"]}, "x.taxa[0]: expected {level, name, datasets?}, got 'vulpes'"),
        ({"taxa": [{"level": "genus"}]}, "x.taxa[0]: expected {level, name, datasets?}, got {'level': 'genus'}"),
        ({"dataset_labels": {"ds1": "fox"}}, "x.dataset_labels: expected {dataset: [label, ...]}, got {'ds1': 'fox'}"),
        ({}, "x: needs taxa or dataset_labels"),
        ({"taxa": [VULPES], "exclude": {}}, "x.exclude: needs taxa or dataset_labels"),
        (
            {"taxa": [VULPES], "exclude": {"taxa": [CANIDAE], "max_count": 5}},
            "x.exclude.max_count: unknown key; known are taxa, dataset_labels",
        ),
        (
            [VULPES],
            "x: expected keys taxa, dataset_labels, exclude, max_count, prioritize, "
            "got [{'level': 'genus', 'name': 'vulpes'}]",
        ),
    ],
)
def test_a_malformed_label_is_named_with_its_key(tmp_path, spec, said):
    assert message(tmp_path, {"x": spec}) == f"label_spec.json: {said}"


@pytest.mark.parametrize("spec", [[], {}, "5"])
def test_a_file_without_labels_is_refused(tmp_path, spec):
    shown = spec if isinstance(spec, str) else repr(spec)
    said = f"label_spec.json: expected {{label: specification}} with at least one label, got {shown}"
    assert message(tmp_path, spec) == said


def test_a_trailing_comma_is_refused_with_its_place(tmp_path):
    said = message(tmp_path, '{\n "x": {"max_count": 5,}\n}')
    assert said.startswith("label_spec.json:2:")
    assert ": not valid JSON: " in said


def test_a_label_that_stands_twice_is_refused(tmp_path):
    said = message(tmp_path, '{"x": {"taxa": []}, "x": {"taxa": []}}')
    assert said == "label_spec.json: not usable JSON: key 'x' stands twice"


def test_a_label_without_a_name_is_refused(tmp_path):
    assert message(tmp_path, {" ": {"taxa": [VULPES]}}) == "label_spec.json: a label is empty"


def test_a_missing_specification_says_how_to_bring_one_in(tmp_path):
    with pytest.raises(MissingError) as caught:
        labels.read(tmp_path / "label_spec.json")
    remedy = "write one, or bring it in with `camtraps import cct --label-spec`"
    assert str(caught.value) == f"{tmp_path}/label_spec.json: not found; {remedy}"
