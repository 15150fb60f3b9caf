"""Classified photos as a Camtrap DP: each folder is a deployment, each box an observation by a machine."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from camtraps import catalog
from camtraps.exports import camtrap_dp
from camtraps.exports.camtrap_dp import Source, Summary
from camtraps.exports.camtrap_dp_terms import Project
from camtraps.files import work_dir
from camtraps.formats.photo_headers import moment
from camtraps.result_files import Judged
from camtraps.schema import CATALOG
from camtraps.verdicts import Verdicts

DATASET = "photos"


@dataclass(frozen=True, kw_only=True)
class Package:
    """What a package says besides the photos: ``locations`` as in `camtrap_dp.Source`, where a location is a folder."""

    project: Project
    locations: pd.DataFrame
    locations_path: Path
    detector: str
    classifier: str


def export(photos: Iterable[Judged], verdicts: Verdicts, package: Package, out: Path) -> Summary:
    """Write a package, whole or not at all; the photos are in memory. Errors as of `camtrap_dp.export`.

    Args:
        photos: from `result_files.judged`.
        verdicts: what the answers are called.
        package: what it says of itself.
        out: its folder.
    """
    rows, boxes = [], []
    for photo, answers in photos:
        image = f"{DATASET}/{photo.name}"
        row: dict[str, Any] = dict.fromkeys(CATALOG.schema.names)
        row |= {"image": image, "dataset": DATASET, "file": photo.name, "location": photo.folder or None}
        rows.append(row | {"datetime": moment(photo.taken), "corrupt": photo.failure is not None, "labels": []})
        for place, box in enumerate(photo.boxes):
            best = answers.get(place, [])[:1]
            said = {
                "prediction": verdicts.categories[best[0][0]] if best else None,
                "share": best[0][1] if best else None,
            }
            boxes.append({"image": image, "box": place, **box._asdict(), **said})
    columns = ["image", "box", "category", "confidence", "x", "y", "w", "h", "prediction", "share"]
    told = pd.DataFrame(boxes, columns=[*columns, "frame"]).astype({"box": "int32"})
    with TemporaryDirectory(dir=work_dir("exports"), ignore_cleanup_errors=True) as folder:
        catalog.write(sorted(rows, key=lambda row: row["file"]), catalog.dataset_path(Path(folder), DATASET))
        with catalog.connect(Path(folder)) as database:
            source = Source(
                database=database,
                locations=package.locations,
                locations_path=package.locations_path,
                detections=told[columns[:8]].assign(detector=package.detector),
                predictions=_predictions(told),
                classifier=package.classifier,
                names=_names(verdicts),
            )
            return camtrap_dp.export(source, package.project, out)


def _predictions(told: pd.DataFrame) -> pd.DataFrame:
    some = told.loc[told["prediction"].notna(), ["image", "box", "prediction", "share"]]
    return some.rename(columns={"share": "confidence"}).astype({"prediction": "str", "confidence": "float64"})


def _names(verdicts: Verdicts) -> dict[str, str]:
    """Give the scientific names of the categories that have one."""
    names = {label: lineage[0][1] for label, lineage in verdicts.label_lineages.items() if lineage}
    return {name: taxon.capitalize() for name, taxon in ({taxon: taxon for _, taxon in verdicts.taxa} | names).items()}
