"""Placing: what is known keeps its split, what must go together does, the rest is balanced."""

import numpy as np
import pandas as pd
import pytest
from make_tables import split_params

from camtraps.placing import split_locations

METHODS = ["balanced", "random", "smallest_first"]
NO_PAIRS = pd.DataFrame(columns=["dataset_a", "location_a", "dataset_b", "location_b"])


def table_of(num=20):
    """Make crops of two labels at locations 00, 01, ..."""
    index = pd.MultiIndex.from_product([["d"], [f"{at:02}" for at in range(num)]], names=["dataset", "location"])
    numbers = np.random.default_rng(4).integers(1, 20, (num, 2))
    return pd.DataFrame(numbers, index, ["deer", "fox"])


def known(**splits):
    """Make known splits of locations of dataset d, as ``known(test=["00"])``."""
    pairs = {("d", name): split for split, names in splits.items() for name in names}
    return pd.Series(pairs.values(), pd.MultiIndex.from_tuples(pairs, names=["dataset", "location"]), "str")


def pairs_of(*names):
    rows = [("d", one, "d", other) for one, other in names]
    return pd.DataFrame(rows, columns=NO_PAIRS.columns)


def of(split):
    return {name: split[("d", name)] for _, name in split.index}


@pytest.mark.parametrize("method", METHODS)
def test_known_locations_stay_and_new_ones_are_placed(method):
    before = of(split_locations(table_of(10), split_params(method=method), None, NO_PAIRS))
    given = known(**{name: [at for at, each in before.items() if each == name] for name in ("train", "val", "test")})
    after = split_locations(table_of(20), split_params(method=method), given, NO_PAIRS)
    assert {name: of(after)[name] for name in before} == before
    assert set(of(after)) > set(before)


@pytest.mark.parametrize("method", METHODS)
def test_new_locations_make_up_for_what_the_known_ones_lack(method):
    after = split_locations(table_of(), split_params(method=method), known(train=["00", "01", "02"]), NO_PAIRS)
    assert set(after) == {"train", "val", "test"}
    assert (after == "test").sum() >= 3


@pytest.mark.parametrize("method", METHODS)
def test_the_test_locations_of_another_run_are_test_and_no_others(method):
    """S3: --match-test permuted the other run's test locations again, so that they leaked into train and val."""
    params = split_params(method=method, match_test="other.json")
    after = of(split_locations(table_of(), params, known(test=["03", "07", "elsewhere"]), NO_PAIRS))
    assert {name for name, split in after.items() if split == "test"} == {"03", "07"}
    assert set(after.values()) == {"train", "val", "test"}


def test_under_a_matched_test_the_rest_is_shared_by_the_fraction_of_val():
    table = table_of()
    params = split_params(match_test="other.json", val_fraction=0.25)
    after = split_locations(table, params, known(test=["03", "07"]), NO_PAIRS)
    crops = table.sum(axis=1).groupby(after).sum()
    assert crops["val"] / (crops["val"] + crops["train"]) == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("method", METHODS)
def test_what_goes_together_is_in_one_split(method):
    pairs = pairs_of(("00", "01"), ("01", "05"), ("08", "09"))
    after = of(split_locations(table_of(), split_params(method=method), None, pairs))
    assert after["00"] == after["01"] == after["05"]
    assert after["08"] == after["09"]


def test_what_goes_with_a_known_location_follows_it():
    pairs = pairs_of(("00", "01"), ("01", "02"))
    given = known(val=["00"], test=["02"])
    table = table_of()
    table.loc[("d", "02"), "fox"] = 100
    assert of(split_locations(table, split_params(), given, pairs))["01"] == "test"  # the larger of the two
    table.loc[("d", "00"), "fox"] = 200
    assert of(split_locations(table, split_params(), given, pairs))["01"] == "val"


def test_locations_that_go_together_are_still_counted_one_by_one():
    # Six locations; two of them go together: they are a third of the locations, as val may have none of.
    table = pd.DataFrame({"fox": [10] * 6, "deer": [10] * 6}, table_of(6).index)
    after = split_locations(table, split_params(val_fraction=0.17, test_fraction=0.17), None, pairs_of(("00", "01")))
    assert of(after)["00"] == "train"
    assert after.value_counts().to_dict() == {"train": 4, "val": 1, "test": 1}
