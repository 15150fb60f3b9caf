"""Carriers of units of work: a pool of processes here, a Ray cluster, ranks that share a disk."""
