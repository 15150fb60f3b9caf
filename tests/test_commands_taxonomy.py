"""``camtraps taxonomy`` as a user meets it."""

import argparse
from pathlib import Path

import make
import pytest
from imports import ROOT

from camtraps import catalog
from camtraps.commands import taxonomy
from camtraps.errors import InputError

HEADER = "dataset_name,query,taxonomy_string\n"
FOX = "\"[(1,'species','vulpes vulpes',['red fox']),(2,'genus','vulpes',[])]\""


@pytest.fixture
def top(tmp_path, monkeypatch) -> Path:
    """Give the top folder of a repository with a collection of two labels."""
    (tmp_path / "dvc.yaml").touch()
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text().replace("name: demo", "name: mine"))
    folder = tmp_path / "data" / "mine"
    (folder / "catalog").mkdir(parents=True)
    (folder / "taxonomy.csv").write_text(HEADER + f"ds1,Fox,{FOX}\nds1,empty,\n")
    rows = [make.row("ds1/a.jpg", "Fox"), make.row("ds1/b.jpg", "Fox"), make.row("ds1/c.jpg", "empty")]
    catalog.write(rows, catalog.dataset_path(folder / "catalog", "ds1"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    taxonomy.add(parser.add_subparsers())
    options = parser.parse_args(["taxonomy", *arguments])
    return options.run(options)


def test_the_tree_is_shown_from_a_taxon_down(top, capsys):
    assert run("show", "Genus", "Vulpes") == 0
    assert capsys.readouterr().out.splitlines() == [
        "genus vulpes: 0 own, 2 photos",
        "  species vulpes vulpes (red fox): 2 own, 2 photos",
        "    - ds1: Fox, 2 photos",
    ]


def test_a_name_of_two_words_needs_no_quotes_and_the_depth_can_be_limited(top, capsys):
    assert run("show", "species", "vulpes", "vulpes", "--name", "mine", "--depth", "0") == 0
    assert capsys.readouterr().out.startswith("species vulpes vulpes (red fox): 2 own")


def test_an_unknown_taxon_is_one_line_with_the_nearest(top):
    with pytest.raises(InputError) as caught:
        run("show", "genus", "vulpez")
    assert str(caught.value) == "data/mine/taxonomy.csv has no genus 'vulpez'; near: genus vulpes"


@pytest.mark.parametrize("depth", ["-1", "x", "1.5"])
def test_a_depth_that_is_no_number_is_wrong_usage(top, capsys, depth):
    with pytest.raises(SystemExit):
        run("show", "genus", "vulpes", f"--depth={depth}")
    assert f"expected a whole number, got '{depth}'" in capsys.readouterr().err


def test_a_table_with_notes_only_is_fine(top, capsys):
    assert run("check") == 0
    assert capsys.readouterr().out.splitlines() == [
        "note: no lineage: dataset ds1: labels in no taxon: empty",
        "data/mine/taxonomy.csv: 2 rows, 2 taxa, 0 problems, 1 note",
    ]


def test_a_label_of_the_catalog_without_a_row_is_a_problem(top, capsys):
    (top / "data/mine/taxonomy.csv").write_text(HEADER + f"ds1,Fox,{FOX}\n")
    assert run("check", "--name", "mine") == 1
    assert capsys.readouterr().out.splitlines() == [
        "problem: no row: dataset ds1 label 'empty': no row for its 1 photo",
        "data/mine/taxonomy.csv: 1 row, 2 taxa, 1 problem, 0 notes",
    ]


def test_a_file_is_checked_alone_anywhere(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("table.csv").write_text(HEADER + f"elsewhere,fox,{FOX}\n")
    assert run("check", "table.csv") == 0
    assert capsys.readouterr().out == "table.csv: 1 row, 2 taxa, 0 problems, 0 notes\n"


def test_a_file_is_checked_against_the_catalog_of_a_named_collection(top, capsys):
    Path("table.csv").write_text(HEADER + f"elsewhere,fox,{FOX}\n")
    assert run("check", "table.csv", "--name", "mine") == 1
    assert capsys.readouterr().out.splitlines() == [
        "problem: no row: dataset ds1 label 'fox': no row for its 2 photos",
        "problem: no row: dataset ds1 label 'empty': no row for its 1 photo",
        "note: not in the catalog: dataset elsewhere: 1 row, but it is not in the catalog",
        "table.csv: 1 row, 2 taxa, 2 problems, 1 note",
    ]


def test_of_many_findings_of_a_kind_the_first_are_shown_and_the_rest_counted(top, capsys):
    rows = "".join(f"ds1,l{at},\"[(1,'specie{at}','s',[])]\"\n" for at in range(25))
    Path("table.csv").write_text(HEADER + rows)
    assert run("check", "table.csv") == 1
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("problem: unknown level: ") for line in lines) == 21
    assert "problem: unknown level: and 5 more" in lines
