"""A Dockerfile → the spec it stands for, and what could not be carried over."""

from layerwright.lint.convert.convert import convert
from layerwright.lint.convert.model import Context, Conversion, Left

__all__ = ["Context", "Conversion", "Left", "convert"]
