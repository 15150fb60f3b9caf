"""report: counts, scores and candidates -> metrics for git and a page for people."""

import pandas as pd

from camtraps import layout, tables
from camtraps.failures import Counts
from camtraps.files import read_json, write_json, write_text
from camtraps.params import load
from camtraps.reports import ReportParams, Run, compose
from camtraps.schema import CANDIDATES, CROPS
from camtraps.shards import Reader
from stages._run import run

FOLDERS = {
    "query": layout.QUERIED,
    "detect": layout.DETECTIONS,
    "crop": layout.CROPS,
    "split": layout.SPLITS,
    "train": layout.TRAINING,
    "merge": layout.RESULTS,
    "mislabel": layout.REVIEW,
}


def main() -> Counts:
    """Run the stage."""
    this = Run(
        name=layout.collection().name,
        counts={stage: read_json(folder / "counts.json") for stage, folder in FOLDERS.items()},
        scores=read_json(layout.EVALUATION / "evaluate.json"),
        classes=read_json(layout.PREDICTIONS / "classes.json"),
        history=read_json(layout.TRAINING / "history.json"),
        confusion=pd.read_csv(layout.EVALUATION / "confusion.csv", dtype=str, keep_default_na=False),
        per_class=pd.read_csv(layout.EVALUATION / "per_class.csv", converters={"label": str}),
        crops=tables.read(layout.CROPS / "crops.parquet", CROPS),
        candidates=tables.read(layout.REVIEW / "candidates.parquet", CANDIDATES),
    )
    for stage, metrics in (this.counts | {"evaluate": this.scores}).items():
        write_json(layout.METRICS / f"{stage}.json", metrics)
    write_text(layout.METRICS / "per_class.csv", (layout.EVALUATION / "per_class.csv").read_text(encoding="utf-8"))
    page = compose(this, Reader(layout.CROPS), load(ReportParams, "report").candidates)
    write_text(layout.REPORTS / "index.html", page)
    return Counts(unit="stages", rows_in=len(FOLDERS), rows_out=len(FOLDERS), skipped=0, failed=0)


if __name__ == "__main__":
    run("report", main)
