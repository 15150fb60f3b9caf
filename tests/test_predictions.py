"""The predictions table: small, and read back as it was written."""

import duckdb
import make_tables
import numpy as np
import pytest
from scipy.special import softmax

from camtraps import catalog_sql, predictions, schema, tables
from camtraps.errors import MissingError, TableError
from camtraps.predictions import STEP, Predictions, quantised


def sample(num=50, classes=7, scale=4):
    return softmax(scale * np.random.default_rng(0).standard_normal((num, classes)), axis=1)


def table(*probabilities):
    return make_tables.predictions(
        *({"image": f"d/{at}", "probabilities": list(each)} for at, each in enumerate(probabilities))
    )


def test_stored_probabilities_are_multiples_of_the_step_and_sum_to_one():
    given = sample(2000, 169)
    stored = quantised(given)
    assert (stored / STEP == np.rint(stored / STEP)).all()
    assert np.abs(stored - given).max() < 0.55 * STEP
    assert np.abs(stored.sum(axis=1, dtype=float) - 1).max() < 169 * STEP * 0.55


def test_rounding_leaves_the_most_probable_class_where_it_was():
    given = np.array([[0.3, 0.3 + STEP / 10, 0.4 - STEP / 10], [0.35, 0.3, 0.35 + STEP / 10], [0.5, 0.5, 0.0]])
    assert quantised(given).argmax(axis=1).tolist() == given.argmax(axis=1).tolist() == [2, 2, 0]


def test_what_is_read_is_what_was_written(tmp_path):
    written = table(*quantised(sample()))
    order = np.arange(50)[::-1]  # not in the order of the key
    predictions.write(Predictions(written.crops.iloc[order], written.probabilities[order]), tmp_path / "p.parquet")
    found = predictions.read(tmp_path / "p.parquet")
    by_key = written.crops.sort_values(["image", "box"])
    assert found.crops.equals(by_key.reset_index(drop=True))
    assert (found.probabilities == written.probabilities[by_key.index]).all()


def test_the_same_rows_in_any_order_are_the_same_bytes(tmp_path):
    written = table(*quantised(sample()))
    for name, order in (("a", np.arange(50)), ("b", np.random.default_rng(1).permutation(50))):
        predictions.write(Predictions(written.crops.iloc[order], written.probabilities[order]), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_table_without_crops_is_one_too(tmp_path):
    predictions.write(table(), tmp_path / "p.parquet")
    assert predictions.read(tmp_path / "p.parquet").crops.empty


def test_many_probabilities_take_little_room(tmp_path):
    # E7: a million crops of 169 classes took 0.94 GB and ten minutes as text; here it is 1.4 bytes a probability.
    predictions.write(table(*quantised(sample(2000, 169))), tmp_path / "p.parquet")
    assert (tmp_path / "p.parquet").stat().st_size < 1.5 * 2000 * 169


def test_sql_and_plain_readers_see_the_probabilities(tmp_path):
    predictions.write(table([0.25, 0.75], [0.5, 0.5]), tmp_path / "p.parquet")
    rows = duckdb.connect().execute(f"select image, probabilities[2] from '{tmp_path}/p.parquet' order by 1").fetchall()
    assert rows == [("d/0", 0.75), ("d/1", 0.5)]
    tables.write(tables.empty(schema.CATALOG), tmp_path / "catalog/d.parquet", schema.CATALOG)
    database = catalog_sql.locked(tmp_path / "catalog", {"predictions": [tmp_path / "p.parquet"]})
    found = catalog_sql.select(database, "select image, list_max(probabilities) from predictions order by 1")
    assert list(found.values) == [rows[0], ("d/1", 0.5)]


def test_a_crop_twice_is_refused(tmp_path):
    twice = make_tables.predictions(*[{"image": "d/a", "probabilities": [1.0]}] * 2)
    with pytest.raises(TableError, match=r"the key {'image': 'd/a', 'box': 0} stands twice"):
        predictions.write(twice, tmp_path / "p.parquet")


def test_a_missing_or_foreign_file_is_said_in_one_line(tmp_path):
    with pytest.raises(MissingError, match="not found; run `dvc repro`"):
        predictions.read(tmp_path / "p.parquet")
    tables.write(make_tables.rows(schema.SPLITS), tmp_path / "p.parquet", schema.SPLITS)
    with pytest.raises(TableError, match="not a predictions table of this version"):
        predictions.read(tmp_path / "p.parquet")
