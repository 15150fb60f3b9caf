"""Requests of the Batch Detection API, version 4: what is taken and what is refused (spec 11.5)."""

import pytest

from camtraps.service.protocol import Refusal, check_caller, read_request

LIST, CONTAINER = "https://h/list.json?sig=1", "https://h/c?sig=2"
GOOD = {"caller": "me", "input_container_sas": CONTAINER, "images_requested_json_sas": LIST}
EITHER = "expected either input_container_sas, with read and list access, or use_url: true"


def refused(changes, status=400):
    with pytest.raises(Refusal) as error:
        read_request(GOOD | changes, ["4.1", "3"])
    assert error.value.status == status
    return str(error.value)


def chosen(given, **changes):
    return [name for name, _ in read_request(GOOD | changes, ["4.1"]).chosen(given)]


def test_what_our_client_sends_is_understood():
    asked = read_request(GOOD | {"request_name": "a-b_1", "model_version": "4.1"}, ["4.1"])
    assert (asked.name, asked.container, asked.photos) == ("a-b_1", CONTAINER, LIST)


def test_a_container_may_be_asked_for_as_a_whole():
    assert read_request({"caller": "me", "input_container_sas": CONTAINER}, []).photos == ""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"use_url": True}, "expected either input_container_sas, with read and list access, or use_url: true"),
        (
            {"input_container_sas": None},
            "expected either input_container_sas, with read and list access, or use_url: true",
        ),
        ({"use_url": "yes"}, "use_url: expected true or false, got 'yes'"),
        (
            {"input_container_sas": None, "use_url": True, "images_requested_json_sas": None},
            "images_requested_json_sas is a required field where use_url is true",
        ),
        ({"model_version": "9"}, "model_version 9 is not supported; there are: 4.1, 3"),
        ({"request_name": "a b"}, "request_name: at most 92 letters, digits, _ and -, got 'a b'"),
        ({"request_name": "a" * 93}, f"request_name: at most 92 letters, digits, _ and -, got '{'a' * 93}'"),
        ({"request_name": 5}, "request_name: expected a text, got 5"),
        ({"first_n": 0}, "first_n: expected a whole number from 1, got 0"),
        ({"sample_n": True}, "sample_n: expected a whole number from 1, got True"),
    ],
)
def test_wrong_parameters_are_told(changes, said):
    assert refused(changes) == said


@pytest.mark.parametrize("caller", [None, "", 7, "stranger"])
def test_an_unknown_caller_is_refused(caller):
    with pytest.raises(Refusal) as error:
        check_caller(caller, ["me"])
    assert error.value.status == 401


def test_without_a_list_of_callers_any_name_will_do():
    check_caller("anybody", ())


def test_photos_are_chosen_by_ending_and_prefix_in_their_order():
    given = ["b/1.JPG", "a/1.jpg", "b/2.tif", "B/3.png", ["b/4.png", {"m": 1}], "b/5.jpeg"]
    assert chosen(given, image_path_prefix="b/") == ["b/1.JPG", "b/4.png", "b/5.jpeg"]


def test_the_first_are_taken_and_then_a_sample_of_them():
    given = [f"{at}.jpg" for at in range(9)]
    assert chosen(given, first_n=3) == ["0.jpg", "1.jpg", "2.jpg"]
    some = chosen(given, first_n=5, sample_n=2)
    assert len(some) == 2
    assert some == sorted(set(some) & set(given[:5]))
    assert some == chosen(given, first_n=5, sample_n=2)


def test_metadata_of_a_photo_are_kept():
    assert read_request(GOOD, []).chosen([["a.jpg", {"id": 1}]]) == [("a.jpg", {"id": 1})]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"a": 1}, "the list of photos is no JSON list but dict"),
        (["a.jpg", 5], "the list of photos, [1]: expected text or [text, metadata], got 5"),
    ],
)
def test_what_is_no_list_of_photos_is_told(given, said):
    with pytest.raises(Refusal) as error:
        read_request(GOOD, []).chosen(given)
    assert str(error.value) == said
