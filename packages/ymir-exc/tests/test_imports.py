"""What importing costs, and which Python is enough."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import ymir_exc

SOURCES = Path(__file__).parents[1] / "src"
MODULES = sorted(
    path.relative_to(SOURCES).with_suffix("").as_posix().replace("/", ".").replace(".__init__", "")
    for path in (SOURCES / "ymir_exc").rglob("*.py")
    if "mining" not in path.parts
)
HEAVY = (
    "PIL", "cv2", "deprecated", "easydict", "imagesize", "numpy", "packaging", "pycocotools", "pydantic",
    "tensorboardX", "torch", "tqdm", "yaml",
)  # fmt: skip
ALL_OF_THE_SDK = (
    "code", "dataset_convert", "dataset_reader", "env", "executor", "monitor", "result_writer", "settings", "sysinfo",
    "util",
)  # fmt: skip


def test_importing_every_module_imports_no_library():
    script = (
        f"import sys\nfor name in {MODULES!r}:\n    __import__(name)\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    paths = os.pathsep.join([str(SOURCES), *filter(None, sys.path)])
    answer = subprocess.run(
        [sys.executable, "-c", script], env={"PYTHONPATH": paths}, capture_output=True, text=True, check=True
    )
    assert answer.stdout == "[]\n"


def test_every_module_of_the_sdk_is_there_and_says_what_it_exports():
    assert {f"ymir_exc.{name}" for name in ALL_OF_THE_SDK} <= set(MODULES)
    assert ymir_exc.__all__ == ()
    for name in MODULES:
        module = __import__(name, fromlist=["_"])
        assert module.__doc__
        assert all(hasattr(module, each) for each in module.__all__), name


def test_types_are_shipped():
    assert (SOURCES / "ymir_exc/py.typed").is_file()


@pytest.mark.parametrize("path", sorted((SOURCES / "ymir_exc").rglob("*.py")), ids=lambda path: path.name)
def test_sources_parse_as_python_3_8(path):
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))


def test_nothing_of_the_standard_library_is_younger_than_python_3_8():
    found = subprocess.run(
        [
            sys.executable,
            "-c",
            "import vermin; vermin.main()",
            "--target=3.8-",
            "--backport=typing",
            "--no-tips",
            "--violations",
            str(SOURCES),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout
