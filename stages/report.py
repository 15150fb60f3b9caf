"""report: counts, scores and candidates -> metrics for git and a page for people."""

from pathlib import Path

import pandas as pd

from camtraps import layout, tables
from camtraps.failures import Counts
from camtraps.files import read_json, write_json, write_text
from camtraps.params import load
from camtraps.reports import Readers, ReportParams, Run, compose
from camtraps.schema import CANDIDATES, CROPS
from camtraps.shards import Reader
from stages._run import run

FOLDERS = {
    "query": layout.QUERIED,
    "detect": layout.DETECTIONS,
    "crop": layout.CROPS,
    "split": layout.SPLITS,
    "train": layout.TRAINING,
    "evaluate": layout.EVALUATION,
    "merge": layout.RESULTS,
    "mislabel": layout.REVIEW,
}


TEXT = ["split", "label", "dataset", "location", "actual", "predicted", "image"]


def main() -> Counts:
    """Run the stage."""
    this = Run(
        name=layout.collection().name,
        counts={stage: read_json(folder / "counts.json") for stage, folder in FOLDERS.items()},
        scores=read_json(layout.EVALUATION / "evaluate.json"),
        classes=read_json(layout.PREDICTIONS / "classes.json"),
        history=read_json(layout.TRAINING / "history.json"),
        evaluation={path.stem: _table(path) for path in sorted(layout.EVALUATION.glob("*.csv"))},
        crops=tables.read(layout.CROPS / "crops.parquet", CROPS),
        candidates=tables.read(layout.REVIEW / "candidates.parquet", CANDIDATES),
    )
    for stage, metrics in (this.counts | {"evaluate": this.scores}).items():
        write_json(layout.METRICS / f"{stage}.json", metrics)
    write_text(layout.METRICS / "per_class.csv", (layout.EVALUATION / "per_class.csv").read_text(encoding="utf-8"))
    readers = Readers(Reader(layout.CROPS), Reader(layout.EVALUATION))
    page = compose(this, readers, load(ReportParams, "report").candidates)
    write_text(layout.REPORTS / "index.html", page)
    return Counts(unit="stages", rows_in=len(FOLDERS), rows_out=len(FOLDERS), skipped=0, failed=0)


def _table(path: Path) -> pd.DataFrame:
    # A location 007 or a label NA stays what it is.
    return pd.read_csv(path, converters=dict.fromkeys(TEXT, str))


if __name__ == "__main__":
    run("report", main)
