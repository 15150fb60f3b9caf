"""Split files: ours and CameraTraps', with names that stay text."""

import json

import pandas as pd
import pytest
from make_tables import rows, split_params

from camtraps import tables
from camtraps.errors import InputError, MissingError, TableError
from camtraps.exports.training_files import export_splits
from camtraps.schema import SPLITS
from camtraps.split_files import known, read

SPLIT = {("a", "007"): "train", ("a", "NA"): "val", ("b", "007"): "test", ("b", "null"): "train"}


def splits_table():
    return rows(SPLITS, *({"dataset": d, "location": at, "split": split} for (d, at), split in SPLIT.items()))


def write(path, document):
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return path


def test_our_own_table_is_read(tmp_path):
    tables.write(splits_table(), tmp_path / "splits.parquet", SPLITS)
    assert read(tmp_path / "splits.parquet").to_dict() == SPLIT


def test_what_is_exported_for_camera_traps_is_read_back(tmp_path):
    """S3, S4, S10, S11: the file can be written, has all three keys, and 007 and NA stay what they are."""
    export_splits(splits_table(), tmp_path / "splits.json")
    assert list(json.loads((tmp_path / "splits.json").read_text())) == ["train", "val", "test"]
    assert read(tmp_path / "splits.json").to_dict() == SPLIT


def test_numbers_and_a_missing_test_are_taken_as_camera_traps_wrote_them(tmp_path):
    """S4, S10: locations that were numbers, and no key test without a test fraction."""
    path = write(tmp_path / "splits.json", {"train": [["a", 7], ["a", "007"]], "val": []})
    assert read(path).to_dict() == {("a", "7"): "train", ("a", "007"): "train"}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([1], "expected lists of [dataset, location] under train, val and test"),
        ({"train": {"a": 1}}, "train: expected a list of [dataset, location], got {'a': 1}"),
        ({"train": [["a", "b"], ["a"]]}, "train[1]: expected [dataset, location], got ['a']"),
        ({"train": [["a", None]]}, "train[0]: expected [dataset, location], got ['a', None]"),
        ({"train": [["a", True]]}, "train[0]: expected [dataset, location], got ['a', True]"),
        ({"dev": [["a", "b"]]}, "split 'dev': expected one of train, val, test"),
        ({"train": [["a", "b"]], "val": [["a", "b"]]}, "location 'b' of dataset 'a' stands twice"),
        ('{"val": [], "val": []}', "not usable JSON: key 'val' stands twice"),
    ],
)
def test_what_is_no_split_file_is_one_line(tmp_path, document, said):
    path = write(tmp_path / "splits.json", document)
    with pytest.raises(InputError) as error:
        read(path)
    assert str(error.value) == f"{path}: {said}"


def test_a_missing_file_says_what_to_copy_there(tmp_path):
    with pytest.raises(MissingError) as error:
        read(tmp_path / "old.json")
    assert str(error.value) == (
        f"{tmp_path}/old.json: not found; copy a splits.parquet or splits.json of another run there"
    )


def test_another_table_is_refused(tmp_path):
    pd.DataFrame({"x": [1]}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(TableError):
        read(tmp_path / "other.parquet")


def test_nothing_is_known_without_a_file(tmp_path):
    assert known(tmp_path, split_params()) is None


def test_the_matched_test_has_the_last_word(tmp_path):
    write(tmp_path / "old.json", {"train": [["a", "1"], ["a", "2"]], "test": [["a", "3"]]})
    write(tmp_path / "other.json", {"train": [["a", "9"]], "val": [["a", "3"]], "test": [["a", "2"]]})
    params = split_params(previous="old.json", match_test="other.json")
    assert known(tmp_path, params).to_dict() == {("a", "1"): "train", ("a", "2"): "test", ("a", "3"): "test"}
    assert known(tmp_path, split_params(match_test="other.json")).to_dict() == {("a", "2"): "test"}


def test_a_file_without_test_cannot_be_matched(tmp_path):
    path = write(tmp_path / "other.json", {"train": [["a", "1"]]})
    with pytest.raises(InputError) as error:
        known(tmp_path, split_params(match_test="other.json"))
    assert str(error.value) == f"{path}: has no test location to match; name another file"
