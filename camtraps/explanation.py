"""The explanation of a label specification: what each label takes of a catalog, and what no label takes."""

from collections import Counter
from collections.abc import Iterable, Mapping

import pandas as pd

from camtraps.labels import Selection
from camtraps.taxonomy import fold, fold_dataset, photos_by_pair
from camtraps.words import num

NUM_SHOWN = 20


def explain(selection: Selection, classes: pd.DataFrame, places: pd.DataFrame, by_location: bool) -> list[str]:
    """Say of each label what it takes, and how many photos.

    Args:
        selection: the resolved specification.
        classes: label, dataset, class, why, before, after; photos before and after the caps.
        places: label, dataset, location (empty where unknown), before, after.
        by_location: list each location below its dataset.
    """
    lines = []
    for rule in selection.rules:
        mine, there = classes[classes["label"] == rule.label], places[places["label"] == rule.label]
        locations = there.dropna(subset="location")
        where = f", in {num(len(locations), 'location')}" if len(there) else ""
        lines.append(f"{rule.label}: {_photos(mine, rule.max_count)}{where}")
        lines += [f"  {line}" for line in (*_reasons(mine), *_datasets(there, by_location))]
        lines += _without_photos(selection, rule.label, mine)
    return lines


def unselected(selection: Selection, label_counts: pd.DataFrame) -> list[str]:
    """Name the dataset labels of the catalog that no label takes, commonest first.

    Args:
        selection: the resolved specification.
        label_counts: dataset, class, photos, as `catalog.label_counts` gives it.
    """
    counts = photos_by_pair(label_counts)
    names = zip(label_counts["dataset"], label_counts["class"], strict=True)
    spelled = {(fold_dataset(dataset), fold(name)): f"{dataset}: {name}" for dataset, name in names}
    left = sorted((-number, spelled[pair]) for pair, number in counts.items() if pair not in selection.pairs)
    if not left:
        return ["every label of the catalog is in the specification"]
    lines = [f"in no label: {num(len(left), 'dataset label')}"]
    lines += [f"  {name}, {num(-number, 'photo')}" for number, name in left[:NUM_SHOWN]]
    if rest := left[NUM_SHOWN:]:
        lines.append(f"  and {len(rest):,} more with {num(-sum(number for number, _ in rest), 'photo')}")
    return lines


def left_out(reasons: Iterable[str], unlisted: Mapping[str, int]) -> list[str]:
    """Count by reason the photos of asked classes that were left out, most first.

    Args:
        reasons: one a photo.
        unlisted: reasons with numbers of photos.
    """
    counts = Counter(reasons) + Counter(unlisted)
    lines = [f"left out: {num(number, 'photo')}: {reason}" for reason, number in counts.most_common(NUM_SHOWN)]
    if rest := counts.most_common()[NUM_SHOWN:]:
        lines.append(f"left out: {num(sum(number for _, number in rest), 'photo')} for other reasons")
    return lines


def _photos(rows: pd.DataFrame, cap: int | None = None) -> str:
    before, after = int(rows["before"].sum()), int(rows["after"].sum())
    if cap is not None:
        return f"{num(before, 'photo')}, {after:,} under its cap of {cap:,}"
    return num(before, "photo") + ("" if before == after else f", {after:,} under the cap")


def _reasons(classes: pd.DataFrame) -> Iterable[str]:
    """List what was hit by each taxon, and by name."""
    for why, rows in _most_first(classes, "why"):
        yield f"{why}: {num(len(rows), 'dataset label')}, {_photos(rows)}"
        for row in rows.sort_values(["before", "dataset", "class"], ascending=[False, True, True]).to_dict("records"):
            yield f"  {row['dataset']}: {row['class']}, {_photos(pd.DataFrame([row]))}"


def _datasets(places: pd.DataFrame, by_location: bool) -> Iterable[str]:
    for dataset, rows in _most_first(places, "dataset"):
        known = rows.dropna(subset="location")
        yield f"dataset {dataset}: {_photos(rows)}, {num(len(known), 'location')}"
        if by_location:
            for location, each in _most_first(known, "location"):
                yield f"  {location}: {_photos(each)}"
            if len(known) < len(rows):
                yield f"  location unknown: {_photos(rows[rows['location'].isna()])}"


def _without_photos(selection: Selection, label: str, classes: pd.DataFrame) -> list[str]:
    found = set(photos_by_pair(classes.rename(columns={"before": "photos"})))
    names = sorted(
        f"{pair[0]} {pair[1]!r}"
        for pair, hits in selection.pairs.items()
        if pair not in found and any(hit.label == label for hit in hits)
    )
    more = f" and {len(names) - NUM_SHOWN:,} more" if len(names) > NUM_SHOWN else ""
    return [f"  without photos: {', '.join(names[:NUM_SHOWN])}{more}"] if names else []


def _most_first(rows: pd.DataFrame, column: str) -> list[tuple[str, pd.DataFrame]]:
    groups = [(str(name), group) for name, group in rows.groupby(column)]
    return sorted(groups, key=lambda each: (-int(each[1]["before"].sum()), each[0]))
