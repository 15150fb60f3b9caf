"""params.yaml: what is read, and what is refused with the place of the mistake."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from camtraps.errors import MissingError, ParamsError
from camtraps.params import check_range, load


@dataclass(frozen=True, kw_only=True)
class Params:
    epochs: int
    rate: float
    model: str
    square: bool
    sizes: tuple[int, ...]
    mode: Literal["motion", "none"]
    limit: float | None

    def __post_init__(self) -> None:
        check_range(self, epochs=(1, None), rate=(0.0, 1.0), limit=(None, 5.0))


GOOD = {
    "epochs": "3",
    "rate": "0.5",
    "model": "b0",
    "square": "true",
    "sizes": "[1, 2]",
    "mode": "none",
    "limit": "null",
}


def write(folder: Path, **changes: str | None) -> Path:
    lines = [f"  {key}: {value}\n" for key, value in (GOOD | changes).items() if value is not None]
    path = folder / "params.yaml"
    path.write_text("other:\n  key: 1\ntrain:\n" + "".join(lines), encoding="utf-8")
    return path


def message(path: Path) -> str:
    """Give what is wrong with the section, after the path."""
    with pytest.raises(ParamsError) as caught:
        load(Params, "train", path)
    assert str(caught.value).startswith(f"{path}:")
    return str(caught.value).removeprefix(f"{path}:").strip()


def test_a_section_becomes_its_dataclass(tmp_path):
    assert load(Params, "train", write(tmp_path)) == Params(
        epochs=3, rate=0.5, model="b0", square=True, sizes=(1, 2), mode="none", limit=None
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-05", 1e-5), ("1e-5", 1e-5), ("1.5E-3", 0.0015), (".5", 0.5), ("+1e-2", 0.01), ("1.e-1", 0.1), ("1", 1.0)],
)
def test_a_float_may_be_written_as_dvc_writes_it(tmp_path, text, value):
    rate = load(Params, "train", write(tmp_path, rate=text)).rate
    assert rate == value
    assert isinstance(rate, float)


def test_a_quoted_number_stays_text(tmp_path):
    assert load(Params, "train", write(tmp_path, model="'007'")).model == "007"


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("epochs", "'3'", "expected int, got '3'"),
        ("epochs", "true", "expected int, got True"),
        ("epochs", "3.0", "expected int, got 3.0"),
        ("epochs", "1e3", "expected int, got 1000.0"),
        ("epochs", "null", "expected int, got None"),
        ("rate", "true", "expected float, got True"),
        ("rate", "fast", "expected float, got 'fast'"),
        ("model", "7", "expected str, got 7"),
        ("square", "1", "expected bool, got 1"),
        ("sizes", "5", "expected a list, got 5"),
        ("mode", "gpu", "expected one of motion, none, got 'gpu'"),
        ("limit", "[1]", "expected float, got [1]"),
    ],
)
def test_a_value_of_the_wrong_type_is_named_with_its_key(tmp_path, key, text, said):
    assert message(write(tmp_path, **{key: text})) == f"train.{key}: {said}"


def test_an_item_of_a_list_is_named_with_its_place(tmp_path):
    assert message(write(tmp_path, sizes="[1, two]")) == "train.sizes[1]: expected int, got 'two'"


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("epochs", "0", "must be at least 1, got 0"),
        ("rate", "1.5", "must be from 0.0 to 1.0, got 1.5"),
        ("rate", ".nan", "must be from 0.0 to 1.0, got nan"),
        ("limit", "6", "must be at most 5.0, got 6.0"),
    ],
)
def test_a_value_out_of_range_is_named_with_its_range(tmp_path, key, text, said):
    assert message(write(tmp_path, **{key: text})) == f"train.{key}: {said}"


def test_a_missing_key_is_named(tmp_path):
    assert message(write(tmp_path, rate=None)) == "train.rate: missing; add it to the section 'train'"


def test_an_unknown_key_is_named_with_the_nearest_known_one(tmp_path):
    assert message(write(tmp_path, epoch="1")) == "train.epoch: unknown key; did you mean epochs?"


def test_an_unknown_key_like_no_other_is_named_with_all_known_ones(tmp_path):
    known = "epochs, rate, model, square, sizes, mode, limit"
    assert message(write(tmp_path, zzz="1")) == f"train.zzz: unknown key; known are {known}"


def test_a_missing_section_is_named_with_those_that_are_there(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("data: {name: demo}\nquery: {seed: 1}\n")
    assert message(path) == "section 'train' is missing; it has data, query"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"train:\n  epochs: 1\n  rate: 1\n  epochs: 2\n", "4: not valid YAML: key 'epochs' stands twice"),
        (b"train:\n  epochs: 1\ntrain:\n  epochs: 2\n", "3: not valid YAML: key 'train' stands twice"),
        (b"train:\n\tepochs: 1\n", "2: not valid YAML: found character '\\t' that cannot start any token"),
        (b"train: {epochs: 1", "1: not valid YAML: expected ',' or '}', but got '<stream end>'"),
        (b"train: a\0b", "not valid YAML: unacceptable character #x0000: special characters are not allowed"),
        (b"train: \xe9", "byte 7 is not UTF-8; save the file as UTF-8"),
        (b"# nothing\n", "section 'train' is missing; it has nothing"),
        (b"- train\n", "expected sections, got ['train']"),
        (b"train:\n", "train: expected keys and values, got None"),
    ],
)
def test_a_file_that_is_no_params_file_is_one_line(tmp_path, text, said):
    path = tmp_path / "params.yaml"
    path.write_bytes(text)
    assert message(path) == said


def test_a_missing_file_says_where_to_run_the_command(tmp_path):
    with pytest.raises(MissingError) as caught:
        load(Params, "train", tmp_path / "no.yaml")
    assert str(caught.value) == f"{tmp_path}/no.yaml: not found; run the command in the top folder of the repository"


@dataclass(frozen=True, kw_only=True)
class Span:
    since: str | None
    places: tuple[str, ...] | None


def span(folder: Path, since: str, places: str) -> Span:
    path = folder / "params.yaml"
    path.write_text(f"query:\n  since: {since}\n  places: {places}\n")
    return load(Span, "query", path)


@pytest.mark.parametrize("text", ["2024-04-01", "'2024-04-01'", '"2024-04-01"'])
def test_a_day_stays_text(tmp_path, text):
    assert span(tmp_path, text, "null").since == "2024-04-01"


def test_a_time_stays_text(tmp_path):
    assert span(tmp_path, "2024-04-01T05:00:00Z", "[2024-04-01 05:00:00]") == Span(
        since="2024-04-01T05:00:00Z", places=("2024-04-01 05:00:00",)
    )


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("null", None),
        ("", None),
        ("~", None),
        ("[]", ()),
        ("[north, 'null', '007', NA]", ("north", "null", "007", "NA")),
    ],
)
def test_a_list_may_be_null(tmp_path, text, places):
    assert span(tmp_path, "null", text) == Span(since=None, places=places)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("north", "query.places: expected a list, got 'north'"),
        ("[north, 007]", "query.places[1]: expected str, got 7"),
        ("[null]", "query.places[0]: expected str, got None"),
        ("{north: 1}", "query.places: expected a list, got {'north': 1}"),
    ],
)
def test_a_list_of_other_things_than_text_is_named_with_the_place(tmp_path, text, said):
    with pytest.raises(ParamsError) as caught:
        span(tmp_path, "null", text)
    assert str(caught.value) == f"{tmp_path}/params.yaml: {said}"
