"""Merging of files from elsewhere: classifications of crops into the detections that they were cut from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from camtraps import streams
from camtraps.errors import InputError, raise_all
from camtraps.formats import megadetector_json
from camtraps.formats.megadetector import UNNAMED, tidy
from camtraps.formats.megadetector_json import TEXT, Document
from camtraps.formats.rows import is_number
from camtraps.merge import MergeParams, categories, classifications, metadata
from camtraps.merge_crops import Crops, chosen

Boxes = dict[int, str]  # classifications by the number of the box, as JSON
UNFINISHED = "no detections recorded"  # why an image failed that has neither detections nor a failure


@dataclass(frozen=True)
class Queried:
    """Where mode B finds boxes: ``queried_images.json``, and the recorded results of a detector by dataset."""

    photos: Path
    cache: Path | None
    version: str | None

    def file(self, dataset: str) -> Path:
        """Give the recorded results of a dataset.

        Raises:
            InputError: no folder of results or no version was given.
        """
        if self.cache is None or self.version is None:
            raise InputError(
                f"{self.photos}: crops of {dataset} are of a detector; give its results with "
                "--detector-output-cache-dir and --detector-version"
            )
        return self.cache / f"v{self.version.removeprefix('v')}" / f"{dataset}.json"


def into_results(crops: Crops, path: Path, classes: Sequence[str], params: MergeParams) -> Document:
    """Put classifications into a result file of MegaDetector: mode A.

    All images of the file are kept, with all that it says of them, but for classifications of another classifier.

    Args:
        crops: from `read`.
        path: the result file.
        classes: names, in order.
        params: as those of the stage.

    Raises:
        MissingError: no such file.
        InputError: no result file, or crops are of images or boxes that it does not have; all of them are said.
    """
    found = _by_image(chosen(crops, params), params)
    head: dict[str, Any] = {}
    files: list[str] = []
    entries: list[str] = []
    problems: list[str] = []
    for key, at, item in streams.members(path, "images"):
        if key != "images" or at is None:
            head |= {str(key): item} if at is None else {str(key): [*head.get(str(key), ()), item]}
        elif wrong := _fault(item, at):
            problems.append(wrong)
        elif _is_wanted(file := tidy(item["file"]), found, params):
            boxes = found.pop(file, {})
            problems += _absent(file, boxes, item)
            files.append(file)
            entries.append(_entry(item, boxes))
    raise_all(path, problems + [f"{file} is not in it" for file in found])
    info, names = _names(path, head)
    own = megadetector_json.head(info | metadata(params), names, categories(classes, params))
    rest = {key: value for key, value in head.items() if key not in ("images", "classification_category_descriptions")}
    return Document(rest | own, files, pa.array(entries, TEXT))


def into_queried(crops: Crops, queried: Queried, classes: Sequence[str], params: MergeParams) -> Document:
    """Put classifications of crops beside human boxes and recorded results, whichever they were cut from: mode B.

    The document has the photos of the crops alone. A crop is of a detector if its name has one, or if nobody boxed its
    photo; the results of a dataset are read only if a crop needs them.

    Args:
        crops: from `read`.
        queried: where the boxes are.
        classes: names, in order.
        params: as those of the stage.

    Raises:
        MissingError: a file that is needed is not there.
        InputError: crops are of photos or boxes that are nowhere, or of both kinds in one photo.
    """
    crops = chosen(crops, params)
    found = _by_image(crops, params)
    human = _human_boxes(queried.photos, found)
    is_of_detector = (crops.names["detector"] != "") | ~crops.names["image"].isin([*human])
    of_detector = set(crops.names["image"][is_of_detector])
    mixed = sorted(of_detector & set(crops.names["image"][~is_of_detector]))
    problems = [f"{image} has crops of human boxes and of a detector" for image in mixed]
    images: dict[str, dict[str, Any]] = {
        image: {"file": image, "detections": boxes} for image, boxes in human.items() if image not in of_detector
    }
    detectors = ["human"] if images else []
    for dataset in sorted({image.partition("/")[0] for image in of_detector}):
        detector, recorded = _recorded(queried.file(dataset), dataset, of_detector)
        detectors.append(detector)
        images |= recorded
    problems += [
        f"{image} is neither boxed by people nor in the recorded results" for image in found.keys() - images.keys()
    ]
    problems += [each for image, item in images.items() for each in _absent(image, found[image], item)]
    raise_all(queried.photos, sorted(problems))
    return _document(images, found, sorted(set(detectors)), classes, params)


def _by_image(crops: Crops, params: MergeParams) -> dict[str, Boxes]:
    found: dict[str, Boxes] = {}
    texts = classifications(crops.probabilities, crops.truth, params).to_pylist()
    for image, box, text in zip(crops.names["image"], crops.names["box"].tolist(), texts, strict=True):
        found.setdefault(image, {})[box] = text
    return found


def _is_wanted(file: str, found: Mapping[str, Boxes], params: MergeParams) -> bool:
    if params.samples_per_label is not None:
        return file in found
    return params.datasets is None or file.partition("/")[0] in params.datasets


def _fault(image: Any, at: int) -> str:
    """Say what of an image cannot be written again; empty if nothing."""
    if not isinstance(image, dict) or not isinstance(image.get("file"), str):
        return f"images[{at}]: expected an object with a text 'file'"
    boxes = image.get("detections")
    if boxes is None:
        return ""
    if not isinstance(boxes, list) or not all(isinstance(box, dict) and is_number(box.get("conf")) for box in boxes):
        return f"images[{at}].detections: expected objects with a number 'conf'"
    return ""


def _absent(file: str, boxes: Boxes, image: Mapping[str, Any]) -> Iterator[str]:
    num = len(image.get("detections") or ())
    for box in boxes:
        if box >= num:
            yield f"{file} has {num} boxes, and no box {box}"


def _entry(image: Mapping[str, Any], classified: Boxes) -> str:
    """Give an image's object as JSON without its file, with classifications."""
    rest = {key: value for key, value in image.items() if key not in ("file", "detections", "failure")}
    more = "".join(f", {megadetector_json.text(key)}: {megadetector_json.text(rest[key])}" for key in rest)
    if image.get("failure") or image.get("detections") is None:
        return megadetector_json.failure(str(image.get("failure") or UNFINISHED)).removesuffix("}") + more + "}"
    boxes = ", ".join(_box(box, classified.get(at)) for at, box in enumerate(image["detections"]))
    return f'"detections": [{boxes}]{more}}}'


def _box(box: Mapping[str, Any], classified: str | None) -> str:
    kept = {key: value for key, value in box.items() if key != "classifications"}
    text = megadetector_json.text(kept | {"conf": float(box["conf"])})
    return text if classified is None else f'{text.removesuffix("}")}, "classifications": {classified}}}'


def _human_boxes(path: Path, found: Mapping[str, Boxes]) -> dict[str, list[dict[str, Any]]]:
    """Read the boxes that people drew in the photos of crops: those that have a list ``bbox``."""
    human = {}
    for image, at, item in streams.members(path):
        if image is None or at is not None or not isinstance(item, dict):
            raise InputError(f"{path}: expected an object of <dataset>/<file> to photos; it is no queried_images.json")
        if image in found and item.get("bbox") is not None:
            human[image] = [_certain(path, image, box) for box in item["bbox"]]
    return human


def _certain(path: Path, image: str, box: Any) -> dict[str, Any]:
    if not isinstance(box, dict) or not isinstance(box.get("category"), str) or not isinstance(box.get("bbox"), list):
        raise InputError(f"{path}: {image}: bbox: expected {{category, bbox}}, got {box!r}"[:200])
    return {"category": box["category"], "conf": 1.0, "bbox": box["bbox"]}


def _recorded(path: Path, dataset: str, wanted: set[str]) -> tuple[str, dict[str, dict[str, Any]]]:
    """Read what a file of recorded results says of photos; their categories by name, their files with the dataset."""
    images: dict[str, dict[str, Any]] = {}
    head: dict[str, Any] = {}
    problems = []
    for key, at, item in streams.members(path, "images"):
        if key != "images" or at is None:
            head[str(key)] = item
        elif wrong := _fault(item, at):
            problems.append(wrong)
        elif (image := f"{dataset}/{tidy(item['file'])}") in wanted:
            images[image] = item | {"file": image}
    raise_all(path, problems)
    info, names = _names(path, head)
    for found in images.values():
        boxes = found.get("detections") or ()
        named = [box | {"category": names.get(str(box.get("category")), "unknown")} for box in boxes]
        found["detections"] = None if found.get("detections") is None else named
    return str(info.get("detector") or UNNAMED), images


def _names(path: Path, head: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Give what a result file says of itself, and its detection categories by id."""
    info, names = head.get("info"), head.get("detection_categories")
    if not isinstance(info, dict) or not isinstance(names, dict):
        raise InputError(f"{path}: no info or detection_categories; it is no file of MegaDetector's results")
    return info, names


def _document(
    images: Mapping[str, dict[str, Any]],
    found: Mapping[str, Boxes],
    detectors: list[str],
    classes: Sequence[str],
    params: MergeParams,
) -> Document:
    """Make the document of images whose boxes have their categories by name."""
    names = {box["category"] for image in images.values() for box in image.get("detections") or ()}
    ids = megadetector_json.category_ids(sorted(names))
    files = sorted(images)
    entries = []
    for file in files:
        boxes = images[file].get("detections")
        renamed = boxes and [box | {"category": ids[box["category"]]} for box in boxes]
        entries.append(_entry(images[file] | {"detections": boxes if renamed is None else renamed}, found[file]))
    info = {"detector": ", ".join(detectors)} | metadata(params)
    by_number = {number: name for name, number in ids.items()}
    return Document(
        megadetector_json.head(info, by_number, categories(classes, params)), files, pa.array(entries, TEXT)
    )
