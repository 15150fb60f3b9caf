"""MegaDetector on this machine, through the `megadetector` package: every model that it loads, by name or by file."""

import io
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import PIL
from PIL import Image

from camtraps import reading
from camtraps.detections import DetectParams
from camtraps.detectors import model_files
from camtraps.detectors.answers import Answer, Box
from camtraps.errors import InputError, MissingError
from camtraps.files import code_digest, digest
from camtraps.formats.rows import inside
from camtraps.images import decode
from camtraps.progress import bar
from camtraps.storage import PhotoError

CODE = ("camtraps.images", "camtraps.detectors.megadetector", "camtraps.detectors.answers")
KEEP_PHOTOS, KEEP_SECONDS = 500, 30.0  # so much work is lost at most when a run is killed
DECODERS = 4  # threads; a fast GPU waits for photos otherwise

# What kinds of models need besides, by the module that must be there. The licences of most (AGPL, GPL) are the user's
# choice; with the dependencies that they declare they would put another OpenCV over ours.
OLD_YOLO = "pip install ipython matplotlib seaborn 'setuptools<82' && pip install --no-deps"
KINDS = {
    "yolov5": ("MDV5A, MDV5B, MDv1000-redwood, MDv1000-spruce", f"{OLD_YOLO} yolov5==7.0.10"),
    "yolov9": ("MDv1000-cedar", f"{OLD_YOLO} yolov9pip"),
    "ultralytics": ("MDv1000-larch, MDv1000-sorrel", "pip install --no-deps ultralytics"),
    "rfdetr": ("files that end in .pth (RF-DETR)", "pip install rfdetr"),
    "tensorflow": ("MDV2, MDV3, MDV4", "pip install tensorflow"),
}


def installed() -> list[str]:
    """Say what is in use, and for each kind of model whether what it needs besides is here, or how to get it.

    Raises:
        MissingError: the package is not installed.
    """
    model_files.package()
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return [f"megadetector {metadata.version('megadetector')}, torch {torch.__version__}, {gpu}"] + [
        f"for {models}: {f'{module} is installed' if find_spec(module) else f'`{command}`'}"
        for module, (models, command) in KINDS.items()
    ]


def version(params: DetectParams) -> str:
    """Name the detector that made a result: the published model, or the file and the start of its SHA-256.

    Raises:
        CamtrapsError: no such model or file, or the package is not installed.
    """
    size = f"_{params.image_size}px" if params.image_size else ""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", f"megadetector_{model_files.name(params.model)}{size}")


def made_with() -> str:
    """Give a text that changes with what makes answers of pixels besides the model: our code, Pillow, the package."""
    package = [found.version for found in metadata.distributions(name="megadetector")]
    return digest(code_digest(CODE), PIL.__version__, *package)


def detect(photos: pd.DataFrame, params: DetectParams, keep: Callable[[list[dict[str, Any]]], None]) -> None:
    """Look for animals, people and vehicles in photos.

    Args:
        photos: columns image, dataset, file, uri.
        params: the model, its image size, and the batch size on a GPU; a CPU looks at photos one by one.
        keep: is given rows of the recorded detections table now and then, one for each photo; boxes have the
            package's own least confidence, 0.005.

    Raises:
        CamtrapsError: the model cannot be had, is not trusted, does not work here or stops working.
    """
    if photos.empty:
        return
    places = photos[["image", "dataset", "file"]].itertuples(index=False, name=None)
    rows, since = [], time.monotonic()
    answers = _answers(_load(params), photos["uri"])
    with bar("megadetector", len(photos), "photos") as progress:
        try:
            for place, answer in zip(places, answers, strict=True):
                rows.append(answer.row(*place))
                progress.update()
                if len(rows) >= KEEP_PHOTOS or time.monotonic() - since > KEEP_SECONDS:
                    done, rows, since = rows, [], time.monotonic()
                    keep(done)
        finally:
            if rows:
                keep(rows)


def loaded(params: DetectParams) -> Callable[[list[Image.Image]], list[Answer]]:
    """Load the model, to look at pictures that are decoded, upright and RGB; errors as in `detect`."""
    return _load(params).look


@dataclass
class _Model:
    """A loaded model; ``together`` photos are looked at at once, fewer once they did not fit the GPU's memory."""

    path: Path
    detector: Any
    categories: dict[str, str]
    threshold: float
    image_size: int | None
    together: int

    def check(self) -> None:
        """Try the model on a grey picture.

        Raises:
            InputError: it fails on that too, so that no photo is to blame.
        """
        if failure := self._run([Image.new("RGB", (64, 64), "grey")])[0].failure:
            size = f" at detect.image_size {self.image_size}" if self.image_size else ""
            raise InputError(f"{self.path}: does not work here{size}: {failure}")

    def look(self, images: list[Image.Image]) -> list[Answer]:
        """Answer for each image; one that the model fails on does not take the others with it."""
        import torch

        answers: list[Answer] = []
        while len(answers) < len(images):
            part = images[len(answers) : len(answers) + self.together]
            found = self._run(part)
            failures = [answer.failure for answer in found if answer.failure]
            if len(part) > 1 and any("out of memory" in failure for failure in failures):
                torch.cuda.empty_cache()
                self.together = len(part) // 2
                continue
            if failures:
                self.check()
                found = [self._run([image])[0] for image in part] if len(part) > 1 else found
            answers += found
        return answers

    def _run(self, images: list[Image.Image]) -> list[Answer]:
        import torch

        names = [str(at) for at in range(len(images))]
        with redirect_stdout(io.StringIO()) as said, torch.no_grad():
            if hasattr(self.detector, "generate_detections_one_batch"):
                results = self.detector.generate_detections_one_batch(
                    images, names, self.threshold, image_size=self.image_size
                )
            else:  # of TensorFlow
                results = [
                    self.detector.generate_detections_one_image(image, name, self.threshold, image_size=self.image_size)
                    for image, name in zip(images, names, strict=True)
                ]
        return [self._answer(result, said.getvalue()) for result in results]

    def _answer(self, result: dict[str, Any], said: str) -> Answer:
        if result.get("failure"):
            # The package keeps the reason for what it prints.
            told = re.search(r"failed for [^:]*: (.+)", said)
            return Answer([], failure=f"model failed: {told[1] if told else result['failure']}")
        boxes = [box for found in result["detections"] if (box := self._box(found))]
        return Answer(sorted(boxes, key=lambda box: -box.confidence))

    def _box(self, found: dict[str, Any]) -> Box | None:
        category = self.categories.get(found["category"])
        try:
            return Box(**inside(found["bbox"])[0], confidence=found["conf"], category=category) if category else None
        except ValueError:  # rounded to nothing by the package
            return None


def _answers(model: _Model, uris: Iterable[str]) -> Iterator[Answer]:
    photos = _decoded(uris, ahead=model.together + DECODERS)
    while batch := list(islice(photos, model.together)):
        found = iter(model.look([photo for photo in batch if not isinstance(photo, PhotoError)]))
        for photo in batch:
            yield Answer([], failure=str(photo)) if isinstance(photo, PhotoError) else next(found)


def _decoded(uris: Iterable[str], ahead: int) -> Iterator[Image.Image | PhotoError]:
    """Give the photos in order; some threads decode the next ones while the model is busy."""
    waiting: deque[Future[Image.Image | PhotoError]] = deque()
    with ThreadPoolExecutor(DECODERS) as pool:
        for data in reading.ahead(uris):
            waiting.append(pool.submit(_decode, data))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _decode(data: bytes | PhotoError) -> Image.Image | PhotoError:
    try:
        return data if isinstance(data, PhotoError) else decode(data)
    except PhotoError as error:
        return error


def _load(params: DetectParams) -> _Model:
    package = model_files.package()
    file = model_files.find(params.model)
    path = file.path
    if path.suffix == ".pb" and params.image_size:
        raise InputError(f"detect.image_size: {path.name} has an image size of its own; use null")
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            together = params.batch_size if package.is_gpu_available(str(path)) else 1
            options = {"image_size": params.image_size, "batch_size": together}
            detector = package.load_detector(str(path), detector_options=options)
            categories = _categories(package, detector, file.is_published)
    except ImportError as error:
        raise MissingError(_missing(path, error)) from error
    except Exception as error:  # whatever a file can hold that is no detector
        raise InputError(f"{path}: cannot be used as a detector: {_told(error)}") from error
    threshold = package.DEFAULT_OUTPUT_CONFIDENCE_THRESHOLD
    model = _Model(path, detector, categories, threshold, params.image_size, together)
    model.check()
    return model


def _categories(package: Any, detector: Any, is_published: bool) -> dict[str, str]:
    """Give the names of the model's classes by the ids in its results."""
    if own := getattr(detector, "detection_categories", None):
        return dict(own)
    names = getattr(getattr(detector, "model", None), "names", None) or {}
    named = {str(at): str(name) for at, name in (names.items() if isinstance(names, dict) else enumerate(names))}
    if is_published or all(name.isdigit() for name in named.values()):  # YOLO numbers classes that nobody named
        return dict(package.DEFAULT_DETECTOR_LABEL_MAP)
    detector.use_model_native_classes = True
    return named


def _missing(path: Path, error: ImportError) -> str:
    # YOLOv5 is looked for under other names too, of which its model files speak.
    module = (error.name or "").partition(".")[0]
    kind = module if module in KINDS else "yolov5"
    return f"{path}: this model needs the code of {kind}, not a part of camtraps: `{KINDS[kind][1]}` ({_told(error)})"


def _told(error: Exception) -> str:
    return " ".join([f"{type(error).__name__}:", *str(error).split()])[:300]
