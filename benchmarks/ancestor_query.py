"""The query of our ancestor as it worked, in loops over Python dicts: python -m benchmarks.ancestor_query PROJECT.

Written anew from a description of its behaviour, to have something to compare with. Its database is not there: the
catalog's rows stand for what that gave. Where it chose wrongly (corrections that bring a photo in, priorities that
count twice, samples that differ from run to run) this chooses as it was meant to; that costs next to nothing.
"""

import ast
import csv
import json
import random
import sys
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb

from camtraps.taxonomy import fold_dataset

IMAGE_ENDINGS = (".jpg", ".jpeg", ".gif", ".png", ".tif", ".tiff", ".bmp", ".webp", ".avif")
OUTPUT = "ancestor.json"  # in the project's folder

Pairs = set[tuple[str, str]]
Images = dict[str, dict[str, Any]]


def main() -> None:
    """Choose from ``PROJECT/data/bench``; print the seconds of each step and the photos of each label as JSON."""
    project = Path(sys.argv[1])
    times = [time.monotonic()]
    collection = project / "data" / "bench"
    rows = read_rows(collection)
    times.append(time.monotonic())
    spec = json.loads((collection / "label_spec.json").read_text(encoding="utf-8"))
    images = wanted_images(rows, resolve(spec, collection / "taxonomy.csv"), _corrections(collection))
    images = {key: images[key] for key in sorted(images) if key.lower().endswith(IMAGE_ENDINGS)}
    counts = count(images)
    chosen = sample(images, spec)
    times.append(time.monotonic())
    with (project / OUTPUT).open("w", encoding="utf-8") as file:
        json.dump({key: images[key] for key in sorted(chosen)}, file)
    times.append(time.monotonic())
    names = ("read", "choose", "write")
    steps = {name: end - start for name, (start, end) in zip(names, pairwise(times), strict=True)}
    report = {"seconds": steps, "before_sampling": counts, "chosen": len(chosen)}
    sys.stdout.write(json.dumps(report) + "\n")


def read_rows(collection: Path) -> list[dict[str, Any]]:
    """Read all photos as dicts, with the classes of the image and those of its sequence."""
    sql = """select dataset, file, location,
                 list_transform(list_filter(labels, lambda l: l.level = 'image'), lambda l: l.class) as image_class,
                 list_transform(list_filter(labels, lambda l: l.level = 'sequence'), lambda l: l.class) as seq_class,
                 list_transform(boxes, lambda b: {'category': b.category, 'bbox': [b.x, b.y, b.w, b.h]}) as bbox
             from read_parquet(?)"""
    result = duckdb.connect().execute(sql, [str(collection / "catalog" / "*.parquet")])
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def resolve(spec: dict[str, Any], taxonomy: Path) -> dict[str, Pairs]:
    """Give the dataset labels of each label."""
    lineages = {}
    with taxonomy.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            taxa = ast.literal_eval(row["taxonomy_string"] or "[]")
            pair = (fold_dataset(row["dataset_name"]), row["query"].lower())
            lineages[pair] = {(level, name) for _, level, name, _ in taxa}

    def pairs(rule: dict[str, Any]) -> Pairs:
        taxa = {(taxon["level"], taxon["name"]) for taxon in rule.get("taxa", [])}
        found = {pair for pair, lineage in lineages.items() if lineage & taxa}
        for dataset, labels in rule.get("dataset_labels", {}).items():
            found |= {(fold_dataset(dataset), label.lower()) for label in labels}
        return found

    return {label: pairs(rule) - pairs(rule.get("exclude", {})) for label, rule in spec.items()}


def wanted_images(
    rows: list[dict[str, Any]], resolved: dict[str, Pairs], corrections: dict[tuple[str, str], str]
) -> Images:
    """Keep the photos with exactly one wanted class; those of the image win over those of its sequence."""
    wanted: dict[str, dict[str, list[str]]] = {}
    for label, pairs in resolved.items():
        for dataset, name in pairs:
            wanted.setdefault(dataset, {}).setdefault(name, []).append(label)
    datasets = {name: wanted.get(fold_dataset(name), {}) for name in {row["dataset"] for row in rows}}
    images = {}
    for row in rows:
        labels = datasets[row["dataset"]]
        right = corrections.get((row["dataset"], row["file"]))
        classes = (row["image_class"] or row["seq_class"]) if right is None else [right]
        found = [name for name in classes if name.lower() in labels]
        if len(found) != 1:
            continue
        entry = {"dataset": row["dataset"], "class": found[0], "label": labels[found[0].lower()]}
        if row["location"] is not None:
            entry["location"] = row["location"]
        if row["bbox"] is not None:
            entry["bbox"] = row["bbox"]
        images[f"{row['dataset']}/{row['file']}"] = entry
    return images


def count(images: Images) -> dict[str, int]:
    """Count the photos of each label."""
    return dict(Counter(label for image in images.values() for label in image["label"]))


def sample(images: Images, spec: dict[str, Any]) -> set[str]:
    """Fill each label's cap, its preferred datasets first; every step goes through all photos again."""
    chosen: set[str] = set()
    draw = random.Random(1)
    for label, rule in spec.items():
        if "max_count" not in rule:
            chosen |= _matching(images, label, None)
            continue
        counted: set[str] = set()
        for level in [*rule.get("prioritize", []), None]:
            matching = _matching(images, label, level)
            counted |= matching & chosen
            free = tuple(matching - chosen)
            picked = draw.sample(free, max(0, min(rule["max_count"] - len(counted), len(free))))
            counted |= set(picked)
            chosen |= set(picked)
    return chosen


def _matching(images: Images, label: str, level: list[str] | None) -> set[str]:
    datasets = None if level is None else {fold_dataset(name) for name in level}
    return {
        key
        for key, image in images.items()
        if label in image["label"] and (datasets is None or fold_dataset(image["dataset"]) in datasets)
    }


def _corrections(collection: Path) -> dict[tuple[str, str], str]:
    with (collection / "corrections.csv").open(encoding="utf-8", newline="") as file:
        return {(row["dataset"], row["file"]): row["correct_class"] for row in csv.DictReader(file)}


if __name__ == "__main__":
    main()
