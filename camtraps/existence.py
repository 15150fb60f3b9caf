"""The existence check: which photos are certainly not there."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from camtraps.progress import bar
from camtraps.storage import presence

THREADS = 32  # they wait for the network, not for the processor
AT_ONCE = 10_000  # photos that are in the queue


def check(uris: Sequence[str]) -> list[bool | None]:
    """Look for photos, many at once.

    Returns:
        For each: True, it is there; False, it certainly is not; None, it could not be told (no permission, no answer).
    """
    found: list[bool | None] = []
    with ThreadPoolExecutor(THREADS) as pool, bar("looking for photos", len(uris), "photos") as progress:
        for start in range(0, len(uris), AT_ONCE):
            for there in pool.map(presence, uris[start : start + AT_ONCE]):
                found.append(there)
                progress.update()
    return found
