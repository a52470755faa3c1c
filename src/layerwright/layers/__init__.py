"""Wheels and trees become layers: the hot path. Knows paths, not the store."""
