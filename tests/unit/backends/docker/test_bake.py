"""What stands in a bake file, and how text gets into it unchanged."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwright.backends.docker.bake import _template, _text, target_names, write_bake
from layerwright.core.errors import BuildError
from layerwright.core.source import Location
from layerwright.lock.model import LockedBase
from layerwright.plan.nodes import make_node
from layerwright.plan.steps import (
    Base,
    CellPlan,
    CopyTree,
    InstallPython,
    InstallWheels,
    RunCommand,
    SetConfig,
    Step,
    WheelInput,
)
from layerwright.spec.model import Index, Secret

ROOT = Path("/home/me/project")
HERE = Location(file="layerwright.toml", key="x")
BASE = Base(base=LockedBase(kind="docker", source="mine:1", digest="sha256:1"), platform="linux/arm64")
PYTHON = InstallPython(version="3.11", interpreter="/usr/local/bin/python3.11", full_version="")


def plan(name: str, *steps: Step, parent: str = "", env: dict[str, str] | None = None) -> CellPlan:
    every = (BASE, *steps, SetConfig(env=env or {}, workdir="/w"))
    return CellPlan(
        cell=name,
        references=(f"demo-{name}:1", f"demo-{name}:2"),
        platform="linux/arm64",
        nodes=tuple(make_node(step, (), "a step") for step in every),
        parent=parent,
    )


def wheels(name: str, index: str = "pypi") -> InstallWheels:
    file = f"{name}-1-py3-none-any.whl"
    wheel = WheelInput(name=name, version="1", file=file, sha256="0" * 64, index=index)
    return InstallWheels(wheels=(wheel,), part="files", python="3.11")


def bake(*cells: CellPlan, secrets: tuple[Secret, ...] = (), indexes: tuple[Index, ...] = ()) -> str:
    return write_bake(
        cells,
        [cells[-1].cell],
        indexes={index.name: index for index in indexes},
        secrets={secret.name: secret for secret in secrets},
        root=ROOT,
        left_out=(".git",),
    )


def targets(text: str) -> dict[str, str]:
    return dict(re.findall(r'^target "([^"]+)" \{\n(.*?)^\}$', text, re.MULTILINE | re.DOTALL))


def test_a_child_starts_from_its_parents_target_and_repeats_nothing() -> None:
    shared = (PYTHON, wheels("one"), RunCommand(argv=("make", "parent")))
    text = bake(
        plan("base", *shared, env={"A": "1"}),
        plan(
            "app",
            *shared,
            wheels("two"),
            RunCommand(argv=("make", "child")),
            parent="base",
            env={"A": "1", "B": "2"},
        ),
    )
    found = targets(text)
    assert set(found) == {"base", "app"}
    assert 'contexts   = { parent = "target:base" }' in found["app"]
    assert "FROM --platform=linux/arm64 parent AS system" in found["app"]
    assert "FROM --platform=linux/arm64 mine:1 AS system" in found["base"]
    for only, other in (("one==1", "two==1"), ('RUN ["make", "parent"]', 'RUN ["make", "child"]')):
        assert only in found["base"]
        assert other not in found["base"]
        assert other in found["app"]
        assert only not in found["app"]
    # The environment is the parent's, and grows.
    assert "-m venv --without-pip /opt/venv" in found["base"]
    assert "-m venv --without-pip /opt/venv" not in found["app"]
    assert "COPY --from=environment /opt/venv /opt/venv" in found["base"]
    assert "cp -au /mnt/. /opt/venv/" in found["app"]
    assert 'ENV A="1"' not in found["app"]
    assert 'ENV B="2"' in found["app"]
    assert 'group "default" {\n  targets = ["app"]\n}' in text
    for name, body in found.items():
        assert f'tags       = ["demo-{name}:1", "demo-{name}:2"]' in body
        assert 'platforms  = ["linux/arm64"]' in body


def test_a_child_without_packages_of_its_own_needs_no_tools() -> None:
    text = bake(plan("base", PYTHON, wheels("one")), plan("app", PYTHON, wheels("one"), parent="base"))
    assert "tools" not in targets(text)["app"]


def test_smoke_tests_are_targets_of_a_group_of_their_own() -> None:
    text = bake(plan("app", RunCommand(argv=("true",), keep=False)))
    smoke = targets(text)["app__smoke"]
    for line in (
        'inherits = ["app"]',
        'target   = "smoke"',
        "tags     = []",
        'output   = ["type=cacheonly"]',
    ):
        assert line in smoke
    assert 'group "smoke" {\n  targets = ["app__smoke"]\n}' in text
    assert "docker buildx bake smoke" in text
    assert "smoke" not in bake(plan("app"))


def test_secrets_by_what_the_commands_take() -> None:
    secrets = (
        Secret(name="token", env="API_TOKEN", location=HERE),
        Secret(name="home", file="~/a ${x}", location=HERE),
        Secret(name="file", file="/etc/key", location=HERE),
        Secret(name="unused", env="OTHER", location=HERE),
    )
    index = Index(
        name="pypi", url="https://pypi.example.org/simple", credentials="netrc", default=True, location=HERE
    )
    run = RunCommand(argv=("true",), secrets=("token", "home", "file"))
    text = bake(plan("app", PYTHON, wheels("one"), run), secrets=secrets, indexes=(index,))
    (line,) = [line for line in text.splitlines() if line.startswith("  secret ")]
    for part in (
        '"id=token,env=API_TOKEN"',
        '"id=home,src=${HOME}/a $${x}"',
        '"id=file,src=/etc/key"',
        '"id=netrc,src=${NETRC == "" ? "${HOME}/.netrc" : NETRC}"',
        'CA == "" ? [] : ["id=ca,src=${CA}"]',
    ):
        assert part in line
    assert "OTHER" not in text
    for name in ("CA", "NETRC", "HOME"):
        assert f'variable "{name}" {{' in text
    assert "secret" not in bake(plan("app"))


def test_what_copy_takes_too_much_is_said_once() -> None:
    copy = CopyTree(source="src", to="/src", exclude=("*.log",), tree_digest="", location=HERE)
    text = bake(plan("base", copy), plan("app", copy, parent="base"))
    head = text[: text.index("\ngroup")]
    assert head.count("#   src/**/*.log") == 1
    assert "#   **/.git\n" in head


def test_names_of_targets() -> None:
    assert target_names(["a.b", "a_b", "ok-1", "空"]) == {
        "a.b": "a_b",
        "a_b": "a_b_2",
        "ok-1": "ok-1",
        "空": "_",
    }


def test_a_line_that_docker_does_not_read_is_refused() -> None:
    with pytest.raises(BuildError, match="longer than Docker reads"):
        bake(plan("app", RunCommand(argv=("echo", "x" * 70000))))


def test_the_heredoc_ends_where_it_should() -> None:
    text = bake(plan("app", RunCommand(argv=("echo", "DOCKERFILE"), script="DOCKERFILE\n")))
    assert "dockerfile-inline = <<DOCKERFILE_\n" in text
    assert text.count("\nDOCKERFILE_\n") == 1


@given(st.text())
def test_any_text_means_itself(text: str) -> None:
    """By the rules of HCL's native syntax: a doubled sign before a brace is one, escapes are JSON's but for ``\\U``."""
    quoted = _text(text)
    assert quoted.isprintable()
    plain = re.sub(r"\\U([0-9a-f]{8})", lambda one: json.dumps(chr(int(one[1], 16)))[1:-1], quoted)
    read = json.loads(plain)
    assert read == _template(text)
    assert not re.search(r"(?<![$])\$\{", read)
    assert not re.search(r"(?<!%)%\{", read)
