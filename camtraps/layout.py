"""Where things lie in the repository, once."""

from dataclasses import dataclass
from pathlib import Path

from camtraps.files import climbs
from camtraps.params import load


@dataclass(frozen=True, kw_only=True, slots=True)
class DataParams:
    """Section ``data`` of params.yaml."""

    name: str
    """The input collection is the folder ``data/<name>``."""
    label_spec: str
    """Its label specification: a ``.json`` or ``.csv`` file in that folder."""

    def __post_init__(self) -> None:
        """Refuse a name that leads out of data/."""
        if not self.name or "/" in self.name or "\\" in self.name or self.name.startswith("."):
            raise ValueError(f"name: must be the name of a folder in data/, got {self.name!r}")
        if climbs(self.label_spec) or not self.label_spec.endswith((".json", ".csv")):
            raise ValueError(f"label_spec: must be a .json or .csv file in the collection, got {self.label_spec!r}")


QUERIED = Path("data/queried")
DETECTIONS = Path("data/detections")
CROPS = Path("data/crops")
SPLITS = Path("data/splits")
TRAINING = Path("data/training")
PREDICTIONS = Path("data/predictions")
EVALUATION = Path("data/evaluation")
RESULTS = Path("data/results")
REVIEW = Path("data/review")
CLASSIFIER = Path("models/classifier")
METRICS = Path("metrics")
REPORTS = Path("reports")


RESULTS_OF_A_RUN = {
    REPORTS / "index.html": "the pages to look at: overview, data, evaluation, model, review",
    RESULTS / "by_dataset": "one MegaDetector JSON a dataset, for Timelapse in its image folder",
    REVIEW / "candidates.csv": "labels that are probably wrong, most suspicious first",
    CLASSIFIER: "the classifier: weights and model.json",
}


def collection() -> Path:
    """Give the folder of the input collection that params.yaml names."""
    return Path("data") / load(DataParams, "data").name


def label_spec() -> str:
    """Give the name of the label specification that params.yaml names, in the folder of the collection."""
    return load(DataParams, "data").label_spec
