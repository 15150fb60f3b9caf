"""The box arithmetic of YOLOv5, in pixels."""

import torch


def xyxy2xywh(boxes):
    """Turn corners into centre and size."""
    return torch.cat([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], dim=1)


def scale_boxes(inner, boxes, outer):
    """Move boxes from the padded view (height, width) into the photo, and clip them to it."""
    ratio = min(inner[0] / outer[0], inner[1] / outer[1])
    down, across = ((inner[axis] - outer[axis] * ratio) / 2 for axis in (0, 1))
    boxes = (boxes - torch.tensor([across, down, across, down])) / ratio
    limits = torch.tensor([outer[1], outer[0], outer[1], outer[0]])
    return torch.minimum(boxes.clamp(min=0), limits)
