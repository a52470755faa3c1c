"""Dockerfiles and shell build scripts → findings, and a Dockerfile → the spec it stands for."""

from layerwright.lint.check import lint_source
from layerwright.lint.documents import FileKind, kind_of_file
from layerwright.lint.rules import KINDS, RULES
from layerwright.lint.source import Source

__all__ = ["KINDS", "RULES", "FileKind", "Source", "kind_of_file", "lint_source"]
