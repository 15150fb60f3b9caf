"""What the split is asked for: its section of params.yaml."""

from dataclasses import dataclass
from typing import Literal

from camtraps.files import climbs
from camtraps.params import check_range


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitParams:
    """Section ``split`` of params.yaml."""

    seed: int
    """Orders the locations before they are placed."""
    method: Literal["balanced", "random", "smallest_first"]
    """How locations are placed: ours, or one of CameraTraps' two."""
    val_fraction: float
    """Share of each label's crops that should be in val; under ``match_test`` of those that are not in test."""
    test_fraction: float
    """Share of each label's crops that should be in test; of no effect under ``match_test``."""
    location_weight: float
    """What the share of a label's locations in a split counts beside the share of its crops, 0 to 1."""
    min_locations: int
    """Labels with crops at fewer locations than this are left out."""
    without_location: Literal["sequence", "day", "leave_out"]
    """Photos without location count as a location of their sequence or of their day, or are left out."""
    previous: str | None
    """Locations that this file has, in data/<name>/splits, stay in their split: a splits.parquet or splits.json."""
    match_test: str | None
    """The test locations of this file, in data/<name>/splits, are test here, and no others are."""
    duplicates: Literal["report", "together", "ignore"]
    """Crops that are (nearly) the same at different locations: list those in different splits, move the locations as
    one, or do not look for them."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range(self, val_fraction=(0.01, 0.8), test_fraction=(0.01, 0.8), location_weight=(0.0, 1.0))
        check_range(self, min_locations=(1, None))
        if self.val_fraction + self.test_fraction > 0.9:
            raise ValueError(f"test_fraction: {self.test_fraction} and val_fraction {self.val_fraction} leave no train")
        for name in ("previous", "match_test"):
            file = getattr(self, name)
            if file is not None and (climbs(file) or not file.endswith((".parquet", ".json"))):
                raise ValueError(f"{name}: must be a .parquet or .json file in data/<name>/splits, got {file!r}")

    @property
    def fractions(self) -> tuple[float, float, float]:
        """The wanted shares of train, val and test."""
        return 1 - self.val_fraction - self.test_fraction, self.val_fraction, self.test_fraction
