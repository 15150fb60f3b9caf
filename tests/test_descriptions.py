"""Descriptions of classes: what all taxa of a class have in common, in the five levels that others read."""

import pytest

from camtraps import taxonomy
from camtraps.descriptions import describe

TABLE = """dataset_name,query,class,order,family,genus,species
d,red fox,mammalia,carnivora,canidae,vulpes,vulpes vulpes
d,wolf,mammalia,carnivora,canidae,canis,canis lupus
d,elk,mammalia,artiodactyla,cervidae,cervus,
d,robin,aves,,,,
d,empty,,,,,
"""


@pytest.mark.parametrize(
    ("taxa", "labels", "expected"),
    [
        (["species vulpes vulpes"], [], "mammalia;carnivora;canidae;vulpes;vulpes"),
        (["genus cervus"], [["d", "elk"]], "mammalia;artiodactyla;cervidae;cervus;"),
        (["family canidae"], [["d", "wolf"]], "mammalia;carnivora;canidae;;"),
        (["genus vulpes", "genus canis"], [], "mammalia;carnivora;canidae;;"),
        (["genus vulpes", "genus cervus"], [], "mammalia;;;;"),
        ([], [["D", "Wolf"], ["d", "red fox"]], "mammalia;carnivora;canidae;;"),
        ([], [["d", "robin"]], "aves;;;;"),
        ([], [["d", "empty"]], ";;;;"),
        ([], [["d", "gone"], ["d", "robin"]], ";;;;"),
        ([], [], ";;;;"),
    ],
)
def test_a_class_is_described_by_what_its_taxa_have_in_common(tmp_path, taxa, labels, expected):
    (tmp_path / "taxonomy.csv").write_text(TABLE)
    table = taxonomy.read(tmp_path / "taxonomy.csv")
    assert describe({"x": {"taxa": taxa, "dataset_labels": labels}}, table) == {"x": expected}
