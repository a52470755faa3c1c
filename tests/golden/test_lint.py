"""What lint says of the files in ``lint/``. ``python tests/golden/test_lint.py`` writes the expected texts anew."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.lint import FILES, FOLDER, lines


@pytest.mark.parametrize("file", FILES)
def test_findings_are_as_before(file: str) -> None:
    assert lines(file) == (FOLDER / f"{file}.txt").read_text(encoding="utf-8")


if __name__ == "__main__":
    for name in FILES:
        (FOLDER / f"{name}.txt").write_text(lines(name), encoding="utf-8")
        sys.stdout.write(f"{name}\n")
