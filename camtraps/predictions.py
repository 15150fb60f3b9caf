"""The predictions table: what the classifier says of each crop, its probabilities as one array, small on disk."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from camtraps import schema, tables
from camtraps.schema import PREDICTIONS

# Probabilities are stored as multiples of this, two in a million: rows sum to 1 but for 0.55 of it for each class.
STEP = 2.0**-19


@dataclass(frozen=True)
class Predictions:
    """Rows of the predictions table but for ``probabilities``, and these, (crops, classes), in the same order."""

    crops: pd.DataFrame
    probabilities: NDArray[np.float32]

    def where(self, chosen: NDArray[np.bool_]) -> "Predictions":
        """Keep some rows."""
        return Predictions(self.crops[chosen], self.probabilities[chosen])


def quantised(probabilities: NDArray[np.float64]) -> NDArray[np.float32]:
    """Round probabilities to multiples of `STEP`; the most probable class stays the first of the most probable ones.

    Args:
        probabilities: (crops, classes).
    """
    stored = np.empty(probabilities.shape, np.float32)
    np.multiply(probabilities, 1 / STEP, out=stored, casting="same_kind")
    np.rint(stored, out=stored)
    best = probabilities.argmax(axis=1)
    tied = np.flatnonzero(stored.argmax(axis=1) != best)
    stored[tied, best[tied]] += 1
    stored *= np.float32(STEP)
    return stored


def write(predictions: Predictions, path: Path) -> None:
    """Write the table sorted by its key, whole or not at all; errors as in `tables.write`."""
    probabilities = np.ascontiguousarray(predictions.probabilities)
    table = schema.predictions(probabilities.shape[1])
    values = pa.FixedSizeListArray.from_arrays(pa.array(probabilities.reshape(-1)), type=table.schema.types[-1])
    rows = tables.arrow(predictions.crops, path, PREDICTIONS).append_column(table.schema.field(-1), values)
    order = pc.sort_indices(rows, sort_keys=[(name, "ascending") for name in table.key]).to_numpy()
    in_order = bool((np.diff(order.astype(np.int64)) == 1).all())  # then there is no need of a second copy
    tables.write_arrow(rows if in_order else rows.take(order), path, table)


def read(path: Path) -> Predictions:
    """Read the table; errors as in `tables.read`."""
    rows = tables.read_arrow(path, schema.predictions(_num_classes(path)))
    values = rows["probabilities"].combine_chunks()
    probabilities = values.flatten().to_numpy().reshape(-1, values.type.list_size)
    return Predictions(tables.frame(rows.drop_columns("probabilities"), PREDICTIONS), probabilities)


def _num_classes(path: Path) -> int:
    """Look up the length of the probabilities; 1 where the file is none of ours, for the reader to complain."""
    try:
        kind = pq.read_schema(path).field("probabilities").type
    except (OSError, pa.ArrowInvalid, KeyError):
        return 1
    return kind.list_size if pa.types.is_fixed_size_list(kind) else 1
