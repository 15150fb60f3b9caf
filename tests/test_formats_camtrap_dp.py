"""Camtrap DP packages, read as rows: photos, labels of photos and of sequences, locations, and what was left out."""

import re
from urllib.parse import unquote

import pyarrow as pa
import pytest
from make_camtrap_dp import OBSERVATIONS, ONE_DEPLOYMENT, TWO_PHOTOS, package

from camtraps.errors import InputError
from camtraps.formats.camtrap_dp import read, url_prefix
from camtraps.formats.rows import ANNOTATIONS, PHOTOS, Fault, Location, Problem
from camtraps.storage import photo_uri


def of_urls(folder, *urls):
    """Write a package with a photo at each URL."""
    return package(folder / "p", media=[f"m{at},d1,,{url},image/jpeg" for at, url in enumerate(urls)])


def rows(path, schema=PHOTOS):
    """Give the rows of a schema that a package holds."""
    tables = [each for each in read(path) if isinstance(each, pa.Table) and each.schema.equals(schema)]
    return [row for table in tables for row in table.to_pylist()]


def said(path):
    """Give photo, class and level of each annotation."""
    return [(row["photo"], row["name"], row["level"]) for row in rows(path, ANNOTATIONS)]


def problems(path):
    return [each for each in read(path) if isinstance(each, Problem)]


def locations(path):
    return [each for each in read(path) if isinstance(each, Location)]


def test_media_are_photos_at_the_location_of_their_deployment(tmp_path):
    photos = rows(package(tmp_path / "p"))
    empty = dict.fromkeys(("sequence", "frame", "width", "height", "dataset"))
    assert photos[0] == {
        **empty,
        "place": "media.csv:2",
        "key": "m1",
        "file": "a/1.jpg",
        "location": "007",
        "taken": "2024-04-01T05:00:00Z",
        "corrupt": False,
    }
    assert [photo["file"] for photo in photos] == ["a/1.jpg", "a/2.jpg"]


def test_a_location_is_the_id_else_the_name_else_the_deployment(tmp_path):
    deployments = ["d1,007,a hill,52.5,13.25", "d2,,NA,-1,2", "d3,,,0,0"]
    media = [f"m{at},d{at},,{at}.jpg,image/jpeg" for at in (1, 2, 3)]
    path = package(tmp_path / "p", deployments, media)
    assert [photo["location"] for photo in rows(path)] == ["007", "NA", "d3"]
    assert locations(path) == [Location("007", 52.5, 13.25), Location("NA", -1, 2), Location("d3", 0, 0)]


def test_a_location_with_two_places_keeps_its_first(tmp_path):
    path = package(tmp_path / "p", ["d1,007,,52.5,13.25", "d2,007,,52.6,13.25"])
    assert locations(path) == [Location("007", 52.5, 13.25)]
    reason = "its location has other coordinates before; those are kept"
    assert problems(path) == [Problem("deployments.csv:3 007", "mended", reason, "52.6, 13.25")]


@pytest.mark.parametrize("place", ["91,0", "0,181", "x,0", "nan,0", "0,"])
def test_coordinates_that_are_no_degrees_are_left_empty(tmp_path, place):
    path = package(tmp_path / "p", [f"d1,007,,{place}"])
    assert locations(path) == []
    found = ", ".join(filter(None, place.split(",")))
    reason = "latitude and longitude are no degrees; left empty"
    assert problems(path) == [Problem("deployments.csv:2 d1", "mended", reason, found)]


def test_a_deployment_that_stands_twice_does_not_double_its_photos(tmp_path):
    path = package(tmp_path / "p", ["d1,007,,52.5,13.25", "d1,008,,52.5,13.25"])
    assert [photo["location"] for photo in rows(path)] == ["007", "007"]
    reason = "its deploymentID stands twice; the first is kept"
    assert problems(path) == [Problem("deployments.csv:3 d1", "ignored", reason)]


def test_an_unknown_deployment_is_taken_as_the_location(tmp_path):
    path = package(tmp_path / "p", media=["m1,d9,,a/1.jpg,image/jpeg"])
    assert [photo["location"] for photo in rows(path)] == ["d9"]
    reason = "its deploymentID is in no row of deployments; taken as location"
    assert problems(path) == [Problem("media.csv:2 a/1.jpg", "mended", reason, "d9")]


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("animal", "Vulpes vulpes", "Vulpes vulpes"),
        ("animal", "NA", "NA"),
        ("animal", "", "animal"),
        ("", "Vulpes vulpes", "Vulpes vulpes"),
        ("human", "Homo sapiens", "human"),
        ("vehicle", "", "vehicle"),
        ("blank", "", "empty"),
    ],
)
def test_the_type_and_scientific_name_give_the_class(tmp_path, kind, name, expected):
    path = package(tmp_path / "p", observations=[f"o1,d1,m1,,,,media,{kind},{name},human"])
    assert said(path) == [("m1", expected, "image")]


@pytest.mark.parametrize("kind", ["unknown", "unclassified", ""])
def test_what_is_not_classified_says_nothing(tmp_path, kind):
    path = package(tmp_path / "p", observations=[f"o1,d1,m1,,,,media,{kind},,"])
    assert said(path) == []
    assert problems(path) == []


def test_a_type_that_the_standard_does_not_know_is_dropped(tmp_path):
    path = package(tmp_path / "p", observations=["o1,d1,m1,,,,media,bird,,human"])
    assert said(path) == []
    reason = "observationType is none of animal, human, vehicle, blank, unknown, unclassified"
    assert problems(path) == [Problem("observations.csv:2", "ignored", reason, "bird")]


def test_a_machines_classification_is_counted_and_is_no_label(tmp_path):
    path = package(tmp_path / "p", observations=["o1,d1,m1,,,,media,animal,Sus scrofa,machine"])
    assert said(path) == []
    assert problems(path) == [Problem("observations.csv:2", "ignored", "is a machine's classification")]


def test_an_event_labels_the_photos_of_its_deployment_in_its_time(tmp_path):
    deployments = [*ONE_DEPLOYMENT, "d2,008,,0,0"]
    media = [*TWO_PHOTOS, "m3,d1,2024-04-01T05:00:11Z,a/3.jpg,", "m4,d2,2024-04-01T05:00:05Z,b/1.jpg,"]
    event = "o1,d1,,e1,2024-04-01T05:00:00Z,2024-04-01T05:00:10Z,event,animal,Vulpes vulpes,human"
    path = package(tmp_path / "p", deployments, media, [event])
    assert said(path) == [("m1", "Vulpes vulpes", "sequence"), ("m2", "Vulpes vulpes", "sequence")]
    assert [photo["sequence"] for photo in rows(path)] == ["e1", "e1", None, None]


def test_times_of_an_event_may_have_another_offset_than_its_photos(tmp_path):
    event = "o1,d1,,e1,2024-04-01T07:00:00+0200,2024-04-01T07:00:09+02:00,event,blank,,human"
    assert said(package(tmp_path / "p", observations=[event])) == [("m1", "empty", "sequence")]


def test_an_animal_that_is_counted_twice_is_one_label_of_the_sequence(tmp_path):
    event = "o{},d1,,e1,2024-04-01T05:00:00Z,2024-04-01T05:00:00Z,event,animal,Vulpes vulpes,human"
    path = package(tmp_path / "p", observations=[event.format(1), event.format(2)])
    assert said(path) == [("m1", "Vulpes vulpes", "sequence")]


def test_events_that_touch_are_told_apart_by_the_events_of_their_photos(tmp_path):
    media = [f"m{at},d1,2024-04-01T05:00:00Z,{at}.jpg," for at in (1, 2)]
    own = [f"o{at},d1,m{at},e{at},,,media,unclassified,," for at in (1, 2)]
    event = "o3,d1,,e1,2024-04-01T05:00:00Z,2024-04-01T05:00:00Z,event,animal,Vulpes vulpes,human"
    assert said(package(tmp_path / "p", media=media, observations=[*own, event])) == [
        ("m1", "Vulpes vulpes", "sequence")
    ]


def test_the_shortest_event_around_a_photo_is_its_sequence(tmp_path):
    events = [
        "o1,d1,,day,2024-04-01T00:00:00Z,2024-04-02T00:00:00Z,event,blank,,human",
        "o2,d1,,visit,2024-04-01T05:00:00Z,2024-04-01T05:00:10Z,event,blank,,human",
    ]
    assert [photo["sequence"] for photo in rows(package(tmp_path / "p", observations=events))] == ["visit", "visit"]


def test_an_event_id_of_two_deployments_is_two_sequences(tmp_path):
    media = ["m1,d1,,1.jpg,", "m2,d2,,2.jpg,"]
    own = [f"o{at},d{at},m{at},1,,,media,blank,,human" for at in (1, 2)]
    path = package(tmp_path / "p", [*ONE_DEPLOYMENT, "d2,008,,0,0"], media, own)
    assert [photo["sequence"] for photo in rows(path)] == ["d1/1", "d2/1"]


def test_an_event_without_photos_is_a_problem(tmp_path):
    event = "o1,d1,,e1,2025-01-01T00:00:00Z,2025-01-01T00:01:00Z,event,animal,Vulpes vulpes,human"
    path = package(tmp_path / "p", observations=[event])
    reason = "no photo of its deployment lies between its eventStart and eventEnd"
    found = "2025-01-01T00:00:00Z to 2025-01-01T00:01:00Z"
    assert problems(path) == [Problem("observations.csv:2", "ignored", reason, found)]


def test_videos_and_what_is_said_of_them_are_problems(tmp_path):
    media = [*TWO_PHOTOS, "m3,d1,,a/3.bin,video/mp4", "m4,d1,,a/4.AVI,"]
    path = package(tmp_path / "p", media=media, observations=["o1,d1,m3,,,,media,animal,Vulpes vulpes,human"])
    assert [photo["key"] for photo in rows(path)] == ["m1", "m2"]
    assert said(path) == []
    assert problems(path) == [
        Problem("media.csv:4 a/3.bin", "skipped", "is a video"),
        Problem("media.csv:5 a/4.AVI", "skipped", "is a video"),
        Problem("observations.csv:2", "ignored", "is of a video or a sound recording"),
    ]


def test_boxes_are_relative_and_a_broken_one_keeps_its_class(tmp_path):
    header = f"{OBSERVATIONS},bboxX,bboxY,bboxWidth,bboxHeight"
    observation = "o1,d1,m1,,,,media,animal,Vulpes vulpes,human,"
    given = [observation + "0.1,0.2,0.3,0.4", observation + "0.1,x,0.3,0.4", observation + "0.1,,,"]
    headers = {"observations": header}
    annotations = rows(package(tmp_path / "p", observations=given, headers=headers), ANNOTATIONS)
    assert [annotation["name"] for annotation in annotations] == ["Vulpes vulpes"] * 3
    assert [[row[side] for side in "xywh"] for row in annotations] == [[0.1, 0.2, 0.3, 0.4], [None] * 4, [None] * 4]
    assert [row["problem"] for row in annotations] == [None, "box is not four numbers", "box is not four numbers"]
    assert [row["found"] for row in annotations] == [None, "0.1, x, 0.3, 0.4", "0.1"]
    assert not any(row["in_pixels"] for row in annotations)


def test_a_package_of_version_0_has_sequences_and_observations_of_them(tmp_path):
    headers = {
        "media": "mediaID,deploymentID,sequenceID,timestamp,filePath,fileMediatype",
        "observations": "observationID,deploymentID,sequenceID,mediaID,timestamp,observationType,scientificName",
    }
    media = ["m1,d1,s1,,1.jpg,image/jpeg", "m2,d1,s1,,2.jpg,image/jpeg", "m3,d1,s2,,3.jpg,image/jpeg"]
    given = ["o1,d1,s1,,,animal,Vulpes vulpes", "o2,d1,s2,m3,,blank,"]
    path = package(tmp_path / "p", media=media, observations=given, headers=headers)
    assert [photo["sequence"] for photo in rows(path)] == ["s1", "s1", "s2"]
    assert sorted(said(path)) == [
        ("m1", "Vulpes vulpes", "sequence"),
        ("m2", "Vulpes vulpes", "sequence"),
        ("m3", "empty", "image"),
    ]


def test_files_at_urls_are_named_below_what_they_share(tmp_path):
    urls = ["https://x.org/assets/a1/file", "https://x.org/assets/a2/file"]
    path = of_urls(tmp_path, *urls)
    assert url_prefix(path) == "https://x.org/assets"
    assert [photo["file"] for photo in rows(path)] == ["a1/file", "a2/file"]


def test_file_names_are_taken_out_of_their_percent_quoting(tmp_path):
    base = "https://x.org/a%20b"
    quoted = ["c%20d/%231%3F.jpg", "100%25.jpg", "caf%C3%A9.jpg", "%2E%2E.jpg", "a+b.jpg"]
    path = of_urls(tmp_path, *(f"{base}/{name}" for name in quoted))
    assert url_prefix(path) == base
    files = [photo["file"] for photo in rows(path)]
    assert files == ["c d/#1?.jpg", "100%.jpg", "café.jpg", "...jpg", "a+b.jpg"]
    assert [unquote(photo_uri(base, file)) for file in files] == [f"https://x.org/a b/{file}" for file in files]


def test_what_is_no_percent_quoting_stays_as_it_is(tmp_path):
    names = ["a b.jpg", "100%.jpg", "%zz.jpg", "%FF.jpg"]
    assert [photo["file"] for photo in rows(of_urls(tmp_path, *(f"https://x.org/{name}" for name in names)))] == names


def test_names_in_a_store_are_not_quoted(tmp_path):
    path = of_urls(tmp_path, "s3://b/a%20b/1.jpg?", "s3://b/2%2F.jpg")
    assert url_prefix(path) == "s3://b"
    assert [photo["file"] for photo in rows(path)] == ["a%20b/1.jpg?", "2%2F.jpg"]


@pytest.mark.parametrize("ending", ["file?key=secret", "a%2Fb.jpg", "a%2fb.jpg"])
def test_an_address_that_no_file_name_can_stand_for_needs_the_folder_of_the_images(tmp_path, ending):
    path = of_urls(tmp_path, "https://x.org/assets/1.jpg", f"https://x.org/assets/{ending}")
    reason = f"https://x.org/assets/{ending.partition('?')[0]} has a query or a quoted slash"
    message = (
        f"{path}: {reason}, which no file name can stand for; download the media and say with --images where they are"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        url_prefix(path)
    assert len(rows(path)) == 2


def test_files_of_the_package_have_no_prefix(tmp_path):
    assert url_prefix(package(tmp_path / "p")) is None
    assert url_prefix(package(tmp_path / "q", media=[])) is None


def test_media_on_several_servers_are_a_fault(tmp_path):
    path = of_urls(tmp_path, "https://x1.org/a/1.jpg", "https://x2.org/a/2.jpg")
    reason = (
        "its media lie on several servers, such as https://x1.org/a/1.jpg and https://x2.org/a/2.jpg; "
        "download them and give filePath relative to the images' folder"
    )
    assert list(read(path)) == [Fault(reason)]
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {reason}')}$"):
        url_prefix(path)


def test_a_url_among_files_is_dropped(tmp_path):
    path = package(tmp_path / "p", media=[*TWO_PHOTOS, "m3,d1,,https://x.org/3.jpg,image/jpeg"])
    assert [photo["file"] for photo in rows(path)] == ["a/1.jpg", "a/2.jpg"]
    reason = "is at a URL while other media are files; download it and give its path"
    assert problems(path) == [Problem("media.csv:4 https://x.org/3.jpg", "dropped", reason)]
