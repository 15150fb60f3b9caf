"""A foreign classifier: its file checked line by line, its labels pooled into ours."""

import gzip
import json
import re

import numpy as np
import pandas as pd
import pytest
from make_tables import rows

from camtraps import foreign
from camtraps.errors import InputError, MissingError
from camtraps.schema import CROPS, PREDICTIONS

ANCESTOR = """path,label,weight,red fox,wolf,elk,moose
d/a.jpg___crop00.jpg,fox,1.0,0.4,0.3,0.2,0.1
d/b.jpg___crop01_md.jpg,fox,1.0,0.1,0.2,0.3,0.4
"""
MAPPING = {"canid": ["red fox", "wolf"], "deer": ["elk"], "horse": [], "other": ["moose"]}


@pytest.fixture
def file(tmp_path):
    def write(text, name="probabilities.csv"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return write


def said(path, text):
    return "^" + re.escape(f"{path}{text}") + "$"


def test_probabilities_are_pooled_by_target(file):
    # The worked example of the specification; "horse" has no label there, "goat" is not even in the mapping.
    # E5: both failed, since the mapping had to name exactly the labels of the dataset.
    given = foreign.read(file(ANCESTOR))
    targets = foreign.targets(["canid", "deer", "goat", "horse"])
    assert targets == ["canid", "deer", "goat", "horse", "other"]
    pooled = foreign.pooled(given, MAPPING, targets)
    assert pooled == pytest.approx(np.array([[0.7, 0.2, 0, 0, 0.1], [0.3, 0.3, 0, 0, 0.4]]), abs=1e-6)


def test_a_sum_of_probabilities_is_the_log_sum_exp_of_logits(file):
    given = foreign.read(file(ANCESTOR))
    logits = np.log(given.probabilities[0].astype(float)) + 2.5  # any constant
    pooled = np.exp([np.logaddexp(logits[0], logits[1]), logits[2], logits[3]])
    expected = foreign.pooled(given, MAPPING, ["canid", "deer", "other", "horse"])[0, :3]
    assert pooled / pooled.sum() == pytest.approx(expected, abs=1e-6)


def test_a_label_of_ours_may_be_called_other(file):
    assert foreign.targets(["deer", "other"]) == ["deer", "other"]
    pooled = foreign.pooled(foreign.read(file(ANCESTOR)), MAPPING, ["canid", "deer", "horse", "other"])
    assert pooled[0] == pytest.approx([0.7, 0.2, 0, 0.1], abs=1e-6)


def test_crops_are_found_by_their_path_and_by_image_and_box(file):
    crops = rows(
        CROPS,
        {"image": "d/b.jpg", "box": 1, "detector": "md"},
        {"image": "d/a.jpg", "detector": "md"},
        {"image": "d/a.jpg", "detector": "human"},
    )
    assert foreign.find(foreign.read(file(ANCESTOR)), crops).tolist() == [1, -1, 0]
    by_box = foreign.read(file("image,box,path,weight\nd/a.jpg,0,0.5,0.5\nd/b.jpg,1,1,0\n"))
    assert foreign.find(by_box, crops).tolist() == [1, 0, 0]
    assert by_box.labels == ["path", "weight"]  # E6: classes may be called as columns are


def test_a_foreign_classifier_may_know_the_test_alone_but_all_of_it(file):
    given = foreign.read(file("image,box,deer,fox\nd/a,0,1,0\nd/b,0,0,1\n"))
    crops = rows(PREDICTIONS, *({"image": f"d/{name}", "split": "test"} for name in "ba")).assign(detector="human")
    both = pd.concat([crops, crops.assign(image=["d/c", "d/d"], split="val")])
    pools = foreign.same_names(given.labels)
    found = foreign.of_crops(given, pools, both, ["deer", "fox"])
    assert found[:2].tolist() == [[0, 1, 0], [1, 0, 0]]
    assert np.isnan(found[2:]).all()
    message = "evaluate.foreign: 1 of 2 crops of {} are not in it, first d/c box 0; run that classifier on all of them"
    for split in ("test", "val"):
        part = both.assign(image=["d/a", "d/c", "d/d", "d/d"] if split == "test" else ["d/b", "d/a", "d/b", "d/c"])
        with pytest.raises(InputError, match=f"^{re.escape(message.format(split))}$"):
            foreign.of_crops(given, pools, part, ["deer", "fox"])


def test_a_gzipped_file_is_read(tmp_path):
    (tmp_path / "p.csv.gz").write_bytes(gzip.compress(ANCESTOR.encode()))
    assert foreign.read(tmp_path / "p.csv.gz").labels == ["red fox", "wolf", "elk", "moose"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "file,deer\na,1\n",
            ":1: expected the columns path, or image and box, and then one for each class; got file, deer",
        ),
        ("path,deer,fox\n", ": there is no crop in it"),
        ("path,deer,fox\na,0.5,0.5\nb,half,0.5\n", ": column deer: expected numbers: line 3 has 'half'"),
        (
            "path,deer,fox\na,0.5,0.5\nb,0.5,0.9\n",
            ":3: expected probabilities that sum to 1, got the sum 1.4",
        ),
        (
            "path,deer,fox\na,1.5,-0.5\n",
            ":2: expected probabilities from 0 to 1, got -0.5 to 1.5",
        ),
        ("image,box,deer,fox\na,0,1,0\nb,0,1,0\na,0,0,1\n", ": crop a box 0 stands twice; keep one row of each"),
    ],
)
def test_a_file_that_is_not_of_probabilities_is_refused_with_the_place(file, text, message):
    path = file(text)
    with pytest.raises(InputError, match=said(path, message)):
        foreign.read(path)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(MissingError, match="not found"):
        foreign.read(tmp_path / "p.csv")


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ([1], ": expected {label: [labels of the foreign classifier]}, got [1]"),
        ({"a": "fox"}, ': expected {label: [labels of the foreign classifier]}, got {"a": "fox"}'),
        ({"a": ["fox"], "b": ["fox"]}, ": 'fox' stands under 'a' and 'b'"),
    ],
)
def test_a_mapping_that_is_none_is_refused(file, mapping, message):
    path = file(json.dumps(mapping), "mapping.json")
    with pytest.raises(InputError, match=said(path, message)):
        foreign.read_mapping(path)


def test_a_mapping_names_exactly_the_labels_of_the_foreign_classifier(file):
    path = file("{}", "mapping.json")
    message = (
        ": the foreign classifier has no label 'wolf'; its label 'elk' is under no target; "
        "put it under 'other' if it is none of ours"
    )
    with pytest.raises(InputError, match=said(path, message)):
        foreign.check_labels(["elk", "fox"], {"canid": ["fox", "wolf"]}, path)


def test_labels_that_are_not_ours_need_a_mapping(file):
    given = foreign.read(file("path,deer,wolf\na,0.5,0.5\n"))
    message = "evaluate.foreign: wolf is no label of our classifier, which has deer, other; evaluate.foreign_mapping"
    with pytest.raises(InputError, match=f"^{re.escape(message)}"):
        foreign.pooled(given, foreign.same_names(given.labels), foreign.targets(["deer"]))


def test_the_files_are_placed_where_the_stage_looks(file, tmp_path):
    mapping = file(json.dumps(MAPPING), "mapping.json")
    lines = foreign.place(tmp_path / "foreign", file(ANCESTOR), mapping)
    assert lines == [
        f"{tmp_path}/foreign/probabilities.csv: 2 crops, 4 labels",
        "next: put `foreign: probabilities.csv` and `foreign_mapping: mapping.json` under `evaluate:` in params.yaml, "
        "then `dvc repro`",
    ]
    assert foreign.read(tmp_path / "foreign/probabilities.csv").labels == ["red fox", "wolf", "elk", "moose"]
    assert foreign.place(tmp_path / "foreign", tmp_path / "foreign/probabilities.csv", None)  # it is there already
