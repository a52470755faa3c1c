"""A rendered Dockerfile is built by Docker alone, from the project's folder, and gives the image that was meant."""

import io
import json
import os
import re
import subprocess
import tarfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pytest

from support import musa
from support.command import Command
from support.index import Index
from support.layers import paths_of, tars_of, traces
from support.musa_sources import make_repositories, served
from support.packages import make_wheel

pytestmark = [pytest.mark.engine, pytest.mark.network, pytest.mark.timeout(900)]

TOKEN = "a-token-that-must-not-stay"
MODEL = b"weights" * 1000
BASE_SPEC = """\
[project]
name = "plain"
[images.plain]
from = "debian:bookworm"
name = "layerwright-test-plain"
tags = ["bookworm"]
workdir = "/"
"""
# docopt is served as sources only; six is pure; numpy is not.
SPEC = f"""\
[project]
name = "rendered"

[images.app]
from = "debian:bookworm"
python = "3.11"
timezone = "Asia/Taipei"
tags = ["1"]
apt = ["ed"]
packages = ["six", "numpy", "docopt==0.6.2", {{ path = "project" }}]
models = [
  {{ url = "model.bin", to = "/models/$m 1.bin", mode = "0640", sha256 = "{sha256(MODEL).hexdigest()}" }},
]
copy = [
  {{ from = "src", to = "/code/src", exclude = ["*.log", "/only"] }},
  {{ from = "odd [n]* $x\\\\ 'q'", to = "/code/odd [n]* $x\\\\ 'q'" }},
]
run = [
  {{ script = '''
    # how long it is, and no more
    wc -c < /run/secrets/token > /code/length
    echo "$GREETING" > /code/greeting
    ''', secrets = ["token"], env = {{ EXTRA = "1" }} }},
]
sources = [{{ source = "pytorch", to = "/home/py torch" }}, {{ source = "vision", to = "/home/vision", git = true }}]
tests = [
  {{ script = "touch /home/left; test -s /code/length; exit 0", log = "/home/it [1].txt" }},
  {{ script = "printf '== short test summary info ==\\nFAILED a::x\\n== 1 failed in 0.1s ==\\n'; exit 1",
     log = "/home/ut.txt", allow = ["a::x"] }},
]
smoke = ["python -c 'import numpy, own; assert own.VALUE == 1'", "test -f /home/ut.txt"]
workdir = "/code"
entrypoint = ["python", "-c"]
command = ["print('$HOME \\\\ \\" ok')"]
env = {{ GREETING = "a \\"b\\" $HOME \\\\ 'c' 中文 #x" }}
labels = {{ "org.example/a b" = "x $y \\\\" }}

[sources.pytorch]
git = "SERVER/pytorch.git"
rev = "v2.0.0"
[sources.vision]
git = "SERVER/vision.git"
rev = "v0.15.2"

[secrets.token]
env = "LAYERWRIGHT_TEST_TOKEN"
"""
FILES = {
    "src/a.py": "print(1)\n",
    "src/空 folder/$x [y] 'z'.txt": "data",
    "src/.env": TOKEN,
    "odd [n]* $x\\ 'q'/f": "odd",
    "src/noise.log": "noise",
    "src/deep/noise.log": "noise",
    "src/only/x": "excluded here",
    "src/deep/only/x": "stays",
    "project/own.py": "VALUE = 1\n\n\ndef main():\n    print(VALUE)\n",
    "project/pyproject.toml": '[project]\nname = "own"\nversion = "1"\ndescription = "ours"\n'
    'scripts = {own-program = "own:main"}\n'
    '[build-system]\nrequires = ["flit_core>=3.12,<4"]\nbuild-backend = "flit_core.buildapi"\n',
}
LOOK = """
import importlib.metadata as metadata, json, os, sys, time
found = {}
for folder in ("/code", "/models", "/run/secrets"):
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            found[path] = [oct(os.stat(path).st_mode & 0o777), open(path, "rb").read().decode()[:40]]
import numpy, six, docopt
cached = open(six.__cached__, "rb").read()[4]
print(json.dumps({
    "packages": {item.name: item.version for item in metadata.distributions()},
    "files": found, "prefix": sys.prefix, "zone": time.tzname, "env": dict(os.environ), "cwd": os.getcwd(),
    "sum": int(numpy.arange(4).sum()), "flags": cached,
}))
"""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """The docker client, and the images that the tests made with it."""

    program: str
    made: list[str] = field(default_factory=list)

    def __call__(
        self, *arguments: str, folder: Path | None = None, env: Mapping[str, str] | None = None
    ) -> str:
        done = subprocess.run(
            [self.program, *arguments],
            cwd=folder,
            env={**os.environ, "DOCKER_BUILDKIT": "1", **(env or {})},
            capture_output=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()[-4000:]
        return done.stdout.decode()


@pytest.fixture(scope="module")
def engine(docker: str) -> Iterator[Engine]:
    engine = Engine(program=docker)
    yield engine
    for name in engine.made:
        subprocess.run([docker, "rmi", "--force", name], capture_output=True, check=False)


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Command:
    root = tmp_path_factory.mktemp("rendered")
    kept = os.environ.get("LAYERWRIGHT_TEST_STORE")
    store = Path(kept) / "store" if kept else root / "store"
    for name in ("home", "plain", "project"):
        (root / name).mkdir()
    variables = {"LAYERWRIGHT_TEST_TOKEN": TOKEN}
    return Command(folder=root / "project", store=store, home=root / "home", variables=variables)


@pytest.fixture(scope="module")
def plain_base(engine: Engine, command: Command) -> str:
    """What stands for Docker's official image, which tests must neither fetch nor replace: Debian without Python."""
    folder = command.folder.with_name("plain")
    (folder / "layerwright.toml").write_text(BASE_SPEC, encoding="utf-8")
    archive = folder / "plain.tar"
    command.changed(folder=folder)("build", "--output", f"docker-archive:{archive}", timeout=600)
    engine("load", "--input", str(archive))
    archive.unlink()
    name = f"layerwright-test-slim:{uuid.uuid4().hex[:12]}"
    engine("tag", "layerwright-test-plain:bookworm", name)
    engine.made.extend([name, "layerwright-test-plain:bookworm"])
    return name


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Repositories to fetch sources from; gives the server's address."""
    repositories = make_repositories(tmp_path_factory.mktemp("served") / "repositories")
    with served(repositories.folder) as address:
        yield address


@pytest.fixture(scope="module")
def rendered(command: Command, plain_base: str, server: str) -> str:
    for name, text in FILES.items():
        path = command.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (command.folder / "model.bin").write_bytes(MODEL)
    (command.folder / "layerwright.toml").write_text(SPEC.replace("SERVER", server), encoding="utf-8")
    command("lock", timeout=300)
    shown = command("render", "dockerfile", "app", "--offline").out
    # As the text itself advises.
    lines = re.findall(
        r"^#   (.*)$", shown[shown.index("# With these lines in .dockerignore") :], re.MULTILINE
    )
    (command.folder / ".dockerignore").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert "debian:bookworm-slim AS system" in shown
    return shown.replace("debian:bookworm-slim AS", f"{plain_base} AS")


@pytest.fixture(scope="module")
def image(engine: Engine, command: Command, rendered: str) -> str:
    name = f"layerwright-test-rendered:{uuid.uuid4().hex[:12]}"
    engine.made.append(name)
    build(engine, command, rendered, "--tag", name)
    return name


def build(engine: Engine, command: Command, text: str, *more: str) -> None:
    dockerfile = command.folder.with_name("Dockerfile")
    dockerfile.write_text(text, encoding="utf-8")
    bundle = os.environ.get("SSL_CERT_FILE") or "/etc/ssl/certs/ca-certificates.crt"
    trust = ("--secret", f"id=ca,src={bundle}") if Path(bundle).is_file() else ()
    arguments = ("build", "--network", "host", "--file", str(dockerfile), *trust)
    token = ("--secret", "id=token,env=LAYERWRIGHT_TEST_TOKEN")
    engine(*arguments, *token, *more, ".", folder=command.folder, env=command.variables)


def test_it_holds_what_was_asked_for(engine: Engine, image: str) -> None:
    seen = json.loads(engine("run", "--rm", "--network", "none", image, LOOK))
    assert set(seen["packages"]) == {"six", "numpy", "docopt", "own"}  # and no pip
    assert seen["packages"]["docopt"] == "0.6.2"
    assert (seen["prefix"], seen["cwd"], seen["sum"]) == ("/opt/venv", "/code", 6)
    assert seen["zone"][0] == "CST"
    assert seen["flags"] == 1  # PEP 552: by hash, unchecked
    assert seen["env"]["GREETING"] == "a \"b\" $HOME \\ 'c' 中文 #x"
    assert seen["env"]["PATH"].startswith("/opt/venv/bin:/usr/local/sbin:")
    assert "EXTRA" not in seen["env"]
    greeting = "a \"b\" $HOME \\ 'c' 中文 #x\n"
    assert {path: text for path, (_, text) in seen["files"].items()} == {
        "/code/src/a.py": "print(1)\n",
        "/code/src/空 folder/$x [y] 'z'.txt": "data",
        "/code/src/deep/only/x": "stays",
        "/code/odd [n]* $x\\ 'q'/f": "odd",
        "/code/length": f"{len(TOKEN)}\n",
        "/code/greeting": greeting,
        "/models/$m 1.bin": MODEL[:40].decode(),
    }
    assert seen["files"]["/models/$m 1.bin"][0] == "0o640"


def test_sources_are_fetched_and_tests_judged(engine: Engine, image: str) -> None:
    look = "cd /home && find . -name '*.h' -o -name .git -o -type f -path './*.txt' -o -name left | sort; cat ut.txt"
    assert engine("run", "--rm", "--entrypoint", "sh", image, "-c", look) == (
        "./it [1].txt\n./py torch/csrc/api.h\n./py torch/third_party/kineto/include/kineto.h\n"
        "./py torch/third_party/kineto/third_party/sleef/include/sleef.h\n./ut.txt\n./vision/.git\n"
        "== short test summary info ==\nFAILED a::x\n== 1 failed in 0.1s ==\n"
        "--- layerwright: verdict ---\nstatus: 1\nallowed: a::x\nverdict: passed, with 1 test that may fail\n"
    )
    (config,) = json.loads(engine("inspect", image))
    assert config["Config"]["Labels"]["dev.layerwright.tests.allowed"] == '["a::x"]'


def test_it_starts_as_the_spec_says(engine: Engine, image: str) -> None:
    assert engine("run", "--rm", image) == '$HOME \\ " ok\n'
    shown = engine(
        "run",
        "--rm",
        "--entrypoint",
        "sh",
        image,
        "-c",
        "own-program; ed --version; command -v pip git || true",
    )
    assert shown.startswith("1\n")
    assert "ed" in shown
    assert "pip" not in shown
    (config,) = json.loads(engine("inspect", image))
    assert config["Config"]["Labels"]["org.example/a b"] == "x $y \\"


def test_locked_versions_are_installed(engine: Engine, image: str, command: Command) -> None:
    lock = (command.folder / "layerwright.lock").read_text(encoding="utf-8")
    shown = engine(
        "run",
        "--rm",
        "--entrypoint",
        "dpkg-query",
        image,
        "--show",
        "--showformat",
        "${Package} ${Version}\n",
    )
    installed = dict(line.split() for line in shown.splitlines())
    for name in ("python3.11-minimal", "libpython3.11-stdlib", "tzdata", "ed"):
        assert f'{{ name = "{name}", version = "{installed[name]}"' in lock
    assert "python3.11-venv" not in installed


def test_no_secret_is_left(engine: Engine, image: str) -> None:
    check_no_secret(engine, image)


def check_no_secret(engine: Engine, image: str) -> None:
    archive = subprocess.run([engine.program, "save", image], capture_output=True, check=True).stdout
    layers = 0
    with tarfile.open(fileobj=io.BytesIO(archive)) as saved:
        for member in saved:
            stream = saved.extractfile(member)
            assert stream is None or TOKEN.encode() not in stream.read(), member.name
            layers += member.name.endswith("layer.tar")
    assert layers > 3
    assert TOKEN not in engine("history", "--no-trunc", image)


def test_smoke_tests_are_a_stage_of_their_own(
    engine: Engine, command: Command, rendered: str, image: str
) -> None:
    name = f"layerwright-test-rendered:{uuid.uuid4().hex[:12]}"
    engine.made.append(name)
    build(engine, command, rendered, "--target", "smoke", "--tag", name)
    failing = rendered.replace("assert own.VALUE == 1", "assert own.VALUE == 2")
    with pytest.raises(AssertionError, match="AssertionError"):
        build(engine, command, failing, "--target", "smoke")
    build(engine, command, failing, "--tag", name)  # nobody asked for them


PRIVATE = """\
[project]
name = "private"
[images.app]
from = "debian:bookworm"
python = "3.11"
accelerator = "mthreads"
tags = ["1"]
packages = [
  "inside", "six", "flatly",
  {{ url = "{wheel}", sha256 = "{wheel_sha256}" }},
  {{ path = "own-1.0-py3-none-any.whl" }},
]
models = [{{ url = "{model}", sha256 = "{model_sha256}", to = "/models/m.bin" }}]
components = ["beside", "served"]
bytecode = false
[components.served]
kind = "other"
url = "{archive}"
sha256 = "{archive_sha256}"
install = "cp -r musa /opt/served; echo '$HOME' > /opt/served/words"
[components.beside]
kind = "musa_math"
url = "archives/beside.tar.gz"
sha256 = "{archive_sha256}"
install = "cp -r musa /opt/beside"
[indexes.internal]
url = "{simple}"
credentials = "netrc"
packages = ["inside"]
explicit = true
[indexes.folder]
url = "wheels"
format = "flat"
packages = ["flatly"]
explicit = true
"""


def test_private_places_are_reached_with_a_login_that_stays_outside(
    engine: Engine, command: Command, plain_base: str, index: Index, tmp_path: Path
) -> None:
    project = command.folder.with_name("private")
    (project / "wheels").mkdir(parents=True)
    index.credentials = f"me:{TOKEN}"
    archive = musa.toolkit()
    index.add(make_wheel("inside"), make_wheel("linked"), ("m.bin", MODEL), ("served.tar.gz", archive.data))
    (project / "archives").mkdir()
    (project / "archives" / "beside.tar.gz").write_bytes(archive.data)
    for name, folder in (("flatly", project / "wheels"), ("own", project)):
        file, data = make_wheel(name)
        (folder / file).write_bytes(data)
    wheel = "linked-1.0-py3-none-any.whl"
    spec = PRIVATE.format(
        simple=index.simple,
        wheel=index.address(wheel),
        wheel_sha256=index.sha256(wheel),
        model=index.address("m.bin"),
        model_sha256=index.sha256("m.bin"),
        archive=index.address("served.tar.gz"),
        archive_sha256=archive.sha256,
    )
    (project / "layerwright.toml").write_text(spec, encoding="utf-8")
    netrc = command.home / ".netrc"
    netrc.write_text(f"machine 127.0.0.1 login me password {TOKEN}\n", encoding="utf-8")
    netrc.chmod(0o600)
    private = command.changed(folder=project)
    private("lock", timeout=300)
    text = private("render", "dockerfile").out
    assert TOKEN not in text
    text = text.replace("debian:bookworm-slim AS", f"{plain_base} AS")
    name = f"layerwright-test-rendered:{uuid.uuid4().hex[:12]}"
    engine.made.append(name)
    with pytest.raises(AssertionError, match=r"secret netrc not found|401: Unauthorized"):
        build(engine, private, text, "--tag", name)
    build(engine, private, text, "--tag", name, "--secret", f"id=netrc,src={netrc}")
    look = "ls /opt/venv/lib/python3.11/site-packages /models"
    found = engine("run", "--rm", name, "sh", "-c", look).split()
    for package in ("inside", "linked", "flatly", "own", "six.py", "m.bin"):
        assert package in found
    assert "__pycache__" not in found
    check_no_secret(engine, name)
    look = "cat /opt/served/words; ls /opt/served /opt/beside"
    found = engine("run", "--rm", name, "sh", "-c", look).split()
    assert found == [
        "$HOME",
        *("/opt/beside:", "bin", "include", "lib", "version.json"),
        *("/opt/served:", "bin", "include", "lib", "version.json", "words"),
    ]
    file = project / "image.tar"
    engine("save", "--output", str(file), name)
    tars = tars_of(file)
    assert traces(tars, archive.data) == []
    assert not [
        path for path in paths_of(tars) if path.startswith(("opt/files", "opt/local", "tmp/", "dev/lay"))
    ]
