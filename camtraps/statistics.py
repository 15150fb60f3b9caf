"""Statistics of a dataset: how many pictures each class has in each split, and from which locations they are."""

import html
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from camtraps.errors import InputError, raise_all
from camtraps.files import read_json
from camtraps.schema import SPLIT_NAMES

TITLES = {"train": "training", "val": "validation", "test": "testing"}
NEEDED = {"images": ("id",), "categories": ("id", "name"), "annotations": ("image_id", "category_id")}  # of COCO
BAR_PX, ROW_PX, TITLE_PX = 560, 16, 20  # of the chart: the longest bar, a row, the name of a class above its rows


@dataclass(frozen=True)
class SplitStatistics:
    """Classes by id, pictures by id of their class, and the sorted locations of a split or file."""

    name: str
    classes: Mapping[int, str]
    counts: Mapping[int, int]
    locations: Sequence[str]

    @property
    def num_images(self) -> int:
        """Give the number of pictures; one of two classes counts twice."""
        return sum(self.counts.values())


def of_splits(assigned: pd.DataFrame) -> list[SplitStatistics]:
    """Count the crops of our splits; classes are all labels, numbered in alphabetical order.

    Args:
        assigned: rows of the assigned table.
    """
    labels = sorted(set(assigned["label"]))
    classes = dict(enumerate(labels))
    places = assigned["location"]
    if assigned["dataset"].nunique() > 1:
        places = assigned["dataset"] + "/" + places
    found = []
    for split in SPLIT_NAMES:
        here = assigned["split"] == split
        if here.any():
            counts = assigned.loc[here, "label"].value_counts()
            numbers = {at: int(counts.get(label, 0)) for at, label in classes.items()}
            found.append(SplitStatistics(split, classes, numbers, sorted(set(places[here]))))
    return found


def of_coco(path: Path, location_key: str = "location", photos: Path | None = None) -> SplitStatistics:
    """Count the pictures of a COCO file.

    Args:
        path: with images, categories and annotations.
        location_key: of an image's location.
        photos: a COCO Camera Traps file whose images, named by ``original_key`` here, have the locations.

    Raises:
        MissingError: no such file.
        InputError: it is not COCO, or ids do not fit together; all faults are in the message.
    """
    document = _read(path)
    located = {each["id"]: each for each in _read(photos)["images"]} if photos else {}
    classes = {each["id"]: str(each["name"]) for each in document["categories"]}
    images = {each["id"]: each for each in document["images"]}
    pairs = {(each["image_id"], each["category_id"]) for each in document["annotations"]}
    problems = [f"annotations: no image {image!r}" for image, _ in pairs if image not in images]
    problems += [f"annotations: no category {category!r}" for _, category in pairs if category not in classes]
    problems += [f"categories: id {at!r} is no whole number" for at in classes if not isinstance(at, int)]
    raise_all(path, sorted(problems))
    counts = Counter(category for _, category in pairs)
    owners = [located.get(each.get("original_key"), {}) if photos else each for each in images.values()]
    locations = {str(each[location_key]) for each in owners if each.get(location_key) is not None}
    numbers = {at: counts.get(at, 0) for at in sorted(classes)}
    return SplitStatistics(path.stem, {at: classes[at] for at in numbers}, numbers, sorted(locations))


def lines(split: SplitStatistics) -> list[str]:
    """Lay out the statistics of a split as the tutorial of CameraTraps printed them."""
    return [
        f"Statistics of the {TITLES.get(split.name, split.name)} split:",
        "Locations used:",
        str(list(split.locations)),
        f"In total  {len(split.classes)}  classes and  {split.num_images}  images.",
        f"Classes with one or more images:  {sum(number > 0 for number in split.counts.values())}",
        "Images per class:",
        f"{'ID':<5} {'Name':<15} {'Image count':>11}",
        *(f"{at:>5} {split.classes[at]:<15} {number:>11}" for at, number in split.counts.items()),
    ]


def table(splits: Sequence[SplitStatistics]) -> pd.DataFrame:
    """Give split, id, name and images of each class in each split."""
    rows = [(each.name, at, each.classes[at], number) for each in splits for at, number in each.counts.items()]
    return pd.DataFrame(rows, columns=["split", "id", "name", "images"])


def class_list(split: SplitStatistics) -> str:
    """Give the names of the classes, one a line: line k is output k of a classifier.

    Raises:
        InputError: the ids have gaps, so that lines would not fit them, or a name has a line end in it.
    """
    if list(split.classes) != list(range(len(split.classes))):
        raise InputError(f"{split.name}: category ids are not 0 to {len(split.classes) - 1}; a class list needs that")
    if odd := [name for name in split.classes.values() if len(name.splitlines()) != 1]:
        raise InputError(f"{split.name}: category {odd[0]!r} does not fit in one line; rename it")
    return "".join(f"{name}\n" for name in split.classes.values())


def chart(splits: Sequence[SplitStatistics]) -> str:
    """Draw the pictures of each class in each split as bars: an SVG file of its own."""
    names = list(dict.fromkeys(name for each in splits for name in each.classes.values()))
    numbers = [dict(zip(each.classes.values(), each.counts.values(), strict=True)) for each in splits]
    most = max(1, *(number for each in numbers for number in each.values()))
    colours = [f"hsl({(210 + 130 * at) % 360} 60% 50%)" for at in range(len(splits))]
    parts, y = [], 18
    for at, (each, colour) in enumerate(zip(splits, colours, strict=True)):
        parts.append(f'<text x="{10 + 130 * at}" y="{y}" fill="{colour}">{html.escape(each.name)}</text>')
    for name in names:
        y += TITLE_PX
        parts.append(f'<text x="10" y="{y}" fill="#222">{html.escape(name)}</text>')
        for of_split, colour in zip(numbers, colours, strict=True):
            number = of_split.get(name, 0)
            wide = BAR_PX * number / most
            parts.append(f'<rect x="10" y="{y + 4}" width="{wide:.1f}" height="{ROW_PX - 4}" fill="{colour}"/>')
            parts.append(f'<text x="{wide + 16:.1f}" y="{y + ROW_PX - 2}" fill="#555">{number:,}</text>')
            y += ROW_PX
    wide, high = BAR_PX + 90, y + 16
    size = f'viewBox="0 0 {wide} {high}" width="{wide}" height="{high}"'
    style = f'{size} font-family="sans-serif" font-size="12"'
    ground = '<rect width="100%" height="100%" fill="#fff"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {style}>{ground}{"".join(parts)}</svg>\n'


def _read(path: Path) -> dict[str, list[dict[str, Any]]]:
    document = read_json(path)
    problems = []
    for key, wanted in NEEDED.items():
        given = document.get(key) if isinstance(document, dict) else None
        if not isinstance(given, list):
            problems.append(f"{key}: expected a list, got {type(given).__name__}")
            continue
        for at, each in enumerate(given):
            if not isinstance(each, dict) or not all(isinstance(each.get(name), int | str) for name in wanted):
                problems.append(f"{key}[{at}]: expected an object with {', '.join(wanted)}, got {each!r}"[:200])
    raise_all(path, problems)
    return dict(document)
