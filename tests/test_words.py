"""Numbers in sentences."""

from camtraps.words import num


def test_one_thing_is_singular_and_thousands_have_commas():
    assert [num(number, "photo") for number in (0, 1, 1200)] == ["0 photos", "1 photo", "1,200 photos"]


def test_an_irregular_plural_is_given():
    assert [num(number, "taxon", "taxa") for number in (1, 2)] == ["1 taxon", "2 taxa"]
