"""Journal: an answer is kept at once, and counts as long as what it was made from stays the same."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from camtraps import journal, tables
from camtraps.errors import CamtrapsError
from camtraps.journal import Journal
from camtraps.schema import RECORDED

BOX = {"category": "animal", "confidence": 0.9, "x": 0.1, "y": 0.2, "w": 0.3, "h": 0.4}


def answer(name, fingerprint="f", **more):
    empty = {"failure": None, "note": None, "boxes": [BOX]}
    return {"image": f"d/{name}", "dataset": "d", "file": name, "fingerprint": fingerprint} | empty | more


def known(folder, **wanted):
    """Ask a new journal, as the next run does."""
    answers = Journal(folder).known({f"d/{name}": fingerprint for name, fingerprint in wanted.items()})
    assert answers.schema == RECORDED.schema
    return {row["file"]: row for row in answers.to_pylist()}


def test_answers_come_back_as_they_were_given(tmp_path):
    given = [
        answer("a"),
        answer("b", boxes=[], note="nothing moved"),
        answer("c", boxes=None, failure="photo not found"),
    ]
    Journal(tmp_path).add(given[:2])
    Journal(tmp_path).add(given[2:])
    wanted = [{key: value for key, value in row.items() if key != "fingerprint"} for row in given]
    assert list(known(tmp_path, a="f", b="f", c="f").values()) == wanted


def test_an_answer_counts_for_its_fingerprint_only(tmp_path):
    Journal(tmp_path).add([answer("a", "old"), answer("b", "new")])
    assert set(known(tmp_path, a="new", b="new", c="new")) == {"b"}


def test_a_later_answer_wins(tmp_path):
    book = Journal(tmp_path)
    for note in ("first", "second"):
        book.add([answer("a", boxes=[], note=note)])
    assert known(tmp_path, a="f")["a"]["note"] == "second"


def test_an_answer_to_an_earlier_fingerprint_is_not_lost(tmp_path):
    Journal(tmp_path).add([answer("a", "one", note="of one")])
    Journal(tmp_path).add([answer("a", "two")])
    assert known(tmp_path, a="one")["a"]["note"] == "of one"


def test_nothing_new_writes_nothing(tmp_path):
    Journal(tmp_path).add([])
    assert (list(tmp_path.iterdir()), known(tmp_path, a="f")) == ([], {})


def test_many_small_parts_become_one(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "NUM_PARTS", 3)
    book = Journal(tmp_path)
    for number in range(7):
        book.add([answer(f"{number}"), answer("same", boxes=[], note=str(number))])
    assert len(list(tmp_path.iterdir())) == 3
    answers = known(tmp_path, same="f", **{str(number): "f" for number in range(7)})
    assert len(answers) == 8
    assert answers["same"]["note"] == "6"


def test_a_run_that_is_killed_while_parts_are_joined_loses_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "NUM_PARTS", 3)
    monkeypatch.setattr(journal, "remove", lambda path: (_ for _ in ()).throw(KeyboardInterrupt))
    book = Journal(tmp_path)
    book.add([answer("a")])
    book.add([answer("b")])
    with pytest.raises(KeyboardInterrupt):
        book.add([answer("a", note="later")])
    assert {name: row["note"] for name, row in known(tmp_path, a="f", b="f").items()} == {"a": "later", "b": None}


def test_what_a_full_disk_refuses_is_not_half_written(tmp_path, monkeypatch):
    def full(rows, path, **_):
        path.write_bytes(b"PAR1")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(CamtrapsError, match="the disk is full"):
        Journal(tmp_path).add([answer("a")])
    assert list(tmp_path.iterdir()) == []


def test_a_part_that_is_damaged_or_of_another_version_is_asked_for_again(tmp_path):
    Journal(tmp_path).add([answer("a")])
    (tmp_path / "0.parquet").write_bytes(b"torn")
    pq.write_table(RECORDED.schema.empty_table(), tmp_path / "1.parquet")
    assert set(known(tmp_path, a="f")) == {"a"}


def test_parts_that_another_run_joins_meanwhile_lose_nothing(tmp_path, monkeypatch):
    for name in "ab":
        Journal(tmp_path).add([answer(name)])
    first, second = sorted(tmp_path.iterdir())
    read, joined = tables.read_arrow, pa.concat_tables([pq.read_table(first), pq.read_table(second)])

    def read_and_join(path, table):
        rows = read(path, table)
        if second.exists():
            pq.write_table(joined, first)
            second.unlink()
        return rows

    monkeypatch.setattr(tables, "read_arrow", read_and_join)
    assert set(known(tmp_path, a="f", b="f")) == {"a", "b"}
