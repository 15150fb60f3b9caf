"""Kill `camtraps classify` ten times on its way and let the last run end; started by a test, to import torch once.

python kill_classify.py SEED ARGUMENTS: prints how many photos were done after each kill.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

from camtraps import classifier, classifying, finding, watching  # noqa: F401  # once, and not in each child
from camtraps.cli import main
from camtraps.files import work_dir

classifying.PHOTOS = 2
torch.set_num_threads(1)
classifier.load(Path(sys.argv[sys.argv.index("--model") + 1]))  # which imports what makes networks
chance = random.Random(int(sys.argv[1]))


def done() -> int:
    return len(list(work_dir("classify").glob("*.arrow")))


def start() -> int:
    child = os.fork()
    if not child:
        main(["classify", *sys.argv[2:]])
    return child


counts = []
for _ in range(10):
    child, before = start(), done()
    deadline = time.monotonic() + 20
    # In the middle of the work, wherever that is then.
    while done() < before + chance.randint(1, 2) and time.monotonic() < deadline:
        time.sleep(0.002)
    time.sleep(chance.uniform(0, 0.02))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    counts.append(done())
out = Path(sys.argv[sys.argv.index("--out") + 1])
sys.stdout.write(f"{counts} {out.exists()}\n")
_, status = os.waitpid(start(), 0)
sys.exit(os.waitstatus_to_exitcode(status))
