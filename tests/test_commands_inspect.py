"""The command that inspects the crops and their split."""

import csv
import json
from pathlib import Path

import pytest
from test_pages import cells, parsed
from test_split_stage import project, run  # noqa: F401

from camtraps import cli, layout


@pytest.fixture
def inspect(project, capsys):  # noqa: F811
    Path("dvc.yaml").touch()
    run()
    capsys.readouterr()

    def inspect(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.main(["inspect", *arguments])
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return inspect


def test_the_page_shows_what_the_split_wrote(inspect):
    assert inspect() == (0, "inspection.html: 12 crops of 2 labels\n", "")
    text = Path("inspection.html").read_text()
    page = parsed(text)
    assert page.tags.count("img") == 12
    assert ["blue", "4 (67%)", "1 (17%)", "1 (17%)", "6"] in cells(text)
    inspect("--out", "again.html")
    assert Path("again.html").read_text() == text


def test_a_label_like_nothing_stays_one(inspect):
    with (layout.SPLITS / "balance.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with (layout.SPLITS / "balance.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | {"label": {"red": "NA", "blue": "007"}[row["label"]]} for row in rows)
    inspect()
    names = [row[0] for row in cells(Path("inspection.html").read_text()) if row]
    assert {"NA", "007"} <= set(names)


def test_another_split_is_laid_beside_it(inspect):
    Path("old.json").write_text(json.dumps({"train": [["d", f"{at:03}"] for at in range(6)]}))
    assert inspect("--compare", "old.json")[0] == 0
    assert ["train", "4", "1", "1", "0"] in cells(Path("inspection.html").read_text())


def test_before_the_split_there_is_nothing_to_inspect(inspect):
    (layout.SPLITS / "balance.csv").unlink()
    message = (
        "camtraps: data/splits/balance.csv: not found; run `dvc repro split`, or `dvc pull` if it was made elsewhere\n"
    )
    assert inspect()[::2] == (1, message)


def test_the_page_is_not_written_into_what_dvc_tracks(inspect):
    code, _, err = inspect("--out", "data/splits/page.html")
    assert code == 1
    assert err.startswith("camtraps: --out: data/splits/page.html is in data/splits, which DVC keeps track of")
