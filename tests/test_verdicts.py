"""Verdicts: which answers stand in the result, by hand."""

import numpy as np
import pytest
from make_classify import CLASSES, LINEAGES

from camtraps.errors import InputError
from camtraps.lineages import of_model
from camtraps.verdicts import UNKNOWN, Verdicts, allowed, strangers

KNOWN = of_model(CLASSES, {name: {"lineage": lineage} for name, lineage in LINEAGES.items()})


def verdicts(**options):
    return Verdicts(**{"classes": CLASSES, "lineages": KNOWN} | options)


def answers(given, probabilities):
    found = given.of(np.array([probabilities]))[0]
    return [(given.categories[at], pytest.approx(share)) for at, share in found]


def test_answers_are_the_classes_the_most_probable_first():
    assert answers(verdicts(), [0.2, 0.1, 0.7]) == [("fox", 0.7), ("badger", 0.2), ("deer", 0.1)]


def test_answers_below_the_threshold_or_after_the_first_ones_are_left_out():
    assert answers(verdicts(threshold=0.15), [0.2, 0.1, 0.7]) == [("fox", 0.7), ("badger", 0.2)]
    assert answers(verdicts(top=1), [0.2, 0.1, 0.7]) == [("fox", 0.7)]
    assert answers(verdicts(threshold=0.8), [0.2, 0.1, 0.7]) == []


def test_targets_get_the_sum_of_their_classes():
    pools = {"small": ["fox", "badger"], "big": ["deer"], "none": []}
    assert answers(verdicts(pools=pools), [0.2, 0.3, 0.5]) == [("small", 0.7), ("big", 0.3)]


def test_listed_classes_share_the_probability_of_the_others():
    given = verdicts(allowed=np.array([True, True, False]))
    assert answers(given, [0.3, 0.1, 0.6]) == [("badger", 0.75), ("deer", 0.25)]
    assert given.num_outside(np.array([[0.3, 0.1, 0.6], [0.6, 0.1, 0.3]])) == 1


def test_a_crop_of_which_nothing_is_left_is_as_likely_any_of_the_listed():
    given = verdicts(allowed=np.array([True, True, False]))
    assert answers(given, [0.0, 0.0, 1.0]) == [("badger", 0.5), ("deer", 0.5)]


def test_the_nearest_taxon_in_common_takes_the_probability_of_a_class_that_is_not_listed():
    given = verdicts(allowed=np.array([True, True, False]), outside="taxon")
    assert answers(given, [0.3, 0.1, 0.6]) == [("carnivora", 0.6), ("badger", 0.3), ("deer", 0.1)]


def test_without_a_taxon_in_common_it_is_unknown():
    lineages = KNOWN | {"fox": (("genus", "vulpes"),)}
    given = verdicts(lineages=lineages, allowed=np.array([True, True, False]), outside="taxon")
    assert answers(given, [0.3, 0.1, 0.6]) == [(UNKNOWN, 0.6), ("badger", 0.3), ("deer", 0.1)]


def test_an_unsure_answer_stands_behind_the_smallest_taxon_that_is_sure_enough():
    given = verdicts(unsure="taxon", sure_from=dict.fromkeys(CLASSES, 0.8))
    assert answers(given, [0.4, 0.05, 0.55]) == [("carnivora", 0.95), ("fox", 0.55), ("badger", 0.4), ("deer", 0.05)]
    assert answers(given, [0.3, 0.3, 0.4])[0] == ("mammalia", 1.0)
    assert answers(given, [0.1, 0.05, 0.85])[0] == ("fox", 0.85)


def test_an_unsure_answer_stands_behind_unknown():
    given = verdicts(unsure="unknown", sure_from=dict.fromkeys(CLASSES, 0.8), threshold=0.5)
    assert answers(given, [0.4, 0.05, 0.55]) == [(UNKNOWN, 1.0), ("fox", 0.55)]


def test_each_class_has_a_threshold_of_its_own():
    given = verdicts(unsure="unknown", sure_from={"fox": 0.5, "deer": 0.9})
    assert answers(given, [0.2, 0.2, 0.6])[0] == ("fox", 0.6)
    assert answers(given, [0.1, 0.8, 0.1])[0] == (UNKNOWN, 1.0)
    assert answers(given, [0.4, 0.3, 0.3])[0] == ("badger", 0.4)


def test_descriptions_are_five_names_for_each_category():
    given = verdicts(unsure="unknown")
    assert given.categories == [*CLASSES, UNKNOWN]
    assert given.descriptions() == [
        "mammalia;carnivora;mustelidae;meles;meles",
        "mammalia;artiodactyla;cervidae;;",
        "mammalia;carnivora;canidae;vulpes;vulpes",
        ";;;;",
    ]
    assert verdicts(lineages=dict.fromkeys(CLASSES, ())).descriptions() == []


def test_a_target_stands_where_all_its_classes_do():
    given = verdicts(pools={"small": ["fox", "badger"], "big": ["deer"]})
    assert dict(zip(given.categories, given.descriptions(), strict=True))["small"] == "mammalia;carnivora;;;"


def test_classes_are_listed_by_name_or_by_a_taxon():
    assert allowed(CLASSES, KNOWN, ["Fox", "order artiodactyla"]).tolist() == [False, True, True]
    assert allowed(CLASSES, KNOWN, ["carnivora"]).tolist() == [True, False, True]
    assert strangers(CLASSES, KNOWN, ["fox", "wolf", "mammalia"]) == ["wolf"]


def test_a_list_that_leaves_nothing_is_refused():
    with pytest.raises(InputError, match=r"^none of the listed labels and taxa is of this model: badger, deer, fox$"):
        verdicts(allowed=np.zeros(3, bool))
