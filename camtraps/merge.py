"""Put detections and classifications together: one MegaDetector document for Timelapse and its relatives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from camtraps.errors import InputError
from camtraps.files import digest
from camtraps.formats import megadetector_json
from camtraps.formats.megadetector_json import TEXT, Document, joined
from camtraps.lineages import Lineages, description
from camtraps.params import check_range
from camtraps.predictions import Predictions

# Category ids of the true labels stand so far above those of the classifier (the convention of CameraTraps).
LABEL_OFFSET = 1_000_000
CHUNK = 50_000  # crops whose probabilities are looked at together
PLACES = 10_000  # probabilities and confidences are written as multiples of a ten-thousandth
DECIMALS = pa.array([str(at / PLACES) for at in range(PLACES + 1)], TEXT)

Whole = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class MergeParams:
    """Section ``merge`` of params.yaml."""

    threshold: float
    """Classes less probable than this, 0 to 1, are left out of a detection."""
    label: Literal["none", "first", "last"] = "none"
    """Add the known label to each crop's classes, as ``label: NAME`` with confidence 1."""
    relative_conf: bool = False
    """Write by how much each class is more probable than the crop's label, 0 if it is less, for a search of wrong
    labels."""
    datasets: tuple[str, ...] | None = None
    """Only photos of these datasets; null: all."""
    samples_per_label: int | None = None
    """Only so many crops of each label, and the photos that have them; null: all."""
    seed: int = 1
    """Decides which crops those are."""
    typical_confidence_threshold: float | None = None
    """Written into the file for programs that show it: from which confidence on a class is usually right, 0 to 1."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range(self, threshold=(0.0, 1.0), samples_per_label=(1, None))
        check_range(self, typical_confidence_threshold=(0.0, 1.0))


@dataclass(frozen=True)
class Truth:
    """The known labels of crops: rows of the crops, and the class of each; a crop may have none or several."""

    rows: Whole
    classes: Whole

    @classmethod
    def of(cls, labels: pd.Series, names: Sequence[str]) -> "Truth":
        """Look up labels, one a crop, among the names of classes.

        Raises:
            InputError: a label is none of them.
        """
        index = pd.Index(names).get_indexer(pd.Index(labels))
        if (index < 0).any():
            stray = ", ".join(sorted(set(labels[index < 0]))[:8])
            raise InputError(f"labels of crops are no classes of the classifier: {stray}; it has {', '.join(names)}")
        return cls(np.arange(len(labels)), index.astype(np.int64))

    def part(self, start: int, stop: int) -> "Truth":
        """Give the labels of the rows from ``start`` to before ``stop``, counted from there."""
        here = (self.rows >= start) & (self.rows < stop)
        return Truth(self.rows[here] - start, self.classes[here])


def merge(
    queried: pd.DataFrame,
    detections: pd.DataFrame,
    failed: Mapping[str, str],
    predictions: Predictions,
    classes: Sequence[str],
    params: MergeParams,
) -> Document:
    """Build the document: every photo asked for once, sorted by file, with all its boxes and what classes they have.

    Args:
        queried: rows of the queried table.
        detections: rows of the detections table.
        failed: reason for each photo that no detector could read; such a photo has no detections.
        predictions: the predictions table; crops of photos that are not queried are passed over.
        classes: names, in the order of the probabilities.
        params: section ``merge``.

    Raises:
        InputError: a dataset is asked for that no photo is of.
    """
    photos, chosen = _asked_for(queried, predictions.crops, params)
    crops = predictions.crops.iloc[chosen]
    crop_at, _ = _known(photos, crops)
    box_at, rows = _known(photos, detections)
    boxes = detections.iloc[rows]
    in_order = np.lexsort((boxes["box"], box_at))
    boxes, box_at = boxes.iloc[in_order], box_at[in_order]
    row_of = np.full(len(boxes), len(crops))  # of each box in the crops; behind them, where it is none
    row_of[_places(crop_at, crops["box"], box_at, boxes["box"])] = np.arange(len(crops))
    found = classifications(predictions.probabilities[chosen], Truth.of(crops["label"], classes), params)
    keyed = pa.concat_arrays([joined(', "classifications": ', found), pa.array([""], TEXT)])
    ids = megadetector_json.category_ids(boxes["category"].unique().tolist())
    entries = _lists(_boxes(boxes, ids, keyed.take(row_of)), np.searchsorted(box_at, np.arange(len(photos) + 1)))
    entries = joined('"detections": ', entries, "}")
    is_failed = photos.isin(list(failed))
    reasons = [megadetector_json.failure(failed[file]) for file in photos[is_failed]]
    entries = pc.replace_with_mask(entries, pa.array(is_failed), pa.array(reasons, TEXT))
    info = {"detector": ", ".join(sorted(boxes["detector"].unique())), "classifier": "camtraps"}
    names = {number: name for name, number in ids.items()}
    head = megadetector_json.head(info | metadata(params), names, categories(classes, params))
    return Document(head, photos.tolist(), entries)


def with_source(document: Document, digest_of_source: str) -> Document:
    """Say of which file the classifications come, by its hash."""
    info = document.head["info"]
    about = info["classifier_metadata"] | {"source_sha256": digest_of_source}
    return document.with_head(info=info | {"classifier_metadata": about})


def with_descriptions(document: Document, known: Lineages) -> Document:
    """Say of which taxa the classes are, if that is known of any.

    Args:
        document: from `merge`, or of the same form.
        known: lineages by class.
    """
    if not any(known.values()):
        return document
    names = document.head["classification_categories"]
    described = {at: description(known.get(name.removeprefix("label: "), ())) for at, name in names.items()}
    return document.with_head(classification_category_descriptions=described)


def classifications(probabilities: NDArray[np.float32], truth: Truth, params: MergeParams) -> pa.Array:
    """Give the classifications of each crop as JSON, most probable class first: ``[["4", 0.81], ["0", 0.12]]``.

    Of equally probable classes the first stands first. Probabilities are rounded to four decimals.

    Args:
        probabilities: (crops, classes); without classes, only labels are written.
        truth: the known labels of crops.
        params: ``threshold``, ``label`` and ``relative_conf``.
    """
    num_classes = probabilities.shape[1]
    num_labels = int(truth.classes.max(initial=-1)) + 1
    ids = [*range(num_classes), *range(LABEL_OFFSET, LABEL_OFFSET + num_labels)]
    keys, values = pa.array([f'["{number}", ' for number in ids], TEXT), joined(DECIMALS, "]")
    parts = []
    for start in range(0, len(probabilities), CHUNK):
        here = probabilities[start : start + CHUNK]
        pairs = _pairs(here, truth.part(start, start + CHUNK), params)
        parts.append(_lists(joined(keys.take(pairs.columns), values.take(pairs.places)), pairs.offsets))
    return pa.concat_arrays([pa.array([], TEXT), *parts])


def categories(classes: Sequence[str], params: MergeParams) -> dict[str, str]:
    """Name the ids that `classifications` writes: those of the classes, and of the labels where they are added."""
    names = {str(at): name for at, name in enumerate(classes)}
    if params.label == "none":
        return names
    return names | {str(LABEL_OFFSET + at): f"label: {name}" for at, name in enumerate(classes)}


def metadata(params: MergeParams) -> dict[str, dict[str, float | bool]]:
    """Say of the classifications how they were chosen, for ``info``."""
    about: dict[str, float | bool] = {"classification_threshold": params.threshold}
    if params.typical_confidence_threshold is not None:
        about["typical_classification_threshold"] = params.typical_confidence_threshold
    if params.relative_conf:
        about["relative_to_label"] = True
    return {"classifier_metadata": about}


def sampled(crops: pd.DataFrame, num: int, seed: int) -> NDArray[np.bool_]:
    """Choose so many crops of each label by a stable hash: raising the number keeps every earlier pick.

    Args:
        crops: image, box, label.
        num: crops of each label; a label with fewer gives all.
        seed: decides which.
    """
    keys = zip(crops["image"].tolist(), crops["box"].tolist(), strict=True)
    draws = pd.Series([digest(str(seed), image, str(box)) for image, box in keys], crops.index, dtype="str")
    ranks = draws.groupby(crops["label"].to_numpy()).rank(method="first")
    return np.asarray(ranks <= num)


@dataclass(frozen=True)
class _Pairs:
    """Pairs of column and probability, those of one row after the other."""

    columns: Whole
    places: Whole
    offsets: Whole


def _pairs(probabilities: NDArray[np.float32], truth: Truth, params: MergeParams) -> _Pairs:
    """Choose and order the pairs of some crops; the columns behind the classes are those of the labels."""
    if params.relative_conf:
        probabilities = _relative(probabilities, truth)
    rows, columns = np.nonzero(probabilities >= np.float32(params.threshold))
    values = probabilities[rows, columns].astype(np.float64)
    sorting = -values
    if params.label != "none":
        rows, columns = np.append(rows, truth.rows), np.append(columns, probabilities.shape[1] + truth.classes)
        values = np.append(values, np.ones(len(truth.rows)))
        sorting = np.append(sorting, np.full(len(truth.rows), -2.0 if params.label == "first" else 2.0))
    order = np.lexsort((columns, sorting, rows))
    offsets = np.searchsorted(rows[order], np.arange(len(probabilities) + 1))
    # A product of 24 and 14 bits is exact, so this rounds as Python does.
    return _Pairs(columns[order], np.rint(values[order] * PLACES).astype(np.int64), offsets)


def _relative(probabilities: NDArray[np.float32], truth: Truth) -> NDArray[np.float32]:
    """Give by how much each class is more probable than the label, or than the likeliest of several; at least 0."""
    of_label = np.zeros(len(probabilities), np.float32)
    np.maximum.at(of_label, truth.rows, probabilities[truth.rows, truth.classes])
    return np.asarray(np.maximum(probabilities - of_label[:, None], np.float32(0)))


def _asked_for(queried: pd.DataFrame, crops: pd.DataFrame, params: MergeParams) -> tuple[pd.Index, Whole]:
    """Give the photos that are asked for, sorted, and the rows of their crops."""
    there = sorted(set(queried["dataset"]))
    if unknown := sorted(set(params.datasets or ()) - set(there)):
        raise InputError(f"merge.datasets: no photo is of {', '.join(unknown)}; there are: {', '.join(there)}")
    is_asked_for = queried["dataset"].isin(params.datasets or there)
    photos = pd.Index(queried["image"][is_asked_for]).sort_values()
    photo_at, rows = _known(photos, crops)
    if params.samples_per_label is None:
        return photos, rows
    is_sampled = sampled(crops.iloc[rows], params.samples_per_label, params.seed)
    return photos[np.unique(photo_at[is_sampled])], rows[is_sampled]


def _boxes(boxes: pd.DataFrame, ids: Mapping[str, str], classified: pa.Array) -> pa.Array:
    """Give each box as JSON, with what ``classified`` has of it; a box that a person drew is certain."""
    categories = pa.array(boxes["category"].map(ids), TEXT)
    # The validator of MegaDetector's package wants a decimal point in a confidence.
    confidences = DECIMALS.take(np.rint(boxes["confidence"].fillna(1.0).to_numpy() * PLACES).astype(np.int64))
    places = [pa.array(boxes[name].to_numpy().round(5)).cast(TEXT) for name in ("x", "y", "w", "h")]
    place = pc.binary_join_element_wise(*places, pa.scalar(", ", TEXT))
    return joined('{"category": "', categories, '", "conf": ', confidences, ', "bbox": [', place, "]", classified, "}")


def _lists(texts: pa.Array, offsets: Whole) -> pa.Array:
    """Put texts that follow each other into brackets: those from each offset to before the next one."""
    lists = pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), texts)
    return joined("[", pc.binary_join(lists, pa.scalar(", ", TEXT)), "]")


def _known(photos: pd.Index, rows: pd.DataFrame) -> tuple[Whole, Whole]:
    """Give which photo each row is of, and the number of the row, for those of the given photos."""
    at = photos.get_indexer(pd.Index(rows["image"]))
    known = np.flatnonzero(at >= 0)
    return at[known].astype(np.int64), known


def _places(at: Whole, numbers: pd.Series, box_at: Whole, box_numbers: pd.Series) -> Whole:
    """Give the row of each crop's box, by photo and number of the box; boxes are sorted by them."""
    factor = int(max(numbers.max(), box_numbers.max())) + 1 if len(numbers) else 1
    keys = box_at * factor + box_numbers.to_numpy()
    wanted = at * factor + numbers.to_numpy()
    places: Whole = np.searchsorted(keys, wanted)
    assert (keys[np.minimum(places, len(keys) - 1)] == wanted).all(), "a crop without a box"
    return places
