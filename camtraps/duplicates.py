"""Duplicates: crops of one sequence, or of the same or nearly the same picture, at different locations."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Pairs = NDArray[np.int64]  # (2, pairs): numbers of rows

# Two hashes that differ in no more bits than this are of nearly the same picture; then one of four parts is the same.
MAX_DISTANCE = 3
PARTS = MAX_DISTANCE + 1
MAX_STEPS = 1000  # among rows that share a part: each is compared with so many behind it
ONES = np.array([bin(byte).count("1") for byte in range(256)], np.uint8)


def find(crops: pd.DataFrame, signatures: Hashes) -> pd.DataFrame:
    """Link crops at different locations that should not lie in different splits.

    Of many crops that are the same, as many pairs are given as are needed to hold all their locations together.

    Args:
        crops: image, box, dataset, location (or what stands for it), sequence.
        signatures: from `signatures.read`, in the order of the crops.

    Returns:
        a, b (row numbers), kind (``sequence``, ``identical`` or ``similar``) and distance (bits, 0 for the same).
    """
    # -1 where there is none
    place, sequence = (crops.groupby(["dataset", name]).ngroup().to_numpy() for name in ("location", "sequence"))
    content, looks = signatures[:, 0], signatures[:, 1:]
    pictures = np.flatnonzero(looks.any(axis=1) & (place >= 0))
    similar = _similar(looks, place, pictures)
    parts = {
        "sequence": _same(sequence, place, np.flatnonzero((sequence >= 0) & (place >= 0))),
        "identical": _same(content, place, pictures),
        "similar": similar[:, content[similar[0]] != content[similar[1]]],
    }
    frames = [pd.DataFrame({"a": a, "b": b, "kind": kind}) for kind, (a, b) in parts.items()]
    links = pd.concat(frames, ignore_index=True)
    apart = _distance(looks, links["a"].to_numpy(), links["b"].to_numpy())
    return links.assign(kind=links["kind"].astype("str"), distance=np.where(links["kind"] == "similar", apart, 0))


def _same(key: NDArray[np.generic], place: NDArray[np.int64], rows: NDArray[np.int64]) -> Pairs:
    """Chain the places that have rows of the same key, by one row of each."""
    order = rows[np.lexsort((rows, place[rows], key[rows]))]
    key, place = key[order], place[order]
    first = np.ones(len(order), bool)
    first[1:] = (key[1:] != key[:-1]) | (place[1:] != place[:-1])
    order, key = order[first], key[first]
    linked = key[1:] == key[:-1]
    return np.stack([order[:-1][linked], order[1:][linked]])


def _similar(looks: Hashes, place: NDArray[np.int64], rows: NDArray[np.int64]) -> Pairs:
    """Give the pairs at different places whose hashes differ in few bits, one row for each hash and place.

    Hashes that differ in `MAX_DISTANCE` bits are the same in one part of `PARTS`: only rows that share a part are
    compared.
    """
    order = rows[np.lexsort((rows, place[rows], *looks[rows].T))]
    first = np.ones(len(order), bool)
    first[1:] = (looks[order[1:]] != looks[order[:-1]]).any(axis=1) | (place[order[1:]] != place[order[:-1]])
    rows = order[first]
    parts = looks[rows].view(f"u{16 // PARTS}")
    found = [np.zeros((2, 0), np.int64)]
    for part in parts.T:
        order = np.argsort(part, kind="stable")
        run, ends = part[order], np.arange(len(order))
        for step in range(1, MAX_STEPS):
            ends = ends[ends + step < len(order)]
            ends = ends[run[ends] == run[ends + step]]  # those whose part is still the same so many rows on
            if not len(ends):
                break
            a, b = rows[order[ends]], rows[order[ends + step]]
            near = place[a] != place[b]
            near[near] = _distance(looks, a[near], b[near]) <= MAX_DISTANCE
            found.append(np.sort([a[near], b[near]], axis=0))
    return np.unique(np.concatenate(found, axis=1), axis=1)


def _distance(looks: Hashes, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count the bits in which hashes differ."""
    return np.asarray(ONES[(looks[a] ^ looks[b]).view(np.uint8)].sum(axis=1, dtype=np.int64))
