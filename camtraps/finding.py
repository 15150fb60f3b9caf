"""Finding: a detector over photos that nobody has looked at, whole folders at a time, so that memory stays bounded."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from urllib.parse import unquote

import pandas as pd

from camtraps import detecting
from camtraps.detections import DetectParams
from camtraps.formats import photo_headers
from camtraps.photo_sources import Box, Item
from camtraps.storage import Images, is_local, is_web

AT_ONCE = 2_000  # photos, and up to the end of their folder


def find(items: Iterable[Item], params: DetectParams) -> Iterator[Item]:
    """Give photos with their boxes, in order; videos pass as they are.

    A folder is a place to the detector `motion`. Answers are kept in the detector's journal.

    Args:
        items: any number of them.
        params: which detector.

    Raises:
        CamtrapsError: as the detector raises them.
    """
    lot: list[Item] = []
    for _, folder in groupby(items, key=lambda item: item.folder):
        lot += folder
        if len(lot) >= AT_ONCE:
            yield from _found(lot, params)
            lot = []
    yield from _found(lot, params)


def _found(lot: list[Item], params: DetectParams) -> Iterator[Item]:
    photos = [item for item in lot if not item.is_video and item.failure is None]
    if not photos:
        yield from lot
        return
    roots = {root: str(at) for at, root in enumerate(sorted({_split(item.uri)[0] for item in photos}))}
    images = Images({name: root for root, name in roots.items()})
    keys = {item.name: f"{roots[root]}/{file}" for item in photos for root, file in [_split(item.uri)]}
    if params.detector == "motion":
        answers = detecting.detect_motion(_places(photos, keys), set(keys.values()), images)
    else:
        answers = detecting.detect_each(sorted(set(keys.values())), images, params)
    said = {row["image"]: row for row in answers.select(["image", "failure", "boxes"]).to_pylist()}
    for item in lot:
        row = said.get(keys.get(item.name, ""))
        if row is None:
            yield item
        else:
            boxes = None if row["boxes"] is None else tuple(Box(**box) for box in row["boxes"])
            yield replace(item, boxes=boxes, failure=row["failure"])


def _split(uri: str) -> tuple[str, str]:
    """Give the root of a path or address, and a name below it as `storage.photo_uri` puts them together."""
    if is_local(uri):
        return "/", str(Path(uri).resolve())[1:]
    protocol, _, rest = uri.partition("://")
    if not is_web(uri):
        bucket, _, name = rest.partition("/")
        return f"{protocol}://{bucket}", name
    address, mark, key = rest.partition("?")
    host, _, name = address.partition("/")
    return f"{protocol}://{host}{mark}{key}", unquote(name)


def _places(photos: list[Item], keys: dict[str, str]) -> pd.DataFrame:
    """Make rows as `catalog.photos_at` gives them: by folder, in the order in which they were taken, or of names."""
    local = {item.name: item.uri for item in photos if is_local(item.uri)}
    headers = photo_headers.read(Path(), list(local.values()), None)
    taken = {name: header.taken for name, (_, header) in zip(local, headers, strict=True)}
    rows = [(item.folder, keys[item.name], item.name, photo_headers.moment(taken.get(item.name))) for item in photos]
    table = pd.DataFrame(rows, columns=["place", "image", "name", "datetime"])
    table["datetime"] = pd.to_datetime(table["datetime"])
    parts = table["image"].str.partition("/")
    table = table.assign(dataset=parts[0], file=parts[2], sequence=None)
    return table.sort_values(["place", "datetime", "name"], na_position="last").drop_duplicates("image")
