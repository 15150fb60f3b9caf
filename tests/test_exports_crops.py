"""Crops unpacked: the folders and names of CameraTraps, each file whole or not there."""

import io
from pathlib import Path

import pytest
from make_tables import rows
from PIL import Image

from camtraps import shards
from camtraps.errors import CamtrapsError, InputError, MissingError
from camtraps.exports.crops import export
from camtraps.schema import CROPS
from camtraps.shards import member_name

GIVEN = [("d/cam 1/a.jpg", 0, "human"), ("d/cam 1/a.jpg", 101, "md_v5a.0.1"), ("e/b.JPG", 3, "motion")]
NAMES = ["d/cam 1/a.jpg___crop00.jpg", "d/cam 1/a.jpg___crop101_md_v5a.0.1.jpg", "e/b.JPG___crop03_motion.jpg"]


def packed(folder, *given):
    """Pack one shard a dataset, each crop in another colour; give rows of the crops table."""
    found = []
    for dataset in sorted({image.split("/")[0] for image, _, _ in given}):
        own = sorted((member_name(*each), each) for each in given if each[0].startswith(dataset + "/"))
        members = [(name, jpeg(40 * each[1] % 250)) for name, each in own]
        (folder / "shards").mkdir(parents=True, exist_ok=True)
        for (_, each), place in zip(own, shards.write(folder / f"shards/{dataset}.zip", members), strict=True):
            row = dict(zip(("image", "box", "detector", "offset", "length"), (*each, *place), strict=True))
            found.append(row | {"shard": f"shards/{dataset}.zip", "dataset": dataset})
    return rows(CROPS, *found)


def jpeg(red):
    buffer = io.BytesIO()
    Image.new("RGB", (20, 20), (red, 90, 90)).save(buffer, "JPEG")
    return buffer.getvalue()


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_crops_get_the_folders_and_names_of_cameratraps(tmp_path):  # C4, C9
    crops = packed(tmp_path / "crops", *GIVEN)
    said = export(crops, tmp_path / "crops", tmp_path / "out")
    assert files(tmp_path / "out") == {
        name: jpeg(40 * box % 250) for name, (_, box, _) in zip(NAMES, GIVEN, strict=True)
    }
    assert said == "3 crops (0.0 MB) of 2 photos"


def test_only_the_crops_that_are_given_are_written(tmp_path):
    crops = packed(tmp_path / "crops", *GIVEN)
    export(crops[crops["dataset"] == "e"], tmp_path / "crops", tmp_path / "out")
    assert list(files(tmp_path / "out")) == NAMES[2:]


def test_no_crops_are_no_files(tmp_path):
    assert export(packed(tmp_path, *GIVEN).iloc[:0], tmp_path, tmp_path / "out") == "0 crops (0.0 MB) of 0 photos"


def test_what_is_there_whole_is_left_alone_and_the_rest_is_mended(tmp_path):  # C3
    crops = packed(tmp_path / "crops", *GIVEN)
    export(crops, tmp_path / "crops", tmp_path / "out")
    whole = files(tmp_path / "out")
    paths = [tmp_path / "out" / name for name in NAMES]
    untouched = paths[0].stat()
    paths[1].write_bytes(whole[NAMES[1]][:-9])
    paths[2].write_bytes(b"x" * len(whole[NAMES[2]]))
    assert export(crops, tmp_path / "crops", tmp_path / "out").endswith(" of 2 photos, 1 were there")
    assert files(tmp_path / "out") == whole
    assert paths[0].stat().st_ino == untouched.st_ino


def test_files_of_other_crops_are_not_removed(tmp_path):
    (tmp_path / "out/d").mkdir(parents=True)
    (tmp_path / "out/d/mine.txt").touch()
    export(packed(tmp_path / "crops", *GIVEN), tmp_path / "crops", tmp_path / "out")
    assert (tmp_path / "out/d/mine.txt").exists()


def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path):
    crops = packed(tmp_path / "crops", ("d/../../a.jpg", 0, "human"))
    with pytest.raises(InputError) as error:
        export(crops, tmp_path / "crops", tmp_path / "out")
    assert str(error.value) == f"'d/../../a.jpg___crop00.jpg' leads out of {tmp_path}/out; cut the crops again"
    assert not (tmp_path / "out").exists()


def test_a_file_where_a_folder_is_needed_is_a_clear_error(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/d").touch()
    with pytest.raises(InputError) as error:
        export(packed(tmp_path / "crops", *GIVEN), tmp_path / "crops", tmp_path / "out")
    path = tmp_path / "out" / NAMES[0]
    assert str(error.value) == f"{path}: cannot be written: a file or folder is in the way; move it away"


def test_a_shard_that_is_not_there_is_a_clear_error(tmp_path):
    crops = packed(tmp_path / "crops", *GIVEN)
    (tmp_path / "crops/shards/d.zip").unlink()
    with pytest.raises(MissingError, match=r"d\.zip: not found; run `dvc pull` or `dvc repro`$"):
        export(crops, tmp_path / "crops", tmp_path / "out")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_leaves_no_half_file(tmp_path, monkeypatch):
    write = Path.write_bytes

    def write_to_full_disk(path, data):
        path.symlink_to("/dev/full")
        return write(path, data)

    crops = packed(tmp_path / "crops", *GIVEN)
    monkeypatch.setattr(Path, "write_bytes", write_to_full_disk)
    with pytest.raises(CamtrapsError) as error:
        export(crops, tmp_path / "crops", tmp_path / "out")
    path = tmp_path / "out" / NAMES[0]
    assert str(error.value) == f"{path}: cannot be written: the disk is full; make room and run again"
    assert files(tmp_path / "out") == {}
