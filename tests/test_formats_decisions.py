"""Decisions of people as files: the review page's, Timelapse's in all its path forms, the lists of CameraTraps."""

import pytest

from camtraps.errors import InputError, MissingError
from camtraps.formats.decisions import Decision, read

PAGE = "dataset,file,correct_class,reviewer,date,reason,decision,label,predicted\n"
TIMELAPSE = "File,RelativePath,DateTime,mislabeled,correct_class\n"


@pytest.fixture
def given(tmp_path):
    def write(text, name="d.csv", dataset=None):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return read(tmp_path / name, dataset)

    return write


@pytest.fixture
def message(given, tmp_path):
    def said(text, name="d.csv"):
        with pytest.raises(InputError) as caught:
            given(text, name)
        return str(caught.value).removeprefix(str(tmp_path / name))

    return said


def test_the_page_says_who_decided_what_when_and_why(given):
    """Defect B9: CameraTraps stores no author, date and reason."""
    text = PAGE + "d,a.jpg,fox,ann,2024-05-01,tail,wrong,deer,fox\nd,b.jpg,deer,ann,2024-05-01,,right,deer,fox\n"
    assert given(text + "d,c.jpg,,ann,,,unknown,deer,fox\n") == [
        Decision("d", "a.jpg", "fox", "ann", "2024-05-01", "tail"),
        Decision("d", "b.jpg", "deer", "ann", "2024-05-01"),
        Decision("d", "c.jpg", "", "ann"),
    ]


@pytest.mark.parametrize(
    ("folder", "photo"),
    [
        ("alpha\\cam3\\2024", ("alpha", "cam3/2024/0007.JPG")),
        ("alpha/cam3/2024", ("alpha", "cam3/2024/0007.JPG")),
        (".\\alpha\\cam3\\", ("alpha", "cam3/0007.JPG")),
        ("alpha", ("alpha", "0007.JPG")),
    ],
)
def test_timelapse_s_paths_become_those_of_the_catalog(given, folder, photo):
    """Defect B7: a photo directly in the dataset's folder breaks CameraTraps; and B8: paths and account were fixed."""
    (found,) = given(TIMELAPSE + f"0007.JPG,{folder},2024-01-01,true,elk\n")
    assert (found.dataset, found.file, found.correct_class) == (*photo, "elk")


@pytest.mark.parametrize(("folder", "file"), [("cam3\\2024", "cam3/2024/7.JPG"), ("", "7.JPG")])
def test_photos_that_were_reviewed_in_their_own_folder_get_the_dataset_that_is_given(given, folder, file):
    (found,) = given(TIMELAPSE + f"7.JPG,{folder},,true,\n", dataset="alpha")
    assert found == Decision("alpha", file, "")


def test_rows_of_timelapse_without_the_flag_are_no_decision(given):
    text = TIMELAPSE + "1.JPG,a,,false,\n2.JPG,a,,TRUE,\n3.JPG,a,,False,\n"
    assert given(text) == [Decision("a", "2.JPG", "")]


def test_the_class_may_be_missing_in_timelapse_s_template(given):
    assert given("File,RelativePath,mislabeled\n1.JPG,a,true\n") == [Decision("a", "1.JPG", "")]


def test_a_list_of_cameratraps_is_named_after_its_dataset(given):
    text = "file,correct_class\ncam3/0007.jpg,elk\ncam4/1.jpg,\n"
    assert given(text, "alpha.csv") == [Decision("alpha", "cam3/0007.jpg", "elk"), Decision("alpha", "cam4/1.jpg", "")]


def test_a_list_whose_classes_are_all_empty_stays_text(given):
    """Defect B5: such a column became numbers, and the same rows imported again differed from themselves."""
    assert given("file,correct_class\n1.jpg,\n", "007.csv") == [Decision("007", "1.jpg", "")]


def test_all_problems_of_timelapse_s_rows_are_named(message):
    text = TIMELAPSE + "1.JPG,a,,yes,\n2.JPG,a,,false,elk\n3.JPG,a,,true,\n"
    assert message(text) == (
        ": line 2: mislabeled: expected true or false, got 'yes'; line 3: correct_class 'elk' without the flag "
        "mislabeled"
    )


def test_a_decision_that_contradicts_itself_is_named(message):
    text = PAGE + "d,a.jpg,fox,,,,unknown,,\nd,a.jpg,,,,,wrong,,\nd,a.jpg,fox,,,,maybe,,\n"
    assert message(text) == (
        ": line 2: decision unknown with correct_class 'fox'; line 3: decision wrong with correct_class ''; "
        "line 4: decision: expected right, wrong, unknown, got 'maybe'"
    )


def test_a_name_that_leads_out_of_the_dataset_is_refused(message):
    assert message(PAGE + "d,../../x,fox,,,,,,\n") == ": no photo of a dataset: 'd', '../../x'"
    assert message(TIMELAPSE + "1.JPG,,,true,\n") == ": no photo of a dataset: '1.JPG', ''"


def test_another_table_is_refused_with_what_was_expected(message):
    assert message("a,b\n1,2\n") == (
        ":1: expected dataset, file, correct_class (the review page), File, RelativePath, mislabeled (Timelapse) or "
        "file, correct_class (CameraTraps), got a, b"
    )
    assert message("").endswith("got nothing")


def test_timelapse_without_the_flag_is_told_which_column_is_missing(message):
    assert message("File,RelativePath\n1,a\n") == ":1: column mislabeled is missing; it has File, RelativePath"


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(MissingError) as caught:
        read(tmp_path / "no.csv")
    assert str(caught.value) == f"{tmp_path}/no.csv: not found; check the path"
