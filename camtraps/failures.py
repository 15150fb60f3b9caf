"""The failures table and the counts of a stage: every input ends in an output or here, with a reason."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from camtraps import tables
from camtraps.errors import FailuresError
from camtraps.files import write_json
from camtraps.schema import FAILURES

Kind = Literal["failed", "skipped"]
UNLISTED = "not asked for"  # rows that are counted, but not listed one by one


@dataclass(frozen=True, kw_only=True)
class Counts:
    """The rows of one stage: ``rows_in == rows_out + skipped + failed``.

    ``unit`` names what is counted (photos, boxes, crops).
    """

    unit: str
    rows_in: int
    rows_out: int
    skipped: int
    failed: int

    @classmethod
    def of(cls, unit: str, rows_in: int, rows_out: int, left_out: pd.DataFrame) -> "Counts":
        """Count the rows of a failures table beside those in and out."""
        failed = int((left_out["kind"] == "failed").sum())
        return cls(unit=unit, rows_in=rows_in, rows_out=rows_out, skipped=len(left_out) - failed, failed=failed)


def concat(*parts: pd.DataFrame) -> pd.DataFrame:
    """Join failures tables."""
    return pd.concat(parts, ignore_index=True)


def rows(stage: str, kind: Kind, items: Iterable[tuple[str, int | None, str]]) -> pd.DataFrame:
    """Make rows of the failures table from (image, box or None, reason)."""
    frame = pd.DataFrame(list(items), columns=["image", "box", "reason"])
    return frame.astype({"box": "Int32", "image": "str", "reason": "str"}).assign(stage=stage, kind=kind)


def close(
    folder: Path,
    counts: Counts,
    failures: pd.DataFrame,
    max_failed: float,
    details: dict[str, Any] | None = None,
    unlisted: Mapping[str, int] | None = None,
) -> Counts:
    """Write ``failures.parquet`` and ``counts.json`` of a stage into its output folder, then judge.

    Args:
        folder: the stage's output folder.
        counts: must add up; a difference is our bug.
        failures: rows of the failures table; skipped rows may be counted without being listed.
        max_failed: allowed share of failed rows, 0 to 1.
        details: more to say in ``counts.json``.
        unlisted: skipped rows that are not in ``failures``, by reason; any others are those not asked for.

    Raises:
        FailuresError: more than ``max_failed`` of the rows in have failed.
    """
    assert counts.rows_in == counts.rows_out + counts.skipped + counts.failed, counts
    assert (failures["kind"] == "failed").sum() == counts.failed, counts
    tables.write(failures.sort_values(["kind", "reason"]), folder / "failures.parquet", FAILURES)
    reasons = _tree(failures.groupby(["kind", "reason"]).size())
    crowds = dict(unlisted or {})
    if rest := counts.skipped - int((failures["kind"] == "skipped").sum()) - sum(crowds.values()):
        crowds[UNLISTED] = rest
    if crowds:
        reasons["skipped"] = reasons.get("skipped", {}) | crowds
    write_json(folder / "counts.json", asdict(counts) | {"reasons": reasons} | (details or {}))
    if counts.failed > max_failed * counts.rows_in:
        first = failures[failures["kind"] == "failed"].sort_values("image").iloc[0]
        raise FailuresError(
            f"{folder}: {counts.failed} of {counts.rows_in} {counts.unit} failed, over max_failed {max_failed:.1%}; "
            f"first: {first['image']}: {first['reason']}; all are in {folder / 'failures.parquet'}; "
            "mend them or raise max_failed in params.yaml"
        )
    return counts


def _tree(reasons: pd.Series) -> dict[str, dict[str, int]]:
    tree: dict[str, dict[str, Any]] = {}
    for (kind, reason), number in reasons.items():
        tree.setdefault(kind, {})[reason] = int(number)
    return tree
