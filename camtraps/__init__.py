"""camtraps: camera-trap photos in, a species classifier that can be trusted out, every step versioned."""

import os

__version__ = "0.1.0"

# OpenMP threads that wait by spinning keep each other from the cores: two trainings on one machine of 2 cores were 40
# times slower together than with threads that sleep. It must stand here, before anything loads torch.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
