"""A bake file is taken by buildx, and its builders make the trees that layerwright makes."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.conftest import missing
from layerwright.backends.native.blobs import StoreBlobs
from layerwright.core.events import SilentReporter
from layerwright.engines.docker import find_docker
from layerwright.host.environment import HostEnvironment
from layerwright.workflow.build import BuildRequest, build_images
from layerwright.workflow.session import Session
from support.command import Command
from support.newer_docker import newer_docker
from support.own_docker import OwnDocker
from support.packages import make_wheel
from support.trees import differences, tree_in_docker, tree_of_layers

pytestmark = [pytest.mark.engine, pytest.mark.network, pytest.mark.timeout(600)]

TOKEN = "a-token-that-must-not-stay"
# The interpreter where nothing of apt's is needed beside it: the daemon has no network.
BASE = """\
[project]
name = "bake"
[images.base]
from = "debian:bookworm"
python = "3.11"
name = "layerwright-bake-base"
tags = ["1"]
apt = ["python3.11-venv"]
run = [{ script = '''
mv /usr/bin/python3.11 /usr/local/bin/
rm -rf /opt/venv /var/lib/apt /var/cache/apt
''' }]
workdir = "/"
entry_program = false
"""
SPEC = """\
[project]
name = "bake"
version = "1"
[defaults]
from = "docker:layerwright-bake-base:1"
python = "3.11"
workdir = "/work"
[images.parent]
packages = [{ path = "one-1.0-py3-none-any.whl" }]
copy = [{ from = "src", to = "/work/src" }]
env = { GREETING = "a \\"b\\" ${HOME} %{if} $$ 中文" }
run = [{ script = 'echo "$GREETING" > /work/greeting; test "${#GREETING}" -gt 3' }]
entrypoint = ["python"]
[images.child]
from = "image:parent"
packages = [{ path = "two-1.0-py3-none-any.whl" }]
run = [{ script = "wc -c < /run/secrets/token > /work/length", secrets = ["token"] }]
smoke = ["python -c 'import one, two'"]
writable = ["HF_HOME"]
bytecode = false
[secrets.token]
env = "LAYERWRIGHT_TEST_TOKEN"
"""


SKELETON = ("opt/venv/include", "opt/venv/include/python3.11", "opt/venv/lib64")
"""Folders that the module venv makes and nothing fills."""


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnDocker]:
    folder = os.environ.get("LAYERWRIGHT_TEST_DOCKER")
    if not folder or os.getuid() != 0 or shutil.which("nsenter") is None:
        missing("no newer Docker: tools/newer_docker.sh FOLDER, and LAYERWRIGHT_TEST_DOCKER=FOLDER as root")
    assert folder is not None
    with newer_docker(Path(folder), tmp_path_factory.mktemp("newer")) as found:
        yield found


@pytest.fixture(scope="module")
def project(newer: OwnDocker, debian_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Command:
    root = tmp_path_factory.mktemp("bake")
    for name in ("base", "project", "home"):
        (root / name).mkdir()
    (root / "base" / "layerwright.toml").write_text(BASE, encoding="utf-8")
    command = Command(folder=root / "base", store=debian_store, home=root / "home")
    command("build", "--output", f"docker-archive:{root / 'base.tar'}", timeout=300)
    loaded = newer("load", "--input", str(root / "base.tar"))
    assert loaded.returncode == 0, loaded.stderr
    folder = root / "project"
    (folder / "src").mkdir()
    (folder / "src" / "a.py").write_text("print(1)\n")
    (folder / "src" / ".env").write_text(TOKEN)
    for name in ("one", "two"):
        file, data = make_wheel(name)
        (folder / file).write_bytes(data)
    (folder / "layerwright.toml").write_text(SPEC, encoding="utf-8")
    variables = {**newer.environment, "LAYERWRIGHT_TEST_TOKEN": TOKEN}
    here = command.changed(folder=folder, store=root / "store", variables=variables)
    here("lock")
    return here


def bake(newer: OwnDocker, project: Command, *arguments: str, status: int = 0) -> str:
    done = newer(
        "buildx",
        "bake",
        *arguments,
        folder=project.folder,
        LAYERWRIGHT_TEST_TOKEN=TOKEN,
        HOME=str(project.home),
    )
    assert done.returncode == status, done.stderr[-4000:]
    return done.stdout + done.stderr


def test_a_matrix_can_be_built_by_bake(newer: OwnDocker, project: Command) -> None:
    """Two cells, one on the other: the same trees as natively, smoke tests apart, no secret anywhere."""
    text = project("render", "bake", "--offline").out
    assert TOKEN not in text
    (project.folder / "docker-bake.hcl").write_text(text, encoding="utf-8")
    advised = text[text.index("# With these lines in .dockerignore") :]
    lines = re.findall(r"^#   (.*)$", advised, re.MULTILINE)
    (project.folder / ".dockerignore").write_text("\n".join(lines) + "\n", encoding="utf-8")
    shown = bake(newer, project, "--print")
    assert '"parent": "target:parent"' in shown

    bake(newer, project, "--load")
    bake(newer, project, "smoke")
    engine = find_docker(HostEnvironment.gather({**os.environ, **newer.environment}))
    session = Session(
        host=HostEnvironment.gather({**os.environ, **project.environment, "HOME": str(project.home)}),
        reporter=SilentReporter(),
        start=project.folder,
        spec_file=None,
        store_root=project.store,
        offline=False,
    )
    built = build_images(session, BuildRequest()).outcome.images
    assert [image.cell for image in built] == ["parent", "child"]
    for image in built:
        ours = tree_of_layers(image.image, StoreBlobs(session.store, image.layers))
        theirs = tree_in_docker(engine, image.references[0])

        def allowed(path: str) -> bool:
            # pip's words about its own work, venv's scripts for shells, and where BuildKit had mounted the secret.
            return (
                path.endswith(
                    tuple(
                        f".dist-info/{name}"
                        for name in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
                    )
                )
                or path.startswith("opt/venv/bin/")
                or path in {"opt/venv/pyvenv.cfg", "run/secrets", *SKELETON}
            )

        assert differences(ours, theirs, allowed=allowed) == []
        assert theirs["work/src/a.py"].content == ours["work/src/a.py"].content
        assert "work/src/.env" not in theirs
    history = newer("history", "--no-trunc", "bake-child:1").stdout
    assert TOKEN not in history
    greeting = newer(
        "run", "--rm", "--network=none", "--entrypoint=cat", "bake-child:1", "/work/greeting"
    ).stdout
    assert greeting == 'a "b" ${HOME} %{if} $$ 中文\n'
    # The child's layers begin with its parent's.
    layers = {
        name: newer("inspect", "--format", "{{json .RootFS.Layers}}", f"bake-{name}:1")
        .stdout.strip("[]\n")
        .split(",")
        for name in ("parent", "child")
    }
    assert layers["child"][: len(layers["parent"])] == layers["parent"]


def test_a_smoke_test_that_fails_fails_its_group_alone(newer: OwnDocker, project: Command) -> None:
    text = project("render", "bake", "child").out.replace("import one, two", "import one, three")
    (project.folder / "docker-bake.hcl").write_text(text, encoding="utf-8")
    bake(newer, project)
    assert "No module named 'three'" in bake(newer, project, "smoke", status=1)
