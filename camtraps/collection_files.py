"""The small files of a collection beside its catalog: written by imports, for people and the stages to read."""

import csv
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from camtraps import label_specs, taxonomy
from camtraps.collections import DATASET_COLUMNS, LICENCE, LOCATION_COLUMNS, read_datasets
from camtraps.files import read_csv, replacing, write_text
from camtraps.formats.rows import Location
from camtraps.storage import is_local

FOLDERS = {
    "foreign": """Probabilities of other classifiers for the crops of this collection, to compare ours with.
`camtraps import foreign FILE --name NAME` puts them here; params.yaml names the one to use (evaluate.foreign).
""",
    "splits": "Split files of other runs, for split.previous and split.match_test of params.yaml.\n",
}


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file row by row, whole or not at all."""
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def record_datasets(collection: Path, new: Iterable[Mapping[str, str]]) -> None:
    """Write rows of ``datasets.csv`` (`DATASET_COLUMNS`) in place of those of the same datasets; licences stay."""
    path = collection / "datasets.csv"
    rows = {row["dataset"]: row for row in (read_datasets(path) if path.exists() else [])}
    licences = {name: row[LICENCE] for name, row in rows.items() if row[LICENCE]}
    rows |= {row["dataset"]: dict(row) for row in new}
    table = [[rows[name][key] for key in DATASET_COLUMNS] for name in sorted(rows)]
    if licences:
        table = [[*cells, licences.get(cells[0], "")] for cells in table]
    write_rows(path, [*DATASET_COLUMNS, *([LICENCE] if licences else [])], table)


def record_locations(collection: Path, new: Iterable[Location], datasets: Collection[str], default: str) -> None:
    """Write coordinates into ``locations.csv`` in place of those of the same datasets.

    Args:
        collection: its folder.
        new: locations; where there are none, all coordinates stay as they are.
        datasets: those that were imported.
        default: the dataset of a location that names none.
    """
    path = collection / "locations.csv"
    given = {(each.dataset or default, each.location): (each.latitude, each.longitude) for each in new}
    if not given:
        return
    old = [row for _, row in read_csv(path, LOCATION_COLUMNS, "")] if path.exists() else []
    kept = {
        (row["dataset"], row["location"]): (row["latitude"], row["longitude"])
        for row in old
        if row["dataset"] not in datasets
    }
    write_rows(path, LOCATION_COLUMNS, ((*key, *value) for key, value in sorted((kept | given).items())))


def place_taxonomy(collection: Path, source: Path) -> None:
    """Check a taxonomy table and copy it into a collection."""
    taxonomy.read(source)
    _copy(source, collection / "taxonomy.csv")


def place_label_spec(collection: Path, source: Path) -> list[str]:
    """Check a label specification and copy it into a collection as ``label_spec.json`` or ``.csv``.

    The other form, if it is there, is removed, so that never two of them disagree.

    Returns:
        A line for people if one was removed.
    """
    label_specs.read(source)
    target = collection / f"label_spec{source.suffix.lower()}"
    _copy(source, target)
    others = [collection / name for name in label_specs.NAMES if collection / name != target]
    gone = [other for other in others if other.exists()]
    for other in gone:
        other.unlink()
    return [f"{target} takes the place of {other}, which was removed" for other in gone]


def create_folders(collection: Path) -> None:
    """Make the folders for what a person may lay beside the catalog, unless they are there.

    Stages depend on them, so they must exist in every clone: the text in each makes git keep it.
    """
    for name, text in FOLDERS.items():
        if not (collection / name / "README.txt").exists():
            write_text(collection / name / "README.txt", text)


def missing_from_taxonomy(collection: Path, classes: Iterable[tuple[str, str]]) -> list[str]:
    """Say which classes, each with its dataset, the collection's taxonomy has no row for, if it has a taxonomy."""
    path = collection / "taxonomy.csv"
    if not path.exists():
        return []
    known = set(taxonomy.read(path).lineages)
    pairs = {(taxonomy.fold_dataset(dataset), taxonomy.fold(name)): name for dataset, name in classes}
    lacking = sorted({name for pair, name in pairs.items() if pair not in known})
    if not lacking:
        return []
    datasets = sorted({dataset for dataset, _ in known})
    return [
        f"warning: {path} has no row for {len(lacking)} of {len(pairs)} classes: {_some(lacking)}; add rows, or import "
        f"with a --dataset that its dataset_name column has: {_some(datasets)}"
    ]


def next_steps(collection: Path) -> list[str]:
    """Say what is still missing in a collection, or how to run it."""
    specs = [name for name in label_specs.NAMES if (collection / name).exists()]
    lacking = []
    if not (collection / "taxonomy.csv").exists():
        lacking.append(
            f"still missing: {collection}/taxonomy.csv, in the layout of LILA's taxonomy mapping; put it there, or "
            "import again with --taxonomy"
        )
    if not specs:
        lacking.append(
            f"still missing: {collection}/label_spec.json; `camtraps labels suggest --name {collection.name} --out "
            f"{collection}/label_spec.json` proposes one"
        )
    if lacking:
        return lacking
    csv_form = "" if specs[0] == "label_spec.json" else f" and `label_spec: {specs[0]}`"
    folders = " ".join(f"{collection}/{name}" for name in ("catalog", "detections", *_own_image_folders(collection)))
    return [
        f"next: put `name: {collection.name}`{csv_form} under `data:` in params.yaml, then `dvc repro`",
        f"to version it: dvc add {folders}, and git add {collection}",
    ]


def _own_image_folders(collection: Path) -> list[str]:
    """Give the folders in a collection that photos lie in; they are too much for git."""
    roots = [row["images"] for row in read_datasets(collection / "datasets.csv")]
    own = [PurePosixPath(root) for root in roots if is_local(root)]
    return sorted({path.parts[0] for path in own if path.parts and not path.is_absolute() and not Path(path).drive})


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (" ..." if len(names) > 8 else "")


def _copy(source: Path, target: Path) -> None:
    if source.resolve() != target.resolve():
        with replacing(target) as part:
            shutil.copyfile(source, part)
