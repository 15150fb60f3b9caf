"""The outline of a taxonomy: taxa, counts and dataset labels as a person sees them."""

from pathlib import Path

import make
import pytest

from camtraps import taxonomy, taxonomy_outline
from camtraps.errors import InputError

CARNIVORA, CANIDAE, FELIDAE = ("order", "carnivora"), ("family", "canidae"), ("family", "felidae")
LINEAGES = {
    ("DS1", "Fox"): [("genus", "vulpes"), CANIDAE, CARNIVORA],
    ("DS1", "dog"): [CANIDAE, CARNIVORA],
    ("DS1", "cat"): [FELIDAE, CARNIVORA],
    ("ds1", "lynx"): [FELIDAE, CARNIVORA],
    ("ds2", "bear"): [("family", "ursidae"), CARNIVORA],
}
COUNTS = {("ds1", "fox"): 1000, ("ds1", "dog"): 20, ("ds1", "cat"): 1500}


def table(folder: Path, text: str) -> taxonomy.Taxonomy:
    path = folder / "taxonomy.csv"
    path.write_text(text)
    return taxonomy.read(path)


def test_the_tree_is_drawn_with_counts_siblings_by_photos(tmp_path):
    assert taxonomy_outline.show(table(tmp_path, make.taxonomy_csv(LINEAGES)), CARNIVORA, COUNTS) == [
        "order carnivora: 0 own, 2,520 photos",
        "  family felidae: 1,500 own, 1,500 photos",
        "    - DS1: cat, 1,500 photos",
        "    - ds1: lynx, 0 photos",
        "  family canidae: 20 own, 1,020 photos",
        "    - DS1: dog, 20 photos",
        "    genus vulpes: 1,000 own, 1,000 photos",
        "      - DS1: Fox, 1,000 photos",
        "and 1 taxon without a label of the catalog's datasets",
    ]


def test_the_depth_is_limited_but_the_counts_are_whole(tmp_path):
    lines = taxonomy_outline.show(table(tmp_path, make.taxonomy_csv(LINEAGES)), CANIDAE, COUNTS, depth=0)
    assert lines == ["family canidae: 20 own, 1,020 photos", "  - DS1: dog, 20 photos"]


def test_a_common_name_is_shown(tmp_path):
    text = "dataset_name,query,taxonomy_string\nds1,fox,\"[(1,'genus','vulpes',['foxes'])]\"\n"
    lines = taxonomy_outline.show(table(tmp_path, text), ("genus", "vulpes"), COUNTS)
    assert lines[0] == "genus vulpes (foxes): 1,000 own, 1,000 photos"


def test_a_taxon_about_which_rows_disagree_says_so(tmp_path):
    species = ("species", "s")
    lineages = {("ds1", "a"): [species, CANIDAE], ("ds1", "b"): [species, CANIDAE], ("ds1", "c"): [species, FELIDAE]}
    lines = taxonomy_outline.show(table(tmp_path, make.taxonomy_csv(lineages)), FELIDAE, {("ds1", "c"): 3})
    assert lines == ["family felidae: 0 own, 3 photos; rows disagree, see `camtraps taxonomy check`"]


def test_an_unknown_taxon_is_refused_with_near_ones(tmp_path):
    with pytest.raises(InputError) as caught:
        taxonomy_outline.show(table(tmp_path, make.taxonomy_csv(LINEAGES)), ("genus", "canidae"), COUNTS)
    said = f"{tmp_path}/taxonomy.csv has no genus 'canidae'; near: family canidae"
    assert str(caught.value).startswith(said)
