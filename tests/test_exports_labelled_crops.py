"""Crops as pictures of numbered categories: COCO JSON and TFRecords, each read back by somebody else's code."""

import json

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from make_tables import colour_crops
from tensorboard.compat.tensorflow_stub.errors import OutOfRangeError
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New

from camtraps.errors import InputError, MissingError
from camtraps.exports import coco_crops, tfrecords
from camtraps.exports.labelled_crops import choose
from camtraps.shards import Reader

LABELS = ["red", "green", "red", "blue", "red", "green"]
SPLITS = ["train", "train", "test", "val", "train", "test"]


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("crops")
    crops = colour_crops(folder, LABELS)
    return folder, crops, crops[["image", "box", "dataset", "label"]].assign(location="007", split=SPLITS)


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_categories_are_numbered_without_gaps_when_some_are_excluded(packed):  # spec 12.1, step 1
    _, crops, assigned = packed
    found = choose(crops, assigned, ["green"])
    assert found.categories == ["blue", "red"]
    assert sorted(found.crops["category"].tolist()) == [0, 1, 1, 1]


def test_an_excluded_category_must_exist(packed):  # spec 12.1, step 1
    _, crops, assigned = packed
    with pytest.raises(InputError) as error:
        choose(crops, assigned, ["zebra"])
    assert str(error.value) == "--exclude-categories: no label zebra; there are: blue, green, red"


def test_without_any_category_there_is_nothing_to_write(packed):
    _, crops, assigned = packed
    with pytest.raises(InputError, match=r"^data/splits: no crop is left to write$"):
        choose(crops, assigned, ["red", "green", "blue"])


def test_locations_of_two_datasets_stay_apart(packed):
    _, crops, assigned = packed
    found = choose(crops, assigned.assign(dataset=["d", "e"] * 3))
    assert set(found.crops["location"]) == {"d/007", "e/007"}


def test_tables_that_do_not_belong_together_are_refused(packed):
    _, crops, assigned = packed
    with pytest.raises(InputError, match="not in data/crops; run `dvc repro`"):
        choose(crops[1:], assigned)


def test_coco_files_name_the_pictures_their_photos_and_locations(packed, tmp_path):
    folder, crops, assigned = packed
    said = coco_crops.export(choose(crops, assigned), folder, tmp_path)
    assert said == "6 crops of 3 categories: 3 in train, 1 in val, 2 in test"
    document = json.loads((tmp_path / "train.json").read_text())
    assert document["categories"] == [
        {"id": at, "name": name, "supercategory": "entity"} for at, name in enumerate(["blue", "green", "red"])
    ]
    first = {"id": 1, "width": 40, "height": 40, "file_name": "green/d/001.jpg___crop00_-.jpg"}
    assert document["images"][0] == first | {"original_key": "d/001.jpg", "location": "007"}
    assert [(each["id"], each["image_id"], each["category_id"]) for each in document["annotations"]] == [
        (1, 1, 1),
        (2, 2, 2),
        (3, 3, 2),
    ]


def test_each_picture_of_a_coco_file_is_the_crop_in_the_folder_of_its_category(packed, tmp_path):
    folder, crops, assigned = packed
    coco_crops.export(choose(crops, assigned), folder, tmp_path)
    written = files(tmp_path)
    reader = Reader(folder)
    for row in crops.itertuples():
        name = f"{row.label}/{row.image}___crop00_-.jpg"
        assert written.pop(name) == reader.read(row.shard, row.offset, row.length)
    assert sorted(written) == ["test.json", "train.json", "val.json"]


def test_the_same_crops_give_the_same_bytes(packed, tmp_path):
    folder, crops, assigned = packed
    for name in "ab":
        given = choose(crops.sample(frac=1, random_state=ord(name)), assigned.sample(frac=1, random_state=ord(name)))
        coco_crops.export(given, folder, tmp_path / "coco" / name)
        tfrecords.export(given, folder, tmp_path / "records" / name, per_file=2)
    for kind in ("coco", "records"):
        assert files(tmp_path / kind / "a") == files(tmp_path / kind / "b")


def message():
    """Make tf.train.Example by Google's library, from what tensorflow/core/example/*.proto says."""
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="e.proto", package="t", syntax="proto3")

    def add(to, name, *fields):
        made = to.add(name=name)
        for field, number, kind, is_repeated in fields:
            known = isinstance(kind, int)
            label = kinds.LABEL_REPEATED if is_repeated else kinds.LABEL_OPTIONAL
            made.field.add(name=field, number=number, type=kind if known else kinds.TYPE_MESSAGE, label=label)
            if not known:
                made.field[-1].type_name = f".t.{kind}"
        return made

    add(file.message_type, "BytesList", ("value", 1, kinds.TYPE_BYTES, True))
    add(file.message_type, "Int64List", ("value", 1, kinds.TYPE_INT64, True))
    add(file.message_type, "Feature", ("bytes_list", 1, "BytesList", False), ("int64_list", 3, "Int64List", False))
    features = add(file.message_type, "Features", ("feature", 1, "Features.FeatureEntry", True))
    pair = ("key", 1, kinds.TYPE_STRING, False), ("value", 2, "Feature", False)
    add(features.nested_type, "FeatureEntry", *pair).options.map_entry = True
    add(file.message_type, "Example", ("features", 1, "Features", False))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Example"))


def records(path):
    """Read records with TensorBoard's reader, which checks lengths and checksums."""
    reader, kind = PyRecordReader_New(str(path)), message()
    while True:
        try:
            reader.GetNext()
        except OutOfRangeError:
            return
        features = kind.FromString(reader.record()).features.feature
        yield {name: (list(each.bytes_list.value) or list(each.int64_list.value))[0] for name, each in features.items()}


def test_records_hold_pictures_and_classes_for_other_readers(packed, tmp_path):
    folder, crops, assigned = packed
    said = tfrecords.export(choose(crops, assigned), folder, tmp_path / "out", per_file=2)
    assert said == "6 crops of 3 categories: 3 in 2 files of train, 1 in 1 file of val, 2 in 1 file of test"
    paths = sorted((tmp_path / "out").glob("*-*"))
    assert [path.name for path in paths] == ["test-00000", "train-00000", "train-00001", "val-00000"]
    found = {each["image/original_key"].decode(): each for path in paths for each in records(path)}
    reader = Reader(folder)
    for row in crops.itertuples():
        each = found.pop(row.image)
        assert each["image/encoded"] == reader.read(row.shard, row.offset, row.length)
        assert each["image/class/text"].decode() == row.label
        assert each["image/class/label"] == ["blue", "green", "red"].index(row.label)
        assert (each["image/width"], each["image/location"], each["image/format"]) == (40, b"007", b"jpeg")
    assert found == {}


def test_the_label_map_numbers_the_categories_as_the_records_do(packed, tmp_path):
    folder, crops, assigned = packed
    tfrecords.export(choose(crops, assigned, ["red"]), folder, tmp_path / "out", per_file=9)
    text = 'item {\n  name: "blue"\n  id: 0\n}\nitem {\n  name: "green"\n  id: 1\n}\n'
    assert (tmp_path / "out/label_map.pbtxt").read_text() == text


@pytest.mark.parametrize(("value", "encoded"), [(0, b"\0"), (127, b"\x7f"), (128, b"\x80\1"), (300, b"\xac\2")])
def test_numbers_are_encoded_in_groups_of_seven_bits(value, encoded):
    assert tfrecords._varint(value) == encoded


def test_record_files_of_an_earlier_export_do_not_stay(packed, tmp_path):
    folder, crops, assigned = packed
    tfrecords.export(choose(crops, assigned), folder, tmp_path / "out", per_file=1)
    tfrecords.export(choose(crops, assigned), folder, tmp_path / "out", per_file=9)
    assert len(list((tmp_path / "out").glob("train-*"))) == 1


def test_a_folder_of_other_things_is_not_replaced(packed, tmp_path):
    folder, crops, assigned = packed
    with pytest.raises(InputError) as error:
        tfrecords.export(choose(crops, assigned), folder, tmp_path, per_file=9)
    assert str(error.value) == f"{tmp_path}: is there and holds no label_map.pbtxt; name a new folder"


def test_without_its_package_the_command_to_get_it_is_named(packed, tmp_path, monkeypatch):
    folder, crops, assigned = packed
    monkeypatch.setitem(__import__("sys").modules, "google_crc32c", None)
    tfrecords._checksum.cache_clear()
    with pytest.raises(MissingError, match=r"^TFRecords need google-crc32c; run `pip install '\.\[tfrecord\]'`$"):
        tfrecords.export(choose(crops, assigned), folder, tmp_path / "out", per_file=9)
