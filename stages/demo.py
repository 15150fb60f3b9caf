"""demo: a seed -> the drawn demo collection, imported as a user's own photos would be."""

from pathlib import Path

from camtraps import importing, recording
from camtraps.demo.plan import LOCATIONS, DemoParams
from camtraps.demo.sources import make
from camtraps.failures import Counts
from camtraps.params import load
from stages._run import run

FOLDER = Path("data/demo")


def main() -> Counts:
    """Run the stage."""
    params = load(DemoParams, "demo")
    make(params, FOLDER)
    num = 0
    for dataset in LOCATIONS:
        source, images = FOLDER / "source", str(FOLDER / "images" / dataset)
        imported = importing.import_cct(FOLDER, dataset, source / f"{dataset}.cct.json", images)
        recording.import_detections(FOLDER, dataset, [source / f"{dataset}.detections.json"], replace=True)
        num += imported.num_photos
    return Counts(unit="photos", rows_in=num, rows_out=num, skipped=0, failed=0)


if __name__ == "__main__":
    run("demo", main)
