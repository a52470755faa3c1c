"""Programs that run in Docker builds: standard library only, nothing of ours, Python 3.8 and later."""
