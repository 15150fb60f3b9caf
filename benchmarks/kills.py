"""Kill stages with SIGKILL at random moments, run them again, and compare every byte: python -m benchmarks.kills.

A small collection is drawn and goes through the pipeline once, undisturbed. Then, kill by kill, the outputs and the
work folder of one stage are removed, the stage is started, it or one of its worker processes is killed at a moment
drawn from its undisturbed running time, half of the times when a file is next being written, and it is run again.
Exit 1 if any output then differs from the undisturbed one.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import yaml
from PIL import Image

from benchmarks.query import REPOSITORY

PIPELINE = ("query", "detect", "crop", "split", "train", "evaluate")
KILLED = ("detect", "crop", "train", "evaluate")
CAMTRAPS = [sys.executable, "-c", "from camtraps.cli import main; main()"]
CLASSIFY = "classify"  # a command, not a stage
PLACES, PHOTOS_PER_PLACE = ("north", "south", "west", "east", "lake", "ridge"), 10
SIZE, SIDE = (160, 120), 40  # of a photo and of its animal, in pixels
COLOURS = {"red fox": (200, 60, 30), "blue jay": (40, 70, 200)}
SETTINGS = {
    "data": {"name": "bench"},
    "detect": {"max_failed": 1.0},
    "split": {"min_locations": 1},
    "train": {"model": "mobilenet_v3_small", "image_size": 32, "epochs": 2, "batch_size": 8, "num_workers": 1},
}
POLL_SECONDS = 0.0005
HANGS_SECONDS = 600.0  # what takes longer does not end

NOTES = """ended before: the stage was quicker than the moment of its kill. while writing: a file or folder was just
  being written. workers: a worker process was killed, not the stage. different: of the outputs after the rerun any byte
  was not that of the undisturbed run.
"""


@dataclass(frozen=True)
class Plan:
    """One kill: of what, when as a share of its running time, whether to wait for a file being written, and whom."""

    stage: str
    moment: float
    in_writing: bool
    of_worker: bool


@dataclass(frozen=True)
class Kill:
    """What became of a kill: whether it came before the end, what it hit, and what was wrong after the rerun."""

    stage: str
    came: bool
    in_writing: bool
    of_worker: bool
    wrong: list[str]


def main(arguments: list[str] | None = None) -> None:
    """Kill, print a table, and exit with 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kills")
    parser.add_argument("--kills", type=int, default=50, help="how many (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments (%(default)s)")
    parser.add_argument("--folder", type=Path, help="where to make a temporary folder (default: as usual)")
    options = parser.parse_args(arguments)
    with TemporaryDirectory(prefix="camtraps-kills-", dir=options.folder) as folder:
        project, kills = Project(Path(folder)), []
        for plan in draw(options.kills, options.seed, project.stages):
            kills.append(project.kill(plan))
            sys.stderr.write(f"{len(kills):4} {plan.stage:9} {'killed' if kills[-1].came else 'ended before'}\n")
    say(kills)
    sys.stdout.write("\n" + NOTES)
    if any(kill.wrong for kill in kills):
        sys.exit(1)


def draw(num: int, seed: int, stages: Sequence[str]) -> list[Plan]:
    """Draw the kills, the same for the same seed; each stage has its turn."""
    rng = random.Random(seed)
    moments = [(rng.random(), rng.random() < 0.5, rng.random() < 0.3) for _ in range(num)]
    return [Plan(stages[at % len(stages)], *moment) for at, moment in enumerate(moments)]


def say(kills: list[Kill]) -> None:
    """Print a row for each stage, and what was wrong."""
    sys.stdout.write(f"{'':10}{'kills':>7}{'ended before':>14}{'while writing':>15}{'workers':>9}{'different':>11}\n")
    for stage in [*dict.fromkeys(kill.stage for kill in kills), "all"]:
        some = [kill for kill in kills if stage in (kill.stage, "all")]
        writing, workers = sum(kill.in_writing for kill in some), sum(kill.of_worker for kill in some)
        late, wrong = sum(not kill.came for kill in some), sum(bool(kill.wrong) for kill in some)
        sys.stdout.write(f"{stage:10}{len(some):7}{late:14}{writing:15}{workers:9}{wrong:11}\n")
    for kill in kills:
        sys.stdout.write("".join(f"{kill.stage}: {line}\n" for line in kill.wrong))


class Project:
    """A drawn collection that went through the pipeline undisturbed: digests of all outputs, and how long each took."""

    def __init__(self, folder: Path) -> None:
        """Draw it in an empty folder, and run the pipeline."""
        self.path, self.work = folder / "project", folder / "work"
        self.stages = [*KILLED, *([CLASSIFY] if find_spec("camtraps.commands.classify") else [])]
        _make(self.path)
        self._environment = os.environ | {
            "PYTHONPATH": str(REPOSITORY),
            "CAMTRAPS_WORK": str(self.work),
            "CAMTRAPS_WORKERS": "2",
            "OMP_NUM_THREADS": "1",
        }
        given = ["photos.csv", "--images", "photos", "--name", "bench", "--label-spec", "label_spec.json"]
        self._run([*CAMTRAPS, "import", "csv", *given, "--taxonomy", "taxonomy.csv"])
        self.digests, self.seconds = {}, {}
        for stage in dict.fromkeys([*PIPELINE, *self.stages]):
            self._clear(stage)
            process = self._start(stage)
            begin = self._begun(process)
            self._finish(process)
            self.digests[stage], self.seconds[stage] = self._digest(stage), time.monotonic() - begin

    def kill(self, plan: Plan) -> Kill:
        """Start a stage with nothing done before, kill, run it again, and compare."""
        self._clear(plan.stage)
        process = self._start(plan.stage)
        self._begun(process)
        time.sleep(plan.moment * self.seconds[plan.stage])
        while plan.in_writing and process.poll() is None and not self._is_writing(plan.stage):
            time.sleep(POLL_SECONDS)
        workers = _workers(process.pid) if plan.of_worker else []
        in_writing, came = self._is_writing(plan.stage), process.poll() is None
        with suppress(ProcessLookupError):
            os.kill(workers[-1] if workers else process.pid, signal.SIGKILL)
        wrong = self._after(process, plan.stage)
        return Kill(plan.stage, came, came and in_writing, came and bool(workers), wrong)

    def _after(self, process: "subprocess.Popen[str]", stage: str) -> list[str]:
        """Wait for the end of what was killed, run it again, and say what is wrong."""
        try:
            process.communicate(timeout=HANGS_SECONDS)
            self._finish(self._start(stage))
        except subprocess.TimeoutExpired:
            process.kill()
            return ["does not end after the kill"]
        except SystemExit as error:
            return [str(error)]
        before, after = self.digests[stage], self._digest(stage)
        return [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]

    def _outputs(self, stage: str) -> list[Path]:
        if stage == CLASSIFY:
            return [self.path / "results.json"]
        stages = yaml.safe_load((self.path / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
        return [self.path / out for out in stages[stage]["outs"]]

    def _clear(self, stage: str) -> None:
        """Remove the work folder, and the outputs as DVC does before it runs a stage."""
        for path in (self.work, *self._outputs(stage)):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def _digest(self, stage: str) -> dict[str, str]:
        paths = [path for out in self._outputs(stage) for path in (out, *out.rglob("*")) if path.is_file()]
        return {str(path.relative_to(self.path)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}

    def _is_writing(self, stage: str) -> bool:
        folders = (self.work, *self._outputs(stage))
        return any(path.suffix == ".part" for folder in folders for path in _below(folder))

    def _start(self, stage: str) -> "subprocess.Popen[str]":
        command = [*CAMTRAPS, CLASSIFY, "photos", "--out", "results.json"]
        if stage != CLASSIFY:
            command = [sys.executable, "-m", f"stages.{stage}"]
        return subprocess.Popen(command, cwd=self.path, env=self._environment, stderr=subprocess.PIPE, text=True)

    def _begun(self, process: "subprocess.Popen[str]") -> float:
        """Wait until the stage begins, which is when its lock appears in the work folder."""
        while process.poll() is None and not any(_below(self.work)):
            time.sleep(POLL_SECONDS)
        return time.monotonic()

    def _finish(self, process: "subprocess.Popen[str]") -> None:
        _, said = process.communicate(timeout=HANGS_SECONDS)
        if process.returncode:
            sys.exit(f"{process.args}: ended with {process.returncode}\n{said}")

    def _run(self, command: list[str]) -> None:
        subprocess.run(command, cwd=self.path, env=self._environment, check=True, stdout=subprocess.DEVNULL)


def _below(folder: Path) -> Iterator[Path]:
    """Give what lies in a folder and in those in it, while others add and remove."""
    with suppress(FileNotFoundError, NotADirectoryError):
        for path in folder.iterdir():
            yield path
            yield from _below(path)


def _workers(process: int) -> list[int]:
    """Give the worker processes of a process, without the one that watches over Python's shared memory."""
    children: list[int] = []
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            children += map(int, path.read_text().split())
    with suppress(OSError):
        return [child for child in children if b"tracker" not in Path(f"/proc/{child}/cmdline").read_bytes()]
    return []


def _make(folder: Path) -> None:
    """Draw photos of some places, each with an animal of one colour at another spot, and the files to import them."""
    (folder / "photos").mkdir(parents=True)
    rng = np.random.default_rng(1)
    lines = ["file,location,datetime,label"]
    for place in PLACES:
        ground = rng.integers(60, 160, (SIZE[1] // 8, SIZE[0] // 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
        for at in range(PHOTOS_PER_PLACE):
            label = list(COLOURS)[at % len(COLOURS)]
            left, top = (int(rng.integers(0, side - SIDE)) for side in SIZE)
            photo = (ground + rng.normal(0, 2, ground.shape)).clip(0, 255).astype(np.uint8)
            photo[top : top + SIDE, left : left + SIDE] = COLOURS[label]
            Image.fromarray(photo).save(folder / "photos" / f"{place}{at}.jpg")
            lines.append(f"{place}{at}.jpg,{place},2024-05-{at + 1:02} 12:00:00,{label}")
    (folder / "photos.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    spec = {label: {"dataset_labels": {"bench": [label]}} for label in COLOURS}
    (folder / "label_spec.json").write_text(json.dumps(spec), encoding="utf-8")
    taxa = "".join(f"bench,{label},{label}\n" for label in COLOURS)
    (folder / "taxonomy.csv").write_text(f"dataset_name,query,species\n{taxa}", encoding="utf-8")
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text(encoding="utf-8"))
    for section, values in SETTINGS.items():
        params[section] |= values
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    shutil.copyfile(REPOSITORY / "dvc.yaml", folder / "dvc.yaml")


if __name__ == "__main__":
    main()
