"""The scaffold: every combination of tasks is code that compiles, is formatted, and is described by a sound spec."""

import ast
import itertools

import pytest

from layerwright.spec.parse import parse_spec
from layerwright.workflow.executor_lint import described_findings
from layerwright.ymir.parameters import TASKS
from layerwright.ymir.project import project_files

CHOICES = [choice for count in (1, 2, 3) for choice in itertools.combinations(TASKS, count)]
WHEEL = "vendor/layerwright_ymir_exc-0.1.0-py3-none-any.whl"


@pytest.fixture(params=[False, True], ids=["detection", "segmentation"])
def segmentation(request) -> bool:
    return request.param


@pytest.mark.parametrize("tasks", CHOICES, ids=" ".join)
def test_a_project_is_whole(tmp_path, tasks, segmentation):
    files = project_files("demo", tasks=tasks, segmentation=segmentation, wheel=WHEEL)
    for path in ("layerwright.toml", "README.md", "start.sh"):
        assert "#: " not in files[path]
        assert "@" not in files[path]
    imported = set()
    for path, text in files.items():
        assert text.endswith("\n")
        assert max(map(len, text.splitlines()), default=0) <= 120
        assert not text.endswith("\n\n")
        if path.endswith(".py"):
            assert "#:" not in text
            tree = ast.parse(text)
            imported |= {
                node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module
            }
    own = {f"executor.{path[9:-3]}" for path in files if path.startswith("executor/")}
    assert {name for name in imported if name.startswith("executor.")} <= own
    calls = {f"run_{task}" for task in tasks}
    defined = {
        node.name
        for node in ast.walk(ast.parse(files["executor/tasks.py"]))
        if isinstance(node, ast.FunctionDef)
    }
    assert {name for name in defined if name.startswith("run_")} == calls

    for path in (*files, WHEEL):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(files.get(path, ""), encoding="utf-8")
    spec = parse_spec(files["layerwright.toml"].encode(), file="layerwright.toml", root=tmp_path)
    cell = spec.cells["executor"]
    assert cell.executor is not None
    assert cell.executor.tasks == tasks
    assert {task for one in cell.executor.parameters for task in one.tasks} == set(tasks)
    assert described_findings(spec, cell) == ()


def test_names_are_quoted():
    text = project_files('a "b" \\c', wheel=WHEEL)["layerwright.toml"]
    assert 'name = "a \\"b\\" \\\\c"' in text
