"""Camtrap DP packages of a catalog: valid by the standard's rules, and the same photos when they are read again."""

import csv
import json
import re
from datetime import datetime, timedelta
from urllib.parse import unquote

import make
import pandas as pd
import pytest

from camtraps import intake
from camtraps.errors import InputError
from camtraps.exports.camtrap_dp import Source, Summary, export
from camtraps.exports.camtrap_dp_terms import Contributor, Project, Said, Term, mediatype, taxonomic, term
from camtraps.formats import camtrap_dp as reader
from camtraps.storage import photo_uri

START = datetime(2024, 4, 1, 5)
BOX = {"category": "animal", "class": "deer", **make.BOX}
PLACES = {"007": (52.5, 13.25), "NA": (-1.5, 2.0)}
DEER = (("species", "capreolus capreolus"), ("genus", "capreolus"), ("family", "cervidae"))
PROJECT = Project(name="tiny", title="Tiny", timezone="+02:00", contributors=(Contributor(title="Ann"),))


def row(image, *labels, location="007", seconds=0, of_sequence=(), **more):
    """Make a catalog row with a location and a time; ``of_sequence`` are labels of the sequence."""
    taken = START + timedelta(seconds=seconds)
    made = make.row(image, *labels, sequence=of_sequence, location=location, datetime=taken)
    return made | {name: value for name, value in more.items() if name != "s"} | {"sequence": more.get("s")}


def catalog_rows():
    """Make photos of all kinds: boxed, looked at, of sequences that touch, odd classes, alone."""
    boxes = [BOX, BOX | {"class": None}, BOX | {"class": None, "category": "person"}, BOX | {"category": "group"}]
    return [
        row("tiny/a/1.jpg", "deer", "fox", boxes=boxes),
        row("tiny/a/2.jpg", "empty", boxes=[], seconds=60),
        row("tiny/a/3.jpg", boxes=[], seconds=120),
        row("tiny/a/4.jpg", "Human", "Blank", "unknown", "a|b%7C", 'x, "y"', seconds=180),
        row("tiny/b/1.jpg", location="NA", s="s1", of_sequence=("NA", "null")),
        row("tiny/b/2.jpg", "car", location="NA", s="s1", of_sequence=("NA", "null"), seconds=3),
        row("tiny/b/3.jpg", location="NA", s="s2", of_sequence=("fox",), seconds=3),
        row("tiny/b/4.jpg", location="NA", s="s3", seconds=60),
        row("tiny/b/5.jpg", location="NA", seconds=99, corrupt=True),
    ]


def places(*names, dataset="tiny"):
    """Make the table of locations."""
    rows = [(dataset, name, *PLACES[name]) for name in names or PLACES]
    return pd.DataFrame(rows, columns=["dataset", "location", "latitude", "longitude"])


def source(folder, *rows, **more):
    """Make a source of catalog rows."""
    (folder / "catalog").mkdir(exist_ok=True)
    return Source(database=make.database(folder / "catalog", *rows), **{"locations": places()} | more)


def table(folder, name):
    """Read a table of a package."""
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def observations(folder, *columns):
    """Give columns of the observations, in the order of their ids."""
    rows = sorted(table(folder, "observations"), key=lambda each: each["observationID"])
    return [tuple(each[column] for column in columns) for each in rows]


def read_again(folder):
    """Read a package into photos by file, and its locations."""
    with intake.Opened() as database:
        gathered = intake.gather(reader.read(folder), folder, intake.Rules(dataset="tiny", sequence_gap=0), database)
        assert gathered.problem_counts() == []
        photos = database.sql("from photos").to_arrow_table().to_pylist()
        return {photo["file"]: photo for photo in photos}, gathered.locations


def as_sets(photo):
    """Give what a photo says, its labels and boxes in any order."""
    kept = {name: photo[name] for name in ("location", "sequence", "datetime", "corrupt")}
    boxes = photo["boxes"]
    kept["boxes"] = boxes if boxes is None else sorted(map(repr, (sorted(box.items()) for box in boxes)))
    return kept | {"labels": sorted((label["level"], label["class"]) for label in photo["labels"])}


@pytest.mark.parametrize("lineages", [{}, {("tiny", "deer"): DEER, ("tiny", "null"): (), ("tiny", "fox"): DEER[1:]}])
def test_a_package_read_again_gives_the_same_photos(tmp_path, lineages):
    given = catalog_rows()
    export(source(tmp_path, *given, lineages=lineages), PROJECT, tmp_path / "out")
    photos, locations = read_again(tmp_path / "out")
    assert {file: as_sets(photo) for file, photo in photos.items()} == {each["file"]: as_sets(each) for each in given}
    assert [tuple(each)[:3] for each in locations] == [("007", 52.5, 13.25), ("NA", -1.5, 2.0)]


REQUIRED = {
    "deployments": ("deploymentID", "latitude", "longitude", "deploymentStart", "deploymentEnd"),
    "media": ("mediaID", "deploymentID", "timestamp", "filePath", "filePublic", "fileMediatype"),
    "observations": ("observationID", "deploymentID", "eventStart", "eventEnd", "observationLevel", "observationType"),
}
TIMES = ("deploymentStart", "deploymentEnd", "timestamp", "eventStart", "eventEnd")
KNOWN = {
    "observationLevel": ("media", "event"),
    "observationType": ("animal", "human", "vehicle", "blank", "unknown", "unclassified"),
    "classificationMethod": ("", "human", "machine"),
    "filePublic": ("true", "false"),
}


def check(folder):
    """Check a package's tables by the rules of the standard."""
    ids = {}
    for name, required in REQUIRED.items():
        rows = table(folder, name)
        ids[name] = [each[required[0]] for each in rows]
        assert len(set(ids[name])) == len(rows)
        for each in rows:
            assert all(each[column] for column in required), each
            assert all(
                re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", each[column])
                for column in TIMES
                if column in each
            ), each
            assert all(each[column] in known for column, known in KNOWN.items() if column in each), each
            assert each["deploymentID"] in ids["deployments"]
            assert all(each.get(start, "") <= each.get(end, "") for start, end in (TIMES[:2], TIMES[3:]))
    for each in table(folder, "media"):
        assert re.fullmatch(r"(?=[^./~])((?!\.\.).)*", each["filePath"])
        assert re.fullmatch(r"(image|video|audio)/.*", each["fileMediatype"])
    for each in table(folder, "observations"):
        assert (each["mediaID"] in ids["media"]) == (each["observationLevel"] == "media")
        box = [each[column] for column in ("bboxX", "bboxY", "bboxWidth", "bboxHeight")]
        assert not any(box) or (all(0 <= float(side) <= 1 for side in box) and float(box[2]) * float(box[3]) > 0)
        assert not each["classificationProbability"] or 0 <= float(each["classificationProbability"]) <= 1


def test_the_tables_keep_the_rules_of_the_standard(tmp_path):
    boxes = [BOX | {"x": -1e-10, "w": 1.0 + 1e-10}]
    given = [*catalog_rows(), row("tiny/c.jpg", "deer", boxes=boxes), row("tiny/..x/d.jpg"), row("tiny/.e.jpg")]
    summary = export(source(tmp_path, *given, **model(("tiny/c.jpg", 0))), PROJECT, tmp_path / "out")
    check(tmp_path / "out")
    assert summary.left_out == {"a name with .. or a first . or ~": 2}


def test_the_headers_are_those_of_the_standard_in_its_order(tmp_path):
    export(source(tmp_path, row("tiny/1.jpg", "deer")), PROJECT, tmp_path / "out")
    headers = {name: list(table(tmp_path / "out", name)[0]) for name in REQUIRED}
    assert [len(header) for header in headers.values()] == [24, 11, 28]
    assert headers["media"][:6] == ["mediaID", "deploymentID", "captureMethod", "timestamp", "filePath", "filePublic"]
    assert headers["observations"][-3:] == ["classificationProbability", "observationTags", "observationComments"]


def test_datapackage_json_has_all_that_the_profile_requires(tmp_path):
    given = source(tmp_path, *catalog_rows(), lineages={("tiny", "deer"): DEER})
    export(given, PROJECT, tmp_path / "out")
    document = json.loads((tmp_path / "out" / "datapackage.json").read_text())
    home = "https://raw.githubusercontent.com/tdwg/camtrap-dp/1.0.2"
    assert document["profile"] == f"{home}/camtrap-dp-profile.json"
    assert document["resources"][1] == {
        "name": "media",
        "path": "media.csv",
        "profile": "tabular-data-resource",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "schema": f"{home}/media-table-schema.json",
    }
    assert (document["name"], document["title"]) == ("tiny", "Tiny")
    assert document["contributors"] == [{"title": "Ann", "role": "contact"}]
    assert document["created"] == "2024-04-01T05:03:00+02:00"
    assert document["project"] == {
        "title": "Tiny",
        "samplingDesign": "opportunistic",
        "captureMethod": ["activityDetection"],
        "individualAnimals": False,
        "observationLevel": ["media", "event"],
    }
    assert document["temporal"] == {"start": "2024-04-01", "end": "2024-04-01"}
    assert document["spatial"]["bbox"] == [2.0, -1.5, 13.25, 52.5]
    ring = [[2.0, -1.5], [13.25, -1.5], [13.25, 52.5], [2.0, 52.5], [2.0, -1.5]]
    assert document["spatial"]["coordinates"] == [ring]
    deer = {"scientificName": "Capreolus capreolus", "taxonRank": "species"}
    assert deer | {"family": "Cervidae", "genus": "Capreolus"} in document["taxonomic"]
    assert {"scientificName": "fox"} in document["taxonomic"]


def test_one_location_is_a_point(tmp_path):
    export(source(tmp_path, row("tiny/1.jpg")), PROJECT, tmp_path / "out")
    document = json.loads((tmp_path / "out" / "datapackage.json").read_text())
    assert document["spatial"] == {"type": "Point", "coordinates": [13.25, 52.5]}
    assert document["project"]["observationLevel"] == ["media"]


def test_the_same_tables_give_the_same_bytes(tmp_path):
    given = source(tmp_path, *catalog_rows())
    for name in ("one", "two"):
        export(given, PROJECT, tmp_path / name)
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


def test_a_deployment_lasts_from_the_first_to_the_last_photo_of_its_location(tmp_path):
    summary = export(source(tmp_path, *catalog_rows()), PROJECT, tmp_path / "out")
    deployments = table(tmp_path / "out", "deployments")
    assert [(each["deploymentID"], each["locationID"], each["latitude"]) for each in deployments] == [
        ("007", "007", "52.5"),
        ("NA", "NA", "-1.5"),
    ]
    assert deployments[0]["deploymentStart"] == "2024-04-01T05:00:00+02:00"
    assert deployments[0]["deploymentEnd"] == "2024-04-01T05:03:00+02:00"
    assert (summary.num_deployments, summary.num_media) == (2, 9)
    assert summary.num_observations == len(table(tmp_path / "out", "observations"))


def test_a_label_of_a_sequence_is_one_event_from_its_first_to_its_last_photo(tmp_path):
    photos = [row(f"tiny/{at}.jpg", s="s1", of_sequence=("deer",), seconds=at) for at in (1, 2)]
    export(source(tmp_path, *photos), PROJECT, tmp_path / "out")
    columns = ("observationLevel", "mediaID", "eventID", "eventStart", "eventEnd", "observationType", "scientificName")
    times = ("2024-04-01T05:00:01+02:00", "2024-04-01T05:00:02+02:00")
    assert observations(tmp_path / "out", *columns) == [
        ("event", "", "s1", *times, "animal", "deer"),
        ("media", "tiny/1.jpg", "s1", *times, "unclassified", ""),
        ("media", "tiny/2.jpg", "s1", *times, "unclassified", ""),
    ]


def model(*boxes, predicted=("cervid",)):
    """Make detections and predictions of boxes, given by image and number."""
    detections = pd.DataFrame(
        [(*box, "animal", 0.75, 0.1, 0.2, 0.3, 0.4, "md_v5a", None) for box in boxes],
        columns=["image", "box", "category", "confidence", "x", "y", "w", "h", "detector", "class"],
    )
    predictions = detections[["image", "box"]].iloc[: len(predicted)].assign(prediction=predicted, confidence=0.875)
    return {"detections": detections, "predictions": predictions, "classifier": "net 1"}


MACHINE = ("observationType", "scientificName", "bboxX", "classifiedBy", "classificationProbability")


def test_what_models_say_are_machine_observations(tmp_path):
    given = model(("tiny/1.jpg", 0), ("tiny/1.jpg", 1), ("tiny/2.jpg", 0))
    given = given | {"names": {"cervid": "Cervidae"}}
    summary = export(source(tmp_path, row("tiny/1.jpg"), **given), PROJECT, tmp_path / "out")
    assert observations(tmp_path / "out", "classificationMethod", *MACHINE) == [
        ("machine", "animal", "Cervidae", "0.1", "net 1", "0.875"),
        ("machine", "animal", "", "0.1", "md_v5a", "0.75"),
    ]
    assert summary == Summary(1, 1, 2, {}, num_unmatched=1)


def test_a_model_may_say_human_vehicle_or_nothing(tmp_path):
    boxes = [("tiny/1.jpg", at) for at in range(3)]
    given = model(*boxes, predicted=("person", "vehicle", "empty"))
    export(source(tmp_path, row("tiny/1.jpg"), **given), PROJECT, tmp_path / "out")
    assert [kind for kind, *_ in observations(tmp_path / "out", *MACHINE)] == ["human", "vehicle", "blank"]


def test_predictions_need_no_detections_and_boxes_of_persons_no_confidence(tmp_path):
    given = model(("tiny/1.jpg", 0), ("tiny/1.jpg", 1))
    only = {"predictions": given["predictions"]}
    export(source(tmp_path, row("tiny/1.jpg"), **only), PROJECT, tmp_path / "one")
    assert observations(tmp_path / "one", *MACHINE) == [("animal", "cervid", "", "classifier", "0.875")]
    drawn = given | {"detections": given["detections"].assign(confidence=float("nan"))}
    export(source(tmp_path, row("tiny/1.jpg"), **drawn), PROJECT, tmp_path / "two")
    assert observations(tmp_path / "two", *MACHINE) == [("animal", "cervid", "0.1", "net 1", "0.875")]


def test_files_at_a_web_root_are_urls_and_public_but_for_people(tmp_path):
    photos = [row("tiny/a b/#1..jpg", "deer"), row("tiny/a b/2.jpg", "person")]
    photos.append(row("tiny/a b/3.jpg", s="s1", of_sequence=("human",)))
    export(source(tmp_path, *photos, roots={"tiny": "https://x.org/images/"}), PROJECT, tmp_path / "out")
    media = [(each["filePath"], each["filePublic"], each["fileName"]) for each in table(tmp_path / "out", "media")]
    assert media == [
        ("https://x.org/images/a%20b/%231%2E%2Ejpg", "true", "#1..jpg"),
        ("https://x.org/images/a%20b/2.jpg", "false", "2.jpg"),
        ("https://x.org/images/a%20b/3.jpg", "false", "3.jpg"),
    ]
    check(tmp_path / "out")


def test_odd_names_at_a_web_root_come_back_and_lead_to_the_same_address(tmp_path):
    names = ["a b/c#d?e%.jpg", "a b/%20.jpg", "cam::b&c+d=e;f.jpg", "ü/x..jpg", "100%25/~'().jpg"]
    photos = [row(f"tiny/{name}", seconds=at) for at, name in enumerate(names)]
    root = "https://x.org/my%20images"
    export(source(tmp_path, *photos, roots={"tiny": root}), PROJECT, tmp_path / "out")
    assert reader.url_prefix(tmp_path / "out") == root
    assert set(read_again(tmp_path / "out")[0]) == set(names)
    urls = [each["filePath"] for each in table(tmp_path / "out", "media")]
    assert [unquote(url) for url in urls] == [unquote(photo_uri(root, name)) for name in names]


def test_a_local_root_leaves_files_relative_and_other_uris_are_joined(tmp_path):
    for name, root, expected in (("one", "/data/images", "a 1.jpg"), ("two", "s3://b/x", "s3://b/x/a 1.jpg")):
        export(source(tmp_path, row("tiny/a 1.jpg"), roots={"tiny": root}), PROJECT, tmp_path / name)
        assert [(each["filePath"], each["filePublic"]) for each in table(tmp_path / name, "media")] == [
            (expected, "false")
        ]


def test_datasets_that_share_names_stay_apart(tmp_path):
    photos = [row(f"{dataset}/1.jpg", s="s1", of_sequence=("deer",)) for dataset in ("big", "tiny")]
    export(source(tmp_path, *photos, locations=places("007", dataset="")), PROJECT, tmp_path / "out")
    media = [(each["deploymentID"], each["filePath"]) for each in table(tmp_path / "out", "media")]
    assert media == [("big/007", "big/1.jpg"), ("tiny/007", "tiny/1.jpg")]
    assert {event for (event,) in observations(tmp_path / "out", "eventID")} == {"big/s1", "tiny/s1"}


def test_photos_without_time_or_location_are_listed_and_counted(tmp_path):
    photos = [row("tiny/1.jpg"), row("tiny/2.jpg", datetime=None), row("tiny/3.jpg", location=None)]
    summary = export(source(tmp_path, *photos), PROJECT, tmp_path / "out")
    assert summary.left_out == {"no location": 1, "no time": 1}
    assert (tmp_path / "out" / "left_out.csv").read_text() == (
        "dataset,file,reason\ntiny,2.jpg,no time\ntiny,3.jpg,no location\n"
    )


def test_a_collection_without_any_usable_photo_is_refused(tmp_path):
    message = "no photo can go into a Camtrap DP: no time (1)"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        export(source(tmp_path, row("tiny/2.jpg", datetime=None)), PROJECT, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_locations_without_coordinates_are_named(tmp_path):
    photos = [row(f"tiny/{at}.jpg", location=f"l{at}") for at in range(7)] + [row("tiny/x.jpg")]
    gaps = pd.DataFrame([("tiny", "l0", None, 1.0), ("tiny", "007", 1.0, 2.0)], columns=places().columns)
    message = (
        "data/<name>/locations.csv: 7 of 8 locations have no coordinates: tiny l0, tiny l1, tiny l2, tiny l3, "
        "tiny l4 ...; add a row dataset,location,latitude,longitude for each"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        export(source(tmp_path, *photos, locations=gaps), PROJECT, tmp_path / "out")


def test_wrong_coordinates_are_all_named(tmp_path):
    rows = [("tiny", "a", "91", "0"), ("tiny", "b", "x", "0"), ("tiny", "c", "1", "2"), ("tiny", "c", "1", "3")]
    wrong = pd.DataFrame(rows, columns=places().columns)
    message = (
        "data/<name>/locations.csv: tiny a: 91, 0 are no latitude and longitude in degrees; tiny b: x, 0 are no "
        "latitude and longitude in degrees; tiny c stands twice with different coordinates"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        export(source(tmp_path, row("tiny/1.jpg"), locations=wrong), PROJECT, tmp_path / "out")


def test_an_older_package_is_replaced_and_nothing_else_is(tmp_path):
    given, out = source(tmp_path, row("tiny/1.jpg")), tmp_path / "out"
    export(given, PROJECT, out)
    (out / "old.txt").write_text("old")
    export(given, PROJECT, out)
    assert not (out / "old.txt").exists()
    (out / "datapackage.json").unlink()
    with pytest.raises(InputError, match=f"^{out}: is a folder with other things in it; name a new one$"):
        export(given, PROJECT, out)
    with pytest.raises(InputError, match=f"^{out}/media.csv: is a file; name a folder$"):
        export(given, PROJECT, out / "media.csv")


def test_a_project_names_all_that_is_wrong_with_it():
    message = (
        "Camtrap DP: name: expected lower-case letters, digits and . _ - /, got 'My Project'; title: must not be empty"
        "; timezone: expected Z or an offset such as +02:00, got 'CET'; contributors: at least one is needed, each "
        "with a title; capture_method: expected one of activityDetection, timeLapse, got 'video'; created: expected a "
        "time such as 2024-05-01T12:00:00Z, got '2024-05-01'"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        Project(
            name="My Project",
            title=" ",
            timezone="CET",
            contributors=(),
            capture_method=("video",),
            created="2024-05-01",
        )


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (Said("Tiny", "Deer ", None), Term("animal", "Capreolus capreolus", "camtraps-class:Deer ")),
        (Said("tiny", "fox", None), Term("animal", "fox", None)),
        (Said("tiny", "empty", None), Term("blank", None, None)),
        (Said("tiny", "people", None), Term("human", None, "camtraps-class:people")),
        (Said("tiny", "vehicle", "vehicle"), Term("vehicle", None, None)),
        (Said("tiny", "misfire", None), Term("unknown", None, "camtraps-class:misfire")),
        (Said("tiny", None, "person"), Term("human", None, "camtraps-class:")),
        (Said("tiny", "fox", "group"), Term("animal", "fox", "camtraps-category:group")),
    ],
)
def test_a_class_has_a_term_and_a_tag_for_what_the_term_loses(said, expected):
    assert term(said, {("tiny", "deer"): DEER, ("tiny", "misfire"): ()}) == expected


def test_a_rank_that_the_standard_does_not_know_is_left_out():
    lineages = {("tiny", "cat"): (("subfamily", "felinae"), ("family", "felidae"), ("phylum", "chordata"))}
    assert taxonomic(["Felinae"], lineages) == [
        {"scientificName": "Felinae", "phylum": "Chordata", "family": "Felidae"}
    ]


def test_a_media_type_follows_the_ending():
    types = [mediatype(file) for file in ("a/b.JPG", "c.png", "d.tif", "e.mp4", "f")]
    assert types == ["image/jpeg", "image/png", "image/tiff", "video/mp4", "image/jpeg"]
