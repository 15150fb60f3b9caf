"""Photos in folders: what their paths, their EXIF and their XMP say."""

import os
from pathlib import Path

import pytest
from make_photos import ORIGINAL, packet, photo

from camtraps.errors import InputError, MissingError
from camtraps.formats import folders
from camtraps.formats.rows import Annotation, Fault, Photo, Problem

NOT_FOLLOWED = "link leads out of the folder, in a circle or to nothing"


def of(kind: type, *arguments, **options) -> list:
    return [each for each in folders.read(*arguments, **options) if isinstance(each, kind)]


def classes(root: Path, prefix: str | None = None) -> list[str]:
    return [each.name for each in of(Annotation, root, "{file}", labels="xmp", xmp_prefix=prefix)]


def test_the_path_gives_location_sequence_and_label(tmp_path):
    photo(tmp_path / "alps" / "007" / "s1" / "deer, roe" / "NA.JPG", times={ORIGINAL: "2024:04:01 05:06:07"})
    given = list(folders.read(tmp_path, "{dataset}/{location}/{sequence}/{label}/{file}"))
    file = "alps/007/s1/deer, roe/NA.JPG"
    assert given == [
        Photo(
            place=file,
            key=file,
            file=file,
            location="007",
            sequence="007/s1",
            taken="2024-04-01 05:06:07",
            width="8",
            height="4",
            dataset="alps",
        ),
        Annotation(file, file, "deer, roe"),
    ]


def test_photos_come_sorted_by_file(tmp_path):
    for name in ("b/2.jpg", "a/1.jpg", "b/1.jpg", "a.jpg/1.jpg"):
        photo(tmp_path / name)
    assert [each.file for each in of(Photo, tmp_path, "*/{file}")] == ["a.jpg/1.jpg", "a/1.jpg", "b/1.jpg", "b/2.jpg"]


def test_a_photo_without_label_has_no_annotation(tmp_path):
    photo(tmp_path / "north" / "1.jpg")
    assert of(Annotation, tmp_path, "{location}/{file}") == []


@pytest.mark.parametrize(
    ("pattern", "location", "label"),
    [
        ("{location}/*/{label}/{file}", "north", "deer"),
        ("{location}/{}/{label}/{file}", "north", "deer"),
        ("*/{location}/{label}/{file}", "cam.1", "deer"),
        ("{location}/**/{file}", "north", None),
        ("**/{label}/{file}", None, "deer"),
        ("{location}/cam.1/{label}/**/{file}", "north", "deer"),
    ],
)
def test_a_pattern_may_leave_folders_out(tmp_path, pattern, location, label):
    photo(tmp_path / "north" / "cam.1" / "deer" / "1.jpg")
    given = list(folders.read(tmp_path, pattern))
    assert given[0].location == location
    assert [each.name for each in given[1:]] == ([label] if label else [])


def test_photos_that_do_not_match_are_dropped_and_other_files_skipped(tmp_path):
    photo(tmp_path / "north" / "deer" / "1.jpg")
    photo(tmp_path / "north" / "2.JPEG")
    photo(tmp_path / "north" / "deer" / "more" / "3.jpg")
    for name in ("north/Thumbs.db", "notes.txt", "north/deer/._1.jpg", ".trash"):
        (tmp_path / name).write_text("x")
    assert of(Problem, tmp_path, "{location}/{label}/{file}") == [
        Problem(".trash", "skipped", "hidden"),
        Problem("north/deer/._1.jpg", "skipped", "hidden"),
        Problem("north/Thumbs.db", "skipped", "not a photo"),
        Problem("notes.txt", "skipped", "not a photo"),
        Problem("north/2.JPEG", "dropped", "path does not match the pattern {location}/{label}/{file}"),
        Problem("north/deer/more/3.jpg", "dropped", "path does not match the pattern {location}/{label}/{file}"),
    ]


def test_a_photo_that_cannot_be_opened_is_kept_as_corrupt(tmp_path):
    (tmp_path / "1.jpg").write_bytes(b"no photo")
    (tmp_path / "2.jpg").write_bytes(b"")
    photo(tmp_path / "3.jpg")
    assert [each.corrupt for each in of(Photo, tmp_path, "{file}")] == [True, True, False]
    assert of(Problem, tmp_path, "{file}") == [
        Problem(f"{name}.jpg", "mended", "photo cannot be opened; marked as corrupt", "not an image") for name in "12"
    ]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_the_class_is_the_last_part_of_a_tag(tmp_path, kind):
    photo(tmp_path / f"1.{kind.lower()}", kind, xmp=packet(("Species|Mammal|Roe deer",)))
    assert of(Annotation, tmp_path, "{file}", labels="xmp") == [
        Annotation(f"1.{kind.lower()}", f"1.{kind.lower()}", "Roe deer")
    ]


def test_several_tags_are_several_labels_and_a_prefix_chooses(tmp_path):
    photo(tmp_path / "1.jpg", xmp=packet(("Species|Roe deer", "Species|a & b", "Sex|male", "NA")))
    assert classes(tmp_path) == ["Roe deer", "a & b", "male", "NA"]
    assert classes(tmp_path, "Species") == ["Roe deer", "a & b"]


@pytest.mark.parametrize("name", ["1.jpg.xmp", "1.xmp", "1.XMP"])
def test_a_file_beside_the_photo_goes_before_what_is_in_it(tmp_path, name):
    photo(tmp_path / "1.jpg", xmp=packet(("old",)))
    (tmp_path / name).write_bytes(packet(("new",)))
    given = list(folders.read(tmp_path, "{file}", labels="xmp"))
    assert [type(each) for each in given] == [Photo, Annotation]
    assert given[1].name == "new"


def test_a_file_beside_the_photo_without_tags_hides_nothing(tmp_path):
    photo(tmp_path / "1.jpg", xmp=packet(("fox",)))
    (tmp_path / "1.xmp").write_bytes(packet())
    (tmp_path / "2.xmp").write_bytes(packet(("of no photo",)))
    assert classes(tmp_path) == ["fox"]
    assert of(Problem, tmp_path, "{file}", labels="xmp") == [Problem("2.xmp", "skipped", "not a photo")]


@pytest.mark.parametrize(
    ("xmp", "found"),
    [
        (b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>', "it declares entities"),
        (b"<x>", "no element found: line 1, column 3"),
        (b"\xff\xfe<\0x\0", "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
    ],
)
def test_xmp_that_cannot_be_read_is_left_out(tmp_path, xmp, found):
    photo(tmp_path / "1.jpg", xmp=xmp)
    photo(tmp_path / "2.jpg", xmp=packet(("fox",)))
    assert classes(tmp_path) == ["fox"]
    assert of(Problem, tmp_path, "{file}", labels="xmp") == [
        Problem("1.jpg", "mended", "XMP cannot be read; its tags are left out", found)
    ]
    assert of(Problem, tmp_path, "{file}") == []


def test_a_prefix_that_no_tag_has_is_a_fault(tmp_path):
    photo(tmp_path / "1.jpg", xmp=packet(("Species|Fox", "Sex|male")))
    assert of(Fault, tmp_path, "{file}", labels="xmp", xmp_prefix="Specis") == [
        Fault("none of 1 photos has a hierarchical XMP tag below 'Specis'; their first parts are Sex, Species")
    ]


def test_photos_without_any_tag_are_a_fault(tmp_path):
    photo(tmp_path / "1.jpg")
    assert of(Fault, tmp_path, "{file}", labels="xmp") == [Fault("none of 1 photos has a hierarchical XMP tag")]


def test_links_are_followed_inside_the_folder_only(tmp_path):
    root = tmp_path / "root"
    photo(root / "raw" / "1.jpg")
    photo(tmp_path / "away" / "9.jpg")
    (root / "deer").mkdir()
    (root / "deer" / "1.jpg").symlink_to(root / "raw" / "1.jpg")
    (root / "fox").symlink_to(root / "raw", target_is_directory=True)
    (root / "out").symlink_to(tmp_path / "away", target_is_directory=True)
    (root / "deer" / "9.jpg").symlink_to(tmp_path / "away" / "9.jpg")
    (root / "deer" / "gone.jpg").symlink_to(root / "gone.jpg")
    assert [each.file for each in of(Photo, root, "{label}/{file}")] == ["deer/1.jpg", "fox/1.jpg", "raw/1.jpg"]
    assert of(Problem, root, "{label}/{file}") == [
        Problem("deer/9.jpg", "dropped", NOT_FOLLOWED),
        Problem("deer/gone.jpg", "dropped", NOT_FOLLOWED),
        Problem("out", "skipped", NOT_FOLLOWED),
    ]


def test_links_in_a_circle_end(tmp_path):
    photo(tmp_path / "a" / "1.jpg")
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "to_b").symlink_to(tmp_path / "b", target_is_directory=True)
    (tmp_path / "b" / "to_a").symlink_to(tmp_path / "a", target_is_directory=True)
    (tmp_path / "a" / "self.jpg").symlink_to(tmp_path / "a" / "self.jpg")
    assert [each.file for each in of(Photo, tmp_path, "**/{file}")] == ["a/1.jpg", "b/to_a/1.jpg"]
    assert {each.item for each in of(Problem, tmp_path, "**/{file}")} == {
        "a/self.jpg",
        "a/to_b/to_a",
        "b/to_a/self.jpg",
        "b/to_a/to_b",
    }


def test_what_is_no_file_is_not_opened(tmp_path):
    photo(tmp_path / "1.jpg")
    os.mkfifo(tmp_path / "2.jpg")
    assert of(Problem, tmp_path, "{file}") == [Problem("2.jpg", "skipped", "not a photo")]


def test_a_name_that_is_not_unicode_can_be_shown(tmp_path):
    photo(tmp_path / os.fsdecode(b"caf\xe9.jpg"))
    (given,) = of(Photo, tmp_path, "{file}")
    assert (given.place, given.file, given.corrupt) == ("caf\\udce9.jpg", "caf\udce9.jpg", False)


LIKE = "; write it like {location}/{label}/{file}"


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("{locaton}/{file}", "{locaton} is unknown, did you mean {location}?"),
        ("{q}/{file}", "{q} is unknown, known are {dataset} {location} {sequence} {label} {file}"),
        ("{location}/{label}", "its last part is not {file}"),
        ("{label}/{label}/{file}", "{label} stands twice"),
        ("**/{label}/**/{file}", "** stands twice"),
        (
            "{location}_{label}/{file}",
            "part '{location}_{label}' is not one placeholder, *, ** or the name of a folder",
        ),
        ("/{file}", "part '' is not one placeholder, *, ** or the name of a folder"),
        ("../{file}", "part '..' is not one placeholder, *, ** or the name of a folder"),
        ("cam*/{file}", "part 'cam*' is not one placeholder, *, ** or the name of a folder"),
        ("", "part '' is not one placeholder, *, ** or the name of a folder; its last part is not {file}"),
    ],
)
def test_a_pattern_that_cannot_be_used_says_why(tmp_path, pattern, problem):
    with pytest.raises(InputError) as caught:
        list(folders.read(tmp_path, pattern))
    assert str(caught.value) == f"pattern {pattern!r}: {problem}{LIKE}"


def test_options_that_contradict_are_refused(tmp_path):
    with pytest.raises(InputError) as caught:
        list(folders.read(tmp_path, "{label}/{file}", labels="xmp"))
    assert str(caught.value) == (
        "pattern '{label}/{file}': has {label}, but the labels are taken from XMP; write * for it"
    )
    with pytest.raises(InputError) as caught:
        list(folders.read(tmp_path, "{label}/{file}", xmp_prefix="Species"))
    assert str(caught.value) == (
        "XMP prefix 'Species': has no effect, since the labels are taken from the path; leave it out"
    )


def test_a_pattern_that_no_photo_matches_is_a_fault(tmp_path):
    photo(tmp_path / "north" / "1.jpg")
    photo(tmp_path / "north" / "2.jpg")
    assert of(Fault, tmp_path, "{location}/{label}/{file}") == [
        Fault("none of 2 photos matches the pattern {location}/{label}/{file}; the first is 'north/1.jpg'")
    ]


def test_a_folder_without_photos_is_refused(tmp_path):
    with pytest.raises(MissingError) as missing:
        list(folders.read(tmp_path / "gone", "{file}"))
    assert str(missing.value) == f"{tmp_path}/gone: image folder not found"
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError) as caught:
        list(folders.read(tmp_path, "{file}"))
    assert str(caught.value) == (
        f"{tmp_path}: no photo in it; looked for .jpg .jpeg .png .tif .tiff .bmp .gif .webp .avif"
    )
    with pytest.raises(InputError) as caught:
        list(folders.read(tmp_path / "notes.txt", "{file}"))
    assert str(caught.value) == f"{tmp_path}/notes.txt: is a file; expected the folder that the photos are in"
