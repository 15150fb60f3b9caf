"""Bring photos, labels and detections into an input collection; everything is checked before anything is written."""

import csv
import io
import os
import re
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from camtraps import catalog, corrections, labels, tables, taxonomy
from camtraps.collections import DATASET_COLUMNS, read_datasets
from camtraps.errors import FailuresError, InputError, MissingError
from camtraps.files import digest, read_json, replacing, write_text
from camtraps.formats import coco, megadetector
from camtraps.formats.rows import Parsed
from camtraps.schema import CATALOG, RECORDED
from camtraps.storage import is_local


@dataclass(frozen=True)
class Imported:
    """What an import did, for its summary."""

    path: Path
    parsed: Parsed
    problems_path: Path
    num_absent: int = 0

    def lines(self) -> list[str]:
        """Say it in a few lines for people."""
        rows, boxes = self.parsed.rows, [row["boxes"] for row in self.parsed.rows]
        facts = [f"{len(rows):,} of {self.parsed.num_given:,} photos", f"{sum(len(b or []) for b in boxes):,} boxes"]
        if rows and "labels" in rows[0]:
            facts.append(f"{len({label['class'] for row in rows for label in row['labels']}):,} classes")
            facts.append(f"{len({row['location'] for row in rows} - {None}):,} locations")
            facts.append(f"{sum(row['location'] is None for row in rows):,} photos without location")
            times = sorted(row["datetime"] for row in rows if row["datetime"])
            facts += [f"from {times[0]:%Y-%m-%d} to {times[-1]:%Y-%m-%d}"] if times else []
        lines = [f"{self.path}: {', '.join(facts)}"]
        kinds = Counter(
            (problem.kind, re.sub(r"[0-9'\[].*", "...", problem.reason)) for problem in self.parsed.problems
        )
        lines += [f"  {number:,} {kind}: {reason}" for (kind, reason), number in sorted(kinds.items())]
        if self.parsed.problems:
            lines.append(f"  each is listed in {self.problems_path}")
        if self.num_absent:
            lines.append(f"  {self.num_absent:,} photos are not in the image folder; stages will list them as failed")
        return lines


def import_cct(collection: Path, dataset: str, source: Path, images: str, max_failed: float = 0.01) -> Imported:
    """Import a COCO Camera Traps file as one dataset of a collection, replacing an earlier import of it.

    Args:
        collection: ``data/<name>``.
        dataset: letters, digits, ``.``, ``_``, ``-``.
        source: the JSON.
        images: folder or URI that the file names are relative to. A folder inside the collection is stored relative to
            it, so that the collection can move.
        max_failed: allowed share of photos that are dropped or absent.

    Raises:
        InputError: the file is no CCT file, or the name is no dataset name.
        MissingError: the file or the image folder does not exist.
        FailuresError: too many photos were dropped or are absent; nothing was written.
    """
    _check_name(dataset)
    parsed = coco.parse(read_json(source), dataset, source)
    if not parsed.num_given:
        raise InputError(f"{source}: its list of images is empty")
    present = _sizes(images)
    absent = [row["file"] for row in parsed.rows if present is not None and row["file"] not in present]
    dropped = parsed.num_given - len(parsed.rows)
    if dropped + len(absent) > max_failed * parsed.num_given:
        reasons = [f"{problem.item}: {problem.reason}" for problem in parsed.problems if problem.kind == "dropped"]
        first = f"{images}/{absent[0]} is not there" if absent else reasons[0]
        raise FailuresError(
            f"{source}: {dropped} of {parsed.num_given} photos cannot be used and {len(absent)} are not in {images}, "
            f"more than {max_failed:.1%}; first: {first}; mend them or raise --max-failed"
        )
    path = catalog.dataset_path(collection / "catalog", dataset)
    catalog.write(parsed.rows, path)
    problems_path = collection / "problems" / f"{dataset}.csv"
    _write_problems(parsed, problems_path)
    (collection / "detections").mkdir(exist_ok=True)
    corrections.create(collection / "corrections.csv")
    row = {
        "dataset": dataset,
        "images": _stored_root(images, collection),
        "photos": str(len(parsed.rows)),
        "photos_digest": _photos_digest(parsed.rows, present),
        "source": source.name,
        "source_digest": digest(source.read_bytes())[:16],
    }
    _record(collection / "datasets.csv", row)
    return Imported(path, parsed, problems_path, len(absent))


def import_detections(collection: Path, dataset: str, source: Path, version: str | None = None) -> Imported:
    """Import a MegaDetector result file for one dataset of a collection, replacing that version's earlier import.

    Args:
        collection: ``data/<name>``.
        dataset: a dataset of its catalog; ``file`` in the results is relative to the dataset's image folder.
        source: the JSON.
        version: name to keep the results under; default the detector named in the file.

    Raises:
        InputError: the file is no result file, or names no photo of the dataset.
        MissingError: the file does not exist, or the collection has no such dataset.
    """
    _check_name(dataset)
    if not (catalog_path := catalog.dataset_path(collection / "catalog", dataset)).exists():
        raise MissingError(f"{catalog_path}: not found; bring the dataset in with `camtraps import cct` first")
    known = set(tables.read_arrow(catalog_path, CATALOG)["file"].to_pylist())
    document = read_json(source)
    results = megadetector.parse(document, dataset, source)
    rows = results.parsed.rows
    if not any(row["file"] in known for row in rows):
        files = [image["file"] for image in document["images"]]
        raise InputError(
            f"{source}: none of its files is in the catalog of {dataset}: it has {files[0] if files else 'none'!r}, "
            f"the catalog {min(known)!r}; run the detector with paths relative to the image folder"
        )
    name = re.sub(r"[^A-Za-z0-9._-]", "_", version or results.detector).strip(".") or "unnamed"
    if name in ("all", "none"):
        raise InputError(f"version {name!r}: has a meaning of its own in params.yaml (detect.recorded); choose another")
    path = collection / "detections" / name / f"{dataset}.parquet"
    tables.write_arrow(pa.Table.from_pylist(rows, schema=RECORDED.schema), path, RECORDED)
    problems_path = collection / "problems" / f"{dataset}.{name}.csv"
    _write_problems(results.parsed, problems_path)
    return Imported(path, results.parsed, problems_path)


def place_taxonomy(collection: Path, source: Path) -> None:
    """Check a taxonomy table and copy it into a collection."""
    taxonomy.read(source)
    _copy(source, collection / "taxonomy.csv")


def place_label_spec(collection: Path, source: Path) -> None:
    """Check a label specification and copy it into a collection."""
    labels.read(source)
    _copy(source, collection / "label_spec.json")


def missing_from_taxonomy(collection: Path, imported: Imported) -> list[str]:
    """Say which imported classes the collection's taxonomy has no row for, if it has a taxonomy."""
    path = collection / "taxonomy.csv"
    if not path.exists():
        return []
    known = set(taxonomy.read(path).lineages)
    names = {(row["dataset"], label["class"]) for row in imported.parsed.rows for label in row["labels"]}
    lacking = sorted(name for dataset, name in names if (taxonomy.fold(dataset), taxonomy.fold(name)) not in known)
    if not lacking:
        return []
    datasets = ", ".join(sorted({dataset for dataset, _ in known}))
    return [
        f"warning: {path} has no row for {len(lacking)} of {len(names)} classes: {', '.join(lacking[:8])}; its "
        f"dataset_name column has {datasets}"
    ]


def next_steps(collection: Path) -> list[str]:
    """Say what is still missing in a collection, or how to run it."""
    lacking = [name for name in ("taxonomy.csv", "label_spec.json") if not (collection / name).exists()]
    if lacking:
        return [f"still missing in {collection}: {', '.join(lacking)}"]
    return [
        f"next: put `name: {collection.name}` under `data:` in params.yaml, then `dvc repro`",
        f"to version it: dvc add {collection}/catalog {collection}/detections, and git add {collection}",
    ]


def _check_name(dataset: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", dataset):
        raise InputError(f"dataset name {dataset!r}: use letters, digits, '.', '_' and '-', a letter or digit first")


def _sizes(images: str) -> dict[str, int] | None:
    """Scan a local image folder: relative name -> bytes; None for a remote one."""
    if not is_local(images):
        return None
    if not Path(images).is_dir():
        raise MissingError(f"{images}: image folder not found")
    sizes: dict[str, int] = {}
    waiting = [(images, "")]
    while waiting:
        folder, prefix = waiting.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_symlink() and not _leads_on(entry):
                    continue
                if entry.is_dir():
                    waiting.append((entry.path, f"{prefix}{entry.name}/"))
                else:
                    sizes[prefix + entry.name] = entry.stat().st_size
    return sizes


def _leads_on(link: "os.DirEntry[str]") -> bool:
    """Say whether a link leads to something that is neither gone nor a folder above the link."""
    path = Path(link.path)
    return path.exists() and not path.parent.resolve().is_relative_to(path.resolve())


def _photos_digest(rows: list[dict[str, Any]], sizes: dict[str, int] | None) -> str:
    """Hash names and sizes, so that replaced photos make detect and crop run again after the next import."""
    return digest(*(f"{row['file']}:{(sizes or {}).get(row['file'], -1)}" for row in rows))[:16]


def _stored_root(images: str, collection: Path) -> str:
    if not is_local(images):
        return images
    root = Path(images).resolve()
    return root.relative_to(collection.resolve()).as_posix() if root.is_relative_to(collection.resolve()) else str(root)


def _record(path: Path, row: dict[str, str]) -> None:
    others = [other for other in (read_datasets(path) if path.exists() else []) if other["dataset"] != row["dataset"]]
    _write_csv(path, list(DATASET_COLUMNS), sorted([*others, row], key=lambda each: each["dataset"]))


def _write_problems(parsed: Parsed, path: Path) -> None:
    rows = [{"item": problem.item, "kind": problem.kind, "reason": problem.reason} for problem in parsed.problems]
    _write_csv(path, ["item", "kind", "reason"], rows)


def _write_csv(path: Path, columns: list[str], rows: list[dict[str, str]]) -> None:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, buffer.getvalue())


def _copy(source: Path, target: Path) -> None:
    if source.resolve() != target.resolve():
        with replacing(target) as part:
            shutil.copyfile(source, part)
