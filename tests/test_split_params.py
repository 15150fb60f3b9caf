"""The section split of params.yaml: what is refused."""

import re

import pytest
from make_tables import split_params


def test_fractions_that_leave_no_train_are_refused():
    message = "test_fraction: 0.5 and val_fraction 0.5 leave no train"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        split_params(val_fraction=0.5, test_fraction=0.5)


def test_a_split_that_would_be_empty_is_refused():
    """S10: with a test fraction of 0 there was no key test, and loading failed."""
    with pytest.raises(ValueError, match=r"^test_fraction: must be from 0\.01 to 0\.8, got 0\.0$"):
        split_params(test_fraction=0.0)


@pytest.mark.parametrize("name", ["previous", "match_test"])
@pytest.mark.parametrize(
    "file", ["../splits.json", "/x/splits.json", "C:\\splits.json", "a/../../b.json", "splits.csv", ""]
)
def test_a_split_file_lies_in_its_folder(name, file):
    message = f"{name}: must be a .parquet or .json file in data/<name>/splits, got {file!r}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        split_params(**{name: file})


def test_the_fractions_make_a_whole():
    assert split_params(val_fraction=0.1, test_fraction=0.3).fractions == pytest.approx((0.6, 0.1, 0.3))
