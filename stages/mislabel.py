"""mislabel: classifier, predictions, crops -> labels that are probably wrong, most suspicious first."""

from camtraps import folds, kinship, layout, models, predictions, review, tables, taxonomy
from camtraps.failures import Counts, close
from camtraps.files import read_json, write_json, write_text
from camtraps.params import load
from camtraps.review import MislabelParams
from camtraps.schema import ASSIGNED, CANDIDATES, CROPS, JUDGED, NEIGHBOURS, QUERIED
from stages._run import run


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
    write_json(out / "scoring.json", judged.describe(info.classes))
    skipped = review.skipped(judged.crops, listed, decided, found.unseen)
    counts = Counts.of("photos", bank.crops["image"].nunique(), len(listed), skipped)
    details = {"judged": judged.crops.groupby("split")["image"].nunique().to_dict()}
    return close(out, counts, skipped, 1.0, details)


if __name__ == "__main__":
    run("mislabel", main)
