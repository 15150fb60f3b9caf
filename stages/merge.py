"""merge: detections and predictions -> one MegaDetector JSON for Timelapse."""

from camtraps import layout, lineages, tables
from camtraps.failures import Counts, close, rows
from camtraps.files import file_digest, read_json
from camtraps.formats.megadetector_json import write
from camtraps.merge import MergeParams, merge, with_descriptions, with_source
from camtraps.params import load
from camtraps.predictions import read
from camtraps.schema import DETECTIONS, FAILURES, QUERIED
from stages._run import run


def main() -> Counts:
    """Run the stage."""
    params, out = load(MergeParams, "merge"), layout.RESULTS
    source = layout.PREDICTIONS / "predictions.parquet"
    queried = tables.read(layout.QUERIED / "queried.parquet", QUERIED)
    detections = tables.read(layout.DETECTIONS / "detections.parquet", DETECTIONS)
    left_out = tables.read(layout.DETECTIONS / "failures.parquet", FAILURES).query("kind == 'failed'")
    predictions = read(source)
    failed = dict(zip(left_out["image"], left_out["reason"], strict=True))
    classes = read_json(layout.PREDICTIONS / "classes.json")
    document = merge(queried, detections, failed, predictions, classes, params)
    known = lineages.of_model(classes, read_json(layout.CLASSIFIER / "model.json")["taxa"])
    document = with_source(with_descriptions(document, known), file_digest(source))
    write(document, out / "megadetector.json")
    is_in = queried["image"].isin(document.files)
    for dataset in sorted(set(queried["dataset"][is_in])):
        write(document.of_dataset(dataset), out / "by_dataset" / f"{dataset}.json")
    why = "not asked for by merge.datasets or merge.samples_per_label"
    skipped = rows("merge", "skipped", ((image, None, why) for image in queried["image"][~is_in]))
    return close(out, Counts.of("photos", len(queried), len(document.files), skipped), skipped, 1.0)


if __name__ == "__main__":
    run("merge", main)
