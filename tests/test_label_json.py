"""The JSON form of a label specification: what is read, what is refused with its key, what is written."""

import json
from pathlib import Path
from typing import Any

import pytest

from camtraps import label_json
from camtraps.errors import InputError
from camtraps.label_rules import LabelRule, Rules, TaxonRule

CANIDAE = {"level": "family", "name": "canidae"}
VULPES = {"level": "genus", "name": "vulpes"}


def read(folder: Path, spec: Any) -> Rules:
    path = folder / "label_spec.json"
    path.write_text(spec if isinstance(spec, str) else json.dumps(spec), encoding="utf-8")
    return label_json.read(path, "write one")


def message(folder: Path, spec: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(folder, spec)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(f"{folder}/", "")


def test_a_specification_becomes_rules_with_folded_names(tmp_path):
    spec = {
        "Cervid": {
            "dataset_labels": {"Alpha Cams": ["Roe Deer", "NA"]},
            "taxa": [
                {"level": "Family", "name": " Cervidae "},
                {"level": "genus", "name": "cervus", "datasets": ["B"]},
            ],
            "exclude": {"dataset_labels": {"alpha-cams": ["statue"]}},
            "max_count": 2000,
            "prioritize": [["B"], ["Alpha Cams"]],
        }
    }
    assert read(tmp_path, spec) == (
        LabelRule(
            "Cervid",
            taxa=(TaxonRule("family", "cervidae"), TaxonRule("genus", "cervus", ("b",))),
            dataset_labels=(("alpha-cams", "roe deer"), ("alpha-cams", "na")),
            exclude=LabelRule("Cervid", dataset_labels=(("alpha-cams", "statue"),)),
            max_count=2000,
            prioritize=(("b",), ("alpha-cams",)),
        ),
    )


def test_a_document_has_its_keys_in_order_and_none_that_says_nothing():
    rule = LabelRule(
        "x", (TaxonRule("genus", "vulpes", ("a",)),), (("a", "fox"),), LabelRule("x", dataset_labels=(("a", "y"),)), 5
    )
    document = label_json.document((rule,))
    assert list(document["x"]) == ["dataset_labels", "taxa", "exclude", "max_count"]
    assert document["x"]["taxa"] == [{"level": "genus", "name": "vulpes", "datasets": ["a"]}]
    assert document["x"]["exclude"] == {"dataset_labels": {"a": ["y"]}}


def test_rules_about_the_same_taxon_become_one(tmp_path):
    (rule,) = read(tmp_path, {"x": {"taxa": [VULPES | {"datasets": ["a"]}, VULPES | {"datasets": ["b", "a"]}]}})
    assert rule.taxa == (TaxonRule("genus", "vulpes", ("a", "b")),)


def test_q6_labels_that_differ_only_by_case_are_refused(tmp_path):
    said = message(tmp_path, {"Fox": {"taxa": [VULPES]}, "fox": {"taxa": [CANIDAE]}})
    assert said == "label_spec.json: labels 'Fox' and 'fox' differ only by case; make them one, or rename one"


def test_labels_that_differ_only_by_blanks_are_refused(tmp_path):
    said = message(tmp_path, {"fox": {"taxa": [VULPES]}, "fox ": {"taxa": [CANIDAE]}})
    assert said == "label_spec.json: label 'fox' stands twice"


def test_a_label_with_a_line_end_is_refused(tmp_path):
    said = message(tmp_path, {"a\nb": {"taxa": [VULPES]}})
    assert said == "label_spec.json: label 'a\\nb' has a line end or another sign that is no text"


def test_half_a_character_is_refused(tmp_path):
    said = message(tmp_path, '{"x": {"dataset_labels": {"ds1": ["\\ud800"]}}}')
    assert said == "label_spec.json: half of a character (\\ud800 to \\udfff) is no text; write the whole one"


def test_labels_keep_their_spelling_and_order(tmp_path):
    spec = {name: {"taxa": [VULPES]} for name in ("null", "NA", "007", "Fox")}
    assert [rule.label for rule in read(tmp_path, spec)] == ["null", "NA", "007", "Fox"]


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
        ({"taxa": [VULPES], "max_count": 1.5}, "x.max_count: expected a whole number above 0, got 1.5"),
        ({"taxa": [VULPES], "max_count": 10**30}, f"x.max_count: expected a whole number above 0, got {10**30}"),
        ({"taxa": [VULPES | {"datasets": []}]}, "x.taxa[0].datasets: expected names of datasets, got []"),
        ({"taxa": [VULPES], "max_count": 5, "prioritize": [[]]}, "x.prioritize: expected names of datasets, got []"),
        ({"dataset_labels": {"": ["x"]}}, "x.dataset_labels: a dataset or label is empty in {'': ['x']}"),
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
def test_q14_a_malformed_label_is_named_with_its_key_at_reading(tmp_path, spec, said):
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


def test_a_message_is_one_line_whatever_the_keys(tmp_path):
    said = message(tmp_path, {"x": {"taxa": [VULPES], "a\nb": 1}})
    assert (
        said
        == "label_spec.json: x.'a\\nb': unknown key; known are taxa, dataset_labels, exclude, max_count, prioritize"
    )
