"""Detectors: photos in, boxes with a confidence out; each module is one detector behind the same narrow interface."""
