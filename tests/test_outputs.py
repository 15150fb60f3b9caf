"""The outputs of a classifier as CSV: columns told by their place, names of crops taken apart, label_index.json."""

import gzip
import json
import re

import numpy as np
import pyarrow as pa
import pytest

from camtraps import outputs
from camtraps.errors import InputError, MissingError
from camtraps.outputs import read_classes


def refused(error, function, *given):
    with pytest.raises(error) as raised:
        function(*given)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def read(path):
    (rows,) = outputs.batches(path)
    return rows.keys.to_pydict(), rows.classes, rows.probabilities.tolist()


def test_rows_are_read_as_they_were_written(tmp_path):
    keys = [pa.array(["a,b.jpg___crop00.jpg", 'c".jpg___crop01.jpg'])]
    probabilities = np.array([[0.25, 0.75], [0.1, 0.9]], np.float32)
    with outputs.writing(tmp_path / "o.csv.gz", ["path"], ["NA", 'a "b"']) as writer:
        writer.write(keys, probabilities)
    assert read(tmp_path / "o.csv.gz") == (
        {"path": ["a,b.jpg___crop00.jpg", 'c".jpg___crop01.jpg']},
        ["NA", 'a "b"'],
        [[0.25, 0.75], [0.1, 0.9]],
    )
    first = (tmp_path / "o.csv.gz").read_bytes()
    with outputs.writing(tmp_path / "o.csv.gz", ["path"], ["NA", 'a "b"']) as writer:
        for at in range(2):
            writer.write([keys[0].slice(at, 1)], probabilities[at : at + 1])
    assert gzip.decompress((tmp_path / "o.csv.gz").read_bytes()) == gzip.decompress(first)


def test_classes_may_be_called_as_columns_are(tmp_path):
    # E6: such classes overwrote the columns.
    (tmp_path / "o.csv").write_text("path,label,weight,fox\na.jpg___crop00.jpg,fox,1,1\n")
    assert read(tmp_path / "o.csv")[1] == ["fox"]
    (tmp_path / "o.csv").write_text("path,weight,label\na.jpg___crop00.jpg,0.5,0.5\n")
    assert read(tmp_path / "o.csv")[1] == ["weight", "label"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.jpg___crop00.jpg", ("a.jpg", 0, "")),
        ("d/a.JPG___crop07_mdv4.1.jpg", ("d/a.JPG", 7, "mdv4.1")),
        ("d/a.jpg___crop00_md_v5a.0.0.pt.jpg", ("d/a.jpg", 0, "md_v5a.0.0.pt")),  # M4: taken for a human box
        ("a.jpg___crop104_md.jpg", ("a.jpg", 104, "md")),  # M3: taken for box 10
        ("a___crop05.jpg___crop01.jpg", ("a___crop05.jpg", 1, "")),  # M8: broke the split
        ("a___crop05_x.jpg___crop01_md.jpg", ("a___crop05_x.jpg", 1, "md")),
        ("a___crop.jpg___crop01.png", ("a___crop.jpg", 1, "")),
        ("d\\s\\a.jpg___crop00.jpg", ("d/s/a.jpg", 0, "")),
        ("./a.jpg___crop00.jpg", ("a.jpg", 0, "")),  # I4: never met its photo
    ],
)
def test_names_of_crops_are_taken_apart(name, expected, tmp_path):
    names, lines = pa.chunked_array([[name]]), pa.chunked_array([[2]])
    found = outputs.parse_names(names, lines, tmp_path / "o.csv")
    assert tuple(found.loc[0, ["image", "box", "detector"]]) == expected


def test_another_name_is_refused_with_its_place(tmp_path):
    names, lines = pa.chunked_array([["a___crop00.jpg", "a.jpg"]]), pa.chunked_array([[2, 3]])
    message = f"{tmp_path}/o.csv:3: expected the name of a crop, IMAGE___cropNN.jpg, got a.jpg"
    assert refused(InputError, outputs.parse_names, names, lines, tmp_path / "o.csv") == message


def test_a_value_beyond_1_is_refused_with_its_place(tmp_path):
    (tmp_path / "o.csv").write_text("path,fox,deer\na,1,0\nb,1.5,0.1\n")
    message = f"{tmp_path}/o.csv:3: expected probabilities from 0 to 1, got 0.1 to 1.5"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        list(outputs.batches(tmp_path / "o.csv"))


def test_an_absent_label_index_is_said(tmp_path):
    assert refused(MissingError, read_classes, tmp_path / "x.json") == f"{tmp_path}/x.json: not found; check the path"


def test_a_label_index_gives_the_names_in_the_order_of_their_numbers(tmp_path):
    names = [f"class {at}" for at in range(12)]
    numbered = {str(at): name for at, name in enumerate(names)}
    (tmp_path / "i.json").write_text(json.dumps(dict(sorted(numbered.items()))))  # "10" stands before "2"
    assert read_classes(tmp_path / "i.json") == names


@pytest.mark.parametrize(
    "text",
    [
        '{"0": "a", "2": "b"}',
        '{"1": "a"}',
        '["a"]',
        "{}",
        '{"0": "a", "1": "a"}',
        '{"0": 3}',
        '{"0": ""}',
        '{"0": "a", "0": "b"}',
    ],
)
def test_a_label_index_that_names_no_classes_is_a_clear_error(tmp_path, text):
    (tmp_path / "i.json").write_text(text)
    assert refused(InputError, read_classes, tmp_path / "i.json").startswith(f"{tmp_path}/i.json: ")
