"""Measure cutting, importing detections and adding photos: python -m benchmarks.crop.

Cutting is measured beside the ancestor's way and beside a floor, in turns, all with the same number of workers; results
of the full size are written to benchmarks/results/crop.json. What is generated lies in a temporary folder.
"""

import argparse
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from benchmarks.query import REPOSITORY, Values, generate, machine, measure, say, short

# Nothing heavy is imported here: the memory of a new process counts from that of the one that starts it.
RESULTS = Path(__file__).parent / "results" / "crop.json"

NOTES = """*_crops_per_second: crops of photos with one box each, the best of the turns. ours: `cutting.cut_all` into an
  empty work folder, quality 92, no larger than 512 px. ancestor: threads, whole photos decoded by Pillow, a JPEG file
  for each crop at quality 75. floor: processes that read each photo and decode the rectangle, and do nothing else.
  Starting the processes counts, for each.
ratio_vs_ancestor, share_of_floor: the lower one of the two photo sizes.
import_*: `camtraps import detections` of one JSON with that many detections.
incremental_*: `python -m stages.crop` with 1% more photos at one camera; shards whose bytes were not there before.
peak_gb: the most resident memory of the process, in 10^9 bytes.
"""


@dataclass(frozen=True)
class Sizes:
    """How much is measured: photos in pixels, files of them and crops by name; detections; crops; turns."""

    photos: dict[str, tuple[tuple[int, int], int, int]]
    detections: int
    crops: int
    turns: int


# Each photo file stands under many names: otherwise they would be gigabytes. Some boxes are too small to be crops.
FULL = Sizes({"3mp": ((2048, 1536), 120, 6000), "12mp": ((4032, 3024), 40, 1600)}, 1_000_000, 20_400, 3)
SMALL = Sizes({"3mp": ((512, 384), 4, 24), "12mp": ((1008, 756), 4, 12)}, 1000, 200, 1)


def main(arguments: list[str] | None = None) -> None:
    """Measure one part or all of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crop")
    parser.add_argument("--part", choices=PARTS, help="only this part")
    parser.add_argument("--small", action="store_true", help="try it out in a few seconds; no results are written")
    parser.add_argument("--folder", type=Path, help="where to make a temporary folder (default: as usual)")
    options = parser.parse_args(arguments)
    values = machine() | {"workers": _num_workers()}
    for part in [options.part] if options.part else PARTS:
        sys.stderr.write(f"measuring: {part}\n")
        with TemporaryDirectory(prefix="camtraps-bench-", dir=options.folder) as folder:
            values |= PARTS[part](Path(folder), SMALL if options.small else FULL)
    say(values)
    sys.stdout.write("\n" + NOTES)
    if not options.small and not options.part:
        from camtraps.files import write_json

        write_json(RESULTS, values)


def measure_import(folder: Path, sizes: Sizes) -> Values:
    """Measure the import of recorded results into a collection of one dataset."""
    project = generate("detections", folder / "project", sizes.detections * 2 // 5)
    command = [sys.executable, "-c", "from camtraps.cli import main; main()", "import", "detections", "md.json"]
    run = measure([*command, "--name", "bench", "--dataset", "bench"], project)
    megabytes = (project / "md.json").stat().st_size / 1e6
    name = f"import_{short(sizes.detections)}"
    return run.values(name) | {f"{name}_file_mb": round(megabytes)}


def measure_incremental(folder: Path, sizes: Sizes) -> Values:
    """Measure the stage with photos added at one of many cameras."""
    num_at = [max(1, sizes.crops * 2 * (40 - at) // (40 * 41)) for at in range(40)]  # from one fortieth of the most on
    first, shards, _ = _cut_project(folder, num_at)
    num_at[10] += max(1, sizes.crops // 100)
    second, more, crops = _cut_project(folder, num_at)
    values = {"first_seconds": first, "seconds": second, "shards": len(more - shards), "of_shards": len(more)}
    return {f"incremental_{name}": value for name, value in (values | {"crops": crops}).items()}


def _cut_project(folder: Path, num_at: list[int]) -> tuple[float, set[str], int]:
    """Run the stage; give its seconds, the digests of its shards and the number of crops."""
    code = "import sys, pathlib, benchmarks.generated_photos as generated\n"
    code += "generated.write_project(pathlib.Path(sys.argv[1]), list(map(int, sys.argv[2:])))"
    project = folder / "project"
    measure([sys.executable, "-c", code, str(project), *map(str, num_at)], REPOSITORY)
    shutil.rmtree(project / "data" / "crops", ignore_errors=True)  # as DVC does
    with patch.dict(os.environ, CAMTRAPS_WORK=str(folder / "work")):
        run = measure([sys.executable, "-m", "stages.crop"], project)
    shards = list((project / "data" / "crops").rglob("*.zip"))
    code = "import pyarrow.parquet as parquet; print(parquet.read_metadata('data/crops/crops.parquet').num_rows)"
    crops = int(measure([sys.executable, "-c", code], project).output)
    return run.seconds, {hashlib.sha256(path.read_bytes()).hexdigest() for path in shards}, crops


def measure_cutting(folder: Path, sizes: Sizes) -> Values:
    """Measure crops per second of ours, the ancestor's way and the floor, in turns."""
    values: Values = {}
    for name, (size, num_files, num_crops) in sizes.photos.items():
        photos = _photos(folder / name, size, num_files, num_crops)
        seconds: dict[str, list[float]] = {way: [] for way in WAYS}
        for turn in range(sizes.turns):
            for way, cut in WAYS.items():
                place = folder / f"{way}-{turn}"
                start = time.monotonic()
                num = cut(photos, place)
                seconds[way].append(time.monotonic() - start)
                assert num == num_crops, (way, num)
                shutil.rmtree(place, ignore_errors=True)
        shutil.rmtree(photos.folder)
        best = {way: min(times) for way, times in seconds.items()}
        values |= {f"{way}_{name}_crops_per_second": round(num_crops / best[way], 1) for way in WAYS}
        values[f"photo_{name}_mb"] = photos.megabytes
        values[f"ratio_vs_ancestor_{name}"] = round(best["ancestor"] / best["ours"], 2)
        values[f"share_of_floor_{name}"] = round(best["floor"] / best["ours"], 3)
    for what in ("ratio_vs_ancestor", "share_of_floor"):
        values[what] = min(values[f"{what}_{name}"] for name in sizes.photos)
    return values


@dataclass(frozen=True)
class Photos:
    """Photos in a folder, with a box in each: rows of the detections table with dataset, file and location."""

    folder: Path
    size: tuple[int, int]
    boxes: Any
    megabytes: float


def _photos(folder: Path, size: tuple[int, int], num_files: int, num: int) -> Photos:
    from benchmarks.generated_photos import boxes_table, write_photos

    given = write_photos(folder / "made", num_files, size)
    files = [f"{at % 40:02}/{at:05}.jpg" for at in range(num)]
    for at, file in enumerate(files):
        (folder / "photos" / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / "photos" / file).hardlink_to(given[at % num_files])
    megabytes = sum(path.stat().st_size for path in given) / num_files / 1e6
    return Photos(folder, size, boxes_table(files, [file[:2] for file in files]), round(megabytes, 2))


def _ours(photos: Photos, folder: Path) -> int:
    from camtraps.crops import CropParams
    from camtraps.cutting import cut_all
    from camtraps.params import load
    from camtraps.storage import Images

    params = load(CropParams, "crop", REPOSITORY / "params.yaml")
    sources = Images({"bench": str(photos.folder / "photos")})
    with patch.dict(os.environ, CAMTRAPS_WORK=str(folder / "work")):
        return len(cut_all(photos.boxes, sources, params, folder / "out").crops)


def _ancestor(photos: Photos, folder: Path) -> int:
    from benchmarks.ancestor_crop import Photo, cut_all

    boxes = photos.boxes[[*"xywh"]].itertuples(index=False, name=None)
    wanted = [Photo(file, (box,)) for file, box in zip(photos.boxes["file"], boxes, strict=True)]
    return cut_all(wanted, photos.folder / "photos", folder, _num_workers())


def _floor(photos: Photos, folder: Path) -> int:
    from camtraps.crops import CropParams, plan
    from camtraps.params import load
    from camtraps.processes import start_worker

    params = load(CropParams, "crop", REPOSITORY / "params.yaml")
    boxes = photos.boxes[[*"xywh"]].itertuples(index=False, name=None)
    paths = [str(photos.folder / "photos" / file) for file in photos.boxes["file"]]
    wanted = [
        (path, _inside(plan(box, photos.size, params), photos.size)) for path, box in zip(paths, boxes, strict=True)
    ]
    own = (os.getpid(),)
    with ProcessPoolExecutor(
        _num_workers(), mp_context=get_context("spawn"), initializer=start_worker, initargs=own
    ) as pool:
        return sum(pool.map(_decode, wanted, chunksize=20))


def _inside(planned: Any, size: tuple[int, int]) -> tuple[int, int, int, int]:
    left, top, right, bottom = planned.rectangle
    return max(0, left), max(0, top), min(size[0], right), min(size[1], bottom)


def _decode(wanted: tuple[str, tuple[int, int, int, int]]) -> bool:
    """Read a photo and decode a rectangle of it."""
    from camtraps import regions

    path, (left, top, right, bottom) = wanted
    decoder = regions.decoder()
    if decoder is None:
        sys.exit("the floor needs nvidia-nvimgcodec, which does not load here")
    decoded = decoder.decode(Path(path).read_bytes(), (left, top, right, bottom))
    return decoded is not None and decoded.shape[:2] == (bottom - top, right - left)


WAYS: dict[str, Callable[[Photos, Path], int]] = {"ours": _ours, "ancestor": _ancestor, "floor": _floor}
PARTS: dict[str, Callable[[Path, Sizes], Values]] = {
    "import": measure_import,
    "incremental": measure_incremental,
    "cutting": measure_cutting,
}


def _num_workers() -> int:
    from camtraps.processes import num_workers

    return num_workers()


if __name__ == "__main__":
    main()
