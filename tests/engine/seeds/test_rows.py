"""The rows of docs/reference/acceptance.md about what an image holds and how it is described, by the command line."""

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from layerwright.oci.layout import read_layout
from support.command import Project
from support.index import Index
from support.packages import make_heavy_wheel, make_wheel, project_text

pytestmark = pytest.mark.engine


def steps(project: Project, image: str) -> dict[str, dict[str, Any]]:
    """The steps of an image by kind and title."""
    (found,) = [one for one in project("plan", "--json").json()["images"] if one["cell"] == image]
    return {f"{step['kind']} {step['title']}": step for step in found["steps"]}


def members(project: Project, image: str) -> dict[str, tarfile.TarInfo]:
    """Everything that stands in any layer of an image, below others or not."""
    layout = project.folder.with_name("looked-at") / image
    project("build", image, "--output", f"oci:{layout}")
    made, blobs = read_layout(layout, "")
    found = {}
    for layer in made.layers:
        with tarfile.open(fileobj=io.BytesIO(b"".join(blobs.open_tar(layer)))) as archive:
            found |= {member.name.removeprefix("./"): member for member in archive}
    return found


BACKEND = """\
import base64, hashlib, io, os, zipfile

NAME, VERSION, REQUIRES = {name!r}, "1.0", {requires!r}

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    info = f"{{NAME}}-{{VERSION}}.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {{NAME}}", f"Version: {{VERSION}}"]
    files = {{f"{{NAME}}.py": open(f"{{NAME}}.py").read()}}
    if os.path.exists("vendored/inner.txt"):
        files[f"{{NAME}}_inner.txt"] = open("vendored/inner.txt").read()
    files[f"{{info}}/METADATA"] = "\\n".join([*lines, *(f"Requires-Dist: {{one}}" for one in REQUIRES)]) + "\\n"
    files[f"{{info}}/WHEEL"] = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    rows = [
        f"{{path}},sha256={{base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()}},"
        f"{{len(text.encode())}}" for path, text in files.items()
    ]
    files[f"{{info}}/RECORD"] = "\\n".join([*rows, f"{{info}}/RECORD,,"]) + "\\n"
    file = f"{{NAME}}-{{VERSION}}-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(wheel_directory, file), "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return file
"""


def sources(
    name: str, *, requires: tuple[str, ...] = (), extras: dict[str, list[str]] | None = None
) -> dict[str, str]:
    """Files of a project whose build needs nothing of an index: its backend stands beside it (PEP 517, in-tree)."""
    system = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    text = project_text(name, requires=requires, extras=extras)
    return {
        "pyproject.toml": system + text[text.index("[project]") :],
        "backend.py": BACKEND.format(name=name, requires=list(requires)),
        f"{name}.py": "VALUE = 1\n",
        "notes.txt": "what the wheel does not hold",
    }


def git(*argv: str | Path, folder: Path) -> str:
    own = ("user.name=t", "user.email=t@example.org", "protocol.file.allow=always")
    options = [word for one in own for word in ("-c", one)]
    done = subprocess.run(["git", *options, *argv], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_a03_one_value_changed_changes_what_stands_on_it(
    project: Project, index: Index, debian_layout: Path
) -> None:
    index.add(make_wheel("small"))
    project.write({"src/a.py": "print(1)\n"})
    text = '[images.app]\npackages = ["small"]\ncopy = [{ from = "src", to = "/src" }]\nrun = [{ script = "true" }]\n'
    project.spec(text)
    project("lock")
    before = steps(project, "app")
    spec = project.folder / "layerwright.toml"
    lines = spec.read_text(encoding="utf-8").splitlines()
    other = [f'from = "oci:{debian_layout}"' if line.startswith("from = ") else line for line in lines]
    assert sum(one != another for one, another in zip(lines, other, strict=True)) == 1
    spec.write_text("\n".join(other) + "\n", encoding="utf-8")
    project("lock")
    after = steps(project, "app")
    changed = {
        title for title, step in before.items() if after.get(title, {}).get("digest") != step["digest"]
    }
    # The other base has another Python, for which bytecode is made anew.
    assert {title for title in changed if not title.startswith("Base")} == {
        "InstallPython python 3.11",
        "InstallWheels small 1.0 (bytecode)",
        "RunCommand run true",
        "SetConfig config",
    }
    assert {title for title in before if title not in changed} == {
        "InstallWheels small 1.0",
        "InstallSeal seal of 1 package",
        "CopyTree copy src /src",
    }


def test_a04_a_chain_is_built_parents_first_and_follows_its_parent(project: Project, index: Index) -> None:
    index.add(make_heavy_wheel("heavy"), make_wheel("own"))
    chain = (
        '[images.base]\nrun = [{ script = "echo 1 > /base" }]\n'
        '[images.project]\nfrom = "image:base"\npackages = ["heavy"]\n'
        '[images.reader]\nfrom = "image:project"\npackages = ["own"]\nrun = [{ script = "cat /base > /seen" }]\n'
        'entrypoint = ["cat"]\n'
    )
    project.spec(chain)
    done = project("build", "reader")
    told = done.err.splitlines()
    places = [
        next(i for i, line in enumerate(told) if text in line) for text in ("echo 1 > /base", "cat /base")
    ]
    assert places == sorted(places)
    assert project("run", "reader", "/seen").out == "1\n"
    project.spec(chain.replace("echo 1", "echo 2"))
    image = project("build", "reader", "--json").image
    cached = {layer["created_by"]: layer["cached"] for layer in image["layers"]}
    assert project("run", "reader", "/seen").out == "2\n"
    assert cached["layerwright: wheels heavy 1.0"]
    assert sorted(title for title, was in cached.items() if not was) == [
        "layerwright: run cat /base > /seen",
        "layerwright: run echo 2 > /base",
    ]


def test_a05_an_inference_image_with_a_training_framework_is_refused(project: Project, index: Index) -> None:
    index.add(make_wheel("torch", "2.4.1"), make_wheel("model", requires=["torch"]))
    text = '[images.app]\nrole = "{role}"\npackages = ["model"]\n'
    project.spec(text.format(role="inference"))
    project("build")
    done = project("verify", "--json", status=1)
    (found,) = [one for one in done.json()["findings"] if one["level"] == "error"]
    assert "torch 2.4.1" in found["message"]
    assert "inference" in found["message"]
    project.spec(text.format(role="training"))
    project("build")
    levels = {one["level"] for one in project("verify", "--json").json()["findings"]}
    assert "error" not in levels


def test_a06_names_do_not_collide_and_no_tag_is_implied(project: Project) -> None:
    project.spec('[images.one]\nname = "same"\n[images.two]\nname = "same"\n')
    done = project("lock", status=2)
    assert "same:1" in done.err
    assert "one" in done.err
    assert "two" in done.err
    project.spec('[images.one]\n[images.two]\ntags = ["2.0", "2"]\n')
    project("lock")
    images = {image["cell"]: image["references"] for image in project("plan", "--json").json()["images"]}
    assert images == {"one": ["demo-one:1"], "two": ["demo-two:2.0", "demo-two:2"]}
    assert "latest" not in json.dumps(images)


@pytest.mark.network
def test_a07_packages_and_time_zone_without_a_question(project: Project, debian_layout: Path) -> None:
    project.spec(
        f'[images.app]\nfrom = "oci:{debian_layout}"\ntimezone = "Asia/Taipei"\napt = ["tzdata", "ed"]\n'
        'run = [{ script = "env > /during", env = { ONLY_HERE = "1" } }]\nentrypoint = ["sh", "-c"]\n'
    )
    found = members(project, "app")
    assert "usr/share/zoneinfo/Asia/Taipei" in found
    lists = [name for name in found if name.startswith(("var/lib/apt/lists/", "var/cache/apt/archives/"))]
    assert [name for name in lists if found[name].isfile() and not name.endswith("/lock")] == []
    assert project("run", "app", "date +%Z; ed --version | head -1").out.startswith("CST\n")
    env = project("run", "app", "env").out
    for name in ("DEBIAN_FRONTEND", "ONLY_HERE", "SOURCE_DATE_EPOCH", "PYTHONHASHSEED"):
        assert f"\n{name}=" not in f"\n{env}"
    assert "ONLY_HERE=1" in project("run", "app", "cat /during").out


@pytest.fixture
def in_docker(project: Project, docker: str) -> Iterator[Callable[..., str]]:
    """Starts the project's image with Docker alone."""
    made = []

    def start(image: str, *arguments: str, options: tuple[str, ...] = (), status: int = 0) -> str:
        if not made:
            project("build", image, "--output", "docker")
        made.append(image)
        done = subprocess.run(
            [docker, "run", "--rm", "--network=none", *options, f"demo-{image}:1", *arguments],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == status, done
        return done.stdout

    yield start
    for image in set(made):
        subprocess.run(
            [docker, "image", "rm", "--force", f"demo-{image}:1"], capture_output=True, check=False
        )


def test_a08_caches_are_writable_for_a_mapped_user_and_for_nobody_else(
    project: Project, in_docker: Callable[..., str]
) -> None:
    project.spec('[images.app]\nwritable = ["MPLCONFIGDIR", "HF_HOME"]\nentrypoint = ["python"]\n')
    write = (
        "import os, pathlib; names = ('MPLCONFIGDIR', 'HF_HOME');"
        "folders = [pathlib.Path(os.environ[name]) for name in names];"
        "[folder.mkdir(parents=True, exist_ok=True) for folder in folders];"
        "[(folder / 'f').write_text('x') for folder in folders]; print(os.getuid(), os.getgid())"
    )
    ids = ("--env=USER_ID=1234", "--env=GROUP_ID=2345")
    assert in_docker("app", "-c", write, options=ids) == "1234 2345\n"
    assert in_docker("app", "-c", write, options=("--user=1234:2345",)) == "1234 2345\n"
    assert project("run", "app", "-c", write).out == f"{os.getuid()} {os.getgid()}\n"
    open_to_all = [
        name for name, member in members(project, "app").items()
        if member.mode & 0o002 and not member.issym() and not member.mode & 0o1000
    ]  # fmt: skip
    assert open_to_all == []


def test_a09_the_working_folder_is_the_users(project: Project, in_docker: Callable[..., str]) -> None:
    project.spec('[images.app]\nrun = [{ script = "pwd > /during" }]\nentrypoint = ["python", "-c"]\n')
    look = "import os; print(os.getcwd(), open('/during').read())"
    assert in_docker("app", look) == "/code /code\n\n"
    assert project("run", "app", look).out == "/code /code\n\n"
    project.spec(
        '[images.app]\nworkdir = "/elsewhere"\nrun = [{ script = "pwd > /during" }]\nentrypoint = ["python", "-c"]\n'
    )
    project("build", "app", "--output", "docker")
    assert in_docker("app", look) == "/elsewhere /elsewhere\n\n"
    assert project("run", "app", look).out == "/elsewhere /elsewhere\n\n"


def test_a10_a_repository_at_a_commit_leaves_no_clone(project: Project, tmp_path: Path) -> None:
    # git keeps submodules on the same disk from foreign repositories; these are none.
    (project.command.home / ".gitconfig").write_text('[protocol "file"]\nallow = always\n')
    inner, outer = tmp_path / "inner", tmp_path / "outer"
    for folder in (inner, outer):
        folder.mkdir()
        git("init", "-q", "-b", "main", folder=folder)
    (inner / "inner.txt").write_text("of the submodule")
    for name, text in sources("outer").items():
        (outer / name).write_text(text)
    for folder in (inner, outer):
        git("add", ".", folder=folder)
        git("commit", "-qm", "first", folder=folder)
    git("submodule", "--quiet", "add", inner.as_uri(), "vendored", folder=outer)
    git("commit", "-qm", "second", folder=outer)
    commit = git("rev-parse", "HEAD", folder=outer)
    (outer / "outer.py").write_text("VALUE = 2\n")
    git("commit", "-qam", "third", folder=outer)
    project.spec(
        f'[images.app]\npackages = [{{ git = "{outer.as_uri()}", rev = "{commit[:10]}" }}]\nentrypoint = ["python"]\n'
    )
    found = members(project, "app")
    look = (
        "import outer, pathlib, importlib.metadata as m;"
        "print(outer.VALUE, (pathlib.Path(outer.__file__).parent / 'outer_inner.txt').read_text());"
        "print(m.distribution('outer').read_text('direct_url.json'))"
    )
    said, direct = project("run", "app", "-c", look).out.splitlines()
    assert said == "1 of the submodule"
    assert json.loads(direct)["vcs_info"]["commit_id"] == commit
    assert f'commit = "{commit}"' in project.lock.read_text(encoding="utf-8")
    assert [
        name for name in found if ".git" in name.split("/") or name.endswith(("notes.txt", "backend.py"))
    ] == []


def test_a11_a_project_of_the_local_tree_is_a_wheel(project: Project, index: Index) -> None:
    index.add(make_wheel("small"))
    files = sources("own", requires=("small",))
    project.write({f"own/{name}": text for name, text in files.items()})
    project.write({"own/.git/config": "[core]\n", "own/.env": "PASSWORD=never"})
    project.spec('[images.app]\npackages = [{ path = "own" }]\nentrypoint = ["python"]\n')
    found = members(project, "app")
    assert project("run", "app", "-c", "import own, small; print(own.VALUE)").out == "1\n"
    installed = [name for name in found if name.startswith("opt/venv/") and name.endswith("/own.py")]
    assert len(installed) == 1
    outside = [
        name
        for name in found
        if name.endswith(("notes.txt", "backend.py", ".env")) or ".git" in name.split("/")
    ]
    assert outside == []


def test_a12_extras_by_name_and_by_accelerator(project: Project, index: Index) -> None:
    runtimes = ["onnxruntime", "onnxruntime-gpu"]
    tool = make_wheel(
        "tool",
        requires=['onnxruntime; extra == "cpu"', 'onnxruntime-gpu; extra == "gpu"'],
        extras=["cpu", "gpu"],
    )
    index.add(tool, *(make_wheel(name) for name in runtimes))
    project.spec(
        '[images.app]\n[images.app.matrix]\naccelerator = ["cpu", "nvidia"]\n'
        '[[images.app.override]]\nwhen = { accelerator = "cpu" }\npackages = ["tool[cpu]"]\n'
        '[[images.app.override]]\nwhen = { accelerator = "nvidia" }\npackages = ["tool[gpu]"]\n'
    )
    project("lock")
    chosen = {}
    for image in project("plan", "--json").json()["images"]:
        names = {wheel["name"] for step in image["steps"] for wheel in step.get("wheels", ())}
        chosen[image["cell"]] = names & set(runtimes)
    assert chosen == {"app-cpu": {"onnxruntime"}, "app-nvidia": {"onnxruntime-gpu"}}


def test_a13_a_failing_import_fails_the_build(project: Project, index: Index) -> None:
    index.add(
        make_wheel("broken", files={"broken/__init__.py": b"raise ImportError('libturbojpeg is missing')\n"})
    )
    project.spec('[images.app]\npackages = ["broken"]\nsmoke = ["python -c \'import broken\'"]\n')
    done = project("build", status=4)
    assert "libturbojpeg is missing" in done.err
    assert "layerwright.toml" in done.err
    assert done.out == ""


@pytest.mark.parametrize(
    ("kind", "keys", "arguments", "said"),
    [
        ("python", 'entrypoint = ["python"]', ("-c", "print('a b', 1)"), "a b 1\n"),
        ("shell", 'command = ["sh"]', ("sh", "-c", 'printf "%s|" "$@"', "x", "a b", ""), "a b||"),
        ("script", 'entrypoint = ["sh", "/start.sh"]', ("a b", "$HOME"), "<a b>\n<$HOME>\n"),
    ],
)
def test_a14_entry_points(
    project: Project,
    in_docker: Callable[..., str],
    kind: str,
    keys: str,
    arguments: tuple[str, ...],
    said: str,
) -> None:
    project.write({"start.sh": 'for word; do echo "<$word>"; done\n'})
    project.spec(f'[images.{kind}]\n{keys}\ncopy = [{{ from = "start.sh", to = "/start.sh" }}]\n')
    assert in_docker(kind, *arguments) == said
    assert project("run", kind, *arguments).out == said


def test_g02_the_same_twice_and_what_moved_is_shown(project: Project, index: Index) -> None:
    index.add(make_wheel("tool", "1.0"))
    project.spec('[images.app]\npackages = ["tool"]\n')
    project("lock")
    lock, plan = project.lock.read_bytes(), project("plan", "--json").out
    digest = project("build", "--json").image["digest"]
    index.add(make_wheel("tool", "1.1"))
    assert project("lock").out == "layerwright.lock is up to date\n"
    assert (project.lock.read_bytes(), project("plan", "--json").out) == (lock, plan)
    again = project.command.changed(store=project.folder.with_name("another-store"))
    assert again("build", "--locked", "--json").image["digest"] == digest
    project.lock.unlink()
    project("lock")
    project.lock.write_bytes(lock)
    assert project("lock", "--upgrade").out == "app: tool 1.0 → 1.1 (loopback)\n"
    (project.folder / "layerwright.toml").write_text(
        (project.folder / "layerwright.toml").read_text().replace('"tool"', '"tool<1.1"')
    )
    assert project("lock", "--check", status=1).err.startswith(
        "error: layerwright.lock is out of date for app"
    )


def test_g06_what_is_sent_is_shown_and_is_nobody_elses_business(project: Project) -> None:
    kept = {"src/a.py": "print(1)\n", "src/deep/b.py": "print(2)\n"}
    secret = {
        "src/.git/config": "[core]\n",
        "src/.env": "PASSWORD=never-sent",
        "src/deep/id_rsa": "never-sent",
        "src/server.pem": "-----BEGIN PRIVATE KEY-----\nnever-sent\n-----END PRIVATE KEY-----\n",
        "src/__pycache__/a.pyc": "never-sent",
    }
    project.write(kept | secret)
    project.spec('[images.app]\ncopy = [{ from = "src", to = "/opt/src" }]\n')
    project("lock")
    assert "copy src /opt/src (2 files, 18 B)" in project("plan").out
    (step,) = [one for one in steps(project, "app").values() if one["kind"] == "CopyTree"]
    assert (step["files"], step["size"]) == (2, 18)
    done = project("build")
    assert "src to /opt/src, 2 files  18 B" in done.err
    for name in (".env", "deep/id_rsa", "server.pem"):
        assert f"src: {name} looks secret, and is not copied" in done.err, done.err
    found = members(project, "app")
    assert sorted(name for name, one in found.items() if name.startswith("opt/src/") and one.isfile()) == [
        "opt/src/a.py",
        "opt/src/deep/b.py",
    ]
