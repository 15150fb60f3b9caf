"""A table of photos read by its headers, whatever they are called."""

import gzip
from pathlib import Path

import pyarrow as pa
import pytest

from camtraps.errors import InputError
from camtraps.formats import flat
from camtraps.formats.rows import ANNOTATIONS, PHOTOS, Problem


def table(folder: Path, *lines: str) -> Path:
    path = folder / "photos.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def given(path: Path, columns: dict[str, str] | None = None, **more) -> tuple[list[dict], list[dict], list[Problem]]:
    """Read a file: photos, annotations, problems."""
    everything = list(flat.read(path, columns or {}, **more))
    tables = [each for each in everything if isinstance(each, pa.Table)]
    photos = [row for each in tables if each.schema == PHOTOS for row in each.to_pylist()]
    annotations = [row for each in tables if each.schema == ANNOTATIONS for row in each.to_pylist()]
    assert len(tables) == sum(each.schema in (PHOTOS, ANNOTATIONS) for each in tables)
    return photos, annotations, [each for each in everything if isinstance(each, Problem)]


def refusal(path: Path, columns: dict[str, str] | None = None) -> str:
    with pytest.raises(InputError) as caught:
        given(path, columns)
    return str(caught.value).replace(f"{path}", "photos.csv")


def test_a_row_becomes_a_photo_and_an_annotation(tmp_path):
    path = table(
        tmp_path,
        "file,location,label,datetime,sequence,frame,width,height,dataset,level,category,x,y,w,h,corrupt",
        "a/1.jpg,007,deer,2024-04-01 05:00:00,s1,2,640,480,alps,sequence,animal,0.1,0.2,0.3,0.4,no",
    )
    photos, annotations, problems = given(path)
    assert photos == [
        {
            "place": "line 2",
            "key": "alps/a/1.jpg",
            "file": "a/1.jpg",
            "location": "007",
            "sequence": "s1",
            "frame": "2",
            "taken": "2024-04-01 05:00:00",
            "width": "640",
            "height": "480",
            "corrupt": False,
            "dataset": "alps",
        }
    ]
    assert annotations == [
        {
            "place": "line 2",
            "photo": "alps/a/1.jpg",
            "name": "deer",
            "level": "sequence",
            "x": 0.1,
            "y": 0.2,
            "w": 0.3,
            "h": 0.4,
            "in_pixels": False,
            "category": "animal",
            "boxed": False,
            "problem": None,
            "found": None,
        }
    ]
    assert problems == []


def test_a_photo_is_given_for_each_of_its_rows(tmp_path):
    photos, annotations, _ = given(table(tmp_path, "file,label", "a.jpg,deer", "a.jpg,fox"))
    assert [(row["place"], row["key"]) for row in photos] == [("line 2", "a.jpg"), ("line 3", "a.jpg")]
    assert [row["name"] for row in annotations] == ["deer", "fox"]


@pytest.mark.parametrize("header", ["File", "filename", "File_Name", "file name", "FILEPATH", "Path", "Image"])
def test_a_common_header_is_found_in_any_spelling(tmp_path, header):
    photos, _, _ = given(table(tmp_path, f"{header},Species", "a.jpg,deer"))
    assert photos[0]["file"] == "a.jpg"


def test_common_headers_of_the_other_columns_are_found(tmp_path):
    path = table(tmp_path, "File;Station;Common Name;Date Taken;seq_id", "a.jpg;NA;Roe deer;2024:04:01 05:00:00;q1")
    photos, annotations, _ = given(path)
    row = photos[0]
    assert (row["location"], row["taken"], row["sequence"]) == ("NA", "2024:04:01 05:00:00", "q1")
    assert annotations[0]["name"] == "Roe deer"


def test_a_header_is_named_by_the_user(tmp_path):
    path = table(tmp_path, "Datei,Art,Species", "a.jpg,Reh,Capreolus capreolus")
    photos, annotations, _ = given(path, {"file": "Datei", "label": "Art"})
    assert (photos[0]["file"], annotations[0]["name"]) == ("a.jpg", "Reh")


def test_our_own_name_goes_before_other_headers(tmp_path):
    _, annotations, _ = given(table(tmp_path, "file,species,label,class", "a.jpg,x,deer,Mammalia"))
    assert annotations[0]["name"] == "deer"


def test_a_column_that_is_not_wanted_is_not_looked_for(tmp_path):
    photos, annotations, _ = given(
        table(tmp_path, "file,label,site", "a.jpg,deer,north"), {"label": "", "location": ""}
    )
    assert photos[0]["location"] is None
    assert annotations == []


def test_keys_stay_text_and_blank_cells_are_empty(tmp_path):
    path = table(tmp_path, "file,label,location", '"a, b|c.jpg",null,007', "x#1.jpg,NA,  ", "b.jpg,,")
    photos, annotations, _ = given(path)
    assert [(row["file"], row["location"]) for row in photos] == [
        ("a, b|c.jpg", "007"),
        ("x#1.jpg", None),
        ("b.jpg", None),
    ]
    assert [(row["photo"], row["name"]) for row in annotations] == [("a, b|c.jpg", "null"), ("x#1.jpg", "NA")]


def test_several_labels_in_a_cell_are_one_label(tmp_path):
    _, annotations, _ = given(table(tmp_path, "file,label", 'a.jpg,"deer, roe"'))
    assert [row["name"] for row in annotations] == ["deer, roe"]


def test_the_folder_and_file_of_timelapse_are_joined(tmp_path):
    path = table(tmp_path, "File,RelativePath,Species", "1.jpg,north\\cam1,deer", "2.jpg,,fox")
    photos, annotations, _ = given(path)
    assert [row["file"] for row in photos] == ["north\\cam1/1.jpg", "2.jpg"]
    assert [row["photo"] for row in annotations] == ["north\\cam1/1.jpg", "2.jpg"]


def test_a_file_column_that_the_user_names_stands_alone(tmp_path):
    photos, _, _ = given(table(tmp_path, "File,RelativePath,Species", "1.jpg,north,deer"), {"file": "File"})
    assert photos[0]["file"] == "1.jpg"


def test_date_and_time_are_joined(tmp_path):
    path = table(tmp_path, "file,label,Date,Time", "a.jpg,deer,01-Apr-2024,05:00:00", "b.jpg,deer,,")
    assert [row["taken"] for row in given(path)[0]] == ["01-Apr-2024 05:00:00", None]


def test_a_date_alone_is_no_time_unless_the_user_says_so(tmp_path):
    path = table(tmp_path, "file,label,Date", "a.jpg,deer,2024-04-01")
    assert given(path)[0][0]["taken"] is None
    assert given(path, {"datetime": "Date"})[0][0]["taken"] == "2024-04-01"


def test_the_same_file_in_two_datasets_is_two_photos(tmp_path):
    photos, annotations, _ = given(
        table(tmp_path, "file,label,dataset", "a.jpg,deer,alps", "a.jpg,fox,jura", "a.jpg,fox,")
    )
    assert [(row["key"], row["dataset"]) for row in photos] == [
        ("alps/a.jpg", "alps"),
        ("jura/a.jpg", "jura"),
        ("/a.jpg", None),
    ]
    assert [row["photo"] for row in annotations] == ["alps/a.jpg", "jura/a.jpg", "/a.jpg"]


def test_boxes_may_be_in_pixels(tmp_path):
    path = table(tmp_path, "file,label,x,y,w,h,width,height", "a.jpg,deer,10,20.5,+30,4e1,640,480")
    (annotation,) = given(path, box_unit="pixels")[1]
    assert [annotation[name] for name in "xywh"] == [10, 20.5, 30, 40]
    assert annotation["in_pixels"] is True


def test_a_box_without_label_is_an_annotation(tmp_path):
    path = table(tmp_path, "file,label,x,y,w,h", "a.jpg,,0.1,0.2,0.3,0.4", "b.jpg,,,,,")
    (annotation,) = given(path)[1]
    assert (annotation["photo"], annotation["name"], annotation["x"]) == ("a.jpg", None, 0.1)


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ("0.1,,0.3,0.4", "0.1, , 0.3, 0.4"),
        (",,,0.4", ", , , 0.4"),
        ("0.1,0.2,0.3,wide", "0.1, 0.2, 0.3, wide"),
        ("0.1,NA,0.3,0.4", "0.1, NA, 0.3, 0.4"),
        ("0.1,0.2,0.3,inf", "0.1, 0.2, 0.3, inf"),
        ("0.1,0.2,0.3,1e999", "0.1, 0.2, 0.3, 1e999"),
    ],
)
def test_a_box_that_is_not_four_numbers_is_a_problem(tmp_path, cells, found):
    (annotation,) = given(table(tmp_path, "file,label,x,y,w,h", f"a.jpg,deer,{cells}"))[1]
    assert (annotation["name"], annotation["problem"], annotation["found"]) == (
        "deer",
        "box is not four numbers",
        found,
    )
    assert [annotation[name] for name in "xywh"] == [None] * 4


@pytest.mark.parametrize("cells", [",,,", "NA,NA,NA,NA", "nan,NaN,null,None"])
def test_a_box_that_is_empty_is_no_box(tmp_path, cells):
    (annotation,) = given(table(tmp_path, "file,label,x,y,w,h", f"a.jpg,deer,{cells}"))[1]
    assert (annotation["x"], annotation["problem"], annotation["found"]) == (None, None, None)


def test_x_and_y_alone_are_a_place_on_a_map(tmp_path):
    (annotation,) = given(table(tmp_path, "file,label,x,y", "a.jpg,deer,651233,5246012"))[1]
    assert (annotation["x"], annotation["problem"]) == (None, None)


@pytest.mark.parametrize(
    ("cell", "corrupt"), [("TRUE", True), ("1", True), (" Corrupted", True), ("Ok", False), ("", False)]
)
def test_a_photo_may_be_marked_as_corrupt(tmp_path, cell, corrupt):
    path = table(tmp_path, "file,label,ImageQuality", f"a.jpg,deer,{cell}")
    assert given(path, {"corrupt": "ImageQuality"})[0][0]["corrupt"] is corrupt


def test_a_level_that_is_unknown_becomes_image_and_is_said(tmp_path):
    path = table(tmp_path, "file,label,level", "a.jpg,deer,Sequence", "b.jpg,deer,", "c.jpg,deer,burst")
    _, annotations, problems = given(path)
    assert [row["level"] for row in annotations] == ["sequence", "image", "image"]
    assert problems == [Problem("line 4", "mended", "level is not image or sequence; taken as image", "burst")]


def test_a_row_without_file_is_dropped(tmp_path):
    photos, annotations, problems = given(table(tmp_path, "file,label", "a.jpg,deer", " ,fox"))
    assert (len(photos), len(annotations)) == (1, 1)
    assert problems == [Problem("line 3", "dropped", "no file name")]


def test_a_folder_without_file_is_no_photo(tmp_path):
    photos, _, problems = given(table(tmp_path, "File,RelativePath,Species", ",north,deer"))
    assert photos == []
    assert problems == [Problem("line 2", "dropped", "no file name")]


def test_a_column_called_line_number_is_left_alone(tmp_path):
    photos, _, _ = given(table(tmp_path, "line_number,file,label", "99,a.jpg,deer"))
    assert photos[0]["place"] == "line 2"


def test_a_zipped_table_is_read(tmp_path):
    path = tmp_path / "photos.csv.gz"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbffile,label\na.jpg,deer\n"))
    assert given(path)[0][0]["file"] == "a.jpg"


def test_a_table_without_file_and_label_says_how_to_name_them(tmp_path):
    assert refusal(table(tmp_path, "Datei,Art", "a.jpg,Reh")) == (
        "photos.csv:1: no column for the file; it has Datei, Art; say which with --column file=HEADER; no column for "
        "the label; it has Datei, Art; say which with --column label=HEADER, or --column label= if the photos have none"
    )


def test_a_file_column_is_always_needed(tmp_path):
    assert refusal(table(tmp_path, "file,label", "a.jpg,deer"), {"file": ""}) == (
        "photos.csv:1: no column for the file; it has file, label; say which with --column file=HEADER"
    )


def test_a_header_that_is_not_there_names_the_nearest(tmp_path):
    path = table(tmp_path, "File Name,Species,Site", "a.jpg,deer,north")
    assert refusal(path, {"file": "Filename", "location": "xyz", "label": "SPECIES"}) == (
        "photos.csv:1: column file=Filename: the file has no 'Filename'; did you mean 'File Name'?; "
        "column location=xyz: the file has no 'xyz'; it has File Name, Species, Site; "
        "column label=SPECIES: the file has no 'SPECIES'; did you mean 'Species'?"
    )


def test_a_name_that_is_not_ours_names_the_nearest(tmp_path):
    path = table(tmp_path, "file,label", "a.jpg,deer")
    assert refusal(path, {"lable": "label"}) == "column lable=label: 'lable' is no column of ours; did you mean label?"
    assert refusal(path, {"q": "label"}) == (
        "column q=label: 'q' is no column of ours; known are file, location, label, datetime, sequence, frame, width, "
        "height, dataset, level, category, x, y, w, h, corrupt"
    )


def test_headers_that_could_each_be_meant_are_asked_about(tmp_path):
    path = table(tmp_path, "file,Species,Common Name,Site,Camera", "a.jpg,x,deer,north,1")
    assert refusal(path) == (
        "photos.csv:1: Site and Camera could each be the location; say which with --column location=HEADER; "
        "Species and Common Name could each be the label; say which with --column label=HEADER"
    )


def test_some_of_the_box_columns_are_not_enough(tmp_path):
    path = table(tmp_path, "file,label,left,top", "a.jpg,deer,1,2")
    assert refusal(path, {"x": "left", "y": "top"}) == ("photos.csv:1: a box needs x, y, w and h; no column for w, h")


def test_a_width_beside_x_and_y_is_asked_about(tmp_path):
    path = table(tmp_path, "file,label,x,y,width,height", "a.jpg,deer,1,2,30,40")
    assert refusal(path) == (
        "photos.csv:1: width and height could be of the box or of the photo; say --column w=width --column h=height, "
        "or --column x= --column y="
    )
    photos, (annotation,), _ = given(path, {"w": "width", "h": "height"}, box_unit="pixels")
    assert (photos[0]["width"], annotation["w"], annotation["h"]) == (None, 30, 40)


@pytest.mark.parametrize("text", ["file,label\n", ""])
def test_a_table_without_rows_is_refused(tmp_path, text):
    path = tmp_path / "photos.csv"
    path.write_text(text)
    assert refusal(path) == "photos.csv: it has no rows below its header; export it again"
