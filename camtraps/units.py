"""Work in units: each unit's result is a folder named by the fingerprint of all it was made from, made once.

A unit is a fixed set of photos or crops. Results lie in the work folder, written aside and renamed, so that a killed
run continues with the units that are missing; the caller publishes them into a stage's output. Who makes them is chosen
by the environment, never by a parameter: results are the same.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from camtraps.engines import cluster, pool, shares
from camtraps.errors import CamtrapsError
from camtraps.processes import rank, world
from camtraps.progress import bar
from camtraps.results import Function, Kind, Unit, missing, prune

ENGINES = ("local", "ray", "ranks")


PHOTOS = Kind()


def run(units: Sequence[Unit], function: Function, folder: Path, label: str, kind: Kind = PHOTOS) -> list[Path]:
    """Bring every unit's result about and give the result folders in the order of the units.

    A result is made once, unless its function says that it is not final: then the next run tries again.

    Args:
        units: the work.
        function: called in a worker process, as `results.Function`.
        folder: the work folder of this kind of work (`files.work_dir`).
        label: what the progress bar says.
        kind: what the units have in common.

    Raises:
        CamtrapsError: a worker process was killed, the disk is full, or the engine is not to be had; finished units are
            kept for the next run.
        ShareDone: another rank goes on.
    """
    results = [folder / unit.fingerprint for unit in units]
    prune(folder, {result.name for result in results})
    wanted = missing(units, folder)
    total, chosen = sum(unit.size for unit in units), engine()
    initial = total - sum(unit.size for unit in wanted)
    with bar(None if rank() else label, total, kind.noun, initial=initial) as progress:
        if chosen == "ranks" and world() > 1:
            shares.carry(units, function, folder, progress, kind)
        elif chosen == "ray" and wanted:
            cluster.carry(wanted, function, folder, progress, kind)
        else:
            pool.carry(wanted, function, folder, progress, kind)
    for result in results:
        os.utime(result)
    return results


def engine() -> str:
    """Say who makes results: ``$CAMTRAPS_ENGINE``, else ``ray`` where ``$RAY_ADDRESS`` names a cluster, else ``local``.

    Raises:
        CamtrapsError: it is none of `ENGINES`.
    """
    given = os.environ.get("CAMTRAPS_ENGINE") or ("ray" if os.environ.get("RAY_ADDRESS") else "local")
    if given not in ENGINES:
        raise CamtrapsError(f"CAMTRAPS_ENGINE: expected one of {', '.join(ENGINES)}, got {given!r}")
    return given
