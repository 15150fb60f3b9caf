"""The model card as a page: what the classifier is, what it was made from, what it is for, where not to trust it."""

import html
from typing import Any

import pandas as pd

from camtraps.evaluation_page import lead, scores_table
from camtraps.pages import facts, note, page, sections, table
from camtraps.runs import HASHED, Run
from camtraps.words import num

WEAK_RECALL, FEW_CROPS, FEW_LOCATIONS = 0.5, 30, 5  # below these the card warns

USE = (
    "To name the animals in photos of camera traps like those it was trained on: as a first pass that sorts photos for "
    "people or, above the thresholds below, in their place where an occasional mistake does no harm. It looks at crops "
    "that a detector has cut out, and answers with one of its labels whatever it is shown: an animal, person or object "
    "that is none of them gets one of their names too, sometimes with high confidence."
)
NOT_FOR = (
    "Not for telling individuals apart, nor sex or age; not for people or vehicles; not for law enforcement or any "
    "decision about a person; not, without a test on labelled photos of your own, for other regions, other species or "
    "other kinds of cameras. Numbers of animals are not numbers of photos: one animal may pass many times."
)


def compose(run: Run) -> str:
    """Put the page together."""
    model = run.model
    parts = [
        ("What it is", facts(_what(model))),
        ("Intended use", note(USE, "text") + "<h3>Not intended</h3>" + note(NOT_FOR, "text")),
        ("Labels", note(LABELS) + table(labels(run), "tall" if len(run.classes) > 20 else "wide")),
        ("How good it is", note(lead(run.scores), "text") + scores_table(_main(run.scores)) + LINK),
        ("Known limits", _list(limits(run))),
        ("Thresholds", note(THRESHOLDS) + table(run.evaluation["thresholds"])),
        ("What it was made from", note(MADE_FROM) + table(hashes(run)) + facts(_sources(run))),
        ("Parameters of its training", facts({name: _text(value) for name, value in model["params"].items()})),
    ]
    what = note(f"A classifier of {num(len(run.classes), 'label')} for crops of camera-trap photos.", "lead")
    head = f"<h1>Model card</h1>{what}"
    return page(f"camtraps: {run.name}", head + sections(parts), here="model.html")


LABELS = "What each label takes in, as the label specification had it, and how much the classifier has seen of it."
THRESHOLDS = (
    "From this confidence on, predictions of a label were right as often as evaluate.accept_precision asks on val; the "
    "columns of test say what that gives at locations that nothing was chosen on. No threshold: none was enough."
)
MADE_FROM = (
    "SHA-256 of the files that the model rests on, in the order in which they were made. Whoever has files with the "
    "same hashes has the same data; dvc.lock of the same commit ties them to the code and the parameters."
)
LINK = '<p><a href="evaluation.html">The whole evaluation</a>, with the photos behind the numbers.</p>'


def labels(run: Run) -> pd.DataFrame:
    """List the labels with their taxa and dataset labels, and the crops and locations that they were learned from."""
    train = run.assigned[run.assigned["split"] == "train"]
    place = train["dataset"] + "/" + train["location"]
    seen = train.assign(place=place).groupby("label").agg(crops=("image", "size"), locations=("place", "nunique"))
    rows = []
    for name in run.classes:
        rule = run.model["taxa"].get(name, {"taxa": [], "dataset_labels": []})
        theirs = [f"{dataset}: {label}" for dataset, label in rule["dataset_labels"]]
        rows.append(
            {
                "label": name,
                "taxa": ", ".join(rule["taxa"]) or "–",
                "labels of the datasets": ", ".join(theirs) or "–",
                "crops to learn from": int(seen["crops"].get(name, 0)),
                "locations": int(seen["locations"].get(name, 0)),
            }
        )
    return pd.DataFrame(rows)


def limits(run: Run) -> list[str]:
    """Say where the evaluation itself warns: weak labels, few crops or locations, night, calibration."""
    test, classes = run.scores["test"], run.evaluation["per_class"]
    tested = classes[classes["split"] == "test"]
    said = []
    weak = tested[(tested["recall"] < WEAK_RECALL) & (tested["support"] > 0)]
    if len(weak):
        said.append(f"It misses more than half of: {_named(weak, 'recall')}.")
    few = tested[tested["support"] < FEW_CROPS]
    if len(few):
        said.append(
            f"Judged on fewer than {FEW_CROPS} crops, so by chance as much as by skill: {_named(few, 'support')}."
        )
    if test["locations"] < 2 * FEW_LOCATIONS:
        said.append(f"Judged at {num(int(test['locations']), 'location')} only: the intervals are rough.")
    if {"day_top1", "night_top1"} <= set(test) and abs(test["day_top1"] - test["night_top1"]) > 0.05:
        worse, better = sorted(("day", "night"), key=lambda light: test[f"{light}_top1"])
        said.append(
            f"By {worse} it is worse than by {better}: {test[f'{worse}_top1']:.1%} of crops right against "
            f"{test[f'{better}_top1']:.1%}."
        )
    learned = labels(run)
    thin = learned[learned["locations"] < FEW_LOCATIONS]
    if len(thin):
        names = ", ".join(thin["label"])
        said.append(
            f"Learned at fewer than {FEW_LOCATIONS} locations, whose backgrounds it may know by heart: {names}."
        )
    said.append(
        f"{num(len(run.candidates), 'label')} of the photos are suspected to be wrong, and not all are looked at."
    )
    return said


def hashes(run: Run) -> pd.DataFrame:
    """List the files that the model rests on with their hashes."""
    rows = [(name, str(HASHED[name]), value) for name, value in run.hashes.items()]
    return pd.DataFrame(rows, columns=["what", "file", "SHA-256"])


def _named(rows: pd.DataFrame, column: str) -> str:
    values = [f"{value:.0%}" if column == "recall" else f"{value:,}" for value in rows[column]]
    return ", ".join(f"{name} ({value})" for name, value in zip(rows["label"], values, strict=True))


def _main(scores: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    wanted = (
        "crops",
        "locations",
        "top1",
        "macro_recall",
        "ece",
        "top1_majority",
        "sequence_top1",
        "day_top1",
        "night_top1",
    )
    return {
        split: {
            name: value for name, value in of_split.items() if name.removesuffix("_low").removesuffix("_high") in wanted
        }
        for split, of_split in scores.items()
        if split != "train"
    }


def _what(model: dict[str, Any]) -> dict[str, Any]:
    crop = model["crop"]
    return {
        "network": model["architecture"],
        "began as": model["start"],
        "looks at": f"crops of {model['image_size']} x {model['image_size']} pixels",
        "crops": f"{crop['shape']} around boxes of {' and '.join(crop['categories'])}",
        "boxes": f"of people, and of a detector from confidence {crop['threshold']}",
        "calibrated with": f"temperature {model['temperature']}, fitted on val",
        "chosen epoch": model["best_epoch"],
        "recipe": model["params"]["recipe"],
    }


def _sources(run: Run) -> dict[str, str]:
    said = {}
    for row in run.datasets:
        licence = row["licence"] or "not known"
        said[f"dataset {row['dataset']}"] = f"{int(row['photos']):,} photos, from {row['source']}; licence {licence}"
    return said


def _list(items: list[str]) -> str:
    return f"<ul>{''.join(f'<li>{html.escape(item)}</li>' for item in items)}</ul>"


def _text(value: Any) -> str:
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
