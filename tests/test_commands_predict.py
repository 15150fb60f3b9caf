"""predict and detect-predict, as a user calls them."""

import argparse
import json
import shlex

import make_classifier
import numpy as np
import pytest
from make_classifier import jpeg
from PIL import Image

from camtraps import classified_photos, classifier, images
from camtraps.commands import predict
from camtraps.detectors.answers import Answer, Box
from camtraps.errors import FailuresError, InputError, MissingError

BOX = (94, 24, 130, 60)  # of 160 x 120


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_classifier.save(tmp_path_factory.mktemp("models") / "small")


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Make a folder of three photos, one of them broken, one of them deeper; and results for two."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p/deep").mkdir(parents=True)
    (tmp_path / "p/a.jpg").write_bytes(jpeg(BOX))
    (tmp_path / "p/bad.jpg").write_bytes(jpeg(BOX)[:300])
    (tmp_path / "p/deep/b.png").write_bytes(jpeg(BOX))
    box = {"category": "1", "conf": 0.9, "bbox": [0.6, 0.2, 0.2, 0.3]}
    person = {"category": "2", "conf": 0.3, "bbox": [0.1, 0.1, 0.1, 0.5]}
    weak = box | {"conf": 0.29}
    entries = [{"file": name, "detections": [weak, box, person]} for name in ("a.jpg", "bad.jpg", "deep/b.png")]
    document = {"info": {"format_version": "1.6"}, "detection_categories": {"1": "animal", "2": "person"}}
    (tmp_path / "md.json").write_text(json.dumps(document | {"images": entries}))
    return tmp_path / "p"


def run(model, *arguments):
    parser = argparse.ArgumentParser()
    predict.add(parser.add_subparsers(required=True))
    options = parser.parse_args([*map(str, arguments), "--model", str(model)])
    return options.run(options)


def test_predict_prints_the_lines_of_the_tutorial(model, photos, capsys):
    assert run(model, "predict", "p/a.jpg", "--top", "2") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Prediction finished. Most likely classes:"
    ours = classifier.load(model)
    (found,) = ours.probabilities(ours.logits([Image.open("p/a.jpg")]))
    best = int(np.argmax(found))
    assert lines[1] == f'    "{ours.info.classes[best]}" with confidence {found[best]:.2%}'
    assert len(lines) == 3


@pytest.mark.parametrize(("name", "said"), [("p/bad.jpg", "photo cannot be decoded"), ("p/no.jpg", "photo not found")])
def test_a_picture_that_cannot_be_read_is_one_line(model, photos, name, said):
    with pytest.raises(InputError, match=f"^{name}: {said}"):
        run(model, "predict", name)


def test_a_photo_is_drawn_beside_itself(model, photos, capsys):
    assert run(model, "detect-predict", "p/a.jpg", "--detections", "md.json") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('a.jpg: 2 boxes; "')
    assert lines[0].endswith(" (animal 0.90); person (0.30)")
    assert lines[1] == "1 photo drawn, 2 boxes"
    with Image.open("p/a_detections.jpg") as drawn, Image.open("p/a.jpg") as photo:
        assert drawn.size == photo.size
        assert drawn.tobytes() != photo.tobytes()


def test_a_box_at_the_threshold_is_drawn_and_classified(model):
    """The tutorial's tool drew it and then failed, because it had not classified it (spec 12.4)."""
    asker = classified_photos.Asker.of(classifier.load(model), threshold=0.5)
    boxes = [Box(0.6, 0.2, 0.2, 0.3, confidence) for confidence in (0.5, 0.4999)]
    found = asker.ask(images.opened(jpeg(BOX)), Answer(boxes))
    assert [box.confidence for box in found.boxes] == [0.5]
    assert found.probabilities[0].shape == (3,)


def test_the_rest_of_a_folder_is_done_and_each_failure_is_told(model, photos, capsys):
    with pytest.raises(FailuresError, match=r"^1 of 3 photos failed, first bad\.jpg$"):
        run(model, "detect-predict", "p", "--recursive", "--detections", "md.json", "--out", "out")
    said = capsys.readouterr()
    assert said.err.startswith("bad.jpg: photo cannot be decoded: ")
    assert said.out.splitlines()[-1] == "2 photos drawn, 4 boxes"
    drawn = sorted(photos.parent.glob("out/**/*.jpg"))
    assert [path.name for path in drawn] == ["a_detections.jpg", "b_detections.jpg"]


def test_drawn_photos_are_not_taken_for_photos(model, photos, capsys):
    (photos / "bad.jpg").unlink()
    for _ in range(2):
        run(model, "detect-predict", "p", "--detections", "md.json")
        assert capsys.readouterr().out.endswith("1 photo drawn, 2 boxes\n")


def test_photos_that_differ_in_their_ending_are_drawn_apart(model, photos, capsys):
    (photos / "bad.jpg").unlink()
    (photos / "a.png").write_bytes(jpeg(BOX))
    with pytest.raises(FailuresError):  # a.png is not in the results
        run(model, "detect-predict", "p", "--detections", "md.json")
    assert "a.png: not in md.json" in capsys.readouterr().err
    assert (photos / "a.jpg_detections.jpg").is_file()


def test_the_same_photo_is_drawn_in_the_same_bytes(model, photos):
    bytes_of = []
    for name in ("one", "two"):
        run(model, "detect-predict", "p/a.jpg", "--detections", "md.json", "--out", name)
        bytes_of.append((photos.parent / name / "a_detections.jpg").read_bytes())
    assert bytes_of[0] == bytes_of[1]


def test_the_padding_is_that_of_training_unless_another_is_asked_for(model):
    """The tutorial trained with 1.69 and predicted with 1.6 (spec 12.4)."""
    ours = classifier.load(model)
    assert classified_photos.Asker.of(ours).params.margin == ours.info.crop["margin"]
    assert classified_photos.Asker.of(ours, margin=1.69).params.margin == 1.69


def test_motion_looks_for_animals_in_a_folder(model, tmp_path, capsys):
    for at in range(6):
        pixels = np.random.default_rng(0).integers(60, 120, (120, 160, 3)).astype(np.uint8)
        if at == 3:
            pixels[30:70, 90:130] = (240, 40, 40)
        Image.fromarray(pixels).save(tmp_path / f"{at}.jpg", quality=95)
    assert run(model, "detect-predict", tmp_path, "--detector", "motion", "--out", tmp_path / "out") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[1].split(";")[0] for line in lines[:-1]] == [" 0 boxes"] * 3 + [" 1 box"] + [" 0 boxes"] * 2


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (["p/a.jpg", "--detector", "motion"], InputError, "motion compares photos of one place, and this is one photo"),
        (
            ["p/a.jpg", "--padding-factor", "9"],
            InputError,
            "--padding-factor: margin: must be from 1",
        ),
        (["p/no"], MissingError, "p/no: no such photo or folder; check the path"),
        (["e"], MissingError, "e: no photo is in the folder; try --recursive"),
        (["p/a.jpg", "--detections", "no.json"], MissingError, "no.json: not found"),
        (["p/a.jpg", "--detections", "p/a.jpg"], InputError, "p/a.jpg"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(model, photos, arguments, error, said):
    (photos.parent / "e").mkdir()
    with pytest.raises(error) as raised:
        run(model, "detect-predict", *arguments)
    assert str(raised.value).startswith(said)


def test_the_examples_of_the_help_are_understood():
    parser = argparse.ArgumentParser()
    predict.add(parser.add_subparsers(required=True))
    for text in (predict.PREDICT, predict.DETECT):
        for line in text.splitlines():
            if line.startswith("  camtraps "):
                parser.parse_args(shlex.split(line)[1:])
