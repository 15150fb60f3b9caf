"""The existence check: which photos are certainly not there."""

from collections.abc import Sequence

from camtraps.progress import bar
from camtraps.reading import in_order
from camtraps.storage import presence


def check(uris: Sequence[str]) -> list[bool | None]:
    """Look for photos, many at once.

    Returns:
        For each: True, it is there; False, it certainly is not; None, it could not be told (no permission, no answer).
    """
    found: list[bool | None] = []
    with bar("looking for photos", len(uris), "photos") as progress:
        # Also on this machine: a network drive answers late.
        for there in in_order(presence, uris, lambda uri: True):
            found.append(there)
            progress.update()
    return found
