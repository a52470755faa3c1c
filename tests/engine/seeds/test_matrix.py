"""Several cells at once: what fails stays by itself, one table tells all, and the next build does what is left."""

import os
import subprocess
from pathlib import Path

import pytest

from support.command import Project
from support.index import Index
from support.packages import make_heavy_wheel, make_wheel
from support.registry import running_registry

pytestmark = pytest.mark.engine

SPEC = """\
[images.app]
packages = ["heavy"]
run = [{ script = "echo made > /made" }]
[images.app.matrix]
variant = ["one", "two", "three"]
[[images.app.override]]
when = { variant = "two" }
packages = ["late"]
[images.child]
from = "image:app-two"
"""
LATE = "late-1.0-py3-none-any.whl"


@pytest.fixture
def matrix(fresh_project: Project, index: Index) -> Project:
    index.add(make_heavy_wheel("heavy"), make_wheel("late"))
    fresh_project.spec(SPEC)
    fresh_project("lock")
    return fresh_project


def test_a_cell_that_fails_is_told_at_the_end_and_made_by_the_next_build(
    matrix: Project, index: Index
) -> None:
    index.wrong.add(LATE)
    done = matrix("build", status=7)
    rows = [line.split() for line in done.out.splitlines()]
    assert rows[0] == ["cell", "reference", "digest", "layers", "seconds"]
    table = {row[0]: row[1:] for row in rows[1:-1]}
    assert list(table) == ["app-one", "app-two", "app-three", "child"]
    assert table["app-two"] == ["demo-app:1-two", "-", "failed", "-"]
    assert table["child"] == ["demo-child:1", "-", "failed", "as", "app-two", "-"]
    for cell in ("app-one", "app-three"):
        assert table[cell][1].startswith("sha256:")
        assert "new," not in table[cell]
    assert rows[-1] == ["2", "built,", "0", "unchanged,", "2", "failed"]
    assert done.err.count(f"{LATE}") >= 1
    assert done.err.index("app-two, child: failed") > done.err.index("heavy")
    # Columns stand below each other.
    lines = done.out.splitlines()[:-1]
    column = lines[0].index("reference")
    assert all(line[column - 2 : column] == "  " and line[column] != " " for line in lines)

    index.wrong.clear()
    index.requests.clear()
    again = matrix("build", "--json").json()
    made = {image["cell"]: [layer["cached"] for layer in image["layers"]] for image in again["images"]}
    assert all(made["app-one"])
    assert all(made["app-three"])
    assert not all(made["app-two"])
    assert again["failures"] == []
    assert set(index.downloads()) == {LATE}
    table = matrix("build").out
    assert table.endswith("0 built, 4 unchanged, 0 failed\n")


def test_one_image_is_one_line(matrix: Project) -> None:
    line = matrix("build", "app-one").out
    assert line.startswith("app-one  demo-app:1-one  sha256:")
    assert line.count("\n") == 1


def test_json_is_as_ever(matrix: Project) -> None:
    document = matrix("build", "--json").json()
    assert set(document) == {"schema", "images", "failures", "outputs"}
    assert [image["cell"] for image in document["images"]] == ["app-one", "app-two", "app-three", "child"]


def test_g07_build_push_and_test_as_the_caller_without_a_terminal(
    matrix: Project, tmp_path: Path, docker: str
) -> None:
    """What a job does: the lock stands, nobody watches, a registry of this machine, tests under the job's ids."""
    text = SPEC + '[images.tests]\nfrom = "image:app-one"\nentrypoint = ["python"]\n'
    matrix.spec(text)
    matrix("lock")
    matrix.write(
        {"check.py": "import heavy, os\nopen('report.xml', 'w').close()\nprint(heavy.VERSION, os.getuid())\n"}
    )
    with running_registry(tmp_path / "registry") as registry:
        job = matrix.command.with_variables(CI="true")
        done = job("build", "tests", "--locked", "--output", f"registry:{registry.address}/team")
        assert "\x1b" not in done.err
        place = f"{registry.address}/team/demo-tests:1"
        os.chown(matrix.folder, 1234, 2345)
        said = subprocess.run(
            [docker, "run", "--rm", "--network=none", "--user=1234:2345", f"--volume={matrix.folder}:/code", place,
             "check.py"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        subprocess.run([docker, "image", "rm", place], capture_output=True, check=False)
    assert said.stdout == "1.0 1234\n", said
    report = (matrix.folder / "report.xml").stat()
    assert (report.st_uid, report.st_gid) == (1234, 2345)
