"""Running any classifier over crops: from files, shards and photos, resumed, with failures listed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from make_networks import compiled
from make_tables import colour_crops, damage, rows
from PIL import Image
from torch import nn

from camtraps import inference, outputs, tables
from camtraps.cli import main
from camtraps.schema import CROPS

LABELS = ["blue", "red", "green", "red"]
CLASSES = ["red", "green", "blue"]


class Colour(nn.Module):
    """Gives the mean of each colour as its logit."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(10.0))

    def forward(self, views):
        return self.gain * views.mean((2, 3))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A compiled model with its label index, and crops of LABELS in shards and in files."""
    folder = tmp_path_factory.mktemp("made")
    compiled(Colour(), folder / "colour.pt")
    outputs.write_classes(CLASSES, folder / "index.json")
    crops = colour_crops(folder / "shards", LABELS).assign(detector="md_v5a.0.0.pt")
    tables.write(crops, folder / "shards/crops.parquet", CROPS)
    return folder


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch, made):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CAMTRAPS_WORKERS", "1")
    shutil.copytree(made, "made")
    return tmp_path


def run(*arguments, code=0, size="32"):
    with pytest.raises(SystemExit) as ended:
        main(["run-classifier", "made/colour.pt", *map(str, arguments), "--image-size", size, "-c", "made/index.json"])
    assert ended.value.code == code


def read(path):
    """Give the most probable class of each crop, by its name."""
    found = {}
    for part in outputs.batches(Path(path)):
        assert part.probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
        best = np.array(part.classes)[part.probabilities.argmax(axis=1)].tolist()
        found |= dict(zip(part.keys["path"].to_pylist(), best, strict=True))
    return found


def crop_files(names, folder="crops"):
    for name, colour in names.items():
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30), colour).save(path)


def results(*images, **info):
    document = {"info": {"format_version": "1.2"} | info, "detection_categories": {"1": "animal", "2": "person"}}
    Path("md.json").write_text(json.dumps(document | {"images": list(images)}))


def box(x, category="1", conf=0.9, **more):
    return {"category": category, "conf": conf, "bbox": [x, 0.1, 0.4, 0.4]} | more


def test_crops_in_files_at_any_depth_are_named_below_their_folder(capsys):
    # I4: those at the top were named ./x, which no photo is, and a file that is no image ended the run.
    crop_files({"a.jpg___crop00_md.jpg": "red", "d/s/b.jpg___crop01.jpg": "blue", "d/c.JPG___crop00.png": "lime"})
    Path("crops/notes.txt").write_text("no image")
    run("crops", "out.csv")
    assert read("out.csv") == {
        "a.jpg___crop00_md.jpg": "red", "d/c.JPG___crop00.png": "green", "d/s/b.jpg___crop01.jpg": "blue",
    }  # fmt: skip
    assert capsys.readouterr().out == "out.csv: 3 crops, 3 classes, seen at 32 px\n"
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["crops", "made", "out.csv", "work"]


def test_crops_of_shards_have_the_names_that_export_gives_them():
    run("made/shards", "out.csv.gz")
    assert list(read("out.csv.gz").values()) == LABELS
    assert next(iter(read("out.csv.gz"))) == "d/000.jpg___crop00_md_v5a.0.0.pt.jpg"


def test_boxes_are_cut_from_photos_and_keep_their_numbers():
    # I7: a file that names no detector was a KeyError, though its crops are named `unknown`.
    photo = Image.new("RGB", (100, 100), "black")
    for x, colour in ((5, "red"), (55, "blue")):
        photo.paste(colour, (x, 10, x + 40, 50))
    Path("photos/d").mkdir(parents=True)
    photo.save("photos/d/a.png")
    unusable, person, unsure = box(0.1, conf="sure"), box(0.05, "2"), box(0.05, conf=0.1)
    results({"file": "d/a.png", "detections": [unusable, person, box(0.05), unsure, box(0.55)]},
            {"file": "d/b.png", "failure": "Failure image access"}, {"file": "d/c.png", "detections": [box(0.1)]},
            {"file": "d/none.png", "detections": []})  # fmt: skip
    run("md.json", "out.csv", "--photos", "photos", "--max-failed", "0.9")
    assert read("out.csv") == {"d/a.png___crop02_unknown.jpg": "red", "d/a.png___crop04_unknown.jpg": "blue"}
    assert Path("out.failed.csv").read_text().splitlines() == [
        "path,reason", "d/b.png,Failure image access", "d/c.png,photo not found", "d/none.png,photo not found",
    ]  # fmt: skip


def test_a_damaged_crop_is_listed_and_the_rest_is_done(capsys):
    # I6: one damaged crop ended the run.
    crop_files({"a.jpg___crop00.jpg": "red", "b.jpg___crop00.jpg": "blue"})
    Path("crops/b.jpg___crop00.jpg").write_bytes(b"\xff\xd8 no more")
    run("crops", "out.csv.gz", code=1)
    assert read("out.csv.gz") == {"a.jpg___crop00.jpg": "red"}
    assert Path("out.failed.csv").read_text() == "path,reason\nb.jpg___crop00.jpg,crop is not an image\n"
    said = capsys.readouterr().err
    assert said == (
        "camtraps: out.csv.gz: 1 of 2 failed, over --max-failed 1.0%; first: b.jpg___crop00.jpg: crop is not an image\n"
    )
    crop_files({"b.jpg___crop00.jpg": "blue"})
    run("crops", "out.csv.gz")
    assert len(read("out.csv.gz")) == 2
    assert not Path("out.failed.csv").exists()


def test_a_damaged_crop_of_a_shard_is_listed_too():
    crops = tables.read(Path("made/shards/crops.parquet"), CROPS)
    damage(Path("made/shards"), int(crops["offset"].iloc[2]))
    run("made/shards", "out.csv", "--max-failed", "0.5")
    assert list(read("out.csv").values()) == ["blue", "red", "red"]
    assert Path("out.failed.csv").read_text().splitlines()[1].startswith("d/002.jpg___crop00_md_v5a.0.0.pt.jpg,")


def test_a_run_that_was_stopped_goes_on_and_writes_the_same(monkeypatch):
    # I5: a run that was stopped left part of a file, which nothing told from a whole one, and began again.
    crop_files({f"{at}.jpg___crop00.jpg": colour for at, colour in enumerate(["red", "lime", "blue", "red", "blue"])})
    monkeypatch.setattr("camtraps.running.BLOCK", 2)
    run("crops", "whole.csv.gz")
    shutil.rmtree("work")
    blocks, classify = [], inference.run

    def stopping(network, loader, picks, *rest):
        blocks.append([pick.row for pick in picks])
        if len(blocks) == 2:
            raise KeyboardInterrupt
        return classify(network, loader, picks, *rest)

    monkeypatch.setattr(inference, "run", stopping)
    run("crops", "out.csv.gz", code=130)
    assert not list(Path.cwd().glob("*out*"))
    run("crops", "out.csv.gz")
    assert blocks == [[0, 1], [2, 3], [2, 3], [4]]
    assert Path("out.csv.gz").read_bytes() == Path("whole.csv.gz").read_bytes()


def test_other_crops_or_another_size_are_not_taken_for_those_that_are_done():
    crop_files({"a.jpg___crop00.jpg": "red"})
    run("crops", "out.csv")
    crop_files({"a.jpg___crop00.jpg": "blue"})
    run("crops", "out.csv", size="16")
    assert read("out.csv") == {"a.jpg___crop00.jpg": "blue"}


def test_64_crops_are_run_together_unless_otherwise_said(monkeypatch):
    # I2: the default was one at a time.
    sizes, forward = [], inference.forward

    def counting(network, seen):
        sizes.append(len(seen))
        return forward(network, seen)

    monkeypatch.setattr(inference, "forward", counting)
    crop_files({f"{at:03}.jpg___crop00.jpg": "red" for at in range(70)})
    run("crops", "out.csv")
    run("crops", "out.csv", "--batch-size", "40")
    assert sizes == [64, 6, 40, 30]


def test_only_crops_of_photos_in_a_result_file_are_run_whatever_its_detector_is_called(capsys):
    # I7: the name of the detector had to be that in the names of the crops.
    crop_files({"d/a.jpg___crop00_mdv4.1.jpg": "red", "d/b.jpg___crop100.jpg": "blue"})
    results({"file": "d\\b.jpg", "detections": []})
    run("crops", "out.csv", "-d", "md.json")
    assert list(read("out.csv")) == ["d/b.jpg___crop100.jpg"]
    assert "1 of 2 crops are of photos in md.json" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "out.csv"], "nowhere: not found; check the path"),
        (["made", "out.csv"], "made: no crop in it; looked for .jpg .jpeg .png"),
        (["made/shards", "out.txt"], "out.txt: name a .csv or .csv.gz file"),
        (["made/shards", "out.csv", "--photos", "x"], "--photos: has no effect: made/shards is shards"),
        (["made/index.json", "out.csv"],
         "made/index.json: is a file of detections; say with --photos where the photos are"),
        (["made/index.json", "out.csv", "--photos", "."],
         "made/index.json: no info or detection_categories; it is no file of MegaDetector's results"),
        (["made/shards", "out.csv", "--device", "7"],
         "--device: expected cpu or the number of a GPU, of which there are "),
    ],
)  # fmt: skip
def test_what_cannot_be_run_is_said_in_a_line(arguments, message, capsys):
    run(*arguments, code=1)
    assert capsys.readouterr().err.startswith(f"camtraps: {message}")
    assert not Path("out.csv").exists()


def test_a_split_of_our_crops_is_run_alone(monkeypatch):
    from camtraps.schema import ASSIGNED

    split = [{"image": f"d/00{at}.jpg", "dataset": "d", "split": "test" if at == 1 else "train"} for at in range(4)]
    tables.write(rows(ASSIGNED, *split), Path("data/splits/assigned.parquet"), ASSIGNED)
    run("made/shards", "out.csv", "--split", "test")
    assert read("out.csv") == {"d/001.jpg___crop00_md_v5a.0.0.pt.jpg": "red"}


def test_the_chain_prints_its_steps_and_what_it_prints_can_be_run(capsys):
    photo = Image.new("RGB", (100, 100), "red")
    Path("photos").mkdir()
    photo.save("photos/a.png")
    results({"file": "a.png", "detections": [box(0.05)]}, detector="md_v4.1")
    Path("targets.json").write_text(json.dumps({"warm": ["red"], "other": ["green", "blue"]}))
    chain = ["chain", "idfg", "md.json", "photos", "--model", "made/colour.pt", "--label-index", "made/index.json"]
    chain += ["--out", "out", "--image-size", "32", "--target-mapping", "targets.json"]
    with pytest.raises(SystemExit):
        main([*chain, "--print-only"])
    printed = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("#")]
    assert [line.split()[1] for line in printed] == ["run-classifier", "aggregate", "merge"]
    assert not Path("out").exists()
    with pytest.raises(SystemExit) as ended:
        main(chain)
    assert ended.value.code == 0
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("camtraps ")] == printed
    written = json.loads(Path("out/classified.json").read_text())
    assert written["images"][0]["detections"][0]["classifications"][0][0] == "0"
    assert written["classification_categories"] == {"0": "warm", "1": "other"}
    assert written["info"]["classifier"] == "idfg_classifier as targets"
    assert written["info"]["classifier_metadata"]["typical_classification_threshold"] == 0.75


def test_a_mapping_for_the_chain_is_given_or_made(capsys):
    chain = ["chain", "megaclassifier", "md.json", "photos", "--model", "m.pt", "--label-index", "i.json", "--out", "o"]
    making = ["--desired-spec", "ours.json", "--classifier-spec", "mega.json", "--taxonomy", "t.csv"]
    with pytest.raises(SystemExit):
        main([*chain, *making, "--print-only"])
    steps = capsys.readouterr().out.splitlines()[1::2]
    made = "--output o/target_mapping.json --classifier-label-index i.json"
    assert steps[1] == f"camtraps map-categories ours.json mega.json t.csv {made}"
    for settings in ("--threshold 0.65 ", "--image-size 300 ", "--crop-rule ancestor --crop-shape square"):
        assert settings in steps[0]
    with pytest.raises(SystemExit) as ended:
        main([*chain, "--taxonomy", "t.csv"])
    assert ended.value.code == 1
    assert "--target-mapping: give it alone, or --desired-spec" in capsys.readouterr().err
