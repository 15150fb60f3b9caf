"""Stands in for YOLOv5's `utils`, which the megadetector package falls back on; its licence keeps it out of here."""
