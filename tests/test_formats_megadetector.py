"""MegaDetector results of every format, and answers of the Batch API: what is read, ignored, refused."""

import json
from typing import Any

import make
import pytest

from camtraps.errors import InputError
from camtraps.formats import megadetector
from camtraps.formats.megadetector import Header, Result, Task
from camtraps.formats.rows import Fault, Problem

BOX = {"category": "1", "conf": 0.9, "bbox": [0.1, 0.2, 0.3, 0.4]}
READ_BOX = ("1", 0.9, 0.1, 0.2, 0.3, 0.4)
EMPTY = {"file": "a.jpg", "detections": []}
URL = "https://x.org/async-api-v3/0f3c-5a/0f_detections_mine_2021.json?sig=secret"


def document(*images: Any, **more: Any) -> dict[str, Any]:
    info = {"format_version": "1.6", "detector": "md_v5a.0.0.pt"}
    return {"info": info, "detection_categories": {"1": "animal", "2": "person"}, "images": list(images)} | more


@pytest.fixture
def read(tmp_path):
    """Give a function that reads a document: all rows."""
    return lambda given: list(megadetector.read(make.write_json(tmp_path / "md.json", given)))


@pytest.fixture
def results(read):
    """Give a function that reads images of a document in which nothing is wrong."""

    def attempt(*images: Any, **more: Any) -> list[Result]:
        *rows, header = read(document(*images, **more))
        assert isinstance(header, Header)
        assert all(isinstance(row, Result) for row in rows)
        return rows

    return attempt


@pytest.fixture
def faults(read):
    """Give a function that reads a document: what is wrong with it."""
    return lambda given: [row.text for row in read(given) if isinstance(row, Fault)]


def test_a_photo_has_boxes_or_none(results):
    assert results({"file": "b.jpg", "detections": [BOX]}, EMPTY) == [
        Result(0, "b.jpg", None, [READ_BOX]),
        Result(1, "a.jpg", None, []),
    ]


@pytest.mark.parametrize("version", ["1.0", 1.0, 1.1, 1.2, "1.3", 1.3, "1.4", 1.4, 1.5, "1.6", None])
def test_every_version_is_read_as_text_or_number_or_not_given(read, version):
    info = {} if version is None else {"format_version": version}
    assert read(document(EMPTY, info=info)) == [
        Result(0, "a.jpg", None, []),
        Header("megadetector_v4", {"1": "animal", "2": "person"}),
    ]


@pytest.mark.parametrize("version", ["1.7", 2, 0.9, "new", "", True, [1], float("inf")])
def test_other_versions_are_refused(faults, version):
    shown = None if version == float("inf") else version
    said = [f"info.format_version: {shown!r} is none of 1.0 to 1.6, which can be read"]
    assert faults(document(EMPTY, info={"format_version": version})) == ([] if shown is None else said)


def test_the_five_categories_of_version_3_keep_their_names(read):
    names = {"0": "empty", "1": "animal", "2": "person", "3": "group", "4": "vehicle"}
    *_, header = read(document(EMPTY, detection_categories=names))
    assert header.categories == names


def test_categories_are_compared_without_case(read):
    *_, header = read(document(EMPTY, detection_categories={"1": " Animal"}))
    assert header.categories == {"1": "animal"}


@pytest.mark.parametrize(
    "image",
    [
        {"failure": "Failure image access", "detections": None},
        {"failure": "Failure image access"},
        {"failure": "Failure image access", "detections": []},
        {"failure": "Failure image access", "detections": [BOX]},
    ],
)
def test_a_failure_stays_a_failure_in_every_spelling(results, image):  # D5
    assert results({"file": "a.jpg"} | image) == [Result(0, "a.jpg", "Failure image access", None)]


def test_a_photo_without_detections_is_not_an_empty_one(results):  # D5
    assert results({"file": "a.jpg"}) == [Result(0, "a.jpg", "no detections recorded", None)]


def test_a_failure_that_is_null_is_none(results):
    assert results(EMPTY | {"failure": None}) == [Result(0, "a.jpg", None, [])]


def test_keys_that_are_not_known_are_passed_over(results):  # D9
    image = {
        "file": "a.jpg",
        "max_detection_conf": 7,
        "meta": "x",
        "location": {"x": [1]},
        "detections": [BOX | {"classifications": [["3", 0.9]], "track": 5}],
    }
    more = {"classification_category_descriptions": {"0": "a;b"}, "classification_categories": {}, "list": [1], "x": 1}
    assert results(image, **more) == [Result(0, "a.jpg", None, [READ_BOX])]


@pytest.mark.parametrize(
    ("given", "file"),
    [
        ("cam3\\a.jpg", "cam3/a.jpg"),
        ("./cam3/a.jpg", "cam3/a.jpg"),
        (".\\cam3\\.\\\\a.jpg", "cam3/a.jpg"),
        ("C:\\x\\a.jpg", "C:/x/a.jpg"),
        ("s3://b/cam3//a.jpg", "s3://b/cam3//a.jpg"),
        ("..jpg", "..jpg"),
    ],
)
def test_a_path_is_written_as_in_a_catalog(results, given, file):
    assert results(EMPTY | {"file": given})[0].file == file


@pytest.mark.parametrize(
    ("change", "reason", "shown"),
    [
        ({"conf": 1.5}, "conf is not a number from 0 to 1", "1.5"),
        ({"conf": -0.1}, "conf is not a number from 0 to 1", "-0.1"),
        ({"conf": None}, "conf is not a number from 0 to 1", "None"),
        ({"conf": "0.9"}, "conf is not a number from 0 to 1", "'0.9'"),
        ({"conf": True}, "conf is not a number from 0 to 1", "True"),
        ({"conf": float("nan")}, "conf is not a number from 0 to 1", "None"),
        ({"bbox": [0.1, 0.2, 0.3]}, "box is not four numbers", "[0.1, 0.2, 0.3]"),
        ({"bbox": None}, "box is not four numbers", "None"),
        ({"bbox": [0.1, 0.2, 0.3, "0.4"]}, "box is not four numbers", "[0.1, 0.2, 0.3, '0.4']"),
        ({"bbox": [0.1, float("nan"), 0.3, 0.4]}, "box is not four numbers", "[0.1, None, 0.3, 0.4]"),
        ({"bbox": [0.1, 0.2, 0.0, 0.4]}, "box has no area inside the image", "[0.1, 0.2, 0.0, 0.4]"),
        ({"bbox": [0.1, 0.2, 0.4, -0.4]}, "box has no area inside the image", "[0.1, 0.2, 0.4, -0.4]"),
        ({"bbox": [204, 307, 614, 384]}, "box has no area inside the image", "[204, 307, 614, 384]"),
        ({"bbox": [0, 0, 614, 384]}, "most of the box lies outside the image", "[0, 0, 614, 384]"),
    ],
)
def test_a_box_that_cannot_be_used_is_ignored_and_the_others_stay(read, change, reason, shown):
    problem, result, _ = read(document({"file": "a.jpg", "detections": [BOX | change, BOX]}))
    assert problem == Problem("images[0] a.jpg", "ignored", reason, shown)
    assert result == Result(0, "a.jpg", None, [READ_BOX])


def test_what_is_no_detection_is_ignored(read):
    problem, result, _ = read(document({"file": "a.jpg", "detections": ["animal"]}))
    assert problem == Problem("images[0] a.jpg", "ignored", "detection is no object", "'animal'")
    assert result == Result(0, "a.jpg", "none of its boxes can be used", None)


def test_a_photo_of_whose_boxes_none_can_be_used_is_not_an_empty_one(read):
    *problems, result, _ = read(document({"file": "a.jpg", "detections": [BOX | {"conf": 7}, BOX | {"bbox": None}]}))
    assert len(problems) == 2
    assert result == Result(0, "a.jpg", "none of its boxes can be used", None)


def test_a_box_that_reaches_outside_is_clipped_and_that_is_said_beyond_rounding(read):
    boxes = [BOX | {"bbox": given} for given in ([0.75, 0.5, 0.5, 0.25], [0.5, -0.004, 0.25, 0.5])]
    problem, result, _ = read(document({"file": "a.jpg", "detections": boxes}))
    said = "box reaches outside the image; clipped"
    assert problem == Problem("images[0] a.jpg", "mended", said, "[0.75, 0.5, 0.5, 0.25]")
    assert [box[2:] for box in result.boxes] == [(0.75, 0.5, 0.25, 0.25), (0.5, 0.0, 0.25, pytest.approx(0.496))]


@pytest.mark.parametrize(
    "image",
    [
        {"file": "a.mp4", "frame_rate": 30, "detections": []},
        {"file": "a.mp4", "frames_processed": [0], "detections": []},
        {"file": "a.mp4", "detections": [BOX | {"frame_number": 3}]},
    ],
)
def test_a_video_is_skipped(read, image):
    assert read(document(image))[:-1] == [Problem("images[0] a.mp4", "skipped", "it is a video, not a photo")]


def test_a_frame_of_a_video_that_is_a_photo_is_not_skipped(results):
    image = {"file": "a.mp4/frame7.JPG", "detections": [BOX | {"frame_number": 7}]}
    assert results(image) == [Result(0, "a.mp4/frame7.JPG", None, [READ_BOX])]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, ["key 'info' is missing", "key 'detection_categories' is missing", "key 'images' is missing"]),
        ([EMPTY], ["key 'info' is missing", "key 'detection_categories' is missing"]),
        (document(info=None), ["info: expected an object, got None"]),
        (document(info=["md"]), ["info: expected an object, got ['md']"]),
        (document(detection_categories=["animal"]), ["detection_categories: expected an object, got ['animal']"]),
        (document(detection_categories={"1": " "}), ["detection_categories.1: expected a name, got ' '"]),
        (document(images="none"), ["images: expected a list, got 'none'"]),
        (document({"detections": []}), ["images[0]: expected an object with a text 'file', got {'detections': []}"]),
        (document("a.jpg", EMPTY, 5), ["images[0]: expected an object with", "images[2]: expected an object with"]),
        (document({"file": "a", "detections": {"x": 1}}), ["images[0].detections: expected a list, got {'x': 1}"]),
    ],
)
def test_what_is_no_result_file_is_refused_with_all_its_faults(faults, given, said):
    found = faults(given)
    assert len(found) == len(said)
    assert all(text.startswith(start) for text, start in zip(found, said, strict=True))


def test_every_beginning_of_a_file_is_one_clear_line(tmp_path):
    text, path = json.dumps(document({"file": "a.jpg", "detections": [BOX]})), tmp_path / "md.json"
    for length in range(len(text)):
        path.write_text(text[:length])
        with pytest.raises(InputError) as caught:
            list(megadetector.read(path))
        assert str(caught.value).startswith(f"{path}:1:")
        assert "\n" not in str(caught.value)


def response(status: str = "completed", message: Any = None, task: str = "0f3c-5a") -> dict[str, Any]:
    message = {"num_failed_shards": 2, "output_file_urls": {"detections": URL}} if message is None else message
    return {"TaskId": task, "Timestamp": "x", "Status": {"request_status": status, "message": message}}


def test_the_answer_of_version_3_names_its_results(tmp_path):
    path = make.write_json(tmp_path / "answer.json", response())
    assert megadetector.is_response(path)
    assert megadetector.read_response(path) == Task(URL, 2)


def test_the_answer_of_version_4_names_its_results_in_the_folder_of_its_job(tmp_path):
    url = "https://x.org/batch-api/api_a/job_0f3c5a/0f3c5a_detections_mine_2022.json"
    path = make.write_json(tmp_path / "answer.json", response(message={"output_file_urls": {"detections": url}}))
    assert megadetector.read_response(path) == Task(url, 0)


def test_results_are_no_answer(tmp_path):
    assert not megadetector.is_response(make.write_json(tmp_path / "md.json", document(EMPTY, x=1)))
    assert not megadetector.is_response(make.write_json(tmp_path / "list.json", [1, 2]))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["sig=secret"], "expected the answer of a task, with an object 'Status', got list"),
        (
            {"Status": "sig=secret"},
            "expected the answer of a task, with an object 'Status', got Status of ty",
        ),
        (response("running", "3 of 9"), "the task is not completed but 'running': 3 of 9; save its answer again"),
        ({"Status": {}}, "the task is not completed but None: None; save its answer again"),
        (response("problem", "lost"), "the task is not completed but 'problem': lost; save its answer again"),
        (response(message="no images"), "the task has no results: 'no images'; did it match any photo?"),  # D11
        (response(message={}), "Status.message.output_file_urls.detections: expected a URL, got NoneType"),
        (
            response(message={"output_file_urls": {"detections": [URL]}}),
            "Status.message.output_file_urls.detections: expected a URL, got list",
        ),
        (response(task="77"), "TaskId is '77', but its detections lie in '0f3c-5a'; is it of another task?"),
    ],
)
def test_an_answer_without_results_is_refused_with_its_reason(tmp_path, given, said):
    path = tmp_path / "answer.json"
    path.write_text(json.dumps(given))
    with pytest.raises(InputError) as caught:
        megadetector.read_response(path)
    assert str(caught.value).startswith(f"{path}: {said}")
    assert "secret" not in str(caught.value)
