"""The taxonomy table: lineages by dataset label, and what is refused with its line."""

from pathlib import Path

import make
import pytest

from camtraps import taxonomy
from camtraps.errors import InputError, MissingError

HEADER = "dataset_name,query,taxonomy_string\n"
FOX = "\"[(1,'species','vulpes vulpes',['red fox']),(2,'genus','vulpes',[])]\""


def read(folder: Path, text: str) -> taxonomy.Taxonomy:
    path = folder / "taxonomy.csv"
    path.write_text(text, encoding="utf-8")
    return taxonomy.read(path)


def message(folder: Path, text: str) -> str:
    with pytest.raises(InputError) as caught:
        read(folder, text)
    return str(caught.value).removeprefix(f"{folder}/taxonomy.csv")


def test_a_label_belongs_to_its_taxon_and_all_above(tmp_path):
    lineages = {("tiny", name): lineage for name, lineage in make.LINEAGES.items()}
    table = read(tmp_path, make.taxonomy_csv(lineages))
    assert table.members(("species", "vulpes vulpes")) == {("tiny", "fox")}
    assert table.members(("family", "canidae")) == {("tiny", "fox")}
    assert table.members(("family", "vulpes vulpes")) == set()


def test_names_that_differ_by_case_and_outer_blanks_are_the_same(tmp_path):
    table = read(tmp_path, HEADER + " DS1 ,Red Fox,\"[(1,'Genus',' Vulpes',[])]\"\n")
    assert table.members(("genus", "vulpes")) == {("ds1", "red fox")}


def test_a_label_without_a_lineage_is_known_but_in_no_taxon(tmp_path):
    assert read(tmp_path, HEADER + "ds1,empty,\n").lineages == {("ds1", "empty"): ()}


def test_labels_that_look_like_nothing_stay_text(tmp_path):
    table = read(tmp_path, HEADER + "ds1,null,\nds1,007,\nds1,NA,\n")
    assert set(table.lineages) == {("ds1", "null"), ("ds1", "007"), ("ds1", "na")}


def test_near_taxa_are_named(tmp_path):
    assert read(tmp_path, HEADER + f"ds1,fox,{FOX}\n").nearest(("genus", "vulpse")) == ["genus vulpes"]


def test_a_row_that_stands_twice_alike_is_no_harm(tmp_path):
    assert len(read(tmp_path, HEADER + f"ds1,fox,{FOX}\n" * 2).lineages) == 1


def test_a_label_with_two_lineages_is_refused(tmp_path):
    said = message(tmp_path, HEADER + f"ds1,fox,{FOX}\nDS1,fox,\n")
    assert said == ": line 3: ds1 label 'fox' stands twice with different lineages"


def test_a_missing_column_is_refused(tmp_path):
    assert message(tmp_path, "dataset,query\n") == (
        ":1: column dataset_name, taxonomy_string is missing; it has dataset, query"
    )


@pytest.mark.parametrize("cell", ["__import__('os').remove('x')", "[1, 2]", "[(1, 'genus', 2, [])]", "[(1,", "vulpes"])
def test_a_lineage_that_is_no_literal_of_taxa_is_refused_and_never_run(tmp_path, cell):
    said = message(tmp_path, HEADER + f'ds1,fox,"{cell}"\n')
    assert said == f": line 2: taxonomy_string is not a list of (id, level, name, [common names]): {cell!r}"


def test_all_malformed_rows_are_named_at_once(tmp_path):
    said = message(tmp_path, HEADER + "ds1,fox,vulpes\nds1,deer,\n,,\n")
    assert said == (
        ": line 2: taxonomy_string is not a list of (id, level, name, [common names]): 'vulpes'; "
        "line 4: dataset_name or query is empty"
    )


def test_a_short_row_is_refused(tmp_path):
    said = ": line 2: expected dataset_name, query, taxonomy_string, got only ds1, fox"
    assert message(tmp_path, HEADER + "ds1,fox\n") == said


def test_a_quote_that_is_not_closed_is_refused(tmp_path):
    text = HEADER + "ds1,empty,\nds1,fox,\"[(1,'genus','vulpes',[])]\nds1,deer,\n"
    assert message(tmp_path, text) == ":3: not valid CSV: unexpected end of data; is a quote not closed?"


def test_a_missing_table_says_how_to_bring_one_in(tmp_path):
    with pytest.raises(MissingError) as caught:
        taxonomy.read(tmp_path / "taxonomy.csv")
    remedy = "bring one in with `camtraps import cct --taxonomy`"
    assert str(caught.value) == f"{tmp_path}/taxonomy.csv: not found; {remedy}"
