"""Cutting: the right pixels, every box accounted for, only what changed cut again."""

import hashlib
import io
import os
import signal
import subprocess
import sys
import zipfile
from dataclasses import fields
from pathlib import Path

import fsspec
import numpy as np
import pytest
from imports import REFUSERS, ROOT, closure
from make_tables import crop_params, rows
from PIL import Image

from camtraps import cutting, layout, reading, shards, tables
from camtraps.crops import CropParams, select
from camtraps.cutting import cut_all
from camtraps.errors import CamtrapsError
from camtraps.schema import CROPS, DETECTIONS, QUERIED
from camtraps.shards import Reader
from camtraps.storage import Images, PhotoError
from stages import crop

GREY, RED = (90, 90, 90), (230, 20, 20)
BOX = {"x": 0.6, "y": 0.2, "w": 0.2, "h": 0.3}  # of 160 x 120: 96..128, 24..60; as a square 94..130


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    monkeypatch.setenv("CAMTRAPS_WORKERS", "1")


def params(**changes):
    return crop_params(**{"min_side": 4} | changes)


def photo(path, size=(160, 120), patch=(94, 24, 130, 60), colour=RED):
    """Draw a grey photo with a coloured patch."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", size, GREY)
    image.paste(colour, patch)
    image.save(path, quality=95)
    return image


def boxes_of(*photos):
    """Make one box of each (file, location, more columns of the detection)."""
    queried = {
        file: {"image": f"d/{file}", "location": place, "label": "fox", "labels": ["fox"]} for file, place, _ in photos
    }
    found = [{"image": f"d/{file}", "category": "animal", "detector": "human"} | BOX | more for file, _, more in photos]
    return select(rows(QUERIED, *queried.values()), rows(DETECTIONS, *found), params()).boxes


def cut_photos(folder, *photos, output="out", **changes):
    """Cut the photos of a folder."""
    return cut_all(boxes_of(*photos), Images({"d": str(folder / "photos")}), params(**changes), folder / output)


def pixels(folder, row):
    data = Reader(folder / "out").read(row["shard"], row["offset"], row["length"])
    return np.asarray(Image.open(io.BytesIO(data)), float)


def digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.zip"))
    }


@pytest.fixture
def cut_units(monkeypatch):
    """List the photos of each unit that is really cut."""
    done, cut_shard = [], cutting._cut_shard

    def counted(shard, folder):
        done.append(shard.photos["image"].tolist())
        return cut_shard(shard, folder)

    monkeypatch.setattr(cutting, "_cut_shard", counted)
    return done


def test_a_crop_shows_its_box(tmp_path):
    photo(tmp_path / "photos/a.jpg")
    (row,) = cut_photos(tmp_path, ("a.jpg", "1", {})).crops.to_dict("records")
    assert (row["width"], row["height"]) == (36, 36)
    assert (row["x"], row["y"], row["w"], row["h"]) == (94 / 160, 24 / 120, 36 / 160, 36 / 120)
    assert abs(pixels(tmp_path, row)[4:-4, 4:-4] - RED).max() < 12


@pytest.mark.parametrize(
    ("orientation", "stored_by"),
    [
        (3, Image.Transpose.ROTATE_180),
        (6, Image.Transpose.ROTATE_90),
        (8, Image.Transpose.ROTATE_270),
        (2, Image.Transpose.FLIP_LEFT_RIGHT),
    ],
)
def test_a_photo_that_its_exif_data_turns_is_cut_at_the_right_place(tmp_path, orientation, stored_by):
    upright = photo(tmp_path / "photos/a.jpg")
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright.transpose(stored_by).save(tmp_path / "photos/a.jpg", quality=95, exif=exif)
    (row,) = cut_photos(tmp_path, ("a.jpg", "1", {})).crops.to_dict("records")
    assert abs(pixels(tmp_path, row)[4:-4, 4:-4] - RED).max() < 12


def test_where_no_square_fits_the_rest_is_black(tmp_path):
    photo(tmp_path / "photos/a.jpg", size=(160, 80), patch=(0, 0, 160, 80))
    wide = {"x": 0.0, "y": 0.4, "w": 1.0, "h": 0.1}
    (row,) = cut_photos(tmp_path, ("a.jpg", "1", wide)).crops.to_dict("records")
    found = pixels(tmp_path, row)
    assert found.shape == (160, 160, 3)
    assert found[:36].max() < 12
    assert found[-36:].max() < 12
    assert abs(found[44:-44] - RED).max() < 12
    assert (row["x"], row["y"], row["w"], row["h"]) == (0.0, 0.0, 1.0, 1.0)


def test_a_large_crop_is_stored_no_larger_than_asked(tmp_path):
    photo(tmp_path / "photos/a.jpg", size=(400, 300), patch=(0, 0, 400, 300))
    wide = {"x": 0.0, "y": 0.0, "w": 1.0, "h": 0.5}
    (row,) = cut_photos(tmp_path, ("a.jpg", "1", wide), shape="box", max_side=64).crops.to_dict("records")
    assert (row["width"], row["height"]) == (64, 24)
    assert pixels(tmp_path, row).shape == (24, 64, 3)


def test_a_grey_photo_gives_a_colour_crop(tmp_path):
    photo(tmp_path / "photos/a.jpg").convert("L").save(tmp_path / "photos/a.jpg")
    (row,) = cut_photos(tmp_path, ("a.jpg", "1", {})).crops.to_dict("records")
    assert pixels(tmp_path, row).shape == (36, 36, 3)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: None, "photo not found"),
        (lambda data: b"", "photo is an empty file"),
        (lambda data: b"no photo", "photo is not an image"),
        (lambda data: data[: len(data) // 2], "photo cannot be decoded: "),
    ],
    ids=["absent", "empty", "text", "truncated"],
)
def test_a_photo_that_cannot_be_read_is_failed_and_the_rest_is_done(tmp_path, damage, reason):
    for name in ("a.jpg", "b.jpg"):
        photo(tmp_path / "photos" / name)
    data = damage((tmp_path / "photos/a.jpg").read_bytes())
    (tmp_path / "photos/a.jpg").unlink()
    if data is not None:
        (tmp_path / "photos/a.jpg").write_bytes(data)
    result = cut_photos(tmp_path, ("a.jpg", "1", {}), ("a.jpg", "1", {"box": 1}), ("b.jpg", "1", {}))
    assert result.crops["image"].tolist() == ["d/b.jpg"]
    assert pixels(tmp_path, result.crops.to_dict("records")[0]).shape == (36, 36, 3)
    assert result.failures[["image", "box", "kind"]].to_numpy(object).tolist() == [
        ["d/a.jpg", 0, "failed"],
        ["d/a.jpg", 1, "failed"],
    ]
    assert result.failures["reason"].str.startswith(reason).all()


def test_a_photo_that_breaks_off_at_its_second_box_fails_both(tmp_path):
    photo(tmp_path / "photos/a.jpg", size=(640, 480))
    data = (tmp_path / "photos/a.jpg").read_bytes()
    (tmp_path / "photos/a.jpg").write_bytes(data[: len(data) * 9 // 10])
    top, bottom = ({"x": 0.1, "y": y, "w": 0.1, "h": 0.05} for y in (0.02, 0.93))
    result = cut_photos(tmp_path, ("a.jpg", "1", top), ("a.jpg", "1", {"box": 1} | bottom))
    assert len(result.crops) == 0
    assert result.failures["box"].tolist() == [0, 1]


def test_every_box_ends_in_the_crops_or_among_the_failures(tmp_path):  # C3, C8: exceptions were only printed
    photo(tmp_path / "photos/a.jpg")
    (tmp_path / "photos/b.jpg").write_bytes(b"%PDF-1.7")
    tiny = {"w": 0.0011, "h": 0.002}
    given = [("a.jpg", "1", {}), ("a.jpg", "1", {"box": 1} | tiny), ("b.jpg", "1", {}), ("c.jpg", "2", {"box": 3})]
    result = cut_photos(tmp_path, *given)
    done = {(row.image, row.box): "cut" for row in result.crops.itertuples()}
    done |= {(row.image, row.box): row.kind for row in result.failures.itertuples()}
    assert len(result.crops) + len(result.failures) == len(given)
    assert done == {
        ("d/a.jpg", 0): "cut",
        ("d/a.jpg", 1): "skipped",
        ("d/b.jpg", 0): "failed",
        ("d/c.jpg", 3): "failed",
    }


def test_the_table_says_where_every_crop_lies(tmp_path):  # C11: crops were found by looking for a file for each box
    for name in ("a.jpg", "b.jpg"):
        photo(tmp_path / "photos" / name)
    crops = cut_photos(tmp_path, ("a.jpg", "1", {}), ("a.jpg", "1", {"box": 1}), ("b.jpg", "2", {})).crops
    reader = Reader(tmp_path / "out")
    for row in crops.itertuples():
        with zipfile.ZipFile(tmp_path / "out" / row.shard) as archive:
            name = shards.member_name(row.image, row.box, row.detector)
            assert reader.read(row.shard, row.offset, row.length) == archive.read(name)
    assert len(crops) == 3


def test_where_no_photo_can_be_read_there_is_no_shard(tmp_path):
    result = cut_photos(tmp_path, ("a.jpg", "1", {}))
    assert (len(result.crops), len(result.failures)) == (0, 1)
    assert digests(tmp_path / "out") == {}


def test_a_box_smaller_than_asked_is_skipped(tmp_path):
    photo(tmp_path / "photos/a.jpg", size=(1000, 800))
    tiny = {"x": 0.5, "y": 0.5, "w": 0.0011, "h": 0.002}
    result = cut_photos(tmp_path, ("a.jpg", "1", tiny), ("a.jpg", "1", {"box": 1}))
    assert result.crops["box"].tolist() == [1]
    assert result.failures[["box", "kind", "reason"]].to_numpy(object).tolist() == [
        [0, "skipped", "box smaller than crop.min_side"]
    ]


@pytest.mark.parametrize("shape", ["square", "padded"])
def test_a_crop_of_too_many_pixels_is_skipped_and_the_rest_is_done(tmp_path, shape):
    photo(tmp_path / "photos/wide.jpg", size=(20_000, 20))
    photo(tmp_path / "photos/a.jpg")
    whole = {"x": 0.0, "y": 0.0, "w": 1.0, "h": 1.0}
    result = cut_photos(tmp_path, ("wide.jpg", "1", whole), ("a.jpg", "1", {}), shape=shape)
    assert result.crops["image"].tolist() == ["d/a.jpg"]
    assert result.failures[["image", "kind", "reason"]].to_numpy(object).tolist() == [
        ["d/wide.jpg", "skipped", "crop would have too many pixels; lower crop.margin, or use crop.shape box"]
    ]
    assert len(cut_photos(tmp_path, ("wide.jpg", "1", whole), shape="box").crops) == 1


def test_no_boxes_give_no_crops(tmp_path):
    result = cut_photos(tmp_path)
    assert (len(result.crops), len(result.failures)) == (0, 0)


def test_the_crops_fit_their_table(tmp_path):
    photo(tmp_path / "photos/a.jpg")
    result = cut_photos(tmp_path, ("a.jpg", None, {}), ("a.jpg", None, {"box": 1, "confidence": 0.9}))
    tables.write(result.crops, tmp_path / "crops.parquet", CROPS)
    assert tables.read(tmp_path / "crops.parquet", CROPS)["box"].tolist() == [0, 1]


def test_members_are_named_as_cameratraps_names_crops(tmp_path):
    photo(tmp_path / "photos/x/a.jpg")
    md = {"detector": "md_v5a", "confidence": 0.9}
    result = cut_photos(tmp_path, ("x/a.jpg", "1", {}), *(("x/a.jpg", "1", md | {"box": at}) for at in (3, 104)))
    (shard,) = result.crops["shard"].unique()
    assert zipfile.ZipFile(tmp_path / "out" / shard).namelist() == [
        "d/x/a.jpg___crop00.jpg",
        "d/x/a.jpg___crop03_md_v5a.jpg",
        "d/x/a.jpg___crop104_md_v5a.jpg",
    ]


def test_boxes_whose_names_sort_otherwise_than_their_numbers_keep_their_pixels(tmp_path):
    photo(tmp_path / "photos/a.jpg")
    away = {"x": 0.0, "y": 0.0, "w": 0.2, "h": 0.3}
    crops = cut_photos(tmp_path, ("a.jpg", "1", {"box": 99}), ("a.jpg", "1", {"box": 100} | away)).crops
    red, grey = crops.sort_values("box").to_dict("records")
    assert abs(pixels(tmp_path, red)[4:-4, 4:-4] - RED).max() < 12
    assert abs(pixels(tmp_path, grey) - GREY).max() < 12


def test_a_shard_holds_one_location(tmp_path):
    names = {"a.jpg": "cam/1", "b.jpg": "..", "c.jpg": None, "d.jpg": "cam/1"}
    for name in names:
        photo(tmp_path / "photos" / name)
    crops = cut_photos(tmp_path, *((name, place, {}) for name, place in names.items())).crops
    shard_of = dict(zip(crops["image"], crops["shard"], strict=True))
    assert shard_of == {
        "d/a.jpg": "shards/d/cam%2F1-0000.zip",
        "d/b.jpg": "shards/d/..-0000.zip",
        "d/c.jpg": "shards/d/_-0000.zip",
        "d/d.jpg": "shards/d/cam%2F1-0000.zip",
    }
    assert set(digests(tmp_path / "out")) == set(shard_of.values())


def test_a_location_of_many_photos_has_several_shards(tmp_path, monkeypatch):
    monkeypatch.setattr(cutting, "PHOTOS_PER_SHARD", 4)
    for number in range(16):
        photo(tmp_path / f"photos/{number}.jpg")
    crops = cut_photos(tmp_path, *((f"{number}.jpg", "1", {}) for number in range(16))).crops
    assert sorted(crops["shard"].unique()) == [f"shards/d/1-000{at}.zip" for at in range(4)]
    assert all(abs(pixels(tmp_path, row)[4:-4, 4:-4] - RED).max() < 12 for row in crops.to_dict("records"))


def test_one_worker_and_two_give_the_same_bytes(tmp_path, monkeypatch):
    photos = [(f"{number}.jpg", str(number % 3), {}) for number in range(6)]
    for number, (name, _, _) in enumerate(photos):
        photo(tmp_path / "photos" / name, colour=(40 * number, 0, 0))
    one = cut_photos(tmp_path, *photos)
    monkeypatch.setenv("CAMTRAPS_WORKERS", "2")
    monkeypatch.setenv("CAMTRAPS_WORK", str(tmp_path / "other work"))
    two = cut_photos(tmp_path, *photos, output="other")
    assert digests(tmp_path / "out") == digests(tmp_path / "other")
    assert len(digests(tmp_path / "out")) == 3
    assert one.crops.equals(two.crops)


def test_the_order_of_the_boxes_does_not_matter(tmp_path):
    photos = [(f"{number % 4}.jpg", str(number % 2), {"box": number // 4}) for number in range(8)]
    for name, _, _ in photos:
        photo(tmp_path / "photos" / name)
    one, other = cut_photos(tmp_path, *photos), cut_photos(tmp_path, *reversed(photos), output="other")
    assert digests(tmp_path / "out") == digests(tmp_path / "other")
    assert one.crops.equals(other.crops)


KILLED = """
import os, signal, sys
from pathlib import Path
import pandas as pd
sys.path.insert(0, "tests")
from make_tables import crop_params
from camtraps import cutting, shards
from camtraps.storage import Images, PhotoError

def write(path, members):
    if "d/b.jpg" in next(iter(members := list(members)))[0]:
        path.write_bytes(b"PK half a shard")
        os.kill(os.getpid(), signal.SIGKILL)
    return real(path, members)

real, shards.write = shards.write, write
folder = Path(sys.argv[1])
boxes = pd.read_pickle(folder / "boxes")
cutting.cut_all(boxes, Images({"d": str(folder / "photos")}), crop_params(min_side=4), folder / "out")
"""


def test_a_run_that_was_killed_in_the_middle_continues_and_trusts_nothing_half_written(tmp_path, cut_units):  # C3
    photos = [("a.jpg", "1", {}), ("b.jpg", "2", {})]
    for name, _, _ in photos:
        photo(tmp_path / "photos" / name)
    boxes_of(*photos).to_pickle(tmp_path / "boxes")
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path], cwd=ROOT, env=os.environ, check=False)
    assert done.returncode == -signal.SIGKILL
    crops = cut_photos(tmp_path, *photos).crops
    assert cut_units == [["d/b.jpg"]]
    assert all(abs(pixels(tmp_path, row)[4:-4, 4:-4] - RED).max() < 12 for row in crops.to_dict("records"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_said_in_one_line_and_nothing_half_written_is_kept(tmp_path, monkeypatch):
    photos = [("a.jpg", "1", {}), ("b.jpg", "2", {})]
    for name, _, _ in photos:
        photo(tmp_path / "photos" / name)
    write = shards.write

    def write_second_to_full_disk(path, members):
        members = list(members)
        if members[0][0].startswith("d/b.jpg"):
            path.symlink_to("/dev/full")
        return write(path, members)

    monkeypatch.setattr(shards, "write", write_second_to_full_disk)
    with pytest.raises(CamtrapsError) as error:
        cut_photos(tmp_path, *photos)
    monkeypatch.setattr(shards, "write", write)
    work = tmp_path / "work/crops"
    (first,) = work.iterdir()
    unfinished = str(error.value).partition(": ")[0]
    assert str(error.value) == f"{unfinished}: cannot be written: the disk is full; make room and run again"
    assert Path(unfinished).parent == work
    assert first.name != Path(unfinished).name
    assert not (tmp_path / "out").exists()
    result = cut_photos(tmp_path, *photos)
    assert (len(result.crops), result.num_shards, result.num_new) == (2, 2, 1)


def test_what_has_not_changed_is_not_cut_again(tmp_path, cut_units):
    photo(tmp_path / "photos/a.jpg")
    first = cut_photos(tmp_path, ("a.jpg", "1", {}))
    second = cut_photos(tmp_path, ("a.jpg", "1", {}), output="again")
    assert cut_units == [["d/a.jpg"]]
    assert second.crops.equals(first.crops)
    assert digests(tmp_path / "again") == digests(tmp_path / "out")


def test_cutting_leaves_its_tables_alone_and_needs_no_catalog_of_local_photos(tmp_path):  # C10
    photo(tmp_path / "photos/a.jpg")
    boxes, sources = boxes_of(("a.jpg", "1", {}), ("a.jpg", "1", {"box": 1})), Images({"d": str(tmp_path / "photos")})
    given = boxes.copy()
    first = cut_all(boxes, sources, params(), tmp_path / "out")
    second = cut_all(boxes, sources, params(quality=91), tmp_path / "again")
    assert boxes.equals(given)
    assert first.crops.drop(columns=["offset", "length"]).equals(second.crops.drop(columns=["offset", "length"]))


CHANGES = {"rule": "ancestor", "shape": "box", "margin": 1.2, "min_side": 5, "max_side": 64, "quality": 50}
CHANGES |= {"subsampling": 444}
CHOOSING = {"threshold": 0.2, "categories": ("animal", "person"), "drop_repeats": False, "max_failed": 0.5}
CHOOSING |= {"save_full_images": True}


def test_each_parameter_changes_crops_or_only_their_choice():
    assert {field.name for field in fields(CropParams)} == {*CHANGES, *CHOOSING}


@pytest.mark.parametrize("name", CHANGES)
def test_a_parameter_that_changes_crops_cuts_everything_again(tmp_path, cut_units, name):
    photo(tmp_path / "photos/a.jpg")
    cut_photos(tmp_path, ("a.jpg", "1", {}))
    cut_photos(tmp_path, ("a.jpg", "1", {}), output="again", **{name: CHANGES[name]})
    assert len(cut_units) == 2


def test_parameters_that_choose_boxes_cut_nothing_again(tmp_path, cut_units):
    photo(tmp_path / "photos/a.jpg")
    cut_photos(tmp_path, ("a.jpg", "1", {}))
    cut_photos(tmp_path, ("a.jpg", "1", {}), **CHOOSING)
    assert len(cut_units) == 1


def test_a_box_that_was_moved_cuts_its_shard_again_and_no_other(tmp_path, cut_units):
    for name in ("a.jpg", "b.jpg"):
        photo(tmp_path / "photos" / name)
    cut_photos(tmp_path, ("a.jpg", "1", {}), ("b.jpg", "2", {}))
    cut_photos(tmp_path, ("a.jpg", "1", {}), ("b.jpg", "2", {"x": 0.5}))
    assert cut_units == [["d/a.jpg"], ["d/b.jpg"], ["d/b.jpg"]]


def test_a_line_of_the_code_that_cuts_cuts_everything_again(tmp_path, cut_units, monkeypatch):
    photo(tmp_path / "photos/a.jpg")
    cut_photos(tmp_path, ("a.jpg", "1", {}))
    monkeypatch.setattr(cutting, "code_digest", lambda modules: "of the next version")
    cut_photos(tmp_path, ("a.jpg", "1", {}))
    assert len(cut_units) == 2


def test_another_pillow_cuts_everything_again(tmp_path, cut_units, monkeypatch):
    photo(tmp_path / "photos/a.jpg")
    cut_photos(tmp_path, ("a.jpg", "1", {}))
    monkeypatch.setattr("PIL.__version__", "0.0")
    cut_photos(tmp_path, ("a.jpg", "1", {}))
    assert len(cut_units) == 2


def test_a_photo_that_was_replaced_cuts_its_shard_again(tmp_path, cut_units):
    for name in ("a.jpg", "b.jpg"):
        photo(tmp_path / "photos" / name)
    photos = [("a.jpg", "1", {}), ("b.jpg", "2", {})]
    cut_photos(tmp_path, *photos)
    status = (tmp_path / "photos/b.jpg").stat()
    photo(tmp_path / "photos/b.jpg", colour=(20, 20, 230))
    os.utime(tmp_path / "photos/b.jpg", ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    crops = cut_photos(tmp_path, *photos).crops
    assert cut_units == [["d/a.jpg"], ["d/b.jpg"], ["d/b.jpg"]]
    assert pixels(tmp_path, crops.to_dict("records")[1])[18, 18, 2] > 200


def test_a_photo_that_was_absent_is_cut_when_it_is_there(tmp_path):
    assert len(cut_photos(tmp_path, ("a.jpg", "1", {})).failures) == 1
    photo(tmp_path / "photos/a.jpg")
    assert len(cut_photos(tmp_path, ("a.jpg", "1", {})).crops) == 1


def test_a_remote_photo_that_failed_is_tried_again(tmp_path):
    boxes, sources = boxes_of(("a.jpg", "1", {})), Images({"d": f"memory://{tmp_path.name}"})
    failed = cut_all(boxes, sources, params(), tmp_path / "out").failures
    assert failed["reason"].tolist() == ["photo not found"]
    photo(tmp_path / "a.jpg")
    with fsspec.open(f"memory://{tmp_path.name}/a.jpg", "wb") as file:
        file.write((tmp_path / "a.jpg").read_bytes())
    assert len(cut_all(boxes, sources, params(), tmp_path / "out").crops) == 1


def test_remote_photos_that_were_read_are_not_cut_again(tmp_path, cut_units):
    photo(tmp_path / "a.jpg")
    fsspec.filesystem("memory").pipe(f"/{tmp_path.name}/a.jpg", (tmp_path / "a.jpg").read_bytes())
    for _ in range(2):
        cut_all(boxes_of(("a.jpg", "1", {})), Images({"d": f"memory://{tmp_path.name}"}), params(), tmp_path / "out")
    assert cut_units == [["d/a.jpg"]]


@pytest.fixture
def elsewhere(tmp_path):
    """Put a photo and half a photo into a store; give both, and where copies of them are saved."""
    store = fsspec.filesystem("memory")
    photo(tmp_path / "a.jpg")
    data = (tmp_path / "a.jpg").read_bytes()
    store.pipe({f"/{tmp_path.name}/a.jpg": data, f"/{tmp_path.name}/b.jpg": data[:500]})
    yield Images({"d": f"memory://{tmp_path.name}"}, tmp_path / "saved")
    store.rm(f"/{tmp_path.name}", recursive=True)


def test_remote_photos_that_could_be_cut_are_saved_if_asked(tmp_path, elsewhere, cut_units):
    boxes = boxes_of(("a.jpg", "1", {}), ("b.jpg", "1", {}))
    cut_all(boxes, elsewhere, params(), tmp_path / "out")
    assert not (tmp_path / "saved").exists()
    cut_all(boxes, elsewhere, params(save_full_images=True, quality=91), tmp_path / "out")
    assert [path.name for path in (tmp_path / "saved/d").iterdir()] == ["a.jpg"]
    assert (tmp_path / "saved/d/a.jpg").read_bytes() == (tmp_path / "a.jpg").read_bytes()


def test_a_saved_photo_is_read_in_place_of_the_remote_one_and_nothing_is_cut_again(tmp_path, elsewhere, cut_units):
    boxes, keep = boxes_of(("a.jpg", "1", {})), params(save_full_images=True)
    first = cut_all(boxes, elsewhere, keep, tmp_path / "out").crops
    assert cut_all(boxes, elsewhere, keep, tmp_path / "out").crops.equals(first)
    assert len(cut_units) == 1
    fsspec.filesystem("memory").rm(f"/{tmp_path.name}/a.jpg")
    assert len(cut_all(boxes, elsewhere, params(quality=50), tmp_path / "out").crops) == 1


def test_how_many_photos_of_earlier_crops_are_not_saved_is_said(tmp_path, elsewhere, monkeypatch):
    boxes = boxes_of(("a.jpg", "1", {}), ("a.jpg", "1", {"box": 1}))
    monkeypatch.setattr(layout, "collection", lambda: Path("data/mine"))
    crops = cut_all(boxes, elsewhere, params(), tmp_path / "out").crops
    assert crop._unsaved(crops, elsewhere) == [
        "crop.save_full_images: 1 photos were cut before, and are not read again; "
        "`camtraps fetch mine --queried` saves them"
    ]
    assert crop._unsaved(crops, Images({"d": str(tmp_path)}, tmp_path / "saved")) == []
    (tmp_path / "saved/d").mkdir(parents=True)
    (tmp_path / "saved/d/a.jpg").touch()
    assert crop._unsaved(crops, elsewhere) == []


def test_a_new_key_in_the_web_address_cuts_nothing_again(tmp_path, monkeypatch, cut_units):
    photo(tmp_path / "a.jpg")
    asked = []
    monkeypatch.setattr(
        reading, "ahead", lambda uris: [asked.append(uri) or (tmp_path / "a.jpg").read_bytes() for uri in uris]
    )
    for key in ("sig=one", "sig=two"):
        cut_all(boxes_of(("a.jpg", "1", {})), Images({"d": f"https://host/x?{key}"}), params(), tmp_path / "out")
    assert asked == ["https://host/x/a.jpg?sig=one"]


def test_a_local_photo_that_was_there_but_could_not_be_read_is_tried_again(tmp_path, monkeypatch):
    photo(tmp_path / "photos/a.jpg")
    with monkeypatch.context() as broken:
        broken.setattr(reading, "ahead", lambda uris: [PhotoError("photo not readable: stale file handle")])
        assert len(cut_photos(tmp_path, ("a.jpg", "1", {})).failures) == 1
    assert len(cut_photos(tmp_path, ("a.jpg", "1", {})).crops) == 1


def test_a_local_photo_that_is_absent_is_not_looked_for_again(tmp_path, cut_units):
    for _ in range(2):
        assert len(cut_photos(tmp_path, ("a.jpg", "1", {})).failures) == 1
    assert cut_units == [["d/a.jpg"]]


def test_new_photos_at_one_camera_leave_the_shards_of_others_alone(tmp_path, cut_units):
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        photo(tmp_path / "photos" / name)
    before = [("a.jpg", "1", {}), ("b.jpg", "2", {})]
    first = cut_photos(tmp_path, *before)
    second = cut_photos(tmp_path, *before, ("c.jpg", "2", {}), output="more")
    assert [(each.num_new, each.num_shards) for each in (first, second)] == [(2, 2), (1, 2)]
    assert cut_units == [["d/a.jpg"], ["d/b.jpg"], ["d/b.jpg", "d/c.jpg"]]
    old, new = digests(tmp_path / "out"), digests(tmp_path / "more")
    assert {name for name in new if new[name] != old.get(name)} == {"shards/d/2-0000.zip"}


def test_cutting_over_an_earlier_result_leaves_only_the_new_one(tmp_path):
    photo(tmp_path / "photos/a.jpg")
    cut_photos(tmp_path, ("a.jpg", "1", {}), ("a.jpg", "1", {"box": 1}))
    cut_photos(tmp_path, ("a.jpg", "2", {}))
    assert list(digests(tmp_path / "out")) == ["shards/d/2-0000.zip"]


def test_cutting_over_an_earlier_result_keeps_what_the_work_folder_remembers(tmp_path):
    photo(tmp_path / "photos/a.jpg")
    cut_photos(tmp_path, ("a.jpg", "1", {}))
    first = digests(tmp_path / "out")
    cut_photos(tmp_path, ("a.jpg", "1", {}), quality=50)
    assert digests(tmp_path / "out") != first
    cut_photos(tmp_path, ("a.jpg", "1", {}))
    assert digests(tmp_path / "out") == first


def test_crops_are_made_again_when_any_code_behind_them_changes():
    behind = closure(ROOT / "camtraps/cutting.py") | {"camtraps/cutting.py"}
    irrelevant = {"schema", "tables", "failures", "taxa", "taxonomy", "units", "files", "detections"}
    irrelevant |= {"storage", "reading", "access", "remote", "stores", "troubles"}  # a photo's bytes are what they are
    irrelevant |= {"results", "processes", *(f"engines/{name}" for name in ("__init__", "pool", "cluster", "shares"))}
    wanted = behind - REFUSERS - {f"camtraps/{name}.py" for name in irrelevant}
    assert wanted <= {name.replace(".", "/") + ".py" for name in cutting.CODE}
