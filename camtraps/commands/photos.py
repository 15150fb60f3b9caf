"""``camtraps fetch`` and ``camtraps check-images``: the photos themselves, brought here and looked over."""

import argparse
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from camtraps.commands.common import Commands, add_photos, check_out, check_own, collection, count, say, wanted
from camtraps.commands.printing import table
from camtraps.errors import FailuresError, InputError

if TYPE_CHECKING:
    from camtraps.fetching import Fetched
    from camtraps.image_checks import Checked
    from camtraps.photo_lists import Listed, PhotoList
    from camtraps.storage import Images

FETCH = """examples:
  camtraps fetch mine --dry-run
  camtraps fetch mine
  camtraps fetch mine --queried --threads 64
  AWS_PROFILE=animl camtraps fetch mine

Photos go to data/NAME/images/DATASET, where all stages find them. What is there is not fetched again: after a stop,
run the same command. Photos that cannot be had are listed in data/NAME/problems/fetch.csv.
"""
CHECK = """examples:
  camtraps check-images mine
  camtraps check-images mine --failed --out failed.csv
  camtraps check-images /data/photos --fast

Each photo is good, missing, empty, not an image, truncated, too many pixels (for a camera), damaged or not readable.
Ends with 1 if any is not good.
"""
COLUMNS = ("image", "kind", "reason")  # of the report


def add(commands: Commands) -> None:
    """Add ``fetch`` and ``check-images``."""
    form = argparse.RawDescriptionHelpFormatter
    fetch = commands.add_parser("fetch", help="download the photos of a collection", epilog=FETCH, formatter_class=form)
    fetch.add_argument("name", metavar="NAME", help="the collection data/NAME")
    add_photos(fetch)
    fetch.add_argument("--out", type=Path, metavar="FOLDER", help="fetch to FOLDER/DATASET instead")
    fetch.add_argument("--threads", type=count, default=32, metavar="N", help="downloads at a time (%(default)s)")
    fetch.add_argument("--verify", action="store_true", help="ask for the sizes of photos that are there, too")
    fetch.add_argument("--dry-run", action="store_true", help="only say what would be fetched")
    fetch.set_defaults(run=_fetch)
    check = commands.add_parser(
        "check-images", help="find photos that are missing, cut off or broken", epilog=CHECK, formatter_class=form
    )
    check.add_argument("place", metavar="NAME|FOLDER", help="the collection data/NAME, or any folder of photos")
    add_photos(check)
    check.add_argument("--fast", action="store_true", help="look at the header and the end, without decoding")
    check.add_argument("--out", type=Path, metavar="FILE", help="write a CSV of those that are not good")
    check.add_argument("--all", action="store_true", help="write the good ones too")
    check.set_defaults(run=_check)


def _fetch(options: argparse.Namespace) -> int:
    from camtraps import catalog, collections, fetching, photo_lists
    from camtraps.storage import is_local
    from camtraps.words import num

    if options.out:
        if options.out.exists() and not options.out.is_dir():
            raise InputError(f"--out: {options.out} is no folder; name the folder to fetch to")
        check_own(options.out)
    folder = collection(options.name)
    images = collections.read_images(folder)
    images = replace(images, saved=options.out or images.saved)
    photos = photo_lists.choose(catalog.connect(folder / "catalog"), wanted(options))
    for dataset, number in photos.num_photos.items():
        if is_local(images.roots[dataset]):
            say(f"{dataset}: nothing to fetch, {num(number, 'photo')} in {images.roots[dataset]}")
    elsewhere = {name: number for name, number in photos.num_photos.items() if not is_local(images.roots[name])}
    remote = (photo for photo in photos if photo.dataset in elsewhere)
    if options.dry_run:
        _foretell(remote, elsewhere, images)
    elif elsewhere:
        fetched = fetching.fetch(remote, sum(elsewhere.values()), images, options.threads, options.verify)
        _report(fetched, images, folder / "problems" / "fetch.csv")
    return 0


def _foretell(photos: "Iterable[Listed]", num_photos: dict[str, int], images: "Images") -> None:
    from camtraps import fetching

    there = Counter(photo.dataset for photo in photos if fetching.is_there(photo, images))
    for dataset, number in num_photos.items():
        to_fetch = f"{number - there[dataset]:,} to fetch from {images.roots[dataset]} to {images.saved}/{dataset}"
        say(f"{dataset}: {to_fetch}, {there[dataset]:,} there already")


def _report(fetched: "Fetched", images: "Images", failures: Path) -> None:
    from camtraps import access
    from camtraps.collection_files import write_rows
    from camtraps.words import num

    if not fetched.failures:
        failures.unlink(missing_ok=True)
        say(f"{images.saved}: {fetched}")
        return
    write_rows(failures, ("image", "reason"), fetched.failures)
    say(f"{images.saved}: {fetched} -> {failures}")
    if fetched.last:
        stores = ", ".join(f"{dataset} ({access.place(images.roots[dataset])})" for dataset in sorted(fetched.last))
        raise FailuresError(
            f"so many photos in a row of {stores} could not be read that the rest was not asked for, the last "
            f"{': '.join(min(fetched.last.values()))}; mend that and run again"
        )
    raise FailuresError(
        f"{num(len(fetched.failures), 'photo')} could not be fetched, first {': '.join(fetched.failures[0])}; "
        f"all are in {failures}; run again to try them again"
    )


def _check(options: argparse.Namespace) -> int:
    from camtraps.collection_files import write_rows
    from camtraps.words import num

    if options.out:
        check_out(options.out)
    elif options.all:
        raise InputError("--all: name the file to write with --out")
    tally = _Tally()
    found = tally.counted(_found(options))
    listed = (each for each in found if options.all or each.kind != "good")
    if options.out:
        write_rows(options.out, COLUMNS, listed)
    else:
        deque(listed, maxlen=0)
    num_bad = tally.counts.total() - tally.counts["good"]
    listing = f" -> {options.out}" if options.out else ""
    say(f"{options.place}: {num(tally.counts.total(), 'photo')}, {num_bad:,} not good{listing}")
    if num_bad:
        say(*tally.lines())
    return 1 if num_bad else 0


class _Tally:
    """Findings by kind, with the first of each."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._firsts: dict[str, str | None] = {}

    def counted(self, found: "Iterable[Checked]") -> "Iterator[Checked]":
        for each in found:
            self.counts[each.kind] += 1
            self._firsts.setdefault(each.kind, f"{each.image}: {each.reason}" if each.reason else None)
            yield each

    def lines(self) -> list[str]:
        import pandas as pd

        rows = [(kind, number, self._firsts[kind]) for kind, number in self.counts.most_common()]
        return table(pd.DataFrame(rows, columns=["kind", "photos", "first"]))


def _found(options: argparse.Namespace) -> "Iterator[Checked]":
    from camtraps import catalog, collections, image_checks, photo_lists
    from camtraps.progress import bar
    from camtraps.storage import Images

    chosen = wanted(options)
    photos: PhotoList | list[Listed]
    if not _is_folder(options.place):
        folder = collection(options.place)
        images = collections.read_images(folder)
        photos = photo_lists.choose(catalog.connect(folder / "catalog"), chosen)
    elif chosen == photo_lists.Wanted():
        images = Images({"": options.place})
        photos = photo_lists.in_folder(Path(options.place))
    else:
        raise InputError(f"{options.place} is a folder; --dataset, --label, --queried and --failed need a collection")
    with bar("checking photos", len(photos), "photos") as progress:
        for found in image_checks.check(photos, images, options.fast):
            progress.update()
            yield found


def _is_folder(place: str) -> bool:
    """Tell a folder from the name of a collection, which goes first."""
    return not Path("data", place, "datasets.csv").is_file() and ("/" in place or Path(place).is_dir())
