"""The demo collection: camera-trap photos and their records, drawn by code from a seed."""
