"""How far apart labels are in the taxonomy."""

import numpy as np
import pytest

from camtraps.kinship import closeness, distances

FOX = (("species", "vulpes vulpes"), ("genus", "vulpes"), ("family", "canidae"), ("order", "carnivora"))
CORSAC = (("species", "vulpes corsac"), ("genus", "vulpes"), ("family", "canidae"), ("order", "carnivora"))
WOLF = (("species", "canis lupus"), ("genus", "canis"), ("family", "canidae"), ("order", "carnivora"))
HERON = (("species", "ardea cinerea"), ("class", "aves"), ("kingdom", "animalia"))
LINEAGES = {("d", "fox"): FOX, ("d", "corsac"): CORSAC, ("d", "wolf"): WOLF, ("d", "heron"): HERON, ("d", "odd"): ()}


def rules(**members):
    return {name: {"dataset_labels": [["d", each] for each in own]} for name, own in members.items()}


def found(one, other):
    return distances(["one", "other"], rules(one=one, other=other), LINEAGES)[0, 1]


def test_ranks_are_counted_up_to_the_one_that_both_share():
    assert found(["fox"], ["corsac"]) == 1
    assert found(["fox"], ["wolf"]) == 2
    assert found(["fox"], ["heron"]) == 7


def test_of_several_members_the_nearest_count():
    assert found(["fox", "heron"], ["wolf", "corsac"]) == 1


def test_a_label_without_a_taxon_is_at_no_distance():
    assert np.isnan(found(["fox"], ["odd"]))
    assert np.isnan(distances(["fox", "gone"], rules(fox=["fox"]), LINEAGES)[1, 0])


def test_distances_are_symmetric_and_none_from_a_label_to_itself():
    table = distances(["a", "b", "c"], rules(a=["fox"], b=["wolf"], c=["heron"]), LINEAGES)
    assert (table == table.T).all()
    assert np.diag(table).tolist() == [0, 0, 0]


def test_what_has_no_taxon_counts_as_far_away():
    assert closeness(np.array([[1.0, np.nan]])).tolist() == [pytest.approx([0.5, 0.125])]
