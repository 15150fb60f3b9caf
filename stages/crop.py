"""crop: detections -> the pixels of each animal, packed in shards."""

import sys
from dataclasses import asdict

from camtraps import collections, layout, tables
from camtraps.crops import CropParams, select
from camtraps.cutting import cut_all
from camtraps.failures import Counts, close, concat
from camtraps.files import write_json
from camtraps.params import load
from camtraps.schema import CROPS, DETECTIONS, QUERIED
from stages._run import run


def main() -> Counts:
    """Run the stage."""
    params, out = load(CropParams, "crop"), layout.CROPS
    queried = tables.read(layout.QUERIED / "queried.parquet", QUERIED)
    detections = tables.read(layout.DETECTIONS / "detections.parquet", DETECTIONS)
    selected = select(queried, detections, params)
    cut = cut_all(selected.boxes, collections.read_images(layout.collection()), params, out)
    sys.stderr.write(f"crop: {cut.num_new:,} shards cut, {cut.num_shards - cut.num_new:,} taken from before\n")
    tables.write(cut.crops, out / "crops.parquet", CROPS)
    write_json(out / "rule.json", asdict(params))
    left_out = concat(selected.skipped, cut.failures)
    return close(out, Counts.of("boxes", len(detections), len(cut.crops), left_out), left_out, params.max_failed)


if __name__ == "__main__":
    run("crop", main)
