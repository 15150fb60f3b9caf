"""Generated collections of any size, skewed as real ones are; the same bytes for the same size and seed.

Fifty datasets of very unequal size (Zipf 1.1), a thousand dataset labels, five thousand locations; nearly half of the
photos are empty, a fifth have human boxes, one in fifty has two labels, some datasets label only whole sequences, one
in five names its files by random digits. No photo exists: this is for what works on tables alone.
"""

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from camtraps import catalog, tables
from camtraps.collections import DATASET_COLUMNS
from camtraps.corrections import COLUMNS as CORRECTION_COLUMNS
from camtraps.files import code_digest, digest, replacing, write_json
from camtraps.schema import BOXES, CATALOG, HUMAN_BOX, LABEL, QUERIED, Table

NAME = "bench"  # the collection is data/bench
REPOSITORY = Path(__file__).parent.parent
SEED = 1

NUM_DATASETS, NUM_LABELS, NUM_LOCATIONS = 50, 1000, 5000
NUM_SPECIES, NUM_GENERA, NUM_FAMILIES, NUM_ORDERS = 300, 150, 60, 20
SKEW = 1.1
EMPTY, TWO_LABELS, BOXED, NO_IMAGE, CORRECTED = 0.45, 0.02, 0.2, 0.0005, 0.001
NO_LOCATION = 0.01
SIZES_PX = np.array([(2048, 1536), (1920, 1080), (3264, 2448), (1280, 720)])
FIRST_DAY, DAYS = np.datetime64("2016-01-01", "ms"), 2000
CATEGORIES = {"1": "animal", "2": "person", "3": "vehicle"}  # of detections
BURSTS = (1, 1, 2, 3, 3, 3, 3, 5, 10)  # photos of a sequence

Numbers = npt.NDArray[Any]
Lineage = tuple[tuple[int, str, str], ...]  # taxon id, level, name, most specific first


@dataclass(frozen=True)
class Dataset:
    """What one dataset is like; ``labels`` starts with ``empty``, the others commonest first."""

    number: int
    name: str
    num_photos: int
    first_location: int
    num_locations: int
    labels: tuple[str, ...]
    lineages: tuple[Lineage, ...]

    @property
    def has_random_names(self) -> bool:
        """Files are named by 32 random digits, in a folder of their first two."""
        return self.number % 5 == 4

    @property
    def labels_sequences(self) -> bool:
        """Labels speak of whole sequences."""
        return self.number % 5 == 2

    @property
    def is_corrected(self) -> bool:
        """People have reviewed some of its photos."""
        return self.number % 2 == 1


def write_project(folder: Path, num_photos: int, seed: int = SEED) -> Path:
    """Write a folder in which ``stages.query`` can run: params.yaml, dvc.yaml and ``data/bench``.

    What is there from an earlier call with the same size, seed, code and schema is kept.

    Returns:
        ``folder``.
    """
    return _once(folder, lambda part: _write_project(part, num_photos, seed), num_photos, seed, str(CATALOG.schema))


def write_cct(folder: Path, num_photos: int, seed: int = SEED) -> Path:
    """Write ``cct.json`` (some 400 bytes a photo) beside a dvc.yaml, for an import; give the folder."""
    return _once(folder, lambda part: _write_cct(part, num_photos, seed), num_photos, seed)


def write_queried(folder: Path, num_photos: int, seed: int = SEED) -> Path:
    """Write ``data/queried`` with so many chosen photos, for an export; give the folder."""
    schemas = str(QUERIED.schema) + str(BOXES.schema)
    return _once(folder, lambda part: _write_queried(part, num_photos, seed), num_photos, seed, schemas)


def write_detections(folder: Path, num_photos: int, seed: int = SEED) -> Path:
    """Write ``data/bench`` with one dataset and ``md.json`` with results for its photos, for an import.

    There are five boxes for every two photos; they fall on the photos at random.

    Returns:
        ``folder``.
    """
    return _once(folder, lambda part: _write_detections(part, num_photos, seed), num_photos, seed, str(CATALOG.schema))


def _once(folder: Path, make: Callable[[Path], None], *key: object) -> Path:
    """Make a folder unless it stands there already, made by the same code of the same things."""
    wanted = {"key": digest(*(str(each) for each in key), code_digest(["benchmarks.generated"]))}
    made_path = folder / "generated.json"
    if not made_path.is_file() or json.loads(made_path.read_text(encoding="utf-8")) != wanted:
        with replacing(folder) as part:
            part.mkdir()
            make(part)
            write_json(part / "generated.json", wanted)
    write_settings(folder)  # of the code that is measured, not of what is generated
    return folder


def write_settings(folder: Path) -> None:
    """Write the repository's params.yaml, for this collection, and its dvc.yaml into a folder."""
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text(encoding="utf-8"))
    params["data"]["name"] = NAME
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    shutil.copyfile(REPOSITORY / "dvc.yaml", folder / "dvc.yaml")


def _write_project(folder: Path, num_photos: int, seed: int) -> None:
    datasets, collection = plan(num_photos, seed), folder / "data" / NAME
    (collection / "detections").mkdir(parents=True)
    corrected: list[dict[str, str]] = []
    for dataset in datasets:
        rng = np.random.default_rng([seed, dataset.number])
        photos = catalog_rows(dataset, rng)
        tables.write_arrow(photos, catalog.dataset_path(collection / "catalog", dataset.name), CATALOG)
        if dataset.is_corrected:
            corrected += _corrections(dataset, photos, rng)
    write_csv(collection / "corrections.csv", CORRECTION_COLUMNS, corrected)
    write_csv(collection / "taxonomy.csv", TAXONOMY_COLUMNS, _taxonomy_rows(datasets))
    described = [
        {"dataset": each.name, "images": f"s3://bucket/{each.name}", "photos": str(each.num_photos)}
        for each in sorted(datasets, key=lambda each: each.name)
    ]
    write_csv(collection / "datasets.csv", DATASET_COLUMNS, described)
    write_json(collection / "label_spec.json", label_spec(datasets, num_photos))


def plan(num_photos: int, seed: int = SEED) -> list[Dataset]:
    """Plan the datasets, the largest first."""
    rng = np.random.default_rng(seed)
    sizes = _shares(num_photos, _zipf(NUM_DATASETS))
    num_locations = _shares(NUM_LOCATIONS, _zipf(NUM_DATASETS) ** 0.7)
    num_labels = _shares(NUM_LABELS, _zipf(NUM_DATASETS) ** 0.5)
    first = np.concatenate([[0], np.cumsum(num_locations)])
    datasets = []
    for at in range(NUM_DATASETS):
        species = rng.permutation(NUM_SPECIES)[: num_labels[at] - 1]
        lineages = tuple(_lineage(int(one)) for one in species)
        # Each dataset spells names in its own way.
        spell = (str, str.title, lambda name: name.replace(" ", "_"))[at % 3]
        labels = ("empty", *(spell(lineage[0][2]) for lineage in lineages))
        name = f"{('ridge', 'Delta', 'forest_station')[at % 3]}-{at:02}"
        here = int(sizes[at]), int(first[at]), int(num_locations[at])
        datasets.append(Dataset(at, name, *here, labels, ((), *lineages)))
    return datasets


def _shares(total: int, weights: Numbers) -> Numbers:
    """Share a total out by weights, at least 2 for each; the first gets what rounding leaves."""
    shares: Numbers = np.maximum(2, (total * weights / weights.sum()).astype(int))
    shares[0] += total - shares.sum()
    assert shares[0] > 0, total
    return shares


def _zipf(number: int) -> Numbers:
    weights: Numbers = 1 / np.arange(1, number + 1) ** SKEW
    shares: Numbers = weights / weights.sum()
    return shares


def _lineage(species: int) -> Lineage:
    genus = species * NUM_GENERA // NUM_SPECIES
    family = genus * NUM_FAMILIES // NUM_GENERA
    order = family * NUM_ORDERS // NUM_FAMILIES
    name = "mammalia" if order < NUM_ORDERS * 3 // 4 else "aves"
    return (
        (10_000 + species, "species", f"genus{genus:03} species{species:03}"),
        (5_000 + genus, "genus", f"genus{genus:03}"),
        (3_000 + family, "family", f"family{family:02}idae"),
        (2_000 + order, "order", f"order{order:02}"),
        (1_000 + (name == "aves"), "class", name),
        (1, "kingdom", "animalia"),
    )


TAXONOMY_COLUMNS = ("dataset_name", "query", "source", "taxonomy_level", "scientific_name", "taxonomy_string")


def _taxonomy_rows(datasets: list[Dataset]) -> list[dict[str, str]]:
    rows = []
    for dataset in datasets:
        for label, lineage in zip(dataset.labels, dataset.lineages, strict=True):
            taxa = [(*taxon, ["some name"]) for taxon in lineage]
            level, name = lineage[0][1:] if lineage else ("", "")
            text = str(taxa) if taxa else ""
            values = (dataset.name.lower(), label.lower(), "inat", level, name, text)
            rows.append(dict(zip(TAXONOMY_COLUMNS, values, strict=True)))
    return rows


def label_spec(datasets: list[Dataset], num_photos: int) -> dict[str, dict[str, Any]]:
    """Make a specification of up to 60 labels: families (some without a genus), genera, dataset labels by name.

    Every second label has a cap, a quarter of a percent of the photos; every fourth prefers some datasets as well.
    """
    spec: dict[str, dict[str, Any]] = {}
    pairs = [
        (dataset.name.lower(), label.lower(), lineage)
        for dataset in datasets
        for label, lineage in zip(dataset.labels, dataset.lineages, strict=True)
        if lineage
    ]
    names = [dataset.name.lower() for dataset in datasets]
    for at, family in enumerate(sorted({lineage[2][2] for _, _, lineage in pairs})):
        members = [pair for pair in pairs if pair[2][2][2] == family]
        genera = sorted({lineage[1][2] for _, _, lineage in members})
        rule: dict[str, Any]
        if at % 12 == 11:
            rule = {"dataset_labels": {}}
            for dataset, label, _ in members:
                rule["dataset_labels"].setdefault(dataset, []).append(label)
        elif at % 6 == 5:
            rule = {"taxa": [{"level": "genus", "name": genera[0]}]}
        else:
            rule = {"taxa": [{"level": "family", "name": family}]}
            if at % 4 == 0 and len(genera) > 1:
                rule["exclude"] = {"taxa": [{"level": "genus", "name": genera[-1]}]}
        if at % 2:
            rule["max_count"] = max(1, num_photos // 400)
        if at % 4 == 1:
            rule["prioritize"] = [names[at % 7 : at % 7 + 3], names[10:15]]
        spec[f"label {at:02}"] = rule
    return spec


def catalog_rows(dataset: Dataset, rng: np.random.Generator) -> pa.Table:
    """Make the photos of a dataset, sorted by file, with the columns of `schema.CATALOG`."""
    num, frames = dataset.num_photos, _Frames.draw(dataset, rng)
    if dataset.has_random_names:  # the order of the files says nothing about that of the photos
        frames = frames.take(rng.permutation(num))
    place = pc.utf8_lpad(pa.array(frames.location.astype(str)), 4, "0")
    files = _random_names(num, rng) if dataset.has_random_names else _counted_names(dataset, place)
    unplaced = pa.array(rng.random(num) < NO_LOCATION)
    text = pa.array(np.char.mod("%d", np.arange(int(frames.sequence.max()) + 1)))
    sequences = pc.binary_join_element_wise("SEQ", pc.utf8_lpad(text, 7, "0"), "").take(pa.array(frames.sequence))
    sizes_px = SIZES_PX[frames.location % len(SIZES_PX)]
    columns = {
        "image": pc.binary_join_element_wise(dataset.name, files, "/"),
        "dataset": pa.repeat(dataset.name, num),
        "file": files,
        "location": pc.if_else(unplaced, None, place),
        "sequence": sequences,
        "frame": pa.array(frames.frame, pa.int32()),
        "datetime": pa.array(frames.taken),
        "width": pa.array(sizes_px[:, 0], pa.int32()),
        "height": pa.array(sizes_px[:, 1], pa.int32()),
        "corrupt": pa.repeat(False, num),
        "labels": _labels(dataset, frames, rng),
        "boxes": _boxes(frames.label > 0, rng),
    }
    return _as(columns, CATALOG, num)


@dataclass(frozen=True)
class _Frames:
    """Columns of a dataset's photos, by place and time; ``label`` is the number of the label, 0 is empty."""

    location: Numbers
    sequence: Numbers
    frame: Numbers
    taken: Numbers
    label: Numbers

    @classmethod
    def draw(cls, dataset: Dataset, rng: np.random.Generator) -> "_Frames":
        num = dataset.num_photos
        lengths = rng.choice(BURSTS, num)
        lengths = lengths[: np.searchsorted(np.cumsum(lengths), num) + 1]
        sequence = np.repeat(np.arange(len(lengths)), lengths)[:num]
        frame = np.arange(num) - np.repeat(np.cumsum(lengths) - lengths, lengths)[:num]
        place = np.sort(rng.choice(dataset.num_locations, len(lengths), p=_zipf(dataset.num_locations)))
        minute = rng.integers(0, DAYS * 1440, len(lengths))
        minute = minute[np.lexsort((minute, place))]
        common = 1 + rng.choice(len(dataset.labels) - 1, len(lengths), p=_zipf(len(dataset.labels) - 1))
        return cls(
            location=(dataset.first_location + place)[sequence],
            sequence=sequence,
            frame=frame,
            taken=FIRST_DAY + (minute[sequence] * 60_000 + frame * 1000).astype("timedelta64[ms]"),
            label=np.where(_is_empty(dataset, sequence, rng), 0, common[sequence]),
        )

    def take(self, order: Numbers) -> "_Frames":
        return _Frames(*(getattr(self, name)[order] for name in ("location", "sequence", "frame", "taken", "label")))


def _is_empty(dataset: Dataset, sequence: Numbers, rng: np.random.Generator) -> Numbers:
    """Draw which photos are empty: whole sequences, and where photos are labelled one by one, some of the others."""
    whole = EMPTY if dataset.labels_sequences else EMPTY * 0.75
    empty = (rng.random(int(sequence.max()) + 1) < whole)[sequence]
    if dataset.labels_sequences:
        return empty
    rest = (EMPTY - whole) / (1 - whole)
    return empty | (rng.random(len(sequence)) < rest)


def _counted_names(dataset: Dataset, place: pa.Array) -> pa.Array:
    num = dataset.num_photos
    counted = pc.utf8_lpad(pa.array(np.arange(num).astype(str)), 7, "0")
    folder = pc.binary_join_element_wise("S1", place, "DCIM", "/")
    ending = np.where(np.arange(num) % int(1 / NO_IMAGE) == 999, ".AVI", ".JPG")
    return pc.binary_join_element_wise(folder, pc.binary_join_element_wise("IMG_", counted, pa.array(ending), ""), "/")


def _random_names(num: int, rng: np.random.Generator) -> pa.Array:
    names = np.sort(np.frombuffer(rng.bytes(16 * num).hex().encode(), "S32"))
    offsets = np.arange(num + 1, dtype=np.int32) * 32
    text = pa.StringArray.from_buffers(num, pa.py_buffer(offsets), pa.py_buffer(names.tobytes()))
    ending = np.where(np.arange(num) % int(1 / NO_IMAGE) == 999, ".mp4", ".jpg")
    name = pc.binary_join_element_wise(text, pa.array(ending), "")
    return pc.binary_join_element_wise(pc.utf8_slice_codeunits(text, 0, 2), name, "/")


def _labels(dataset: Dataset, frames: _Frames, rng: np.random.Generator) -> pa.Array:
    """Make the lists of labels: one, or two where two classes are in a photo."""
    num, rest = len(frames.label), len(dataset.labels) - 1
    both = (frames.label > 0) & (rng.random(num) < TWO_LABELS / (1 - EMPTY)) & (rest > 1)
    second = 1 + frames.label[both] % max(rest, 1)  # the next one of the list, never the same
    starts = np.concatenate([[0], np.cumsum(1 + both)])
    numbers = np.empty(int(starts[-1]), dtype=np.int64)
    numbers[starts[:-1]] = frames.label
    numbers[starts[:-1][both] + 1] = second
    classes = pa.array(dataset.labels).take(pa.array(numbers))
    levels = pa.repeat("sequence" if dataset.labels_sequences else "image", len(numbers))
    items = pa.StructArray.from_arrays([classes, levels], fields=list(LABEL))
    return pa.ListArray.from_arrays(pa.array(starts, pa.int32()), items)


def _boxes(has_animal: Numbers, rng: np.random.Generator) -> pa.Array:
    """Make the lists of human boxes: one to three in a part of the photos, none (looked at) or null in the others."""
    num = len(has_animal)
    looked = rng.random(num) < BOXED / (1 - EMPTY)
    number = np.where(looked & has_animal, rng.choice((1, 1, 1, 2, 3), num), 0)
    starts = np.concatenate([[0], np.cumsum(number)])
    total = int(starts[-1])
    corner, side = rng.random((2, total)) * 0.6, 0.05 + rng.random((2, total)) * 0.3
    values = {
        "category": pa.repeat("animal", total),
        "class": pa.nulls(total, pa.string()),
        "x": corner[0].round(4),
        "y": corner[1].round(4),
        "w": side[0].round(4),
        "h": side[1].round(4),
    }
    items = pa.StructArray.from_arrays(
        [pa.array(values[field.name], field.type) for field in HUMAN_BOX], fields=list(HUMAN_BOX)
    )
    unseen = ~looked | (~has_animal & (rng.random(num) < 0.9))
    return pa.ListArray.from_arrays(pa.array(starts, pa.int32()), items, mask=pa.array(unseen & (number == 0)))


def _corrections(dataset: Dataset, photos: pa.Table, rng: np.random.Generator) -> list[dict[str, str]]:
    """Correct a few photos: mostly to another label of the dataset, some to empty, some only known to be wrong."""
    rows = np.sort(rng.choice(photos.num_rows, int(np.ceil(photos.num_rows * CORRECTED)), replace=False))
    right = rng.choice(["", *dataset.labels], len(rows))
    files = photos["file"].take(pa.array(rows)).to_pylist()
    return [
        {"dataset": dataset.name, "file": file, "correct_class": str(name), "reviewer": "somebody"}
        for file, name in zip(files, right, strict=True)
    ]


def _as(columns: dict[str, Any], table: Table, num: int) -> pa.Table:
    """Make a table of a schema; columns that we do not know yet are empty."""
    arrays = [columns.get(field.name, pa.nulls(num, field.type)) for field in table.schema]
    return pa.Table.from_arrays(arrays, names=table.schema.names).cast(table.schema)


def _write_cct(folder: Path, num_photos: int, seed: int) -> None:
    names = sorted({label for dataset in plan(num_photos, seed) for label in dataset.labels})
    number_of = {name: at for at, name in enumerate(names)}
    with (folder / "cct.json").open("w", encoding="utf-8", newline="\n") as file:
        file.write('{"info": {"version": "1.0", "description": "generated"},\n"images": [\n')
        _write_lines(file, _cct_images(num_photos, seed))
        file.write('],\n"annotations": [\n')
        _write_lines(file, _cct_annotations(num_photos, seed, number_of))
        listed = [{"id": at, "name": name} for name, at in number_of.items()]
        file.write(f'],\n"categories": {json.dumps(listed)}}}\n')


def _cct_parts(num_photos: int, seed: int) -> Iterator[pa.RecordBatch]:
    for dataset in plan(num_photos, seed):
        photos = catalog_rows(dataset, np.random.default_rng([seed, dataset.number]))
        yield from photos.to_batches(max_chunksize=50_000)


def _cct_images(num_photos: int, seed: int) -> Iterator[str]:
    for photos in _cct_parts(num_photos, seed):
        taken = pc.strftime(photos["datetime"], "%Y-%m-%d %H:%M:%S")
        names = ("image", "location", "sequence", "frame", "width", "height")
        for at, (image, location, sequence, frame, width, height) in zip(
            taken.to_pylist(), zip(*(photos[name].to_pylist() for name in names), strict=True), strict=True
        ):
            yield (
                f'{{"id": "{image}", "file_name": "{image}", "location": {json.dumps(location)}, '
                f'"seq_id": "{image.split("/")[0]}.{sequence}", "seq_num_frames": 3, "frame_num": {frame}, '
                f'"datetime": "{at[:19]}", "width": {width}, "height": {height}}}'
            )


def _cct_annotations(num_photos: int, seed: int, number_of: dict[str, int]) -> Iterator[str]:
    """Give one annotation a label, and for boxed photos one a box instead of the first label's."""
    for photos in _cct_parts(num_photos, seed):
        names = ("image", "labels", "boxes", "width", "height")
        for image, labels, boxes, width, height in zip(*(photos[name].to_pylist() for name in names), strict=True):
            for at, label in enumerate(labels):
                given = [_pixels(box, width, height) for box in boxes or ()] if at == 0 else []
                for number, more in enumerate(given or [""]):
                    level = json.dumps(label["level"] == "sequence")
                    yield (
                        f'{{"id": "{image}.{at}.{number}", "image_id": "{image}", '
                        f'"category_id": {number_of[label["class"]]}, "sequence_level_annotation": {level}{more}}}'
                    )


def _pixels(box: dict[str, float], width: int, height: int) -> str:
    sides = (box["x"] * width, box["y"] * height, box["w"] * width, box["h"] * height)
    return f', "bbox": {[round(side, 1) for side in sides]}'


def _write_lines(file: Any, lines: Iterator[str]) -> None:
    file.write(next(lines))
    for line in lines:
        file.write(",\n" + line)
    file.write("\n")


def _write_detections(folder: Path, num_photos: int, seed: int) -> None:
    dataset = replace(plan(num_photos, seed)[0], name=NAME, num_photos=num_photos)
    collection, rng = folder / "data" / NAME, np.random.default_rng([seed, dataset.number])
    photos = catalog_rows(dataset, rng)
    tables.write_arrow(photos, catalog.dataset_path(collection / "catalog", NAME), CATALOG)
    row = {"dataset": NAME, "images": "s3://bucket/photos", "photos": str(num_photos)}
    write_csv(collection / "datasets.csv", DATASET_COLUMNS, [row])
    num_boxes = np.bincount(rng.integers(0, num_photos, num_photos * 5 // 2), minlength=num_photos)
    header = {"info": {"format_version": "1.3", "detector": "md_v5a.0.0.pt"}, "detection_categories": CATEGORIES}
    with (folder / "md.json").open("w", encoding="utf-8", newline="\n") as file:
        file.write(json.dumps(header)[:-1] + ',\n"images": [\n')
        _write_lines(file, _results(photos["file"].to_pylist(), num_boxes, rng))
        file.write("]}\n")


def _results(files: list[str], num_boxes: Numbers, rng: np.random.Generator) -> Iterator[str]:
    for name, num in zip(files, num_boxes, strict=True):
        found = [
            {"category": "1", "conf": round(conf, 3), "bbox": [round(side, 4) for side in box]}
            for conf, *box in (rng.random((num, 5)) * (1, 0.6, 0.6, 0.3, 0.3) + (0, 0, 0, 0.01, 0.01)).tolist()
        ]
        yield json.dumps({"file": name, "detections": found})


def _write_queried(folder: Path, num_photos: int, seed: int) -> None:
    photos = pa.concat_tables(
        catalog_rows(dataset, np.random.default_rng([seed, dataset.number])) for dataset in plan(num_photos, seed)
    )
    photos = photos.take(pc.sort_indices(photos["image"])).combine_chunks()
    num = photos.num_rows
    first = pc.list_element(photos["labels"], 0)
    names = pc.struct_field(first, "class")
    label = pa.array(np.char.add("label ", (np.arange(num) % 60).astype(str)))
    columns = {name: photos[name] for name in photos.schema.names if name in QUERIED.schema.names} | {
        "class": names,
        "label": label,
        "labels": pa.ListArray.from_arrays(pa.array(np.arange(num + 1), pa.int32()), label),
        "why": pa.repeat("family of something", num),
        "level": pc.struct_field(first, "level"),
        "has_truth_boxes": pc.is_valid(photos["boxes"]),
    }
    tables.write_arrow(_as(columns, QUERIED, num), folder / "data" / "queried" / "queried.parquet", QUERIED)
    tables.write_arrow(_flat_boxes(photos), folder / "data" / "queried" / "boxes.parquet", BOXES)


def _flat_boxes(photos: pa.Table) -> pa.Table:
    """Give the nested boxes as rows of `schema.BOXES`."""
    parents = pc.list_parent_indices(photos["boxes"]).combine_chunks()
    of = parents.to_numpy()
    starts = np.searchsorted(of, of, side="left")  # the photo's first box
    items = pc.list_flatten(photos["boxes"]).combine_chunks()
    columns = {name: pc.struct_field(items, name) for name in ("category", "class", "x", "y", "w", "h")}
    columns |= {"image": photos["image"].take(parents), "box": pa.array(np.arange(len(of)) - starts, pa.int32())}
    return _as(columns, BOXES, len(of))


def write_csv(path: Path, columns: tuple[str, ...], rows: list[dict[str, str]]) -> None:
    """Write rows with these columns; what a row does not have is empty."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
