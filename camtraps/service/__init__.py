"""A small HTTP service: photos in, MegaDetector JSON with classifications out; and the Batch Detection API again."""
