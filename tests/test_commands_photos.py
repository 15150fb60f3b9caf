"""``camtraps fetch`` and ``camtraps check-images`` as a user runs them."""

import argparse
import json
import shlex
import subprocess
import sys
from pathlib import Path

import boto3
import make
import make_tables
import pytest
import servers
from photo_server import photo_server

from camtraps import cli, fetching, tables
from camtraps.commands import photos
from camtraps.errors import FailuresError, InputError, MissingError
from camtraps.schema import FAILURES, QUERIED

HEADER = "dataset,images,photos,photos_digest,source,source_digest\n"


@pytest.fixture(autouse=True)
def repository(tmp_path, monkeypatch):
    """Make a repository whose collection `demo` has the remote dataset a and the local dataset b."""
    servers.alone(monkeypatch, tmp_path)
    monkeypatch.setenv("CAMTRAPS_WORKERS", "1")
    Path("dvc.yaml").touch()
    Path("params.yaml").write_text("data: {name: demo, label_spec: label_spec.json}\n")
    rows = [make.row("a/1.jpg", "deer"), make.row("a/cam 1/ä#2.jpg", "fox"), make.row("b/1.jpg", "deer")]
    make.database(Path("data/demo/catalog"), *rows)
    Path("data/demo/images/b").mkdir(parents=True)
    Path("data/demo/images/b/1.jpg").write_bytes(make.photo("deer"))


@pytest.fixture
def server():
    with photo_server() as running:
        Path("data/demo/datasets.csv").write_text(f"{HEADER}a,{running.address},2,x,s,y\nb,images/b,1,x,s,y\n")
        running.photos = {f"/{name}": make.photo("fox") for name in ("1.jpg", "cam 1/ä#2.jpg")}
        yield running


@pytest.fixture
def run(capsys):
    """Run a command; give its exit code and its lines."""

    def attempt(*arguments):
        parser = argparse.ArgumentParser()
        photos.add(parser.add_subparsers(required=True))
        options = parser.parse_args(arguments)
        code = options.run(options)
        return code, capsys.readouterr().out.splitlines()

    return attempt


def size(server):
    return fetching.size(sum(map(len, server.photos.values())))


LOCAL = "b: nothing to fetch, 1 photo in data/demo/images/b"


def test_photos_are_fetched_once(server, run):
    assert run("fetch", "demo") == (0, [LOCAL, f"data/demo/images: 2 fetched ({size(server)}), 0 there already"])
    for name in ("1.jpg", "cam 1/ä#2.jpg"):
        assert Path("data/demo/images/a", name).read_bytes() == make.photo("fox")
    server.asked.clear()
    assert run("fetch", "demo") == (0, [LOCAL, "data/demo/images: 0 fetched (0 bytes), 2 there already"])
    assert server.asked == []


def test_a_dry_run_fetches_nothing(server, run):
    Path("data/demo/images/a").mkdir()
    Path("data/demo/images/a/1.jpg").write_bytes(b"pixels")
    told = f"a: 1 to fetch from {server.address} to data/demo/images/a, 1 there already"
    assert run("fetch", "demo", "--dry-run") == (0, [LOCAL, told])
    assert server.asked == []


def test_what_failed_is_listed_and_the_others_are_fetched(server, run, capsys):
    del server.photos["/1.jpg"]
    with pytest.raises(FailuresError) as error:
        run("fetch", "demo")
    assert str(error.value) == (
        "1 photo could not be fetched, first a/1.jpg: photo not found; all are in data/demo/problems/fetch.csv; "
        "run again to try them again"
    )
    counts = f"data/demo/images: 1 fetched ({size(server)}), 0 there already, 1 failed"
    assert capsys.readouterr().out.splitlines() == [LOCAL, f"{counts} -> data/demo/problems/fetch.csv"]
    assert Path("data/demo/problems/fetch.csv").read_text() == "image,reason\na/1.jpg,photo not found\n"
    server.photos["/1.jpg"] = make.photo("fox")
    run("fetch", "demo")
    assert not Path("data/demo/problems/fetch.csv").exists()


def test_a_store_that_refuses_is_one_line(server, run, monkeypatch):
    monkeypatch.setattr(fetching, "GIVE_UP", 2)
    server.answers = dict.fromkeys(server.photos, [403] * 9)
    said = rf"^so many photos in a row of a \({server.address}\) could .* the last a/.*: photo not readable: "
    with pytest.raises(FailuresError, match=said):
        run("fetch", "demo", "--threads", "1")


def test_a_part_of_the_photos_is_fetched_to_a_folder_of_choice(server, run):
    assert run("fetch", "demo", "--label", "fox", "--out", "here")[1][-1].startswith("here: 1 fetched ")
    assert [str(path) for path in Path("here").rglob("*.jpg")] == ["here/a/cam 1/ä#2.jpg"]
    assert server.asked == ["/cam 1/ä#2.jpg"]


def test_photos_of_the_last_query_are_fetched(server, run):
    rows = make_tables.rows(QUERIED, {"image": "a/1.jpg", "class": "deer", "label": "deer"})
    tables.write(rows, Path("data/queried/queried.parquet"), QUERIED)
    run("fetch", "demo", "--queried")
    assert server.asked == ["/1.jpg"]


def test_local_photos_are_not_fetched(server, run):
    assert run("fetch", "demo", "--dataset", "b") == (0, [LOCAL])


def test_a_place_that_dvc_keeps_or_that_is_a_file_is_refused(server, run):
    with pytest.raises(InputError, match=r"^--out: data/crops/x is in data/crops, which DVC keeps track of"):
        run("fetch", "demo", "--out", "data/crops/x")
    Path("file").touch()
    with pytest.raises(InputError, match=r"^--out: file is no folder; name the folder to fetch to$"):
        run("fetch", "demo", "--out", "file")


def test_photos_of_animl_come_from_its_bucket_with_the_profile(run, tmp_path, monkeypatch, capsys):
    image = {"id": "p:1", "file_name": "p/1.jpg", "serving_bucket_key": "original/p:1-original.jpg"}
    image |= {"location": "dep", "width": 64, "height": 48}
    label = {"id": 1, "image_id": "p:1", "category_id": 1, "validated": True}
    document = {"images": [image], "annotations": [label], "categories": [{"id": 1, "name": "fox"}]}
    make.write_json(tmp_path / "export.json", document)
    with pytest.raises(SystemExit, match="0"):
        cli.main(["import", "animl", "export.json", "--name", "x", "--dataset", "meadow"])
    Path("aws").write_text("[animl]\naws_access_key_id = OURS\naws_secret_access_key = b\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "aws")
    with servers.s3() as store:
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
        client = boto3.client("s3", endpoint_url=store.address, **keys)
        client.create_bucket(Bucket="animl-images-serving-prod")
        client.put_object(Bucket="animl-images-serving-prod", Key=image["serving_bucket_key"], Body=make.photo("fox"))
        client.close()
        store.keys.clear()
        store.failures = [("503 Slow Down", "SlowDown")]
        section = {"s3://animl-images-serving-prod": {"profile": "animl", "endpoint": store.address}}
        Path("storage.yaml").write_text(json.dumps(section))
        capsys.readouterr()
        told = f"data/x/images: 1 fetched ({len(make.photo('fox'))} bytes), 0 there already"
        assert run("fetch", "x") == (0, [told])
    assert set(store.keys) == {"OURS"}
    assert Path("data/x/images/meadow/original/p:1-original.jpg").read_bytes() == make.photo("fox")


def test_good_photos_are_all_good(server, run):
    assert run("check-images", "demo") == (0, ["demo: 3 photos, 0 not good"])


def test_bad_photos_are_told_and_listed(server, run):
    server.photos["/1.jpg"] = make.photo("fox")[:-300]
    del server.photos["/cam 1/ä#2.jpg"]
    assert run("check-images", "demo", "--out", "bad.csv") == (
        1,
        [
            "demo: 3 photos, 2 not good -> bad.csv",
            "kind       photos  first",
            "truncated       1  a/1.jpg: photo is cut off: its end is missing",
            "missing         1  a/cam 1/ä#2.jpg: photo not found",
            "good            1  -",
        ],
    )
    assert Path("bad.csv").read_text() == (
        "image,kind,reason\na/1.jpg,truncated,photo is cut off: its end is missing\n"
        "a/cam 1/ä#2.jpg,missing,photo not found\n"
    )


def test_the_list_may_have_all_photos(server, run):
    assert run("check-images", "demo", "--dataset", "b", "--out", "all.csv", "--all", "--fast")[0] == 0
    assert Path("all.csv").read_text() == "image,kind,reason\nb/1.jpg,good,\n"
    with pytest.raises(InputError, match=r"^--all: name the file to write with --out$"):
        run("check-images", "demo", "--all")


def test_photos_that_failed_are_looked_over(server, run):
    row = {"image": "b/1.jpg", "stage": "crop", "kind": "failed", "reason": "-"}
    tables.write(make_tables.rows(FAILURES, row), Path("data/crops/failures.parquet"), FAILURES)
    assert run("check-images", "demo", "--failed") == (0, ["demo: 1 photo, 0 not good"])


def test_a_folder_is_checked_without_a_repository(tmp_path, run):
    Path("dvc.yaml").unlink()
    Path("cards/1").mkdir(parents=True)
    Path("cards/1/a.JPG").write_bytes(b"%PDF")
    assert run("check-images", "cards") == (
        1,
        [
            "cards: 1 photo, 1 not good",
            "kind          photos  first",
            "not an image       1  1/a.JPG: photo is not an image",
        ],
    )
    with pytest.raises(InputError, match=r"^cards is a folder; --dataset, --label, --queried and --failed need a coll"):
        run("check-images", "cards", "--queried")
    with pytest.raises(MissingError, match=r"^no/folder: image folder not found$"):
        run("check-images", "no/folder")


@pytest.mark.parametrize("command", ["fetch", "check-images"])
def test_an_unknown_collection_is_refused(server, run, command):
    with pytest.raises(MissingError, match=r"^data/other: no such collection; there are: demo$"):
        run(command, "other")


def test_examples_are_understood(capsys):
    parser = argparse.ArgumentParser()
    photos.add(parser.add_subparsers(required=True))
    for line in (photos.FETCH + photos.CHECK).splitlines():
        if line.startswith("  ") and "camtraps " in line:
            assert callable(parser.parse_args(shlex.split(line.split("camtraps ", 1)[1])).run)


def test_the_command_loads_no_heavy_module():
    code = "import sys, camtraps.commands.photos; sys.exit(bool({'pandas', 'duckdb', 'fsspec'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
