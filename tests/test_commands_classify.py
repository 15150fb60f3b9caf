"""``camtraps classify``: new photos in, a MegaDetector document out."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from imports import ROOT
from make_classify import CLASSES, results, write_model, write_photo

from camtraps import classifier, classifying, images
from camtraps.cli import main

torch.set_num_threads(1)
BOXES = {
    "a/1.jpg": [("1", 0.9), ("2", 0.8), ("1", 0.01)],
    "a/2.jpg": [],
    "b/1.jpg": [("1", 0.7)],
    "b/2.jpg": [("1", 0.6), ("1", 0.5)],
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model") / "small")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Work in a folder with photos, a broken and a missing one, and their boxes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CAMTRAPS_WORKERS", "1")
    for at, name in enumerate(BOXES):
        write_photo(tmp_path / "photos" / name, at, f"2024:04:01 05:00:0{at}")
    (tmp_path / "photos/b/cut.jpg").write_bytes((tmp_path / "photos/b/1.jpg").read_bytes()[:-200])
    results(tmp_path / "md.json", BOXES | {"b/cut.jpg": [("1", 0.9)], "gone.jpg": [("1", 0.9)], "failed.jpg": None})
    return tmp_path


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["classify", *map(str, arguments)])
    said = capsys.readouterr()
    return ended.value.code, said.out, said.err


def classify(capsys, model, *more, out="out.json"):
    """Classify the photos with their boxes; give the document."""
    code, _, err = run(capsys, "md.json", "--images", "photos", "--model", model, "--out", out, *more)
    assert code == 0, err
    return json.loads(Path(out).read_text())


def refused(capsys, *arguments):
    code, out, err = run(capsys, *arguments)
    assert (code, out, err.count("\n")) == (1, "", 1)
    return err.removeprefix("camtraps: ").rstrip("\n")


def entries(document):
    return {image["file"]: image for image in document["images"]}


def test_all_boxes_are_kept_and_animals_classified(place, capsys, model):
    document = classify(capsys, model, "--threshold", "0")
    found = entries(document)
    assert list(found) == [*BOXES, "b/cut.jpg", "gone.jpg", "failed.jpg"]
    animal, person, unsure = found["a/1.jpg"]["detections"]
    ours = classifier.load(model)
    photo = images.opened((place / "photos/a/1.jpg").read_bytes())
    crop = classifier.cut(photo, [(0.25, 0.25, 0.5, 0.5)], classifier.crop_params(ours.info))
    expected = ours.probabilities(ours.logits(crop))[0]
    said = {int(at): share for at, share in animal["classifications"]}
    assert [said[at] for at in range(3)] == pytest.approx(expected.tolist(), abs=1e-4)
    assert person == {"category": "2", "conf": 0.8, "bbox": [0.25, 0.25, 0.5, 0.5]}
    assert "classifications" not in unsure
    assert found["a/2.jpg"]["detections"] == []
    assert found["a/2.jpg"]["datetime"] == "2024-04-01 05:00:01"


def test_photos_that_cannot_be_used_are_failures_and_the_rest_is_done(place, capsys, model):
    code, out, _ = run(capsys, "md.json", "--images", "photos", "--model", model, "--out", "out.json")
    found = entries(json.loads(Path("out.json").read_text()))
    assert code == 0
    assert {name: each["failure"] for name, each in found.items() if each.get("failure")} == {
        "b/cut.jpg": "photo cannot be decoded: image file is truncated",
        "gone.jpg": "photo not found",
        "failed.jpg": "Failure image access",
    }
    assert [found[name]["detections"] for name in ("b/cut.jpg", "gone.jpg", "failed.jpg")] == [None] * 3
    first = "b/cut.jpg: photo cannot be decoded: image file is truncated"
    assert out.splitlines()[0] == f"out.json: 7 photos, 6 boxes, 4 classified, 3 failed (first: {first})"


def test_the_document_says_what_made_it(place, capsys, model):
    document = classify(capsys, model, "--classifier-name", "our fox", "--top", "1")
    assert document["info"]["format_version"] == "1.6"
    assert document["info"]["detector"] == "md_v5a.0.1.pt"
    assert document["info"]["classifier"] == "our fox"
    assert document["classification_categories"] == {"0": "badger", "1": "deer", "2": "fox"}
    assert document["classification_category_descriptions"]["1"] == "mammalia;artiodactyla;cervidae;;"
    assert len(entries(document)["a/1.jpg"]["detections"][0]["classifications"]) == 1


def test_the_document_is_one_of_megadetector(place, capsys, model):
    validate = pytest.importorskip("megadetector.postprocessing.validate_batch_results").validate_batch_results
    classify(capsys, model, "--abstain", "taxon", "--sure", "0.99")
    found = validate("out.json")["validation_results"]
    assert (found["errors"], found["warnings"]) == ([], [])


def test_the_same_run_gives_the_same_bytes_whatever_the_workers(place, capsys, model, monkeypatch):
    classify(capsys, model)
    before = Path("out.json").read_bytes()
    monkeypatch.setenv("CAMTRAPS_WORK", str(place / "other"))
    monkeypatch.setenv("CAMTRAPS_WORKERS", "3")
    monkeypatch.setattr(classifying, "PHOTOS", 64)
    classify(capsys, model)
    assert Path("out.json").read_bytes() == before


def test_other_options_of_the_output_classify_nothing_again(place, capsys, model, monkeypatch):
    classify(capsys, model)
    monkeypatch.setattr(classifying, "_classified", lambda *_: pytest.fail("classified again"))
    Path("md.json").touch()
    classify(capsys, model, "--threshold", "0.4", "--smooth", "sequence", out="other.json")


def test_a_photo_that_has_changed_is_classified_again(place, capsys, model):
    before = entries(classify(capsys, model))
    write_photo(place / "photos/b/1.jpg", 99)
    after = entries(classify(capsys, model))
    assert [name for name in before if before[name] != after[name]] == ["b/1.jpg"]


def test_a_result_made_in_another_way_is_not_replaced(place, capsys, model):
    classify(capsys, model, "--threshold", "0.1")
    before = Path("out.json").read_bytes()
    said = refused(capsys, "md.json", "--images", "photos", "--model", model, "--out", "out.json", "--top", "2")
    assert said == (
        "out.json: was made in another way: threshold 0.1 there, 0.05 now; top null there, 2 now; "
        "name another file, or remove it"
    )
    assert Path("out.json").read_bytes() == before
    Path("own.json").write_text("{}")
    said = refused(capsys, "md.json", "--images", "photos", "--model", model, "--out", "own.json")
    assert said == "own.json: is there, and not written by this command; name another file, or remove it"


def test_boxes_of_a_sequence_get_the_mean_of_their_logits(place, capsys, model):
    separate = entries(classify(capsys, model, "--threshold", "0"))
    smoothed = entries(classify(capsys, model, "--threshold", "0", "--smooth", "sequence", out="smooth.json"))
    one, two, three = (
        box["classifications"] for name in ("b/1.jpg", "b/2.jpg") for box in smoothed[name]["detections"]
    )
    assert one == two == three
    assert one != separate["b/1.jpg"]["detections"][0]["classifications"]
    # The other folder is another place.
    assert smoothed["a/1.jpg"] == separate["a/1.jpg"]
    alone = entries(classify(capsys, model, "--threshold", "0", "--smooth", "sequence", "--gap", "0", out="alone.json"))
    assert alone["b/1.jpg"] == separate["b/1.jpg"]


def test_without_times_smoothing_says_that_it_has_changed_nothing(place, capsys, model):
    write_photo(place / "timeless/1.jpg", 1)
    results(place / "one.json", {"1.jpg": [("1", 0.9)]})
    given = ("one.json", "--images", "timeless", "--model", model, "--out", "out.json", "--smooth", "sequence")
    assert "no photo has a time in its EXIF: --smooth has changed nothing" in run(capsys, *given)[1]


def test_probabilities_are_added_up_into_targets(place, capsys, model):
    Path("map.json").write_text(json.dumps({"small": ["badger", "fox"], "big": ["deer"]}))
    document = classify(capsys, model, "--map", "map.json", "--threshold", "0")
    assert document["classification_categories"] == {"0": "big", "1": "small"}
    plain = entries(classify(capsys, model, "--threshold", "0", out="plain.json"))["a/1.jpg"]["detections"][0]
    own = dict(entries(document)["a/1.jpg"]["detections"][0]["classifications"])
    assert own["0"] == dict(plain["classifications"])["1"]
    Path("bad.json").write_text(json.dumps({"small": ["badger", "wolf"], "big": ["deer"]}))
    said = refused(capsys, "md.json", "--images", "photos", "--model", model, "--out", "x.json", "--map", "bad.json")
    assert "has no label 'wolf'" in said
    assert "label 'fox' is under no target" in said


def test_answers_can_be_restricted_to_a_list(place, capsys, model):
    arguments = ("md.json", "--images", "photos", "--model", model)
    code, out, _ = run(capsys, *arguments, "--out", "out.json", "--labels", "deer,mustelidae")
    assert code == 0
    document = json.loads(Path("out.json").read_text())
    shown = {
        at
        for each in document["images"]
        for box in each["detections"] or ()
        for at, _ in box.get("classifications", ())
    }
    assert shown <= {"0", "1"}
    assert "2 of 3 classes may be answered; the first choice of" in out
    (place / "species.txt").write_text("Cervidae\nlynx lynx\n")
    code, out, _ = run(capsys, *arguments, "--out", "fence.json", "--geofence", "species.txt", "--outside", "taxon")
    assert code == 0
    assert out.startswith("species.txt: 2 names, 1 of them no class or taxon of the model\n")
    said = refused(capsys, *arguments, "--out", "x.json", "--labels", "deer,wolf")
    assert said == f"--labels: no class or taxon of {model}: wolf"


def test_a_table_has_a_row_for_each_box(place, capsys, model):
    classify(capsys, model, "--csv", "out.csv")
    rows = list(csv.DictReader(Path("out.csv").read_text().splitlines()))
    assert [row["file"] for row in rows] == ["a/1.jpg"] * 3 + ["a/2.jpg", "b/1.jpg", "b/2.jpg", "b/2.jpg"] + [
        "b/cut.jpg",
        "gone.jpg",
        "failed.jpg",
    ]
    assert rows[0]["label"] in CLASSES
    assert (rows[1]["category"], rows[1]["label"]) == ("person", "")
    assert rows[8]["failure"] == "photo not found"


def test_a_folder_is_looked_over_by_the_built_in_detector(place, capsys, model):
    for at in range(6):
        write_photo(place / f"cam/{at}.png", 5)
    write_photo(place / "cam/6.png", 6)
    code, out, err = run(capsys, "photos/../cam", "--model", model, "--out", "out.json")
    assert code == 0, err
    assert out.startswith("out.json: 7 photos, ")
    assert json.loads(Path("out.json").read_text())["info"]["detector"] == "motion"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--gap", "10s"), "--gap: has no effect without --smooth"),
        (("--sure", "0.5"), "--sure: has no effect without --abstain"),
        (("--outside", "taxon"), "--outside: has no effect without --labels or --geofence"),
        (("--detector-model", "MDV5A"), "--detector-model: has no effect without --detector megadetector"),
        (("--detector", "motion"), "--detector: the boxes come from a file already; leave it out"),
        (("--csv", "x.json"), "--csv: is the same file as --out: x.json"),
    ],
)
def test_options_without_effect_are_refused(place, capsys, model, arguments, said):
    given = ("md.json", "--images", "photos", "--model", model, "--out", "x.json", *arguments)
    assert refused(capsys, *given) == said


def test_thresholds_of_the_model_are_used_where_it_has_some(place, capsys, model):
    given = ("md.json", "--images", "photos", "--out", "x.json", "--abstain", "unknown")
    said = refused(capsys, *given, "--model", model)
    assert said == f"{model}: has no thresholds of its own; say with --sure when an answer is sure"
    own = write_model(place / "own", thresholds=dict.fromkeys(CLASSES, 0.99))
    assert run(capsys, *given, "--model", own)[0] == 0
    first = entries(json.loads(Path("x.json").read_text()))["a/1.jpg"]["detections"][0]["classifications"][0]
    assert first == ["3", 1.0]


def test_a_model_without_taxa_cannot_answer_with_them(place, capsys):
    bare = write_model(place / "bare", taxa={})
    given = ("md.json", "--images", "photos", "--model", bare, "--out", "x.json", "--abstain", "taxon", "--sure", "0.9")
    assert refused(capsys, *given) == f"{bare}: its classes name no taxa, which --abstain taxon needs; train it anew"


def test_what_cannot_be_written_is_said_before_the_work(place, capsys, model, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    given = ("md.json", "--images", "photos", "--model", model, "--out", "x/out.json")
    assert refused(capsys, *given) == f"--out: {place} is not a folder that you can write to"


def test_a_model_folder_that_lacks_a_file_or_is_of_another_version_is_one_line(place, capsys):
    given = ("md.json", "--images", "photos", "--out", "x.json", "--model")
    half = write_model(place / "half")
    (half / "weights.safetensors").unlink()
    assert refused(capsys, *given, half) == f"{half}/weights.safetensors: not found; run `dvc pull {half}`"
    old = write_model(place / "old", format=7)
    assert refused(capsys, *given, old).startswith(f"{old}/model.json: not a model of format 1")
    assert refused(capsys, *given, "gone") == "gone/model.json: not found; check the path"


def test_detections_that_are_not_there_are_one_line(place, capsys, model):
    given = ("photos", "--model", model, "--out", "x.json", "--detections", "gone.json")
    assert refused(capsys, *given) == "gone.json: not found; check the path"


def test_a_run_that_is_killed_ten_times_ends_with_the_same_bytes(place, capsys, model, monkeypatch):
    for at in range(44):
        write_photo(place / f"many/{at:02}.jpg", at)
    results(place / "many.json", {f"{at:02}.jpg": [("1", 0.9)] * (at % 3) for at in range(44)})
    monkeypatch.setattr(classifying, "PHOTOS", 2)
    given = ["many.json", "--images", "many", "--model", str(model), "--out"]
    assert run(capsys, *given, "whole.json")[0] == 0
    environment = os.environ | {"CAMTRAPS_WORK": str(place / "killed"), "CAMTRAPS_WORKERS": "1"}
    environment |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, ROOT / "tests/kill_classify.py", "1", *given, "killed.json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    counts, was_there = json.loads(done.stdout.splitlines()[0].rpartition(" ")[0]), done.stdout.split()[10]
    assert counts[0] >= 1
    assert (sorted(counts), was_there) == (counts, "False")
    assert Path("killed.json").read_bytes() == Path("whole.json").read_bytes()


def test_a_camtrap_package_of_what_was_classified(place, capsys, model):
    Path("locations.csv").write_text("dataset,location,latitude,longitude\n,a,51.5,8.25\n,b,51.6,8.5\n")
    given = ("md.json", "--images", "photos", "--model", model, "--out", "out.json", "--camtrap-dp", "package")
    code, out, err = run(capsys, *given, "--locations", "locations.csv")
    assert code == 0, err
    # Of a/1.jpg two animals and a person, of b three animals; photos that failed have no time.
    assert out.splitlines()[-1] == "package: 4 photos, 6 observations, 2 deployments; 3 left out: no time"
    rows = list(csv.DictReader(Path("package/observations.csv").read_text().splitlines()))
    names = {row["scientificName"] for row in rows if row["observationType"] == "animal"}
    assert names <= {"Meles meles", "Cervidae", "Vulpes vulpes", ""}
    assert {row["classifiedBy"] for row in rows} == {"small", "md_v5a.0.1.pt"}
    assert refused(capsys, *given) == (
        "--camtrap-dp: needs the coordinates of the folders; name their file with --locations"
    )


def test_megadetector_can_draw_the_document(place, capsys, model):
    visualize = pytest.importorskip("megadetector.visualization.visualize_detector_output").visualize_detector_output
    classify(capsys, model)
    drawn = visualize("out.json", str(place / "drawn"), images_dir=str(place / "photos"), confidence_threshold=0.1)
    assert len([path for path in drawn if path]) >= 3
