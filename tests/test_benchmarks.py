import json
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
from imports import ROOT
from PIL import Image

from benchmarks import (
    ancestor_crop,
    ancestor_query,
    classify,
    crop,
    generated,
    generated_photos,
    merging,
    pages,
    predictions,
    query,
    split,
    train,
)
from camtraps import catalog, layout, regions, tables
from camtraps.formats import coco, rows
from camtraps.schema import BOXES, QUERIED


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return generated.write_project(tmp_path_factory.mktemp("made") / "project", 600)


@pytest.fixture
def generated_here(monkeypatch):
    """Generate in this process, which is quicker."""

    def generate(what, folder, photos):
        return getattr(generated, f"write_{what}")(folder, photos)

    monkeypatch.setattr(query, "generate", generate)


def bytes_of(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_project_is_the_same_bytes_for_the_same_size_and_seed(project, tmp_path):
    assert bytes_of(generated.write_project(tmp_path / "again", 600)) == bytes_of(project)


def test_another_seed_gives_other_photos():
    one, other = (generated.plan(600, seed=seed)[0] for seed in (1, 2))
    assert one.num_photos == other.num_photos
    assert one.labels != other.labels


def test_what_is_there_is_kept(project):
    path = project / "data" / "bench" / "taxonomy.csv"
    before = path.stat().st_mtime_ns
    generated.write_project(project, 600)
    assert path.stat().st_mtime_ns == before


def test_the_collection_has_the_planned_photos_and_labels(project):
    database = catalog.connect(project / "data" / "bench" / "catalog")
    photos, datasets = database.execute("select count(*), count(distinct dataset) from photos").fetchall()[0]
    plan = generated.plan(600)
    assert (photos, datasets, sum(len(each.labels) for each in plan)) == (600, 50, 1000)
    assert len({label for each in plan for label in each.labels}) > 300
    assert len(json.loads((project / "data" / "bench" / "label_spec.json").read_text())) == 60


def test_photos_are_skewed_as_the_module_says():
    dataset = generated.plan(50_000)[0]
    photos = generated.catalog_rows(dataset, np.random.default_rng(1)).to_pylist()
    number = len(photos)
    assert [photo["file"] for photo in photos] == sorted(photo["file"] for photo in photos)
    assert sum(photo["labels"][0]["class"] == "empty" for photo in photos) / number == pytest.approx(0.45, abs=0.03)
    assert sum(len(photo["labels"]) == 2 for photo in photos) / number == pytest.approx(0.02, abs=0.005)
    assert sum(bool(photo["boxes"]) for photo in photos) / number == pytest.approx(0.2, abs=0.02)


def test_a_dataset_with_random_names_is_sorted_too():
    dataset = generated.plan(20_000)[4]
    files = generated.catalog_rows(dataset, np.random.default_rng(1))["file"].to_pylist()
    assert dataset.has_random_names
    assert files == sorted(files)
    assert len(files[0]) == len("ab/") + 32 + len(".jpg")


def test_a_cct_file_has_no_fault_and_names_all_its_photos(tmp_path):
    given = list(coco.read(generated.write_cct(tmp_path / "cct", 300) / "cct.json"))
    photos = {each.key for each in given if isinstance(each, rows.Photo)}
    annotations = [each for each in given if isinstance(each, rows.Annotation)]
    categories = {each.id for each in given if isinstance(each, rows.Category)}
    assert len(photos) == 300
    assert {each.photo for each in annotations} == photos
    assert {each.name for each in annotations} <= categories
    assert len(given) == len(photos) + len(annotations) + len(categories)


def test_queried_photos_are_tables_of_this_version(tmp_path):
    folder = generated.write_queried(tmp_path / "chosen", 300) / layout.QUERIED
    photos, boxes = tables.read(folder / "queried.parquet", QUERIED), tables.read(folder / "boxes.parquet", BOXES)
    assert len(photos) == 300
    assert photos["image"].is_monotonic_increasing
    assert (boxes.groupby("image")["box"].max() + 1 == boxes.groupby("image").size()).all()
    assert set(boxes["image"]) < set(photos["image"][photos["has_truth_boxes"]])


def test_the_specification_has_caps_priorities_and_excludes(project):
    rules = json.loads((project / "data" / "bench" / "label_spec.json").read_text()).values()
    assert [sum(key in rule for rule in rules) for key in ("max_count", "prioritize", "dataset_labels")] == [30, 15, 5]
    assert any("exclude" in rule for rule in rules)


def test_the_ancestor_fills_a_cap_from_its_preferred_datasets_first():
    images = {f"{name}/{at}": {"dataset": name, "label": ["deer"]} for name in ("a", "b") for at in range(4)}
    chosen = ancestor_query.sample(images, {"deer": {"max_count": 5, "prioritize": [["b"]]}})
    assert len(chosen) == 5
    assert {f"b/{at}" for at in range(4)} <= chosen


def test_a_photo_with_two_wanted_classes_is_dropped_and_a_corrected_one_counts_as_corrected():
    photos = [
        {"dataset": "a", "file": str(at), "location": None, "image_class": classes, "seq_class": ["fox"], "bbox": None}
        for at, classes in enumerate((["deer"], ["deer", "fox"], [], ["stone"]))
    ]
    resolved = {"D": {("a", "deer")}, "F": {("a", "fox")}}
    images = ancestor_query.wanted_images(photos, resolved, {("a", "0"): "fox", ("a", "3"): ""})
    assert {key: image["label"] for key, image in images.items()} == {"a/0": ["F"], "a/2": ["F"]}


@pytest.mark.usefixtures("generated_here")
def test_the_ancestor_finds_the_photos_that_the_stage_finds(tmp_path):
    values = query.measure_ancestor(tmp_path, 600, repeats=1)  # ends the process where they differ
    assert values["ratio_vs_ancestor_1k"] > 0
    assert pq.read_metadata(tmp_path / "project-1k/data/queried/queried.parquet").num_rows > 0


def test_other_photos_than_the_ancestors_are_no_comparison():
    with pytest.raises(SystemExit, match=r"before sampling\ndeer: 1, the ancestor 0\nfox: 0, the ancestor 2$"):
        query._check_same({"deer": 1, "cow": 3}, {"fox": 2, "cow": 3})


@pytest.mark.usefixtures("generated_here")
def test_the_query_part_names_its_size(tmp_path):
    values = query.measure_query(tmp_path, 1000)
    assert set(values) == {"query_1k_seconds", "query_1k_peak_gb", "query_1k_chosen"}
    assert values["query_1k_chosen"] > 100


@pytest.mark.usefixtures("generated_here")
def test_the_import_part_brings_every_photo_in(tmp_path):
    assert query.measure_import(tmp_path, 5000)["import_cct_500_photos"] == 500


@pytest.mark.usefixtures("generated_here")
def test_the_export_part_writes_every_chosen_photo(tmp_path):
    query.measure_export(tmp_path, 2000)
    assert len(json.loads((tmp_path / "queried-200/queried_images.json").read_text())) == 200


def test_the_memory_of_a_command_is_measured(tmp_path):
    # From a process of its own, since a child's peak counts from the memory of its parent.
    code = (
        "import sys; from pathlib import Path; from benchmarks import query; "
        "run = query.measure([sys.executable, '-c', 'print(len(bytearray(200_000_000)))'], Path(sys.argv[1])); "
        "print(run.output.strip(), 0.2 < run.peak_gb < 0.3)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "200000000 True\n"


def test_a_command_that_fails_ends_the_measuring(tmp_path):
    with pytest.raises(SystemExit, match="ended with 3\nhalf\n"):
        query.measure([sys.executable, "-c", "print('half'); raise SystemExit(3)"], tmp_path)


@pytest.mark.parametrize(("photos", "written"), [(10_000_000, "10m"), (300_000, "300k"), (1234, "1234"), (0, "0")])
def test_sizes_are_written_as_people_do(photos, written):
    assert query.short(photos) == written


def test_the_collection_can_be_generated_alone(tmp_path):
    query.main(["generate", "--photos", "300", "--folder", str(tmp_path / "project")])
    assert len(list((tmp_path / "project/data/bench/catalog").glob("*.parquet"))) == 50


def test_a_trial_leaves_the_results_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(query, "RESULTS", tmp_path / "query.json")
    monkeypatch.setattr(query, "PARTS", {"query": lambda folder, photos: {"seconds": 1.5}})
    query.main(["--photos", "10", "--folder", str(tmp_path)])
    assert not query.RESULTS.exists()
    query.main(["--folder", str(tmp_path)])
    assert json.loads(query.RESULTS.read_text())["seconds"] == 1.5
    assert "seconds" in capsys.readouterr().out


def test_generated_photos_compress_as_those_of_cameras_do(tmp_path):
    paths = generated_photos.write_photos(tmp_path / "photos", 4, (1024, 768))
    sizes = [path.stat().st_size for path in paths]
    assert all(0.15 < size / (1024 * 768) < 0.6 for size in sizes)  # bytes a pixel
    assert len({path.read_bytes() for path in paths}) == 4
    with Image.open(paths[0]) as image:
        pixels = np.asarray(image.convert("L"), float)
    beside, far = (np.abs(pixels[:, by:] - pixels[:, :-by]).mean() for by in (1, 64))
    assert beside < far / 2


def test_a_photo_keeps_its_box_when_others_are_added():
    few, more = (generated_photos.boxes_table([f"{at}.jpg" for at in range(num)], ["1"] * num) for num in (3, 9))
    assert more[:3].equals(few)
    assert ((more[[*"xy"]].to_numpy() + more[[*"wh"]].to_numpy()) <= 1).all()


def test_the_generated_results_have_five_boxes_for_two_photos(tmp_path):
    written = json.loads((generated.write_detections(tmp_path / "made", 400) / "md.json").read_text())
    assert len({each["file"] for each in written["images"]}) == 400
    assert sum(len(each["detections"]) for each in written["images"]) == 1000


@pytest.mark.parametrize(
    ("box", "expected"),
    [((0.95, 0.2, 0.05, 0.25), (875, 160, 1075, 360)), ((0.0, 0.2, 0.05, 0.25), (0, 160, 200, 360))],
)
def test_the_ancestors_squares_leave_the_photo_at_the_right_but_not_at_the_left(box, expected):
    assert ancestor_crop.square(box, (1000, 800)) == expected


def test_the_ancestor_writes_a_file_for_each_crop_and_no_file_twice(tmp_path):
    (tmp_path / "photos/1").mkdir(parents=True)
    Image.new("RGB", (100, 80)).save(tmp_path / "photos/1/a.jpg")
    photos = [ancestor_crop.Photo("1/a.jpg", ((0.1, 0.1, 0.2, 0.2), (0.0, 0.0, 1.0, 0.5), (0.5, 0.5, 0.001, 0.001)))]
    assert [ancestor_crop.cut_all(photos, tmp_path / "photos", tmp_path / "crops", 2) for _ in range(2)] == [2, 0]
    sizes = {}
    for path in (tmp_path / "crops/1").iterdir():
        with Image.open(path) as image:
            sizes[path.name] = image.size
    assert sizes == {"a.jpg___crop00.jpg": (20, 20), "a.jpg___crop01.jpg": (100, 100)}


@pytest.mark.skipif(regions.decoder() is None, reason="the floor needs nvidia-nvimgcodec")
def test_the_crop_benchmark_can_be_tried_out(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CAMTRAPS_WORKERS", "1")
    monkeypatch.setattr(crop, "RESULTS", tmp_path / "crop.json")
    crop.main(["--small", "--folder", str(tmp_path)])
    table = capsys.readouterr().out.partition("\n\n")[0]
    said = dict(line.split(maxsplit=1) for line in table.splitlines())
    wanted = {"ratio_vs_ancestor", "share_of_floor", "import_1k_seconds", "import_1k_peak_gb", "incremental_seconds"}
    assert wanted < set(said)
    assert int(said["incremental_shards"]) == 1
    assert int(said["incremental_of_shards"]) > 30
    assert list(tmp_path.glob("camtraps-bench-*")) == []
    assert not crop.RESULTS.exists()


def test_the_benchmark_of_predictions_can_be_tried_out(tmp_path, capsys):
    predictions.main(["--small", "--folder", str(tmp_path)])
    table = capsys.readouterr().out.partition("\n\n")[0]
    said = {line.split()[0] for line in table.splitlines()}
    assert said > {"predictions_2k_seconds", "predictions_2k_gb", "predictions_2k_read_seconds", "confusion_30_seconds"}
    assert list(tmp_path.iterdir()) == []


def test_merging_is_measured_with_the_memory_that_it_takes(tmp_path):
    values = merging.measure_merge(tmp_path, merging.SMALL)
    assert set(values) == {f"merge_2k_{name}" for name in ("load_seconds", "seconds", "peak_gb", "gb")}
    assert 0 < values["merge_2k_peak_gb"] < 1


def test_the_split_is_measured_beside_random_tries(tmp_path):
    values = split.measure_split(tmp_path, split.SMALL)
    assert list(values) == [
        "split_seconds", "split_mean_deviation", "split_random_seconds", "split_random_mean_deviation",
    ]  # fmt: skip
    assert 0 < values["split_mean_deviation"] <= values["split_random_mean_deviation"] < 0.3


def test_labels_of_the_measured_split_are_at_some_locations_each():
    crops = split.crops_table(split.SMALL)
    places = crops.groupby("label")["location"].nunique()
    assert len(crops) == 1000
    assert places.between(3, 29).all()


def test_the_benchmark_of_training_can_be_tried_out(tmp_path, capsys):
    train.main(["--small", "--folder", str(tmp_path), "--part", "learning"])
    said = {line.split()[0] for line in capsys.readouterr().out.splitlines() if line and not line.startswith(" ")}
    assert said >= {"train_ratio_vs_ancestor", "inference_ratio_vs_ancestor", "train_share_of_compute"}
    assert list(tmp_path.iterdir()) == []


def test_the_stage_report_is_measured_on_a_drawn_run(tmp_path):
    values = pages.measure(tmp_path, num_crops=60, num_classes=3, num_locations=8, num_candidates=5)
    assert values["crops"] == 60
    assert values["report_seconds"] > 0
    assert {f"{name}_mb" for name in ("index", "data", "evaluation", "model", "review")} <= set(values)


def test_the_benchmark_of_classify_can_be_tried_out(tmp_path, capfd):
    classify.main(["--small", "--folder", str(tmp_path), "--part", "memory"])
    said = {line.split()[0]: line.split()[1] for line in capfd.readouterr().out.splitlines() if line.startswith("mem")}
    assert float(said["memory_growth"]) < 2
    assert list(tmp_path.iterdir()) == []
