"""Specs from text, for tests."""

from pathlib import Path
from textwrap import dedent

import pytest

from layerwright.core.errors import Problem, SpecError
from layerwright.spec.model import Spec
from layerwright.spec.parse import parse_spec

HEAD = '[project]\nname = "demo"\n'


def spec_of(text: str, root: Path = Path("/nowhere"), *, file: str = "layerwright.toml") -> Spec:
    """The spec of a text; ``[project]`` is put before it when it has none."""
    text = dedent(text)
    return parse_spec((text if "[project]" in text else HEAD + text).encode(), file=file, root=root)


def problems_of(
    text: str, root: Path = Path("/nowhere"), *, file: str = "layerwright.toml"
) -> tuple[Problem, ...]:
    """The faults of a text."""
    with pytest.raises(SpecError) as caught:
        spec_of(text, root, file=file)
    return caught.value.problems


def problem_of(text: str, root: Path = Path("/nowhere")) -> Problem:
    """The one fault of a text."""
    (problem,) = problems_of(text, root)
    return problem


def render(problems: tuple[Problem, ...]) -> str:
    """Faults as people see them."""
    lines = []
    for problem in problems:
        lines += [f"error: {problem.what}", f"  --> {problem.where}"]
        if problem.where.text:
            lines += [f"   | {problem.where.text}", "   | " + " " * (problem.where.column - 1) + "^"]
        if problem.hint:
            lines.append(f"hint: {problem.hint}")
        lines.append("")
    return "\n".join(lines)
