"""Aggregation: a file of probabilities of classes made one of the targets that they belong to."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from camtraps import outputs
from camtraps.errors import InputError, raise_all
from camtraps.foreign import OTHER, Pools
from camtraps.mapping import aggregate
from camtraps.outputs import Rows


def aggregate_file(source: Path, pools: Pools, mapping: Path, target: Path) -> list[str]:
    """Add up the probabilities of each target's classes, row by row.

    The columns before the classes are kept; a label becomes the target of its class.

    Args:
        source: from `run-classifier`, or of an evaluation.
        pools: from `foreign.read_mapping`.
        mapping: their file, for messages.
        target: the file to write.

    Returns:
        Lines for people: classes of the mapping that the file lacks, and the counts.

    Raises:
        MissingError: no such file.
        InputError: it cannot be used, has a class of no target, or a label that is neither class nor target.
    """
    parts = outputs.batches(source)
    rows = next(parts, None)
    if rows is None:
        raise InputError(f"{source}: there is no crop in it")
    lines = _compared(rows.classes, pools, mapping)
    num_crops = 0
    with outputs.writing(target, rows.keys.column_names, [*pools]) as writer:
        while rows is not None:
            writer.write(_keys(rows, pools, source), aggregate(rows.probabilities, rows.classes, pools))
            num_crops += len(rows.probabilities)
            num_classes, rows = len(rows.classes), next(parts, None)
    return [*lines, f"{target}: {num_crops:,} crops, {num_classes:,} classes in {len(pools):,} targets"]


def _compared(classes: Sequence[str], pools: Pools, mapping: Path) -> list[str]:
    """Refuse classes of no target, whose probability would be lost; name those that are not there."""
    named = {name for names in pools.values() for name in names}
    raise_all(
        mapping,
        [
            f"class {name!r} of the file is in no target; put it under {OTHER!r} if it is none of them"
            for name in classes
            if name not in named
        ],
    )
    return [f"warning: {mapping}: class {name!r} is not in the file" for name in sorted(named - set(classes))]


def _keys(rows: Rows, pools: Mapping[str, Sequence[str]], source: Path) -> list[pa.ChunkedArray]:
    """Give the columns before the classes, with targets for labels."""
    keys = rows.keys
    if "label" not in keys.column_names:
        return list(keys.columns)
    target_of = {name: name for name in pools} | {name: target for target, names in pools.items() for name in names}
    labels = keys["label"].to_pylist()
    if stray := sorted({label for label in labels if label and label not in target_of}):
        raise InputError(f"{source}: labels {', '.join(stray[:8])} are neither classes nor targets of the mapping")
    given = pa.array([target_of.get(label, "") for label in labels])
    return list(keys.set_column(keys.column_names.index("label"), "label", given).columns)
