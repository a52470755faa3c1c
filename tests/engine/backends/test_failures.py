"""A command that fails in Docker is told with its place in the spec."""

import pytest

from support.command import Project

pytestmark = pytest.mark.engine

SPEC = """\
[images.app]
run = [
  { script = "true" },
  { script = "echo the very reason; exit 3" },
]
"""


def test_the_place_of_a_failed_command(fresh_project: Project, docker: str) -> None:
    assert docker
    fresh_project.spec(SPEC)
    text = (fresh_project.folder / "layerwright.toml").read_text(encoding="utf-8")
    line = text[: text.index("echo the very")].count("\n") + 1
    done = fresh_project("build", "--backend", "docker", status=5)
    assert f"--> layerwright.toml:{line}:" in done.err
    assert "the very reason" in done.err
