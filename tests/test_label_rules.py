"""The rules of a label specification in the one form that reads back as it was written."""

from camtraps.label_rules import LabelRule, TaxonRule, by_dataset, grouped, merged, name_problems, sampling_problems


def test_rules_about_a_taxon_are_merged_where_the_first_stands():
    rules = [TaxonRule("genus", "a", ("x",)), TaxonRule("genus", "b"), TaxonRule("genus", "a", ("y", "x"))]
    assert merged(rules) == (TaxonRule("genus", "a", ("x", "y")), TaxonRule("genus", "b"))


def test_a_rule_for_all_datasets_takes_in_those_for_some():
    assert merged([TaxonRule("genus", "a", ("x",)), TaxonRule("genus", "a")]) == (TaxonRule("genus", "a"),)


def test_dataset_labels_are_grouped_each_once():
    pairs = [("b", "1"), ("a", "2"), ("b", "3"), ("a", "2")]
    assert grouped(pairs) == (("b", "1"), ("b", "3"), ("a", "2"))
    assert by_dataset(pairs) == {"b": ["1", "3"], "a": ["2"]}


def test_labels_that_look_like_nothing_are_fine():
    assert list(name_problems(("", name) for name in ("null", "NA", "007", "x#1", "a|b", "a,b", "нет"))) == []


def test_an_empty_label_is_a_problem():
    assert list(name_problems([("line 2: ", "")])) == ["line 2: a label is empty"]


def test_q14_priorities_without_a_cap_are_a_problem():
    rule = LabelRule("x", prioritize=(("a",),))
    assert list(sampling_problems(rule, "x")) == ["x.prioritize: has no effect without max_count; add one or remove it"]
