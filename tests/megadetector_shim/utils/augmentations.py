"""The resizing that YOLOv5 does before it looks."""

import cv2


def letterbox(image, new_shape, stride, auto, scaleFill, scaleup):
    """Fit an image into a square and pad with grey to multiples of the stride, half at each side."""
    height, width = image.shape[:2]
    ratio = min(new_shape / height, new_shape / width)
    inner = round(width * ratio), round(height * ratio)
    if inner != (width, height):
        image = cv2.resize(image, inner, interpolation=cv2.INTER_LINEAR)
    across, down = ((new_shape - side) % stride / 2 for side in inner)
    edges = [round(side + nudge) for side in (down, across) for nudge in (-0.1, 0.1)]
    padded = cv2.copyMakeBorder(image, *edges, cv2.BORDER_CONSTANT, value=(114, 114, 114))
    return padded, (ratio, ratio), (across, down)
