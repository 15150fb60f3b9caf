"""What each ``camtraps import FORMAT`` reads: from its options to a source of photos and the rules to read it by."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from camtraps import downloads, image_folders, taxonomy
from camtraps.errors import InputError
from camtraps.formats import (
    animl,
    camtrap_dp,
    coco,
    flat,
    folders,
    lila,
    lila_datasets,
    megadb,
    megadetector,
    queried_images,
)
from camtraps.importing import Source
from camtraps.intake import Rules
from camtraps.streams import batches
from camtraps.words import num

KINDS: tuple[lila_datasets.Results, ...] = ("mdv4", "mdv5a", "mdv5b", "rde")


@dataclass(frozen=True)
class Task:
    """A source to import with its rules; LILA's table of datasets gives several."""

    source: Source
    rules: Rules


def tasks(options: argparse.Namespace) -> list[Task]:
    """Give what to import; what has to be downloaded for it is.

    Raises:
        InputError: options contradict each other or have no effect, or a download fails.
        MissingError: a table that an option names is not there.
    """
    return MAKERS[options.format](options)


def recorded(options: argparse.Namespace, datasets: tuple[str, ...]) -> list[tuple[str, Path]]:
    """Download the published MegaDetector results of LILA's datasets, as far as asked for and published."""
    if not getattr(options, "results", None):
        return []
    known = lila_datasets.read_datasets(options.datasets or options.source)
    urls = {
        dataset: lila_datasets.results_url(known[taxonomy.fold_dataset(dataset)], options.results)
        for dataset in datasets
    }
    return [(dataset, downloads.fetch(url)) for dataset, url in urls.items() if url]


@dataclass(frozen=True)
class Results:
    """A file of MegaDetector results, and lines for people about how it came here."""

    path: Path
    lines: tuple[str, ...] = ()


def results(path: Path, kind: Literal["detections", "response"] | None) -> Results:
    """Give a file of results: the given one, or the one that the answer of a task names, which is downloaded.

    Args:
        path: the file.
        kind: what it is; None to look.

    Raises:
        MissingError: it is not there.
        InputError: it is no answer of a finished task, or the download fails.
    """
    if kind == "detections" or (kind is None and not megadetector.is_response(path)):
        return Results(path)
    task = megadetector.read_response(path)
    said = f"warning: {path}: {num(task.num_failed_shards, 'shard')} of photos failed, which have no results"
    return Results(downloads.fetch(task.url), (said,) if task.num_failed_shards else ())


def _task(options: argparse.Namespace, given: Any, images: str | Callable[[str], str], **more: Any) -> Task:
    rules = {
        "dataset": options.name if options.dataset is None else options.dataset,
        "sequence_gap": options.sequence_gap,
    }
    rules |= {"day_first": options.day_first} | more
    return Task(Source(path=options.source, given=given, images=images), Rules(**rules))


def _cct(options: argparse.Namespace) -> list[Task]:
    return [_task(options, coco.read(options.source), options.images)]


def _animl(options: argparse.Namespace) -> list[Task]:
    given = animl.read(options.source, "file_name" if options.images else "serving_bucket_key")
    return [_task(options, given, options.images or animl.BUCKET)]


def _lila(options: argparse.Namespace) -> list[Task]:
    if _is_table_of_datasets(options.source):
        return _of_lila_datasets(options)
    known = lila_datasets.read_datasets(options.datasets) if options.datasets else None
    if options.results and known is None:
        raise InputError("--results: needs --datasets, LILA's table of datasets, which says where results lie")
    taxa = tuple(lila.parse_taxon(text) for text in options.taxon)
    chosen = lila.Chosen(tuple(options.only), tuple(options.country), taxa)
    given = lila.read(options.source, chosen, options.cloud, known)
    # The table's dates are month first; a photo of several labels stands on several rows.
    return [_task(options, given, _lila_roots(options, known), repeats=True, day_first=False)]


def _is_table_of_datasets(path: Path) -> bool:
    columns: list[str] = next((batch.column_names for batch in batches(path, ())), [])
    return {"name", "metadata_url_gcp"} <= set(columns)


def _of_lila_datasets(options: argparse.Namespace) -> list[Task]:
    """Download the metadata and results of each dataset that was chosen, so that all is there before the import."""
    if options.datasets:
        raise InputError(f"--datasets: has no effect, since {options.source} is LILA's table of datasets itself")
    if options.taxon:
        raise InputError("--taxon: needs LILA's table of all images, which has the taxa of each photo")
    if not options.only and not options.country:
        raise InputError(f"{options.source} is LILA's table of datasets: choose of them with --only or --country")
    known = lila_datasets.read_datasets(options.source)
    chosen = lila_datasets.choose(known, options.only, options.country)
    for each in chosen:
        if options.results and not lila_datasets.results_url(each, options.results):
            kinds = [kind for kind in KINDS if lila_datasets.results_url(each, kind)]
            there = ", ".join(kinds) or "none"
            raise InputError(f"--results: LILA has no {options.results} of {each.name}; there are: {there}")
    roots, made = _lila_roots(options, known), []
    for each in chosen:
        dataset = taxonomy.fold_dataset(each.name)
        image_folders.check(images := roots(dataset))
        if not (url := lila_datasets.metadata_url(each, options.cloud)):
            raise InputError(f"{options.source}: has no metadata_url_{options.cloud} of {each.name}")
        path = downloads.fetch(url)
        rules = Rules(dataset=dataset, sequence_gap=options.sequence_gap, day_first=options.day_first)
        made.append(Task(Source(path=path, given=coco.read(path), images=images), rules))
        recorded(options, (dataset,))
    return made


def _lila_roots(options: argparse.Namespace, known: dict[str, lila_datasets.Dataset] | None) -> Callable[[str], str]:
    """Give what says where the photos of a dataset are; a folder of the user's has them laid out as LILA's bucket."""

    def root(dataset: str) -> str:
        base = lila_datasets.root(dataset, options.cloud, known)
        if not options.images:
            return base
        if not base.startswith(lila_datasets.BASES[options.cloud]):
            raise InputError(
                f"--images: the photos of {dataset} lie outside LILA's own bucket, in {base}; leave it out"
            )
        return f"{options.images.rstrip('/')}{base.removeprefix(lila_datasets.BASES[options.cloud])}"

    return root


def _camtrap_dp(options: argparse.Namespace) -> list[Task]:
    path = options.source
    folder = path if path.is_dir() else path.parent if path.suffix == ".json" else None
    images = options.images or camtrap_dp.url_prefix(path) or (folder and str(folder))
    if not images:
        raise InputError(f"{path}: say with --images where the photos of the package are")
    return [_task(options, camtrap_dp.read(path), images)]


def _megadb(options: argparse.Namespace) -> list[Task]:
    storage = megadb.read_datasets(options.datasets) if options.datasets else {}
    if not options.images and not storage:
        raise InputError(f"{options.source}: say with --images or --datasets where the photos are")
    given = megadb.read(options.source, {name: each.prefix for name, each in storage.items()})

    def root(dataset: str) -> str:
        if options.images:
            return f"{options.images.rstrip('/')}/{dataset}"
        if dataset not in storage:
            raise InputError(f"{options.datasets}: has no dataset {dataset!r}, which {options.source} names")
        return storage[dataset].root

    return [_task(options, given, root)]


def _queried_images(options: argparse.Namespace) -> list[Task]:
    given = queried_images.read(options.source)
    return [_task(options, given, lambda dataset: f"{options.images.rstrip('/')}/{dataset}")]


def _csv(options: argparse.Namespace) -> list[Task]:
    if wrong := [text for text in options.column if "=" not in text]:
        raise InputError(f"--column {wrong[0]}: expected OURS=YOURS, such as label=Species")
    columns = dict(text.split("=", 1) for text in options.column)
    given = flat.read(options.source, columns, "pixels" if options.pixels else "relative")
    return [_task(options, given, options.images, repeats=True)]


def _folders(options: argparse.Namespace) -> list[Task]:
    given = folders.read(options.source, options.pattern, options.labels, options.xmp_prefix)
    return [_task(options, given, str(options.source))]


MAKERS: dict[str, Callable[[argparse.Namespace], list[Task]]] = {
    "cct": _cct,
    "animl": _animl,
    "lila": _lila,
    "camtrap-dp": _camtrap_dp,
    "megadb": _megadb,
    "queried-images": _queried_images,
    "csv": _csv,
    "folders": _folders,
}
