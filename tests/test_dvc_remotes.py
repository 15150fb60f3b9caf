"""Remotes of DVC: what is written into its configuration, and what is said of one that cannot be used."""

import os
import socket
import stat

import pytest
import servers
from dvc.repo import Repo

from camtraps import cli, doctor, dvc_remotes
from camtraps.errors import InputError

FORBIDDEN = ("403 Forbidden", "AccessDenied")


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    """Stand in an empty DVC repository, with keys that moto takes."""
    servers.alone(monkeypatch, tmp_path)
    for name in ("DVC_SITE_CACHE_DIR", "DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "KEY")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(dvc_remotes, "LIMIT", 60)  # seconds, for busy machines
    Repo.init(no_scm=True).close()


@pytest.fixture(scope="module")
def server():
    with servers.s3() as running:
        yield running


def config(name="config"):
    with open(f".dvc/{name}", encoding="utf-8") as file:  # noqa: PTH123
        return [line.strip() for line in file if "=" in line]


def tried(url="s3://team/x", **options):
    """Give what the doctor says of a remote."""
    dvc_remotes.add(url, "team", options, {})
    finding = doctor.remote()
    assert "\n" not in finding.text
    return finding.good, finding.text


def refusal(url, options=(), secrets=(), name="team"):
    with pytest.raises(InputError) as caught:
        dvc_remotes.add(url, name, dict(options), dict(secrets))
    return str(caught.value)


def test_a_remote_is_written_with_verify_jobs_and_time_outs_and_is_the_default_one():
    files = dvc_remotes.add("s3://b/p", "team", {"endpoint": "http://h:1"}, {})
    assert [str(path) for path in files] == [".dvc/config"]
    assert config() == [
        "no_scm = True",
        "remote = team",
        "url = s3://b/p",
        "verify = True",
        "jobs = 8",
        "connect_timeout = 10",
        "read_timeout = 60",
        "endpointurl = http://h:1",
    ]


def test_a_second_one_of_the_same_name_takes_its_place():
    dvc_remotes.add("s3://b/p", "team", {}, {})
    dvc_remotes.add("azure://c/p", "team", {"account": "a"}, {})
    assert "url = azure://c/p" in config()
    assert not [line for line in config() if "s3://" in line]


def test_secrets_go_to_the_file_that_git_does_not_track_for_nobody_else_to_read():
    files = dvc_remotes.add("az://c/p", "team", {"account": "a"}, {"account_key": "secret"})
    assert [str(path) for path in files] == [".dvc/config", ".dvc/config.local"]
    assert config("config.local") == ["account_key = secret"]
    assert "secret" not in " ".join(config())
    assert stat.S_IMODE(os.stat(".dvc/config.local").st_mode) == 0o600  # noqa: PTH116


def test_what_cannot_be_a_remote_is_refused():
    assert refusal("gopher://x") == (
        "gopher://x: must be s3://, azure://, ssh:// or a folder; `dvc remote add` knows other kinds"
    )
    assert refusal("/no/such") == "/no/such: no such folder; make it, or mount its disk"
    assert refusal("ssh://me:word@host/p") == (
        "ssh://host: the address holds a key, which would get into git; see --secret"
    )
    assert refusal("s3:///p") == "s3:///p: names no bucket"
    assert refusal("s3://b", options={"account": "a"}) == (
        "s3://b: takes no option account; of its kind it takes endpoint, profile, region"
    )
    assert refusal("s3://b", secrets={"account_key": "a"}) == (
        "s3://b: takes no secret account_key; of its kind it takes access_key_id, secret_access_key, session_token"
    )
    assert refusal("s3://b", options={"profile": "A" * 40}) == (
        "an option looks like a key, which would get into git; give it with --secret"
    )
    assert refusal("s3://b", name="My Team") == "--name: must be of small letters, digits, - and _, got 'My Team'"
    assert config() == ["no_scm = True"]


def test_without_a_remote_the_doctor_says_how_to_get_one():
    finding = doctor.remote()
    assert finding.good
    assert finding.text == "none is configured; `camtraps remote add URL` shares data and models"


def test_a_remote_that_there_is_not_is_told():
    assert doctor.remote("other").line() == "BAD remote   remote other: config file error: remote 'other' doesn't exist"


def test_a_remote_without_verify_can_be_used_and_the_doctor_says_what_that_means(tmp_path):
    dvc_remotes.add(str(tmp_path), "team", {}, {})
    with Repo() as repository, repository.config.edit() as changed:
        del changed["remote"]["team"]["verify"]
    assert doctor.remote().line() == (
        f"ok  remote   team, {tmp_path}: can be written and read, but damage goes unseen; "
        "`dvc remote modify team verify true`"
    )


def test_a_bucket_that_does_not_exist_is_told(server):
    assert tried("s3://nobody/x", endpoint=server.address) == (
        False,
        f"s3://nobody does not exist at {server.address}; make it, or mend the address",
    )


@pytest.mark.parametrize("code", ["InvalidAccessKeyId", "SignatureDoesNotMatch"])
def test_a_wrong_key_is_told(server, code):
    server.failures[:] = [("403 Forbidden", code)]
    assert tried(endpoint=server.address) == (
        False,
        f"s3://team/x at {server.address} refuses the credentials ({code}); "
        "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    )


def test_who_may_read_but_not_write_is_told(server):
    server.failures[:] = [FORBIDDEN]
    assert tried(endpoint=server.address) == (
        False,
        f"s3://team/x at {server.address} may be read but not written; ask for the permission",
    )


def test_who_may_do_nothing_is_told(server):
    server.failures[:] = [FORBIDDEN] * 9
    good, text = tried(endpoint=server.address)
    server.failures.clear()
    assert not good
    assert text.startswith(f"s3://team/x at {server.address} refuses the credentials (AccessDenied)")


def test_who_may_not_delete_is_told(server):
    server.failures[:] = [None, None, FORBIDDEN]
    good, text = tried(endpoint=server.address)
    assert not good
    told = f"s3://team/x at {server.address} may be written but not deleted from: team/x/camtraps-doctor-"
    assert text.startswith(told)


def test_without_credentials_that_is_told(server, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    good, text = tried(endpoint=server.address)
    assert not good
    assert text.startswith(f"no credentials for s3://team/x at {server.address}; set AWS_PROFILE")


@pytest.mark.parametrize("kind", ["s3", "ssh"])
def test_a_server_that_is_not_there_is_told(kind):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{free.getsockname()[1]}"
    url, options = ("s3://team/x", {"endpoint": f"http://{place}"}) if kind == "s3" else (f"ssh://me@{place}/x", {})
    good, text = tried(url, **options)
    assert not good
    where = f"{url} at http://{place}" if kind == "s3" else url
    assert text == f"no connection to {where}; is the server running, is the address right?"


def test_a_server_that_stays_silent_is_given_up_in_time(monkeypatch):
    monkeypatch.setattr(dvc_remotes, "LIMIT", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        good, text = tried(endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert not good
    assert "did not answer" in text


def test_a_disk_that_is_not_mounted_is_told(tmp_path):
    (tmp_path / "share").mkdir()
    dvc_remotes.add(str(tmp_path / "share"), "team", {}, {})
    (tmp_path / "share").rmdir()
    assert doctor.remote().line() == f"BAD remote   {tmp_path}/share: no such folder; make it, or mount its disk"


def test_a_secret_is_read_from_stdin_where_nobody_can_be_asked(monkeypatch, tmp_path):
    class Lines:
        isatty, readline = staticmethod(lambda: False), staticmethod(lambda: "")

    monkeypatch.setattr("sys.stdin", Lines)
    with pytest.raises(SystemExit, match="1"):
        cli.main(["remote", "add", "s3://b/p", "--secret", "access_key_id"])


@pytest.mark.skipif(servers.NO_AZURITE is not None, reason=str(servers.NO_AZURITE))
def test_azure_with_a_wrong_key_and_without_the_container_is_told(tmp_path, monkeypatch):
    (tmp_path / "azurite").mkdir()
    with servers.azure(tmp_path / "azurite") as address:
        for key, container, expected in (
            ("QUJD", "team", "azure://team/x refuses the credentials (AuthorizationFailure); set AZURE_STORAGE_KEY, "),
            (servers.KEY, "nobody", "azure://nobody does not exist; make it, or mend the address"),
        ):
            text = f"AccountName={servers.ACCOUNT};AccountKey={key};BlobEndpoint={address};"
            monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", f"DefaultEndpointsProtocol=http;{text}")
            good, told = tried(f"azure://{container}/x")
            assert not good
            assert told.startswith(expected)
