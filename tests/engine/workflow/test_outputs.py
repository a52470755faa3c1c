"""Images in the hands of others: layouts and archives for skopeo, the Docker engine, registries."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.command import Project
from support.engine_line import engine_line
from support.index import Index
from support.packages import make_heavy_wheel, make_wheel
from support.registry import Registry, running_registry

pytestmark = pytest.mark.engine

SPEC = """\
[images.app]
name = "{name}"
packages = ["heavy", "small"]
copy = [{{ from = "src", to = "/opt/code" }}]
run = [{{ script = "echo 'made in the build' > /made; rm /usr/bin/sort" }}]
env = {{ GREETING = "你好" }}
workdir = "/work"
entrypoint = ["python", "/opt/code/main.py"]
command = ["by default"]
"""
MAIN = """\
import heavy, os, pathlib, sys
print(heavy.VERSION, os.environ["GREETING"], pathlib.Path("/made").read_text().strip(), os.getcwd(), sys.argv[1:])
print(pathlib.Path("/usr/bin/sort").exists(), sys.prefix, pathlib.Path(heavy.__cached__).exists())
"""
SAID = "1.0 你好 made in the build /work ['by default']\nFalse /opt/venv True\n"


def call(*argv: str | Path, data: bytes | None = None) -> str:
    done = subprocess.run(argv, input=data, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, (argv, done.stdout, done.stderr)
    return done.stdout.decode()


@pytest.fixture
def name() -> str:
    return f"layerwright-test-outputs-{os.getpid()}"


@pytest.fixture
def app(project: Project, index: Index, name: str) -> Project:
    index.add(make_heavy_wheel("heavy"), make_wheel("small"), make_wheel("small", "2.0"))
    project.write({"src/main.py": MAIN})
    project.spec(SPEC.format(name=name).replace('"small"', '"small<2"'))
    return project


@pytest.fixture
def engine(docker: str, name: str) -> Iterator[str]:
    """The docker client; whatever has the tests' name is removed from the engine afterwards."""
    yield docker
    listed = call(
        docker, "image", "ls", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"
    ).splitlines()
    for line in listed:
        reference, _, _ = line.partition(" ")
        if name in reference:
            subprocess.run(
                [docker, "image", "rm", "--force", reference], capture_output=True, timeout=60, check=False
            )


@pytest.fixture
def registry(tmp_path: Path, tool: Callable[[str], str]) -> Iterator[Registry]:
    tool("docker-registry")
    with running_registry(tmp_path / "registry") as running:
        yield running


def test_a_layout_for_skopeo(app: Project, name: str, tmp_path: Path, tool: Callable[[str], str]) -> None:
    skopeo = tool("skopeo")
    layout = tmp_path / "lay out"
    image = app("build", "--json", "--output", f"oci:{layout}").image
    seen = json.loads(call(skopeo, "inspect", f"oci:{layout}:{name}:1"))
    assert seen["Digest"] == image["digest"]
    assert seen["Layers"] == [layer["digest"] for layer in image["layers"]]
    assert "GREETING=你好" in seen["Env"]
    config = json.loads(call(skopeo, "inspect", "--config", f"oci:{layout}:{name}:1"))
    assert config["config"]["Entrypoint"] == ["/.layerwright/entry", "python", "/opt/code/main.py"]
    assert [one["created_by"] for one in config["history"] if "empty_layer" not in one] == [
        layer["created_by"] for layer in image["layers"]
    ]
    call(skopeo, "copy", "--preserve-digests", f"oci:{layout}:{name}:1", f"dir:{tmp_path / 'copy'}")
    # A second image goes beside the first.
    app.spec(SPEC.format(name=name).replace("default", "choice").replace('"small"', '"small<2"'))
    app("build", "--output", f"oci:{layout}")
    app.spec(SPEC.format(name=f"{name}-two"))
    app("build", "--output", f"oci:{layout}")
    listed = json.loads((layout / "index.json").read_text())["manifests"]
    assert len(listed) == 2
    # And it is a base for others, of the same bytes.
    app.spec(f'[images.next]\nfrom = "oci:{layout}:{name}:1"\nworkdir = "/work"\n')
    assert app("run", "next").out == SAID.replace("default", "choice")


def test_an_archive_for_docker(app: Project, name: str, tmp_path: Path, engine: str) -> None:
    archive = tmp_path / "image.tar"
    image = app("build", "--json", "--output", f"docker-archive:{archive}").image
    assert f"Loaded image: {name}:1" in call(engine, "load", "--input", archive)
    assert (
        call(engine, "image", "inspect", "--format", "{{.Id}}", f"{name}:1").strip() == image["config_digest"]
    )
    assert call(engine, "run", "--rm", "--network", "none", f"{name}:1") == SAID
    call(engine, "image", "rm", f"{name}:1")
    streamed = subprocess.run(
        app.command.argv("build", "--quiet", "--output", "docker-archive:-"),
        cwd=app.folder,
        env=app.command.environment,
        capture_output=True,
        timeout=120,
        check=True,
    ).stdout
    # Nothing but the archive may stand on standard output then.
    assert streamed == archive.read_bytes()
    process = app.command.start("build", "--output", "docker-archive:-")
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(60) == 2
    assert process.stderr is not None
    assert b"ended before its last byte" in process.stderr.read()
    process.stderr.close()
    app.spec(f'[images.next]\nfrom = "archive:{archive}"\nworkdir = "/work"\n')
    assert app("run", "next").out == SAID


def test_into_the_engine_only_what_it_lacks(app: Project, name: str, tmp_path: Path, engine: str) -> None:
    with engine_line(tmp_path / "line.sock") as line:
        command = app.command.with_variables(DOCKER_HOST=line.address)
        image = command("build", "--json", "--output", "docker").image
        assert line.sent > 1_000_000
        assert call(engine, "run", "--rm", "--network", "none", f"{name}:1") == SAID
        line.sent = 0
        command("build", "--output", "docker")
        assert line.sent < 20_000
        app.write({"src/main.py": MAIN + "print('and more')\n"})
        line.sent = 0
        changed = command("build", "--json", "--output", "docker").image
        assert line.sent < 200_000
        assert call(engine, "run", "--rm", "--network", "none", f"{name}:1") == SAID + "and more\n"
        assert changed["config_digest"] != image["config_digest"]
        expected = SAID.replace("'by default'", "'a b', ''") + "and more\n"
        run = ("run", "--engine", "docker", "app", "a b", "")
        assert command(*run).out == expected
        line.sent = 0
        assert command(*run).out == expected
        assert line.sent < 20_000
        # What the engine no longer has, or calls otherwise, is mended.
        call(engine, "tag", f"{name}:1", f"{name}:kept")
        call(engine, "rmi", f"{name}:1")
        assert command(*run).out == expected
        call(engine, "rmi", "--force", f"{name}:1", f"{name}:kept")
        assert command(*run).out == expected


def test_an_engine_that_dies_in_mid_load(app: Project, name: str, tmp_path: Path, engine: str) -> None:
    app.spec(SPEC.format(name=name) + f'labels = {{ unique = "{os.urandom(8).hex()}" }}\n')
    app.write({"src/data": os.urandom(3_000_000)})
    with engine_line(tmp_path / "line.sock") as line:
        line.break_after = 1_000_000
        command = app.command.with_variables(DOCKER_HOST=line.address)
        done = command("build", "--output", "docker", status=5)
        assert "broke off" in done.err
        assert done.out == ""
        line.break_after = line.sent = 0
        command("build", "--output", "docker")
        assert call(engine, "run", "--rm", "--network", "none", f"{name}:1") == SAID


def test_no_engine(app: Project, tmp_path: Path) -> None:
    (tmp_path / "dead.sock").touch()
    for address in (f"unix://{tmp_path}/dead.sock", f"unix://{tmp_path}/absent.sock", "tcp://127.0.0.1:9"):
        command = app.command.with_variables(DOCKER_HOST=address)
        done = command("build", "--output", "docker", status=5)
        assert address in done.err
        assert "hint: " in done.err
        # Nothing else needs it.
        assert command("run", "app").out == SAID
        app.spec(SPEC.format(name="other").replace("packages", 'from = "docker:some-image:1"\npackages'))
        assert address in command("build", status=5).err
        app.spec(SPEC.format(name="other"))


def test_a_registry(
    app: Project, name: str, registry: Registry, engine: str, tool: Callable[[str], str]
) -> None:
    skopeo = tool("skopeo")
    digest = app("build", "--json").image["digest"]
    place = f"{registry.address}/team/{name}"
    done = app("push", "--to", f"{registry.address}/team", "--json")
    assert done.json() == {"schema": 1, "pushed": [f"{place}:1@{digest}"]}
    seen = json.loads(call(skopeo, "inspect", "--tls-verify=false", f"docker://{place}:1"))
    assert seen["Digest"] == digest
    call(engine, "pull", "--quiet", f"{place}@{digest}")
    assert call(engine, "run", "--rm", "--network", "none", f"{place}@{digest}") == SAID
    call(engine, "image", "rm", f"{place}@{digest}")

    uploads = registry.log().count('"POST /v2/')
    app("push", "--to", f"{registry.address}/team")
    app("build", "--output", f"registry:{registry.address}/team")
    assert registry.log().count('"POST /v2/') == uploads
    # One source file: that layer, the command that stands on it, the config.
    app.write({"src/main.py": MAIN + "print('more')\n"})
    app("push", "--to", f"{registry.address}/team")
    assert registry.log().count('"POST /v2/') - uploads <= 3
    # The same image as a base, by the registry.
    app.spec(f'[images.next]\nfrom = "{place}:1"\nworkdir = "/work"\n')
    assert app("run", "next").out == SAID + "more\n"


def test_a_registry_that_is_not_there(app: Project) -> None:
    done = app("push", "--to", "127.0.0.1:9", status=6)
    assert "127.0.0.1:9" in done.err
    assert "--offline forbids pushing" in app("--offline", "push", "--to", "127.0.0.1:9", status=6).err
    done = app("build", "--output", "oci:/proc/nowhere", status=None)
    assert done.status in {2, 4}, done
    assert "/proc/nowhere" in done.err
    done = app("build", "--output", "docker-archive:/nowhere/at/all.tar", status=2)
    assert "/nowhere/at/all.tar" in done.err
