"""The table of rows says what tests show, and nothing else."""

import importlib.util
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]
ROWS = {"A01": {"capability": "build"}, "A02": {"capability": "train", "lacks": "the rest"}}


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "generate_acceptance", ROOT / "tools" / "generate_acceptance.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_states_are_found_and_not_stated(tool: ModuleType) -> None:
    file = "tests/unit/test_x.py"
    assert [row.state for row in tool.read_rows(ROWS, [])] == [
        "not yet: no test shows it yet",
        "not yet: the rest",
    ]
    rows = tool.read_rows(ROWS, [(file, "test_a01_and_a02_together"), (file, "test_of_a01")])
    assert [row.state for row in rows] == ["works", "partly: the rest"]
    assert [row.tests for row in rows] == [(f"{file}::test_a01_and_a02_together",)] * 2


@pytest.mark.parametrize(
    ("rows", "tests", "says"),
    [
        (ROWS, [("t.py", "test_a03_x")], "A03"),
        (
            {"A01": {"capability": "x", "tests": ["t.py::test_gone"]}},
            [("t.py", "test_here")],
            "t.py::test_gone",
        ),
    ],
)
def test_what_cannot_be_is_refused(
    tool: ModuleType, rows: dict[str, dict[str, object]], tests: list[tuple[str, str]], says: str
) -> None:
    with pytest.raises(SystemExit, match=says):
        tool.read_rows(rows, tests)


def test_a_test_that_never_runs_counts_for_nothing(tool: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / "tests"
    folder.mkdir()
    (folder / "test_x.py").write_text(
        "import pytest\n@pytest.mark.skip(reason='x')\ndef test_a01_x(): ...\n"
        "class TestIt:\n    def test_a02_x(self): ...\n"
    )
    assert list(tool.named_tests(folder)) == [("tests/test_x.py", "test_a02_x")]


def test_every_row_is_listed_once(tool: ModuleType) -> None:
    stated = tomllib.loads((ROOT / "tools" / "acceptance.toml").read_text(encoding="utf-8"))
    counts = {"A": 14, "B": 9, "C": 16, "D": 5, "E": 3, "F": 20, "G": 8, "H": 15}
    assert list(stated["rows"]) == [
        f"{letter}{n:02}" for letter, most in counts.items() for n in range(1, most + 1)
    ]
    assert set(stated["groups"]) == set(counts)
