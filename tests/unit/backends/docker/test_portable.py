"""What a portable Dockerfile takes, refuses and advises."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from layerwright.backends.docker.environment import git_address
from layerwright.backends.docker.fragments import Secrets, context_path
from layerwright.backends.docker.heading import ignore_patterns
from layerwright.backends.docker.portable import write_portable
from layerwright.core.errors import BuildError, UsageError
from layerwright.core.source import Location
from layerwright.lock.model import Deb, LockedBase, LockedSource
from layerwright.plan.nodes import make_node
from layerwright.plan.steps import (
    Base,
    BuildWheel,
    CellPlan,
    CopyTree,
    FetchFile,
    InstallApt,
    InstallPython,
    InstallWheels,
    RunCommand,
    SetConfig,
    Step,
    WheelInput,
)
from layerwright.spec.model import Index

ROOT = Path("/home/me/project")
PYTHON = InstallPython(version="3.11", interpreter="/usr/bin/python3.11", full_version="3.11.2")
DOCKER = LockedBase(kind="docker", source="mine:1", digest="sha256:1", interpreter="/usr/bin/python3.11")
APT = InstallApt(
    debs=(Deb(name="ed", version="1", architecture="all", sha256="", size=1, path=""),), requested=("ed",)
)
HERE = Location(file="layerwright.toml", key="x")


def render(
    *steps: Step, base: LockedBase = DOCKER, config: SetConfig | None = None, indexes: tuple[Index, ...] = ()
) -> str:
    every = (Base(base=base, platform="linux/amd64"), *steps, config or SetConfig(workdir="/w"))
    cell = CellPlan(
        cell="app",
        references=("app:1",),
        platform="linux/amd64",
        nodes=tuple(make_node(step, (), "a step") for step in every),
    )
    return write_portable(cell, indexes={index.name: index for index in indexes}, secrets={}, root=ROOT)


def wheel(name: str, **more: str) -> WheelInput:
    return WheelInput(
        **{"name": name, "version": "1", "file": f"{name}-1-py3-none-any.whl", "sha256": "0" * 64, **more}
    )


def wheels(*group: WheelInput) -> InstallWheels:
    return InstallWheels(wheels=group, part="files", python="3.11")


def source(kind: str, **more: str) -> BuildWheel:
    return BuildWheel(
        source=LockedSource(**{"name": "own", "version": "1", "kind": kind, "source": ".", **more})
    )


@pytest.mark.parametrize(("kind", "transport"), [("oci", "oci"), ("archive", "docker-archive")])
def test_a_base_that_no_dockerfile_can_name_is_refused_with_the_way_out(kind: str, transport: str) -> None:
    with pytest.raises(UsageError, match=f"{kind}:./x") as caught:
        render(base=LockedBase(kind=kind, source="./x", digest="sha256:1"))  # type: ignore[arg-type]
    assert f"skopeo copy {transport}:./x docker://" in caught.value.hint
    assert "--backend docker" in caught.value.hint


def test_a_registry_base_is_named_by_its_digest() -> None:
    digest = "sha256:" + "a" * 64
    for named in ("r.example.org/x:1", "r.example.org/x:1@sha256:" + "b" * 64):
        text = render(base=LockedBase(kind="registry", source=named, digest=digest))
        assert f"FROM --platform=linux/amd64 r.example.org/x:1@{digest} AS system\n" in text


def test_a_local_base_keeps_its_name_and_a_user_of_its_own_is_thought_of() -> None:
    assert "\nFROM --platform=linux/amd64 mine:1 AS system\n" in render()
    assert "USER root" not in render()
    assert "# (If it sets a USER: put `USER root`" in render(RunCommand(argv=("true",)))
    assert "# (If it sets a USER: put `USER root`" in render(APT)


def test_nothing_is_there_that_nobody_asked_for() -> None:
    text = render()
    for word in ("RUN", "pip", "tools", "--secret", "Options", "smoke", ".dockerignore", "COPY"):
        assert word not in text


def test_what_docker_20_10_does_not_know_is_not_used() -> None:
    golden = Path(__file__).parents[3] / "golden" / "render" / "everything" / "Dockerfile"
    text = golden.read_text(encoding="utf-8")
    for newer in (
        "# syntax",
        "<<",
        "--link",
        "RUN --network",
        "--chmod",
        "--checksum",
        "--parents",
        "--exclude",
    ):
        assert newer not in text
    assert text.startswith("# Image ")


def test_tools_fit_the_interpreter() -> None:
    elsewhere = replace(PYTHON, interpreter="/usr/local/bin/python3.11")
    assert "python3.11-venv" in render(PYTHON)
    assert "apt-get" not in render(elsewhere)
    with_git = render(elsewhere, source("git", source="https://example.org/x", commit="c" * 40))
    assert "\n      git;" in with_git
    assert "python3.11-venv" not in with_git
    only_files = render(FetchFile(url="https://example.org/m", sha256="0" * 64, to="/m"))
    assert "\n      python3;" in only_files
    assert "with-ca /usr/bin/python3 /opt/fetch.py" in only_files
    assert "AS environment" not in only_files


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("a/./b", "a/b"),
        (".", "."),
        (f"{ROOT}/a b", "a b"),
        ("file:///home/me/project/a%20b", "a b"),
        ("https://example.org/x", None),
    ],
)
def test_what_lies_in_the_project_is_found_there(address: str, path: str | None) -> None:
    assert context_path(address, ROOT, what="it") == path


@pytest.mark.parametrize("address", ["../x", "/etc/passwd", "~/x", "file:///x", "/home/me/project2"])
def test_what_lies_elsewhere_on_this_machine_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match=r"^it is outside of the project's folder") as caught:
        context_path(address, ROOT, what="it", where=HERE)
    assert caught.value.where == HERE
    with pytest.raises(UsageError, match="outside"):
        render(CopyTree(source=address, to="/x", exclude=(), tree_digest=""))


def test_a_repository_of_this_machine_is_refused() -> None:
    with pytest.raises(UsageError, match="repository of this machine"):
        render(PYTHON, source("git", source="../tool", commit="c" * 40))


def test_repositories_by_ssh() -> None:
    assert git_address("git@host:a/b") == "ssh://git@host/a/b"
    assert git_address("https://host/a") == "https://host/a"
    text = render(PYTHON, source("git", source="git@host:a/b", commit="c" * 40))
    assert "--mount=type=ssh" in text
    assert (
        f"'own @ git+ssh://git@host/a/b@{'c' * 40}'" in text
        or f"own @ git+ssh://git@host/a/b@{'c' * 40}" in text
    )
    assert "#   --ssh default" in text


def test_each_index_is_asked_for_its_own_packages_alone() -> None:
    internal = Index(
        name="internal", url="https://in.example.org/simple", credentials="keyring", location=HERE
    )
    links = Index(name="links", url="https://links.example.org/", format="flat", location=HERE)
    folder = Index(name="folder", url="wheels", format="flat", location=HERE)
    text = render(
        PYTHON,
        wheels(
            wheel("a", index="internal"),
            wheel("b", index="links"),
            wheel("c", index="folder"),
            wheel("d", index="pypi"),
        ),
        indexes=(internal, links, folder),
    )
    commands = [line.strip() for line in text.splitlines() if line.strip().startswith("install-packages --")]
    assert commands == [
        "install-packages --no-index --find-links /opt/sources/0 --only-binary :all: \\",
        "install-packages --index-url https://in.example.org/simple --only-binary :all: \\",
        "install-packages --no-index --find-links https://links.example.org/ --only-binary :all: \\",
        "install-packages --index-url https://pypi.org/simple --only-binary :all: \\",
    ]
    assert 'COPY ["wheels", "/opt/sources/0"]' in text
    assert text.count("target=/root/.netrc") == text.count("target=/root/.netrc,required=true") == 1
    assert "#   --secret id=netrc,src=$HOME/.netrc  needed: the login for internal" in text


def test_builds_find_what_they_need_in_the_default_index() -> None:
    main = Index(
        name="main", url="https://main.example.org/simple", default=True, credentials="netrc", location=HERE
    )
    extra = Index(
        name="extra", url="https://extra.example.org/simple", explicit=True, packages=("own",), location=HERE
    )
    links = Index(name="links", url="wheels", format="flat", location=HERE)
    indexes = (main, extra, links)
    project = render(PYTHON, source("path"), indexes=indexes)
    assert (
        "install-packages --index-url https://main.example.org/simple --use-pep517 /opt/sources/0" in project
    )
    assert "target=/root/.netrc,required=true" in project
    sdist = render(
        PYTHON, source("sdist", source="own-1.tar.gz", index="extra", sha256="0" * 64), indexes=indexes
    )
    both = "--index-url https://main.example.org/simple --extra-index-url https://extra.example.org/simple"
    assert f"install-packages {both} --use-pep517 --no-binary own" in sdist
    flat = render(
        PYTHON, source("sdist", source="own-1.tar.gz", index="links", sha256="0" * 64), indexes=indexes
    )
    assert "--index-url https://main.example.org/simple --find-links /opt/sources/0 --use-pep517" in flat
    local = render(PYTHON, source("sdist", source="own-1.tar.gz", url="dist/own-1.tar.gz", sha256="0" * 64))
    assert 'COPY ["dist/own-1.tar.gz", "/opt/sdists/own-1.tar.gz"]' in local
    assert f"'own @ file:///opt/sdists/own-1.tar.gz --hash=sha256:{'0' * 64}'" in local


def test_wheels_of_built_packages_are_not_fetched() -> None:
    text = render(PYTHON, source("path"), wheels(wheel("own", built_by="sha256:1", sha256="")))
    assert "requirements" not in text


def test_our_secrets_step_aside_for_the_specs() -> None:
    own = Secrets.beside(["ca", "layerwright-ca", "token"])
    assert (own.ca, own.netrc) == ("layerwright-layerwright-ca", "netrc")


def test_patterns_of_a_folder_become_lines_of_a_dockerignore() -> None:
    patterns = ignore_patterns(
        [("src/./a", ("*.log", "/top", "sub/x/", "!keep.log", "# none", " ")), (".", ("tmp",))], ("*.pyc",)
    )
    assert patterns == (
        "**/*.pyc",
        "src/a/**/*.log",
        "src/a/top",
        "src/a/sub/x",
        "!src/a/**/keep.log",
        "**/tmp",
    )


def test_a_line_that_docker_would_cut_is_refused() -> None:
    with pytest.raises(BuildError, match="longer than Docker reads") as caught:
        render(RunCommand(argv=("/bin/sh", "-c", "x" * 70_000)))
    assert "file of the project" in caught.value.hint


def test_variables_are_set_once_and_a_commands_own_do_not_stay() -> None:
    env = {"PATH": "/opt/venv/bin", "A": "1"}
    text = render(
        RunCommand(argv=("one",), env={**env, "B": "2"}, workdir="/w"),
        RunCommand(argv=("two",), env={**env, "PATH": "/else", "A": "3"}, workdir="/w"),
        RunCommand(argv=("three",), env=env, workdir="/w", keep=False),
        config=SetConfig(env=env, workdir="/w"),
    )
    assert text.count("\nENV A=") == text.count("\nENV PATH=") == text.count("\nWORKDIR ") == 1
    assert 'RUN ["/usr/bin/env", "B=2", "one"]' in text
    assert '"/usr/bin/env", "A=3", "/bin/sh", "-c", "PATH=' in text
    assert '"/else", "two"]' in text
    assert 'FROM image AS smoke\nRUN ["three"]' in text
    assert text.endswith("\nFROM image\n")
