"""Mapping of classes to targets by their taxa: the worked example, and everything that is wrong said at once."""

import json

import numpy as np
import pytest

from camtraps import label_specs, mapping, taxonomy

TABLE = """dataset_name,query,family,genus,species
a,red fox,canidae,vulpes,vulpes vulpes
a,arctic fox,canidae,vulpes,vulpes lagopus
a,wolf,canidae,canis,canis lupus
b,elk,cervidae,cervus,cervus canadensis
b,moose,cervidae,alces,alces alces
a,horse,equidae,equus,equus caballus
b,fox,canidae,vulpes,vulpes vulpes
a,empty,,,
b,empty,,,
"""


def species(name, **more):
    return {"taxa": [{"level": "species", "name": name, **more}]}


CLASSES = {
    "red fox": species("vulpes vulpes"),
    "wolf": species("canis lupus"),
    "elk": species("cervus canadensis"),
    "moose": species("alces alces"),
}
CANID = {"taxa": [{"level": "family", "name": "canidae"}]}
DEER = {"taxa": [{"level": "genus", "name": "cervus"}]}


@pytest.fixture
def mapped(tmp_path):
    (tmp_path / "taxonomy.csv").write_text(TABLE)
    table = taxonomy.read(tmp_path / "taxonomy.csv")

    def run(targets, classes=CLASSES, trained=None):
        return mapping.map_categories(rules(targets), rules(classes), table, trained)

    def rules(document):
        (tmp_path / "spec.json").write_text(json.dumps(document))
        return label_specs.read(tmp_path / "spec.json")

    return run


def test_classes_get_to_their_targets_as_in_the_example_of_the_specification(mapped):
    # E5: a target without a class was missing.
    found = mapped({"canid": CANID, "deer": DEER, "horse": species("equus caballus")})
    assert found.pools == {"canid": ["red fox", "wolf"], "deer": ["elk"], "horse": [], "other": ["moose"]}
    assert list(found.pools)[-1] == "other"
    assert (found.problems, found.warnings) == ([], ["target 'horse' has no class"])


def test_a_target_may_itself_be_called_other(mapped):
    # M11: it was overwritten, and its classes vanished.
    found = mapped({"other": CANID, "deer": DEER})
    assert found.pools == {"deer": ["elk"], "other": ["moose", "red fox", "wolf"]}
    assert found.warnings == ["target 'other' gets the classes of no target as well: moose"]
    assert mapped({"other": CANID, "deer": {"taxa": [{"level": "family", "name": "cervidae"}]}}).pools == {
        "other": ["red fox", "wolf"], "deer": ["elk", "moose"],
    }  # fmt: skip


def test_all_overlaps_are_said_at_once(mapped):
    # M12: the first one ended the run.
    hoofed = {"taxa": [{"level": "genus", "name": "cervus"}, {"level": "species", "name": "alces alces"}]}
    classes = {"fox": {"taxa": [{"level": "genus", "name": "vulpes"}]}, "hoofed": hoofed, "elk": DEER}
    found = mapped({"red": species("vulpes vulpes"), "moose": species("alces alces"), "deer": DEER}, classes)
    assert found.problems == [
        "classes 'hoofed' and 'elk' both have genus cervus, species cervus canadensis",
        "class 'fox' is only partly in target 'red': genus vulpes, species vulpes lagopus is not",
        "class 'hoofed' is only partly in target 'moose': genus cervus, species cervus canadensis is not",
        "class 'hoofed' is only partly in target 'deer': species alces alces is not",
    ]


def test_a_taxon_of_some_datasets_is_no_taxon_of_all(mapped):
    # M12: the datasets of a taxon were passed over.
    of_a = {"fox": species("vulpes vulpes", datasets=["a"])}
    assert mapped({"canid": CANID}, of_a).pools == {"canid": ["fox"]}
    found = mapped({"canid": {"taxa": [{"level": "family", "name": "canidae", "datasets": ["a"]}]}})
    assert found.problems == [
        "class 'red fox' is only partly in target 'canid': species vulpes vulpes of other datasets is not",
        "class 'wolf' is only partly in target 'canid': species canis lupus of other datasets is not",
    ]


def test_a_dataset_label_stands_for_its_taxon(mapped):
    assert mapped({"fox": {"dataset_labels": {"a": ["red fox"]}}}).pools["fox"] == ["red fox"]
    nothing = {"empty": {"dataset_labels": {"a": ["empty"]}}}
    assert mapped({"empty": {"dataset_labels": {"b": ["empty"], "a": ["empty"]}}}, nothing).pools == {
        "empty": ["empty"]
    }


def test_what_is_excluded_is_in_no_class(mapped):
    but_arctic = {"fox": {"taxa": [{"level": "genus", "name": "vulpes"}], "exclude": species("vulpes lagopus")}}
    found = mapped({"red": species("vulpes vulpes")}, but_arctic)
    assert found.problems == ["class 'fox' is only partly in target 'red': genus vulpes is not"]
    assert mapped({"canid": CANID | {"exclude": species("vulpes lagopus")}}, but_arctic).pools == {"canid": ["fox"]}


def test_what_the_taxonomy_lacks_is_a_warning_and_a_label_without_any_taxon_a_problem(mapped):
    # M12: a dataset label that is not in the table was a KeyError.
    classes = {
        "fox": species("vulpes vulpes") | {"dataset_labels": {"c": ["zorro"]}},
        "unicorn": species("equus magicus"),
    }
    found = mapped({"canid": CANID}, classes)
    table = found.warnings[0].split(": ")[1].split(" has")[0]
    assert found.warnings[0] == f"class 'fox': {table} has no label 'zorro' of dataset c"
    assert found.warnings[1].startswith(f"class 'unicorn': {table} has no species 'equus magicus'; near: species equus")
    assert found.problems == [f"class 'unicorn' stands for no taxon of {table}"]


def test_classes_that_were_never_learned_are_left_out(mapped):
    assert mapped({"canid": CANID}, trained=["red fox", "elk"]).pools == {"canid": ["red fox"], "other": ["elk"]}
    found = mapped({"canid": CANID}, trained=["lion"])
    assert found.problems == ["class 'lion' of the label index is not in the classifier's specification"]


def test_probabilities_are_those_of_the_example_of_the_specification():
    pools = {"canid": ["red fox", "wolf"], "deer": ["elk"], "horse": [], "other": ["moose", "gone"]}
    found = mapping.aggregate(np.array([[0.4, 0.3, 0.2, 0.1]]), list(CLASSES), pools)
    assert found.tolist() == [pytest.approx([0.7, 0.2, 0, 0.1])]
