"""Sharing over S3, Azure, SSH and a disk, with servers that stop, keys that are wrong and objects that are damaged."""

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest
import servers
from dvc.repo import Repo
from servers import NO_AZURITE, NO_S3RVER, Gate
from team import EXPECTED, NUM_BYTES, Repository, oids, remote

from camtraps import cli, doctor, dvc_remotes, objects

pytestmark = pytest.mark.filterwarnings(r"ignore::DeprecationWarning:dvc\.")  # DVC's own, of pygtrie
AWS = {"AWS_ACCESS_KEY_ID": "S3RVER", "AWS_SECRET_ACCESS_KEY": "S3RVER", "AWS_DEFAULT_REGION": "us-east-1"}
ENOUGH = 5 * NUM_BYTES // 2  # bytes on the way when the server stops


@dataclass
class Team:
    """Two people, the gate before their server, and what became of a push and a pull while it stopped."""

    first: Repository
    second: Repository
    gate: Gate | None
    printed: dict[str, str]


@contextmanager
def moto(folder):
    import boto3

    with servers.s3() as server:
        boto3.client("s3", endpoint_url=server.address, region_name="us-west-2", **KEYS).close()
        gate = Gate(server.server.server_port)
        yield gate, ["s3://team/deep/er", "--endpoint", f"http://127.0.0.1:{gate.port}"], AWS


KEYS = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}


@contextmanager
def s3rver(folder):
    with servers.s3rver(folder) as port:
        gate = Gate(port)
        yield gate, ["s3://team/camtraps", "--endpoint", f"http://127.0.0.1:{gate.port}"], AWS


@contextmanager
def azure(folder):
    with servers.azure(folder) as address:
        gate = Gate(int(address.split(":")[2].split("/")[0]))
        name = f"AccountName={servers.ACCOUNT};AccountKey={servers.KEY}"
        blobs = f"BlobEndpoint=http://127.0.0.1:{gate.port}/{servers.ACCOUNT}"
        env = {"AZURE_STORAGE_CONNECTION_STRING": f"DefaultEndpointsProtocol=http;{name};{blobs};"}
        yield gate, ["az://team/camtraps"], env


@contextmanager
def ssh(folder):
    with servers.ssh(folder) as port:
        yield None, [f"ssh://me@127.0.0.1:{port}/camtraps", "--secret", "password"], {}


@contextmanager
def disk(folder):
    yield None, [str(folder)], {}


STORES = {
    "moto": pytest.param(moto, id="moto"),
    "s3rver": pytest.param(s3rver, id="s3rver", marks=pytest.mark.skipif(bool(NO_S3RVER), reason=str(NO_S3RVER))),
    "azure": pytest.param(azure, id="azure", marks=pytest.mark.skipif(bool(NO_AZURITE), reason=str(NO_AZURITE))),
    "ssh": pytest.param(ssh, id="ssh"),
    "disk": pytest.param(disk, id="disk"),
}


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return Repository.made(tmp_path_factory.mktemp("original"))


@pytest.fixture(scope="module", params=STORES.values())
def team(request, original, tmp_path_factory):
    """Push, clone and pull; where there is a gate, the server stops in the middle of both."""
    folder = tmp_path_factory.mktemp("team")
    (folder / "store").mkdir()
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setattr(dvc_remotes, "LIMIT", 60)  # seconds, for busy machines
        gate, arguments, env = stack.enter_context(request.param(folder / "store"))
        first = original.copy(folder / "first", **env)
        first.enter(patch)
        patch.setattr("sys.stdin", _Lines("key\n"))
        with pytest.raises(SystemExit, match="0"):
            cli.main(["remote", "add", *arguments])
        first.commit()
        printed = {"push": _broken(first, gate, "push")}
        assert in_dvc(lambda repository: repository.push()) > 0
        # s3rver keeps what it got of an object when the connection broke, which no push sees.
        assert verify("--remote") == 0
        second = first.clone(folder / "second")
        if "--secret" in arguments:
            second.run("dvc", "remote", "modify", "--local", "team", "password", "key")
        second.enter(patch)
        printed["pull"] = _broken(second, gate, "pull")
        in_dvc(lambda repository: repository.pull())
        yield Team(first, second, gate, printed)
        if gate:
            gate.close()


class _Lines:
    def __init__(self, *lines):
        self.lines = list(lines)

    def isatty(self):
        return False

    def readline(self):
        return self.lines.pop(0)


def _broken(repository, gate, command):
    """Run a command while the server stops; give what the doctor says then."""
    if gate is None:
        return ""
    gate.close()
    gate.open(ENOUGH)
    process = repository.start("dvc", command)
    assert gate.closed.wait(60), process.communicate()[0]
    process.kill()  # it would try for ten seconds (S3) or eighty (Azure)
    process.communicate()
    told = doctor.remote().line()
    gate.open()
    return told


def in_dvc(do):
    """Do something as `dvc` would, in this process, which is quicker."""
    with Repo() as repository:
        return do(repository)


def verify(*arguments):
    with pytest.raises(SystemExit) as ended:
        cli.main(["verify", *arguments])
    return ended.value.code


def spoil(place, oid, change):
    path, store = place.path(oid), place.store.fs
    data = store.cat_file(path)
    store.rm_file(path)
    store.pipe_file(path, change(data))


@pytest.fixture
def second(team, monkeypatch):
    team.second.enter(monkeypatch)
    return team.second


@pytest.fixture
def first(team, monkeypatch):
    team.first.enter(monkeypatch)
    return team.first


def test_a_server_that_stopped_is_told_in_one_line_and_afterwards_all_is_complete(team, second):
    if team.gate:
        for told in (team.printed["push"], team.printed["pull"]):
            assert told.startswith("BAD remote   no connection to ")
            assert told.endswith("; is the server running, is the address right?")
    assert second.outputs() == EXPECTED


def test_in_a_fresh_clone_everything_is_up_to_date_after_a_pull(team, second):
    assert in_dvc(lambda repository: repository.reproduce()) == []
    assert in_dvc(lambda repository: repository.status()) == {}


def test_the_doctor_finds_a_remote_that_can_be_used_and_leaves_nothing_there(team, second):
    finding = doctor.remote()
    assert finding.good, finding.line()
    assert finding.text.endswith(": can be written and read")
    place = objects.remote_place(remote())
    top = place.folder.removesuffix("/files/md5")
    assert {path.removeprefix(top).split("/")[1] for path in place.store.find(top)} == {"files"}


def test_damage_on_the_remote_is_found_by_verify_and_mended(team, first, capsys):
    """An object with flipped bytes, one cut short and one that is gone; `dvc push` would see none of the first two."""
    names, place = oids(), objects.remote_place(remote())
    spoil(place, names["crops/a.zip"], lambda data: data[:9] + bytes([data[9] ^ 1]) + data[10:])
    spoil(place, names["crops/b.zip"], lambda data: data[:1000])
    place.store.remove(place.path(names["model"]))
    assert verify("--remote", "--dry-run") == 1
    assert verify("--remote") == 0
    told = capsys.readouterr().out.splitlines()
    assert told[-3:] == [
        f"team: {names['crops/b.zip']} cut short, 1,000 of 300,000 bytes (crops/b.zip): mended",
        f"team: {names['crops/a.zip']} damaged (crops/a.zip): mended",
        f"team: {names['model']} missing (model): mended",
    ]
    assert verify("--remote") == 0
    assert capsys.readouterr().out == "cache: 5 objects, 1.2 MB, all intact\nteam: 5 objects, 1.2 MB, all intact\n"


def test_damage_in_the_cache_is_mended_from_the_remote_and_with_it_the_files_linked_to_it(team, second, capsys):
    names = oids()
    path = second.path / "crops/a.zip"
    path.chmod(0o644)
    path.write_bytes(b"something else")
    assert verify() == 0
    assert capsys.readouterr().out.splitlines() == [
        "cache: 5 objects, 900.2 kB, 1 damaged",
        f"cache: {names['crops/a.zip']} cut short, 14 of 300,000 bytes (crops/a.zip): mended",
    ]
    assert second.outputs() == EXPECTED


def test_what_is_damaged_everywhere_is_told_and_mended_by_whoever_has_it(team, second, capsys, monkeypatch):
    names, place = oids(), objects.remote_place(remote())
    spoil(place, names["crops/c.zip"], lambda data: b"x" + data[1:])
    path = second.path / "crops/c.zip"
    path.chmod(0o644)
    path.write_bytes(b"y" + EXPECTED["crops/c.zip"][1:])
    assert verify("--remote") == 1
    printed = capsys.readouterr()
    assert printed.out.splitlines()[2:] == [
        f"cache: {names['crops/c.zip']} damaged (crops/c.zip): not mended: team has no intact one",
        f"team: {names['crops/c.zip']} damaged (crops/c.zip): not mended: cache has no intact one",
    ]
    assert printed.err == "camtraps: 2 of 2 faults are not mended, listed above\n"
    team.first.enter(monkeypatch)
    assert verify("--remote") == 0
    team.second.enter(monkeypatch)
    assert verify() == 0
    assert second.outputs() == EXPECTED
