"""merge: detections and predictions -> one MegaDetector JSON for Timelapse."""

from camtraps import layout, tables
from camtraps.failures import Counts, close, rows
from camtraps.files import read_json, write_json
from camtraps.merge import MergeParams, merge, of_dataset
from camtraps.params import load
from camtraps.predictions import read
from camtraps.schema import DETECTIONS, FAILURES, QUERIED
from stages._run import run


def main() -> Counts:
    """Run the stage."""
    params, out = load(MergeParams, "merge"), layout.RESULTS
    queried = tables.read(layout.QUERIED / "queried.parquet", QUERIED)
    detections = tables.read(layout.DETECTIONS / "detections.parquet", DETECTIONS)
    left_out = tables.read(layout.DETECTIONS / "failures.parquet", FAILURES).query("kind == 'failed'")
    predictions = read(layout.PREDICTIONS / "predictions.parquet")
    failed = dict(zip(left_out["image"], left_out["reason"], strict=True))
    classes = read_json(layout.PREDICTIONS / "classes.json")
    document = merge(queried, detections, failed, predictions, classes, params)
    write_json(out / "megadetector.json", document)
    for dataset in sorted(set(queried["dataset"])):
        write_json(out / "by_dataset" / f"{dataset}.json", of_dataset(document, dataset))
    counts = Counts(unit="photos", rows_in=len(queried), rows_out=len(document["images"]), skipped=0, failed=0)
    return close(out, counts, rows("merge", "skipped", []), 1.0)


if __name__ == "__main__":
    run("merge", main)
