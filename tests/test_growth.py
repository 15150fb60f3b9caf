"""A collection that grows: what runs again and what is sent again, and what a fresh clone gets without the rest."""

import hashlib
import json
import shutil
from dataclasses import dataclass

import make
import pandas as pd
import pytest
import yaml
from conftest import Clone
from dvc.repo import Repo

from camtraps import cli, collection_files, importing, layout, peeking
from camtraps.files import write_json

pytestmark = pytest.mark.filterwarnings(r"ignore::DeprecationWarning:dvc\.")  # DVC's own, of pygtrie
ALL = ["query", "detect", "crop", "split", "train", "evaluate"]  # those after it depend on it
# Stages that would take long: each writes the hash of what it depends on.
STANDIN = """import hashlib, pathlib, sys, yaml
stage = yaml.safe_load(open("dvc.yaml"))["stages"][sys.argv[1]]
names = [dep for dep in stage["deps"] if dep.startswith(("data/", "models/"))]
deps = [pathlib.Path(name.replace("${data.name}", "mine")) for name in names]
files = sorted(file for dep in deps for file in ([dep] if dep.is_file() else dep.rglob("*")) if file.is_file())
files += [pathlib.Path("params.yaml")]
digest = hashlib.md5(b"".join(file.read_bytes() for file in files)).hexdigest()
for out in stage["outs"]:
    folder = pathlib.Path(out if isinstance(out, str) else next(iter(out)))
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("classes.json", "counts.json"):  # which other stages name
        (folder / name).write_text(sys.argv[1] + digest)
"""
SPEC = {"cervid": make.LABEL_SPEC["cervid"], "canid": make.LABEL_SPEC["canid"]}
SPLIT = {"val_fraction": 0.2, "test_fraction": 0.2, "min_locations": 1}


@dataclass
class Update:
    """What an addition did: stages that ran, shards whose bytes are new, all shards, objects pushed, splits."""

    stages: list[str]
    new_shards: list[str]
    shards: int
    objects: int
    splits: dict[tuple[str, str], str]


class Project:
    """A clone with a collection, whose stages from `train` on are stand-ins, and a disk as its remote."""

    def __init__(self, folder):
        self.clone, self.folder = Clone(folder), folder
        self.path, self.remote = self.clone.path, folder / "remote"
        self.home = self.path / "data/mine"
        self.remote.mkdir()
        self.updates = {}

    def set_up(self):
        self.clone.set_params(
            data={"name": "mine"}, detect={"detector": "none", "recorded": "none"}, split=SPLIT, crop={"min_side": 1}
        )
        document = yaml.safe_load((self.path / "dvc.yaml").read_text())
        stages = document["stages"]
        for name, stage in stages.items():
            # No code changes here, and DVC takes seconds for so many files.
            stage["deps"] = [dep for dep in stage["deps"] if not dep.startswith("camtraps/")]
            if name in ALL[4:]:
                stage["cmd"] = f"python standin.py {name}"
        (self.path / "dvc.yaml").write_text(json.dumps(document))
        (self.path / "standin.py").write_text(STANDIN)
        with pytest.raises(SystemExit, match="0"):
            cli.main(["remote", "add", str(self.remote)])

    def add_photos(self, dataset, num_at):
        """Import a dataset anew, with so many photos of each class at each location."""
        source = self.folder / "photos" / dataset
        document = {"info": {}, "images": [], "annotations": [], "categories": []}
        document["categories"] = [{"id": at, "name": name} for at, name in enumerate(make.CLASSES)]
        for location, num in num_at.items():
            for at in range(num):
                for number, name in enumerate(make.CLASSES[:3]):
                    file = f"{location}/{name}{at}.jpg"
                    (source / file).parent.mkdir(parents=True, exist_ok=True)
                    # What stands behind the end of a JPEG is no part of the picture.
                    (source / file).write_bytes(make.photo(name) + f"{dataset}{file}".encode())
                    image = {"id": file, "file_name": file, "location": location, "width": 64, "height": 48}
                    box = {"bbox": list(make.BOX_PX), "category_id": number}
                    document["images"].append(image | {"seq_id": file, "frame_num": 0})
                    document["annotations"].append(box | {"id": file, "image_id": file})
        write_json(source / "cct.json", document)
        importing.import_cct(self.home, dataset, source / "cct.json", str(source))

    def set_labels(self, spec):
        write_json(self.home / "label_spec.json", spec)

    def update(self, name):
        """Run the pipeline, push, and note what that did."""
        before, sent = self.shards(), self.sent()
        with Repo() as repository:
            repository.add("data/mine/catalog")
            ran = [stage.name for stage in repository.reproduce("evaluate")]
            repository.push()
        self.clone.commit()
        after = self.shards()
        new = sorted(shard for shard in after if before.get(shard) != after[shard])
        rows = pd.read_parquet(layout.SPLITS / "splits.parquet")
        splits = dict(zip(zip(rows["dataset"], rows["location"], strict=True), rows["split"], strict=True))
        self.updates[name] = Update([each for each in ALL if each in ran], new, len(after), self.sent() - sent, splits)

    def shards(self):
        folder = self.path / "data/crops/shards"
        return {path.relative_to(folder).as_posix(): digest(path) for path in folder.rglob("*.zip")}

    def sent(self):
        return sum(path.is_file() for path in self.remote.rglob("*"))


def digest(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Let a collection grow, step by step."""
    project = Project(tmp_path_factory.mktemp("growth"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project.path)
        for name, value in project.clone.env(CAMTRAPS_WORKERS="1").items():
            patch.setenv(name, value)
        project.set_up()
        grow(project)
    return project


def grow(project):
    photos = {f"{at:03}": 2 for at in range(6)}
    project.home.mkdir()
    lineages = {(dataset, name): taxa for dataset in ("one", "two") for name, taxa in make.LINEAGES.items()}
    project.add_photos("one", photos)
    source = project.folder / "taxonomy.csv"
    source.write_text(make.taxonomy_csv(lineages), encoding="utf-8")
    collection_files.place_taxonomy(project.home, source)
    project.set_labels(SPEC)
    project.update("start")
    shutil.copyfile(layout.SPLITS / "splits.parquet", project.home / "splits/first.parquet")
    project.clone.set_params(split={"previous": "first.parquet"})
    project.add_photos("one", photos | {"000": 3, "006": 2})
    project.update("photos and a camera")
    project.add_photos("two", {"000": 2, "001": 2})
    project.update("dataset")
    with (project.home / "corrections.csv").open("a") as file:
        file.write("one,003/deer0.jpg,fox,Ann,2024-05-01,,\n")
    project.update("correction")
    project.set_labels({"deer": SPEC["cervid"], "canid": SPEC["canid"], "boar": {"dataset_labels": {"two": ["null"]}}})
    project.update("labels")
    project.clone.set_params(train={"epochs": 3})
    project.update("training")


@pytest.mark.parametrize(
    ("name", "first", "new_shards"),
    [
        ("photos and a camera", "query", ["one/000-0000.zip", "one/006-0000.zip"]),
        ("dataset", "query", ["two/000-0000.zip", "two/001-0000.zip"]),
        ("correction", "query", []),
        # One is called otherwise, one is new, which only dataset two has.
        ("labels", "query", ["two/000-0000.zip", "two/001-0000.zip"]),
        ("training", "train", []),
    ],
)
def test_an_addition_runs_what_depends_on_it_and_cuts_only_the_shards_it_touches(project, name, first, new_shards):
    update = project.updates[name]
    assert update.new_shards == new_shards
    assert update.stages == ALL[ALL.index(first) :]


def test_data_is_sent_once(project):
    """What is pushed are new shards, the tables of the stages that ran, and the lists of their folders."""
    sent = {name: update.objects for name, update in project.updates.items()}
    assert sent["training"] < sent["correction"] < sent["start"]
    assert project.updates["labels"].shards == 9


def test_frozen_splits_hold_whatever_is_added(project):
    first = project.updates["start"].splits
    for update in project.updates.values():
        assert first.items() <= update.splits.items()
    assert ("two", "000") in project.updates["training"].splits


@pytest.fixture(scope="module")
def fresh(project, tmp_path_factory):
    """Make a fresh clone with an empty cache, where the photos are out of reach."""
    folder = tmp_path_factory.mktemp("fresh")
    project.clone.git("tag", "v1")
    project.clone.git("clone", "-q", str(project.path), str(folder / "clone"))
    (project.folder / "photos").rename(project.folder / "elsewhere")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in project.clone.env(DVC_SITE_CACHE_DIR=str(folder / "site")).items():
            patch.setenv(name, value)
        patch.chdir(folder / "clone")
        yield folder / "clone"


def pulled(path, *targets):
    """Pull targets; give the shards that are there then."""
    with Repo() as repository:
        repository.pull(list(targets))
    return {shard.parent.name for shard in path.glob("data/crops/shards/*/*.zip")}


def test_a_crop_is_looked_at_without_pulling_its_shard(fresh, monkeypatch):
    monkeypatch.chdir(fresh)
    [(name, label, jpeg)] = peeking.crops("two/000/fox1.jpg")
    assert (name, label) == ("two/000/fox1.jpg___crop00.jpg", "canid")
    assert jpeg.startswith(b"\xff\xd8")
    assert not (fresh / "data/crops").exists()
    assert [row[1] for row in peeking.crops("two/000/fox1.jpg", str(fresh), "v1")] == ["canid"]


def test_parts_are_pulled_alone(fresh, monkeypatch):
    monkeypatch.chdir(fresh)
    assert pulled(fresh, "models/classifier") == set()
    assert (fresh / "models/classifier").is_dir()
    assert pulled(fresh, "data/crops/shards/two") == {"two"}
    assert pulled(fresh, "data/crops") == {"one", "two"}


def test_a_fresh_clone_evaluates_without_the_photos(fresh, monkeypatch):
    monkeypatch.chdir(fresh)
    params = (fresh / "params.yaml").read_text()
    assert "accept_precision: 0.95" in params
    (fresh / "params.yaml").write_text(params.replace("accept_precision: 0.95", "accept_precision: 0.9"))
    with Repo() as repository:
        ran = repository.reproduce("evaluate", pull=True, allow_missing=True)
    assert [stage.name for stage in ran] == ["evaluate"]
    assert not (fresh / "data/queried").exists()


def test_the_model_is_fetched_by_address_and_tag(project, fresh, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Repo.get(str(project.path), "models/classifier", out="model", rev="v1")
    assert (tmp_path / "model/counts.json").read_text().startswith("train")
