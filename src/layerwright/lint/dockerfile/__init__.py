"""Dockerfiles as BuildKit reads them, with the place of every character."""

from layerwright.lint.dockerfile.model import Dockerfile, Fault, Flag, Heredoc, Instruction
from layerwright.lint.dockerfile.read import read_dockerfile
from layerwright.lint.dockerfile.stages import Stage, State, make_stages, needed_stages
from layerwright.lint.dockerfile.words import Expanded, NameValue, expand, name_values, split_words

__all__ = [
    "Dockerfile",
    "Expanded",
    "Fault",
    "Flag",
    "Heredoc",
    "Instruction",
    "NameValue",
    "Stage",
    "State",
    "expand",
    "make_stages",
    "name_values",
    "needed_stages",
    "read_dockerfile",
    "split_words",
]
