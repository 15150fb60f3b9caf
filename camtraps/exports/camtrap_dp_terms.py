"""The vocabulary of Camtrap DP: its columns, and what our classes, files and projects are called in it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, Literal, NamedTuple, get_args

from camtraps.errors import InputError
from camtraps.formats.camtrap_dp import CATEGORY_TAG, CLASS_TAG
from camtraps.formats.rows import EMPTY_CLASSES, category_of
from camtraps.taxonomy import Lineage, Pair, fold, fold_dataset

VERSION = "1.0.2"
HOME = f"https://raw.githubusercontent.com/tdwg/camtrap-dp/{VERSION}"

# All columns of the standard in its order, because validators compare the header with the schema column by column.
COLUMNS = {
    "deployments": (
        *("deploymentID", "locationID", "locationName", "latitude", "longitude", "coordinateUncertainty"),
        *("deploymentStart", "deploymentEnd", "setupBy", "cameraID", "cameraModel", "cameraDelay", "cameraHeight"),
        *("cameraDepth", "cameraTilt", "cameraHeading", "detectionDistance", "timestampIssues", "baitUse"),
        *("featureType", "habitat", "deploymentGroups", "deploymentTags", "deploymentComments"),
    ),
    "media": (
        *("mediaID", "deploymentID", "captureMethod", "timestamp", "filePath", "filePublic", "fileName"),
        *("fileMediatype", "exifData", "favorite", "mediaComments"),
    ),
    "observations": (
        *("observationID", "deploymentID", "mediaID", "eventID", "eventStart", "eventEnd", "observationLevel"),
        *("observationType", "cameraSetupType", "scientificName", "count", "lifeStage", "sex", "behavior"),
        *("individualID", "individualPositionRadius", "individualPositionAngle", "individualSpeed"),
        *("bboxX", "bboxY", "bboxWidth", "bboxHeight", "classificationMethod", "classifiedBy"),
        *("classificationTimestamp", "classificationProbability", "observationTags", "observationComments"),
    ),
}

MEDIATYPES = {"png": "image/png", "gif": "image/gif", "bmp": "image/bmp", "webp": "image/webp", "avif": "image/avif"}
MEDIATYPES |= {"tif": "image/tiff", "tiff": "image/tiff", "heic": "image/heic", "avi": "video/x-msvideo"}
MEDIATYPES |= {"mp4": "video/mp4", "m4v": "video/mp4", "mov": "video/quicktime"}
RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species", "subspecies")

# Classes that say what cannot be told; a label without a lineage in the taxonomy table is another such class.
UNKNOWN = ("unknown", "unidentified", "unidentifiable")

SamplingDesign = Literal[
    "simpleRandom", "systematicRandom", "clusteredRandom", "experimental", "targeted", "opportunistic"
]
CaptureMethod = Literal["activityDetection", "timeLapse"]
Role = Literal["contact", "principalInvestigator", "rightsHolder", "publisher", "contributor"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Contributor:
    """A person or organization of ``contributors``."""

    title: str
    role: Role = "contact"
    email: str | None = None
    organization: str | None = None
    path: str | None = None
    """A URL: an ORCID, a home page."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """What a package says of itself that no catalog knows; errors are raised when it is made, all at once."""

    name: str
    """The package's: lower-case letters, digits, ``.``, ``_``, ``-`` and ``/``."""
    title: str
    timezone: str
    """Of all cameras' clocks: ``Z`` or an offset such as ``+02:00``."""
    contributors: tuple[Contributor, ...]
    sampling_design: SamplingDesign = "opportunistic"
    capture_method: tuple[CaptureMethod, ...] = ("activityDetection",)
    individual_animals: bool = False
    """It has marked or recognizable individuals."""
    created: str | None = None
    """ISO 8601 with an offset; None: the time of the last photo, so that the same tables give the same package."""

    def __post_init__(self) -> None:
        """Refuse what would make the package invalid."""
        problems = []
        if not re.fullmatch(r"[-a-z0-9._/]+", self.name):
            problems.append(f"name: expected lower-case letters, digits and . _ - /, got {self.name!r}")
        if not self.title.strip():
            problems.append("title: must not be empty")
        if not re.fullmatch(r"Z|[+-](0\d|1[0-4]):[0-5]\d", self.timezone):
            problems.append(f"timezone: expected Z or an offset such as +02:00, got {self.timezone!r}")
        if not self.contributors or not all(each.title.strip() for each in self.contributors):
            problems.append("contributors: at least one is needed, each with a title")
        if not self.capture_method:
            problems.append(f"capture_method: expected some of {', '.join(get_args(CaptureMethod))}, got none")
        for name, given, known in (
            ("sampling_design", [self.sampling_design], SamplingDesign),
            ("capture_method", self.capture_method, CaptureMethod),
            ("role", [each.role for each in self.contributors], Role),
        ):
            wrong = [each for each in given if each not in get_args(known)]
            problems += [f"{name}: expected one of {', '.join(get_args(known))}, got {each!r}" for each in wrong]
        if self.created is not None and not _is_time(self.created):
            problems.append(f"created: expected a time such as 2024-05-01T12:00:00Z, got {self.created!r}")
        if problems:
            raise InputError("Camtrap DP: " + "; ".join(problems))


class Term(NamedTuple):
    """What a class is called: observationType, scientificName and what else goes into observationTags."""

    type: str
    name: str | None
    tags: str | None


class Said(NamedTuple):
    """A class of a dataset and the category of its box, each None where nothing is said."""

    dataset: str
    name: str | None
    category: str | None


def term(said: Said, lineages: Mapping[Pair, Lineage]) -> Term:
    """Translate a class.

    Tags keep what the columns cannot say, so that our reader gives back the class as it was.

    Args:
        said: the class and box category; a class goes before the category.
        lineages: of dataset labels, as `taxonomy.Taxonomy.lineages`; a class that is not there is taken for a
            scientific name itself, one whose lineage is empty for an unknown thing.
    """
    kind, name = _meaning(said, lineages)
    read_back = {"animal": name or "animal", "human": "human", "vehicle": "vehicle", "blank": "empty"}.get(kind)
    tags = [] if read_back == said.name else [CLASS_TAG + _escaped(said.name or "")]
    category = {"human": "person", "vehicle": "vehicle"}.get(kind) or category_of(said.name or "")
    tags += [CATEGORY_TAG + _escaped(said.category)] if said.category not in (None, category) else []
    return Term(kind, name, "|".join(tags) or None)


def _meaning(said: Said, lineages: Mapping[Pair, Lineage]) -> tuple[str, str | None]:
    if said.name is None:
        return {"person": "human", "vehicle": "vehicle"}.get(said.category or "", "animal"), None
    folded = fold(said.name)
    if folded in EMPTY_CLASSES:
        return "blank", None
    category = category_of(folded)
    if category in ("person", "vehicle"):
        return ("human" if category == "person" else category), None
    lineage = lineages.get((fold_dataset(said.dataset), folded))
    if lineage:
        return "animal", scientific(lineage[0][1])
    if folded == "animal" or category == "group":
        return "animal", None
    return ("unknown", None) if lineage == () or folded in UNKNOWN else ("animal", said.name)


def scientific(name: str) -> str:
    """Spell a lower-case scientific name as usual: ``capreolus capreolus`` is ``Capreolus capreolus``."""
    return name[:1].upper() + name[1:]


def taxonomic(names: Iterable[str], lineages: Mapping[Pair, Lineage]) -> list[dict[str, str]]:
    """Describe scientific names by rank and higher taxa, as far as the lineages know them, sorted by name."""
    known = {scientific(lineage[0][1]): lineage for lineage in lineages.values() if lineage}
    described = []
    for name in sorted(set(names)):
        taxon, lineage = {"scientificName": name}, known.get(name, ())
        if lineage and lineage[0][0] in RANKS:
            taxon["taxonRank"] = lineage[0][0]
        higher = {level: scientific(each) for level, each in lineage}
        described.append(taxon | {level: higher[level] for level in RANKS[:6] if level in higher})
    return described


def mediatype(file: str) -> str:
    """Name the media type of a file; JPEG where its name does not tell."""
    return MEDIATYPES.get(PurePosixPath(file).suffix.lower().lstrip("."), "image/jpeg")


def contributor(given: Contributor) -> dict[str, Any]:
    """Write a contributor without what is not known."""
    values = {name: getattr(given, name) for name in ("title", "email", "path", "role", "organization")}
    return {name: value for name, value in values.items() if value}


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("|", "%7C")


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None and "T" in text
    except ValueError:
        return False
