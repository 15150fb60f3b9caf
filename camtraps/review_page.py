"""The review page: suspected labels with all that a person needs to decide, for a browser without network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from camtraps import reading
from camtraps.files import digest
from camtraps.pages import asset, page
from camtraps.predictions import Predictions
from camtraps.shards import Reader
from camtraps.storage import Images, PhotoError
from camtraps.taxonomy import Taxonomy, fold_dataset
from camtraps.thumbnails import Album, of_crop, of_photo
from camtraps.words import num

CROP_PX, NEIGHBOUR_PX, PHOTO_PX = 200, 132, 560  # longest sides
CROP_QUALITY, PHOTO_QUALITY = 75, 70
OF_CROPS = 0.6  # the share of the page's bytes that crops may take; photos and neighbours take the rest
GIVE_UP = 20  # photos in a row that could not be read: the others are not there either
MOST_CLASSES = 5  # of which probabilities are shown
KEY = ["image", "box"]
NO_ROOM = "there is no room for more photos in this page (report.review_mb)"

Key = tuple[str, int]  # image and box


@dataclass(frozen=True)
class Reviewed:
    """What the page shows: rows of the tables of candidates, neighbours, crops and detections, and the predictions.

    ``name`` is that of the collection; ``classes`` are those of the classifier.
    """

    name: str
    candidates: pd.DataFrame
    neighbours: pd.DataFrame
    crops: pd.DataFrame
    detections: pd.DataFrame
    predictions: Predictions
    classes: Sequence[str]
    taxonomy: Taxonomy


def compose(given: Reviewed, photos: Images, reader: Reader, max_bytes: int) -> str:
    """Put the page together.

    The crops come first, then, in the order of suspicion, whole photos and neighbours. Candidates for whose crop there
    is no room are left out, and the page says so.

    Args:
        given: what to show.
        photos: where the photos lie; those that cannot be read are not shown.
        reader: of the shards of crops.
        max_bytes: of all pictures in the page.
    """
    album = Album(int(OF_CROPS * max_bytes))
    wanted = pd.concat([given.candidates["image"], given.neighbours["neighbour_image"]])
    small = _Small(_by_key(given.crops[given.crops["image"].isin(wanted)]), reader, album)
    shown = []
    for row in given.candidates.to_dict("records"):
        crop = small.crop((row["image"], row["box"]), CROP_PX)
        if album.is_full:
            break
        shown.append(_entry(row, crop))
    first = given.candidates.head(len(shown))
    album.grow(max_bytes - int(OF_CROPS * max_bytes))
    _add_probabilities(shown, first, given)
    _add_photos(shown, first, given.detections, photos, album)
    _add_neighbours(shown, first, given.neighbours, small)
    data = {
        "name": given.name,
        "run": run_key(given.name, given.candidates),
        "about": _about(len(shown), len(given.candidates)),
        "command": f"camtraps import corrections FILE --name {given.name}",
        "labels": list(given.classes),
        "classes": {name: _classes(given.taxonomy, name) for name in sorted(first["dataset"].unique())},
        "candidates": shown,
    }
    return page(
        f"camtraps: {given.name}",
        asset("review.html"),
        here="review.html",
        styles=["review.css"],
        scripts=["review.js"],
        blocks={"data": data, "pictures": album.pictures},
    )


def run_key(name: str, candidates: pd.DataFrame) -> str:
    """Name a list of candidates by its photos and labels: under it a browser keeps the decisions."""
    return digest(name, *candidates["image"], *candidates["label"])[:16]


class _Small:
    """Gives the numbers of small crops in an album."""

    def __init__(self, places: Mapping[Key, Any], reader: Reader, album: Album) -> None:
        self._places, self._reader, self._album = places, reader, album

    def crop(self, key: Key, side: int) -> int | None:
        """Give the number of a crop's picture; None if there is none, or no room for it."""
        if key not in self._places:
            return None
        return self._album.number((*key, side), lambda: of_crop(self._places[key], self._reader, side, CROP_QUALITY))


def _by_key(rows: pd.DataFrame) -> dict[Key, Any]:
    return dict(zip(zip(rows["image"], rows["box"], strict=True), rows.itertuples(), strict=True))


def _entry(row: Mapping[str, Any], crop: int | None) -> dict[str, Any]:
    """Make what the page holds of a candidate, as yet without photo, neighbours and other probabilities."""
    names = ("dataset", "file", "label", "predicted", "location", "split", "score")
    probabilities = [[row["predicted"], round(row["p_predicted"], 4)], [row["label"], round(row["p_label"], 4)]]
    more: dict[str, Any] = {"photo": None, "no_photo": NO_ROOM, "near": {"label": [], "predicted": []}}
    evidence = [text for text in row["evidence"].split("; ") if text]
    return {name: row[name] for name in names} | {
        "crop": crop,
        "probabilities": probabilities,
        "evidence": evidence,
        **more,
    }


def _add_probabilities(shown: list[dict[str, Any]], candidates: pd.DataFrame, given: Reviewed) -> None:
    """Give the commonest classes where the classifier itself has not seen the location; else only two are known."""
    crops = given.predictions.crops[KEY].assign(at=range(len(given.predictions.crops)))
    known = candidates[KEY].merge(crops, on=KEY, how="left")["at"]
    for entry, fold, at in zip(shown, candidates["fold"], known, strict=True):
        if not pd.isna(fold) or pd.isna(at):
            continue
        shares = dict(zip(given.classes, given.predictions.probabilities[int(at)].tolist(), strict=True))
        own = {name for name, _ in entry["probabilities"]}
        best = sorted(shares, key=lambda name: -shares[name])[:MOST_CLASSES]
        both = entry["probabilities"] + [[name, round(shares[name], 4)] for name in best if name not in own]
        entry["probabilities"] = sorted(both, key=lambda pair: -pair[1])[:MOST_CLASSES]


def _add_photos(
    shown: list[dict[str, Any]], candidates: pd.DataFrame, detections: pd.DataFrame, photos: Images, album: Album
) -> None:
    """Add whole photos with the box of the animal, as long as there is room and photos are at hand."""
    boxes = _by_key(detections[detections["image"].isin(candidates["image"])])
    keys = zip(candidates["image"], candidates["box"], strict=True)
    uris = (photos.uri(dataset, file) for dataset, file in zip(candidates["dataset"], candidates["file"], strict=True))
    num_unread = 0
    for entry, key, data in zip(shown, keys, reading.ahead(uris), strict=False):
        try:
            picture = _photo(data)
        except PhotoError as error:
            entry["no_photo"] = str(error)
            num_unread += 1
            if num_unread == GIVE_UP:
                break
            continue
        num_unread = 0
        entry["photo"] = album.number(key, lambda picture=picture: picture)  # type: ignore[misc]
        if album.is_full:
            break
        box = boxes.get(key)
        entry["rectangle"] = [round(value, 4) for value in (box.x, box.y, box.w, box.h)] if box else None


def _photo(data: bytes | PhotoError) -> bytes:
    if isinstance(data, PhotoError):
        raise data
    return of_photo(data, PHOTO_PX, PHOTO_QUALITY)


def _add_neighbours(
    shown: list[dict[str, Any]], candidates: pd.DataFrame, neighbours: pd.DataFrame, small: _Small
) -> None:
    """Add the crops most like each candidate, of its label and of the class predicted."""
    ordered = neighbours.sort_values([*KEY, "like", "position"])
    of_key: dict[Key, list[Any]] = {}
    for row in ordered.itertuples():
        of_key.setdefault((row.image, row.box), []).append(row)
    for entry, *key in zip(shown, candidates["image"], candidates["box"], strict=True):
        for row in of_key.get(tuple(key), []):
            number = small.crop((row.neighbour_image, row.neighbour_box), NEIGHBOUR_PX)
            if number is not None:
                entry["near"][row.like].append(number)


def _about(num_shown: int, num_all: int) -> str:
    text = (
        f"{num(num_shown, 'photo')} whose label the classifier and the most similar photos doubt, the most suspicious "
        "first. Some are mistakes of the classifier: you decide. Your decisions stay in this browser until you save "
        "them as a CSV file."
    )
    if num_shown < num_all:
        rest = f"{num_all - num_shown:,} more are in data/review/candidates.csv"
        text += f" {rest}: report.review_mb of params.yaml makes room for them."
    return text


def _classes(taxonomy: Taxonomy, dataset: str) -> list[list[str]]:
    """List the classes of a dataset, each with what it is called in science and in English."""
    found = []
    for row in taxonomy.rows.values():
        if fold_dataset(row.dataset) == fold_dataset(dataset):
            names = [row.lineage[0][1], taxonomy.common_names.get(row.lineage[0], "")] if row.lineage else []
            found.append([row.label, ", ".join(name for name in names if name and name != row.label)])
    return sorted(found)
