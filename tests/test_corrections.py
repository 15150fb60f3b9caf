"""The ledger of corrections: the last decision counts, nothing is lost in silence."""

from pathlib import Path

import pytest

from camtraps import corrections
from camtraps.errors import InputError, MissingError

HEADER = "dataset,file,correct_class,reviewer,date,reason,source\n"


def read(folder: Path, text: str) -> list[tuple[str, ...]]:
    path = folder / "corrections.csv"
    path.write_text(text, encoding="utf-8")
    return [tuple(row) for row in corrections.read_latest(path).itertuples(index=False)]


def message(folder: Path, text: str) -> str:
    with pytest.raises(InputError) as caught:
        read(folder, text)
    return str(caught.value).removeprefix(f"{folder}/corrections.csv")


def test_the_last_decision_about_a_photo_wins(tmp_path):
    text = HEADER + "d,a.jpg,fox,ann,2024-01-01,,\nd,b.jpg,deer,,,,\nd,a.jpg,deer,bob,2024-01-02,,\n"
    assert read(tmp_path, text) == [("d", "a.jpg", "deer"), ("d", "b.jpg", "deer")]


def test_an_empty_class_after_a_class_is_the_last_decision(tmp_path):
    assert read(tmp_path, HEADER + "d,a.jpg,fox,,,,\nd,a.jpg,,,,,\n") == [("d", "a.jpg", "")]


def test_classes_and_files_that_look_like_nothing_stay_text(tmp_path):
    text = HEADER + "007,NA/1.jpg,null,,,,\n007,NA/2.jpg,NA,,,,\n007,NA/3.jpg,007,,,,\n"
    assert read(tmp_path, text) == [("007", "NA/1.jpg", "null"), ("007", "NA/2.jpg", "NA"), ("007", "NA/3.jpg", "007")]


def test_a_file_name_with_backslashes_is_that_of_the_catalog(tmp_path):
    assert read(tmp_path, HEADER + "d,cam3\\0007.jpg, elk ,,,,\n") == [("d", "cam3/0007.jpg", "elk")]


def test_the_columns_that_only_people_read_may_be_left_out(tmp_path):
    assert read(tmp_path, "dataset,file,correct_class\nd,a.jpg,fox\n") == [("d", "a.jpg", "fox")]


def test_an_empty_ledger_has_no_decision(tmp_path):
    corrections.create(tmp_path / "corrections.csv")
    assert (tmp_path / "corrections.csv").read_text() == HEADER
    assert len(corrections.read_latest(tmp_path / "corrections.csv")) == 0


def test_a_ledger_that_is_there_is_never_made_anew(tmp_path):
    (tmp_path / "corrections.csv").write_text("mine")
    corrections.create(tmp_path / "corrections.csv")
    assert (tmp_path / "corrections.csv").read_text() == "mine"


def test_a_missing_column_is_refused(tmp_path):
    assert message(tmp_path, "dataset,file\n") == ":1: column correct_class is missing; it has dataset, file"


def test_all_rows_without_a_photo_are_named(tmp_path):
    said = message(tmp_path, HEADER + ",a.jpg,fox,,,,\nd,../a.jpg,fox,,,,\nd,b.jpg,fox,,,,\nd,,fox,,,,\n")
    expected = "expected dataset, file, correct_class, got"
    assert said == (f": line 2: {expected} '', 'a.jpg'; line 3: {expected} 'd', '../a.jpg'; line 5: {expected} 'd', ''")


def test_a_row_that_ends_before_the_class_is_not_taken_for_an_unknown_class(tmp_path):
    said = message(tmp_path, HEADER + "d,a.jpg\n")
    assert said == ": line 2: expected dataset, file, correct_class, got only d, a.jpg"


def test_a_class_that_a_comma_cuts_in_two_is_refused(tmp_path):
    said = message(tmp_path, "dataset,file,correct_class\nd,a.jpg,deer, red\n")
    assert said == ": line 2: more cells than the header's 3; quote a cell that has a comma"


def test_a_missing_ledger_says_how_to_make_one(tmp_path):
    with pytest.raises(MissingError) as caught:
        corrections.read_latest(tmp_path / "corrections.csv")
    assert str(caught.value) == f"{tmp_path}/corrections.csv: not found; make one with the line {HEADER.strip()}"
