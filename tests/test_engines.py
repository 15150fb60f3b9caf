"""Engines: the same results from a pool, a Ray cluster and ranks, whatever is killed on the way."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from engine_work import letters, made, write_letter
from imports import ROOT

from camtraps.engines import cluster
from camtraps.errors import CamtrapsError, MissingError
from camtraps.processes import rank, world
from camtraps.storage import first_seen
from camtraps.units import engine, run

TESTS = Path(__file__).parent


def test_the_engine_is_chosen_by_the_environment(monkeypatch):
    assert engine() == "local"
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    assert engine() == "ray"
    monkeypatch.setenv("CAMTRAPS_ENGINE", "ranks")
    assert engine() == "ranks"
    monkeypatch.setenv("CAMTRAPS_ENGINE", "spark")
    with pytest.raises(CamtrapsError, match=r"^CAMTRAPS_ENGINE: expected one of local, ray, ranks, got 'spark'$"):
        engine()


def test_ranks_are_those_of_torchrun_or_of_slurm_where_asked_for(monkeypatch):
    monkeypatch.setenv("SLURM_PROCID", "2")
    monkeypatch.setenv("SLURM_NTASKS", "3")
    assert (rank(), world()) == (0, 1)
    monkeypatch.setenv("CAMTRAPS_ENGINE", "ranks")
    assert (rank(), world()) == (2, 3)
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert (rank(), world()) == (1, 2)


# ---- ranks


def start_rank(folder, number, text="abcdef", seconds="0.05"):
    environment = os.environ | {"CAMTRAPS_ENGINE": "ranks", "RANK": str(number), "WORLD_SIZE": "2"}
    environment |= {"PYTHONPATH": os.pathsep.join([str(TESTS), str(ROOT)]), "CAMTRAPS_WORKERS": "1"}
    command = [sys.executable, str(TESTS / "engine_work.py"), str(folder), seconds, text]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def test_each_rank_makes_its_share_and_the_first_has_all(tmp_path):
    first, second = (start_rank(tmp_path, number) for number in range(2))
    assert first.communicate(timeout=60)[0].strip() == "abcdef"
    assert second.communicate(timeout=60)[0].strip() == "rank 1 of 2 has made its share, 3 of 6 units"
    assert sorted(made(tmp_path)) == [["a", "0"], ["b", "1"], ["c", "0"], ["d", "1"], ["e", "0"], ["f", "1"]]
    assert sorted(path.name for path in (tmp_path / "units").iterdir()) == [".ranks", *(f"print-{a}" for a in "abcdef")]


def test_what_a_rank_that_died_left_is_made_by_the_first(tmp_path):
    (tmp_path / "trap-d").touch()
    first, second = (start_rank(tmp_path, number) for number in range(2))
    assert first.communicate(timeout=60)[0].strip() == "abcdef"
    second.communicate(timeout=60)
    assert sorted(letter for letter, _ in made(tmp_path)) == list("abcdef")
    assert ["d", "0"] in made(tmp_path)


def test_ranks_that_come_again_make_nothing_again(tmp_path):
    for _ in range(2):
        both = [start_rank(tmp_path, number) for number in range(2)]
        assert [process.communicate(timeout=60)[0][:6] for process in both] == ["abcdef", "rank 1"]
    assert len(made(tmp_path)) == 6


# ---- Ray


def test_without_ray_it_is_said_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("CAMTRAPS_ENGINE", "ray")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingError, match=r"ray is not installed; run `pip install 'camtraps\[ray\]'`$"):
        run(letters("a", tmp_path), write_letter, tmp_path, "test")


@pytest.mark.parametrize("address", ["head", "ray://head:10001", "head:port"])
def test_an_address_of_another_form_is_refused(tmp_path, monkeypatch, address):
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(CamtrapsError, match=r"^RAY_ADDRESS: expected HOST:PORT of the head node, got "):
        run(letters("a", tmp_path), write_letter, tmp_path, "test")


def test_an_address_without_a_cluster_is_a_clear_line(tmp_path, monkeypatch):
    pytest.importorskip("ray")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(CamtrapsError, match=r"^RAY_ADDRESS: no cluster answers at 127\.0\.0\.1:\d+ \("):
            run(letters("a", tmp_path), write_letter, tmp_path, "test")


def test_a_worker_with_other_code_is_refused(tmp_path):
    with pytest.raises(CamtrapsError, match=r": has another camtraps \(\w{12} on Python 3\.\d+\) than the driver "):
        cluster._made(write_letter, {}, "", str(tmp_path), "0123 on Python 3.11")


def test_a_worker_without_the_projects_folder_is_refused():
    with pytest.raises(CamtrapsError, match=r": /not/there: No such file or directory; mount the folder of the "):
        cluster._made(write_letter, {}, "", "/not/there", cluster._code())


def test_a_worker_without_the_photos_is_refused_and_does_not_take_them_for_gone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CamtrapsError, match=r": /mount/a.jpg: not there, though the driver has it; mount what holds "):
        cluster._made(write_letter, {}, "/mount/a.jpg", str(tmp_path), cluster._code())


def test_a_full_disk_of_a_worker_is_a_clear_line(tmp_path, monkeypatch):
    def fill(_, folder):
        raise OSError(28, "No space left on device", str(folder))

    monkeypatch.setattr(cluster, "start_worker", lambda: None)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CamtrapsError, match=r": /.*/result: No space left on device; free some space there$"):
        cluster._made(fill, {}, "", str(tmp_path), cluster._code())


def test_what_a_worker_complains_of_names_its_machine(tmp_path, monkeypatch):
    def refuse(_, folder):
        raise CamtrapsError("storage.yaml: no such profile")

    monkeypatch.setattr(cluster, "start_worker", lambda: None)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CamtrapsError, match=rf"^{socket.gethostname()}: storage.yaml: no such profile$"):
        cluster._made(refuse, {}, "", str(tmp_path), cluster._code())


class OtherVersion:
    """Stands for Ray where the cluster has another version."""

    @staticmethod
    def init(**_):
        raise RuntimeError("Version mismatch: The cluster was started with:\n    Ray: 2.50.0\n    Python: 3.11.7\n")


def test_a_cluster_of_another_version_is_a_clear_line(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    monkeypatch.setattr(cluster, "_reach", lambda address: None)
    with pytest.raises(CamtrapsError) as error, cluster._session(OtherVersion):
        pass
    said = "Version mismatch: The cluster was started with: Ray: 2.50.0 Python: 3.11.7"
    assert str(error.value) == f"RAY_ADDRESS: head:6379 cannot be used: {said}"


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n", b""])
def test_a_port_of_something_else_is_a_clear_line_at_once(answer):
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"

        def serve():
            connection = other.accept()[0]
            connection.recv(100)
            connection.sendall(answer)
            connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(CamtrapsError, match=rf"^RAY_ADDRESS: what answers at {address} is no head node of Ray; "):
            cluster._reach(address)
        thread.join()


def test_a_photo_that_is_there_is_named_for_workers_and_one_of_a_store_is_not():
    assert first_seen(["s3://b/a.jpg", "b.jpg", "c.jpg", "d.jpg"], ["", "absent", "9:1", "9:2"]) == "c.jpg"
    assert first_seen(["s3://b/a.jpg", "b.jpg"], ["", "absent"]) == ""


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """Run `cluster_session.py` in a network of its own; give what it found."""
    pytest.importorskip("ray")
    namespace = ["unshare", "-n", "-p", "-f", "--mount-proc"]
    if not shutil.which("unshare") or subprocess.run([*namespace, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no network namespace can be made here (needs unshare, and root)")
    folder = tmp_path_factory.mktemp("cluster")
    command = [*namespace, sys.executable, str(TESTS / "cluster_session.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_a_cluster_gives_the_bytes_of_one_machine(session):
    assert session["local"].startswith("12 ")
    assert session["ray"] == session["local"]


def test_a_unit_whose_process_dies_each_time_is_named(session):
    said, seconds = session["deadly"]
    assert said.startswith("the place of z.jpg is given up: its process was killed 4 times (out of memory? a photo in")
    assert seconds < 60


def test_a_busy_cluster_says_what_it_waits_for(session):
    assert "ray: no result for 1 s; 1 units are handed out, 0 of 2 CPUs on 2 nodes are free" in session["busy"]


def test_a_killed_worker_loses_nothing(session):
    assert session["worker"] == ["abcd", 4, False]


def test_a_killed_node_loses_nothing(session):
    assert session["node"] == ["abcdefghij", 1]


def test_a_killed_driver_makes_only_what_is_missing(session):
    content, kept, again = session["driver"]
    assert content == "abcdefgh"
    assert len(kept) >= 2
    assert sorted(kept + again) == list("abcdefgh")


def test_the_cluster_keeps_strangers_out(session):
    said, seconds = session["token"]
    assert said.startswith("RAY_ADDRESS: 127.0.0.1:6399 cannot be used: ")
    assert seconds < 30


def test_nothing_listened_beyond_loopback(session):
    assert session["reachable"] == []
