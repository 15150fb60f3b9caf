"""Measure push and pull of packed crops beside loose files, and of additions: python -m benchmarks.share.

An S3 server (moto) runs on this machine; results of the full size are written to benchmarks/results/share.json. What is
generated lies in a temporary folder.
"""

import argparse
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch
from zlib import crc32

from benchmarks.query import Values, machine, measure, say

# Nothing heavy is imported here, so that `--help` is quick.
RESULTS = Path(__file__).parent / "results" / "share.json"
SIDE = 230  # of a crop, in pixels: about 20 kB
BUCKET = "bench"
CAMERAS = 40
KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}

NOTES = """packed_*: crops in ZIP shards, named as the stage `crop` names them, at 40 cameras of different size.
loose_*: the same crops, a JPEG file each. *_push_s3_seconds: `dvc push` into an empty bucket; *_pull_s3_seconds: `dvc
  pull` in a fresh clone with an empty cache; *_add_seconds: `dvc add`; whole commands, their start included.
push_ratio_s3, pull_ratio_s3: seconds of loose files by those of shards.
*_resent_*: what `dvc push` sends after 1% more photos at one camera, counted in the bucket; resent_share: the packed
  bytes sent by all packed bytes.
"""


@dataclass(frozen=True)
class Way:
    """A way to keep crops: its name, and what writes crops as (name, camera, JPEG) into a folder."""

    name: str
    write: Callable[[list[tuple[str, str, bytes]], Path], None]


def main(arguments: list[str] | None = None) -> None:
    """Measure all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.share")
    parser.add_argument("--crops", type=int, default=20_000, help="how many (%(default)s; fewer write no results)")
    parser.add_argument("--folder", type=Path, help="where to make a temporary folder (default: as usual)")
    options = parser.parse_args(arguments)
    with TemporaryDirectory(prefix="camtraps-bench-", dir=options.folder) as folder:
        values = machine() | measure_sharing(Path(folder), options.crops)
    say(values)
    sys.stdout.write("\n" + NOTES)
    if options.crops >= parser.get_default("crops"):
        from camtraps.files import write_json

        write_json(RESULTS, values)


def measure_sharing(folder: Path, num: int) -> Values:
    """Measure both ways; a bucket for each."""
    values: Values = {"crops": num}
    num_at = [max(1, num * 2 * (CAMERAS - at) // (CAMERAS * (CAMERAS + 1))) for at in range(CAMERAS)]
    more_at = [number + (at == 10) * max(1, num // 100) for at, number in enumerate(num_at)]
    for way in (Way("packed", write_packed), Way("loose", write_loose)):
        with _server() as endpoint, patch.dict(os.environ, KEYS | _places(folder / way.name)):
            sys.stderr.write(f"measuring: {way.name}\n")
            values |= {f"{way.name}_{key}": value for key, value in _measured(way, folder, endpoint, num_at, more_at)}
    for what in ("push", "pull"):
        values[f"{what}_ratio_s3"] = round(values[f"loose_{what}_s3_seconds"] / values[f"packed_{what}_s3_seconds"], 1)
    values["resent_share"] = round(values["packed_resent_mb"] / values["packed_mb"], 4)
    return values


def _measured(
    way: Way, folder: Path, endpoint: str, num_at: list[int], more_at: list[int]
) -> Iterator[tuple[str, float]]:
    repository = folder / way.name / "first"
    _start(repository, endpoint)
    way.write(draw(num_at), repository / "crops")
    yield "add_seconds", _seconds(repository, "dvc", "add", "-q", "crops")
    _commit(repository)
    yield "push_s3_seconds", _seconds(repository, "dvc", "push", "-q")
    num_objects, num_bytes = _stored(endpoint)
    yield "objects", num_objects
    yield "mb", round(num_bytes / 1e6, 2)
    clone = folder / way.name / "second"
    measure(["git", "clone", "-q", str(repository), str(clone)], folder)
    yield "pull_s3_seconds", _seconds(clone, "dvc", "pull", "-q")
    shutil.rmtree(repository / "crops")  # as DVC does before the stage runs
    way.write(draw(more_at), repository / "crops")
    measure(["dvc", "add", "-q", "crops"], repository)
    yield "resent_seconds", _seconds(repository, "dvc", "push", "-q")
    more_objects, more_bytes = _stored(endpoint)
    yield "resent_objects", more_objects - num_objects
    yield "resent_mb", round((more_bytes - num_bytes) / 1e6, 2)


def draw(num_at: list[int]) -> list[tuple[str, str, bytes]]:
    """Draw so many crops at each camera, as (image, camera, JPEG), no two the same."""
    from benchmarks.generated_photos import write_photos

    with TemporaryDirectory() as folder:
        pictures = [path.read_bytes() for path in write_photos(Path(folder) / "made", 64, (SIDE, SIDE))]
    names = [(f"bench/{at:02}/{number:05}.jpg", f"{at:02}") for at, num in enumerate(num_at) for number in range(num)]
    # What stands behind the end of a JPEG is no part of the picture.
    return [(name, place, pictures[crc32(name.encode()) % 64] + name.encode()) for name, place in names]


def write_packed(crops: list[tuple[str, str, bytes]], folder: Path) -> None:
    """Write shards as the stage `crop` does."""
    import pandas as pd

    from camtraps import cutting, shards

    rows = pd.DataFrame(crops, columns=["image", "location", "jpeg"]).assign(dataset="bench")
    for name, part in rows.groupby(cutting._shard_names(rows)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        members = zip(part["image"], part["jpeg"], strict=True)
        shards.write(path, sorted((shards.member_name(image, 0, "human"), jpeg) for image, jpeg in members))


def write_loose(crops: list[tuple[str, str, bytes]], folder: Path) -> None:
    """Write a file a crop."""
    for image, _, jpeg in crops:
        path = folder / f"{image}___crop00.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg)


@contextmanager
def _server() -> Iterator[str]:
    """Run an S3 server with an empty bucket; give its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).parent / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            while socket.socket().connect_ex(("127.0.0.1", port)):
                time.sleep(0.1)
            endpoint = f"http://127.0.0.1:{port}"
            with patch.dict(os.environ, KEYS):
                _client(endpoint).create_bucket(Bucket=BUCKET)
            yield endpoint
        finally:
            process.terminate()


def _client(endpoint: str) -> Any:
    import boto3

    return boto3.client("s3", endpoint_url=endpoint)


def _stored(endpoint: str) -> tuple[int, int]:
    """Give the number of objects in the bucket, and their bytes."""
    pages = _client(endpoint).get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    sizes = [each["Size"] for page in pages for each in page.get("Contents", [])]
    return len(sizes), sum(sizes)


def _places(folder: Path) -> dict[str, str]:
    """Keep the user's own DVC out of it."""
    bins = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    names = ("DVC_SITE_CACHE_DIR", "DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR")
    return {name: str(folder / name) for name in names} | {"PATH": bins, "DVC_NO_ANALYTICS": "1"}


def _start(repository: Path, endpoint: str) -> None:
    repository.mkdir(parents=True)
    for command in ("git init -q", "dvc init -q", "dvc config cache.type hardlink,symlink"):
        measure(command.split(), repository)
    code = "import sys; from camtraps.dvc_remotes import add; add(sys.argv[1], 's3', {'endpoint': sys.argv[2]}, {})"
    measure([sys.executable, "-c", code, f"s3://{BUCKET}/camtraps", endpoint], repository)


def _commit(repository: Path) -> None:
    measure(["git", "add", "-A"], repository)
    measure(["git", "-c", "user.name=b", "-c", "user.email=b@example.org", "commit", "-qm", "bench"], repository)


def _seconds(folder: Path, *command: str) -> float:
    return float(measure(list(command), folder).seconds)


if __name__ == "__main__":
    main()
