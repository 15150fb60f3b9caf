"""Measure the stage `report` on a run of 100,000 crops of 50 labels at 300 locations.

python -m benchmarks.pages; results of the full size are written to benchmarks/results/pages.json. What is generated
lies in a temporary folder.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.query import REPOSITORY, Values, machine, say

RESULTS = Path(__file__).parent / "results" / "pages.json"
NOTES = """report_seconds: the whole stage, from its start to its end, with all pages; report_processor_seconds: what it
  had of the processor, which a busy machine disturbs least. *_mb: the size of each page, in megabytes; that of the
  review has 5,000 candidates.
"""


def main(arguments: list[str] | None = None) -> None:
    """Measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages")
    parser.add_argument("--small", action="store_true", help="try it out in half a minute; no results are written")
    parser.add_argument("--folder", type=Path, help="where to make a temporary folder (default: as usual)")
    options = parser.parse_args(arguments)
    sizes = (2_000, 10, 20, 100) if options.small else (100_000, 50, 300, 5_000)
    with TemporaryDirectory(prefix="camtraps-bench-", dir=options.folder) as folder:
        values = machine() | measure(Path(folder), *sizes)
    say(values)
    sys.stdout.write("\n" + NOTES)
    if not options.small:
        from camtraps.files import write_json

        write_json(RESULTS, values)


def measure(folder: Path, num_crops: int, num_classes: int, num_locations: int, num_candidates: int) -> Values:
    """Run the stage as DVC does."""
    from benchmarks import generated_run

    classes = [f"species {at:02}" for at in range(num_classes)]
    run = generated_run.write(folder / "run", num_crops, classes, num_locations, num_candidates)
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "CAMTRAPS_WORK": str(folder / "work")}
    start, before = time.perf_counter(), _processor_seconds()
    subprocess.run([sys.executable, "-m", "stages.report"], cwd=run, env=environment, check=True)
    values: Values = {"crops": num_crops, "report_seconds": round(time.perf_counter() - start, 1)}
    values["report_processor_seconds"] = round(_processor_seconds() - before, 1)
    return values | {
        f"{page.stem}_mb": round(page.stat().st_size / 1e6, 2) for page in sorted(run.glob("reports/*.html"))
    }


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
