"""The journal of a detector: answers kept as they come, so that another run asks only for the rest."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from camtraps import tables
from camtraps.errors import MissingError, TableError
from camtraps.files import remove, replacing
from camtraps.schema import RECORDED, TEXT, Table

JOURNAL = Table("journal", RECORDED.schema.append(pa.field("fingerprint", TEXT, nullable=False)), ())
NUM_PARTS = 64  # small parts that are joined to one


class Journal:
    """Answers in a folder of Parquet parts; several runs may add to it at the same time.

    ``fingerprint`` is the hash of what an answer was made from: an answer counts as long as that stays the same.
    """

    def __init__(self, folder: Path) -> None:
        """Open a journal, or begin one."""
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)  # it is in use: `units.prune` keeps it
        self.folder = folder
        self._small: list[Path] = []  # of this run; those of others are not ours to touch

    def add(self, rows: list[dict[str, Any]]) -> None:
        """Keep answers, all or none of them.

        Args:
            rows: of the recorded detections table, each with its ``fingerprint``.
        """
        if not rows:
            return
        path = self.folder / f"{time.time_ns():020}-{os.getpid()}.parquet"  # names sort by time
        _write(pa.Table.from_pylist(rows, schema=JOURNAL.schema), path)
        self._small.append(path)
        if len(self._small) == NUM_PARTS:
            # The first part becomes the whole, then the others go: killed in between, some rows stand twice.
            first, *others = self._small
            _write(pa.concat_tables([pq.read_table(part) for part in self._small]), first)
            for part in others:
                remove(part)
            self._small = []

    def known(self, wanted: Mapping[str, str]) -> pa.Table:
        """Give the answers for images whose fingerprint is as wanted, the last one where there are several.

        Args:
            wanted: fingerprint by image.

        Returns:
            Rows of the recorded detections table, in no order; images without an answer have none.
        """
        while True:
            try:
                return self._known(wanted)
            except MissingError:
                continue  # another run has just joined the part to one that we had read before: once more

    def _known(self, wanted: Mapping[str, str]) -> pa.Table:
        parts = [RECORDED.schema.empty_table()]
        for path in sorted(self.folder.glob("*.parquet")):
            try:
                part = tables.read_arrow(path, JOURNAL)
            except TableError:
                continue  # damaged, or of another version: asked again
            pairs = zip(part["image"].to_pylist(), part["fingerprint"].to_pylist(), strict=True)
            is_wanted = [wanted.get(image) == fingerprint for image, fingerprint in pairs]
            parts.append(part.filter(pa.array(is_wanted, pa.bool_())).select(RECORDED.schema.names))
        answers = pa.concat_tables(parts)
        last = {image: at for at, image in enumerate(answers["image"].to_pylist())}
        return answers.take(pa.array(last.values(), pa.int64()))


def _write(rows: pa.Table, path: Path) -> None:
    with replacing(path) as part:
        pq.write_table(rows, part, compression="zstd")
