"""The taxonomy table: lineages by dataset label, and what is refused with its line."""

from pathlib import Path

import make
import pandas as pd
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
    assert said == ": line 3: ds1 label 'fox' stands twice with different lineages, first in line 2"


def test_a_missing_column_is_refused(tmp_path):
    assert message(tmp_path, "dataset,query\n") == ":1: column dataset_name is missing; it has dataset, query"


def test_a_table_without_lineages_is_refused(tmp_path):
    said = message(tmp_path, "dataset_name,query\nds1,fox\n")
    assert said.startswith(":1: no lineages: it needs the column taxonomy_string, or one a level (kingdom, phylum, ")


# T1: the cell was run as code.
@pytest.mark.parametrize(
    "cell", ["__import__('os').remove('x')", "[1, 2]", "[(1, 'genus', 2, [])]", "[(1,", "vulpes", "[(1, '', 'x', [])]"]
)
def test_t1_a_lineage_that_is_no_literal_of_taxa_is_refused_and_never_run(tmp_path, cell):
    said = message(tmp_path, HEADER + f'ds1,fox,"{cell}"\n')
    assert said == f": line 2: taxonomy_string is not a list of (id, level, name, [common names]): {cell!r}"


def test_all_malformed_rows_are_named_at_once(tmp_path):
    said = message(tmp_path, HEADER + "ds1,fox,vulpes\nds1,deer,\n,,\n")
    assert said == (
        ": line 2: taxonomy_string is not a list of (id, level, name, [common names]): 'vulpes'; "
        "line 4: dataset_name or query is empty"
    )


def test_a_short_row_is_refused(tmp_path):
    assert message(tmp_path, HEADER + "ds1,fox\n") == ": line 2: fewer cells than the header"


def test_a_quote_that_is_not_closed_is_refused(tmp_path):
    text = HEADER + "ds1,empty,\nds1,fox,\"[(1,'genus','vulpes',[])]\nds1,deer,\n"
    assert message(tmp_path, text) == ":3: not valid CSV: unexpected end of data; is a quote not closed?"


def test_a_missing_table_says_how_to_bring_one_in(tmp_path):
    with pytest.raises(MissingError) as caught:
        taxonomy.read(tmp_path / "taxonomy.csv")
    remedy = "bring one in with `camtraps import ... --taxonomy`"
    assert str(caught.value) == f"{tmp_path}/taxonomy.csv: not found; {remedy}"


LILA = "dataset_name,query,taxonomy_level,scientific_name,common_name,taxonomy_string,order,family,genus,species\n"


def test_t3_a_table_in_mixed_case_is_read(tmp_path):
    cell = "\"[(1,'Species','Vulpes Vulpes',['Red Fox'])]\""
    table = read(tmp_path, LILA + f"DS1,Fox,Species,Vulpes vulpes,,{cell},,,,\n")
    assert table.own(("species", "vulpes vulpes")) == {("ds1", "fox")}
    assert table.rows["ds1", "fox"].name == "vulpes vulpes"


def test_t4_dataset_names_meet_however_they_are_spelled(tmp_path):
    table = read(tmp_path, HEADER + f"Caltech Camera Traps,fox,{FOX}\n")
    assert table.members(("genus", "vulpes")) == {("caltech-camera-traps", "fox")}


@pytest.mark.parametrize(
    ("name", "folded"),
    [
        ("Caltech Camera Traps", "caltech-camera-traps"),
        ("caltech-camera-traps", "caltech-camera-traps"),
        (" Snapshot_Serengeti (S1) ", "snapshot-serengeti-s1"),
        ("NACTI v1.1", "nacti-v1.1"),
        ("--", ""),
    ],
)
def test_a_dataset_name_is_folded(name, folded):
    assert taxonomy.fold_dataset(name) == folded


def test_t5_own_labels_of_a_taxon_stay_apart_from_those_below(tmp_path):
    genus = "\"[(2,'genus','vulpes',[])]\""
    table = read(tmp_path, HEADER + f"ds1,red fox,{FOX}\nds1,fox,{genus}\n")
    before = table.own(("genus", "vulpes"))
    assert table.members(("genus", "vulpes")) == {("ds1", "red fox"), ("ds1", "fox")}
    assert before == table.own(("genus", "vulpes")) == {("ds1", "fox")}


def test_t2_a_taxon_with_three_parents_stays_in_the_order_above(tmp_path):
    lineages = {("ds1", name): [("species", "s"), ("family", name), ("order", "o")] for name in ("a", "b", "c")} | {
        ("ds1", "just s"): [("species", "s")]
    }
    table = read(tmp_path, make.taxonomy_csv(lineages))
    assert table.members(("order", "o")) == set(lineages)
    assert table.members(("family", "a")) == {("ds1", "a"), ("ds1", "just s")}
    assert table.members(("family", "b")) == {("ds1", "b")}


def test_a_lineage_that_stops_early_goes_on_in_the_tree(tmp_path):
    genus = "\"[(2,'genus','vulpes',[])]\""
    family = "\"[(2,'genus','vulpes',[]),(3,'family','canidae',[])]\""
    table = read(tmp_path, HEADER + f"ds1,fox,{genus}\nds2,fox,{family}\n")
    assert table.members(("family", "canidae")) == {("ds1", "fox"), ("ds2", "fox")}


def test_without_a_taxonomy_string_the_columns_of_the_levels_count(tmp_path):
    table = read(tmp_path, LILA + "ds1,fox,species,vulpes vulpes,red fox,,Carnivora,canidae,,vulpes vulpes\n")
    assert table.lineages["ds1", "fox"] == (
        ("species", "vulpes vulpes"),
        ("family", "canidae"),
        ("order", "carnivora"),
    )
    assert table.common_names == {("species", "vulpes vulpes"): "red fox"}


def test_the_release_may_lack_the_taxonomy_string(tmp_path):
    table = read(tmp_path, "dataset_name,query,family,genus\nds1,fox,canidae,vulpes\nds1,empty,,\n")
    assert table.lineages == {("ds1", "fox"): (("genus", "vulpes"), ("family", "canidae")), ("ds1", "empty"): ()}


def test_the_older_layout_is_read_with_its_common_names(tmp_path):
    header = (
        "dataset_name,query,source,taxonomy_level,scientific_name,common_name,is_typo,setup,notes,taxonomy_string\n"
    )
    table = read(tmp_path, header + f"ds1,fox,inat,species,vulpes vulpes,x,0,,a note,{FOX}\n")
    assert table.common_names == {("species", "vulpes vulpes"): "red fox"}


def test_a_byte_order_mark_is_passed_over(tmp_path):
    assert set(read(tmp_path, "\ufeff" + HEADER + f"ds1,fox,{FOX}\n").rows) == {("ds1", "fox")}


def test_a_dataset_without_a_latin_letter_is_refused(tmp_path):
    said = message(tmp_path, HEADER + f"狐,fox,{FOX}\n")
    assert said == ": line 2: dataset_name '狐' has no letter from a to z and no digit"


def test_an_unknown_taxon_is_named_with_its_other_level_first(tmp_path):
    table = read(tmp_path, HEADER + f"ds1,fox,{FOX}\n")
    said = f"{tmp_path}/taxonomy.csv has no family 'vulpes'; near: genus vulpes"
    assert table.unknown(("family", "vulpes")) == said


def test_photos_are_counted_by_folded_names():
    counts = pd.DataFrame({"dataset": ["A b", "a-b", "c"], "class": ["Fox", "fox ", "NA"], "photos": [2, 3, 4]})
    assert taxonomy.photos_by_pair(counts) == {("a-b", "fox"): 5, ("c", "na"): 4}
