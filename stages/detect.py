"""detect: chosen photos, human boxes, recorded results -> where the animals are."""

from camtraps import calibration, layout, recorded, tables
from camtraps.detecting import detect, gather
from camtraps.detections import DetectParams, sort_out
from camtraps.failures import Counts, close
from camtraps.params import load
from camtraps.schema import BOXES, DETECTIONS, QUERIED
from stages._run import run, warn


def main() -> Counts:
    """Run the stage."""
    params, collection, out = load(DetectParams, "detect"), layout.collection(), layout.DETECTIONS
    queried = tables.read(layout.QUERIED / "queried.parquet", QUERIED)
    boxes = tables.read(layout.QUERIED / "boxes.parquet", BOXES)
    if params.recorded == "all" and len(versions := recorded.versions(collection)) > 1:
        warn(f"detect.recorded is all: of a photo the first of {', '.join(versions)} counts; name one to use only that")
    sources = sort_out(queried, boxes, recorded.read(collection, params.recorded, queried["image"]))
    is_run = sources.missing and params.detector != "none"
    found = detect(sources.missing, collection, params) if is_run else None
    result = gather(queried, sources, found, params, calibration.read_all(collection))
    tables.write(result.detections, out / "detections.parquet", DETECTIONS)
    return close(out, result.counts, result.failures, params.max_failed, result.details)


if __name__ == "__main__":
    run("detect", main)
