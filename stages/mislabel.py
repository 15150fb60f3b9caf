"""mislabel: classifier, predictions, crops -> labels that are probably wrong, most suspicious first."""

import numpy as np
import pandas as pd

from camtraps import folds, kinship, layout, models, predictions, review, tables, taxonomy
from camtraps.failures import Counts, close
from camtraps.files import read_json, write_json, write_text
from camtraps.formats.megadetector_json import write
from camtraps.merge import MergeParams, merge
from camtraps.params import load
from camtraps.review import MislabelParams, Seen
from camtraps.schema import ASSIGNED, CANDIDATES, CROPS, DETECTIONS, JUDGED, NEIGHBOURS, QUERIED
from stages._run import run

THRESHOLD = 0.1  # of relative confidences, as in CameraTraps


def main() -> Counts:
    """Run the stage."""
    params, out = load(MislabelParams, "mislabel"), layout.REVIEW
    crops = tables.read(layout.CROPS / "crops.parquet", CROPS)
    assigned = tables.read(layout.SPLITS / "assigned.parquet", ASSIGNED)
    network, info = models.load(layout.CLASSIFIER)
    bank = folds.Bank.of(crops, assigned, info.classes, layout.CROPS)
    if params.folds is None:
        found = folds.by_classifier(network, info, bank, predictions.read(layout.PREDICTIONS / "predictions.parquet"))
    else:
        found = folds.by_folds(bank, folds.recipe(info), params.folds)
    rules, taxa = read_json(layout.QUERIED / "labels.json"), taxonomy.read(layout.collection() / "taxonomy.csv")
    judged = review.judge(found.seen, kinship.distances(info.classes, rules, taxa.lineages))
    queried = tables.read(layout.QUERIED / "queried.parquet", QUERIED)
    decided = set(queried.loc[queried["level"] == "correction", "image"])
    listed = review.candidates(judged.crops, params.min_score, decided)
    tables.write(judged.crops, out / "crops.parquet", JUDGED)
    tables.write(listed, out / "candidates.parquet", CANDIDATES)
    tables.write(review.neighbours(listed, found.seen), out / "neighbours.parquet", NEIGHBOURS)
    write_text(out / "candidates.csv", listed[CANDIDATES.schema.names].to_csv(index=False, lineterminator="\n"))
    _write_relative(found.seen, queried)
    write_json(out / "scoring.json", judged.describe(info.classes))
    skipped = review.skipped(judged.crops, listed, decided, found.unseen)
    counts = Counts.of("photos", bank.crops["image"].nunique(), len(listed), skipped)
    details = {"judged": judged.crops.groupby("split")["image"].nunique().to_dict()}
    return close(out, counts, skipped, 1.0, details)


def _write_relative(seen: Seen, queried: pd.DataFrame) -> None:
    """Write a file for Timelapse: by how much each class is more probable than the label of a crop that was judged."""
    detections = tables.read(layout.DETECTIONS / "detections.parquet", DETECTIONS)
    photos = queried[queried["image"].isin(seen.crops["image"])]
    predicted = predictions.Predictions(seen.crops, seen.probabilities.astype(np.float32))
    params = MergeParams(threshold=THRESHOLD, label="last", relative_conf=True)
    document = merge(photos, detections, {}, predicted, seen.classes, params)
    write(document, layout.REVIEW / "relative.json")
    for dataset in sorted(set(photos["dataset"])):
        write(document.of_dataset(dataset), layout.REVIEW / "by_dataset" / f"{dataset}.json")


if __name__ == "__main__":
    run("mislabel", main)
