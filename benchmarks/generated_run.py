"""A finished run of any size, drawn at random: the outputs of all stages, for the pages to show."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageFilter

from benchmarks.generated import NAME
from camtraps import evaluation, examples, layout, predictions, shards, tables
from camtraps.collections import DATASET_COLUMNS
from camtraps.evaluation import EvaluateParams
from camtraps.failures import Counts, close, rows
from camtraps.files import write_json, write_text
from camtraps.images import encode
from camtraps.metrics import calibrated
from camtraps.schema import ASSIGNED, CANDIDATES, CROPS, DETECTIONS, NEIGHBOURS, QUERIED, SPLITS

DATASET = "d"
PICTURES, SIDE_PX, QUALITY = 200, 300, 92  # different crops at most; the others show the same
SKILL = 3.0  # of the made-up classifier: what the logit of the right class has above the others
KEY = ["image", "box"]
JUDGE = EvaluateParams(accept_precision=0.9, extreme_examples=3, foreign=None, foreign_mapping=None, max_failed=0.0)


def write(folder: Path, num_crops: int, classes: list[str], num_locations: int, num_candidates: int) -> Path:
    """Write ``folder`` as a repository in which all stages but ``report`` have run; a few photos are there.

    Args:
        folder: made anew.
        num_crops: one a photo.
        classes: names of the labels, of which the first ones are commonest.
        num_locations: half of them are in train, a quarter each in val and test.
        num_candidates: suspected labels, the first crops of test.
    """
    rng = np.random.default_rng(1)
    crops = _crops(folder, num_crops, classes, num_locations, rng)
    logits = _logits(crops, classes, rng)
    _write_tables(folder, crops)
    judged = crops[[*KEY, "dataset", "location", "sequence", "split", "label"]].assign(
        night=rng.random(len(crops)) < 0.4
    )
    predicted = evaluation.predictions(judged, calibrated(logits, 1.0), classes)
    _write_evaluation(folder, crops, predicted, logits, classes)
    _write_candidates(folder, predicted, classes, num_candidates)
    _write_rest(folder, crops, classes)
    return folder


def _crops(folder: Path, num: int, classes: list[str], num_locations: int, rng: np.random.Generator) -> pd.DataFrame:
    shares = 1 / np.arange(1, len(classes) + 1)
    places = rng.integers(0, num_locations, num)
    shard = f"shards/{DATASET}/all.zip"
    names = [f"{at:06}.jpg" for at in range(min(-(-num // 10), PICTURES))]
    (folder / layout.CROPS / shard).parent.mkdir(parents=True)
    members = shards.write(folder / layout.CROPS / shard, ((name, _picture(rng)) for name in names))
    where = np.array(members)[np.arange(num) % len(members)]
    return pd.DataFrame(
        {
            "image": [f"{DATASET}/{at:07}.jpg" for at in range(num)],
            "box": 0,
            "dataset": DATASET,
            "location": [f"{place:03}" for place in places],
            "sequence": [f"s{at // 3}" for at in range(num)],
            "datetime": pd.Timestamp("2024-04-01") + pd.to_timedelta(rng.integers(0, 300 * 24, num), unit="h"),
            "label": np.array(classes, object)[rng.choice(len(classes), num, p=shares / shares.sum())],
            "confidence": 0.9,
            "calibrated": None,
            "detector": "md",
            "shard": shard,
            "offset": where[:, 0],
            "length": where[:, 1],
            "width": SIDE_PX,
            "height": SIDE_PX,
            **{"x": 0.25, "y": 0.25, "w": 0.5, "h": 0.5},
            "split": np.array(["train", "train", "val", "test"], object)[places % 4],
        }
    )


def _picture(rng: np.random.Generator) -> bytes:
    """Draw a crop that compresses about as those of real photos do."""
    coarse = Image.fromarray(rng.integers(40, 215, (24, 24, 3), np.uint8)).resize((SIDE_PX, SIDE_PX))
    fine = rng.normal(0, 14, (SIDE_PX, SIDE_PX, 1)) + np.asarray(coarse.filter(ImageFilter.GaussianBlur(2)), float)
    return encode(Image.fromarray(fine.clip(0, 255).astype(np.uint8)), QUALITY)


def _logits(crops: pd.DataFrame, classes: list[str], rng: np.random.Generator) -> Any:
    index = {name: at for at, name in enumerate(classes)}
    logits = rng.normal(0, 1, (len(crops), len(classes)))
    logits[np.arange(len(crops)), crops["label"].map(index)] += SKILL
    return logits


def _write_tables(folder: Path, crops: pd.DataFrame) -> None:
    tables.write(crops, folder / layout.CROPS / "crops.parquet", CROPS)
    tables.write(crops, folder / layout.SPLITS / "assigned.parquet", ASSIGNED)
    places = crops.groupby(["dataset", "location", "split"]).size().rename("crops").reset_index()
    tables.write(places, folder / layout.SPLITS / "splits.parquet", SPLITS)
    boxes = crops.assign(category="animal", repeat=None, **{"class": None})
    tables.write(boxes, folder / layout.DETECTIONS / "detections.parquet", DETECTIONS)
    photos = crops.drop_duplicates("image").assign(
        file=crops["image"].str.removeprefix(f"{DATASET}/"),
        frame=None,
        labels=[[label] for label in crops["label"]],
        why="label",
        level="image",
        has_truth_boxes=False,
        **{"class": crops["label"]},
    )
    tables.write(photos, folder / layout.QUERIED / "queried.parquet", QUERIED)


def _write_evaluation(folder: Path, crops: pd.DataFrame, predicted: Any, logits: Any, classes: list[str]) -> None:
    out = folder / layout.EVALUATION
    found = evaluation.evaluate(predicted.crops, logits, 1.0, classes, JUDGE)
    predictions.write(predicted, folder / layout.PREDICTIONS / "predictions.parquet")
    write_json(folder / layout.PREDICTIONS / "classes.json", classes)
    write_json(out / "evaluate.json", found.scores)
    chosen = examples.choose(predicted, classes, JUDGE.extreme_examples)
    pictures = examples.pictures(chosen, crops, shards.Reader(folder / layout.CROPS))
    places = np.array(shards.write(out / examples.SHARD, pictures) or np.empty((0, 2), int))
    shown = chosen.assign(shard=examples.SHARD, offset=places[:, 0], length=places[:, 1])
    for name, table in (found.tables | {"examples": shown}).items():
        write_text(out / f"{name}.csv", table.to_csv(index=False, lineterminator="\n"))


def _write_candidates(folder: Path, predicted: Any, classes: list[str], num: int) -> None:
    test = np.flatnonzero(predicted.crops["split"] == "test")[:num]
    rows, shares = predicted.crops.iloc[test], predicted.probabilities[test]
    second = np.argsort(-shares, axis=1)[:, 1]
    rival = np.where(rows["prediction"] == rows["label"], np.array(classes, object)[second], rows["prediction"])
    index = {name: at for at, name in enumerate(classes)}
    of_label = shares[np.arange(len(rows)), rows["label"].map(index)]
    of_rival = shares[np.arange(len(rows)), [index[name] for name in rival]]
    empty = dict.fromkeys(("sequence_same_label", "sequence_p_label", "sequence_p_predicted", "taxon_distance", "fold"))
    listed = rows.assign(
        rank=np.arange(1, len(rows) + 1),
        file=rows["image"].str.removeprefix(f"{DATASET}/"),
        predicted=rival,
        p_label=of_label,
        p_predicted=of_rival,
        margin=of_rival - of_label,
        score=np.linspace(1, 0, len(rows) + 1)[:-1].round(4),
        is_confident=True,
        sequence_photos=0,
        neighbours_label=0.2,
        neighbours_predicted=0.8,
        evidence="looks like another; alone in its sequence",
        **empty,
    )
    tables.write(listed, folder / layout.REVIEW / "candidates.parquet", CANDIDATES)
    near = [
        (row.image, row.box, like, at + 1, f"{DATASET}/{at:07}.jpg", 0)
        for row in listed.itertuples()
        for like in ("label", "predicted")
        for at in range(3)
    ]
    columns = NEIGHBOURS.schema.names
    tables.write(pd.DataFrame(near, columns=columns), folder / layout.REVIEW / "neighbours.parquet", NEIGHBOURS)


def _write_rest(folder: Path, crops: pd.DataFrame, classes: list[str]) -> None:
    """Write counts and failures, the model's description, the collection's small files, and the first ten photos."""
    for out in (
        *(layout.QUERIED, layout.DETECTIONS, layout.CROPS, layout.SPLITS),
        *(layout.TRAINING, layout.EVALUATION, layout.RESULTS, layout.REVIEW),
    ):
        failed = rows("crop", "failed", [("d/gone.jpg", None, "photo not found")] if out == layout.CROPS else [])
        counts = Counts.of("photos", len(crops) + len(failed), len(crops), failed)
        close(folder / out, counts, failed, 1.0)
    history = [
        {"epoch": at, "train_loss": 2 / (at + 1), "val_log_loss": 2 / (at + 1), "val_macro_recall": at / 9}
        for at in range(9)
    ]
    write_json(folder / layout.TRAINING / "history.json", history)
    rule = {"categories": ["animal"], "shape": "square", "threshold": 0.3}
    model = {
        "architecture": "efficientnet-b0",
        "start": "random weights",
        "image_size": 96,
        "crop": rule,
        "temperature": 1.0,
        "best_epoch": 8,
        "params": {"recipe": "camtraps-small", "epochs": 9, "compile": False},
        "taxa": {name: {"taxa": [], "dataset_labels": [[DATASET, name]]} for name in classes},
    }
    write_json(folder / layout.CLASSIFIER / "model.json", model)
    write_text(folder / layout.CLASSIFIER / "weights.safetensors", "weights")
    home = folder / "data" / NAME
    places = [DATASET, f"images/{DATASET}", str(len(crops)), "-", "photos.json", "-"]
    write_text(home / "datasets.csv", f"{','.join(DATASET_COLUMNS)}\n{','.join(places)}\n")
    write_text(
        home / "taxonomy.csv",
        f"dataset_name,query,family,genus,species\n{DATASET},roe deer,cervidae,capreolus,capreolus capreolus\n",
    )
    (home / "images" / DATASET).mkdir(parents=True)
    test = crops.loc[crops["split"] == "test", "image"].head(10)
    for image in test:
        pixels = np.full((300, 400, 3), 90, np.uint8)
        (home / "images" / image).write_bytes(encode(Image.fromarray(pixels), 80))
    sections = {"data": {"name": NAME, "label_spec": "label_spec.json"}, "report": REPORT}
    lines = [
        f"{name}:\n" + "".join(f"  {key}: {value}\n" for key, value in keys.items()) for name, keys in sections.items()
    ]
    write_text(folder / "params.yaml", "".join(lines))


REPORT = {"candidates": 5000, "review_mb": 60, "page_mb": 8}
