"""Measurements, each run by hand with the command in its first line."""
