"""Merging of files from elsewhere: each crop gets into its own box, whatever its name; every mismatch is said."""

import gzip
import json
import os
from pathlib import Path

import pytest

from camtraps import merge_crops, merge_files
from camtraps.cli import main
from camtraps.errors import InputError, MissingError
from camtraps.merge import MergeParams
from camtraps.merge_files import Queried

CLASSES = ["fox", "deer", "bird"]
BOX = {"category": "1", "conf": 0.93, "bbox": [0.1, 0.2, 0.3, 0.2]}
NAMES = {"1": "animal", "2": "person", "3": "vehicle"}
ROW = "0.55,0.30,0.15"
SHOWN = [["0", 0.55], ["1", 0.3], ["2", 0.15]]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work where there is no file of ours."""
    monkeypatch.chdir(tmp_path)


def crops(*lines, header="path,fox,deer,bird"):
    with Path("crops.csv").open("w") as file:
        file.write("\n".join([header, *lines]) + "\n")
    return merge_crops.read(Path("crops.csv"), CLASSES)


def results(*images, name="md.json", **more):
    head = {"info": {"format_version": "1.2", "detector": "md_v5a.0.0.pt"}, "detection_categories": NAMES}
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(head | more | {"images": list(images)}))
    return path


def image(file, num=1, **more):
    return {"file": file, "detections": [BOX | {"conf": 0.5 + at / 1000} for at in range(num)], **more}


def into_results(given, path, threshold=0.1, **params):
    return merge_files.into_results(given, path, CLASSES, MergeParams(threshold=threshold, **params))


def queried(**photos):
    path = Path("queried_images.json")
    named = {name.replace("_", "/") + ".jpg": {"class": "x", "label": ["x"], **about} for name, about in photos.items()}
    path.write_text(json.dumps(named))
    return path


def into_queried(given, photos, cache="cache", version="4.1", **params):
    where = Queried(photos, cache and Path(cache), version)
    return merge_files.into_queried(given, where, CLASSES, MergeParams(threshold=0.1, **params))


def classified(document):
    """Give the places of boxes with classifications."""
    return {
        (image["file"], at): box["classifications"]
        for image in document.images()
        for at, box in enumerate(image["detections"] or [])
        if "classifications" in box
    }


HUMAN = {"bbox": [{"category": "animal", "bbox": [0.1, 0.2, 0.3, 0.25]}, {"category": "group", "bbox": [0, 0, 1, 1]}]}


def test_every_crop_gets_into_its_own_box():
    # M3: crop 104 got into box 10. M8: names that contain ___crop broke the split.
    path = results(image("d/a.jpg", 120), image("d/a___crop03.jpg", 2), image("d/none.jpg", 1))
    names = ["d/a.jpg___crop104_md.jpg", "d/a.jpg___crop10_md.jpg", "d/a___crop03.jpg___crop01.jpg"]
    found = into_results(crops(*(f"{name},{ROW}" for name in names)), path)
    assert classified(found) == {("d/a.jpg", 104): SHOWN, ("d/a.jpg", 10): SHOWN, ("d/a___crop03.jpg", 1): SHOWN}


def test_all_that_a_result_file_says_is_kept_but_for_older_classifications():
    # M9: format_version stayed as it was. A confidence that is written as 1 becomes 1.0, as the validator wants it.
    old = BOX | {"conf": 1, "classifications": [["7", 0.9]]}
    given = {"file": ".\\d\\a.jpg", "detections": [old, BOX], "datetime": "2024:01:02", "max_detection_conf": 1}
    lost = [{"file": "d/b.jpg", "failure": "Failure image access"}, {"file": "d/c.jpg", "width": 3}]
    path = results(given, *lost, classification_category_descriptions={"7": "x"}, note=["kept", 1])
    found = into_results(crops(f"d/a.jpg___crop01.jpg,{ROW}"), path, typical_confidence_threshold=0.75)
    assert found.images() == [
        {"file": "d/a.jpg", "detections": [BOX | {"conf": 1.0}, BOX | {"classifications": SHOWN}],
         "datetime": "2024:01:02", "max_detection_conf": 1},
        {"file": "d/b.jpg", "failure": "Failure image access", "detections": None},
        {"file": "d/c.jpg", "failure": "no detections recorded", "detections": None, "width": 3},
    ]  # fmt: skip
    about = {"classification_threshold": 0.1, "typical_classification_threshold": 0.75}
    assert found.head == {
        "info": {"format_version": "1.6", "detector": "md_v5a.0.0.pt", "classifier_metadata": about},
        "detection_categories": NAMES,
        "note": ["kept", 1],
        "classification_categories": {"0": "fox", "1": "deer", "2": "bird"},
    }


def test_filters_hold_for_crops_and_images_alike():
    # M1: the first crop that was filtered out was a KeyError, in both modes.
    given = crops(f"d/a.jpg___crop00.jpg,{ROW}", f"e/a.jpg___crop00.jpg,{ROW}")
    path = results(image("d/a.jpg"), image("e/a.jpg"), image("e/b.jpg"))
    assert into_results(given, path, datasets=("e",)).files == ["e/a.jpg", "e/b.jpg"]
    assert into_queried(given, queried(d_a=HUMAN, e_a=HUMAN), datasets=("e",)).files == ["e/a.jpg"]
    with pytest.raises(InputError, match=r"^--datasets: no crop is of f$"):
        into_results(given, path, datasets=("f",))


def test_samples_are_drawn_by_label_in_both_modes():
    lines = [f"d/{at}.jpg___crop00.jpg,{'fox' if at < 2 else 'deer'},1,{ROW}" for at in range(8)]
    given = crops(*lines, header="path,label,weight,fox,deer,bird")
    path = results(*(image(f"d/{at}.jpg") for at in range(9)))
    photos = queried(**{f"d_{at}": HUMAN for at in range(9)})
    sampled = [
        into_results(given, path, samples_per_label=3, seed=1),
        into_queried(given, photos, samples_per_label=3, seed=1),
    ]
    assert [len(each.files) for each in sampled] == [2 + 3, 2 + 3]
    assert list(classified(sampled[0])) == list(classified(sampled[1]))


def test_human_boxes_and_detections_stand_beside_each_other():
    # M2: a dataset with human boxes alone needed a cache file all the same, and a box of a group was a KeyError.
    # M4: crops of detections whose names have no _mdv were taken for human boxes.
    names = [
        "d/a.jpg___crop00.jpg",
        "e/a.jpg___crop01_md_v5a.0.0.pt.jpg",
        "e/b.jpg___crop00.jpg",
        "e/c.jpg___crop00_mdv4.1.jpg",
    ]
    photos = queried(d_a=HUMAN, e_a={}, e_b={}, e_c=HUMAN)
    results(image("a.jpg", 2), image("b.jpg"), image("c.jpg"), image("other.jpg"), name="cache/v4.1/e.json")
    found = into_queried(crops(*(f"{name},{ROW}" for name in names)), photos)
    assert list(classified(found)) == [("d/a.jpg", 0), ("e/a.jpg", 1), ("e/b.jpg", 0), ("e/c.jpg", 0)]
    assert found.head["info"]["detector"] == "human, md_v5a.0.0.pt"
    assert found.head["detection_categories"] == NAMES | {"4": "group"}
    first, second = found.images()[0]["detections"]
    assert first == {
        "category": "1", "conf": 1.0, "bbox": [0.1, 0.2, 0.3, 0.25], "classifications": SHOWN,
    }  # fmt: skip
    assert second == {"category": "4", "conf": 1.0, "bbox": [0, 0, 1, 1]}
    assert found.images()[1]["detections"][1]["conf"] == 0.501


def test_categories_of_detections_are_matched_by_name():
    path = results(image("a.jpg"), name="cache/v4.1/e.json")
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"detection_categories": {"1": "person", "2": "animal"}}))
    found = into_queried(crops(f"e/a.jpg___crop00_mdv4.1.jpg,{ROW}"), queried(e_a={}), version="v4.1")
    assert found.images()[0]["detections"][0]["category"] == "2"
    assert found.head["detection_categories"] == NAMES


def test_labels_alone_are_merged_too():
    header = "path,dataset,location,dataset_class,confidence,label"
    given = crops("d/a.jpg___crop00.jpg,d,007,roe deer,1.0,deer", header=header)
    path = results(image("d/a.jpg"))
    assert classified(into_results(given, path, label="last")) == {("d/a.jpg", 0): [["1000001", 1.0]]}
    assert classified(into_results(given, path)) == {("d/a.jpg", 0): []}
    with pytest.raises(InputError, match=r"^--relative-conf: needs probabilities, and the file has labels alone$"):
        into_results(given, path, relative_conf=True)


def test_a_crop_may_have_several_labels_and_may_not_stand_twice():
    # M6: both were a ValueError of pandas.
    header = "path,label,weight,fox,deer,bird"
    given = crops(f'd/a.jpg___crop00.jpg,"fox, bird",1,{ROW}', header=header)
    found = into_results(given, results(image("d/a.jpg")), label="first", threshold=0.5)
    assert classified(found) == {("d/a.jpg", 0): [["1000000", 1.0], ["1000002", 1.0], ["0", 0.55]]}
    with pytest.raises(InputError, match=r"^crops.csv: box 0 of d/a.jpg stands twice; keep one row$"):
        crops(f"d/a.jpg___crop00.jpg,{ROW}", f"d/a.jpg___crop00_md.jpg,{ROW}")


def test_classes_may_be_numbered_and_in_any_order():
    numbered = crops("d/a.jpg___crop00.jpg,0.15,0.55,0.3", header="path,2,0,1")
    assert classified(into_results(numbered, results(image("d/a.jpg")))) == {("d/a.jpg", 0): SHOWN}


@pytest.mark.parametrize(
    ("lines", "header", "message"),
    [
        (["a.jpg___crop00.jpg,0.5,0.5"], "path,fox,wolf",
         "crops.csv: class 'deer' of the label index has no column; class 'bird' of the label index has no column; "
         "column 'wolf' is no class of the label index"),
        (["a.jpg___crop00.jpg,wolf,1,0.5,0.5,0"], "path,label,weight,fox,deer,bird",
         "crops.csv: labels wolf are not in the label index"),
        ([], "path,fox,deer,bird", "crops.csv: there is no crop in it"),
    ],
)  # fmt: skip
def test_a_csv_that_does_not_fit_the_label_index_is_refused(lines, header, message):
    with pytest.raises(InputError) as caught:
        crops(*lines, header=header)
    assert str(caught.value) == message


def test_crops_whose_box_is_not_there_are_all_said():
    given = crops(f"d/a.jpg___crop07.jpg,{ROW}", f"d/b.jpg___crop00.jpg,{ROW}")
    with pytest.raises(InputError) as caught:
        into_results(given, results(image("d/a.jpg", 3)))
    assert str(caught.value) == "md.json: d/a.jpg has 3 boxes, and no box 7; d/b.jpg is not in it"
    results(image("a.jpg"), name="cache/v4.1/d.json")
    with pytest.raises(InputError) as caught:
        into_queried(given, queried(d_a={}, d_c=HUMAN))
    said = "d/a.jpg has 1 boxes, and no box 7; d/b.jpg is neither boxed by people nor in the recorded results"
    assert str(caught.value) == f"queried_images.json: {said}"


def test_a_photo_is_not_of_both_kinds():
    given = crops(f"d/a.jpg___crop00.jpg,{ROW}", f"d/a.jpg___crop01_mdv4.1.jpg,{ROW}")
    results(image("a.jpg", 2), name="cache/v4.1/d.json")
    with pytest.raises(InputError, match=r"json: d/a.jpg has crops of human boxes and of a detector$"):
        into_queried(given, queried(d_a=HUMAN))


def test_recorded_results_that_are_needed_must_be_given():
    given = crops(f"d/a.jpg___crop00_mdv4.1.jpg,{ROW}")
    with pytest.raises(InputError, match=r"crops of d are of a detector; give its results with --detector-output-"):
        into_queried(given, queried(d_a={}), cache=None)
    with pytest.raises(MissingError, match=r"^cache/v4.1/d.json: not found"):
        into_queried(given, queried(d_a={}))


@pytest.mark.parametrize("content", ["[]", '{"images": []}', '{"images": [{"file": 3}]}', "{"])
def test_a_file_that_is_no_result_file_is_refused(content):
    Path("md.json").write_text(content)
    with pytest.raises(InputError, match=r"^md.json: |^md.json:1"):
        into_results(crops(f"a.jpg___crop00.jpg,{ROW}"), Path("md.json"))


def test_the_command_writes_a_file_for_timelapse_and_the_same_again(capsys):
    # M5: an output without a folder before its name was a FileNotFoundError. M10: the completion time was a day only.
    with gzip.open("crops.csv.gz", "wt") as file:
        file.write(f"path,fox,deer,bird\nd/a.jpg___crop00_md.jpg,{ROW}\n")
    os.utime("crops.csv.gz", (1_700_000_000, 1_700_000_000))
    results(image("d/a.jpg"))
    Path("index.json").write_text(json.dumps({str(at): name for at, name in enumerate(CLASSES)}))
    command = "merge crops.csv.gz index.json -j md.json -o out.json -n foxes -t 0.2"
    for _ in range(2):
        with pytest.raises(SystemExit) as ended:
            main(command.split())
        assert ended.value.code == 0
    assert capsys.readouterr().out == "out.json: 1 images, 1 crops, 3 classes\n" * 2
    written = json.loads(Path("out.json").read_text())
    assert written["images"][0]["detections"][0]["classifications"] == [["0", 0.55], ["1", 0.3]]
    assert written["info"]["classifier"] == "foxes"
    assert written["info"]["classification_completion_time"] == "2023-11-14 22:13:20"
    assert len(written["info"]["classifier_metadata"]["source_sha256"]) == 64


def test_options_without_an_effect_are_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["merge", "c.csv", "i.json", "-j", "md.json", "-c", "cache", "-o", "out.json", "-n", "x"])
    assert ended.value.code == 1
    assert "have no effect with --detection-json" in capsys.readouterr().err
