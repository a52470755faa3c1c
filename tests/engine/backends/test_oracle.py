"""One plan, three backends, one file tree: docs/explanation/oracle.md has the differences that are allowed."""

import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from layerwright.backends.docker.build import DockerfileBackend, EngineImage
from layerwright.backends.docker.builders import Builder, DockerBuilder, PodmanBuilder
from layerwright.backends.native.blobs import StoreBlobs
from layerwright.core.errors import EngineError
from layerwright.core.events import SilentReporter
from layerwright.engines.client import find_builder
from layerwright.engines.docker import find_docker
from layerwright.engines.podman import find_podman
from layerwright.host.environment import HostEnvironment
from layerwright.oci.fields import Fields
from layerwright.oci.media import CONFIG_LIMIT
from layerwright.workflow.build import BuildRequest, Built, build_prepared, prepare
from layerwright.workflow.session import Session
from layerwright.workflow.workshop import make_workshop
from support.musa_sources import commit_all, git
from support.podman import settings_file, tree_in_podman
from support.trees import Tree, differences, file_in_tree, tree_in_docker, tree_of_layers

pytestmark = [pytest.mark.engine, pytest.mark.network, pytest.mark.timeout(600)]

SPEC = r'''
[project]
name = "oracle"

[sources.tree]
git = "repositories/tree.git"
rev = "v1"

[images.app]
from = "debian:bookworm"
python = "3.11"
name = "layerwright-test-oracle"
tags = ["1"]
accelerator = "nvidia"
check_device = true
apt = ["libjpeg62-turbo", "ed"]
packages = ["pyyaml", "uvicorn", { path = "project" }]
copy = [{ from = "src", to = "/code/src" }]
sources = [{ source = "tree", to = "/home/tree" }]
tests = [{ script = "cp /home/tree/report.xml /home/made.xml; touch /home/left; exit 1", allow = ["x"],
           log = "/var/logs/tests.txt", junit = "/home/made.xml" }]
run = [
  { script = """
    echo "$GREETING" > /code/made
    mkdir -p /opt/extra
    ln -s made /code/link
    rm /usr/share/base-files/motd
    """ },
  { script = """
    test "$(wc -c < /run/secrets/token)" -eq 11
    umask 077
    id -u > /opt/extra/uid
    """, secrets = ["token"] },
]
smoke = ["python -c 'import yaml, own; assert own.VALUE == 1'"]
workdir = "/code"
entrypoint = ["python", "-c"]
command = ["print('$HOME \\ \" ok')"]
env = { GREETING = "a \"b\" $HOME \\ 'c' 中文 #x" }
labels = { "org.example/a b" = "x $y \\" }

[secrets.token]
env = "LAYERWRIGHT_TEST_TOKEN"
'''


@pytest.fixture(scope="module", params=["docker", "podman"])
def builder(request: pytest.FixtureRequest, session: Session) -> Builder:
    try:
        if request.param == "podman":
            return PodmanBuilder(podman=find_podman(session.host))
        engine = find_docker(session.host)
        return DockerBuilder(engine=engine, client=find_builder(session.host), host=session.host)
    except EngineError as error:
        pytest.skip(f"no {request.param} here: {error}")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    root = tmp_path_factory.mktemp("oracle")
    (root / "layerwright.toml").write_text(SPEC, encoding="utf-8")
    source = root / "src"
    (source / "空 folder").mkdir(parents=True)
    (source / "a.py").write_text("print(1)\n")
    (source / "空 folder" / "$x 'y' \"z\".txt").write_text("data")
    (source / "link").symlink_to("a.py")
    program = source / "run.sh"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    project = root / "project"
    project.mkdir()
    (project / "own.py").write_text("VALUE = 1\n\n\ndef main():\n    print(VALUE)\n")
    (project / "pyproject.toml").write_text(
        '[project]\nname = "own"\nversion = "1"\ndescription = "ours"\nscripts = {own-program = "own:main"}\n'
        '[build-system]\nrequires = ["flit_core>=3.12,<4"]\nbuild-backend = "flit_core.buildapi"\n'
    )
    _make_repositories(root / "repositories")
    settings = str(settings_file(root))
    host = HostEnvironment.gather(
        {**os.environ, "LAYERWRIGHT_TEST_TOKEN": "very-secret", "CONTAINERS_CONF": settings}
    )
    return Session(
        host=host,
        reporter=SilentReporter(),
        start=root,
        spec_file=None,
        store_root=tmp_path_factory.mktemp("store"),
        offline=False,
    )


def _make_repositories(folder: Path) -> None:
    """A tree with all that git keeps of files, and a submodule."""
    folder.mkdir()
    for name in ("part", "tree"):
        work = folder / name
        work.mkdir()
        git(work, "init", "--quiet", "--initial-branch=main")
        git(work, "remote", "add", "origin", str(folder / f"{name}.git"))
        program = work / "run.sh"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        (work / "link").symlink_to("run.sh")
        (work / "report.xml").write_text('<testsuite><testcase name="x"><error/></testcase></testsuite>')
        (work / "空 $x.txt").write_text("text")
        if name == "tree":
            git(work, "submodule", "--quiet", "add", "../part.git", "below/part")
        commit_all(work, "all")
        git(work, "tag", "v1")
        git(folder, "clone", "--quiet", "--bare", str(work), f"{name}.git")


@pytest.fixture(scope="module")
def native(session: Session) -> Built:
    return build_prepared(session, prepare(session, BuildRequest(images=())))


@pytest.fixture(scope="module")
def made(native: Built, session: Session, builder: Builder) -> Iterator[EngineImage]:
    backend = DockerfileBackend(make_workshop(session, native.spec), builder)
    assert backend.unsupported(native.plan) == {}
    image = backend.build(native.plan.cells[0])
    yield image
    builder.remove(image.identifier, steps=False)


@pytest.fixture(scope="module")
def trees(native: Built, session: Session, builder: Builder, made: EngineImage) -> tuple[Tree, Tree]:
    (image,) = native.outcome.images
    ours = tree_of_layers(image.image, StoreBlobs(session.store, image.layers))
    if isinstance(builder, DockerBuilder):
        return ours, tree_in_docker(builder.engine, made.references[0])
    return ours, tree_in_podman(made.identifier.hex, dict(session.host.variables))


def test_the_trees_are_equal(trees: tuple[Tree, Tree]) -> None:
    ours, theirs = trees
    scripts = {"opt/venv/bin/uvicorn", "opt/venv/bin/own-program"}
    records = {path for path in ours if path.endswith(".dist-info/RECORD")}

    def allowed(path: str) -> bool:
        if path in scripts:  # other words in the same program
            return ours[path].mode == theirs[path].mode == 0o755
        if path in records:  # the rows of these scripts
            return rows(ours, path) == rows(theirs, path)
        return path == "run/secrets"  # where they were mounted

    assert differences(ours, theirs, allowed=allowed) == []
    assert len(ours) > 5000
    assert ours["opt/extra/uid"].mode == 0o600
    assert ours["code/src/空 folder/$x 'y' \"z\".txt"].mode == 0o644
    assert "usr/share/base-files/motd" not in theirs


def rows(tree: Tree, path: str) -> list[list[str]]:
    text = file_in_tree(tree, path).decode()
    return [row for row in csv.reader(io.StringIO(text)) if "/bin/" not in row[0]]


def test_the_configs_say_the_same(native: Built, made: EngineImage, builder: Builder) -> None:
    (image,) = native.outcome.images
    ours = Fields.parse(image.image.config, what="the config", limit=CONFIG_LIMIT).child("config").values
    theirs = builder.inspect(made.identifier)
    assert theirs is not None
    for key in ("Entrypoint", "Cmd", "WorkingDir", "Labels"):
        assert theirs.config[key] == ours[key], key
    assert sorted(theirs.config["Env"]) == sorted(ours["Env"])


def test_no_secret_is_left(trees: tuple[Tree, Tree]) -> None:
    for tree in trees:
        assert not any(path.startswith("run/secrets/") for path in tree)
        assert not any(b"very-secret" in entry.data for entry in tree.values())
