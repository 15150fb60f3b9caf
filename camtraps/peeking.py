"""Peeking: crops read out of their shards by a few bytes, wherever these lie, without pulling them."""

from collections.abc import Iterator
from typing import Any

import pyarrow.parquet as pq

from camtraps import layout
from camtraps.errors import CamtrapsError, InputError, MissingError
from camtraps.shards import member_name

COLUMNS = ["image", "box", "detector", "shard", "offset", "length", "label"]


def crops(image: str, repository: str | None = None, revision: str | None = None) -> Iterator[tuple[str, str, bytes]]:
    """Read the crops of a photo: from the workspace, else from DVC's cache, else from the remote.

    Args:
        image: ``<dataset>/<file>``.
        repository: path or address of a git repository; None for the one here.
        revision: a commit, branch or tag; None for the workspace, or for another repository's default branch.

    Yields:
        Name (as CameraTraps calls crops), label and JPEG of each, in the order of boxes.

    Raises:
        InputError: the photo has no crops.
        MissingError: the crops are neither here nor on the remote.
        CamtrapsError: the repository or its remote cannot be read.
    """
    from dvc.api import DVCFileSystem

    told = f"{repository or 'this repository'}{f' at {revision}' if revision else ''}"
    try:
        store = DVCFileSystem(repository, rev=revision)
        rows = _rows(store, image)
        if not rows:
            raise InputError(f"{image}: has no crop in {told}; images are called DATASET/FILE")
        for row in rows:
            with store.open((layout.CROPS / row["shard"]).as_posix(), "rb") as file:
                file.seek(row["offset"])
                yield member_name(image, row["box"], row["detector"]), row["label"], file.read(row["length"])
    except CamtrapsError:
        raise
    except FileNotFoundError as error:
        name = error.filename or error
        raise MissingError(f"{name}: is neither in {told} nor on its remote; run `dvc repro` or `dvc push`") from None
    except Exception as error:  # DVC's, git's, and each store's own
        raise CamtrapsError(f"{told}: {' '.join(str(error).split())[:300]}; `camtraps doctor` tells more") from error


def _rows(store: Any, image: str) -> list[dict[str, Any]]:
    # The table is sorted by image: only the part that may hold it is read.
    with store.open((layout.CROPS / "crops.parquet").as_posix(), "rb") as file:
        found = pq.read_table(file, columns=COLUMNS, filters=[("image", "==", image)]).to_pylist()
    return sorted(found, key=lambda row: int(row["box"]))
