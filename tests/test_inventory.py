from datetime import datetime

import make
import pandas as pd
import pytest
from make_tables import rows as filled

from camtraps import inventory, tables
from camtraps.errors import InputError, MissingError
from camtraps.parts import Part
from camtraps.schema import RECORDED
from camtraps.storage import Images
from camtraps.taxonomy import fold

EVERYTHING = Part()
DEER_BOX = {"category": "animal", "class": "Deer", **make.BOX}
GROUP_BOX = {"category": "group", "class": None, **make.BOX}


def rows(frame):
    """The rows of a table as tuples, None for nothing."""
    return [tuple(None if value != value else value for value in row) for row in frame.itertuples(index=False)]


def in_sequence(row, sequence):
    return row | {"sequence": sequence}


@pytest.fixture
def photos(tmp_path):
    """Two datasets: labels of images and of sequences, a class in three spellings, a photo without any."""
    boxes, spring, winter = [DEER_BOX, GROUP_BOX], datetime(2024, 4, 1, 5), datetime(2023, 1, 2)
    return make.database(
        tmp_path / "catalog",
        in_sequence(make.row("a/x.JPG", "Deer", "fox", sequence=("cow",), boxes=boxes, location="007"), "s1"),
        in_sequence(make.row("a/y.jpg", sequence=("deer ", "cow"), boxes=[], location="NA", corrupt=True), "s1"),
        make.row("b/v.png"),
        make.row("b/w", "deer", location="007", datetime=winter),
        make.row("b/x.jpg", "fox", location="007", datetime=spring),
    )


def test_a_dataset_is_summed_up(photos):
    datasets = inventory.summary(photos).datasets.set_index("dataset")
    assert dict(datasets.loc["a"].dropna()) == {
        "photos": 2,
        "image_level": 1,
        "sequence_level": 1,
        "unlabelled": 0,
        "boxed": 1,
        "confirmed_empty": 1,
        "locations": 2,
        "unlocated": 0,
        "sequences": 1,
        "untimed": 2,
        "corrupt": 1,
        "classes": 3,
        "boxes_animal": 1,
        "boxes_person": 0,
        "boxes_vehicle": 0,
        "boxes_group": 1,
        "formats": "jpg 2",
    }


def test_a_summary_has_the_first_and_last_date_and_the_extensions(photos):
    datasets = inventory.summary(photos).datasets.set_index("dataset")
    assert list(datasets.loc["b", ["first", "last", "formats"]]) == ["2023-01-02", "2024-04-01", "jpg 1, none 1, png 1"]


def test_a_class_of_two_datasets_counts_once_in_the_total(photos):
    total = inventory.summary(photos).total
    wanted = {"photos": 5, "classes": 3, "locations": 3, "unlabelled": 1, "first": "2023-01-02", "last": "2024-04-01"}
    assert {name: total[name] for name in wanted} == wanted


def test_a_category_of_its_own_is_counted(tmp_path):
    database = make.database(tmp_path, make.row("a/x.jpg", boxes=[{**DEER_BOX, "category": "drone"}]))
    assert inventory.summary(database).total["boxes_drone"] == 1


def test_labels_of_the_image_win_over_those_of_its_sequence(photos):
    counts = inventory.labels(photos, EVERYTHING)
    columns = ["class", "photos", "image_level", "sequence_level", "boxes", "locations", "datasets"]
    assert rows(counts[columns]) == [("Deer", 3, 2, 1, 1, 3, 2), ("fox", 2, 2, 0, 0, 2, 2), ("cow", 1, 0, 1, 0, 1, 1)]


@pytest.mark.parametrize("spellings", [("Deer", "\u00a0deer\t"), ("ΟΔΟΣ", "Οδος"), ("İ", "i\u0307"), ("a|b", " A|B ")])
def test_spellings_are_one_class_where_python_says_so(tmp_path, spellings):
    # SQL's lower() and trim() would keep the first three pairs apart.
    box = {"category": "animal", "class": spellings[1], **make.BOX}
    photos = make.database(
        tmp_path,
        make.row("a/x.jpg", *spellings, boxes=[box], location="007"),
        make.row("b/y.jpg", spellings[1], location="007"),
    )
    first, part = min(spellings), Part(label=fold(spellings[0]))
    counts = inventory.labels(photos, EVERYTHING)
    assert rows(counts[["class", "photos", "boxes", "datasets"]]) == [(first, 2, 1, 2)]
    assert inventory.summary(photos).total["classes"] == 1
    assert list(inventory.taxa(photos, EVERYTHING, counts, {("b", fold(first)): ()})) == ["none; not in taxonomy"]
    assert list(inventory.locations(photos, EVERYTHING)["classes"]) == [1, 1]
    assert sorted(inventory.sample(photos, part, 9)["image"]) == ["a/x.jpg", "b/y.jpg"]


def test_the_first_spelling_in_the_alphabet_is_that_of_the_part(tmp_path):
    photos = make.database(
        tmp_path, make.row("a/x.jpg", "Deer"), make.row("b/x.jpg", "deer"), make.row("b/y.jpg", "deer ")
    )
    assert list(inventory.labels(photos, EVERYTHING)["class"]) == ["Deer"]
    assert list(inventory.labels(photos, Part(dataset="b"))["class"]) == ["deer"]


def test_labels_have_their_first_and_last_date(photos):
    counts = inventory.labels(photos, EVERYTHING)
    dates = [("Deer", "2023-01-02", "2023-01-02"), ("fox", "2024-04-01", "2024-04-01"), ("cow", None, None)]
    assert rows(counts[["class", "first", "last"]]) == dates


def test_labels_by_dataset_have_a_row_a_class_and_dataset(photos):
    counts = inventory.labels(photos, EVERYTHING, by_dataset=True)
    wanted = [("Deer", "a", 2, 1), ("Deer", "b", 1, 0), ("cow", "a", 1, 0), ("fox", "a", 1, 0), ("fox", "b", 1, 0)]
    assert rows(counts[["class", "dataset", "photos", "boxes"]]) == wanted
    assert "datasets" not in counts


def test_labels_of_one_dataset_leave_the_others_out(photos):
    counts = inventory.labels(photos, Part(dataset="b"))
    assert rows(counts[["class", "photos", "boxes"]]) == [("deer", 1, 0), ("fox", 1, 0)]


def test_one_class_twice_in_a_photo_is_one_photo(tmp_path):
    database = make.database(tmp_path, make.row("a/x.jpg", "fox", "Fox "))
    assert list(inventory.labels(database, EVERYTHING)["photos"]) == [1]


def test_classes_named_like_nothing_stay_what_they_are(tmp_path):
    database = make.database(
        tmp_path, make.row("a/x.jpg", "NA"), make.row("a/y.jpg", "null"), make.row("a/z.jpg", "a|b")
    )
    assert list(inventory.labels(database, EVERYTHING)["class"]) == ["NA", "a|b", "null"]


def test_the_taxonomy_names_the_taxon_of_a_class(photos):
    lineages = {
        ("a", "deer"): (("species", "cervus elaphus"), ("genus", "cervus")),
        ("b", "deer"): (("genus", "capreolus"),),
        ("a", "fox"): (),
        ("b", "fox"): (),
    }
    together = inventory.taxa(photos, EVERYTHING, inventory.labels(photos, EVERYTHING), lineages)
    assert list(together) == ["cervus elaphus; genus capreolus", "none", "not in taxonomy"]
    one = Part(dataset="b")
    for by_dataset in (False, True):
        apart = inventory.taxa(photos, one, inventory.labels(photos, one, by_dataset), lineages)
        assert list(apart) == ["genus capreolus", "none"]


def test_locations_of_two_datasets_are_two_and_photos_without_one_have_their_row(photos):
    found = inventory.locations(photos, EVERYTHING)
    assert rows(found) == [
        ("007", "b", 2, 0, 2, "Deer", "2023-01-02", "2024-04-01"),
        ("007", "a", 1, 1, 2, "Deer", None, None),
        ("NA", "a", 1, 1, 2, "Deer", None, None),
        (None, "b", 1, 0, 0, None, None, None),
    ]
    assert list(found) == ["location", "dataset", "photos", "sequences", "classes", "commonest", "first", "last"]


def test_locations_of_one_class_count_only_its_photos(photos):
    found = inventory.locations(photos, Part(label="deer"))
    columns = ["location", "dataset", "photos", "of_photos"]
    assert rows(found[columns]) == [("007", "a", 1, 1), ("NA", "a", 1, 1), ("007", "b", 1, 2)]


def test_locations_have_their_coordinates_where_they_are_known(photos, tmp_path):
    path = tmp_path / "locations.csv"
    path.write_text("dataset,location,latitude,longitude\na,007,1.50,-2\n")
    found = inventory.locations(photos, Part(dataset="a"), inventory.read_coordinates(path))
    assert rows(found[["location", "latitude", "longitude"]]) == [("007", "1.50", "-2"), ("NA", None, None)]


def test_a_larger_sample_begins_with_the_smaller_one(tmp_path):
    database = make.database(tmp_path, *(make.row(f"a/{at:02}.jpg", "fox") for at in range(30)))
    few, many = (list(inventory.sample(database, EVERYTHING, num)["image"]) for num in (5, 40))
    assert many[:5] == few
    assert len(set(many)) == 30
    assert list(inventory.sample(database, EVERYTHING, 5, seed=1)["image"]) != few


def test_a_sample_is_of_one_part(photos):
    drawn = inventory.sample(photos, Part(label="deer", dataset="a", location="007"), 9)
    assert rows(drawn) == [("a/x.JPG", "a", "x.JPG", "Deer, fox", None)]


def test_a_sample_of_nothing_is_refused(photos):
    with pytest.raises(InputError) as error:
        inventory.sample(photos, Part(label="cow", location="007"), 1)
    assert str(error.value) == "no photo of class 'cow', location '007'"


def test_photos_have_a_path_or_uri():
    photos = pd.DataFrame({"dataset": ["a", "b"], "file": ["x y.jpg", "1/z.jpg"]})
    images = Images({"a": "data/m/images", "b": "s3://b/"})
    assert inventory.uris(photos, images) == ["data/m/images/x y.jpg", "s3://b/1/z.jpg"]


def test_a_dataset_without_image_folder_is_named():
    with pytest.raises(MissingError) as error:
        inventory.uris(pd.DataFrame({"dataset": ["a"], "file": ["x.jpg"]}), Images({}))
    assert str(error.value) == "datasets.csv has no image folder of a; import the dataset again"


def test_recorded_detections_are_counted_by_version(tmp_path):
    assert inventory.recorded(tmp_path) == []
    recorded = filled(RECORDED, {"dataset": "a", "file": "x.jpg"}, {"dataset": "a", "file": "y.jpg"})
    tables.write(recorded, tmp_path / "detections/v5/a.parquet", RECORDED)
    (tmp_path / "detections/v5/calibration.npz").touch()
    assert inventory.recorded(tmp_path) == ["v5: photos of a 2"]
