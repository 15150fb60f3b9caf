"""Two Ray nodes on loopback, and what must hold when processes and nodes of it are killed: prints one JSON line.

python tests/cluster_session.py FOLDER, best in a network namespace of its own: `unshare -n -p -f --mount-proc`.
"""

import fcntl
import json
import os
import secrets
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

from engine_work import made

TESTS = Path(__file__).resolve().parent
PORT = 6399


def loopback_up():
    """Switch the loopback interface on; it is off in a new namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as given:
        flags = struct.unpack("16sh", fcntl.ioctl(given, 0x8913, struct.pack("16sh", b"lo", 0)))[1]  # SIOCGIFFLAGS
        fcntl.ioctl(given, 0x8914, struct.pack("16sh", b"lo", flags | 1))  # SIOCSIFFLAGS, IFF_UP


def start(*options):
    """Start a node with one CPU, and wait until it is up."""
    ray = Path(sys.executable).with_name("ray")
    common = ["--node-ip-address=127.0.0.1", "--num-cpus=1", "--object-store-memory=100000000"]
    subprocess.run([ray, "start", *common, *options], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def start_second():
    start(f"--address=127.0.0.1:{PORT}")


def raylets():
    """Give the processes that are nodes, oldest first."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            program = path.read_bytes().split(b"\0")[0]
        except OSError:
            continue
        if program.endswith(b"raylet/raylet"):
            found.append(int(path.parent.name))
    return sorted(found)


def listening():
    """Give the addresses other than loopback that something can be reached at."""
    out = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=False).stdout
    return out.split()


def work(folder, seconds, text, wait=True):
    folder.mkdir(exist_ok=True)
    command = [sys.executable, str(TESTS / "engine_work.py"), str(folder), str(seconds), text]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return told(process) if wait else process


def told(process):
    """Give the last line of what a process prints; Ray prints before it."""
    return process.communicate()[0].splitlines()[-1]


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def num_made(folder):
    path = folder / "made.txt"
    return len(path.read_text().splitlines()) if path.exists() else 0


def crops_digest(folder, engine):
    """Cut crops and classify them with an engine; hash everything that comes out."""
    environment = os.environ | {"CAMTRAPS_ENGINE": engine, "CAMTRAPS_WORK": str(folder / f"work-{engine}")}
    command = [sys.executable, str(TESTS / "engine_crops.py"), str(folder), engine]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return (done.stdout.splitlines() or [done.stderr[-500:]])[-1]


def main(folder):
    if os.getpid() < 10:  # in a namespace
        loopback_up()
    token = folder / "token"
    token.write_text(secrets.token_hex(32))
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token), "RAY_ADDRESS": f"127.0.0.1:{PORT}"}
    os.environ |= {"PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)]), "OMP_NUM_THREADS": "1"}
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0"}
    start("--head", f"--port={PORT}", "--include-dashboard=false", "--disable-usage-stats")
    start_second()
    said = {"reachable": listening(), "local": crops_digest(folder, "local"), "ray": crops_digest(folder, "ray")}

    killed = folder / "worker"
    killed.mkdir()
    (killed / "trap-b").touch()
    said["worker"] = [work(killed, 0, "abcd"), num_made(killed), (killed / "trap-b").exists()]

    begin = time.monotonic()
    said["deadly"] = [work(folder / "deadly", 0, "za"), time.monotonic() - begin]

    holding = work(folder / "held", 600, "ab", wait=False)
    until(lambda: len(list((folder / "held").glob("begun-*"))) == 2)
    waiting = work(folder / "waiting", 0, "a", wait=False)
    said["busy"] = next(line for line in waiting.stderr if "no result" in line)
    for process in (holding, waiting):
        process.kill()
        process.communicate()

    lost = folder / "node"
    process = work(lost, 0.5, "abcdefghij", wait=False)
    until(lambda: num_made(lost) >= 2)
    os.kill(raylets()[-1], signal.SIGKILL)
    said["node"] = [told(process), len(raylets())]

    driven = folder / "driver"
    process = work(driven, 0.3, "abcdefgh", wait=False)
    until(lambda: len(list((driven / "units").glob("print-*"))) >= 2 if driven.exists() else False)
    process.kill()
    process.wait()
    kept = sorted(path.name[-1] for path in (driven / "units").glob("print-*"))
    (driven / "made.txt").rename(driven / "made-before.txt")
    said["driver"] = [work(driven, 0, "abcdefgh"), kept, sorted(letter for letter, _ in made(driven))]

    os.environ["RAY_AUTH_TOKEN_PATH"] = str(folder / "other")
    (folder / "other").write_text(secrets.token_hex(32))
    begin = time.monotonic()
    said["token"] = [work(folder / "stranger", 0, "a"), time.monotonic() - begin]
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
