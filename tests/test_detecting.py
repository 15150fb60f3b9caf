"""Detecting: the detector runs where nothing else has answered, and every photo is accounted for."""

from types import SimpleNamespace

import duckdb
import fsspec
import make
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from imports import REFUSERS, ROOT, closure
from make_tables import detect_params, rows
from PIL import Image

from camtraps import calibration, detecting, reading, tables
from camtraps.detecting import detect, detect_motion, gather, record
from camtraps.detections import sort_out
from camtraps.detectors import megadetector, motion
from camtraps.detectors.answers import Answer, Box
from camtraps.schema import BOXES, DETECTIONS, QUERIED, RECORDED
from camtraps.storage import Images, PhotoError

PARAMS = detect_params()
LOCAL = detect_params(detector="megadetector")
BOX = {"category": "animal", "confidence": 0.9, "x": 0.1, "y": 0.2, "w": 0.3, "h": 0.4}
NOTHING_MOVED = Answer([], "nothing moved")


def sources(**answers):
    """Sort out photos by what is known of them: human, recorded boxes (a list) or a recorded failure (a text)."""
    queried = rows(QUERIED, *({"image": f"d/{n}", "has_truth_boxes": a == "human"} for n, a in answers.items()))
    human = [{"image": f"d/{name}", "category": "animal"} for name, answer in answers.items() if answer == "human"]
    told = {name: answer for name, answer in answers.items() if answer not in ("human", None)}
    given = [
        {"image": f"d/{name}", "boxes": answer if isinstance(answer, list) else None}
        | {"failure": None if isinstance(answer, list) else answer}
        for name, answer in told.items()
    ]
    return queried, sort_out(queried, rows(BOXES, *human), read(*given))


def read(*given):
    """Make what `recorded.read` gives."""
    kind = RECORDED.schema.field("boxes").type
    boxes = pd.Series(pa.array([row["boxes"] for row in given], kind), dtype=pd.ArrowDtype(kind))
    return rows(RECORDED, *given).assign(version="v5", boxes=boxes)[["image", "version", "failure", "note", "boxes"]]


def found(version="motion", **answers):
    """Make what `detect` gives."""
    given = [answer.row(f"d/{name}", "d", name) | {"version": version} for name, answer in answers.items()]
    return pa.Table.from_pylist(given, schema=RECORDED.schema.append(pa.field("version", pa.string())))


def gathered(known, answers, params=PARAMS, curves=None):
    return gather(*known, answers, params, curves or {})


def reasons(result):
    table = result.failures
    rows_of = zip(table["image"], table["kind"], table["reason"], strict=True)
    return {image.removeprefix("d/"): (kind, reason) for image, kind, reason in rows_of}


def answered(table):
    """Give the answers in a table of `detect` by image."""
    return {
        row["image"]: Answer([Box(**box) for box in row["boxes"] or []], row["note"], row["failure"])
        for row in table.to_pylist()
    }


def place(folder, num=6, animal_at=2):
    """Draw photos of a place, an animal in one of them, and write the rows of the catalog."""
    ground = np.kron(np.random.default_rng(0).uniform(60, 160, (30, 40)), np.ones((8, 8)))
    for number in range(num):
        pixels = ground + np.random.default_rng(number).normal(0, 3, ground.shape)
        if number == animal_at:
            pixels[100:140, 100:160] = 230
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / f"{number}.png")
    files = [f"{number}.png" for number in range(num)]
    times = pd.date_range("2024-01-01", periods=num, freq="1h")
    photos = pd.DataFrame({"file": files, "datetime": times, "sequence": None, "dataset": "d", "place": "p"})
    return photos.assign(image="d/" + photos["file"])


@pytest.fixture
def one_process(monkeypatch):
    monkeypatch.setenv("CAMTRAPS_WORKERS", "1")


@pytest.fixture
def looked(monkeypatch):
    """Note how many photos of each place motion looks at."""
    numbers, detect_place = [], detecting._detect_place

    def counted(payload, folder):
        numbers.append(len(payload["wanted"]))
        return detect_place(payload, folder)

    monkeypatch.setattr(detecting, "_detect_place", counted)
    return numbers


@pytest.fixture
def collection(tmp_path):
    """A collection of photos a to f, which are not there."""
    make.database(tmp_path / "catalog", *(make.row(f"d/{name}") for name in "abcdef"))
    (tmp_path / "datasets.csv").write_text(
        "dataset,images,photos,photos_digest,source,source_digest\nd,images,6,,,\n", encoding="utf-8"
    )
    return tmp_path


@pytest.fixture
def local(monkeypatch):
    """A detector on this machine that looks at two photos together; a photo's box says how often it has run."""
    runs = []

    def look(photos, params, keep):
        runs.append(photos["file"].tolist())
        for at in range(0, len(photos), 2):
            some = photos[at : at + 2]
            answer = Answer([Box(0, 0, 0.5, 0.5, len(runs) / 100, "person")])
            keep([answer.row(row.image, row.dataset, row.file) for row in some.itertuples()])

    monkeypatch.setattr(megadetector, "version", lambda params: "md")
    monkeypatch.setattr(megadetector, "detect", look)
    return runs


def test_the_boxes_of_all_sources_stand_in_one_table():
    result = gathered(sources(a="human", b=[BOX], c=None), found(c=Answer([Box(0.5, 0.5, 0.1, 0.1, 0.8)])))
    assert dict(zip(result.detections["image"], result.detections["detector"], strict=True)) == {
        "d/a": "human", "d/b": "v5", "d/c": "motion",
    }  # fmt: skip
    assert result.details["photos_by_source"] == {"human": 1, "motion": 1, "v5": 1}
    assert set(result.detections.columns) == set(DETECTIONS.schema.names)


def test_all_categories_are_kept_and_counted():
    boxes = [BOX | {"category": category} for category in ("person", "animal", "vehicle", "group", "animal")]
    result = gathered(sources(a=boxes), None)
    assert result.details["boxes_by_category"] == {"animal": 2, "group": 1, "person": 1, "vehicle": 1}


def test_repeats_are_flagged_and_counted():
    queried, known = sources(**{name: [BOX] for name in "abc"}, d=[BOX | {"x": 0.6}])
    queried = queried.assign(location="007", sequence=queried["image"])
    result = gather(queried, known, None, detect_params(repeat_sequences=3), {})
    assert result.details["repeats"] == {"boxes": 3, "groups": 1}
    assert result.detections["repeat"].fillna(-1).tolist() == [0, 0, 0, -1]


def test_boxes_of_a_calibrated_detector_have_their_chance_to_be_right():
    curves = {"v5": calibration.Curve(np.array([0.0, 1.0]), np.array([0.0, 0.5]))}
    result = gathered(sources(a="human", b=[BOX]), None, curves=curves)
    chances = result.detections.set_index("image")["calibrated"]
    assert chances["d/b"] == pytest.approx(0.45)
    assert np.isnan(chances["d/a"])


def test_a_photo_without_a_box_has_its_reason():
    answers = found(a=Answer([Box(0.5, 0.5, 0.1, 0.1, 0.29)]), b=NOTHING_MOVED, c=Answer([]))
    result = gathered(sources(a=None, b=None, c=None, d=[BOX | {"confidence": 0.1}], e=[]), answers)
    assert reasons(result) == {
        "a": ("skipped", "without detection: all below detect.threshold"),
        "b": ("skipped", "without detection: nothing moved"),
        "c": ("skipped", "without detection"),
        "d": ("skipped", "without detection: all below detect.threshold"),
        "e": ("skipped", "without detection"),
    }


def test_a_photo_that_a_person_found_empty_is_skipped_whatever_a_detector_says():
    queried, known = sources(a="human")
    result = gather(queried, sort_out(queried, rows(BOXES), read()), None, PARAMS, {})
    assert reasons(result) == {"a": ("skipped", "without detection")}
    assert len(known.human) == 1


def test_a_photo_that_the_detector_cannot_read_is_failed():  # D5
    result = gathered(sources(a="image access failure"), found(a=Answer([], failure="photo not found")))
    assert reasons(result) == {"a": ("failed", "photo not found")}


def test_a_recorded_failure_that_the_detector_answers_is_none():  # D5
    result = gathered(sources(a="image access failure"), found(a=Answer([Box(0, 0, 1, 1, 0.9)])))
    assert (reasons(result), result.detections["image"].tolist()) == ({}, ["d/a"])


def test_without_a_detector_recorded_failures_are_failed_and_the_rest_is_skipped():  # D5
    assert reasons(gathered(sources(a="image access failure", b=None), None)) == {
        "a": ("failed", "no detector was run; recorded: image access failure"),
        "b": ("skipped", "no detector was run; recorded: nothing"),
    }


def test_counts_add_up_over_photos():
    counts = gathered(sources(a="human", b=[BOX, BOX], c=[], d="broken", e=None), None).counts
    assert (counts.unit, counts.rows_in, counts.rows_out, counts.skipped, counts.failed) == ("photos", 5, 2, 2, 1)


@pytest.mark.parametrize("answers", [{}, {"a": "human"}, {"a": [BOX]}, {"a": []}, {"a": None}])
def test_the_table_can_be_written_whatever_sources_there_are(tmp_path, answers):
    known = sources(**answers)
    result = gathered(known, None)
    tables.write(result.detections, tmp_path / "detections.parquet", DETECTIONS)
    assert len(result.detections) + len(result.failures) == len(known[0])


def test_motion_answers_for_each_wanted_photo(tmp_path, one_process):
    answers = answered(detect_motion(place(tmp_path), {"d/2.png", "d/3.png"}, Images({"d": str(tmp_path)})))
    (box,) = answers["d/2.png"].boxes
    assert box.x == pytest.approx(100 / 320, abs=0.03)
    assert box.w == pytest.approx(60 / 320, abs=0.05)
    assert answers == {"d/2.png": Answer([box]), "d/3.png": NOTHING_MOVED}


def test_a_photo_that_is_gone_fails_and_the_rest_of_its_place_is_done(tmp_path, one_process):
    photos = place(tmp_path, num=7)
    (tmp_path / "6.png").unlink()
    answers = answered(detect_motion(photos, {"d/2.png", "d/6.png"}, Images({"d": str(tmp_path)})))
    assert answers["d/6.png"] == Answer([], failure="photo not found")
    assert len(answers["d/2.png"].boxes) == 1


def test_a_place_is_not_looked_at_again_until_a_photo_of_it_changes(tmp_path, one_process, looked):
    photos, images = place(tmp_path), Images({"d": str(tmp_path)})
    first = detect_motion(photos, {"d/2.png"}, images)
    assert detect_motion(photos, {"d/2.png"}, images) == first
    assert looked == [1]
    Image.new("L", (320, 240), 10).save(tmp_path / "2.png")
    assert detect_motion(photos, {"d/2.png"}, images) != first
    assert looked == [1, 1]


def test_a_line_of_code_looks_at_every_place_again(tmp_path, one_process, looked, monkeypatch):
    photos, images = place(tmp_path), Images({"d": str(tmp_path)})
    detect_motion(photos, {"d/2.png"}, images)
    monkeypatch.setattr(detecting, "code_digest", lambda modules: "of the next version")
    detect_motion(photos, {"d/2.png"}, images)
    assert looked == [1, 1]


def test_other_wanted_photos_of_a_place_are_the_only_ones_to_be_looked_at(tmp_path, one_process, looked):
    photos, images = place(tmp_path), Images({"d": str(tmp_path)})
    detect_motion(photos, {"d/1.png", "d/2.png"}, images)
    more = detect_motion(photos, {"d/2.png", "d/3.png", "d/4.png"}, images)
    assert looked == [2, 2]
    detect_motion(photos, {"d/1.png", "d/4.png"}, images)
    assert looked == [2, 2]
    fresh = motion.detect(
        [
            motion.Photo(image, f"{tmp_path}/{file}", None, time.timestamp())
            for image, file, time in zip(photos["image"], photos["file"], photos["datetime"], strict=True)
        ],
        {"d/2.png", "d/3.png", "d/4.png"},
    )
    assert answered(more) == fresh


def test_motion_is_killed_at_a_place_and_goes_on_with_it(tmp_path, one_process, monkeypatch, looked):
    images, parts = Images({"d": str(tmp_path)}), []
    for name in "ab":
        (tmp_path / name).mkdir()
        part = place(tmp_path / name).assign(place=name)
        parts.append(part.assign(file=f"{name}/" + part["file"], image=f"d/{name}/" + part["file"]))
    photos, counted = pd.concat(parts), detecting._detect_place

    def killed(payload, folder):
        if "d/b/2.png" in payload["wanted"]:
            raise KeyboardInterrupt
        return counted(payload, folder)

    wanted = {"d/a/2.png", "d/b/2.png"}
    monkeypatch.setattr(detecting, "_detect_place", killed)
    with pytest.raises(KeyboardInterrupt):
        detect_motion(photos, wanted, images)
    monkeypatch.setattr(detecting, "_detect_place", counted)
    answers = answered(detect_motion(photos, wanted, images))
    assert looked == [1, 1]
    assert [len(answers[image].boxes) for image in sorted(wanted)] == [1, 1]


def test_a_remote_photo_that_failed_is_tried_again(tmp_path, one_process):
    photos, images = place(tmp_path), Images({"d": f"memory://{tmp_path.name}"})
    for name in photos["file"].drop(2):
        with fsspec.open(f"{images.roots['d']}/{name}", "wb") as file:
            file.write((tmp_path / name).read_bytes())
    first = answered(detect_motion(photos, {"d/2.png"}, images))
    assert first == {"d/2.png": Answer([], failure="photo not found")}
    with fsspec.open(f"{images.roots['d']}/2.png", "wb") as file:
        file.write((tmp_path / "2.png").read_bytes())
    assert len(answered(detect_motion(photos, {"d/2.png"}, images))["d/2.png"].boxes) == 1


@pytest.fixture
def failing(monkeypatch):
    """Have photos fail that are named in a list, for a reason that may pass."""
    names, ahead = [], reading.ahead

    def read(uris):
        paths = [uri.removeprefix("https://host").partition("?")[0] for uri in uris]
        for path, data in zip(paths, ahead(paths), strict=True):
            yield PhotoError("photo not readable: timed out") if path[-5:] in names else data

    monkeypatch.setattr(reading, "ahead", read)
    return names


@pytest.mark.parametrize("root", ["", "https://host"])
@pytest.mark.parametrize(
    ("gone", "reason"), [("012", "too few photos of this place in this light (3, need 4)"), ("5", "")]
)
def test_an_answer_for_want_of_photos_that_could_not_be_read_is_none_for_the_next_run(
    tmp_path, one_process, looked, failing, root, gone, reason
):
    photos, images = place(tmp_path, num=7, animal_at=3), Images({"d": f"{root}{tmp_path}"})
    failing += [f"{number}.png" for number in gone]
    during = answered(detect_motion(photos, {"d/3.png"}, images))["d/3.png"]
    assert (during.note or "") == reason
    failing.clear()
    (box,) = answered(detect_motion(photos, {"d/3.png"}, images))["d/3.png"].boxes
    assert box.x == pytest.approx(100 / 320, abs=0.03)
    detect_motion(photos, {"d/3.png"}, images)
    assert looked == [1, 1]


def test_a_local_photo_that_could_not_be_read_is_tried_again(tmp_path, one_process, failing):
    photos, images = place(tmp_path), Images({"d": str(tmp_path)})
    failing.append("2.png")
    during = answered(detect_motion(photos, {"d/2.png"}, images))
    assert during == {"d/2.png": Answer([], failure="photo not readable: timed out")}
    failing.clear()
    assert len(answered(detect_motion(photos, {"d/2.png"}, images))["d/2.png"].boxes) == 1


def test_a_new_key_in_the_web_address_asks_nothing_again(tmp_path, one_process, looked, failing):
    for key in "ab":
        detect_motion(place(tmp_path), {"d/2.png"}, Images({"d": f"https://host{tmp_path}?{key}"}))
    assert looked == [1]


def test_answers_are_made_again_when_code_that_makes_them_changes():
    behind = closure(ROOT / "camtraps/detectors/motion.py") - REFUSERS | {"camtraps/detectors/motion.py"}
    made_by = {path for path in behind if path.startswith("camtraps/detectors/") and "__init__" not in path}
    made_by |= behind & {"camtraps/images.py"}
    assert made_by == {name.replace(".", "/") + ".py" for name in detecting.CODE}


def test_a_local_detector_is_driven_by_the_pipeline(collection, local):  # D10
    answers = detect({"d/a", "d/c"}, collection, LOCAL)
    assert local == [["a", "c"]]
    box = Box(0, 0, 0.5, 0.5, 0.01, "person")
    assert answered(answers) == {"d/a": Answer([box]), "d/c": Answer([box])}
    result = gather(*sources(a=None, c=None), answers, detect_params(detector="megadetector", threshold=0.0), {})
    assert result.details["photos_by_source"] == {"md": 2}


def test_a_detector_is_asked_only_for_what_it_has_not_answered(collection, local):
    first = detect({"d/a", "d/b"}, collection, LOCAL)
    more = detect({"d/a", "d/b", "d/c"}, collection, LOCAL)
    assert detect({"d/a", "d/b"}, collection, LOCAL) == first
    assert local == [["a", "b"], ["c"]]
    assert more["image"].to_pylist() == ["d/a", "d/b", "d/c"]


def test_a_photo_that_changes_is_asked_for_again(collection, local):
    detect({"d/a", "d/b"}, collection, LOCAL)
    (collection / "images").mkdir()
    (collection / "images" / "a").write_bytes(b"new")
    detect({"d/a", "d/b"}, collection, LOCAL)
    assert local == [["a", "b"], ["a"]]


def test_a_detector_that_is_killed_is_asked_only_for_the_rest(collection, local, monkeypatch):
    look = megadetector.detect

    def killed(photos, params, keep):
        kept = []

        def keep_two(answers):
            keep(answers)
            kept.append(answers)
            if len(kept) == 2:
                raise KeyboardInterrupt

        look(photos, params, keep_two)

    wanted = {f"d/{name}" for name in "abcdef"}
    monkeypatch.setattr(megadetector, "detect", killed)
    with pytest.raises(KeyboardInterrupt):
        detect(wanted, collection, LOCAL)
    monkeypatch.setattr(megadetector, "detect", look)
    answers = answered(detect(wanted, collection, LOCAL))
    assert local == [["a", "b", "c", "d", "e", "f"], ["e", "f"]]
    assert [answers[f"d/{name}"].boxes[0].confidence for name in "adef"] == [0.01, 0.01, 0.02, 0.02]


def test_what_answers_are_made_with_besides_the_model_asks_for_everything_again(collection, local, monkeypatch):
    detect({"d/a"}, collection, LOCAL)
    monkeypatch.setattr("PIL.__version__", "0.0")
    detect({"d/a"}, collection, LOCAL)
    monkeypatch.setattr(megadetector, "CODE", megadetector.CODE[:1])
    detect({"d/a"}, collection, LOCAL)
    package = [SimpleNamespace(version="0.0")]
    monkeypatch.setattr(megadetector.metadata, "distributions", lambda name: package * (name == "megadetector"))
    detect({"d/a"}, collection, LOCAL)
    assert local == [["a"]] * 4


def test_a_failure_of_the_model_is_no_answer_for_the_next_run_but_that_of_a_photo_is(collection, monkeypatch):
    asked = []

    def look(photos, params, keep):
        asked.append(photos["file"].tolist())
        reasons = {"a": "model failed: CUDA out of memory", "b": "photo cannot be decoded: broken"}
        keep([Answer([], failure=reasons[row.file]).row(row.image, "d", row.file) for row in photos.itertuples()])

    monkeypatch.setattr(megadetector, "version", lambda params: "md")
    monkeypatch.setattr(megadetector, "detect", look)
    first = detect({"d/a", "d/b"}, collection, LOCAL)
    assert detect({"d/a", "d/b"}, collection, LOCAL) == first
    assert asked == [["a", "b"], ["a"]]


def test_a_new_version_of_a_detector_is_asked_for_everything(collection, local, monkeypatch):
    detect({"d/a"}, collection, LOCAL)
    monkeypatch.setattr(megadetector, "version", lambda params: "md2")
    assert detect({"d/a"}, collection, LOCAL)["version"].to_pylist() == ["md2"]
    assert local == [["a"], ["a"]]


def test_a_failure_to_read_a_photo_from_elsewhere_is_no_answer_for_the_next_run(collection, monkeypatch):
    (collection / "datasets.csv").write_text(
        "dataset,images,photos,photos_digest,source,source_digest\nd,memory://x,6,,,\n", encoding="utf-8"
    )
    asked = []

    def look(photos, params, keep):
        asked.append(photos["file"].tolist())
        keep([Answer([], failure="timed out").row("d/a", "d", "a")])
        keep([Answer([]).row(row.image, "d", row.file) for row in photos[1:].itertuples()])

    monkeypatch.setattr(megadetector, "version", lambda params: "md")
    monkeypatch.setattr(megadetector, "detect", look)
    first = detect({"d/a", "d/b"}, collection, LOCAL)
    assert answered(first) == {"d/a": Answer([], failure="timed out"), "d/b": Answer([])}
    assert detect({"d/a", "d/b"}, collection, LOCAL) == first
    assert asked == [["a", "b"], ["a"]]


def recorded(folder, version="motion"):
    return answered(tables.read_arrow(folder / "detections" / version / "d.parquet", RECORDED))


def test_answers_are_recorded_beside_what_is_there(tmp_path):
    box = Box(0, 0, 1, 1, 0.9)
    record(tmp_path, found(b=Answer([box]), c=Answer([], failure="timed out")))
    (path,) = record(tmp_path, found(c=Answer([box]), a=NOTHING_MOVED))
    assert path == tmp_path / "detections" / "motion" / "d.parquet"
    assert recorded(tmp_path) == {"d/a": NOTHING_MOVED, "d/b": Answer([box]), "d/c": Answer([box])}


def test_answers_are_recorded_beside_those_that_an_import_wrote(tmp_path):
    (path,) = record(tmp_path, found(b=NOTHING_MOVED))
    with duckdb.connect() as database:
        rows = database.read_parquet(str(path)).to_arrow_table()
        database.register("given", rows)
        tables.write_query(database, "from given", path, RECORDED)
    record(tmp_path, found(a=NOTHING_MOVED))
    assert recorded(tmp_path) == {"d/a": NOTHING_MOVED, "d/b": NOTHING_MOVED}
    assert len(rows) == 1


def test_a_failure_does_not_take_the_place_of_a_recorded_answer(tmp_path):
    record(tmp_path, found(a=Answer([]), b=Answer([], failure="old")))
    record(tmp_path, found(a=Answer([], failure="new"), b=Answer([], failure="new")))
    assert recorded(tmp_path) == {"d/a": Answer([]), "d/b": Answer([], failure="new")}
