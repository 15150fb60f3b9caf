"""Failures and counts: everything adds up, and too many failures end the stage."""

import json
from pathlib import Path

import pandas as pd
import pytest

from camtraps import failures, tables
from camtraps.errors import FailuresError
from camtraps.schema import FAILURES


def lost(num_failed: int, num_skipped: int = 0) -> pd.DataFrame:
    failed = [(f"d/f{number}.jpg", None, "photo not found") for number in reversed(range(num_failed))]
    skipped = [(f"d/s{number}.jpg", number, "box is too small") for number in range(num_skipped)]
    return failures.concat(failures.rows("crop", "failed", failed), failures.rows("crop", "skipped", skipped))


def close(folder: Path, rows_in: int, left_out: pd.DataFrame, max_failed: float = 0.01) -> failures.Counts:
    counts = failures.Counts.of("boxes", rows_in, rows_in - len(left_out), left_out)
    return failures.close(folder, counts, left_out, max_failed, {"more": 1})


def test_rows_in_are_rows_out_and_skipped_and_failed():
    counts = failures.Counts.of("boxes", 10, 4, lost(2, 4))
    assert counts == failures.Counts(unit="boxes", rows_in=10, rows_out=4, skipped=4, failed=2)


def test_counts_and_reasons_are_written(tmp_path):
    close(tmp_path, 400, lost(1, 2))
    assert json.loads((tmp_path / "counts.json").read_text()) == {
        "unit": "boxes",
        "rows_in": 400,
        "rows_out": 397,
        "skipped": 2,
        "failed": 1,
        "reasons": {"failed": {"photo not found": 1}, "skipped": {"box is too small": 2}},
        "more": 1,
    }


def test_the_table_says_of_each_input_why(tmp_path):
    close(tmp_path, 400, lost(1, 1))
    rows = tables.read_arrow(tmp_path / "failures.parquet", FAILURES).to_pylist()
    assert rows == [
        {"image": "d/f0.jpg", "box": None, "stage": "crop", "kind": "failed", "reason": "photo not found"},
        {"image": "d/s0.jpg", "box": 0, "stage": "crop", "kind": "skipped", "reason": "box is too small"},
    ]


def test_nothing_lost_is_an_empty_table(tmp_path):
    close(tmp_path, 5, lost(0))
    assert tables.read_arrow(tmp_path / "failures.parquet", FAILURES).num_rows == 0
    assert json.loads((tmp_path / "counts.json").read_text())["reasons"] == {}


def test_as_many_failures_as_allowed_are_allowed(tmp_path):
    assert close(tmp_path, 200, lost(2, 50)).failed == 2


def test_one_failure_more_ends_the_stage_and_says_which_came_first(tmp_path):
    with pytest.raises(FailuresError) as caught:
        close(tmp_path, 200, lost(3))
    assert str(caught.value) == (
        f"{tmp_path}: 3 of 200 boxes failed, over max_failed 1.0%; first: d/f0.jpg: photo not found; "
        f"all are in {tmp_path}/failures.parquet; mend them or raise max_failed in params.yaml"
    )
    assert (tmp_path / "counts.json").exists()


def test_skipped_inputs_never_end_a_stage(tmp_path):
    assert close(tmp_path, 20, lost(0, 20), max_failed=0).skipped == 20


def test_counts_that_do_not_add_up_are_our_bug(tmp_path):
    counts = failures.Counts(unit="boxes", rows_in=10, rows_out=8, skipped=0, failed=1)
    with pytest.raises(AssertionError):
        failures.close(tmp_path, counts, lost(1), 1.0)


def reasons_of(folder: Path, skipped: int, unlisted: dict[str, int] | None) -> dict[str, dict[str, int]]:
    """Close a stage with one failed and two listed skipped boxes among all those skipped; give the reasons."""
    counts = failures.Counts(unit="boxes", rows_in=1000, rows_out=999 - skipped, skipped=skipped, failed=1)
    failures.close(folder, counts, lost(1, 2), 1.0, unlisted=unlisted)
    reasons: dict[str, dict[str, int]] = json.loads((folder / "counts.json").read_text())["reasons"]
    return reasons


def test_skipped_inputs_that_are_not_listed_are_counted_as_not_asked_for(tmp_path):
    assert reasons_of(tmp_path, 9, None) == {
        "failed": {"photo not found": 1},
        "skipped": {"box is too small": 2, "not asked for": 7},
    }
    assert tables.read_arrow(tmp_path / "failures.parquet", FAILURES).num_rows == 3


def test_crowds_are_counted_by_their_reason_and_the_rest_as_not_asked_for(tmp_path):
    crowds = {"over the cap": 3, "elsewhere": 1}
    assert reasons_of(tmp_path, 9, crowds)["skipped"] == {"box is too small": 2, **crowds, "not asked for": 3}
    assert reasons_of(tmp_path, 6, crowds)["skipped"] == {"box is too small": 2, **crowds}
    assert crowds == {"over the cap": 3, "elsewhere": 1}


def test_only_crowds_may_be_skipped(tmp_path):
    counts = failures.Counts(unit="photos", rows_in=9, rows_out=4, skipped=5, failed=0)
    failures.close(tmp_path, counts, lost(0), 0.0, unlisted={"over the cap": 5})
    assert json.loads((tmp_path / "counts.json").read_text())["reasons"] == {"skipped": {"over the cap": 5}}
