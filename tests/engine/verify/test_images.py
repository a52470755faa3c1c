"""Images broken on purpose, by the command line: each fault is found, and the healthy twin has no error."""

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from layerwright.oci.image import build_image
from layerwright.oci.layout import read_layout, write_layout
from support.command import Command, Done, Project
from support.elf_file import Elf
from support.index import Index
from support.made_image import SITE, Content, Folder, Put, dist, tar_layer
from support.oci import MemoryBlobs
from support.packages import make_wheel
from support.registry import have_registry, running_registry

pytestmark = pytest.mark.engine

Make = Callable[..., Path]
ENVIRONMENT: dict[str, Content] = {"opt/venv/pyvenv.cfg": b"home = /usr/bin\nversion = 3.11.2\n"}
PASSWORD = "correct-horse-battery-staple"


@pytest.fixture
def command(tmp_path: Path, home: Path, shared_store: Path) -> Command:
    return Command(folder=tmp_path, store=shared_store, home=home)


@pytest.fixture
def make(tmp_path: Path, small_base: str) -> Make:
    """Layers over the small base, as an OCI layout."""

    def build(
        *layers: Mapping[str, Content], labels: Mapping[str, str] | None = None, name: str = "layout"
    ) -> Path:
        base, base_blobs = read_layout(Path(small_base.removeprefix("oci:")))
        blobs = MemoryBlobs()
        added = [
            replace(blobs.add(tar_layer(layer)), created_by=f"RUN step {number}")
            for number, layer in enumerate((ENVIRONMENT, *layers))
        ]
        image = build_image(
            base=base, layers=added, env={"PATH": "/opt/venv/bin:/usr/bin:/bin"}, labels=labels or {}
        )
        for layer in base.layers:
            blobs.blobs[layer.digest] = b"".join(base_blobs.open_blob(layer))
        folder = tmp_path / name
        write_layout(folder, [("app:1", image)], blobs)
        return folder

    return build


def findings(done: Done) -> list[Any]:
    """What was found, but for the one note that a base cut down for tests gives rise to."""
    found = done.json()["findings"]
    return [one for one in found if (one["code"], one["level"]) != ("LW-LIBRARY-PROGRAM", "note")]


def codes(done: Done) -> dict[str, str]:
    """Levels by code."""
    return {finding["code"]: finding["level"] for finding in findings(done)}


def errors(done: Done) -> set[str]:
    return {code for code, level in codes(done).items() if level == "error"}


def judged(command: Command, folder: Path, *more: str, status: int = 0) -> Done:
    return command("verify", "--json", f"oci:{folder}", *more, status=status)


def test_the_base_and_healthy_packages(command: Command, make: Make) -> None:
    done = judged(command, make(dist("demo"), dist("other", requires=("demo",))))
    assert findings(done) == []
    assert done.json()["summary"] == {"error": 0, "warning": 0, "note": 1, "unknown": 0}


def test_faults_of_libraries(command: Command, make: Make) -> None:
    gui = dist(
        "opencv-python", "4.10.0.84", files={"cv2/cv2.abi3.so": Elf(needed=("libGL.so.1", "libc.so.6"))}
    )
    done = judged(command, make(gui, name="gui"), status=1)
    assert errors(done) == {"LW-OPENCV-GL"}
    newer = dist(
        "demo", files={"demo/_c.abi3.so": Elf(needed=("libc.so.6",), versions={"libc.so.6": ("GLIBC_2.99",)})}
    )
    done = judged(command, make(newer, name="newer"), status=1)
    assert errors(done) == {"LW-GLIBC"}
    (finding,) = findings(done)
    assert "ends at GLIBC_2.36" in finding["message"]
    older = dist(
        "demo", files={"demo/_c.abi3.so": Elf(needed=("libc.so.6",), versions={"libc.so.6": ("GLIBC_2.34",)})}
    )
    assert codes(judged(command, make(older, name="older"))) == {}


def test_a_library_of_the_base_that_a_later_step_deletes(command: Command, make: Make) -> None:
    done = judged(command, make({"usr/lib/x86_64-linux-gnu/.wh.libz.so.1": b""}), status=1)
    assert errors(done) == {"LW-LIBRARY-PROGRAM"}
    text = json.dumps(done.json())
    assert "/usr/bin/python3.11 needs libz.so.1 to start" in text
    assert "RUN step 1) deletes /usr/lib/x86_64-linux-gnu/libz.so.1" in text


def test_cudnn_8_beside_onnxruntime_for_cudnn_9(command: Command, make: Make) -> None:
    provider = "onnxruntime/capi/libonnxruntime_providers_cuda.so"
    ort = dist(
        "onnxruntime-gpu",
        "1.20.1",
        files={provider: Elf(needed=("libcudnn.so.9", "libcuda.so.1", "libc.so.6"))},
    )

    def cudnn(major: str, version: str) -> dict[str, Content]:
        name = f"libcudnn.so.{major}"
        return dist("nvidia-cudnn-cu12", version, files={f"nvidia/cudnn/lib/{name}": Elf(soname=name)})

    labels = {"dev.layerwright.role": "inference", "dev.layerwright.accelerator": "nvidia"}
    done = judged(command, make(ort, cudnn("8", "8.9.2.26"), labels=labels, name="eight"), status=1)
    assert errors(done) == {"LW-ORT-CUDNN"}
    assert errors(judged(command, make(ort, cudnn("9", "9.5.1.17"), labels=labels, name="nine"))) == set()


def test_a_nvjitlink_older_than_its_user(command: Command, make: Make) -> None:
    name = "libnvJitLink.so.12"
    torch = dist(
        "torch",
        "2.5.1",
        files={
            "torch/_C.cpython-311-x86_64-linux-gnu.so": Elf(
                needed=("libcusparse.so.12", "libc.so.6"), runpath="$ORIGIN/../nvidia/cusparse/lib"
            )
        },
    )
    user = torch | dist(
        "nvidia-cusparse-cu12",
        "12.3.1.170",
        files={
            "nvidia/cusparse/lib/libcusparse.so.12": Elf(
                soname="libcusparse.so.12",
                needed=(name, "libc.so.6"),
                runpath="$ORIGIN/../../nvjitlink/lib",
                versions={name: (name, "__nvJitLinkComplete_12_4")},
            )
        },
    )

    def linker(version: str, *defines: str) -> dict[str, Content]:
        files = {
            f"nvidia/nvjitlink/lib/{name}": Elf(soname=name, needed=("libc.so.6",), defines=(name, *defines))
        }
        return dist("nvidia-nvjitlink-cu12", version, files=files)

    old = linker("12.1.105", "__nvJitLinkComplete_12_1")
    done = judged(command, make(user, old, name="old"), status=1)
    assert errors(done) == {"LW-SYMBOL-VERSION"}
    (finding,) = findings(done)
    for text in ("nvidia-cusparse-cu12 12.3.1.170", "__nvJitLinkComplete_12_4", "12.1.105"):
        assert text in finding["message"]
    assert finding["evidence"]
    assert finding["fix"]
    new = linker("12.4.127", "__nvJitLinkComplete_12_1", "__nvJitLinkComplete_12_4")
    assert errors(judged(command, make(user, new, name="new"))) == set()


def test_a_torch_that_pip_swapped_after_the_build(command: Command, make: Make) -> None:
    def torch(version: str, **options: str) -> dict[str, Content]:
        return dist("torch", version, files={"torch/version.py": version.encode()}, **options)

    custom = torch("2.4.0a0+f70bd71a48.nv24.06")
    swap = {f"{SITE}/.wh.torch-2.4.0a0+f70bd71a48.nv24.06.dist-info": b"", **torch("2.4.1")}
    assert errors(judged(command, make(custom, swap, name="swapped"), status=1)) == {"LW-PACKAGE-REPLACED"}
    assert codes(judged(command, make(custom, name="kept"))) == {}


def test_rights(command: Command, make: Make) -> None:
    done = judged(
        command,
        make({"opt/tool": Put(data=b"x", mode=0o4755), SITE: Folder(mode=0o777)}, name="open"),
        status=1,
    )
    assert codes(done) == {"LW-SETUID": "warning", "LW-WORLD-WRITABLE": "error"}


def test_a_password_in_a_deleted_file(command: Command, make: Make, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(PASSWORD + "\n")
    folder = make(
        {"root/.netrc": f"machine x login me password {PASSWORD}\n".encode()}, {"root/.wh..netrc": b""}
    )
    done = judged(command, folder, "--secret-file", "pypi=secret", status=1)
    assert "LW-SECRET-KNOWN" in errors(done)
    assert "deletes or replaces the file" in json.dumps(done.json())
    assert PASSWORD not in done.out + done.err


def test_roles_and_strictness(command: Command, make: Make) -> None:
    folder = make(dist("torch", "2.4.1", files={"torch/version.py": b""}))
    assert codes(judged(command, folder)) == {}
    assert errors(judged(command, folder, "--role", "inference", status=1)) == {"LW-ROLE-FRAMEWORK"}


def test_reports(command: Command, make: Make, tmp_path: Path) -> None:
    folder = make(dist("demo", files={"demo/_c.abi3.so": Elf(needed=("libgone.so.1",))}))
    done = command(
        "verify", f"oci:{folder}:app:1", "--sarif", "out.sarif", "--html", "out.html", "--no-color", status=1
    )
    assert "error[LW-LIBRARY-MISSING]: demo 1.0 needs libgone.so.1 to import demo/_c.abi3.so" in done.out
    log = json.loads((tmp_path / "out.sarif").read_text())
    assert "LW-LIBRARY-MISSING" in {result["ruleId"] for result in log["runs"][0]["results"]}
    page = (tmp_path / "out.html").read_text()
    for text in ("demo 1.0", "libgone.so.1", "app:1"):
        assert text in page


# where images come from


def test_archives_and_docker_give_the_same(
    command: Command, make: Make, docker: str, tmp_path: Path, tool: Callable[[str], str]
) -> None:
    folder = make(dist("demo", files={"demo/_c.abi3.so": Elf(needed=("libgone.so.1",))}))
    name = f"layerwright-test-verify:{os.getpid()}"
    archive = tmp_path / "image.tar"
    subprocess.run(
        [tool("skopeo"), "copy", f"oci:{folder}:app:1", f"docker-archive:{archive}:{name}"],
        check=True,
        capture_output=True,
    )
    expected = judged(command, folder, status=1).json()

    def same(other: Done) -> None:
        found = other.json()
        for one in (*found["findings"], *expected["findings"]):
            one["where"]["image"] = ""
        assert found == expected

    same(command("verify", "--json", f"docker-archive:{archive}", status=1))
    same(command("verify", "--json", f"archive:{archive}:{name}", status=1))
    subprocess.run([docker, "load", "-i", archive], check=True, capture_output=True)
    try:
        same(command("verify", "--json", f"docker:{name}", status=1))
    finally:
        subprocess.run([docker, "rmi", name], check=False, capture_output=True)


def test_a_registry(command: Command, make: Make, tmp_path: Path, tool: Callable[[str], str]) -> None:
    if not have_registry():
        tool("docker-registry")
    folder = make(dist("demo"))
    with running_registry(tmp_path / "registry") as registry:
        reference = f"{registry.address}/team/app:1"
        subprocess.run(
            [tool("skopeo"), "copy", "--dest-tls-verify=false", f"oci:{folder}:app:1", f"docker://{reference}"],
            check=True, capture_output=True,
        )  # fmt: skip
        assert findings(command("verify", "--json", reference)) == []
        done = command("verify", f"{registry.address}/team/none:1", status=6)
        assert "none" in done.err
        done = command("verify", "--offline", reference, status=6)
        assert "--offline" in done.err


def test_a_layout_whose_bytes_are_not_what_they_say(command: Command, make: Make) -> None:
    folder = make(dist("demo", files={"demo/data": b"1" * 5000}))
    manifest = max(
        (path for path in (folder / "blobs/sha256").iterdir() if path.stat().st_size < 20_000),
        key=lambda path: path.stat().st_size,
    )
    layers = [
        path
        for path in (folder / "blobs/sha256").iterdir()
        if path != manifest and path.read_bytes()[:2] == b"\x1f\x8b"
    ]
    victim = min(layers, key=lambda path: path.stat().st_size)
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 0xFF
    victim.write_bytes(data)
    command("verify", f"oci:{folder}", status=7)


def test_names_that_stand_for_nothing(command: Command, make: Make, tmp_path: Path) -> None:
    assert "there is no folder" in command("verify", "oci:nowhere", status=2).err
    assert "there is no file" in command("verify", "docker-archive:nowhere.tar", status=2).err
    (tmp_path / "text.tar").write_text("no tar at all\n" * 100)
    command("verify", "archive:text.tar", status=7)
    broken = command.with_variables(DOCKER_HOST="unix:///nowhere/docker.sock")
    command_error = broken("verify", "docker:anything", status=5)
    assert "Docker" in command_error.err
    assert (
        "no spec" in command("verify", status=2).err or "layerwright.toml" in command("verify", status=2).err
    )
    done = command("verify", f"oci:{make(dist('demo'))}", "--secret-file", "missing", status=2)
    assert "cannot read the secret file" in done.err


# images of the spec

SPEC = """\
[images.app]
name = "app"
role = "inference"
packages = ["tool"]
smoke = ["python -c 'import tool'", {smoke}]
"""


@pytest.fixture
def spec_project(project: Project, index: Index) -> Project:
    index.add(make_wheel("tool"), make_wheel("tool", "2.0"))
    return project


def test_an_image_of_the_spec(spec_project: Project) -> None:
    project = spec_project
    project.spec(SPEC.format(smoke="").replace(", ]", "]"))
    done = project("verify", status=2)
    assert "was not built yet" in done.err or "not built" in done.err
    project("build")
    assert findings(project("verify", "--json")) == []
    assert findings(project("verify", "--json", "app", "--no-smoke")) == []
    assert "did you mean 'app'" in project("verify", "apq", status=2).err


def test_a_smoke_test_that_fails_afterwards(spec_project: Project) -> None:
    """The image stays as it was built; the test is the spec's of today."""
    project = spec_project
    project.spec(SPEC.format(smoke="").replace(", ]", "]"))
    project("build")
    project.spec(SPEC.format(smoke="\"python -c 'import absent'\""))
    done = project("verify", "--json", status=1)
    (finding,) = findings(done)
    assert (finding["code"], finding["level"]) == ("LW-SMOKE", "error")
    assert any("No module named 'absent'" in one["text"] for one in finding["evidence"])
    assert findings(project("verify", "--no-smoke", "--json")) == []


def test_the_lock_says_something_else(spec_project: Project) -> None:
    project = spec_project
    project.spec(SPEC.format(smoke="").replace(", ]", "]").replace('"tool"', '"tool<2"'))
    project("build")
    project.spec(SPEC.format(smoke="").replace(", ]", "]"))
    project("lock", "--upgrade")
    done = project("verify", "--json", status=1)
    assert errors(done) == {"LW-DECLARED-LOCK"}


def test_secrets_of_the_spec_are_looked_for_by_themselves(spec_project: Project) -> None:
    """The build had another value; the one that the spec names now stands in a file of the project."""
    project = spec_project
    text = (
        '[images.app]\nname = "leak"\ncopy = [{ from = "src", to = "/opt/src" }]\n'
        'run = [{ script = "true", secrets = ["token"] }]\n[secrets.token]\nenv = "API_TOKEN"\n'
    )
    project.write({"src/settings.py": f"TOKEN = '{PASSWORD}'\n"})
    project.spec(text)
    project.command.with_variables(API_TOKEN="another-value-of-the-token")("build")
    assert errors(project("verify", "--json")) == set()
    done = project.command.with_variables(API_TOKEN=PASSWORD)("verify", "--json", status=1)
    assert errors(done) == {"LW-SECRET-KNOWN"}
    assert PASSWORD not in done.out + done.err
    project.write({"other": "a-third-value-of-the-token\n"})
    command = project.command.with_variables(API_TOKEN=PASSWORD)
    done = command("verify", "--json", "--secret-file", "token=other", status=1)
    assert errors(done) == {"LW-SECRET-KNOWN"}, "a file of the same name does not hide the spec's own value"


@pytest.mark.network
def test_opencv_with_windows_and_without(project: Project) -> None:
    """The real wheels: each loads OpenCV, one of them the graphics libraries that the base lacks."""
    text = '[images.app]\nname = "cv"\nbytecode = false\npackages = ["{}==4.10.0.84", "numpy==2.1.3"]\n'
    source = 'url = "https://pypi.org/simple"'
    project.spec(text.format("opencv-python"), index=source)
    project("build", timeout=300)
    done = project("verify", "--json", "--no-smoke", status=1)
    assert errors(done) == {"LW-OPENCV-GL"}
    (finding,) = [one for one in findings(done) if one["level"] == "error"]
    assert "opencv-python 4.10.0.84 needs libGL.so.1" in finding["message"]
    assert "libgl1" in json.dumps(finding["fix"])
    project.spec(text.format("opencv-python-headless"), index=source)
    project("build", timeout=300)
    assert errors(project("verify", "--json", "--no-smoke")) == set()
