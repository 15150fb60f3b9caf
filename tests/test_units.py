"""Units: made once, kept when a run is killed, made again when what they are made from changes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from imports import ROOT

from camtraps import results
from camtraps.engines import pool
from camtraps.errors import CamtrapsError
from camtraps.processes import num_workers
from camtraps.results import KEEP_SECONDS, Unit, may_pass, missing
from camtraps.units import run


def write_letter(payload, folder):
    (folder / "letter").write_text(payload["letter"])
    return True


def write_incomplete(payload, folder):
    write_letter(payload, folder)
    return False


def write_or_die(payload, folder):
    """End the process the hard way while a file tells to, but not before the other unit is finished."""
    if payload["letter"] == "b" and Path(payload["trap"]).exists():
        while not Path(payload["other"]).is_dir():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)
    return write_letter(payload, folder)


def fail_on_b(payload, folder):
    write_letter(payload, folder)
    if payload["letter"] == "b":
        raise ZeroDivisionError


def write_process(payload, folder):
    (folder / "letter").write_text(f"{os.getpid()} ")
    return True


def letters(text, **more):
    return [Unit(f"print-{letter}", {"letter": letter} | more, 1) for letter in text]


def content(folders):
    return "".join((folder / "letter").read_text() for folder in folders)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CAMTRAPS_WORKERS", "1")
    (tmp_path / "units").mkdir()
    return tmp_path / "units"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_results_come_in_the_order_of_the_units(folder, monkeypatch, workers):
    monkeypatch.setenv("CAMTRAPS_WORKERS", workers)
    assert content(run(letters("cab"), write_letter, folder, "test")) == "cab"


def test_the_work_is_done_in_other_processes(folder, monkeypatch):  # C12: threads, which take turns in Python
    monkeypatch.setenv("CAMTRAPS_WORKERS", "2")
    pids = content(run(letters("abcdef"), write_process, folder, "test")).split()
    assert len(pids) == 6
    assert str(os.getpid()) not in pids


def test_units_are_handed_out_a_few_at_a_time(folder, monkeypatch):  # C8: all were queued at once
    monkeypatch.setenv("CAMTRAPS_WORKERS", "2")
    out, most = set(), []

    class Pool(ThreadPoolExecutor):
        def __init__(self, num, **_):
            super().__init__(num)

        def submit(self, function, own, unit, place):
            out.add(unit.fingerprint)
            most.append(len(out))
            future = super().submit(function, own, unit, place)
            future.add_done_callback(lambda _: out.discard(unit.fingerprint))
            return future

    monkeypatch.setattr(pool, "ProcessPoolExecutor", Pool)
    text = "abcdefghijklmnopqrstuvwxyz"
    assert content(run(letters(text), write_letter, folder, "test")) == text
    assert len(most) == 26
    assert max(most) <= 4


def test_large_units_are_handed_out_first(folder, monkeypatch):
    monkeypatch.setenv("CAMTRAPS_WORKERS", "2")
    monkeypatch.setattr(pool, "ProcessPoolExecutor", lambda num, **_: ThreadPoolExecutor(1))
    made = []
    sized = [replace(unit, size=size) for unit, size in zip(letters("abc"), (1, 3, 2), strict=True)]
    run(sized, lambda payload, part: made.append(payload["letter"]) is None, folder, "test")
    assert made == ["b", "c", "a"]


def test_what_a_run_would_make_can_be_asked_before(folder):
    run(letters("ab"), write_letter, folder, "test")
    assert missing(letters("abc"), folder) == letters("c")


def test_a_finished_unit_is_not_made_again(folder):
    made = []
    run(letters("ab"), write_letter, folder, "test")
    run(letters("abc"), lambda payload, part: made.append(payload["letter"]) is None, folder, "test")
    assert made == ["c"]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_result_that_is_not_final_is_given_and_made_again_by_the_next_run(folder, monkeypatch, workers):
    monkeypatch.setenv("CAMTRAPS_WORKERS", workers)
    before = letters("ab")
    assert content(run(before, write_incomplete, folder, "test")) == "ab"
    after = [replace(unit, payload={"letter": unit.payload["letter"].upper()}) for unit in before]
    assert content(run(after, write_letter, folder, "test")) == "AB"
    assert content(run(before, write_letter, folder, "test")) == "AB"


@pytest.mark.parametrize(
    ("failure", "is_remote", "passing"),
    [
        ("photo not found", False, False),
        ("photo not found", True, True),
        ("photo cannot be decoded: broken data stream", False, False),
        ("photo not readable: Permission denied", False, True),
        ("model failed: CUDA out of memory", False, True),
    ],
)
def test_a_failure_that_no_stamp_would_show_to_be_over_may_pass(failure, is_remote, passing):
    assert may_pass(failure, is_remote) == passing


@pytest.mark.parametrize("is_final", [True, False])
def test_what_another_run_has_made_meanwhile_is_left_to_its_readers(folder, is_final):
    def beside(payload, part):
        if not (folder / "print-a").exists():
            (folder / "print-a").mkdir()
            (folder / "print-a/letter").write_text("other")
            if not is_final:
                (folder / "print-a" / results.AGAIN).touch()
        return write_letter(payload, part)

    assert content(run(letters("a"), beside, folder, "test")) == ("other" if is_final else "a")
    assert [path.name for path in folder.iterdir()] == ["print-a"]


def test_what_another_run_has_made_in_the_last_moment_is_taken(folder, monkeypatch):
    is_dir = Path.is_dir

    def other_in_between(path):
        if path == folder / "print-a" and not is_dir(path):
            path.mkdir()
            (path / "letter").write_text("other")
            return False
        return is_dir(path)

    run(letters("b"), write_letter, folder, "test")
    monkeypatch.setattr(results, "is_final", lambda result: False)
    monkeypatch.setattr(Path, "is_dir", other_in_between)
    assert content(run(letters("a"), write_letter, folder, "test")) == "other"


TWO_RUNS = """
import sys
from pathlib import Path
from camtraps.results import Unit
from camtraps.units import run

def write(payload, folder):
    (folder / "letter").write_text(payload)
    return True

if __name__ == "__main__":
    for number in range(300):
        (result,) = run([Unit(f"print-{number}", str(number), 1)], write, Path(sys.argv[1]), "test")
        assert (result / "letter").read_text() == str(number)
"""


def test_two_runs_can_share_a_work_folder(folder):
    command = [sys.executable, "-c", TWO_RUNS, str(folder)]
    both = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert len(list(folder.iterdir())) == 300


def test_what_another_run_removes_first_does_not_matter(folder, monkeypatch):
    for letter in "ab":
        (folder / letter).mkdir()
        os.utime(folder / letter, (0, 0))
    rmtree = shutil.rmtree

    def twice(path):
        rmtree(path)
        rmtree(path)

    monkeypatch.setattr(shutil, "rmtree", twice)
    results.prune(folder, set())
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="Linux ends processes with their parent")
def test_a_worker_whose_parent_died_before_it_could_ask_ends(folder, monkeypatch):
    code = "import sys; from camtraps.processes import start_worker; start_worker(int(sys.argv[1]))"
    own = [
        subprocess.run([sys.executable, "-c", code, str(pid)], cwd=ROOT, check=False) for pid in (os.getpid(), 2**22)
    ]
    assert [done.returncode for done in own] == [0, 1]
    monkeypatch.setenv("CAMTRAPS_WORKERS", "2")
    started = []
    monkeypatch.setattr(
        pool, "ProcessPoolExecutor", lambda num, initargs, **_: started.append(initargs) or ThreadPoolExecutor(num)
    )
    run(letters("ab"), write_letter, folder, "test")
    assert started == [(os.getpid(),)]


def test_a_try_that_breaks_leaves_the_next_run_to_try_again(folder):
    (unit,) = letters("b")
    run([unit], write_incomplete, folder, "test")
    with pytest.raises(ZeroDivisionError):
        run([unit], fail_on_b, folder, "test")
    assert content(run([replace(unit, payload={"letter": "B"})], write_letter, folder, "test")) == "B"


def test_another_fingerprint_is_made_anew_beside_the_old_one(folder):
    run([Unit("old", {"letter": "a"}, 1)], write_letter, folder, "test")
    assert content(run([Unit("new", {"letter": "b"}, 1)], write_letter, folder, "test")) == "b"
    assert (folder / "old/letter").read_text() == "a"


def test_a_killed_worker_leaves_finished_units_and_the_next_run_continues(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("CAMTRAPS_WORKERS", "2")
    trap = tmp_path / "trap"
    trap.touch()
    two = letters("ab", trap=str(trap), other=str(folder / "print-a"))
    with pytest.raises(CamtrapsError) as error:
        run(two, write_or_die, folder, "test")
    assert str(error.value) == (
        "a worker process was killed (out of memory?); what is finished is kept: run again, "
        "with CAMTRAPS_WORKERS=1 if memory is short"
    )
    finished = (folder / "print-a/letter").stat()
    assert not (folder / "print-b").exists()
    trap.unlink()
    assert content(run(two, write_or_die, folder, "test")) == "ab"
    assert (folder / "print-a/letter").stat().st_ino == finished.st_ino


def test_what_the_workers_were_making_is_named_when_one_is_killed(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("CAMTRAPS_WORKERS", "2")
    (tmp_path / "trap").touch()
    two = letters("ab", trap=str(tmp_path / "trap"), other=str(folder / "print-a"))
    named = [replace(unit, name=f"shards/{unit.payload['letter']}.zip") for unit in two]
    with pytest.raises(CamtrapsError, match=r"^a worker process was killed, at work on shards/b\.zip \(out "):
        run(named, write_or_die, folder, "test")


def test_an_error_of_the_function_leaves_no_half_unit(folder):
    with pytest.raises(ZeroDivisionError):
        run(letters("ab"), fail_on_b, folder, "test")
    assert [path.name for path in folder.iterdir()] == ["print-a"]


def test_what_a_killed_process_of_the_same_number_left_behind_is_in_nobodys_way(folder):
    (folder / f".print-a.{os.getpid()}.part").mkdir()
    assert content(run(letters("a"), write_letter, folder, "test")) == "a"


def test_results_that_nobody_asked_for_in_a_month_are_removed(folder):
    run(letters("abc"), write_letter, folder, "test")
    long_ago = time.time() - KEEP_SECONDS - 60
    for name in ("print-a", "print-b"):
        os.utime(folder / name, (long_ago, long_ago))
    run(letters("a"), write_letter, folder, "test")
    assert sorted(path.name for path in folder.iterdir()) == ["print-a", "print-c"]


def test_the_number_of_workers_can_be_given(monkeypatch):
    monkeypatch.setenv("CAMTRAPS_WORKERS", "3")
    assert num_workers() == 3


@pytest.mark.parametrize("given", ["0", "-1", "two", "1.5"])
def test_a_senseless_number_of_workers_is_refused(monkeypatch, given):
    monkeypatch.setenv("CAMTRAPS_WORKERS", given)
    with pytest.raises(CamtrapsError) as error:
        num_workers()
    assert str(error.value) == f"CAMTRAPS_WORKERS: expected a whole number above 0, got '{given}'"
