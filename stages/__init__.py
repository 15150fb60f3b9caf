"""The DVC stages, one module each: read, call the library, write."""
