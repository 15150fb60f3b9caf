"""A Ray cluster: each unit is a task, whose files come back to this process, which keeps them.

Workers need the same camtraps, and the photos under the same paths or addresses; nothing else is shared. What Ray was
measured to do when processes and nodes die: a task is tried again elsewhere, and every result comes once.
"""

import os
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

from tqdm import tqdm

import camtraps
from camtraps.errors import CamtrapsError, MissingError
from camtraps.files import FULL, code_digest
from camtraps.processes import num_workers, start_worker
from camtraps.results import Function, Kind, Unit, make

WAITING = 2  # units handed out for each CPU of the cluster
REACH_SECONDS = 5.0
QUIET_SECONDS = 20.0  # without a result: then it is said what the cluster is doing
# What a client of HTTP/2 says first, which Ray speaks, and the kind of the frame that a server then answers with.
HELLO, SETTINGS = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", b"\4"
TRIES_AGAIN = 3  # of a task whose process or node died

Files = dict[str, bytes]


def carry(units: Sequence[Unit], function: Function, folder: Path, progress: "tqdm[Any]", kind: Kind) -> None:
    """Make the results of units.

    Args:
        units: those to make.
        function: as in `units.run`.
        folder: the work folder of this process; workers do not need it.
        progress: of what is made.
        kind: of the work; a task claims a GPU if it uses one and the cluster has any.

    Raises:
        CamtrapsError: there is no Ray or no cluster, a node has another camtraps or lacks a folder, a task was killed
            again and again; what is finished is kept.
    """
    ray = _package()
    with _session(ray):
        gpus = 1 if kind.gpu and ray.cluster_resources().get("GPU") else 0
        task = ray.remote(_made).options(num_cpus=1, num_gpus=gpus, max_retries=TRIES_AGAIN)
        own = (str(Path.cwd()), _code())
        queue = iter(sorted(units, key=lambda unit: -unit.size))
        waiting: dict[Any, Unit] = {}
        while True:
            num = max(1, int(ray.cluster_resources().get("CPU", 0)))  # nodes come and go
            for unit in islice(queue, max(0, WAITING * num - len(waiting))):
                waiting[task.remote(function, unit.payload, unit.seen, *own)] = unit
            if not waiting:
                return
            done, _ = ray.wait(list(waiting), timeout=QUIET_SECONDS)
            if not done:
                _tell(ray, len(waiting))
            for each in done:
                unit = waiting.pop(each)
                _keep(_taken(ray, each, unit), unit, folder)
                progress.update(unit.size)


def _package() -> Any:
    try:
        import ray
    except ImportError:
        raise MissingError("CAMTRAPS_ENGINE: ray is not installed; run `pip install 'camtraps[ray]'`") from None
    return ray


@contextmanager
def _session(ray: Any) -> Iterator[None]:
    """Join the cluster of ``$RAY_ADDRESS``, or start one of this machine alone."""
    address = os.environ.get("RAY_ADDRESS", "")
    if address:
        _reach(address)
        given: dict[str, Any] = {"address": address}
    else:
        given = {"address": "local", "num_cpus": num_workers(), "include_dashboard": False}
        given["_node_ip_address"] = "127.0.0.1"
    patience = threading.Timer(QUIET_SECONDS, sys.stderr.write, [f"ray: still waiting for {address or 'its start'}\n"])
    patience.start()
    try:
        ray.init(**given, log_to_driver=False, logging_level="ERROR")
    except Exception as error:  # whatever a cluster may say: wrong token, another version of Ray or Python
        raise CamtrapsError(f"RAY_ADDRESS: {address or 'local'} cannot be used: {_one_line(error)}") from error
    finally:
        patience.cancel()
    try:
        yield
    finally:
        ray.shutdown()


def _reach(address: str) -> None:
    """Ask for a connection, since Ray tries for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "/" in host:
        raise CamtrapsError(f"RAY_ADDRESS: expected HOST:PORT of the head node, got {address!r}")
    try:
        with socket.create_connection((host, int(port)), REACH_SECONDS) as connection:
            connection.sendall(HELLO)
            answer = connection.recv(9)
    except OSError as error:
        raise CamtrapsError(
            f"RAY_ADDRESS: no cluster answers at {address} ({error}); start one with `ray start --head`, or unset it"
        ) from None
    if answer[3:4] != SETTINGS and not os.environ.get("RAY_USE_TLS"):
        raise CamtrapsError(
            f"RAY_ADDRESS: what answers at {address} is no head node of Ray; the port is that of `ray start --head`"
        )


@cache
def _code() -> str:
    """Name the code that makes results: that of every module, and the Python that runs it."""
    folder = Path(camtraps.__file__).parent
    names = [path.relative_to(folder).with_suffix("").as_posix().replace("/", ".") for path in folder.rglob("*.py")]
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return f"{code_digest(f'camtraps.{name}'.removesuffix('.__init__') for name in names)[:12]} on Python {version}"


def _made(function: Function, payload: Any, seen: str, where: str, code: str) -> tuple[Files, bool]:
    """Make a result on a worker; give its files, and whether it is final."""
    node = socket.gethostname()
    if _code() != code:
        raise CamtrapsError(f"{node}: has another camtraps ({_code()}) than the driver ({code}); install the same")
    try:
        os.chdir(where)
    except OSError as error:
        raise CamtrapsError(f"{node}: {where}: {error.strerror}; mount the folder of the project there") from None
    if seen and not Path(seen).exists():
        raise CamtrapsError(f"{node}: {seen}: not there, though the driver has it; mount what holds it at that place")
    start_worker()
    try:
        with TemporaryDirectory(prefix="camtraps-") as place:
            part = Path(place) / "result"
            part.mkdir()
            is_final = function(payload, part)
            paths = sorted(path for path in part.rglob("*") if path.is_file())
            return {path.relative_to(part).as_posix(): path.read_bytes() for path in paths}, is_final
    except CamtrapsError as error:
        raise CamtrapsError(f"{node}: {error}") from None
    except OSError as error:
        if error.errno not in FULL:
            raise
        full = error.filename or gettempdir()
        raise CamtrapsError(f"{node}: {full}: {error.strerror}; free some space there") from None


def _taken(ray: Any, task: Any, unit: Unit) -> tuple[Files, bool]:
    try:
        result: tuple[Files, bool] = ray.get(task)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, CamtrapsError):
            raise CamtrapsError(f"{error.cause}; what is finished is kept: run again") from None
        raise
    except ray.exceptions.RayError as error:  # a process or node that died each time
        raise CamtrapsError(
            f"{unit.name or unit.fingerprint[:12]} is given up: its process was killed {TRIES_AGAIN + 1} times (out of "
            f"memory? a photo in it?): {_one_line(error)}; what is finished is kept: run again"
        ) from None
    return result


def _keep(result: tuple[Files, bool], unit: Unit, folder: Path) -> None:
    files, is_final = result

    def write(_: Any, part: Path) -> bool:
        for name, data in files.items():
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            (part / name).write_bytes(data)
        return is_final

    make(write, unit, folder)


def _tell(ray: Any, num: int) -> None:
    free, there = ray.available_resources().get("CPU", 0), ray.cluster_resources().get("CPU", 0)
    nodes = sum(node["Alive"] for node in ray.nodes())
    sys.stderr.write(
        f"ray: no result for {QUIET_SECONDS:.0f} s; {num} units are handed out, {free:.0f} of {there:.0f} CPUs on "
        f"{nodes} nodes are free\n"
    )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
