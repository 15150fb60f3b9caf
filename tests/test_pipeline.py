"""The whole pipeline under DVC on a tiny drawn collection."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import documents
import pandas as pd
import pytest
import yaml
from conftest import Clone

from camtraps import cli
from camtraps.files import write_json

TINY = {
    "demo": {"photos": 130},
    # Two spoilt photos are a larger share of 130 than of a real collection.
    "detect": {"max_failed": 0.05},
    "crop": {"max_failed": 0.05},
    "train": {"image_size": 32, "epochs": 2, "batch_size": 16},
}


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    clone = Clone(tmp_path_factory.mktemp("pipeline"))
    clone.set_params(**TINY)
    clone.commit()
    clone.printed = clone.run("dvc", "repro")
    return clone


def outputs(clone: Clone) -> dict[str, str]:
    """Give the hash of every file below the outputs of dvc.yaml."""
    stages = yaml.safe_load((clone.path / "dvc.yaml").read_text())["stages"]
    roots = [out if isinstance(out, str) else next(iter(out)) for stage in stages.values() for out in stage["outs"]]
    roots += ["data/demo/images", "data/demo/catalog", "data/demo/source", "data/demo/detections"]
    files = [path for root in roots for path in (clone.path / root).rglob("*") if path.is_file()]
    return {str(path.relative_to(clone.path)): hashlib.md5(path.read_bytes()).hexdigest() for path in files}


def counts(clone: Clone, stage: str) -> dict:
    return json.loads((clone.path / f"metrics/{stage}.json").read_text())


def test_a_second_repro_runs_no_stage(clone):
    assert "Running stage" in clone.printed
    printed = clone.run("dvc", "repro")
    assert "Running stage" not in printed
    assert "Data and pipelines are up to date." in clone.run("dvc", "status")


def test_every_stage_prints_one_summary_line(clone):
    names = [*yaml.safe_load((clone.path / "dvc.yaml").read_text())["stages"], "demo"]
    for name in names:
        lines = [line for line in clone.printed.splitlines() if line.startswith(f"{name}: ") and " in, " in line]
        assert len(lines) == 1, name


@pytest.mark.parametrize("stage", ["query", "detect", "crop", "split", "train", "merge", "mislabel"])
def test_the_counts_of_a_stage_add_up(clone, stage):
    count = counts(clone, stage)
    assert count["rows_in"] == count["rows_out"] + count["skipped"] + count["failed"] > 0


def test_each_stage_takes_in_what_the_one_before_gave(clone):
    assert counts(clone, "query")["rows_in"] == 130
    assert counts(clone, "detect")["rows_in"] == counts(clone, "query")["rows_out"]
    assert counts(clone, "split")["rows_in"] == counts(clone, "crop")["rows_out"]
    assert counts(clone, "merge")["rows_in"] == counts(clone, "query")["rows_out"]


def test_the_spoilt_photos_are_listed_as_failed_with_their_reason(clone):
    reasons = counts(clone, "detect")["reasons"]["failed"] | counts(clone, "crop")["reasons"]["failed"]
    assert "photo is an empty file" in reasons
    assert any("truncated" in reason for reason in reasons)


def test_every_photo_of_the_json_is_a_queried_one(clone):
    document = json.loads((clone.path / "data/results/megadetector.json").read_text())
    queried = pd.read_parquet(clone.path / "data/queried/queried.parquet")
    assert [image["file"] for image in document["images"]] == sorted(queried["image"])
    assert document["info"]["format_version"] == "1.6"
    classified = [box for image in document["images"] for box in image["detections"] or [] if "classifications" in box]
    assert len(classified) == counts(clone, "split")["rows_out"]


def test_all_three_sources_of_boxes_are_used(clone):
    assert set(counts(clone, "detect")["photos_by_source"]) == {"human", "md_v5a.0.0.pt", "motion"}


def test_the_metrics_contract_holds(clone):
    names = ["crops", "locations", "top1", "top3", "macro_recall", "macro_f1", "macro_ap", "log_loss", "ece"]
    names += ["top1_majority", "top1_low", "top1_high"]
    scores = counts(clone, "evaluate")
    assert list(scores) == ["train", "val", "test"]
    for split in scores.values():
        assert set(names) <= set(split)
        assert split["top1_low"] <= split["top1"] <= split["top1_high"]
    header = (clone.path / "metrics/per_class.csv").read_text().splitlines()[0]
    assert header == "split,label,support,precision,recall,f1,ap"


def test_dvc_shows_the_metrics(clone):
    shown = json.loads(clone.run("dvc", "metrics", "show", "metrics/evaluate.json", "--json"))
    assert "test" in shown[""]["data"]["metrics/evaluate.json"]["data"]


def test_dvc_plots_draws_every_plot_on_a_page_that_needs_no_network(clone):
    clone.run("dvc", "plots", "show", "--out", "shown")
    page = (clone.path / "shown/index.html").read_text()
    names = {next(iter(plot)) for plot in yaml.safe_load((clone.path / "dvc.yaml").read_text())["plots"]}
    drawn = set(re.findall(r"vegaEmbed\('#(\w+)'", page))
    assert {name.replace(" ", "_") for name in names} == drawn
    assert "cdn.jsdelivr.net" not in page
    clone.commit()  # with the lock, by which DVC finds what HEAD had
    compared = json.loads(clone.attempt("dvc", "plots", "diff", "HEAD", "--json").stdout)
    assert not compared.get("errors")


def test_an_experiment_with_a_small_learning_rate_runs_train_again_but_not_crop(clone):
    printed = clone.run("dvc", "exp", "run", "-S", "train.learning_rate=1e-5")
    assert "Running stage 'train'" in printed
    assert "Running stage 'crop'" not in printed
    assert "learning_rate: 1e-05" in (clone.path / "params.yaml").read_text()
    clone.git("checkout", "HEAD", "params.yaml")
    clone.run("dvc", "repro")


def test_a_change_of_the_split_file_splits_again(clone):
    splits = pd.read_parquet(clone.path / "data/splits/splits.parquet")
    clone.set_params(split={"previous": "old.json"})
    home = clone.path / "data/demo/splits"
    for name in ("val", "train"):
        pair = splits.loc[splits["split"] == "test", ["dataset", "location"]].iloc[0].tolist()
        (home / "old.json").write_text(json.dumps({name: [pair]}))
        assert "Running stage 'split'" in clone.run("dvc", "repro", "split")
        after = pd.read_parquet(clone.path / "data/splits/splits.parquet").set_index(["dataset", "location"])["split"]
        assert after[tuple(pair)] == name
        assert "Running stage" not in clone.run("dvc", "repro", "split")
    (home / "old.json").unlink()
    clone.git("checkout", "HEAD", "params.yaml")
    clone.run("dvc", "repro")


def test_forced_again_with_other_worker_numbers_all_bytes_are_the_same(clone):
    before = outputs(clone)
    clone.set_params(train={"num_workers": 0})
    clone.run("dvc", "repro", "--force", CAMTRAPS_WORK=str(clone.work) + "2", CAMTRAPS_WORKERS="1")
    after = outputs(clone)
    assert before.keys() == after.keys()
    assert {name for name in before if before[name] != after[name]} == set()


def test_a_wrong_parameter_is_one_clear_line_and_leaves_the_outputs(clone):
    clone.set_params(split={"val_fraction": 5})
    done = clone.attempt("dvc", "repro", "split")
    clone.git("checkout", "HEAD", "params.yaml")
    assert "split: params.yaml: split.val_fraction: must be from 0.01 to 0.8, got 5.0" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr + done.stdout


def test_nothing_half_written_is_left(clone):
    assert not list(Path(clone.path).rglob("*.part"))


@pytest.fixture(scope="module")
def reader(clone):
    """Give the clone to somebody with a collection called mine, photos and results, who follows the documents."""
    clone.run("dvc", "repro")  # what the stage that failed above had removed
    home = clone.path / "data/mine"
    shutil.copytree(clone.path / "data/demo", home, ignore=shutil.ignore_patterns("dvc.*", "truth*", ".gitignore"))
    photos = sorted((home / "images").rglob("*.jpg"), key=lambda path: path.stat().st_size)[-6:]
    for number, path in enumerate(photos):
        (clone.path / "photos").mkdir(exist_ok=True)
        shutil.copyfile(path, clone.path / f"photos/{number}.jpg")
    shutil.copyfile(photos[0], clone.path / "photo.jpg")
    box = {"category": "1", "conf": 0.9, "bbox": [0.2, 0.2, 0.5, 0.5]}
    found = {"info": {"format_version": "1.6", "detector": "md_v5a.0.0.pt"}, "detection_categories": {"1": "animal"}}
    images = [{"file": path.name, "detections": [box]} for path in sorted((clone.path / "photos").iterdir())]
    write_json(clone.path / "md_results.json", found | {"images": images})
    catalog = pd.concat([pd.read_parquet(path) for path in (home / "catalog").iterdir()])
    places = catalog[["dataset", "location"]].dropna().drop_duplicates()
    places.assign(latitude=48.5, longitude=9.1).to_csv(home / "locations.csv", index=False)
    return clone


@pytest.mark.parametrize("block", [each for each in documents.blocks() if not each.needs], ids=lambda each: each.place)
@pytest.mark.filterwarnings(r"ignore::DeprecationWarning:dvc\.")
def test_the_commands_of_the_documents_run(reader, block, monkeypatch):
    monkeypatch.chdir(reader.path)
    for name, value in reader.env().items():
        monkeypatch.setenv(name, value)
    for words in block.commands:
        if words[0] == "camtraps":
            with pytest.raises(SystemExit) as ended:
                cli.main(words[1:])
            assert not ended.value.code, words
        else:
            reader.run(*words)
