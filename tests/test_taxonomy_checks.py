"""The findings about a taxonomy: what is a problem, what a note, and what they say."""

from pathlib import Path

import make
import pandas as pd

from camtraps import taxonomy, taxonomy_checks

HEADER = "dataset_name,query,taxonomy_level,scientific_name,taxonomy_string\n"
FOX = "\"[(1,'species','vulpes vulpes',[]),(2,'genus','vulpes',[])]\""
S, G, F = ("species", "s"), ("genus", "g"), ("family", "f")


def check(folder: Path, text: str) -> list[tuple[str, str, bool]]:
    path = folder / "taxonomy.csv"
    path.write_text(text, encoding="utf-8")
    return [tuple(finding) for finding in taxonomy_checks.check(taxonomy.read(path))]


def test_a_table_in_order_has_no_finding(tmp_path):
    assert check(tmp_path, HEADER + f"ds1,fox,Species,Vulpes vulpes,{FOX}\n") == []


def test_unrelated_parents_are_a_problem_with_the_rows_on_each_side(tmp_path):
    lineages = {("ds1", "one"): [S, ("genus", "a")], ("ds1", "two"): [S, G], ("ds2", "three"): [S, G]}
    text = (
        "species s stands below genus g (2 rows: ds1 'two', ds2 'three'); genus a (1 row: ds1 'one'); genus g is kept"
    )
    assert check(tmp_path, make.taxonomy_csv(lineages)) == [("several parents", text, True)]


def test_skipped_levels_are_a_note(tmp_path):
    lineages = {("ds1", "one"): [S, F], ("ds1", "two"): [S, G, F]}
    text = "species s stands below family f (1 row: ds1 'one'); genus g (1 row: ds1 'two'); genus g is kept"
    assert check(tmp_path, make.taxonomy_csv(lineages)) == [("skipped levels", text, False)]


def test_a_cycle_is_a_problem(tmp_path):
    lineages = {("ds1", "one"): [G, F], ("ds1", "two"): [G, F], ("ds1", "three"): [F, G]}
    text = "family f stands below genus g (1 row: ds1 'three'); none is kept"
    assert check(tmp_path, make.taxonomy_csv(lineages)) == [("cycle", text, True)]


def test_columns_that_contradict_the_lineage_are_a_problem(tmp_path):
    text = "line 2: ds1 label 'Fox' is genus vulpes by its columns, but its lineage starts with species vulpes vulpes"
    assert check(tmp_path, HEADER + f"ds1,Fox,genus,vulpes,{FOX}\n") == [("contradiction", text, True)]


def test_a_row_that_names_a_taxon_without_a_lineage_is_a_problem(tmp_path):
    found = check(tmp_path, HEADER + "ds1,fox,genus,vulpes,\n")
    text = "line 2: ds1 label 'fox' is genus vulpes by its columns, but it has no lineage"
    assert found[0] == ("contradiction", text, True)


def test_an_unknown_level_is_a_problem(tmp_path):
    found = check(tmp_path, make.taxonomy_csv({("ds1", "fox"): [("specie", "vulpes vulpes")]}))
    assert found == [("unknown level", "level 'specie' of ds1 'fox' is not known; did you mean species?", True)]


def test_a_name_at_several_levels_is_a_note(tmp_path):
    zebra = [("subgenus", "hippotigris"), ("genus", "hippotigris")]
    text = "'hippotigris' is the name of a genus and of a subgenus"
    assert check(tmp_path, make.taxonomy_csv({("ds1", "zebra"): zebra})) == [("same name", text, False)]


def test_labels_without_lineage_are_a_note(tmp_path):
    text = "dataset ds1: labels in no taxon: empty, unknown"
    assert check(tmp_path, HEADER + "ds1,empty,,,\nds1,unknown,,,\n") == [("no lineage", text, False)]


def test_problems_come_before_notes(tmp_path):
    found = check(tmp_path, HEADER + f"ds1,empty,,,\nds1,fox,genus,vulpes,{FOX}\n")
    assert [is_problem for _, _, is_problem in found] == [True, False]


def test_labels_of_the_catalog_without_a_row_are_problems_commonest_first(tmp_path):
    path = tmp_path / "taxonomy.csv"
    path.write_text(HEADER + f"ds1,fox,,,{FOX}\nds 3,fox,,,{FOX}\n")
    counts = pd.DataFrame(
        [("DS1", "Fox", 5), ("DS1", "NA", 1), ("ds2", "deer", 1200)], columns=["dataset", "class", "photos"]
    )
    assert [tuple(finding) for finding in taxonomy_checks.check_catalog(taxonomy.read(path), counts)] == [
        ("no row", "dataset ds2 label 'deer': no row for its 1,200 photos", True),
        ("no row", "dataset ds1 label 'na': no row for its 1 photo", True),
        ("not in the catalog", "dataset ds-3: 1 row, but it is not in the catalog", False),
    ]
