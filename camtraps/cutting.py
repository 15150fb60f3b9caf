"""Cut all crops: one unit of work a shard, published into the output folder under stable names."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
import PIL
import pyarrow as pa
from pyarrow import feather

from camtraps import failures, images, reading, shards
from camtraps.crops import CropParams, Plan, plan, relative
from camtraps.files import code_digest, digest, link_or_copy, remove, replacing, work_dir
from camtraps.progress import bar
from camtraps.results import Unit, may_pass, missing
from camtraps.schema import CROPS
from camtraps.shards import member_name
from camtraps.storage import Images, PhotoError, address, first_seen, is_local, stamp
from camtraps.units import run

CODE = ("camtraps.cutting", "camtraps.crops", "camtraps.images", "camtraps.regions", "camtraps.shards")
LOOKS = ("rule", "shape", "margin", "min_side", "max_side", "quality", "subsampling")  # parameters that change a crop
# About 24 MB of crops a shard: large enough for fast transfer, small enough that eight uploads fit in memory.
PHOTOS_PER_SHARD = 500
STAMPERS = 16  # threads that ask for the stamps of photos: on a network drive each answer takes its time

# What became of a unit's boxes, in their order: the columns of `schema.CROPS` that cutting fills, or why there is none.
FILLED = [CROPS.schema.field(name) for name in ("offset", "length", "width", "height", "x", "y", "w", "h")]
RESULT = pa.schema(
    [*(field.with_nullable(True) for field in FILLED), ("failed", pa.string()), ("skipped", pa.string())]
)
KNOWN = [name for name in CROPS.schema.names if name not in RESULT.names]  # columns that are known before cutting


@dataclass(frozen=True)
class Cut:
    """Rows of the crops table, the boxes that failed or were too small, and the shards: all, and those cut just now."""

    crops: pd.DataFrame
    failures: pd.DataFrame
    num_shards: int
    num_new: int


@dataclass(frozen=True)
class Shard:
    """What a worker process gets.

    ``photos`` has image, dataset, file and the number of boxes; ``boxes`` has the boxes of one photo after the other.
    """

    photos: pd.DataFrame
    boxes: pd.DataFrame
    images: Images
    params: CropParams


def cut_all(boxes: pd.DataFrame, sources: Images, params: CropParams, output: Path) -> Cut:
    """Cut the boxes into shards below ``output/shards``, which is made anew.

    Args:
        boxes: from `crops.select`.
        sources: where their photos lie.
        params: how to cut.
        output: folder to publish the shards in.

    Raises:
        CamtrapsError: a worker process was killed, or the disk is full; finished shards are kept for the next run.
    """
    boxes = boxes.assign(shard=_shard_names(boxes)).sort_values(["shard", "image", "box"], ignore_index=True)
    units, folder = list(_units(boxes, sources, params)), work_dir("crops")
    new = {unit.fingerprint for unit in missing(units, folder)}
    results = run(units, _cut_shard, folder, "crop")
    # An old shard may be a hard link into the work folder: to write into it would change what is kept there.
    remove(output / "shards")
    parts = [feather.read_table(result / "boxes.arrow", memory_map=False) for result in results]
    done = pa.concat_tables([RESULT.empty_table(), *parts])
    is_cut = done["length"].is_valid().to_numpy()
    cut = _beside(boxes.loc[is_cut, KNOWN], done.filter(is_cut).select([field.name for field in FILLED]))
    folders = dict(zip(boxes["shard"].unique(), results, strict=True))
    published = {name: folders[name] for name in cut["shard"].unique()}
    for name, result in published.items():
        link_or_copy(result / "crops.zip", output / name)
    num_new = sum(result.name in new for result in published.values())
    rest = _beside(boxes.loc[~is_cut, ["image", "box"]], done.filter(~is_cut).select(["failed", "skipped"]))
    return Cut(cut, _left_out(rest), len(published), num_new)


def _beside(rows: pd.DataFrame, more: pa.Table) -> pd.DataFrame:
    return pd.concat([rows.reset_index(drop=True), more.to_pandas()], axis=1)


def _left_out(rows: pd.DataFrame) -> pd.DataFrame:
    """Make rows of the failures table of image, box and the reason, which is in ``failed`` or in ``skipped``."""
    parts = []
    for kind in ("failed", "skipped"):
        some = rows[rows[kind].notna()]
        parts.append(failures.rows("crop", kind, zip(some["image"], some["box"], some[kind], strict=True)))
    return failures.concat(*parts)


def _shard_names(boxes: pd.DataFrame) -> pd.Series:
    """Name each box's shard: one location, and within it a bucket by the hash of the image.

    The number of buckets is a power of two that follows the photos of the location, so that new photos at one camera
    change shards of that camera only.
    """
    photos = boxes[["image", "dataset", "location"]].drop_duplicates("image")
    place = photos["location"].fillna("")
    place = place.map({name: quote(name, safe=" ")[:100] or "_" for name in place.unique()})
    keys, names = pd.factorize(photos["dataset"] + "/" + place.astype("str"))
    bits = np.array([((int(number) - 1) // PHOTOS_PER_SHARD).bit_length() for number in np.bincount(keys)], int)
    draws = np.array([int(digest(image)[:8], 16) for image in photos["image"].tolist()], int)
    buckets = draws & ((1 << bits[keys]) - 1)
    shard_of = [f"shards/{name}-{at:04x}.zip" for name, at in zip(names[keys], buckets, strict=True)]
    return boxes["image"].map(pd.Series(shard_of, photos["image"], "str"))


def _units(boxes: pd.DataFrame, sources: Images, params: CropParams) -> Iterator[Unit]:
    """Make the unit of each shard of the boxes, which are sorted by shard, image and box.

    A fingerprint has the dataset's image root, not the place of a saved copy: saving photos cuts nothing again. Nor
    does a new key in a web address, behind its ``?``.
    """
    # Pillow and Pillow-SIMD shrink to slightly different pixels.
    common = digest(code_digest(CODE), PIL.__version__, repr([getattr(params, name) for name in LOOKS]))
    first = np.flatnonzero(~boxes["image"].duplicated())
    photos = boxes.loc[first, ["image", "dataset", "file", "shard"]].reset_index(drop=True)
    photos["boxes"] = np.diff(first, append=len(boxes))
    uris = [sources.source(*each) for each in zip(photos["dataset"].tolist(), photos["file"].tolist(), strict=True)]
    spans = [slice(*span) for span in pairwise(_starts(photos["shard"]))]
    stamps: list[list[str]] = []
    with ThreadPoolExecutor(STAMPERS) as pool, bar("crop: what has changed", len(uris), "photos") as progress:
        for of_photos in pool.map(lambda span: [stamp(uri) for uri in uris[span]], spans):
            stamps.append(of_photos)
            progress.update(len(of_photos))
    spans_of_boxes = [slice(*span) for span in pairwise(_starts(boxes["shard"]))]
    names = photos["shard"].iloc[[span.start for span in spans]]
    photos, boxes = photos[["image", "dataset", "file", "boxes"]], boxes[["box", "detector", *"xywh"]]
    for name, span, of_photos, of_boxes in zip(names, spans, stamps, spans_of_boxes, strict=True):
        shard = Shard(photos.iloc[span], boxes.iloc[of_boxes], sources, params)
        root = sources.roots[shard.photos["dataset"].iloc[0]]
        texts = ([address(root)], shard.photos["image"].tolist(), of_photos, shard.boxes["detector"].tolist())
        numbers = (shard.photos["boxes"], *(shard.boxes[name] for name in ("box", *"xywh")))
        parts = [*("\0".join(each) for each in texts), *(each.to_numpy("<f8").tobytes() for each in numbers)]
        yield Unit(digest(common, *parts), shard, len(of_photos), name, first_seen(uris[span], of_photos))


def _starts(names: pd.Series) -> list[int]:
    """Give where each run of equal names starts, and the end."""
    return [*np.flatnonzero(names.ne(names.shift())).tolist(), len(names)]


def _cut_shard(shard: Shard, folder: Path) -> bool:
    """Write ``crops.zip`` and ``boxes.arrow``; say whether no failure `may_pass`."""
    rows: list[dict[str, Any]] = []
    is_final = True
    uris = [shard.images.uri(*each) for each in zip(shard.photos["dataset"], shard.photos["file"], strict=True)]
    boxes = shard.boxes.itertuples(index=False)
    for photo, uri, given in zip(shard.photos.itertuples(), uris, reading.ahead(uris), strict=True):
        wanted = list(islice(boxes, photo.boxes))
        try:
            if isinstance(given, PhotoError):
                raise given
            cut = _cut_photo(images.opened(given), wanted, shard.params)
            names = [member_name(photo.image, box.box, box.detector) for box in wanted]
            rows += [row | {"name": name} for row, name in zip(cut, names, strict=True)]
            _save(given, uri, shard.images.copy(photo.dataset, photo.file) if shard.params.save_full_images else None)
        except PhotoError as error:
            rows += [{"failed": str(error)} for _ in wanted]
            is_final &= not may_pass(str(error), not is_local(shard.images.roots[photo.dataset]))
    members = sorted((row["name"], row["jpeg"]) for row in rows if "jpeg" in row)
    places = shards.write(folder / "crops.zip", members)
    place_of = {name: {"offset": at, "length": num} for (name, _), (at, num) in zip(members, places, strict=True)}
    results = pa.Table.from_pylist([row | place_of.get(row.get("name"), {}) for row in rows], RESULT)
    feather.write_feather(results, folder / "boxes.arrow", compression="uncompressed")
    return is_final


def _save(data: bytes, uri: str, copy: Path | None) -> None:
    """Keep a photo, unless it was read from where it is kept."""
    if copy and uri != str(copy):
        with replacing(copy) as part:
            part.write_bytes(data)


def _cut_photo(photo: images.Photo, boxes: list[Any], params: CropParams) -> list[dict[str, Any]]:
    """Give the part of each box's row that is known now, with the JPEG, or with the reason to skip the box."""
    plans = [_planned(box, photo.size, params) for box in boxes]
    photo.expect(each.rectangle for each in plans if isinstance(each, Plan))
    return [_cut(photo, each, params) if isinstance(each, Plan) else {"skipped": each} for each in plans]


def _planned(box: Any, size: tuple[int, int], params: CropParams) -> Plan | str:
    if max(box.w * size[0], box.h * size[1]) < params.min_side:
        return "box smaller than crop.min_side"
    planned = plan((box.x, box.y, box.w, box.h), size, params)
    if planned is None:
        return "box without a pixel under crop.rule ancestor"
    if planned.num_pixels > images.MAX_CROP_PIXELS:
        return "crop would have too many pixels; lower crop.margin, or use crop.shape box"
    return planned


def _cut(photo: images.Photo, planned: Plan, params: CropParams) -> dict[str, Any]:
    crop = photo.cut(planned.rectangle, params.max_side, planned.pad_to)
    jpeg = images.encode(crop, params.quality, params.subsampling)
    row = dict(zip("xywh", relative(planned.rectangle, photo.size), strict=True))
    return row | {"width": crop.width, "height": crop.height, "jpeg": jpeg}
