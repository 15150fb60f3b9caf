"""Camtrap DP packages: where they may lie, how their tables may be written, and what is no package."""

import gzip
import re
import zipfile
from datetime import datetime
from pathlib import Path

import pytest
from make_camtrap_dp import describe, package

from camtraps.errors import InputError, MissingError
from camtraps.formats.camtrap_dp_package import opened_package


def cells(path, name="media"):
    """Read a table of a package as rows."""
    with opened_package(path) as found:
        return [row for batch in found.batches(name) for row in batch.to_pylist()]


def test_a_table_has_all_columns_that_are_read(tmp_path):
    media = ["m1,d1,2024-04-01T05:00:00+02:00, ,image/jpeg", "NA,007,soon,a 1.jpg,"]
    nothing = dict.fromkeys(("mediaComments", "eventID", "sequenceID"))
    assert cells(package(tmp_path / "p", media=media)) == [
        {"place": "media.csv:2", "mediaID": "m1", "deploymentID": "d1", "filePath": None}
        | {"timestamp": "2024-04-01T05:00:00+02:00", "fileMediatype": "image/jpeg"}
        | nothing
        | {"at_timestamp": datetime(2024, 4, 1, 3)},
        {"place": "media.csv:3", "mediaID": "NA", "deploymentID": "007", "filePath": "a 1.jpg"}
        | {"timestamp": "soon", "fileMediatype": None}
        | nothing
        | {"at_timestamp": None},
    ]


def test_a_table_without_rows_has_its_columns(tmp_path):
    with opened_package(package(tmp_path / "p", media=[])) as found:
        first, *others = found.batches("media")
    assert first.column_names[:2] == ["place", "mediaID"]
    assert (first.num_rows, sum(each.num_rows for each in others)) == (0, 0)


@pytest.mark.parametrize("base", ["", "my package/"])
def test_a_zip_is_read_without_being_unpacked_beside_it(tmp_path, base, work):
    folder = package(tmp_path / "p")
    path = tmp_path / "p.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("__MACOSX/datapackage.json", b"")
        for file in sorted(folder.iterdir()):
            archive.write(file, base + file.name)
    given = cells(path)
    assert [row["mediaID"] for row in given] == ["m1", "m2"]
    assert given == cells(folder) == cells(folder / "datapackage.json")
    assert not [file for file in work.rglob("*") if file.is_file()]


def test_tables_may_have_other_names_and_be_gzipped_or_in_parts(tmp_path):
    folder = package(tmp_path / "p")
    text = (folder / "media.csv").read_bytes()
    (folder / "tables").mkdir()
    (folder / "tables" / "one.csv.gz").write_bytes(gzip.compress(text))
    (folder / "two.csv").write_bytes(text.replace(b"m1", b"m3").replace(b"m2", b"m4"))
    describe(folder, media={"path": ["tables/one.csv.gz", "two.csv"]})
    places = ["tables/one.csv.gz:2", "tables/one.csv.gz:3", "two.csv:2", "two.csv:3"]
    assert [(row["mediaID"], row["place"]) for row in cells(folder)] == list(
        zip(["m1", "m2", "m3", "m4"], places, strict=True)
    )


def test_the_delimiter_and_encoding_of_the_package_are_honoured(tmp_path):
    folder = package(tmp_path / "p", ["d1,Größe,,52.5,13.25"])
    text = (folder / "deployments.csv").read_text(encoding="utf-8").replace(",", "|")
    (folder / "deployments.csv").write_bytes(text.encode("latin-1"))
    describe(folder, deployments={"dialect": {"delimiter": "|"}, "encoding": "iso-8859-1"})
    assert [row["locationID"] for row in cells(folder, "deployments")] == ["Größe"]
    describe(folder, deployments={"dialect": {"delimiter": "|"}, "encoding": "no-such"})
    message = (
        f"{folder}/deployments.csv: cannot be read with encoding 'no-such' and delimiter '|' of datapackage.json: "
        "unknown encoding: no-such"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        cells(folder, "deployments")


def test_what_is_wrong_with_the_resources_is_told_at_once(tmp_path):
    folder = package(tmp_path / "p")
    describe(
        folder, deployments={"path": "../d.csv"}, media={"path": "https://x.org/media.csv"}, observations={"path": 3}
    )
    message = (
        f"{folder}/datapackage.json: resource deployments leads out of the folder: '../d.csv'; this is no package to "
        "trust; resource media lies at https://x.org/media.csv; download the whole package and import that; "
        "resource observations is missing or has no path"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        cells(folder)


def test_a_folder_without_a_package_is_missing(tmp_path):
    message = (
        f"{tmp_path}/datapackage.json: not found; give the folder of a Camtrap DP, its datapackage.json or its zip"
    )
    with pytest.raises(MissingError, match=f"^{re.escape(message)}$"):
        cells(tmp_path)


def test_other_json_is_no_package(tmp_path):
    path = Path(tmp_path / "cct.json")
    path.write_text('{"images": []}')
    message = f"{path}: expected an object with resources, as of a Camtrap DP"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        cells(path)


def test_a_missing_table_or_column_is_named_as_it_is_in_the_zip(tmp_path):
    folder = package(tmp_path / "p", headers={"media": "mediaID,deploymentID,timestamp,path,fileMediatype"})
    path = tmp_path / "p.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("datapackage.json", "deployments.csv", "media.csv"):
            archive.write(folder / name, name)
    message = (
        f"{path}/media.csv:1: column filePath is missing; it has mediaID, deploymentID, timestamp, path, fileMediatype"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        cells(path)
    describe(folder, media={"path": "gone.csv"})
    message = f"{folder}/gone.csv: not found; it is named in datapackage.json; get the package again whole"
    with pytest.raises(MissingError, match=f"^{re.escape(message)}$"):
        cells(folder)


def test_a_zip_that_climbs_or_holds_no_package_is_refused(tmp_path):
    path = tmp_path / "p.zip"
    for member, message in (
        ("../x.csv", "its member '../x.csv' leads out of the folder; this is no archive to trust"),
        ("x.csv", "expected one datapackage.json in it, found none; unpack it and name one"),
    ):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(member, b"")
        with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {message}')}$"):
            cells(path)
