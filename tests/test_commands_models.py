"""``camtraps import-model``, ``export-model``, ``features``: what a user types and reads."""

import json
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
import torch
from make_networks import INFO, SMALL, compiled
from make_tables import colour_crops
from torch import nn

from camtraps import layout, models, tables
from camtraps.cli import main
from camtraps.networks import build
from camtraps.schema import CROPS

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Work in a folder with a classifier and crops."""
    monkeypatch.chdir(tmp_path)
    models.save(layout.CLASSIFIER, build(SMALL, 3, 32), INFO)
    tables.write(colour_crops(layout.CROPS, ["red", "blue", "green"]), layout.CROPS / "crops.parquet", CROPS)
    (tmp_path / "label_index.json").write_text(json.dumps({"0": "fox", "1": "owl"}))
    return tmp_path


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    said = capsys.readouterr()
    return ended.value.code, said.out, said.err


def imports(file, *more):
    return ("import-model", file, "--label-index", "label_index.json", "--out", "models/ours", *more)


def test_a_checkpoint_with_its_params_json_is_imported(place, capsys):
    network = build(SMALL, 2, 48)
    torch.save({"epoch": 4, "model": network.state_dict(), "val/acc": 70.0, "optimizer": {}}, "ckpt_4.pt")
    (place / "params.json").write_text(json.dumps({"model_name": SMALL, "lr": 3e-5}))
    code, out, err = run(capsys, *imports("ckpt_4.pt", "--image-size", "48"))
    assert (code, out, err) == (0, f"models/ours: {SMALL}, 2 classes, 48 px\n", "")
    loaded, info = models.load(place / "models/ours")
    assert (info.classes, info.image_size, info.best_epoch) == (["fox", "owl"], 48, 4)
    assert torch.equal(loaded.fc.weight, network.fc.weight)


def test_an_efficientnet_is_imported_with_its_padding(capsys):
    torch.save(build("efficientnet-b0", 2, 32).state_dict(), "c.pt")
    given = imports("c.pt", "--architecture", "efficientnet-b0", "--image-size", "32", "--padding", "ancestor")
    assert run(capsys, *given)[1] == "models/ours: efficientnet-b0, 2 classes, 32 px, padding ancestor\n"


def test_a_compiled_model_is_imported_and_can_replace_an_earlier_one(place, capsys):
    compiled(nn.Sequential(nn.Conv2d(3, 2, 32), nn.Flatten()), place / "m.pt")
    for _ in range(2):
        code, out, _ = run(capsys, *imports("m.pt", "--image-size", "32", "--crop-shape", "box"))
        assert (code, out) == (0, "models/ours: torchscript, 2 classes, 32 px\n")
    assert models.read_info(place / "models/ours").crop["shape"] == "box"


def test_the_image_size_is_demanded(place, capsys):
    # I1.
    compiled(nn.Sequential(nn.Conv2d(3, 2, 32), nn.Flatten()), place / "m.pt")
    code, _, err = run(capsys, *imports("m.pt"))
    assert code == 1
    assert err.startswith("camtraps: m.pt: does not say for which size of image it was made; give --image-size")


@pytest.mark.parametrize(
    ("out", "what"),
    [(".", "--out: . is there and no model folder"), ("models/classifier", "--out: models/classifier is in ")],
)
def test_an_import_replaces_nothing_but_models(place, capsys, out, what):
    given = ("import-model", "c.pt", "--label-index", "label_index.json", "--image-size", "32", "--out", out)
    code, _, err = run(capsys, *given)
    assert code == 1
    assert err.startswith(f"camtraps: {what}")
    assert (place / "label_index.json").exists()


@pytest.mark.parametrize("form", ["torchscript", "onnx"])
def test_the_classifier_is_exported_without_a_warning(place, capsys, form):
    pytest.importorskip("onnxruntime")
    code, out, err = run(capsys, "export-model", form, "--out", f"out/model.{form}")
    assert (code, err) == (0, "")
    assert out.startswith(f"out/model.{form}: images: float32 (batch, 3, height, width), RGB, 0 to 1")
    assert json.loads((place / "out/label_index.json").read_text()) == {"0": "fox", "1": "NA", "2": "<img>"}


def test_what_was_exported_is_not_imported_again(capsys):
    run(capsys, "export-model", "torchscript", "--out", "m.pt")
    code, _, err = run(capsys, *imports("m.pt", "--image-size", "32"))
    assert code == 1
    assert err == "camtraps: m.pt: written by `camtraps export-model`, with its preprocessing; use the model folder\n"


def test_features_are_written_for_every_crop(place, capsys):
    code, out, err = run(capsys, "features", "--out", "f.parquet")
    assert (code, out, err) == (0, "f.parquet: features of 3 of 3 crops\n", "")
    assert pq.read_table(place / "f.parquet").column_names == ["image", "box", "features"]


def test_features_name_the_crops_that_have_none(place, capsys):
    crops = tables.read(layout.CROPS / "crops.parquet", CROPS)
    with (layout.CROPS / crops.loc[1, "shard"]).open("r+b") as file:
        file.seek(crops.loc[1, "offset"])
        file.write(b"x" * crops.loc[1, "length"])
    code, out, err = run(capsys, "features", "--out", "f.parquet")
    assert (code, out) == (1, "f.parquet: features of 2 of 3 crops\n")
    assert err == "camtraps: 1 crop cannot be decoded, first d/001.jpg; all are in f.failed.csv\n"
    assert (place / "f.failed.csv").read_text().splitlines()[1].startswith("d/001.jpg,0,")


def test_another_model_can_be_named(place, capsys):
    models.save(place / "models/other", build("resnet18", 3, 32), replace(INFO, architecture="resnet18"))
    run(capsys, "features", "--model", "models/other", "--out", "f.parquet")
    assert pq.read_schema(place / "f.parquet").field("features").type.list_size == 512
