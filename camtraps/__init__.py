"""camtraps: camera-trap photos in, a species classifier that can be trusted out, every step versioned."""

__version__ = "0.1.0"
