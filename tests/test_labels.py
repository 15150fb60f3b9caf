"""The selection: which dataset labels a label takes (spec A.2), and what is refused."""

import json
from pathlib import Path
from typing import Any

import make
import pytest

from camtraps import labels, taxonomy
from camtraps.errors import InputError
from camtraps.labels import Hit

# The taxonomy of spec A.2.
LINEAGES = {
    ("ds1", "red fox"): [("species", "vulpes vulpes"), ("genus", "vulpes"), ("family", "canidae")],
    ("ds1", "canid"): [("family", "canidae")],
    ("ds2", "wolf"): [("species", "canis lupus"), ("genus", "canis"), ("family", "canidae")],
}
CANIDAE = {"level": "family", "name": "canidae"}
VULPES = {"level": "genus", "name": "vulpes"}
CANIS = {"level": "genus", "name": "canis"}


def read(folder: Path, spec: Any) -> tuple[labels.LabelRule, ...]:
    path = folder / "label_spec.json"
    path.write_text(spec if isinstance(spec, str) else json.dumps(spec), encoding="utf-8")
    return labels.read(path)


def resolve(folder: Path, spec: Any, known: tuple[taxonomy.Pair, ...] = (), **options: bool) -> labels.Selection:
    table = folder / "taxonomy.csv"
    table.write_text(make.taxonomy_csv(LINEAGES), encoding="utf-8")
    return labels.resolve(read(folder, spec), taxonomy.read(table), known, folder / "label_spec.json", **options)


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
    assert selection.pairs == {("ds1", "na"): (Hit("x", "dataset label"),)}


def test_a_pair_knows_its_label_and_the_rule_that_chose_it(tmp_path):
    spec = {"x": {"taxa": [VULPES], "dataset_labels": {"ds2": ["wolf"]}}}
    why = {("ds1", "red fox"): (Hit("x", "genus vulpes"),), ("ds2", "wolf"): (Hit("x", "dataset label"),)}
    assert resolve(tmp_path, spec).pairs == why


def test_a_selection_lists_taxa_and_dataset_labels_of_each_label(tmp_path):
    assert resolve(tmp_path, {"x": {"taxa": [VULPES]}, "y": {"dataset_labels": {"ds2": ["wolf"]}}}).by_label() == {
        "x": {"taxa": ["genus vulpes"], "dataset_labels": [["ds1", "red fox"]]},
        "y": {"taxa": [], "dataset_labels": [["ds2", "wolf"]]},
    }


def test_a_selection_knows_the_taxa_in_which_all_of_a_label_stands(tmp_path):
    spec = {"x": {"taxa": [VULPES, CANIS]}, "y": {"dataset_labels": {"ds1": ["canid"]}}}
    described = resolve(tmp_path, spec).described(taxonomy.read(tmp_path / "taxonomy.csv"))
    assert described["x"]["lineage"] == described["y"]["lineage"] == [["family", "canidae"]]
    spec = {"x": {"taxa": [VULPES]}, "y": {"dataset_labels": {"ds1": ["NA"]}}}
    described = resolve(tmp_path, spec, (("ds1", "na"),)).described(taxonomy.read(tmp_path / "taxonomy.csv"))
    assert described["x"]["lineage"] == [["genus", "vulpes"], ["family", "canidae"]]
    assert described["y"]["lineage"] == []


def test_two_labels_may_not_share_a_dataset_label(tmp_path):
    said = message(tmp_path, {"fox": {"taxa": [VULPES]}, "canid": {"taxa": [CANIDAE]}}, resolve)
    assert said == "label_spec.json: canid and fox both take 'red fox' of dataset ds1"


def test_q11_an_unknown_taxon_is_refused_with_near_ones(tmp_path):
    said = message(tmp_path, {"x": {"taxa": [{"level": "genus", "name": "vulpez"}]}}, resolve)
    assert said == "label_spec.json: x: taxonomy.csv has no genus 'vulpez'; near: genus vulpes"


def test_an_unknown_taxon_to_exclude_is_refused(tmp_path):
    spec = {"x": {"taxa": [CANIDAE], "exclude": {"taxa": [{"level": "class", "name": "aves"}]}}}
    assert message(tmp_path, spec, resolve) == "label_spec.json: x.exclude: taxonomy.csv has no class 'aves'"


def test_q11_an_unknown_dataset_label_is_refused_with_a_near_one(tmp_path):
    said = message(tmp_path, {"x": {"dataset_labels": {"ds1": ["red foxx"]}}}, resolve)
    assert said == "label_spec.json: x: dataset ds1 has no label 'red foxx'; near: red fox"


def test_q11_an_unknown_dataset_is_refused_wherever_it_stands(tmp_path):
    spec = {
        "x": {
            "taxa": [CANIDAE, VULPES | {"datasets": ["ds3"]}],
            "dataset_labels": {"zoo": ["fox"]},
            "max_count": 5,
            "prioritize": [["ds1"], ["snapshot"]],
        }
    }
    assert message(tmp_path, spec, resolve) == (
        "label_spec.json: x.prioritize: there is no dataset 'snapshot'; there are: ds1, ds2; "
        "x.dataset_labels: there is no dataset 'zoo'; there are: ds1, ds2; "
        "x.taxa: there is no dataset 'ds3'; near: ds2, ds1"
    )


def test_q10_a_label_that_its_exclude_empties_is_refused(tmp_path):
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


def test_labels_may_share_dataset_labels_if_allowed_in_the_order_of_the_specification(tmp_path):
    selection = resolve(tmp_path, {"fox": {"taxa": [VULPES]}, "canid": {"taxa": [CANIDAE]}}, allow_multilabel=True)
    assert selection.pairs["ds1", "red fox"] == (Hit("fox", "genus vulpes"), Hit("canid", "family canidae"))
    assert selection.by_label()["canid"]["dataset_labels"] == [["ds1", "canid"], ["ds1", "red fox"], ["ds2", "wolf"]]


def test_three_labels_that_share_a_dataset_label_are_all_named(tmp_path):
    spec = {name: {"taxa": [VULPES]} for name in ("x", "y", "z")}
    said = message(tmp_path, spec, resolve)
    assert said == "label_spec.json: x, y, z all take 'red fox' of dataset ds1"


def test_t4_names_of_datasets_meet_however_they_are_spelled(tmp_path):
    spec = {"x": {"dataset_labels": {"My Cams": ["Fox"]}}}
    assert set(resolve(tmp_path, spec, (("my-cams", "fox"),)).pairs) == {("my-cams", "fox")}


def test_t6_a_taxon_is_taken_only_of_the_named_datasets(tmp_path):
    spec = {"x": {"taxa": [CANIDAE | {"datasets": ["DS1"]}]}}
    assert set(resolve(tmp_path, spec).pairs) == {("ds1", "red fox"), ("ds1", "canid")}


def test_q9_resolving_changes_neither_the_rules_nor_the_taxonomy(tmp_path):
    spec = {"x": {"taxa": [CANIDAE], "exclude": {"taxa": [VULPES]}, "max_count": 5, "prioritize": [["ds1"]]}}
    table = tmp_path / "taxonomy.csv"
    table.write_text(make.taxonomy_csv(LINEAGES), encoding="utf-8")
    rules, again, taxa = read(tmp_path, spec), read(tmp_path, spec), taxonomy.read(table)
    labels.resolve(rules, taxa, (), tmp_path / "label_spec.json")
    assert rules == again
    assert taxa.members(("family", "canidae")) == set(LINEAGES)


def test_q11_an_exclude_without_effect_is_only_a_warning(tmp_path):
    spec = {"x": {"taxa": [VULPES], "exclude": {"taxa": [CANIS], "dataset_labels": {"ds2": ["wolf"]}}}}
    selection = resolve(tmp_path, spec)
    assert set(selection.pairs) == {("ds1", "red fox")}
    assert selection.warnings == (
        "x.exclude: ds2 'wolf' excludes nothing",
        "x.exclude: genus canis excludes nothing",
    )


def test_a_taxon_without_a_label_of_its_datasets_is_only_a_warning_beside_others(tmp_path):
    selection = resolve(tmp_path, {"x": {"taxa": [VULPES | {"datasets": ["ds2"]}, CANIS]}})
    assert selection.warnings == ("x: genus vulpes takes no dataset label of these datasets",)


def test_q11_a_dataset_label_that_only_the_taxonomy_knows_is_a_warning(tmp_path):
    selection = resolve(tmp_path, {"x": {"dataset_labels": {"ds2": ["wolf"]}}}, (("ds1", "red fox"),))
    assert selection.warnings == ("x.dataset_labels: not in the catalog: ds2 'wolf'",)


def test_what_can_be_resolved_is_given_beside_the_problems(tmp_path):
    table = tmp_path / "taxonomy.csv"
    table.write_text(make.taxonomy_csv(LINEAGES), encoding="utf-8")
    spec = {"x": {"taxa": [VULPES]}, "y": {"taxa": [{"level": "class", "name": "aves"}]}}
    selection, problems = labels.attempt(read(tmp_path, spec), taxonomy.read(table), ())
    assert selection.pairs == {("ds1", "red fox"): (Hit("x", "genus vulpes"),)}
    assert problems == [f"y: {tmp_path}/taxonomy.csv has no class 'aves'"]
