"""evaluate: classifier, crops, splits -> predictions for every crop, and how good they are."""

from camtraps import evaluation, layout, models, tables
from camtraps.failures import Counts, close, rows
from camtraps.files import write_json, write_text
from camtraps.inference import classify
from camtraps.metrics import calibrated
from camtraps.schema import ASSIGNED, CROPS, PREDICTIONS
from stages._run import run


def main() -> Counts:
    """Run the stage."""
    network, info = models.load(layout.CLASSIFIER)
    crops = tables.read(layout.CROPS / "crops.parquet", CROPS)
    assigned = tables.read(layout.SPLITS / "assigned.parquet", ASSIGNED)
    logits = classify(network, info, crops, assigned, layout.CROPS)
    table = evaluation.predictions(assigned, calibrated(logits, info.temperature), info.classes)
    judged = evaluation.evaluate(table, calibrated(logits, 1.0), info.classes)
    tables.write(table, layout.PREDICTIONS / "predictions.parquet", PREDICTIONS)
    write_json(layout.PREDICTIONS / "classes.json", info.classes)
    out = layout.EVALUATION
    write_json(out / "evaluate.json", judged.scores)
    for name in ("per_class", "confusion", "reliability", "per_location"):
        write_text(out / f"{name}.csv", getattr(judged, name).to_csv(index=False, lineterminator="\n"))
    counts = Counts(unit="crops", rows_in=len(assigned), rows_out=len(table), skipped=0, failed=0)
    return close(out, counts, rows("evaluate", "skipped", []), 1.0)


if __name__ == "__main__":
    run("evaluate", main)
