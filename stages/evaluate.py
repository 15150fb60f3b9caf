"""evaluate: classifier, crops, splits -> predictions for every crop, and how good they are."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from camtraps import evaluation, examples, foreign, layout, models, predictions, shards, tables
from camtraps.evaluation import EvaluateParams
from camtraps.failures import Counts, close, rows
from camtraps.files import replacing, write_json, write_text
from camtraps.inference import classify
from camtraps.metrics import calibrated
from camtraps.params import load
from camtraps.schema import ASSIGNED, CROPS
from stages._run import run

KEY = ["image", "box"]


def main() -> Counts:
    """Run the stage."""
    params, out = load(EvaluateParams, "evaluate"), layout.EVALUATION
    info = models.read_info(layout.CLASSIFIER)
    crops = tables.read(layout.CROPS / "crops.parquet", CROPS)
    assigned = tables.read(layout.SPLITS / "assigned.parquet", ASSIGNED)
    assigned = assigned.merge(crops[[*KEY, "sequence", "detector"]], on=KEY, how="left", validate="1:1")
    others = _foreign(params, assigned, info.classes)
    found = classify(layout.CLASSIFIER, crops, assigned, layout.CROPS)
    good = np.array([reason is None for reason in found.reasons])
    reasons = (reason for reason in found.reasons if reason is not None)
    left_out = rows("evaluate", "failed", zip(*assigned[~good][KEY].to_numpy(object).T, reasons, strict=True))
    counts = Counts.of("crops", len(assigned), int(good.sum()), left_out)
    close(out, counts, left_out, params.max_failed)
    logits, judged = found.logits[good], assigned[good].assign(night=found.is_grey[good])
    predicted = evaluation.predictions(judged, calibrated(logits, info.temperature), info.classes)
    result = evaluation.evaluate(predicted.crops, logits, info.temperature, info.classes, params)
    if others is not None:
        result = result.with_foreign(evaluation.evaluate_foreign(predicted.crops, others[good], info.classes))
    predictions.write(predicted, layout.PREDICTIONS / "predictions.parquet")
    write_json(layout.PREDICTIONS / "classes.json", info.classes)
    write_json(out / "evaluate.json", result.scores)
    for name, table in (result.tables | {"examples": _examples(predicted, crops, info.classes, params)}).items():
        write_text(out / f"{name}.csv", table.to_csv(index=False, lineterminator="\n"))
    return counts


def _foreign(params: EvaluateParams, crops: pd.DataFrame, classes: list[str]) -> NDArray[np.float64] | None:
    """Read what a foreign classifier says of the crops, if one is given: before ours takes its time."""
    if params.foreign is None:
        return None
    folder = layout.collection() / "foreign"
    given = foreign.read(folder / params.foreign)
    pools = foreign.same_names(given.labels)
    if params.foreign_mapping:
        path = folder / params.foreign_mapping
        pools = foreign.read_mapping(path)
        foreign.check_labels(given.labels, pools, path)
    return foreign.of_crops(given, pools, crops, classes)


def _examples(
    predicted: predictions.Predictions, crops: pd.DataFrame, classes: list[str], params: EvaluateParams
) -> pd.DataFrame:
    """Write the pictures of the extreme examples; give their table with the places of the pictures."""
    chosen = examples.choose(predicted, classes, params.extreme_examples)
    pictures = examples.pictures(chosen, crops, shards.Reader(layout.CROPS))
    with replacing(layout.EVALUATION / examples.SHARD) as part:
        places = shards.write(part, pictures)
    offsets, lengths = zip(*places, strict=True) if places else ((), ())
    return chosen.assign(shard=examples.SHARD, offset=offsets, length=lengths)


if __name__ == "__main__":
    run("evaluate", main)
