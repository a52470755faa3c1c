"""Checks of a finished image, whoever built it: image → findings, in one pass over its layers."""

from layerwright.verify.checks import judge, kinds
from layerwright.verify.contents import Contents, read_contents
from layerwright.verify.inspection import Inspection

__all__ = ["Contents", "Inspection", "judge", "kinds", "read_contents"]
