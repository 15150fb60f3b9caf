"""The evaluation as a page: how good the classifier is, where, how sure, and the photos behind the numbers."""

from typing import Any

import numpy as np
import pandas as pd

from camtraps.pages import asset, note, page, sections, table, tiles
from camtraps.plots import confusion_matrix, count_pairs, lines
from camtraps.runs import Run
from camtraps.shards import Reader
from camtraps.thumbnails import Album, gallery, of_crop

SURE = 0.99  # the confidence of the restricted view, as in CameraTraps' notebook
PER_CELL = 24  # photos of a cell that are named, as many of them shown as there is room for
OF_EXAMPLES = 0.4  # the share of the page's bytes that the extreme examples may take
CELL_PX, CELL_QUALITY = 112, 70
BINS = 20  # of confidence, for a label
MOST_LOCATIONS = 2000
MOST_CONFUSIONS = 25
EXTREMES = {
    "tp": "right, {row.confidence:.3f}",
    "fp": "wrong, is {row.actual}, {row.confidence:.3f}",
    "fn": "missed, taken for {row.predicted}, {row.confidence:.3f}",
}
KEY = ["image", "box"]

CONFUSION = (
    "Rows are labels, columns what the classifier said of crops at locations that it has never seen. A click on a cell "
    "shows its photos."
)
RELIABILITY = (
    "Of predictions with a confidence of 0.9, nine in ten should be right: the nearer to the dashed line, the more the "
    "confidence can be taken at its word. Calibration is fitted on val; this is test."
)
ACCEPT = (
    "If every prediction from a confidence on is taken for true without a person looking: the share of crops that this "
    "accepts, the share of those that is right (precision), and the share of all that is accepted and right (recall)."
)
THRESHOLDS = (
    "For each label the confidence from which on its predictions reach evaluate.accept_precision on val, and what that "
    "gives on test. Mind the numbers that it rests on; without a threshold, none was enough."
)
LOCATIONS = "Where it works and where not: locations with a low share of right crops are worth a look at the photos."


def compose(run: Run, reader: Reader, pictures: Reader, max_bytes: int) -> str:
    """Put the page together.

    Args:
        run: the run.
        reader: of the shards of crops.
        pictures: of the shard of extreme examples.
        max_bytes: of all pictures in the page.
    """
    examples = gallery_of_extremes(run.evaluation["examples"], pictures, Album(int(OF_EXAMPLES * max_bytes)))
    album = Album(int((1 - OF_EXAMPLES) * max_bytes))
    test = _of_test(run)
    tested = run.predictions.crops[run.predictions.crops["split"] == "test"]
    parts = [
        ("Scores", scores_table(run.scores)),
        ("Photos, sequences, day and night, datasets", _parts(test)),
        (f"Confusion: {len(tested):,} crops of test", confusion(tested, run.classes)),
        ("Classes", _classes(run, test)),
        ("Locations", note(LOCATIONS) + table(test["per_location"].sort_values("top1").head(MOST_LOCATIONS), "tall")),
        ("Can the confidence be believed?", note(RELIABILITY) + _reliability(test)),
        ("What can be accepted without a look", note(ACCEPT) + _acceptance(test)),
        ("Thresholds by label", note(THRESHOLDS) + table(run.evaluation["thresholds"])),
        ("Most confident right and wrong crops of each label", examples),
    ]
    blocks = {"cells": cells(tested, run, reader, album), "pictures": album.pictures}
    head = f"<h1>Evaluation</h1>{note(lead(run.scores), 'lead')}{tiles(_tiles(run.scores['test']))}"
    return page(
        f"camtraps: {run.name}",
        head + sections(parts) + asset("evaluation.html"),
        here="evaluation.html",
        scripts=["tables.js", "evaluation.js"],
        blocks=blocks,
    )


def lead(scores: dict[str, dict[str, float]]) -> str:
    """Say in a sentence or two how good the classifier is."""
    test = scores["test"]
    beside = "more than" if test["top1_low"] > test["top1_majority"] else "which does not differ surely from"
    return (
        f"At {test['locations']} locations that it has never seen, the classifier names {test['top1']:.1%} of "
        f"{test['crops']:,} animals rightly (95% interval over locations: {test['top1_low']:.1%} to "
        f"{test['top1_high']:.1%}), {beside} the {test['top1_majority']:.1%} of always answering the commonest label."
    )


def scores_table(scores: dict[str, dict[str, float]]) -> str:
    """Show the metrics contract: one row a score, one column a split; intervals stand behind their score."""
    names = list(dict.fromkeys(name for of_split in scores.values() for name in of_split))
    rows = []
    for name in names:
        if name.endswith(("_low", "_high")) and name.rsplit("_", 1)[0] in names:
            continue
        rows.append([name, *(_score(of_split, name) for of_split in scores.values()), MEANINGS.get(name, "")])
    return table(pd.DataFrame(rows, columns=["score", *scores, "what it is"]))


MEANINGS = {
    "crops": "animals judged",
    "locations": "cameras they are from",
    "top1": "share of crops whose most probable class is right; in brackets the 95% interval over locations",
    "top3": "share whose class is among the three most probable",
    "top5": "among the five most probable",
    "macro_recall": "mean over classes of the share found: rare classes count as much as common ones",
    "macro_f1": "mean over classes of F1, which weighs precision and recall",
    "macro_ap": "mean over classes of average precision",
    "micro_ap": "average precision over all pairs of crop and class",
    "log_loss": "0 is perfect; punishes confident mistakes",
    "brier": "0 is perfect, 2 the worst",
    "ece": "calibration error: mean distance of confidence and accuracy",
    "top1_majority": "baseline: always the commonest label of train",
    "ece_uncalibrated": "before calibration",
    "brier_uncalibrated": "before calibration",
    "image_top1": "top1 of photos",
    "sequence_top1": "top1 of sequences",
    "day_top1": "top1 of crops by day",
    "night_top1": "top1 of crops by night",
}


def confusion(tested: pd.DataFrame, classes: list[str]) -> str:
    """Draw the matrix of all predictions and that of the surest, of which one is in sight, and list confusions."""
    pairs = tested.rename(columns={"label": "actual", "prediction": "predicted"})
    sure = pairs[pairs["confidence"] >= SURE]
    counts = count_pairs(pairs, classes)
    buttons = (
        f'<p><button type="button" class="button" data-view="all" aria-pressed="true">all {len(pairs):,}</button> '
        f'<button type="button" class="button" data-view="sure" aria-pressed="false">confidence from {SURE}: '
        f"{len(sure):,}</button></p>"
    )
    drawn = "".join(
        f'<div class="wide" data-matrix="{name}"{hidden}>{confusion_matrix(each, classes)}</div>'
        for name, each, hidden in (("all", counts, ""), ("sure", count_pairs(sure, classes), " hidden"))
    )
    choice = (
        '<h3>One label</h3><p><label>Photos of <select id="of-label"></select></label>, by what they were taken for '
        '</p><div id="of-label-shown"></div>'
    )
    worst = f'<div id="worst"><h3>Most frequent confusions</h3>{_worst(counts, classes)}</div>'
    return f'{note(CONFUSION)}{buttons}<div class="side"><div>{drawn}</div>{worst}</div>{choice}'


def gallery_of_extremes(examples: pd.DataFrame, reader: Reader, album: Album) -> str:
    """Show the extreme examples of each label."""
    parts = []
    for label, rows in examples.groupby("label"):
        said = [EXTREMES[row.kind].format(row=row) for row in rows.itertuples()]
        parts.append(sections([(str(label), gallery(rows, said, reader, album))]).replace("h2>", "h3>"))
    return "".join(parts)


def cells(tested: pd.DataFrame, run: Run, reader: Reader, album: Album) -> dict[str, Any]:
    """Make what the script needs to open cells: their photos, the surest first, and the reliability of each label.

    Every cell gets its first picture before any gets a second, confusions before what is right.
    """
    index = {name: at for at, name in enumerate(run.classes)}
    places = tested.merge(run.crops[[*KEY, "shard", "offset", "length"]], on=KEY, how="left")
    ordered = places.sort_values(["confidence", *KEY], ascending=[False, True, True], kind="stable")
    pair = ordered.groupby(["label", "prediction"])
    named = ordered.assign(turn=pair.cumcount()).query("turn < @PER_CELL")
    named = named.assign(is_right=named["label"] == named["prediction"])
    found: dict[str, list[list[Any]]] = {}
    for row in named.sort_values(["turn", "is_right"], kind="stable").itertuples():
        number = album.number(
            (row.image, row.box),
            lambda row=row: of_crop(row, reader, CELL_PX, CELL_QUALITY),  # type: ignore[misc]
        )
        cell = f"{index[row.label]}-{index[row.prediction]}"
        where = f"{row.image}, location {row.location}"
        found.setdefault(cell, []).append([number, where, round(row.confidence, 4)])
    totals = {f"{index[a]}-{index[b]}": int(number) for (a, b), number in pair.size().items()}
    bins = {str(index[name]): _bins(rows) for name, rows in tested.groupby("prediction")}
    return {"classes": run.classes, "sure": SURE, "photos": found, "totals": totals, "reliability": bins}


def _bins(rows: pd.DataFrame) -> list[list[float]]:
    """Compare confidence and accuracy of the predictions of a label: mean confidence, share right and number."""
    right = (rows["label"] == rows["prediction"]).astype(float)
    edge = np.clip(np.ceil(rows["confidence"] * BINS), 1, BINS)
    means = pd.DataFrame({"confidence": rows["confidence"], "right": right}).groupby(edge).mean()
    means["number"] = right.groupby(edge).size()
    return [list(row) for row in means.round(4).itertuples(index=False)]


def _worst(counts: Any, classes: list[str]) -> str:
    off = counts * (1 - np.eye(len(classes), dtype=np.int64))
    order = np.argsort(-off, axis=None, kind="stable")[:MOST_CONFUSIONS]
    pairs = [tuple(divmod(int(at), len(classes))) for at in order]
    rows = [
        {
            "label": classes[a],
            "taken for": classes[b],
            "crops": int(counts[a, b]),
            "of the label": f"{counts[a, b] / counts[a].sum():.1%}",
        }
        for a, b in pairs
        if off[a, b]
    ]
    return table(pd.DataFrame(rows), "tall") if rows else note("None.")


def _of_test(run: Run) -> dict[str, pd.DataFrame]:
    return {
        name: rows[rows["split"] == "test"].drop(columns="split")
        for name, rows in run.evaluation.items()
        if "split" in rows.columns
    }


def _parts(test: dict[str, pd.DataFrame]) -> str:
    return "".join(table(_with_intervals(test[name])) for name in ("levels", "per_light", "per_dataset"))


def _with_intervals(rows: pd.DataFrame) -> pd.DataFrame:
    """Put the 95% interval of top1 behind it."""
    said = [f"{low:.3f}–{high:.3f}" for low, high in zip(rows["top1_low"], rows["top1_high"], strict=True)]
    place = list(rows).index("top1") + 1
    kept = rows.drop(columns=["top1_low", "top1_high"])
    kept.insert(place, "95% interval", said)
    return kept


def _classes(run: Run, test: dict[str, pd.DataFrame]) -> str:
    rows = test["per_class"]
    if "per_class_foreign" in test:
        other = test["per_class_foreign"].set_index("label")[["precision", "recall", "f1", "ap"]].add_suffix(" foreign")
        rows = rows.merge(other, left_on="label", right_index=True, how="left")
    return table(rows, "tall" if len(run.classes) > 20 else "wide")


def _reliability(test: dict[str, pd.DataFrame]) -> str:
    series = {
        "as trained": _points(test["reliability_uncalibrated"], "confidence", "accuracy"),
        "calibrated": _points(test["reliability"], "confidence", "accuracy"),
    }
    return f'<div class="side">{lines(series, "confidence", diagonal=True)}{table(test["reliability"])}</div>'


def _acceptance(test: dict[str, pd.DataFrame]) -> str:
    series = {name: _points(test["accept"], "threshold", name) for name in ("accepted", "precision", "recall")}
    return f'<div class="side">{lines(series, "threshold")}{table(test["accept"], "tall")}</div>'


def _tiles(test: dict[str, float]) -> list[tuple[str, str]]:
    shown = [
        (f"{test['top1']:.1%}", f"of crops right ({test['top1_low']:.1%} to {test['top1_high']:.1%})"),
        (f"{test['macro_recall']:.1%}", "mean share found of a class"),
        (f"{test['sequence_top1']:.1%}", "of sequences right"),
        (f"{test['top1_majority']:.1%}", "right by always saying the commonest label"),
        (f"{test['ece']:.3f}", "calibration error (0 is perfect)"),
    ]
    if "top1_foreign" in test:
        shown.insert(4, (f"{test['top1_foreign']:.1%}", "of crops right by the other classifier"))
    return shown


def _score(scores: dict[str, float], name: str) -> str:
    value = scores.get(name)
    if value is None:
        return "–"
    text = f"{value:,}" if isinstance(value, int) else f"{value:.3f}"
    low, high = scores.get(f"{name}_low"), scores.get(f"{name}_high")
    return text if low is None or high is None else f"{text} ({low:.3f}–{high:.3f})"


def _points(rows: pd.DataFrame, x: str, y: str) -> list[tuple[float, float]]:
    return list(zip(rows[x], rows[y], strict=True))
