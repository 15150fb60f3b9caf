"""LILA's tables: rows of photos and labels, choosing while reading, addresses and image roots."""

import csv
import gzip
import io
import re
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pytest

from camtraps.errors import InputError, MissingError
from camtraps.formats import lila
from camtraps.formats.lila import Chosen
from camtraps.formats.rows import ANNOTATIONS, PHOTOS, Fault, Problem
from camtraps.storage import photo_uri
from camtraps.taxa import LILA_LEVELS

GCP = "https://storage.googleapis.com/public-datasets-lila"
AWS = "http://us-west-2.opendata.source.coop.s3.amazonaws.com/agentmorris/lila-wildlife"
AZURE = "https://lilawildlife.blob.core.windows.net/lila-wildlife"
ALPHA, BETA = "Alpha Traps", "Beta : Traps"
COLUMNS = (
    *("dataset_name", "url_gcp", "url_aws", "url_azure", "image_id", "sequence_id", "location_id", "frame_num"),
    *("original_label", "scientific_name", "common_name", "datetime", "annotation_level", *LILA_LEVELS),
)
FOX = {"original_label": "red_fox", "family": "canidae", "species": "vulpes vulpes"}
ALL = Chosen()
EMPTY = {"original_label": "empty", "family": "", "species": ""}


def row(file: str = "cam3/1.jpg", dataset: str = ALPHA, folder: str = "alpha-unzipped", **more: str) -> dict[str, str]:
    """Make a row of a roe deer; columns may be changed."""
    urls = {f"url_{cloud}": f"{base}/{folder}/{file}" for cloud, base in lila.BASES.items()}
    ids = {"sequence_id": f"{dataset} : s1", "location_id": f"{dataset} : cam3", "image_id": f"{dataset} : {file}"}
    when = {"datetime": "04-01-2024 05:12:09", "frame_num": "0", "annotation_level": "image"}
    deer = {"original_label": "roe_deer", "family": "cervidae", "species": "capreolus capreolus"}
    return {"dataset_name": dataset} | urls | ids | when | deer | more


def written(rows: list[dict[str, str]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


@pytest.fixture
def table(tmp_path):
    def write(*rows: dict[str, str]) -> Path:
        path = tmp_path / "lila.csv"
        path.write_text(written(list(rows)), encoding="utf-8", newline="")
        return path

    return write


@pytest.fixture
def known(tmp_path):
    path = tmp_path / "datasets.csv"
    path.write_text(
        "name,short_name,continent,country,region,mdv5a_results_raw,md_results_with_rde,"
        + ",".join(f"{kind}_{cloud}" for kind in ("image_base_url", "metadata_url", "bbox_url") for cloud in lila.BASES)
        + f"\n{ALPHA},alpha,Africa,Kenya,,https://lila.science/a_mdv5a.zip,nan,"
        + f"{GCP}/alpha-unzipped,{AWS}/alpha-unzipped,{AZURE}/alpha-unzipped,{GCP}/a.json.zip,{AWS}/a.json.zip,NaN,,,"
        + f'\n{BETA},beta,Europe,"Spain, Portugal",,,,'
        + f"{GCP}/b/2,{AWS}/b/2,{AZURE}/b/2,{GCP}/b.zip,{AWS}/b.zip,{AZURE}/b.zip,{GCP}/bb.zip,,\n,,,,,,,,,,,,,,,\n"
    )
    return lila.read_datasets(path)


def given(path: Path, *more: Any, chosen: Chosen = ALL, cloud: lila.Cloud = "gcp") -> tuple[list[Any], list[Any]]:
    """Read the photos and the annotations, as rows."""
    tables = list(lila.read(path, chosen, cloud, *more))
    assert [each.schema for each in tables] == [PHOTOS, ANNOTATIONS] * (len(tables) // 2)
    return tuple([row for each in tables[at::2] for row in each.to_pylist()] for at in (0, 1))  # type: ignore[return-value]


def labels(path: Path, *more: Any, **chosen: Any) -> list[tuple[str, str]]:
    return [(each["photo"], each["name"]) for each in given(path, *more, chosen=Chosen(**chosen))[1]]


def message(path: Path, *more: Any, **chosen: Any) -> str:
    with pytest.raises(InputError) as caught:
        list(lila.read(path, Chosen(**chosen), "gcp", *more))
    return str(caught.value)


def test_a_row_becomes_a_photo_and_a_label(table):
    photos, annotations = given(table(row()))
    place, key = "lila.csv:2", "alpha-traps/alpha-unzipped/cam3/1.jpg"
    nothing = dict.fromkeys(("width", "height"))
    assert photos == [
        {"place": place, "key": key, "file": "alpha-unzipped/cam3/1.jpg", "location": "cam3", "sequence": "s1"}
        | {"frame": "0", "taken": "04-01-2024 05:12:09", **nothing, "corrupt": False, "dataset": "alpha-traps"}
    ]
    nothing = dict.fromkeys(("x", "y", "w", "h", "category", "problem", "found"))
    label = {"place": place, "photo": key, "name": "roe_deer", "level": "image", "in_pixels": False, "boxed": False}
    assert annotations == [label | nothing]


def test_the_table_of_datasets_takes_its_base_off_the_file_name(table, known):
    path = table(row(), row("x y#%20/1.jpg", BETA, "b/2"))
    for cloud in ("gcp", "aws", "azure"):
        photos, _ = given(path, known, cloud=cloud)
        assert [photo["file"] for photo in photos] == ["cam3/1.jpg", "x y#%20/1.jpg"]
        assert [photo["key"] for photo in photos] == ["alpha-traps/cam3/1.jpg", "beta-traps/x y#%20/1.jpg"]


@pytest.mark.parametrize("file", ["cam 3/1.jpg", "cam 3/x y#%20.jpg", "cam 3/a?b::c.jpg"])
def test_a_photo_is_read_at_the_url_of_the_table(table, known, file):
    # LILA's URLs are not quoted: what stands in the table is the name itself, `%20` three characters of it.
    for datasets in (None, known):
        photos, _ = given(table(row(file)), datasets)
        uri = photo_uri(lila.root(ALPHA, "gcp", datasets), photos[0]["file"])
        assert unquote(uri) == f"{GCP}/alpha-unzipped/{file}"
        assert not set(uri.removeprefix("https:")) & set(" #?:")


def test_what_is_not_known_is_none(table):
    unknown = {"frame_num": "-1", "datetime": "", "annotation_level": "unknown"}
    ids = {"sequence_id": f"{ALPHA} : unknown", "location_id": ALPHA, "original_label": ""}
    photos, annotations = given(table(row(**unknown, **ids)))
    assert {photos[0][name] for name in ("frame", "taken", "sequence", "location")} == {None}
    assert annotations[0]["name"] is None


@pytest.mark.parametrize(
    ("given_id", "expected"),
    [
        (f"{BETA} : 007", "007"),
        (f"{BETA} : NA", "NA"),
        (f"{BETA} : null", "null"),
        (f"{BETA} : a : b", "a : b"),
        (f"{BETA} : {BETA}", BETA),
        (f"{BETA} : None", None),
        (f"{BETA} : nan", None),
        (f"{BETA} : ", None),
        (BETA, None),
        ("", None),
        ("Beta : x", "Beta : x"),
    ],
)
def test_a_location_is_what_stands_behind_the_name_of_the_dataset(table, given_id, expected):
    photos, _ = given(table(row(dataset=BETA, location_id=given_id, sequence_id=given_id)))
    assert (photos[0]["location"], photos[0]["sequence"]) == (expected, expected)


def test_a_location_may_be_called_unknown_but_no_sequence(table):
    photos, _ = given(table(row(location_id=f"{ALPHA} : unknown", sequence_id=f"{ALPHA} : unknown")))
    assert (photos[0]["location"], photos[0]["sequence"]) == ("unknown", None)


@pytest.mark.parametrize(
    ("level", "expected"), [("image", "image"), ("sequence", "sequence"), ("unknown", "sequence"), ("", "sequence")]
)
def test_a_label_of_unknown_level_counts_for_the_sequence(table, level, expected):
    assert given(table(row(annotation_level=level)))[1][0]["level"] == expected


def test_labels_stay_as_they_are(table):
    names = ["empty", "NA", "null", "x#1", "a|b", 'a "b", c', "Reh ü"]
    assert [name for _, name in labels(table(*(row(original_label=name) for name in names)))] == names


def test_a_photo_with_two_labels_is_given_twice(table):
    photos, annotations = given(table(row(), row(**FOX)))
    assert [photo["place"] for photo in photos] == ["lila.csv:2", "lila.csv:3"]
    assert len({photo["key"] for photo in photos}) == 1
    assert [each["name"] for each in annotations] == ["roe_deer", "red_fox"]


@pytest.mark.parametrize("packed", ["zip", "gz"])
def test_the_table_may_be_packed(tmp_path, packed):
    path = tmp_path / f"lila.csv.{packed}"
    text = written([row()])
    if packed == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("lila_image_urls_and_labels.csv", text)
    else:
        path.write_bytes(gzip.compress(text.encode()))
    photos, _ = given(path)
    assert photos[0]["place"] == f"{path.name}:2"


def test_the_order_of_the_columns_does_not_matter(tmp_path):
    path = tmp_path / "lila.csv"
    names = [name for name in reversed(COLUMNS) if name not in ("url_aws", "url_azure", "image_id", "subgenus")]
    cells = row()
    path.write_text(",".join(names) + "\n" + ",".join(cells.get(name, "") for name in names) + "\n")
    assert labels(path) == [("alpha-traps/alpha-unzipped/cam3/1.jpg", "roe_deer")]


def test_a_dataset_is_chosen_however_its_name_is_written(table, known):
    path = table(row(), row("2.jpg", BETA, "b/2"))
    for name in (BETA, "beta-traps", "BETA TRAPS"):
        assert labels(path, datasets=(name,)) == [("beta-traps/b/2/2.jpg", "roe_deer")]
        assert labels(path, known, datasets=(name,)) == [("beta-traps/2.jpg", "roe_deer")]
    assert labels(path, known, datasets=("beta",)) == [("beta-traps/2.jpg", "roe_deer")]


@pytest.mark.parametrize("country", ["spain", "Portugal", "Spain, Portugal"])
def test_a_country_chooses_its_datasets(table, known, country):
    path = table(row(), row("2.jpg", BETA, "b/2"))
    assert labels(path, known, countries=(country,)) == [("beta-traps/2.jpg", "roe_deer")]


def test_a_country_needs_the_table_of_datasets(table):
    assert message(table(row()), countries=("Kenya",)) == (
        "to choose by country, LILA's table of datasets is needed; get lila_camera_trap_datasets.csv from lila.science"
    )


def test_a_taxon_is_chosen_by_its_level(table):
    path = table(row("1.jpg"), row("2.jpg", **FOX), row("3.jpg", **EMPTY), row("4.jpg", **FOX | {"family": " CANIDAE"}))
    fox = [("alpha-traps/alpha-unzipped/2.jpg", "red_fox"), ("alpha-traps/alpha-unzipped/4.jpg", "red_fox")]
    assert labels(path, taxa=(("family", "Canidae"),)) == fox
    assert len(labels(path, taxa=(("family", "canidae"), ("species", "capreolus capreolus")))) == 3


def test_a_photo_with_a_chosen_taxon_keeps_its_other_labels(table):
    # Else a photo of a fox and a deer would pass for one of a fox.
    path = table(
        row("1.jpg"), row("2.jpg", **FOX), row("2.jpg"), row("3.jpg", **EMPTY), row("4.jpg"), row("4.jpg", **FOX)
    )
    assert [(key[-5:], name) for key, name in labels(path, taxa=(("family", "canidae"),))] == [
        *(("2.jpg", "red_fox"), ("2.jpg", "roe_deer")),
        *(("4.jpg", "roe_deer"), ("4.jpg", "red_fox")),
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_a_photo_may_be_cut_in_two_by_a_batch(table, monkeypatch, size):
    path = table(
        row("1.jpg", **FOX), row("1.jpg"), row("2.jpg"), row("3.jpg"), row("3.jpg", **EMPTY), row("3.jpg", **FOX)
    )
    (whole,) = lila.batches(path, [])
    parts = [whole.slice(at, size) for at in range(0, 6, size)]
    monkeypatch.setattr(lila, "batches", lambda *given: iter(parts))
    chosen = [key[-5] for key, _ in labels(path, taxa=(("family", "canidae"),))]
    assert chosen == ["1", "1", "3", "3", "3"]


def test_a_large_table_is_given_in_parts(table):
    path = table(*(row(f"{at}.jpg", common_name="x" * 5000) for at in range(4000)))
    tables = list(lila.read(path, ALL, "gcp"))
    assert len(tables) > 2
    assert sum(each.num_rows for each in tables) == 8000
    assert isinstance(tables[-1], pa.Table)
    assert tables[-2]["place"][-1].as_py() == "lila.csv:4001"


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({"datasets": ("Alfa Traps",)}, "it has no rows of dataset 'Alfa Traps'; did you mean Alpha Traps?"),
        ({"datasets": ("xy",)}, "it has no rows of dataset 'xy'; there are Alpha Traps"),
        ({"taxa": (("family", "cervide"),)}, "it has no family 'cervide' in what is chosen; did you mean cervidae?"),
        ({"taxa": (("genus", "vulpes"),)}, "it has no genus 'vulpes' in what is chosen; there are none"),
    ],
)
def test_what_is_chosen_must_be_there(table, chosen, expected):
    path = table(row())
    assert message(path, **chosen) == f"{path}: {expected}"


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (
            {"datasets": ("Alfa Traps", "xy")},
            "dataset 'Alfa Traps' is not in LILA's table of datasets; did you mean Alpha Traps or Beta : Traps?; "
            "dataset 'xy' is not in LILA's table of datasets; there are Alpha Traps, Beta : Traps",
        ),
        ({"countries": ("Kenia",)}, "country 'Kenia' is not in LILA's table of datasets; did you mean Kenya?"),
        ({"datasets": ("Alpha Traps",), "countries": ("Spain",)}, "none of the datasets Alpha Traps lies in Spain"),
        ({"datasets": ("beta",)}, "{path}: it has no rows of dataset 'Beta : Traps'; did you mean Alpha Traps?"),
        ({"countries": ("Spain",)}, "{path}: it has no rows of the datasets of Spain"),
    ],
)
def test_what_is_chosen_must_be_in_the_table_of_datasets(table, known, chosen, expected):
    path = table(row())
    assert message(path, known, **chosen) == expected.format(path=path)


def test_a_url_that_does_not_fit_is_a_fault_once_a_dataset(table, known):
    strange = row("1.jpg", url_gcp="https://elsewhere.org/1.jpg")
    path = table(row("0.jpg"), strange, strange, row("2.jpg", BETA, "b/3"))
    faults = [each.text for each in lila.read(path, ALL, "gcp", known) if isinstance(each, Fault)]
    again = "get LILA's tables again, both of the same day"
    assert faults == [
        f"lila.csv:3: url_gcp of Alpha Traps does not start with {GCP}/alpha-unzipped/: "
        f"'https://elsewhere.org/1.jpg'; {again}",
        f"lila.csv:5: url_gcp of Beta : Traps does not start with {GCP}/b/2/: '{GCP}/b/3/2.jpg'; {again}",
    ]
    faults = [each.text for each in lila.read(path, ALL, "gcp") if isinstance(each, Fault)]
    assert len(faults) == 1
    assert f"does not start with {GCP}/: " in faults[0]


def test_a_row_without_a_url_is_dropped(table):
    first, *more = lila.read(table(row(url_gcp=""), row()), ALL, "gcp")
    assert first == Problem("lila.csv:2", "dropped", "url_gcp is empty")
    assert [each.num_rows for each in more] == [1, 1]


def test_a_dataset_that_the_table_of_datasets_lacks_is_a_fault(table, known):
    (fault,) = lila.read(table(row(dataset="Gamma Traps")), ALL, "gcp", known)
    assert fault == Fault(
        "dataset 'Gamma Traps' is not in LILA's table of datasets; did you mean Alpha Traps or Beta : Traps?"
    )


def test_a_missing_column_is_named(tmp_path):
    path = tmp_path / "lila.csv"
    path.write_text("dataset_name,url_gcp\n")
    assert message(path).startswith(f"{path}:1: column sequence_id, location_id, frame_num, original_label, ")


def test_a_table_without_rows_is_refused(table):
    path = table()
    assert message(path) == f"{path}: it has no rows"


def test_a_missing_table_says_where_to_get_it(tmp_path):
    with pytest.raises(MissingError, match=re.escape("lila.csv: not found; get it from https://lila.science/public/")):
        list(lila.read(tmp_path / "lila.csv", ALL, "gcp"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("canidae", "taxon 'canidae': expected LEVEL:NAME, such as family:canidae"),
        (":canidae", "taxon ':canidae': expected LEVEL:NAME, such as family:canidae"),
        (
            "famly:x",
            "taxon 'famly:x': 'famly' is no level of LILA's taxonomy; did you mean family or subfamily or superfamily?",
        ),
    ],
)
def test_a_taxon_is_a_level_and_a_name(text, expected):
    assert lila.parse_taxon(" Species: Canis lupus ") == ("species", "canis lupus")
    with pytest.raises(InputError) as caught:
        lila.parse_taxon(text)
    assert str(caught.value) == expected
