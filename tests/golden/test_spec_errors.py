"""What people see for a faulty spec. ``python tests/golden/test_spec_errors.py`` writes the expected texts anew."""

import sys
from pathlib import Path

import pytest

from layerwright.core.errors import SpecError
from layerwright.spec.parse import parse_spec

FOLDER = Path(__file__).parent / "spec"
CASES = sorted(FOLDER.glob("*.toml"))


def told(path):
    """The faults of a file, one after the other."""
    try:
        parse_spec(path.read_bytes(), file=path.name, root=Path("/project"))
    except SpecError as error:
        return "\n".join(shown(problem) for problem in error.problems)
    return "no fault\n"


def shown(problem):
    lines = [f"error: {problem.what}", f"  --> {problem.where}"]
    lines += [f"   | {problem.where.text}", "   | " + " " * (problem.where.column - 1) + "^"]
    lines += [f"hint: {problem.hint}"] if problem.hint else []
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_faults_are_told_as_before(path):
    assert told(path) == path.with_suffix(".txt").read_text(encoding="utf-8")


def test_no_password_is_told():
    assert "geheim" not in "".join(told(path) for path in CASES)


if __name__ == "__main__":
    for case in CASES:
        case.with_suffix(".txt").write_text(told(case), encoding="utf-8")
        sys.stdout.write(f"{case.with_suffix('.txt').name}\n")
