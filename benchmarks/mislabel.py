"""Measure how well wrong labels are found: our ranking beside the margin rule and plain confident learning.

python -m benchmarks.mislabel; results are written to benchmarks/results/mislabel.json. Animals are drawn as for the
demo, cut out by their true boxes, and labelled wrongly in four ways; for each the small recipe is cross-validated by
location, and all three rankings get the same probabilities. The truth is looked at only when they are scored.
"""

import argparse
import io
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.query import REPOSITORY, Values, machine, say

RESULTS = Path(__file__).parent / "results" / "mislabel.json"
SEEDS = (11, 12, 13, 14, 15)  # of the results; the formulas were chosen on 1 to 3
SHARES = {"2_percent": 0.02, "5_percent": 0.05, "10_percent": 0.10}
RANKINGS = ("ours", "margin", "confident_learning")
FOLDS, SIDE = 4, 48
Labels = npt.NDArray[np.str_]

NOTES = """ap_*: average precision of a ranking of all photos, wrong labels being the positives; mean over the seeds.
*_demo: wrong labels as the demo has them, 4% of the photos, each alone in its sequence, between lookalikes.
*_2_percent, *_5_percent, *_10_percent: so many photos; half of them in whole sequences, half alone; half called any
  other class, half one that looks alike. ap_ours, ap_margin, ap_confident_learning: the mean of all four.
ours_at_least: the smallest lead of ours on one of the four, mean over the seeds, over the better of the other two.
brier_ours: mean squared difference of our score and the truth, beside brier_constant, that of the share of wrong
  labels. top1: of the cross-validated networks, of the labels as given.
"""


@dataclass(frozen=True)
class Sizes:
    """How much is measured: photos drawn, epochs, seeds."""

    photos: int
    epochs: int
    seeds: tuple[int, ...]


FULL = Sizes(600, 12, SEEDS)
SMALL = Sizes(130, 1, (1,))


def main(arguments: list[str] | None = None) -> None:
    """Measure all seeds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mislabel")
    parser.add_argument("--small", action="store_true", help="try it out in a minute; no results are written")
    parser.add_argument("--seeds", type=int, nargs="+", help="measure these; no results are written")
    options = parser.parse_args(arguments)
    sizes = SMALL if options.small else FULL
    seeds = tuple(options.seeds or sizes.seeds)
    start = time.monotonic()
    with TemporaryDirectory(prefix="camtraps-bench-") as folder:
        tables = list(_measured(replace(sizes, seeds=seeds), Path(folder)))
    values = machine() | summary(pd.concat(tables)) | {"seconds": round(time.monotonic() - start)}
    say(values)
    sys.stdout.write("\n" + NOTES)
    if not options.small and not options.seeds:
        from camtraps.files import write_json

        write_json(RESULTS, values)


def summary(table: pd.DataFrame) -> Values:
    """Sum the scores of all seeds up.

    Args:
        table: variant, seed and the scores.
    """
    means = table.drop(columns="seed").groupby("variant", sort=False).mean()
    names = [f"ap_{name}" for name in RANKINGS]
    values: Values = means[names].mean().round(4).to_dict()
    values["ours_at_least"] = round(float((means["ap_ours"] - means[names[1:]].max(axis=1)).min()), 4)
    for variant, row in means.round(4).iterrows():
        values |= {f"{name}_{variant}": value for name, value in row.items()}
    return values | {"seeds": table["seed"].nunique()}


def _measured(sizes: Sizes, folder: Path) -> Iterator[pd.DataFrame]:
    """Measure the seeds, each in a process of its own."""
    from camtraps.units import num_workers

    works = [(seed, sizes, folder / str(seed)) for seed in sizes.seeds]
    with ProcessPoolExecutor(min(num_workers(), len(works)), mp_context=get_context("spawn")) as pool:
        yield from pool.map(_measure_seed, works)


def _measure_seed(work: tuple[int, Sizes, Path]) -> pd.DataFrame:
    import torch

    seed, sizes, folder = work
    torch.set_num_threads(1)
    os.environ |= {"CAMTRAPS_WORK": str(folder / "work"), "CAMTRAPS_WORKERS": "1"}
    photos, crops = draw(seed, sizes.photos, folder)
    rows = []
    for name, given in variants(photos, seed).items():
        sys.stderr.write(f"seed {seed}: {name}\n")
        rows.append({"variant": name, "seed": seed} | measure(photos.assign(label=given), crops, sizes.epochs, folder))
    return pd.DataFrame(rows)


def draw(seed: int, num: int, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw photos of animals and pack their crops.

    Returns:
        The photos (image, dataset, sequence, truth, recorded) and the rows of the crops table, without labels.
    """
    from PIL import Image

    from camtraps import shards
    from camtraps.demo import drawing, plan
    from camtraps.images import encode

    photos, rows, members = [], [], []
    for photo in plan.photos(plan.DemoParams(seed=seed, photos=num)):
        if not (photo.is_animal and photo.location and len(photo.kinds) == 1 and photo.orientation == 1):
            continue
        drawn = drawing.draw(replace(photo, damage="none"), seed)
        boxes = [box for box in drawn.boxes if box.kind == photo.kinds[0]]
        image = f"{photo.dataset}/{photo.file}"
        if not boxes:
            continue
        own = {"image": image, "dataset": photo.dataset, "location": photo.location, "sequence": photo.sequence}
        photos.append(own | {"truth": label_of(photo.kinds[0]), "recorded": label_of(photo.recorded[0])})
        picture = Image.open(io.BytesIO(drawn.data)).convert("RGB")
        for number, box in enumerate(boxes):
            side = max(box.w, box.h)
            left, top = box.x + (box.w - side) / 2, box.y + (box.h - side) / 2
            square = (round(left), round(top), round(left + side), round(top + side))
            members.append((f"{image}-{number}.jpg", encode(picture.crop(square).resize((SIDE, SIDE)), 92)))
            rows.append(own | {"box": number, "shard": "crops.zip", "width": SIDE, "height": SIDE})
    folder.mkdir(parents=True)
    order = sorted(range(len(members)), key=lambda at: members[at][0])
    places = shards.write(folder / "crops.zip", [members[at] for at in order])
    for at, (offset, length) in zip(order, places, strict=True):
        rows[at] |= {"offset": offset, "length": length}
    whole = {"datetime": pd.NaT, "confidence": np.nan, "calibrated": np.nan, "detector": "human"}
    return pd.DataFrame(photos), pd.DataFrame(rows).assign(**whole, x=0.0, y=0.0, w=1.0, h=1.0)


def label_of(kind: str) -> str:
    """Give the label of a kind in the demo's label specification."""
    labels = {"roe_deer": "deer", "fallow_deer": "deer", "red_fox": "fox", "european_hare": "hare"}
    return (labels | {"european_badger": "badger", "common_pheasant": "bird"}).get(kind, kind)


def variants(photos: pd.DataFrame, seed: int) -> dict[str, Labels]:
    """Give the labels of photos in four ways, some of them wrong."""
    given = {"demo": photos["recorded"].to_numpy(dtype=str)}
    return given | {name: mislabel(photos, share, seed) for name, share in SHARES.items()}


def mislabel(photos: pd.DataFrame, share: float, seed: int) -> Labels:
    """Label a share of the photos wrongly: half in whole sequences, half alone; half lookalikes, half any other."""
    from camtraps.demo.species import MISTAKEN

    alike: dict[str, set[str]] = {}
    for kind, others in MISTAKEN.items():
        alike.setdefault(label_of(kind), set()).update(label_of(other) for other in others)
    rng = np.random.default_rng((seed, round(1000 * share)))
    truth = photos["truth"].to_numpy(dtype=str)
    given, num = truth.copy(), round(share * len(photos))
    sequences = photos.groupby("sequence", sort=True).indices
    for rows in (sequences[name] for name in rng.permutation(sorted(sequences)).tolist()):
        if (given != truth).sum() >= num // 2:
            break
        given[rows] = _another(truth[rows[0]], alike, rng)
    right = np.flatnonzero(given == truth)
    for row in rng.permutation(right)[: max(0, num - int((given != truth).sum()))]:
        given[row] = _another(truth[row], alike, rng)
    return given


def _another(label: str, alike: dict[str, set[str]], rng: np.random.Generator) -> str:
    others = sorted((alike[label] if rng.random() < 0.5 else set(alike)) - {label})
    return others[int(rng.integers(len(others)))]


def measure(photos: pd.DataFrame, crops: pd.DataFrame, epochs: int, folder: Path) -> dict[str, float]:
    """Cross-validate, rank in three ways, and score the rankings by the truth.

    Args:
        photos: with ``label`` as given and ``truth``.
        crops: rows of the crops table, without labels.
        epochs: of each training.
        folder: where the shard is.
    """
    from sklearn.metrics import average_precision_score

    judged = _judged(crops.merge(photos[["image", "label"]], on="image"), epochs, folder)
    found = rankings(judged)
    wrong = photos.set_index("image").loc[found.index].eval("label != truth").to_numpy()
    scores = {f"ap_{name}": float(average_precision_score(wrong, found[name])) for name in RANKINGS}
    brier = {"brier_ours": float(((found["ours"] - wrong) ** 2).mean()), "brier_constant": float(np.var(wrong))}
    return scores | brier | {"top1": float((judged["margin"] < 0).mean())}


def rankings(judged: pd.DataFrame) -> pd.DataFrame:
    """Give each photo's place in three rankings, by image: the higher, the more suspicious."""
    photos = judged.sort_values(["margin", "box"]).drop_duplicates("image").set_index("image")
    # What is not in the confident joint off its diagonal comes after all that is, by the same margin.
    confident = 2.0 * photos["is_confident"] + photos["margin"]
    return pd.DataFrame({"ours": photos["score"], "margin": photos["margin"], "confident_learning": confident})


def _judged(crops: pd.DataFrame, epochs: int, folder: Path) -> pd.DataFrame:
    from camtraps import folds, kinship, review, taxonomy
    from camtraps.demo import species
    from camtraps.params import load
    from camtraps.recipes import TrainParams

    small = {"model": "test_efficientnet", "image_size": SIDE, "epochs": epochs, "num_workers": 0, "max_failed": 0.0}
    params = replace(load(TrainParams, "train", REPOSITORY / "params.yaml"), **small)
    classes = sorted(crops["label"].unique())
    assigned = crops[["image", "box", "dataset", "location", "label"]].assign(split="train")
    bank = folds.Bank.of(crops, assigned, classes, folder)
    seen = folds.by_folds(bank, params, FOLDS).seen
    rules: dict[str, Any] = {name: {"dataset_labels": []} for name in classes}
    for kind in species.SHARES:
        rules[label_of(kind)]["dataset_labels"].append(["alder", kind])
    lineages = taxonomy.read(REPOSITORY / "data/demo/taxonomy.csv").lineages
    return review.judge(seen, kinship.distances(classes, rules, lineages)).crops


if __name__ == "__main__":
    main()
