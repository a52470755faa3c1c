"""Programs that run inside containers: standard library only, nothing of ours, Python 3.6 and later."""
