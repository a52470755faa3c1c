"""Rendered Dockerfiles. ``python tests/golden/test_render.py`` writes the expected texts anew."""

import sys
from pathlib import Path

import pytest

from layerwright.backends.docker.portable import write_portable
from layerwright.lock import read_lock
from layerwright.plan.build import make_plan
from layerwright.plan.trees import tree_requests
from layerwright.spec.parse import parse_spec

FOLDER = Path(__file__).parent / "render"
CASES = sorted(path.parent for path in FOLDER.glob("*/layerwright.toml"))
COMMIT = "v1.2.0-3-g012345678"


def rendered(folder: Path) -> str:
    """The Dockerfile of the last cell; folders of the project are taken as they stand in the lock."""
    spec = parse_spec((folder / "layerwright.toml").read_bytes(), file="layerwright.toml", root=folder)
    lock = read_lock((folder / "layerwright.lock").read_text(encoding="utf-8"), file="layerwright.lock")
    trees = {
        request: COMMIT if request.commit else "0" * 64
        for request in tree_requests(spec.cells.values(), lock.cells.values())
    }
    cell = make_plan(spec, lock, trees).cells[-1]
    return write_portable(
        cell,
        indexes=spec.indexes,
        secrets=spec.secrets,
        root=folder,
        left_out=("__pycache__", "*.pyc", ".env"),
    )


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_the_dockerfile_is_as_before(folder: Path) -> None:
    assert rendered(folder) == (folder / "Dockerfile").read_text(encoding="utf-8")


if __name__ == "__main__":
    for case in CASES:
        (case / "Dockerfile").write_text(rendered(case), encoding="utf-8")
        sys.stdout.write(f"{case.name}\n")
