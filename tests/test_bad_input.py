"""Broken and strange input through the command line: one clear line and nothing written, or taken as it is meant."""

import codecs
import csv
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import make
import pytest
from imports import ROOT

from camtraps import cli, layout, tables
from camtraps.schema import CATALOG, QUERIED
from stages import query
from stages._run import run as run_stage

Edit = Callable[[dict[str, Any]], None]


@pytest.fixture(autouse=True)
def top(tmp_path, monkeypatch):
    """Give the top folder of a repository with a good source in it."""
    (tmp_path / "dvc.yaml").touch()
    params = (ROOT / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(params.replace("name: demo", "name: tiny"))
    make.write_source(tmp_path / "source")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys):
    """Give a function that runs a command line in this process: exit code, stdout, stderr."""

    def attempt(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(list(arguments))
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out, printed.err

    return attempt


@pytest.fixture
def import_cct(run):
    """Give a function that imports what stands in `source/cct.json` as `tiny`."""
    return lambda *more: run("import", "cct", "source/cct.json", "--images", "source/images", "--name", "tiny", *more)


@pytest.fixture
def refused(import_cct):
    """Give a function that imports what must be refused: the one line that is said, and nothing written."""

    def attempt(*more: str) -> str:
        code, out, err = import_cct(*more)
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert not Path("data").exists()
        return err.removeprefix("camtraps: ").removesuffix("\n")

    return attempt


@pytest.fixture
def accepted(import_cct):
    """Give a function that imports what must be accepted: the rows of the catalog and the lines of the summary."""

    def attempt(*more: str) -> tuple[list[dict[str, Any]], list[str]]:
        code, out, err = import_cct(*more)
        assert (code, err) == (0, "")
        rows = tables.read_arrow(Path("data/tiny/catalog/tiny.parquet"), CATALOG).to_pylist()
        return rows, [line for line in out.splitlines()[1:] if line.startswith("  ") and "each is listed" not in line]

    return attempt


def write(text: str | bytes) -> None:
    Path("source/cct.json").write_bytes(text.encode() if isinstance(text, str) else text)


def edit(change: Edit) -> None:
    document = make.cct()
    change(document)
    write(json.dumps(document))


TEXT = json.dumps(make.cct())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"images": [', '"images": [,', "not valid JSON: expecting value, near '"),
        ('}], "annotations"', '},], "annotations"', "not valid JSON: there is a comma before ']'; remove it, near '"),
        ('"name": "empty"}]}', '"name": "empty",}]}', "not valid JSON: "),
        ('"name": "empty"}]}', '"name": "empty"}],}', "not valid JSON: there is a comma before '}'; remove it, near '"),
        ('"images"', "'images'", "not valid JSON: expecting "),
    ],
)
def test_a_misplaced_comma_or_quote_is_shown_with_its_place(refused, old, new, said):
    write(TEXT.replace(old, new, 1))
    line = refused()
    assert line.startswith("source/cct.json:1:")
    assert said in line


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_file_that_is_cut_off_is_to_be_got_again(refused, share):
    write(TEXT[: int(len(TEXT) * share)])
    assert "not valid JSON: the file ends in the middle; get it again whole, near '" in refused()


def test_an_export_of_animl_that_is_cut_before_its_categories_says_what_to_do(run):
    image = {"id": 1, "file_name": "a.jpg", "serving_bucket_key": "a.jpg"}
    text = json.dumps({"images": [image], "annotations": [{"image_id": 1, "category_id": 1}] * 9, "categories": []})
    Path("animl.json").write_text(text[:-40])
    code, out, err = run("import", "animl", "animl.json", "--name", "tiny")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.endswith(
        "; its categories are missing: Animl cuts large exports off when their last photo has no labelled object; "
        "export again in Animl with a narrower filter (dates, deployments, reviewed photos), a piece at a time\n"
    )
    assert not Path("data").exists()


def test_a_bare_nan_says_nothing(accepted):
    edit(lambda document: document["images"][0].update(location=float("nan"), frame_num=float("nan")))
    rows, problems = accepted()
    row = next(row for row in rows if row["file"] == "007/deer.jpg")
    assert (row["location"], row["frame"], problems) == (None, None, [])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"images": {}}, "images: expected a list, got {}"),
        ({"annotations": "none"}, "annotations: expected a list, got 'none'"),
        ({"categories": 7}, "categories: expected a list, got 7"),
        ({"images": ["a.jpg"]}, "images[0]: expected an object, got 'a.jpg'"),
        ({"annotations": [None]}, "annotations[0]: expected an object, got None"),
        ({"images": [{"id": "i", "file_name": None}]}, "images[0]: key 'file_name' is missing or None"),
        ({"images": [{"id": ["i"], "file_name": "a.jpg"}]}, "images[0]: key 'id' is missing or ['i']"),
        ({"categories": [{"id": 1}]}, "categories[0]: key 'name' is missing or None"),
        ({"images": []}, "there is no photo in it"),
    ],
)
def test_a_wrong_type_is_shown_with_its_place(refused, change, said):
    edit(lambda document: document.update(change))
    assert refused().startswith(f"source/cct.json: {said}")


@pytest.mark.parametrize("text", ["", "  ", "7", '"text"', "null", "[]", "{}", "images", "\0", "{}{}"])
def test_what_is_no_such_file_at_all_is_refused(refused, text):
    write(text)
    assert refused().startswith("source/cct.json:")


def test_a_list_that_is_missing_is_named_with_those_that_are_there(refused):
    edit(lambda document: document.pop("categories"))
    said = "source/cct.json: the list 'categories' is missing; it has info, images, annotations"
    assert refused() == said


def test_annotations_that_lead_nowhere_are_counted_and_ignored(accepted):
    def change(document: dict[str, Any]) -> None:
        document["annotations"][0]["image_id"] = "nobody"
        document["annotations"][1]["category_id"] = 99

    edit(change)
    rows, problems = accepted()
    assert sum(bool(row["labels"]) for row in rows) == 10
    assert problems == [
        "  1 ignored: names no category of this file (first: annotations[1]: 99)",
        "  1 ignored: names no photo of this file (first: annotations[0]: nobody)",
    ]


def test_a_file_none_of_whose_annotations_lead_anywhere_is_refused(refused):
    edit(lambda document: document.update(categories=[{"id": 99, "name": "fox"}]))
    said = "source/cct.json: none of its annotations names a photo and a class of it: annotations[0]: names no "
    assert refused() == said + "category of this file: 1"


def test_a_photo_whose_id_stands_twice_is_dropped(accepted):
    edit(lambda document: document["images"].append(document["images"][0] | {"file_name": "007/other.jpg"}))
    rows, problems = accepted("--max-failed", "0.1")
    assert len(rows) == 12
    assert problems == ["  1 dropped: its id stands twice (first: images[12] 007/other.jpg: i0)"]


def test_a_photo_whose_file_stands_twice_is_dropped(accepted):
    edit(lambda document: document["images"].append(document["images"][0] | {"id": "other"}))
    rows, problems = accepted("--max-failed", "0.1")
    assert len(rows) == 12
    assert problems == ["  1 dropped: its file name stands twice (first: images[12] 007/deer.jpg)"]


def test_an_id_of_two_classes_is_refused(refused):
    edit(lambda document: document["categories"].append({"id": 1, "name": "roe"}))
    assert refused() == "source/cct.json: categories[0]: category id 1 is deer and roe"


@pytest.mark.parametrize(
    ("box", "reason", "found"),
    [
        ([1, 1, 0, 5], "box has no area inside the image", "[1, 1, 0, 5]"),
        ([1, 1, 5, -5], "box has no area inside the image", "[1, 1, 5, -5]"),
        ([500, 1, 5, 5], "box has no area inside the image", "[500, 1, 5, 5]"),
        ([1, 1, 5], "box is not four numbers", "[1, 1, 5]"),
        (["1", 1, 5, 5], "box is not four numbers", "['1', 1, 5, 5]"),
        ("all", "box is not four numbers", "'all'"),
        ([1e999, 1, 5, 5], "box is not four numbers", "[inf, 1, 5, 5]"),
    ],
)
def test_a_box_that_is_none_is_ignored_and_its_class_is_kept(accepted, box, reason, found):
    edit(lambda document: document["annotations"][0].update(bbox=box))
    write(Path("source/cct.json").read_text().replace("Infinity", "1e999"))
    rows, problems = accepted()
    row = next(row for row in rows if row["file"] == "007/deer.jpg")
    assert (row["boxes"], row["labels"]) == (None, [{"class": "deer", "level": "image"}])
    assert problems == [f"  1 ignored: {reason} (first: annotations[0] of 007/deer.jpg: {found})"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-04-01T05:12:09Z", "2024-04-01 05:12:09"),
        ("2024-04-01 05:12:09.000+02:00", "2024-04-01 05:12:09"),
        ("2024:04:01 05:12:09", "2024-04-01 05:12:09"),
        ("04/13/2024 05:12", "2024-04-13 05:12:00"),
        ("13.04.2024 05:12:09", "2024-04-13 05:12:09"),
        ("1 April 2024 05:12", "2024-04-01 05:12:00"),
        ("2024-04-01", "2024-04-01 00:00:00"),
    ],
)
def test_a_date_is_read_in_many_forms(accepted, text, expected):
    edit(lambda document: document["images"][0].update(datetime=text))
    rows, problems = accepted()
    assert (str(rows[0]["datetime"]), problems) == (expected, [])


@pytest.mark.parametrize("value", ["long ago", "2024-13-41 99:00", "0000-00-00 00:00:00", "12:00", True])
def test_a_date_that_cannot_be_read_is_left_empty_and_shown(accepted, value):
    edit(lambda document: document["images"][0].update(datetime=value))
    rows, problems = accepted()
    assert rows[0]["datetime"] is None
    assert problems == [f"  1 mended: time cannot be read; left empty (first: images[0] 007/deer.jpg: {value})"]


def test_a_byte_order_mark_is_passed_over(accepted):
    write(codecs.BOM_UTF8 + TEXT.encode())
    assert len(accepted()[0]) == 12


def test_text_that_is_latin_1_is_refused_with_its_place(refused):
    write(TEXT.replace("north", "nördlich").encode("latin-1"))
    place = TEXT.index("north") + 1
    assert refused() == f"source/cct.json: byte {place} is not UTF-8; save the file as UTF-8"


def test_twenty_megabytes_on_one_line_are_read(accepted):
    edit(lambda document: document["info"].update(description="x" * 20_000_000))
    assert len(accepted()[0]) == 12


def test_a_deep_nest_is_refused(refused):
    write('{"info": ' + "[" * 100_000 + "]" * 100_000 + "}")
    assert "nested too deeply" in refused()


@pytest.mark.parametrize("member", ["../cct.json", "/tmp/cct.json", "a/../../cct.json", "C:\\cct.json"])
def test_a_zip_whose_member_climbs_is_refused(refused, member):
    with zipfile.ZipFile("source/cct.json", "w") as archive:
        archive.writestr(member, TEXT)
    said = f"its member {member!r} leads out of the folder; this is no archive to trust"
    assert refused() == f"source/cct.json: {said}"


def test_a_zip_that_is_cut_off_is_refused(refused):
    with zipfile.ZipFile("source/cct.json", "w") as archive:
        archive.writestr("cct.json", TEXT)
    write(Path("source/cct.json").read_bytes()[:-50])
    assert refused().startswith("source/cct.json: cannot be unpacked: ")


@pytest.mark.parametrize("file", ["../../secret.jpg", "/etc/passwd", "C:\\Windows\\a.jpg", "a/../../b.jpg", ""])
def test_a_file_name_that_climbs_is_never_followed(refused, file):
    edit(lambda document: document["images"][0].update(file_name=file))
    line = refused("--max-failed", "0.01")
    assert "leads out of the image folder" in line or "key 'file_name' is missing or ''" in line


def test_of_many_faults_twenty_are_shown_and_the_rest_counted(refused):
    edit(lambda document: document["images"].extend([{"id": "x"}] * 25))
    line = refused()
    assert line.count("key 'file_name' is missing") == 20
    assert line.endswith("images[31]: key 'file_name' is missing or None; and 5 more")


def row_of_taxonomy(cell: str) -> None:
    header = ["dataset_name", "query", "source", "taxonomy_level", "scientific_name", "taxonomy_string"]
    with Path("taxonomy.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, ["tiny", "fox", "inat", "species", "vulpes vulpes", cell]])


@pytest.mark.parametrize(
    "cell",
    [
        "__import__('os').system('touch run')",
        "[(1, 'species', __import__('os').system('touch run'), [])]",
        "[(1, 'species', open('run', 'w'), [])]",
        "lambda: 1",
        "(" * 5000,
        "9" * 5000,
    ],
)
def test_code_in_a_taxonomy_is_refused_and_never_run(refused, cell):
    row_of_taxonomy(cell)
    line = refused("--taxonomy", "taxonomy.csv")
    assert line.startswith("taxonomy.csv: line 2: ")
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"max_count": -1}, "max_count: expected a whole number above 0, got -1"),
        ({"max_count": 0}, "max_count: expected a whole number above 0, got 0"),
        ({"max_count": 1.5}, "max_count: expected a whole number above 0, got 1.5"),
        ({"max_count": True}, "max_count: expected a whole number above 0, got True"),
        ({"prioritize": "tiny", "max_count": 5}, "prioritize: expected [[dataset, ...], ...], got 'tiny'"),
        ({"taxa": [{"level": "family"}]}, "taxa[0]: expected {level, name, datasets?}, got {'level': 'family'}"),
        ({"maxcount": 5}, "maxcount: unknown key; did you mean max_count?"),
    ],
)
def test_a_nonsense_rule_of_a_label_specification_is_refused(refused, rule, said):
    spec = {"fox": {"taxa": [{"level": "family", "name": "canidae"}]} | rule}
    make.write_json(Path("spec.json"), spec)
    assert refused("--label-spec", "spec.json") == f"spec.json: fox.{said}"


def test_a_priority_without_a_cap_is_refused(refused):
    spec = {"fox": {"taxa": [{"level": "family", "name": "canidae"}], "prioritize": [["tiny"]]}}
    make.write_json(Path("spec.json"), spec)
    line = refused("--label-spec", "spec.json")
    assert line.startswith("spec.json: fox")
    assert "max_count" in line


STRANGE = ["null", "NA", "007", "a|b", "x#1", "deer, red", "None", "nan", "true", '"quoted"', "1e5", "=1+1", "狐"]


def write_strange_labels() -> None:
    """Write a source whose labels look like nothing, like numbers and like code, a photo for each."""
    document = make.cct()
    image, annotation = document["images"][0], document["annotations"][3]
    document["categories"] = [{"id": at, "name": name} for at, name in enumerate(STRANGE)]
    document["images"] = [image | {"id": at, "file_name": f"{at:02}.jpg"} for at in range(len(STRANGE))]
    document["annotations"] = [annotation | {"id": at, "image_id": at, "category_id": at} for at in range(len(STRANGE))]
    write(json.dumps(document))
    for at in range(len(STRANGE)):
        Path(f"source/images/{at:02}.jpg").write_bytes(make.photo())


def test_labels_that_look_like_something_else_are_kept_from_import_to_query_and_export(accepted, run):
    write_strange_labels()
    lineages = {("tiny", name): [("species", f"species {at}")] for at, name in enumerate(STRANGE)}
    Path("taxonomy.csv").write_text(make.taxonomy_csv(lineages))
    make.write_json(Path("spec.json"), {name: {"dataset_labels": {"tiny": [name]}} for name in STRANGE})
    rows, _ = accepted("--taxonomy", "taxonomy.csv", "--label-spec", "spec.json")
    assert [row["labels"][0]["class"] for row in rows] == STRANGE
    query.main()
    chosen = tables.read_arrow(layout.QUERIED / "queried.parquet", QUERIED).to_pylist()
    assert [(row["class"], row["label"]) for row in chosen] == [(name, name) for name in STRANGE]
    assert run("export", "csv", "--name", "tiny", "--out", "out.csv")[0] == 0
    with Path("out.csv").open(newline="") as file:
        assert [row["label"] for row in csv.DictReader(file)] == STRANGE
    assert run("export", "cct", "--name", "tiny", "--out", "source/cct.json")[0] == 0
    assert [row["labels"][0]["class"] for row in accepted("--images", "source/images")[0]] == STRANGE


def test_labels_that_differ_by_case_only_are_the_same_and_keep_their_spelling(accepted):
    edit(lambda document: document["categories"].append({"id": 9, "name": "DEER"}))
    document = json.loads(Path("source/cct.json").read_text())
    document["annotations"][4]["category_id"] = 9
    write(json.dumps(document))
    rows, problems = accepted("--taxonomy", "source/taxonomy.csv")
    classes = {label["class"] for row in rows for label in row["labels"]}
    assert (classes >= {"deer", "DEER"}, problems) == (True, [])


def test_files_that_differ_by_case_only_are_two(accepted):
    edit(lambda document: document["images"].append(document["images"][0] | {"id": "x", "file_name": "007/DEER.jpg"}))
    rows, _ = accepted("--max-failed", "0.1")
    assert [row["file"] for row in rows][:2] == ["007/DEER.jpg", "007/deer.jpg"]


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--sequence-gap", "x"], 2, "argument --sequence-gap: expected a time span such as 30s, 2m or 1h"),
        (["--sequence-gap", "30"], 2, "argument --sequence-gap: expected a time span such as 30s, 2m or 1h"),
        (["--sequence-gap=-5s"], 2, "argument --sequence-gap: expected a time span such as 30s, 2m or 1h"),
        (["--max-failed", "2"], 2, "argument --max-failed: expected a share from 0 to 1, got '2'"),
        (["--day-first", "--month-first"], 2, "not allowed with argument --day-first"),
        (["--dataset", "a/b"], 1, "camtraps: dataset name 'a/b': use letters, digits, '.', '_' and '-'"),
        (["--dataset", ""], 1, "camtraps: dataset name '': use letters, digits, '.', '_' and '-'"),
        (["--taxonomy", "nothing.csv"], 1, "camtraps: nothing.csv: not found"),
        (["--label-spec", "source/images"], 1, "camtraps: source/images: "),
        (["--images", "nothing"], 1, "camtraps: nothing: image folder not found"),
        (["--flight", "high"], 2, "unrecognized arguments: --flight high"),
    ],
)
def test_a_nonsense_option_is_named(import_cct, options, code, said):
    got, out, err = import_cct(*options)
    assert (got, out) == (code, "")
    assert said in err.splitlines()[-1]
    assert not Path("data").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--column", "x"], "camtraps: --column x: expected OURS=YOURS, such as label=Species"),
        (["--column", "lable=Species"], "camtraps: column lable=Species: 'lable' is no column of ours; did you mean"),
        (["--column", "label=Art"], "camtraps: photos.csv:1: column label=Art: the file has no 'Art'; it has file"),
    ],
)
def test_a_column_that_is_not_there_is_named(run, options, said):
    Path("photos.csv").write_text("file,Species\n007/deer.jpg,deer\n")
    code, out, err = run("import", "csv", "photos.csv", "--images", "source/images", "--name", "tiny", *options)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "it has no rows below its header"),
        (b"file,label\n", "it has no rows below its header"),
        (b"file,label\na.jpg,fox,red\n", "3 cells, not the header's 2"),
        (b"file,label\na.jpg\n", "1 cells, not the header's 2"),
        (b"file,label\n\xe4.jpg,fox\n", "not UTF-8; save the file as UTF-8"),
        (b'file,label\n"a.jpg,fox\n', ""),
        (b"file,label,label\na.jpg,fox,fox\n", "column label stands twice"),
        (b"\x00\x01\x02", ""),
    ],
)
def test_a_broken_table_is_refused(run, text, said):
    Path("photos.csv").write_bytes(text)
    code, out, err = run("import", "csv", "photos.csv", "--images", "source/images", "--name", "tiny")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("camtraps: photos.csv:")
    assert said in err
    assert not Path("data").exists()


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "key 'info' is missing; it is no file of MegaDetector's results"),
        ({"images": []}, "key 'info' is missing; it is no file of MegaDetector's results"),
        ({"images": {}}, "images: expected a list, got {}"),
        ({"info": {"format_version": "1.7"}}, "info.format_version: '1.7' is none of 1.0 to 1.6, which can be read"),
        ({"images": ["a.jpg"]}, "images[0]: expected an object with a text 'file', got 'a.jpg'"),
        ({"images": [{"file": "a", "detections": 1}]}, "images[0].detections: expected a list, got 1"),
        ({"images": [{"file": "../a.jpg", "detections": []}]}, "none of its files is in the catalog of tiny"),
        ({"images": []}, "there is no image in it"),
    ],
)
def test_broken_results_of_a_detector_are_refused(import_cct, run, document, said):
    import_cct()
    if said[0] != "k":
        document = {"info": {"detector": "md"}, "detection_categories": {"1": "animal"}, "images": []} | document
    make.write_json(Path("md.json"), document)
    code, out, err = run("import", "detections", "md.json", "--name", "tiny")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("camtraps: md.json: ")
    assert said in err
    assert not list(Path("data/tiny/detections").iterdir())


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9, 0.999])
def test_results_that_are_cut_off_are_refused_with_their_place(import_cct, run, share):
    import_cct()
    text = json.dumps({"info": {}, "detection_categories": {"1": "animal"}, "images": [{"file": "007/deer.jpg"}] * 9})
    Path("md.json").write_text(text[: int(len(text) * share)])
    code, out, err = run("import", "detections", "md.json", "--name", "tiny")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("camtraps: md.json:1:")
    assert not list(Path("data/tiny/detections").iterdir())


def test_a_killed_process_that_reads_crops_is_one_clear_line(capsys):
    def train():
        raise RuntimeError("DataLoader worker (pid 3) is killed by signal: Killed. ")

    with pytest.raises(SystemExit) as end:
        run_stage("train", train)
    assert end.value.code == 1
    said = "train: a process that reads crops was killed (out of memory?); run again to continue\n"
    assert capsys.readouterr().err == said
