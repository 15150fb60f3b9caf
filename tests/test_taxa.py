"""The tree of taxa: one parent each, whatever the rows say, and what is said about it."""

import random
from itertools import pairwise

from camtraps import taxa

SPECIES, GENUS, FAMILY, ORDER = ("species", "s"), ("genus", "g"), ("family", "f"), ("order", "o")
A, B, C = ("family", "a"), ("family", "b"), ("family", "c")


def grow(*lineages: tuple[taxa.Taxon, ...]) -> taxa.Tree:
    return taxa.grow({("ds1", f"label {at}"): lineage for at, lineage in enumerate(lineages)})


def test_a_lineage_is_a_branch_of_the_tree():
    tree = grow((SPECIES, GENUS, FAMILY))
    assert tree.ancestors(SPECIES) == [GENUS, FAMILY]
    assert list(tree.subtree(FAMILY)) == [FAMILY, GENUS, SPECIES]
    assert (tree.roots(), tree.conflicts) == ([FAMILY], ())


def test_a_parent_that_only_skips_levels_is_dropped_even_if_more_rows_name_it():
    tree = grow((SPECIES, FAMILY), (SPECIES, FAMILY), (SPECIES, GENUS, FAMILY))
    assert tree.parents == {SPECIES: GENUS, GENUS: FAMILY}
    (conflict,) = tree.conflicts
    assert (conflict.taxon, conflict.kept, conflict.kind) == (SPECIES, GENUS, "skipped levels")


def test_t2_of_two_unrelated_parents_the_one_that_most_rows_name_is_kept():
    tree = grow((SPECIES, A), (SPECIES, B), (SPECIES, B))
    assert tree.parents == {SPECIES: B}
    (conflict,) = tree.conflicts
    assert (conflict.kept, conflict.kind) == (B, "several parents")
    assert conflict.named == {A: [("ds1", "label 0")], B: [("ds1", "label 1"), ("ds1", "label 2")]}


def test_t2_a_taxon_with_three_parents_keeps_one():
    tree = grow((SPECIES, C, ORDER), (SPECIES, B, ORDER), (SPECIES, A, ORDER))
    assert tree.ancestors(SPECIES) == [A, ORDER]  # as many rows each: the first in alphabetical order


def test_of_a_cycle_the_edge_that_fewest_rows_name_is_cut():
    tree = grow((GENUS, FAMILY), (GENUS, FAMILY), (FAMILY, GENUS))
    assert tree.parents == {GENUS: FAMILY}
    (conflict,) = tree.conflicts
    assert (conflict.taxon, conflict.kept, conflict.kind) == (FAMILY, None, "cycle")


def test_a_taxon_in_a_cycle_falls_back_on_another_parent():
    tree = grow((GENUS, FAMILY), (GENUS, FAMILY), (FAMILY, GENUS), (FAMILY, ORDER))
    assert tree.parents == {GENUS: FAMILY, FAMILY: ORDER}


def test_a_lineage_that_names_a_taxon_twice_in_a_row_is_no_harm():
    assert grow((SPECIES, GENUS, GENUS)).parents == {SPECIES: GENUS}


def test_skipped_levels_and_what_stands_above_are_filled_in():
    tree = grow((SPECIES, GENUS, FAMILY, ORDER))
    assert tree.filled((SPECIES, FAMILY)) == [SPECIES, FAMILY, GENUS, ORDER]
    assert tree.filled(()) == []


def test_a_lineage_that_goes_another_way_than_the_tree_is_left_alone():
    tree = grow((SPECIES, A), (SPECIES, A), (SPECIES, B))
    assert tree.filled((SPECIES, B)) == [SPECIES, B]


def test_any_mess_becomes_a_tree_with_all_its_taxa():
    draw = random.Random(3)
    for _ in range(200):
        names = [("genus", str(at)) for at in range(8)]
        lineages = [tuple(draw.choices(names, k=draw.randint(1, 5))) for _ in range(draw.randint(1, 12))]
        tree = grow(*lineages)
        reached = [taxon for root in tree.roots() for taxon in tree.subtree(root)]
        assert sorted(reached) == sorted({taxon for lineage in lineages for taxon in lineage})
        edges = {edge for lineage in lineages for edge in pairwise(lineage)}
        assert set(tree.parents.items()) <= edges
