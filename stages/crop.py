"""crop: detections -> the pixels of each animal, packed in shards."""

import sys
from dataclasses import asdict

import pandas as pd

from camtraps import collections, layout, tables
from camtraps.crops import CropParams, select
from camtraps.cutting import cut_all
from camtraps.failures import Counts, close, concat
from camtraps.files import write_json
from camtraps.params import load
from camtraps.schema import CROPS, DETECTIONS, QUERIED
from camtraps.storage import Images
from stages._run import run, warn


def main() -> Counts:
    """Run the stage."""
    params, out = load(CropParams, "crop"), layout.CROPS
    queried = tables.read(layout.QUERIED / "queried.parquet", QUERIED)
    detections = tables.read(layout.DETECTIONS / "detections.parquet", DETECTIONS)
    selected = select(queried, detections, params)
    sources = collections.read_images(layout.collection())
    cut = cut_all(selected.boxes, sources, params, out)
    sys.stderr.write(f"crop: {cut.num_new:,} shards cut, {cut.num_shards - cut.num_new:,} taken from before\n")
    if params.save_full_images and cut.num_new < cut.num_shards:
        warn(*_unsaved(cut.crops, sources))
    tables.write(cut.crops, out / "crops.parquet", CROPS)
    write_json(out / "rule.json", asdict(params))
    left_out = concat(selected.skipped, cut.failures)
    return close(out, Counts.of("boxes", len(detections), len(cut.crops), left_out), left_out, params.max_failed)


def _unsaved(crops: pd.DataFrame, sources: Images) -> list[str]:
    """Say how many photos were cut before they were to be saved."""
    names = [image.split("/", 1) for image in crops["image"].unique()]
    num = sum(sources.copy(*name) is not None and sources.uri(*name) == sources.source(*name) for name in names)
    remedy = f"`camtraps fetch {layout.collection().name} --queried` saves them"
    return [f"crop.save_full_images: {num:,} photos were cut before, and are not read again; {remedy}"] * (num > 0)


if __name__ == "__main__":
    run("crop", main)
