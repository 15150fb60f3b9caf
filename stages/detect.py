"""detect: chosen photos, human boxes, recorded results -> where the animals are."""

from camtraps import catalog, collections, layout, tables
from camtraps.detecting import DETECTORS, gather
from camtraps.detections import DetectParams, sort_out
from camtraps.failures import Counts, close
from camtraps.params import load
from camtraps.schema import BOXES, DETECTIONS, QUERIED
from stages._run import run


def main() -> Counts:
    """Run the stage."""
    params, collection, out = load(DetectParams, "detect"), layout.collection(), layout.DETECTIONS
    queried = tables.read(layout.QUERIED / "queried.parquet", QUERIED)
    boxes = tables.read(layout.QUERIED / "boxes.parquet", BOXES)
    recorded = collections.read_recorded(collection, params.recorded)
    sources = sort_out(queried, boxes, recorded, params.threshold)
    found = {}
    if sources.missing and params.detector != "none":
        photos = catalog.photos_at(catalog.connect(collection / "catalog"), set(sources.missing))
        found = DETECTORS[params.detector](photos, set(sources.missing), collections.read_image_roots(collection))
    result = gather(queried, sources, found, params)
    tables.write(result.detections, out / "detections.parquet", DETECTIONS)
    return close(out, result.counts, result.failures, params.max_failed, {"photos_by_source": result.photos_by_source})


if __name__ == "__main__":
    run("detect", main)
