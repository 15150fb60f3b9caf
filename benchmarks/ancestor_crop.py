"""The cutting of our ancestor as it worked: threads, whole photos decoded by Pillow, a JPEG file for each crop.

Written anew from a description of its behaviour, to have something to compare with: its rectangles with their black
right and bottom edges, no EXIF orientation, Pillow's default quality, every photo queued at once.
"""

from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

Box = tuple[float, float, float, float]  # x, y, w, h, relative to the photo


@dataclass(frozen=True)
class Photo:
    """A photo to cut boxes from; ``file`` is its name below both folders."""

    file: str
    boxes: tuple[Box, ...]


def cut_all(photos: list[Photo], images_folder: Path, crops_folder: Path, num_threads: int) -> int:
    """Cut square crops into ``<file>___cropNN.jpg`` below a folder; give the number of new ones."""
    with ThreadPoolExecutor(num_threads) as pool:
        futures = [pool.submit(_cut, photo, images_folder, crops_folder) for photo in photos]
        return sum(future.result() for future in as_completed(futures))


def _cut(photo: Photo, images_folder: Path, crops_folder: Path) -> int:
    paths = [crops_folder / f"{photo.file}___crop{at:02d}.jpg" for at in range(len(photo.boxes))]
    wanted = [(box, path) for box, path in zip(photo.boxes, paths, strict=True) if not path.exists()]
    if not wanted:
        return 0
    with Image.open(images_folder / photo.file) as image:
        image.load()
        return sum(_save(image, box, path) for box, path in wanted)


def _save(image: Image.Image, box: Box, path: Path) -> bool:
    rectangle = square(box, image.size)
    width, height = rectangle[2] - rectangle[0], rectangle[3] - rectangle[1]
    if not width or not height:
        return False
    crop = image.crop(rectangle)
    if width != height:
        side = max(width, height)
        crop = ImageOps.pad(crop, (side, side))
    path.parent.mkdir(parents=True, exist_ok=True)
    crop.save(path)
    return True


def square(box: Box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Give the rectangle in pixels (left, top, right, bottom), which may reach out of the photo."""
    (width, height), (x, y, w, h) = size, box
    left, top, wide, high = int(x * width), int(y * height), int(w * width), int(h * height)
    side = max(wide, high)
    left = max(0, min(left - int((side - wide) / 2), width - wide))
    top = max(0, min(top - int((side - high) / 2), height - high))
    return left, top, left + min(width, side), top + min(height, side)
