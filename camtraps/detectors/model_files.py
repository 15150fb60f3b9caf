"""The files of MegaDetector's models: found by name or path, downloaded once, and refused unless they may be loaded.

Model files are pickles, and unpickling runs whatever code somebody hid in them. So a file is loaded only if it is one
of the published ones, by the package's table of MD5 hashes, or if the person who runs this has vouched for exactly its
bytes: ``CAMTRAPS_TRUST_MODEL`` holds the SHA-256 of such files, with commas between them. It is no key of params.yaml
since that comes with a repository, maybe from somebody else.
"""

import hashlib
import io
import os
import zipfile
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any

from camtraps import downloads
from camtraps.errors import InputError, MissingError
from camtraps.files import file_digest, work_dir

DEFAULT = "MDV5A"
TRUST = "CAMTRAPS_TRUST_MODEL"
SUFFIXES = (".pt", ".pth", ".pb")


@dataclass(frozen=True)
class ModelFile:
    """A file that may be loaded, and whether it is one of the published models."""

    path: Path
    is_published: bool


def package() -> Any:
    """Give the package's module that knows and loads its models.

    Raises:
        MissingError: the package is not installed.
    """
    try:
        with redirect_stdout(io.StringIO()):
            return import_module("megadetector.detection.run_detector")
    except ImportError as error:
        raise MissingError(
            f"detect.detector is megadetector, whose package is not installed here ({error}); run `make megadetector`"
        ) from None


def name(model: str | None) -> str:
    """Name a model: in full if it is a published one, else by its file and the start of its SHA-256.

    Args:
        model: a name or path, None for `DEFAULT`.

    Raises:
        CamtrapsError: no such model or file, or the package is not installed.
    """
    if published := _published(model or DEFAULT):
        return published
    path = _file(model or DEFAULT)
    return _published_as(path) or f"{path.stem}-{file_digest(path)[:8]}"


def find(model: str | None) -> ModelFile:
    """Find the file of a model; a published one is downloaded into the work folder once.

    Args:
        model: a name or path, None for `DEFAULT`.

    Raises:
        MissingError: the package or the file is not there, or it cannot be downloaded.
        InputError: no such model, no model file, or nobody has vouched for it.
    """
    if published := _published(model or DEFAULT):
        return ModelFile(_fetched(published), True)
    path = _file(model or DEFAULT)
    if _published_as(path):
        return ModelFile(path, True)
    digest = file_digest(path)
    if digest not in os.environ.get(TRUST, "").lower().replace(" ", "").split(","):
        raise InputError(
            f"{path}: none of MegaDetector's published files, and loading a model can run any code hidden in it; if "
            f"you trust its maker, set {TRUST}={digest}"
        )
    return ModelFile(path, False)


def _published(model: str) -> str | None:
    """Give the package's full name of a published model, None if there is none so called."""
    full = package().model_string_to_model_version.get(model.lower(), model.lower())
    return full if full in package().known_models else None


def _published_as(path: Path) -> str | None:
    """Give the full name of the published model that a file is, None if it is none."""
    digest = _md5(path)
    return next((full for full, about in package().known_models.items() if about.get("md5") == digest), None)


def _fetched(full: str) -> Path:
    about = package().known_models[full]
    path = work_dir("models") / PurePosixPath(about["url"]).name
    if not path.exists():
        try:
            downloads.fetch(about["url"]).replace(path)
        except InputError as error:
            raise MissingError(f"{error}; detect.model may also be the path of that file") from error
    # The oldest models, graphs of TensorFlow and no pickles, have no hash there.
    if "md5" in about and (digest := _md5(path)) != about["md5"]:
        path.unlink()
        raise InputError(f"{about['url']}: not {full}: expected MD5 {about['md5']}, got {digest}; try again later")
    return path


def _file(model: str) -> Path:
    path = Path(model)
    if path.suffix not in SUFFIXES:
        names = ", ".join(known for known in package().model_string_to_model_version if known.startswith("mdv"))
        raise InputError(f"detect.model: no model is called {model!r}; choose {names} or a file {'/'.join(SUFFIXES)}")
    if not path.is_file():
        raise MissingError(f"{path}: not found; check detect.model in params.yaml")
    if path.suffix != ".pb" and not zipfile.is_zipfile(path):
        raise InputError(f"{path}: not a PyTorch model, or damaged (expected a ZIP archive); download it again")
    return path


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
