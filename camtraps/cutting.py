"""Cut all crops: one unit of work a shard, published into the output folder under stable names."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
import PIL

from camtraps import failures, shards
from camtraps.crops import CropParams, rectangle, relative
from camtraps.detections import HUMAN
from camtraps.files import code_digest, digest, link_or_copy, read_json, remove, work_dir, write_json
from camtraps.images import cut, decode, encode
from camtraps.storage import PhotoError, is_local, photo_uri, read_photo, stamp
from camtraps.units import Unit, run

CODE = ("camtraps.cutting", "camtraps.crops", "camtraps.images", "camtraps.shards", "camtraps.storage")
# About 24 MB of crops a shard: large enough for fast transfer, small enough that eight uploads fit in memory.
PHOTOS_PER_SHARD = 500


@dataclass(frozen=True)
class Cut:
    """Rows of the crops table, and the boxes that failed or were too small."""

    crops: pd.DataFrame
    failures: pd.DataFrame


def cut_all(boxes: pd.DataFrame, roots: dict[str, str], params: CropParams, output: Path) -> Cut:
    """Cut the boxes into shards below ``output/shards``, which is made anew.

    Args:
        boxes: from `crops.select`.
        roots: image root of each dataset.
        params: how to cut.
        output: folder to publish the shards in.
    """
    # Pillow and Pillow-SIMD shrink to slightly different pixels.
    code = digest(code_digest(CODE), PIL.__version__)
    names = _shard_names(boxes)
    groups = [(str(name), rows) for name, rows in boxes.groupby(names, sort=True)]
    units = [_unit(rows, roots, params, code) for _, rows in groups]
    folders = run(units, _cut_shard, work_dir("crops"), "crop")
    # An old shard may be a hard link into the work folder: to write into it would change what is kept there.
    remove(output / "shards")
    rows: list[dict[str, Any]] = []
    failed: list[tuple[str, int, str]] = []
    skipped: list[tuple[str, int, str]] = []
    for (name, _), folder in zip(groups, folders, strict=True):
        result = read_json(folder / "crops.json")
        rows += [{**row, "shard": name} for row in result["crops"]]
        failed += result["failed"]
        skipped += result["skipped"]
        if result["crops"]:
            link_or_copy(folder / "crops.zip", output / name)
    columns = ["image", "box", "dataset", "location", "sequence", "datetime", "label", "confidence", "detector"]
    places = ["image", "box", "shard", "offset", "length", "width", "height", "x", "y", "w", "h"]
    crops = boxes[columns].merge(pd.DataFrame(rows, columns=places), on=["image", "box"])
    left_out = failures.concat(failures.rows("crop", "failed", failed), failures.rows("crop", "skipped", skipped))
    return Cut(crops, left_out)


def _shard_names(boxes: pd.DataFrame) -> pd.Series:
    """Name each box's shard: one location, and within it a bucket by the hash of the image.

    The number of buckets is a power of two that follows the photos of the location, so that new photos at one camera
    change shards of that camera only.
    """
    place = boxes["location"].fillna("").map(lambda name: quote(name, safe=" ")[:100] or "_")
    key = boxes["dataset"] + "/" + place
    photos = boxes.assign(key=key).groupby("key")["image"].transform("nunique")
    bits = ((photos - 1) // PHOTOS_PER_SHARD).map(lambda number: int(number).bit_length())
    draws = boxes["image"].map(lambda image: int(digest(image)[:8], 16))
    bucket = [f"{draw & ((1 << bit) - 1):04x}" for draw, bit in zip(draws, bits, strict=True)]
    return "shards/" + key + "-" + pd.Series(bucket, index=boxes.index) + ".zip"


def _unit(rows: pd.DataFrame, roots: dict[str, str], params: CropParams, code: str) -> Unit:
    photos = []
    for (image, dataset, file), of_photo in rows.sort_values(["image", "box"]).groupby(["image", "dataset", "file"]):
        wanted = [
            [int(row.box), member_name(row.image, row.box, row.detector), [row.x, row.y, row.w, row.h]]
            for row in of_photo.itertuples()
        ]
        photos.append([image, photo_uri(roots[dataset], file), wanted])
    payload = {"photos": photos, "params": asdict(params)}
    stamps = [stamp(uri) for _, uri, _ in photos]
    remote = not all(is_local(uri) for _, uri, _ in photos)
    return Unit(digest(code, json.dumps(payload), *stamps), payload, len(photos), remote)


def member_name(image: str, box: int, detector: str) -> str:
    """Name a crop as CameraTraps does: the detector follows unless a person drew the box."""
    return f"{image}___crop{box:02d}.jpg" if detector == HUMAN else f"{image}___crop{box:02d}_{detector}.jpg"


def _cut_shard(payload: dict[str, Any], folder: Path) -> bool:
    params = CropParams(**payload["params"])
    crops: list[dict[str, Any]] = []
    result: dict[str, list[Any]] = {"crops": crops, "failed": [], "skipped": []}
    data: dict[str, bytes] = {}
    for image, uri, wanted in payload["photos"]:
        try:
            photo = decode(read_photo(uri))
        except PhotoError as error:
            result["failed"] += [[image, box, str(error)] for box, _, _ in wanted]
            continue
        for box, name, (x, y, w, h) in wanted:
            if max(w * photo.width, h * photo.height) < params.min_side:
                result["skipped"].append([image, box, "box smaller than crop.min_side"])
                continue
            pixels = rectangle((x, y, w, h), photo.size, params.square, params.margin)
            crop = cut(photo, pixels, params.max_side)
            data[name] = encode(crop, params.quality)
            place = dict(zip("xywh", relative(pixels, photo.size), strict=True))
            crops.append(
                {"image": image, "box": box, "name": name, "width": crop.width, "height": crop.height, **place}
            )
    places = dict(zip(sorted(data), shards.write(folder / "crops.zip", sorted(data.items())), strict=True))
    for row in crops:
        row["offset"], row["length"] = places[row.pop("name")]
    write_json(folder / "crops.json", result)
    return not result["failed"]
