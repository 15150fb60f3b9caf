"""The CSV form of a label specification: what is read, what is refused with its line, what is written."""

from pathlib import Path

import pytest

from camtraps import label_csv
from camtraps.errors import InputError
from camtraps.label_rules import LabelRule, Rules, TaxonRule

HEADER = "output_label,type,content\n"
EXAMPLE = HEADER + (
    "cervid,family,cervidae\n"
    "cervid,row,alpha|roe deer\n"
    "cervid,datasettaxon,beta|genus|cervus\n"
    "cervid,max_count,2000\n"
    "cervid,prioritize,\"[['beta'], ['alpha']]\"\n"
    "!cervid,row,alpha|reindeer statue\n"
)
CERVID = LabelRule(
    "cervid",
    taxa=(TaxonRule("family", "cervidae"), TaxonRule("genus", "cervus", ("beta",))),
    dataset_labels=(("alpha", "roe deer"),),
    exclude=LabelRule("cervid", dataset_labels=(("alpha", "reindeer statue"),)),
    max_count=2000,
    prioritize=(("beta",), ("alpha",)),
)


def read(folder: Path, text: str) -> Rules:
    path = folder / "label_spec.csv"
    path.write_text(text, encoding="utf-8", newline="")
    return label_csv.read(path, "write one")


def message(folder: Path, text: str) -> str:
    with pytest.raises(InputError) as caught:
        read(folder, text)
    return str(caught.value).removeprefix(f"{folder}/label_spec.csv: ")


def test_the_example_of_the_specification_is_read(tmp_path):
    assert read(tmp_path, EXAMPLE) == (CERVID,)


def test_rules_are_written_and_read_back_alike(tmp_path):
    text = label_csv.text((CERVID,), tmp_path / "x.csv")
    assert sorted(text.splitlines()) == sorted(EXAMPLE.splitlines())
    assert read(tmp_path, text) == (CERVID,)


@pytest.mark.parametrize("cell", ["\"[['beta'], ['alpha']]\"", '"[[""beta""], [""alpha""]]"'])
def test_priorities_are_json_or_a_python_literal(tmp_path, cell):
    (rule,) = read(tmp_path, HEADER + f"x,genus,vulpes\nx,max_count,5\nx,prioritize,{cell}\n")
    assert rule.prioritize == (("beta",), ("alpha",))


def test_q1_a_cell_is_never_run(tmp_path):
    victim = tmp_path / "victim"
    victim.touch()
    code = f"__import__('os').remove('{victim}')"
    said = message(tmp_path, HEADER + f'x,genus,vulpes\nx,max_count,5\nx,prioritize,"{code}"\n')
    assert said.startswith("line 4: prioritize: expected [[dataset, ...], ...], got ")
    assert victim.exists()


@pytest.mark.parametrize("cell", ["beta", "['beta']", "[[]]", "[]", "[['']]", "{}", "[[1]]"])
def test_priorities_of_another_form_are_refused(tmp_path, cell):
    said = message(tmp_path, HEADER + f'x,genus,vulpes\nx,max_count,5\nx,prioritize,"{cell}"\n')
    assert said == f"line 4: prioritize: expected [[dataset, ...], ...], got {cell!r}"


def test_q2_blanks_around_cells_are_stripped(tmp_path):
    (rule,) = read(tmp_path, "output_label , type, content\n x , row , d | y \n ! x, ROW, d|z\n")
    assert rule == LabelRule("x", dataset_labels=(("d", "y"),), exclude=LabelRule("x", dataset_labels=(("d", "z"),)))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("famly", "unknown type 'famly'; did you mean family?"),
        ("rows", "unknown type 'rows'; did you mean row?"),
        (
            "zzz",
            "unknown type 'zzz'; known are row, datasettaxon, max_count, prioritize, family, genus, species and other "
            "levels of taxa",
        ),
    ],
)
def test_q2_an_unknown_type_is_refused_with_the_nearest(tmp_path, kind, said):
    assert message(tmp_path, HEADER + f"x,genus,vulpes\nx,{kind},canidae\n") == f"line 3: {said}"


@pytest.mark.parametrize("label", ["null", "NA", "nan", "None", "007", "x#1", "#1", "a|b", "a,b", 'a"b', "deer; elk"])
def test_q3_q4_q5_labels_that_look_like_something_else_survive(tmp_path, label):
    rule = LabelRule(label, dataset_labels=(("d", label.lower()),))
    text = label_csv.text((rule,), tmp_path / "x.csv")
    assert read(tmp_path, text) == (rule,)


def test_q4_only_a_whole_line_is_a_comment(tmp_path):
    text = "# a, comment\n" + HEADER + "#x,row,d|y\nx#1,row,d|y#2\n\n# end"
    assert read(tmp_path, text) == (LabelRule("x#1", dataset_labels=(("d", "y#2"),)),)


def test_a_comment_that_a_spreadsheet_has_quoted_is_a_comment(tmp_path):
    assert len(read(tmp_path, HEADER + '"# deer, elk",,\nx,genus,vulpes,,\n,,\n')) == 1


def test_a_hash_inside_a_cell_of_several_lines_is_no_comment(tmp_path):
    said = message(tmp_path, HEADER + 'x,genus,vulpes\nx,max_count,"5\n#6"\n')
    assert said == "line 4: max_count: expected a whole number above 0, got '5\\n#6'"


def test_q5_a_bar_in_a_dataset_label_belongs_to_it(tmp_path):
    (rule,) = read(tmp_path, HEADER + "x,row,d|a|b\nx,datasettaxon,d|species|a|b\n")
    assert rule.dataset_labels == (("d", "a|b"),)
    assert rule.taxa == (TaxonRule("species", "a|b", ("d",)),)


def test_rows_of_a_taxon_in_several_datasets_become_one_rule(tmp_path):
    (rule,) = read(tmp_path, HEADER + "x,datasettaxon,a|genus|vulpes\nx,datasettaxon,b|genus|vulpes\n")
    assert rule.taxa == (TaxonRule("genus", "vulpes", ("a", "b")),)


def test_labels_stand_in_the_order_of_their_first_row(tmp_path):
    text = HEADER + "b,genus,x\na,genus,y\n!b,row,d|q\nb,genus,z\n"
    assert [rule.label for rule in read(tmp_path, text)] == ["b", "a"]


@pytest.mark.parametrize("text", [EXAMPLE.replace(",", ";").replace("'];", "'],"), "\ufeff" + EXAMPLE])
def test_what_spreadsheets_write_is_read(tmp_path, text):
    assert read(tmp_path, text) == (CERVID,)


def test_line_ends_of_windows_are_read(tmp_path):
    assert read(tmp_path, EXAMPLE.replace("\n", "\r\n")) == (CERVID,)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("x,row,d\n", "line 2: row: expected dataset|label, got 'd'"),
        ("x,row,|y\n", "line 2: row: expected dataset|label, got '|y'"),
        ("x,datasettaxon,d|genus\n", "line 2: datasettaxon: expected dataset|level|name, got 'd|genus'"),
        ("x,datasettaxon,d|genu|y\n", "line 2: unknown level 'genu'; did you mean genus?"),
        ("x,genus,\n", "line 2: genus: the name of the taxon is missing"),
        ("x,genus,y\nx,max_count,0\n", "line 3: max_count: expected a whole number above 0, got '0'"),
        ("x,genus,y\nx,max_count,2.5\n", "line 3: max_count: expected a whole number above 0, got '2.5'"),
        ("x,genus,y\nx,max_count,\n", "line 3: max_count: expected a whole number above 0, got ''"),
        ("x,genus,y\nx,max_count,5\nx,max_count,5\n", "line 4: max_count stands twice, first in line 3"),
        (
            "x,genus,y\n!x,max_count,5\n",
            "line 3: max_count has no place in an exclude (!label); write it to the label itself",
        ),
        ("!x,genus,y\n", "line 2: x: needs taxa or dataset labels (type row)"),
        ("x,max_count,5\n", "line 2: x: needs taxa or dataset labels (type row)"),
        (",genus,y\n", "line 2: a label is empty"),
        ("x,genus\n", "line 2: expected output_label,type,content, got 'x,genus'"),
        (
            "x,genus,y,z\n",
            "line 2: expected output_label,type,content, got 'x,genus,y,z'; quote a cell that has a comma",
        ),
        (
            "x,genus,y\nx,prioritize,\"[['d']]\"\n",
            "line 2: x.prioritize: has no effect without max_count; add one or remove it",
        ),
        (
            "x,genus,y\nX,genus,z\n",
            "line 3: labels 'x' and 'X' differ only by case; make them one, or rename one",
        ),
    ],
)
def test_q6_q14_a_malformed_row_is_named_with_its_line(tmp_path, rows, said):
    assert message(tmp_path, HEADER + rows) == said


def test_all_problems_are_said_at_once(tmp_path):
    said = message(tmp_path, HEADER + "# one\nx,famly,y\nx,row,d\nY,genus,z\n")
    assert said == "line 3: unknown type 'famly'; did you mean family?; line 4: row: expected dataset|label, got 'd'"


@pytest.mark.parametrize(
    ("text", "got"),
    [("", "nothing"), ("label,type,content\n", "'label,type,content'"), ("type,output_label\n", "'type,output_label'")],
)
def test_another_header_is_refused(tmp_path, text, got):
    said = message(tmp_path, text)
    assert said == f"expected the columns output_label,type,content, got {got}"


def test_a_file_without_labels_is_refused(tmp_path):
    said = message(tmp_path, HEADER + "# nothing\n")
    assert said == "expected rows with at least one label, below output_label,type,content"


def test_a_quote_that_is_not_closed_is_refused(tmp_path):
    said = message(tmp_path, HEADER + 'x,genus,"y\nz,genus,w\n')
    assert said.removeprefix(f"{tmp_path}/label_spec.csv") == (
        ":3: not valid CSV: unexpected end of data; is a quote not closed?"
    )


def test_what_the_form_cannot_say_is_refused_at_writing(tmp_path):
    rules = (LabelRule("!x", (TaxonRule("genus", "y"),)), LabelRule("z", (TaxonRule("morph", "y"),)))
    with pytest.raises(InputError) as caught:
        label_csv.text(rules, Path("out.csv"))
    assert str(caught.value).startswith(
        "out.csv: label '!x' starts with !, which means an exclude; write it as .json; z: unknown level 'morph'; "
    )
