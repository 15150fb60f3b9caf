"""Work for the engines' tests, in a module that worker processes can import, and as a program that does it.

python tests/engine_work.py FOLDER SECONDS LETTERS: one unit a letter, made in so many seconds each.
"""

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from camtraps.engines import cluster, shares
from camtraps.errors import CamtrapsError, ShareDone
from camtraps.results import Unit
from camtraps.units import run


def write_letter(payload, folder):
    """Write the letter, and note in a common file who made it; end the process where a trap file says so, once."""
    (Path(payload["folder"]) / f"begun-{payload['letter']}").touch()
    time.sleep(payload["seconds"])
    trap = Path(payload["folder"]) / f"trap-{payload['letter']}"
    with suppress(FileNotFoundError):
        trap.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    if payload["letter"] == "z":  # a photo that always ends the process that decodes it
        os.kill(os.getpid(), signal.SIGKILL)
    (folder / "letter.txt").write_text(payload["letter"])
    with (Path(payload["folder"]) / "made.txt").open("a") as file:
        file.write(f"{payload['letter']} {os.environ.get('RANK', os.getpid())}\n")
    return True


def letters(text, folder, seconds=0.0):
    payload = {"folder": str(folder), "seconds": seconds}
    return [Unit(f"print-{each}", payload | {"letter": each}, 1, f"the place of {each}.jpg") for each in text]


def content(results):
    return "".join((result / "letter.txt").read_text() for result in results)


def made(folder):
    """Give the letters in the order in which they were made, and who made them."""
    return [line.split() for line in (folder / "made.txt").read_text().splitlines()]


def main(folder, seconds, text):
    """Make the letters' units in the work folder FOLDER/units and print what they hold."""
    shares.BEAT_SECONDS, shares.SILENT_SECONDS, cluster.QUIET_SECONDS = 0.1, 1.5, 1.0
    (folder / "units").mkdir(exist_ok=True)
    try:
        said = content(run(letters(text, folder, seconds), write_letter, folder / "units", "test"))
    except (CamtrapsError, ShareDone) as error:
        said = str(error)
    sys.stdout.write(f"{said}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3])
