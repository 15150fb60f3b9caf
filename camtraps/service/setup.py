"""What the service looks at photos with, and what it is given to look at."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from camtraps.service.limits import Limits

Detector = Literal["megadetector", "whole"]


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What the service looks at photos with.

    ``detector`` ``whole`` takes each photo as one box, for pictures of animals that are cut already. ``threshold`` is
    that of boxes, None for the classifier's own; ``num_classes`` are named at a box, at most.
    """

    model: Path
    detector: Detector = "megadetector"
    detector_model: str | None = None
    threshold: float | None = None
    num_classes: int = 5
    limits: Limits


class Item(NamedTuple):
    """A photo to look at: its name in the answer, and its bytes or else its URI."""

    name: str
    data: bytes | None
    uri: str = ""
