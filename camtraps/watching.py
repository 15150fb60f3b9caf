"""Watching: what is in the frames of a video, by a detector and the classifier."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice

import numpy as np
from PIL import Image

from camtraps import classifier, images, videos
from camtraps.classifier import Classifier
from camtraps.crops import CropParams
from camtraps.detections import DetectParams
from camtraps.detectors import megadetector, motion
from camtraps.detectors.answers import Answer
from camtraps.detectors.background import thumb_of
from camtraps.inference import BATCH_SIZE
from camtraps.photo_sources import Box, Item
from camtraps.rated import NONE, Choice, Rated
from camtraps.storage import PhotoError
from camtraps.videos import Video

Look = Callable[[Iterable[Image.Image]], Iterator[Answer]]


def eye(params: DetectParams) -> Look:
    """Give what looks at the frames of one video with a detector; errors as of the detector."""
    if params.detector == "motion":
        return lambda frames: iter(motion.detect_frames([thumb_of(frame) for frame in frames]))
    look = megadetector.loaded(params)

    def in_batches(frames: Iterable[Image.Image]) -> Iterator[Answer]:
        waiting = iter(frames)
        while some := list(islice(waiting, params.batch_size)):
            yield from look(some)

    return in_batches


def watch(item: Item, rate: float, look: Callable[[], Look], choice: Choice, ours: Classifier) -> Rated:
    """Find and classify what is in a video, of which two frames and a batch of crops are in memory at a time.

    Args:
        item: the video.
        rate: frames a second to look at.
        look: gives what `eye` does; called only for a video that can be read.
        choice: which boxes to classify.
        ours: the classifier.
    """
    try:
        if item.failure is not None:
            raise PhotoError(item.failure)
        with videos.local(item.uri) as path:
            video = videos.opened(path, rate)
            boxes, frames = _boxes(video, look())
            crops = _crops(video, boxes, choice.places(boxes), classifier.crop_params(ours.info))
            rated, logits = list[int](), [NONE.reshape(0, len(ours.info.classes))]
            while some := list(islice(crops, BATCH_SIZE)):
                rated += [place for place, _ in some]
                logits.append(ours.logits(crop for _, crop in some).astype(np.float32))
    except PhotoError as error:
        return Rated(item.name, str(error), frame_rate=-1.0, frames=[])
    whole = np.concatenate(logits)
    return Rated(item.name, None, boxes, rated, whole, frame_rate=video.frame_rate, frames=frames)


def _boxes(video: Video, look: Look) -> tuple[list[Box], list[int]]:
    """Give the boxes of all frames, and the numbers of the frames."""
    frames: list[int] = []

    def pictures() -> Iterator[Image.Image]:
        for frame in video.frames():
            frames.append(frame.number)
            yield frame.image

    answers = list(look(pictures()))
    found = [
        Box(box.category, box.confidence, box.x, box.y, box.w, box.h, number)
        for number, answer in zip(frames, answers, strict=True)
        for box in answer.boxes
    ]
    return found, frames


def _crops(
    video: Video, boxes: Sequence[Box], places: Sequence[int], params: CropParams
) -> Iterator[tuple[int, Image.Image]]:
    """Cut the boxes at some places, which are in the order of the frames."""
    wanted = {frame: list(own) for frame, own in groupby(places, key=lambda place: boxes[place].frame)}
    for frame in video.frames() if wanted else ():
        own = wanted.get(frame.number, [])
        crops = classifier.cut(images.Photo(b"", frame.image), [boxes[place][2:6] for place in own], params)
        yield from ((place, crop) for place, crop in zip(own, crops, strict=True) if crop)
