"""Requests of the Batch Detection API, version 4: what they may hold, and how they are refused.

Protocol: "Camera trap batch processing API user guide" of the CameraTraps repository (API v4 of 2021).
"""

import random
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from camtraps.errors import CamtrapsError

PREFIX = "/v4/camera-trap/detection-batch"
EXTENSIONS = (".jpg", ".jpeg", ".png")
NAME = r"[A-Za-z0-9_-]{0,92}"
UNREADABLE, FAILED = "Failure image access", "Failure TF inference"  # what begins the failure of a photo
OVER = ("completed", "failed", "problem", "canceled")

Photo = tuple[str, Any]  # its name, and what the caller wants to find beside it in the results, or None


class Refusal(CamtrapsError):
    """A request that is refused; ``status`` is the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Request:
    """What a caller asks for; the addresses may hold keys."""

    name: str
    container: str = field(repr=False)
    """Address of the photos' container, with its key; empty: photos are named by their URIs."""
    photos: str = field(repr=False)
    """Address of the list of photos; empty: all of the container."""
    prefix: str = ""
    first_n: int | None = None
    sample_n: int | None = None

    def chosen(self, given: Any) -> list[Photo]:
        """Choose from a list of names, or of pairs of name and metadata.

        Raises:
            Refusal: it is no such list.
        """
        if not isinstance(given, list):
            raise Refusal(400, f"the list of photos is no JSON list but {type(given).__name__}")
        photos = []
        for at, each in enumerate(given):
            name, extra = each if isinstance(each, list) and len(each) == 2 else (each, None)
            if not isinstance(name, str):
                raise Refusal(400, f"the list of photos, [{at}]: expected text or [text, metadata], got {each!r}"[:200])
            if name.partition("?")[0].lower().endswith(EXTENSIONS) and name.startswith(self.prefix):
                photos.append((name, extra))
        photos = photos[: self.first_n]
        if self.sample_n is not None and self.sample_n < len(photos):
            picked = sorted(random.Random(0).sample(range(len(photos)), self.sample_n))
            photos = [photos[at] for at in picked]
        return photos


def check_caller(caller: Any, known: Collection[str]) -> None:
    """Refuse a caller that is not known; with none known, whoever gives a name is.

    Raises:
        Refusal: 401.
    """
    if not isinstance(caller, str) or not caller or (known and caller not in known):
        raise Refusal(401, "Parameter caller is not supplied or is not on our allowlist.")


def read_request(body: Any, versions: Collection[str]) -> Request:
    """Read the body of a request for detections.

    Args:
        body: parsed JSON.
        versions: of models that may be asked for.

    Raises:
        Refusal: 400, with what is wrong.
    """
    uses_urls, container = body.get("use_url"), _text(body, "input_container_sas")
    photos, name = _text(body, "images_requested_json_sas"), _text(body, "request_name")
    version = body.get("model_version")
    if uses_urls not in (None, True, False):
        raise Refusal(400, f"use_url: expected true or false, got {uses_urls!r}"[:200])
    if bool(uses_urls) == bool(container):
        raise Refusal(400, "expected either input_container_sas, with read and list access, or use_url: true")
    if not photos and uses_urls:
        raise Refusal(400, "images_requested_json_sas is a required field where use_url is true")
    if version is not None and str(version) not in versions:
        raise Refusal(400, f"model_version {str(version)[:50]} is not supported; there are: {', '.join(versions)}")
    if not re.fullmatch(NAME, name):
        raise Refusal(400, f"request_name: at most 92 letters, digits, _ and -, got {name[:100]!r}")
    first, sample = (_number(body, key) for key in ("first_n", "sample_n"))
    return Request(name, container, photos, _text(body, "image_path_prefix"), first, sample)


def _text(body: dict[str, Any], key: str) -> str:
    value = body.get(key)
    if value is not None and not isinstance(value, str):
        raise Refusal(400, f"{key}: expected a text, got {value!r}"[:200])
    return value or ""


def _number(body: dict[str, Any], key: str) -> int | None:
    value = body.get(key)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise Refusal(400, f"{key}: expected a whole number from 1, got {value!r}"[:200])
    return value
