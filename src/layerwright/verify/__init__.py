"""Checks of a finished image, one module per check: image → findings."""
