"""Results of a classifier to compare: predictions in a folder or of a git revision, or MegaDetector's JSON."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from camtraps import layout, predictions
from camtraps.errors import InputError, MissingError
from camtraps.files import work_dir
from camtraps.streams import members

FILE = layout.PREDICTIONS / "predictions.parquet"
COLUMNS = ["image", "box", "dataset", "location", "split", "label", "prediction", "confidence"]
JSON_ENDS = (".json", ".json.gz", ".zip")


@dataclass(frozen=True)
class Results:
    """What a classifier says: image, prediction, confidence; of crops also box, dataset, location, split and label."""

    name: str
    rows: pd.DataFrame

    @property
    def is_of_crops(self) -> bool:
        """Whether there is a row for each crop; else there is one for each photo."""
        return "box" in self.rows.columns

    def by_photo(self) -> "Results":
        """Keep the most confident prediction of each photo."""
        if not self.is_of_crops:
            return self
        ordered = self.rows.sort_values(["image", "confidence", "box"], ascending=[True, False, True], kind="stable")
        return Results(self.name, ordered.drop_duplicates("image").drop(columns="box").reset_index(drop=True))


def read(source: str) -> Results:
    """Read results.

    Args:
        source: a table of predictions or a folder with one (a clone, its ``data/predictions``), a JSON file of
            MegaDetector's format with classifications, or a git revision.

    Raises:
        InputError: it is none of these, or cannot be used.
        MissingError: the predictions of a revision are not in the cache of DVC.
    """
    path = Path(source)
    if path.is_dir():
        places = [path / FILE.name, path / FILE]
        found = next((place for place in places if place.is_file()), None)
        if found is None:
            raise MissingError(f"{source}: no {FILE.name} in it; run `dvc repro` there, or name another folder")
        return _table(source, found)
    if path.is_file():
        return _photos(source, path) if path.name.lower().endswith(JSON_ENDS) else _table(source, path)
    with TemporaryDirectory(dir=work_dir("compare")) as folder:
        return _table(source, _fetched(source, Path(folder) / FILE.name))


def _table(name: str, path: Path) -> Results:
    return Results(name, predictions.read(path).crops[COLUMNS])


def _fetched(revision: str, target: Path) -> Path:
    """Write the predictions of a revision of this repository to a file."""
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException
    from dvc.scm import RevError
    from dvc_data.index import DataIndexDirError

    try:
        repository = DVCFileSystem(".", rev=revision)
        with repository.open(str(FILE), "rb") as source, target.open("wb") as file:
            shutil.copyfileobj(source, file)
    except RevError:
        raise InputError(f"{revision}: neither a file or folder here nor a revision of git") from None
    except (DvcException, DataIndexDirError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise MissingError(
            f"{revision}: its {FILE} cannot be had ({reason}); `dvc fetch --all-commits {FILE.parent}` brings it here"
        ) from None
    return target


def _photos(name: str, path: Path) -> Results:
    """Read the most confident classification of each photo of a JSON file; photos without any are left out."""
    best, names = [], {}
    for key, at, item in members(path, "images"):
        if key == "images" and at is not None:
            best += [found] if (found := _best(item)) else []
        elif key == "classification_categories" and isinstance(item, dict):
            names = {str(number): str(label) for number, label in item.items()}
    unknown = sorted({number for _, number, _ in best} - set(names))
    if not best or unknown:
        what = f"category {unknown[0]!r} has no name" if unknown else "no photo has classifications"
        raise InputError(f"{path}: {what}; give a result file with classifications, as data/results/megadetector.json")
    rows = [(image, names[number], confidence) for image, number, confidence in best]
    frame = pd.DataFrame(rows, columns=["image", "prediction", "confidence"])
    twice = frame["image"].duplicated()
    if twice.any():
        raise InputError(f"{path}: photo {frame.loc[twice, 'image'].iloc[0]!r} stands twice; keep one of them")
    return Results(name, frame.astype({"image": "str", "prediction": "str"}))


def _best(photo: Any) -> tuple[str, str, float] | None:
    given = photo.get("detections") if isinstance(photo, dict) else None
    boxes = [box for box in given or [] if isinstance(box, dict)]
    pairs = [pair for box in boxes for pair in box.get("classifications") or [] if _is_pair(pair)]
    if not pairs or not isinstance(photo.get("file"), str):
        return None
    number, confidence = max(pairs, key=lambda pair: pair[1])
    return photo["file"].replace("\\", "/"), str(number), float(confidence)


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[1], int | float)
