"""Measure choosing, importing and exporting at the size of all public camera-trap data: python -m benchmarks.query.

Each part is a command of its own, timed from its start to its end with the most memory that it held; results of the
full size are written to benchmarks/results/query.json. Photos are generated once and kept.
"""

import argparse
import csv
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

# Nothing heavy is imported here: the memory of a new process counts from that of the one that starts it.
REPOSITORY = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results" / "query.json"
PHOTOS = 10_000_000

Values = dict[str, Any]

NOTES = """query_*: the whole stage `python -m stages.query`: start, specification, corrections, caps, written tables;
  the best of three.
ancestor_*: the same in the loops of `benchmarks.ancestor_query`, from its start to the written JSON.
ratio_*: seconds of the ancestor's process by those of ours, the best of three each; *_without_reading leaves out what
  the loops take to start and to get the catalog as dicts (which its database did), while ours stays whole.
import_cct_*: `camtraps import cct`; export_queried_*: `camtraps export queried-images`.
peak_gb: the most resident memory of the process, in 10^9 bytes.
"""


@dataclass(frozen=True)
class Run:
    """What a command took: wall seconds, the most resident memory of its process in GB (10^9 bytes); its stdout."""

    seconds: float
    peak_gb: float
    output: str

    def values(self, name: str) -> Values:
        """Give the seconds and memory as results of that name."""
        return {f"{name}_seconds": self.seconds, f"{name}_peak_gb": self.peak_gb}


def main(arguments: list[str] | None = None) -> None:
    """Run everything, or one part, or only generate."""
    options = _parser().parse_args(arguments)
    options.run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.query")
    _add_sizes(parser)
    parser.set_defaults(run=_all)
    commands = parser.add_subparsers(metavar="COMMAND")
    generated = commands.add_parser("generate", help="only write the collection, ready for `python -m stages.query`")
    generated.add_argument("--photos", type=int, default=PHOTOS, help="its photos (%(default)s)")
    generated.add_argument("--folder", type=Path, required=True, help="where to: data/bench, params.yaml, dvc.yaml")
    generated.set_defaults(run=lambda options: generate("project", options.folder, options.photos))
    part = commands.add_parser("part", help="measure one part")
    part.add_argument("part", choices=PARTS)
    _add_sizes(part)
    part.set_defaults(run=lambda options: say(_part(options.part, options)))
    return parser


def _add_sizes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--photos", type=int, default=PHOTOS, help="size of the query; the others follow (%(default)s)")
    parser.add_argument("--folder", type=Path, help="where generated data is kept (default: the user's cache folder)")


def _all(options: argparse.Namespace) -> None:
    values = machine()
    for part in PARTS:
        sys.stderr.write(f"measuring: {part}\n")
        values |= _part(part, options)
    say(values)
    sys.stdout.write("\n" + NOTES)
    if options.photos == PHOTOS:
        from camtraps.files import write_json

        write_json(RESULTS, values)


def _part(part: str, options: argparse.Namespace) -> Values:
    from camtraps.files import work_dir

    return PARTS[part](options.folder or work_dir("benchmarks"), options.photos)


def measure_query(folder: Path, photos: int, repeats: int = 3) -> Values:
    """Measure the query stage; of several runs the quickest counts."""
    project = generate("project", folder / f"project-{short(photos)}", photos)
    run = min((_query(project) for _ in range(repeats)), key=lambda each: each.seconds)
    name = f"query_{short(photos)}"
    return run.values(name) | {f"{name}_chosen": _counts(project)["rows_out"]}


def measure_ancestor(folder: Path, photos: int, repeats: int = 3) -> Values:
    """Measure the ancestor's loops and our stage in turn, on three hundredths of the photos: the loops hold them all.

    Args:
        folder: where generated data is kept.
        photos: size of the query.
        repeats: of several runs the quickest counts, for both.

    Raises:
        SystemExit: the two do not find the same number of photos of each label, so that nothing can be compared.
    """
    size = max(1000, photos * 3 // 100)
    project = generate("project", folder / f"project-{short(size)}", size)
    command = [sys.executable, "-m", "benchmarks.ancestor_query", str(project)]
    turns = [(measure(command, project), _query(project)) for _ in range(repeats)]
    loops, run = (min((turn[at] for turn in turns), key=lambda each: each.seconds) for at in (0, 1))
    name, report = short(size), json.loads(loops.output)
    found = {label: counts["before"] for label, counts in _counts(project)["photos_by_label"].items()}
    _check_same(found, report["before_sampling"])
    without_reading = report["seconds"]["choose"] + report["seconds"]["write"]
    ratios = {
        f"ratio_vs_ancestor_{name}": round(loops.seconds / run.seconds, 2),
        f"ratio_vs_ancestor_{name}_without_reading": round(without_reading / run.seconds, 2),
    }
    return run.values(f"query_{name}") | loops.values(f"ancestor_{name}") | ratios


def _check_same(ours: dict[str, int], theirs: dict[str, int]) -> None:
    pairs = {label: (ours.get(label, 0), theirs.get(label, 0)) for label in sorted({*ours, *theirs})}
    lines = [f"{label}: {here}, the ancestor {there}" for label, (here, there) in pairs.items() if here != there]
    if lines:
        sys.exit("\n".join(["the query and the ancestor do not find the same photos before sampling", *lines]))


def measure_import(folder: Path, photos: int) -> Values:
    """Measure the import of a COCO Camera Traps file with a tenth of the photos."""
    size = max(1, photos // 10)
    project = generate("cct", folder / f"cct-{short(size)}", size)
    shutil.rmtree(project / "data", ignore_errors=True)
    run = _camtraps(project, "import", "cct", "cct.json", "--images", "s3://bucket/photos", "--name", "bench")
    with (project / "data" / "bench" / "datasets.csv").open(encoding="utf-8", newline="") as file:
        imported = sum(int(row["photos"]) for row in csv.DictReader(file))
    name = f"import_cct_{short(size)}"
    megabytes = (project / "cct.json").stat().st_size / 1e6
    return run.values(name) | {f"{name}_photos": imported, f"{name}_file_mb": round(megabytes)}


def measure_export(folder: Path, photos: int) -> Values:
    """Measure the export of a tenth of the photos, all chosen, as the ancestor's queried_images.json."""
    size = max(1, photos // 10)
    project = generate("queried", folder / f"queried-{short(size)}", size)
    run = _camtraps(project, "export", "queried-images", "--out", "queried_images.json")
    name = f"export_queried_{short(size)}"
    megabytes = (project / "queried_images.json").stat().st_size / 1e6
    return run.values(name) | {f"{name}_file_mb": round(megabytes)}


PARTS: dict[str, Callable[[Path, int], Values]] = {
    "query": measure_query,
    "ancestor": measure_ancestor,
    "import": measure_import,
    "export": measure_export,
}


def generate(what: str, folder: Path, photos: int) -> Path:
    """Write generated data in a process of its own, so that ours stays small; give the folder, absolute.

    Args:
        what: ``project``, ``cct`` or ``queried``: a function ``write_...`` of `benchmarks.generated`.
        folder: what stands there already is kept if it was made of the same things.
        photos: how many.
    """
    code = "import sys, pathlib, benchmarks.generated as generated\n"
    code += f"generated.write_{what}(pathlib.Path(sys.argv[1]), int(sys.argv[2]))"
    measure([sys.executable, "-c", code, str(folder.resolve()), str(photos)], REPOSITORY)
    return folder.resolve()


def measure(command: list[str], folder: Path) -> Run:
    """Run a command in a folder, with the code of this repository.

    Raises:
        SystemExit: the command failed; what it wrote to stdout is passed on.
    """
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    start = time.monotonic()
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - start
    if process.returncode:
        sys.exit(f"{' '.join(command)}: ended with {process.returncode}\n{output}")
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    return Run(round(seconds, 2), round(usage.ru_maxrss * unit / 1e9, 3), output)


def short(photos: int) -> str:
    """Write a number as people do: 10m, 300k, 1234."""
    for unit, letter in ((1_000_000, "m"), (1000, "k")):
        if photos >= unit and photos % unit == 0:
            return f"{photos // unit}{letter}"
    return str(photos)


def _query(project: Path) -> Run:
    shutil.rmtree(project / "data" / "queried", ignore_errors=True)  # as DVC does
    return measure([sys.executable, "-m", "stages.query"], project)


def _camtraps(project: Path, *arguments: str) -> Run:
    return measure([sys.executable, "-c", "from camtraps.cli import main; main()", *arguments], project)


def _counts(project: Path) -> Values:
    counts: Values = json.loads((project / "data" / "queried" / "counts.json").read_text(encoding="utf-8"))
    return counts


def machine() -> Values:
    """Give what the machine and the libraries are."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {
        "cores": os.cpu_count(),
        "memory_gb": round(memory_gb),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "duckdb": version("duckdb"),
        "pyarrow": version("pyarrow"),
        "pillow": version("pillow"),
    }


def say(values: Values) -> None:
    """Print results as a table."""
    for name, value in values.items():
        sys.stdout.write(f"{name:44}{f'{value:,}' if isinstance(value, int | float) else value:>14}\n")


if __name__ == "__main__":
    main()
