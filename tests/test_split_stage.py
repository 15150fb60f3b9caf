"""The stage split, run in a small project of its own."""

import csv
from pathlib import Path

import pandas as pd
import pytest
import yaml
from make_tables import SPLIT, colour_crops

from camtraps import layout, tables
from camtraps.errors import MissingError
from camtraps.schema import CROPS, SPLITS
from stages import split


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Write twelve crops of two labels at six locations of dataset d, in one shard."""
    monkeypatch.chdir(tmp_path)
    crops = colour_crops(layout.CROPS, ["red", "blue"] * 6)
    write(crops.assign(location=[f"{at // 2:03}" for at in range(12)]))
    Path("data/mine/splits").mkdir(parents=True)
    return tmp_path


def write(crops):
    tables.write(crops, layout.CROPS / "crops.parquet", CROPS)


def run(**changes):
    """Run the stage; give the splits by location."""
    sections = {"data": {"name": "mine", "label_spec": "label_spec.json"}, "split": SPLIT | changes}
    Path("params.yaml").write_text(yaml.safe_dump(sections))
    split.main()
    rows = tables.read(layout.SPLITS / "splits.parquet", SPLITS)
    return dict(zip(rows["location"], rows["split"], strict=True))


def test_the_stage_writes_its_tables(project):
    assert sorted(run().values()) == ["test", "train", "train", "train", "train", "val"]
    with (layout.SPLITS / "balance.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 6
    assert {path.name for path in layout.SPLITS.iterdir()} == {
        "splits.parquet", "assigned.parquet", "balance.csv", "duplicates.csv", "failures.parquet", "counts.json",
    }  # fmt: skip


def test_locations_of_an_earlier_run_keep_their_split(project):
    before = run()
    Path("data/mine/splits/2024.parquet").write_bytes((layout.SPLITS / "splits.parquet").read_bytes())
    crops = tables.read(layout.CROPS / "crops.parquet", CROPS)
    more = crops.assign(image=[f"d/more{at}.jpg" for at in range(12)], location=[f"1{at // 2}" for at in range(12)])
    write(pd.concat([crops, more]))
    after = run(previous="2024.parquet", seed=5)
    assert {name: after[name] for name in before} == before
    assert len(after) == 12


def test_a_split_file_that_is_not_there_is_named(project):
    with pytest.raises(MissingError, match=r"^data/mine/splits/no\.json: not found; copy a splits\.parquet or "):
        run(previous="no.json")


def test_the_same_picture_at_two_locations_is_listed_or_kept_together(project):
    crops = colour_crops(layout.CROPS, ["red", "blue"] * 6, (60, 60))
    # The noise of these crops is no look: two that show the same blobs are written over them.
    from test_signatures import picture

    from camtraps import shards
    from camtraps.images import encode

    jpegs = [encode(picture(0 if at in (0, 11) else at + 1), 92) for at in range(12)]
    places = shards.write(layout.CROPS / "shards/s.zip", [(f"{at:02}.jpg", jpeg) for at, jpeg in enumerate(jpegs)])
    crops = crops.assign(offset=[at for at, _ in places], length=[num for _, num in places])
    location = [f"{at // 2:03}" for at in range(12)]
    write(crops.assign(location=location))
    apart = next(seed for seed in range(20) if len({(side := run(seed=seed))["000"], side["005"]}) == 2)
    with (layout.SPLITS / "duplicates.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["kind"], row["location_a"], row["location_b"]) == ("identical", "000", "005")
    side = run(seed=apart, duplicates="together")
    assert side["000"] == side["005"]


def test_a_damaged_crop_is_counted_and_placed_like_the_others(project, capsys):
    crops = tables.read(layout.CROPS / "crops.parquet", CROPS)
    shard = layout.CROPS / crops["shard"][0]
    content = bytearray(shard.read_bytes())
    content[crops["offset"][0] : crops["offset"][0] + 4] = b"none"
    shard.write_bytes(content)
    assert set(run()) == set(crops["location"])
    assert "warning: data/crops: 1 crop cannot be decoded, not compared with others" in capsys.readouterr().err


def test_ignored_duplicates_read_no_shard(project):
    (layout.CROPS / "shards/s.zip").unlink()
    (layout.SPLITS / "duplicates.csv").unlink(missing_ok=True)
    run(duplicates="ignore")
    assert not (layout.SPLITS / "duplicates.csv").exists()
