"""Decisions come home: the ledger grows by what is new, reviewers are compared."""

import make
import pytest

from camtraps import corrections, decisions, taxonomy
from camtraps.decisions import add, check, compare
from camtraps.errors import MissingError
from camtraps.formats.decisions import Decision

HEADER = "dataset,file,correct_class,reviewer,date,reason,source\n"
TODAY = "2024-07-01"


@pytest.fixture
def ledger(tmp_path):
    path = tmp_path / "corrections.csv"
    corrections.create(path)
    return path


def lines(path):
    return path.read_text().removeprefix(HEADER).splitlines()


def latest(path):
    return {file: right for _, file, right in corrections.read_latest(path).itertuples(index=False)}


def test_a_decision_gets_its_source_and_where_it_has_none_today_s_date(ledger):
    """Defect B9: CameraTraps stores no author, date and reason."""
    given = [Decision("d", "a.jpg", "fox", "ann", "2024-05-01", "tail, white"), Decision("d", "b.jpg", "", "bob")]
    assert add(ledger, given, "page.csv", TODAY) == 2
    assert lines(ledger) == [
        'd,a.jpg,fox,ann,2024-05-01,"tail, white",page.csv',
        "d,b.jpg,,bob,2024-07-01,,page.csv",
    ]


@pytest.mark.parametrize("date", ["2024-05-01", ""])
def test_importing_twice_changes_nothing(ledger, date):
    """Defect B5: CameraTraps may refuse the same rows when they come again."""
    given = [Decision("d", "a.jpg", "fox", "ann", date), Decision("d", "b.jpg", "", "ann", date)]
    add(ledger, given, "page.csv", TODAY)
    before = ledger.read_bytes()
    assert add(ledger, given, "copy.csv", "2024-08-01") == 0
    assert ledger.read_bytes() == before


def test_a_wrong_label_gets_its_class_later_and_a_decision_can_be_changed(ledger):
    """Defect B6: in CameraTraps a correction can never be completed or changed."""
    for name in ("", "fox", "deer"):
        add(ledger, [Decision("d", "a.jpg", name, "ann")], "d.csv", TODAY)
        assert latest(ledger) == {"a.jpg": name}
    assert len(lines(ledger)) == 3


def test_the_last_decision_by_date_counts_though_it_was_imported_first(ledger):
    add(ledger, [Decision("d", "a.jpg", "fox", "ann", "2024-05-03"), Decision("d", "b.jpg", "owl")], "1.csv", TODAY)
    assert add(ledger, [Decision("d", "a.jpg", "deer", "bob", "2024-05-02")], "2.csv", TODAY) == 1
    assert latest(ledger) == {"a.jpg": "fox", "b.jpg": "owl"}
    assert add(ledger, [Decision("d", "a.jpg", "deer", "bob", "2024-05-04")], "3.csv", TODAY) == 1
    assert latest(ledger)["a.jpg"] == "deer"


def test_of_one_day_with_and_without_a_time_the_one_imported_last_counts(ledger):
    add(ledger, [Decision("d", "a.jpg", "fox", "ann", f"{TODAY}T10:00:00Z")], "page.csv", TODAY)
    add(ledger, [Decision("d", "a.jpg", "deer", "bob")], "timelapse.csv", TODAY)
    assert latest(ledger) == {"a.jpg": "deer"}
    add(ledger, [Decision("d", "a.jpg", "owl", "ann", f"{TODAY}T09:00:00Z")], "older.csv", TODAY)
    assert latest(ledger)["a.jpg"] == "deer"


def test_a_reason_that_was_added_later_is_kept(ledger):
    for reason in ("", "tail"):
        assert add(ledger, [Decision("d", "a.jpg", "fox", "ann", TODAY, reason)], "page.csv", TODAY) == 1


def test_both_of_two_reviewers_stay_in_the_ledger(ledger):
    add(ledger, [Decision("d", "a.jpg", "fox", "ann")], "1.csv", TODAY)
    add(ledger, [Decision("d", "a.jpg", "fox", "bob")], "2.csv", TODAY)
    assert [line.split(",")[3] for line in lines(ledger)] == ["ann", "bob"]


def test_columns_of_a_team_s_own_stay(tmp_path):
    path = tmp_path / "corrections.csv"
    path.write_text("dataset,file,correct_class,ticket\nd,a.jpg,fox,7\n")
    add(path, [Decision("d", "b.jpg", "owl", "ann")], "d.csv", TODAY)
    assert path.read_text().splitlines() == [
        "dataset,file,correct_class,reviewer,date,reason,source,ticket",
        "d,a.jpg,fox,,,,,7",
        "d,b.jpg,owl,ann,2024-07-01,,d.csv,",
    ]


def test_without_a_ledger_it_says_how_to_make_one(tmp_path):
    with pytest.raises(MissingError, match="make one with the line dataset,file"):
        add(tmp_path / "corrections.csv", [], "d.csv", TODAY)


@pytest.fixture
def database(tmp_path):
    return make.database(tmp_path / "catalog", make.row("d/a.jpg", "deer"), make.row("d/b.jpg", "red fox"))


def test_photos_that_the_catalog_does_not_have_are_told_and_left_out(database):
    checked = check(
        [Decision("d", "a.jpg", ""), Decision("d", "c.jpg", ""), Decision("e", "a.jpg", "")], database, [], None
    )
    assert [each.file for each in checked.decisions] == ["a.jpg"]
    assert checked.problems == [
        ("d/c.jpg", "the catalog has no such photo"),
        ("e/a.jpg", "the catalog has no such photo"),
    ]


def test_a_class_is_one_of_the_dataset_or_a_label_and_any_other_is_told(database):
    names = ["Red Fox ", "deer", "canid", "wolf"]
    checked = check([Decision("d", "a.jpg", name) for name in names], database, ["canid"], None)
    assert [each.correct_class for each in checked.decisions] == names
    assert checked.problems == [("d/a.jpg", "neither class of d nor label: wolf")]


@pytest.mark.parametrize("name", ["vulpes vulpes", "species vulpes vulpes", "Species:Vulpes vulpes"])
def test_a_taxon_becomes_the_dataset_s_class_for_it(database, tmp_path, name):
    lineages = {("d", "red fox"): [("species", "vulpes vulpes"), ("genus", "vulpes")]}
    (tmp_path / "taxonomy.csv").write_text(make.taxonomy_csv(lineages))
    taxa = taxonomy.read(tmp_path / "taxonomy.csv")
    checked = check([Decision("d", "a.jpg", name)], database, [], taxa)
    assert [each.correct_class for each in checked.decisions] == ["red fox"]
    assert not checked.problems


def test_reviewers_that_differ_are_listed_with_what_counts(ledger):
    rows = [
        "d,a,fox,ann,1,,",
        "d,a,deer,bob,2,,",
        "d,b,fox,ann,1,,",
        "d,b,fox,bob,2,,",
        "d,c,,ann,1,,",
        "d,c,owl,cy,2,,",
    ]
    ledger.write_text(HEADER + "\n".join(rows) + "\n")
    found = compare(ledger).conflicts
    assert list(found) == ["dataset", "file", "ann", "bob", "cy", "counts"]
    assert found.to_numpy().tolist() == [
        ["d", "a", "fox", "deer", None, "deer"],
        ["d", "c", "(unknown)", None, "owl", "owl"],
    ]


def test_agreement_is_cohen_s_kappa_of_what_both_decided(ledger):
    """Of 4 photos they agree on 3, 0.75; by chance 2/4 * 3/4 + 2/4 * 1/4 = 0.5; kappa (0.75 - 0.5) / 0.5 = 0.5."""
    ann, bob = ["fox", "fox", "owl", "owl"], ["fox", "fox", "fox", "owl"]
    rows = [f"d,{at},{name},{who},,," for who, names in (("ann", ann), ("bob", bob)) for at, name in enumerate(names)]
    ledger.write_text(HEADER + "\n".join([*rows, "d,9,owl,ann,,,"]) + "\n")
    assert compare(ledger).agreement.to_numpy().tolist() == [["ann", "bob", 4, 0.75, pytest.approx(0.5)]]


def test_a_changed_mind_is_no_conflict_and_one_class_alone_has_no_kappa(ledger):
    rows = ["d,a,deer,ann,1,,", "d,a,fox,ann,2,,", "d,a,fox,bob,3,,"]
    ledger.write_text(HEADER + "\n".join(rows) + "\n")
    found = compare(ledger)
    assert found.conflicts.empty
    assert found.agreement["kappa"].isna().all()


def test_an_empty_ledger_has_no_conflicts(ledger):
    found = decisions.compare(ledger)
    assert found.conflicts.empty
    assert found.agreement.empty
