"""check-device, with stand-ins for the driver's tool, the compiler and torch: each way of failing has its own line."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.run.test_entry import busybox_image
from layerwright.backends.docker.fragments import write_file
from layerwright.guest import check_device_program
from support.moore_threads import GMI, MODULES, REAL_COMPILER, REAL_HEADER, compiler, lay_out, prints

pytestmark = pytest.mark.engine

WELL = {"bin/mthreads-gmi": prints(GMI), "musa/bin/mcc": compiler(), **MODULES}
FILE_TOO_SHORT = "#!/bin/sh\necho 'mthreads-gmi: libsrv_um_MUSA.so: file too short' >&2\nexit 127\n"
NO_LIBRARY = (
    "#!/bin/sh\necho 'libsrv_um_MUSA.so: cannot open shared object file: No such file' >&2\nexit 127\n"
)
ABORTS = "#!/bin/sh\nkill -ABRT $$\n"
Checked = dict[str, dict[str, str]]


def run(
    folder: Path, *words: str, shell: tuple[str, ...] = ("dash",), **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run the program with the stand-ins of the folder, in a place where nothing can be written."""
    program = folder / "check-device"
    program.write_text(check_device_program("mthreads"), encoding="utf-8")
    return subprocess.run(
        [*shell, str(program), *words], cwd="/proc", capture_output=True, text=True, check=False, timeout=60,
        env={"PATH": f"{folder}/bin:/usr/bin:/bin", "MUSA_HOME": str(folder / "musa"),
             "PYTHONPATH": str(folder / "modules"), "TMPDIR": str(folder), **variables},
    )  # fmt: skip


def judged(folder: Path, files: Mapping[str, str], *words: str, **variables: str) -> tuple[int, str, Checked]:
    done = run(lay_out(folder, files), "--json", *words, **variables)
    document: dict[str, Any] = json.loads(done.stdout)
    assert done.stderr == ""
    assert (document["schema"], document["accelerator"]) == (1, "mthreads")
    assert not list(folder.glob("check-device.*"))  # nothing is left behind
    return done.returncode, document["verdict"], {check["id"]: check for check in document["checks"]}


SHELLS = [("dash",), ("bash", "--posix"), ("busybox", "sh")]


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_f17_all_is_well(tmp_path: Path, shell: tuple[str, ...], tool: Callable[[str], str]) -> None:
    tool(shell[0])
    done = run(lay_out(tmp_path, WELL), shell=shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "good"
    assert "mthreads-gmi answers: driver 2.7.0" in done.stdout
    assert "2: MTT S80, MTT S80" in done.stdout
    assert "computes right on a device" in done.stdout
    assert "torch 2.2.0 sees 2 and computes right" in done.stdout


@pytest.mark.parametrize(
    ("changed", "check", "words", "cure"),
    [
        ({"bin/mthreads-gmi": None}, "tool", "there is no mthreads-gmi", "--runtime=mthreads"),
        ({"bin/mthreads-gmi": ""}, "tool", "is empty (0 bytes)", "the container's runtime"),
        ({"bin/mthreads-gmi": FILE_TOO_SHORT}, "tool", "a library that is empty", "the container's runtime"),
        ({"bin/mthreads-gmi": NO_LIBRARY}, "tool", "lacks a library", "the container's runtime"),
        ({"bin/mthreads-gmi": "#!/bin/sh\n"}, "tool", "prints nothing", "--group-add"),
        ({"bin/mthreads-gmi": prints("hello\n")}, "tool", "no driver version; it says: hello", "doctor"),
        ({"bin/mthreads-gmi": prints("Driver Version: N/A\n")}, "tool", "is N/A", "doctor"),
        ({"bin/mthreads-gmi": ABORTS}, "tool", "by the signal SIGABRT (status 134)", "doctor"),
        ({"bin/mthreads-gmi": "#!/bin/sh\nkill -SEGV $$\n"}, "tool", "SIGSEGV (status 139)", "doctor"),
        ({"bin/mthreads-gmi": "#!/bin/sh\necho no >&2\nexit 3\n"}, "tool", "with status 3: no", "doctor"),
        ({"bin/mthreads-gmi": prints("Driver Version:2.7.0\n")}, "devices", "lists no device", "--gpus"),
        ({"musa/lib/libsrv_um_MUSA.so": ""}, "library", "is empty (0 bytes)", "the container's runtime"),
        ({"musa/bin/mcc": ""}, "compiler", "is empty (0 bytes)", "toolkit"),
        ({"musa/bin/mcc": "#!/bin/sh\necho broken >&2\nexit 1\n"}, "compiler", "status 1: broken", "build it again"),
        ({"musa/bin/mcc": ABORTS}, "compiler", "mcc was ended by the signal SIGABRT", "build it again"),
        ({"musa/bin/mcc": "#!/bin/sh\n"}, "compiler", "made no program", "build it again"),
        ({"musa/bin/mcc": compiler("kill -ABRT \\$\\$")}, "compiler", "SIGABRT (status 134)", "check --host"),
        ({"musa/bin/mcc": compiler("exit 1")}, "compiler", "ended with status 1", "check --host"),
        ({"musa/bin/mcc": compiler("exit 200")}, "compiler", "ended with status 200", "check --host"),
        ({"musa/bin/mcc": compiler("echo 'axpy: 1 2 3 4'")}, "compiler", "computes wrong", "check --host"),
        ({"musa/bin/mcc": compiler("true")}, "compiler", "computes wrong", "check --host"),
        ({"modules/torch_musa/__init__.py": "import os; os.abort()"}, "torch", "SIGABRT (status 134)", "verify"),
        ({"modules/torch_musa/__init__.py": "raise ImportError('libmusart.so')"}, "torch", "libmusart.so", "verify"),
        ({"modules/torch/__init__.py": "class musa: device_count = lambda: 0"}, "torch", "sees no device", "verify"),
    ],
)  # fmt: skip
def test_f17_every_way_of_failing_is_a_failure_with_its_line(
    tmp_path: Path, changed: dict[str, str | None], check: str, words: str, cure: str
) -> None:
    files = {name: text for name, text in {**WELL, **changed}.items() if text is not None}
    status, verdict, checks = judged(tmp_path, files, LD_LIBRARY_PATH=str(tmp_path / "musa/lib"))
    assert (status, verdict) == (1, "failed")
    assert checks[check]["status"] == "failed", checks
    assert words in checks[check]["detail"]
    assert cure in checks[check]["fix"]
    others = [one["status"] for name, one in checks.items() if name != check]
    assert "failed" not in others
    # In words: one line for the check, one for its cure.
    lines = run(tmp_path, LD_LIBRARY_PATH=str(tmp_path / "musa/lib")).stdout.splitlines()
    place = next(number for number, line in enumerate(lines) if line.split()[:2] == ["failed", check])
    assert lines[place + 1].split()[0] == "cure:"
    assert lines[-1] == "failed: 1 of 5 checks"


def test_f17_what_only_waits_is_a_failure(tmp_path: Path) -> None:
    hangs = f"#!/bin/sh\ntouch {tmp_path}/asked\nsleep 60\n"
    patient = '#!/bin/sh\nshift 3\nexec /usr/bin/timeout 0.2 "$@"\n'  # in place of 30 s
    status, verdict, checks = judged(tmp_path, {"bin/mthreads-gmi": hangs, "bin/timeout": patient})
    assert (status, verdict) == (1, "failed")
    assert "gave no answer within 30 s" in checks["tool"]["detail"]
    assert (tmp_path / "asked").exists()


def test_f17_nothing_that_could_show_it_is_not_good(tmp_path: Path) -> None:
    status, verdict, checks = judged(tmp_path, {"bin/mthreads-gmi": prints(GMI)})
    assert (status, verdict) == (3, "unknown")
    assert {checks[name]["status"] for name in ("compiler", "torch")} == {"skipped"}
    assert judged(tmp_path, {}, "--quick")[:2] == (0, "good")  # it asks less, and says so


def test_f17_only_torch_or_only_the_compiler_will_do(tmp_path: Path) -> None:
    assert judged(tmp_path / "a", {"bin/mthreads-gmi": prints(GMI), **MODULES})[0] == 0
    without = {name: text for name, text in WELL.items() if not name.startswith("modules/")}
    assert judged(tmp_path / "b", without)[0] == 0


def test_f17_quick_touches_no_memory(tmp_path: Path) -> None:
    broken = {"musa/bin/mcc": ABORTS, "modules/torch/__init__.py": "import os; os.abort()"}
    status, verdict, checks = judged(tmp_path, {**WELL, **broken}, "--quick")
    assert (status, verdict, set(checks)) == (0, "good", {"tool", "library", "devices"})


def test_f17_garbage_stays_one_line_of_json(tmp_path: Path) -> None:
    garbage = "#!/bin/sh\nprintf '\\033[2J\\377\\000\"\\\\ } \\t x\\r\\n'\nexit 5\n"
    status, _, checks = judged(tmp_path, {**WELL, "bin/mthreads-gmi": garbage})
    assert status == 1
    assert checks["tool"]["detail"].isprintable()


def test_f17_the_program_itself_compiles_and_computes(tmp_path: Path, tool: Callable[[str], str]) -> None:
    tool("g++")
    files = {**WELL, "musa/bin/mcc": REAL_COMPILER, "musa/include/musa_runtime.h": REAL_HEADER}
    status, _, checks = judged(tmp_path, files)
    assert (status, checks["compiler"]["status"]) == (0, "ok"), checks


def test_f17_without_its_helpers_it_judges_nothing(tmp_path: Path) -> None:
    done = run(lay_out(tmp_path, WELL), shell=("/bin/dash",), PATH=f"{tmp_path}/bin")
    assert (done.returncode, done.stdout) == (3, "")
    assert "this image has no cat" in done.stderr


def test_f17_usage(tmp_path: Path) -> None:
    done = run(tmp_path, "--fast")
    assert (done.returncode, done.stdout) == (2, "")
    assert "'--fast'" in done.stderr
    assert "Exit status: 0 good" in run(tmp_path, "--help").stdout


def test_f17_for_nvidia(tmp_path: Path) -> None:
    smi = (
        "#!/bin/sh\nif [ $# = 0 ]; then echo '| NVIDIA-SMI 535.1  Driver Version: 535.1   CUDA Version: 12.2 |'\n"
        "else echo 'GPU 0: NVIDIA A10 (UUID: GPU-1)'; fi\n"
    )
    torch = MODULES["modules/torch/__init__.py"].replace("musa", "cuda")
    lay_out(tmp_path, {"bin/nvidia-smi": smi, "modules/torch/__init__.py": torch})
    program = tmp_path / "check-device"
    program.write_text(check_device_program("nvidia"))
    done = subprocess.run(
        ["dash", str(program)], capture_output=True, text=True, check=False, cwd="/", timeout=60,
        env={"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "PYTHONPATH": str(tmp_path / "modules")},
    )  # fmt: skip
    assert done.returncode == 0, done
    assert "driver 535.1" in done.stdout
    assert "1: NVIDIA A10" in done.stdout


def test_f17_shellcheck(tool: Callable[[str], str]) -> None:
    program = Path(__file__).parents[3] / "src/layerwright/guest/check-device.sh"
    done = subprocess.run([tool("shellcheck"), str(program)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


# In containers.


def in_docker(docker: str, folder: Path, image: str, *options: str, **variables: str) -> Any:
    """The program in a container with the stand-ins mounted; read-only, with nothing that can be written."""
    folder.chmod(0o755)
    program = folder / "check-device"
    program.write_text(check_device_program("mthreads"))
    program.chmod(0o755)
    settings = {"PATH": "/stand-ins/bin:/usr/bin:/bin:/usr/local/bin", "MUSA_HOME": "/stand-ins/musa",
                "PYTHONPATH": "/stand-ins/modules", "PYTHONDONTWRITEBYTECODE": "1", **variables}  # fmt: skip
    env = [word for name, value in settings.items() for word in ("--env", f"{name}={value}")]
    done = subprocess.run(
        [docker, "run", "--rm", "--network", "none", "--read-only", "--volume", f"{folder}:/stand-ins:ro", *env,
         *options, "--workdir", "/proc", "--entrypoint", "/stand-ins/check-device", image, "--json"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stderr == "", done
    document = json.loads(done.stdout)
    return done.returncode, document["verdict"], {check["id"]: check for check in document["checks"]}


@pytest.fixture(scope="module")
def image(docker: str, debian_layout: Path) -> Any:
    """Debian with Python."""
    name = "layerwright-check-device-test:debian"
    subprocess.run(["skopeo", "copy", "--quiet", f"oci:{debian_layout}", f"docker-daemon:{name}"], check=True)
    yield name
    subprocess.run([docker, "rmi", "--force", name], check=False, capture_output=True)


def test_f17_in_a_read_only_container_as_anybody(docker: str, image: str, tmp_path: Path) -> None:
    lay_out(tmp_path, WELL)
    # /dev/shm is all that can be written, and Docker lets nothing be started from there.
    status, verdict, checks = in_docker(docker, tmp_path, image, "--user", "43210:54321")
    assert (status, verdict) == (0, "good"), checks
    assert checks["compiler"]["status"] == "ok"
    # The same without the one folder: torch is proof enough, and the compiler's part is not claimed.
    status, verdict, checks = in_docker(
        docker, tmp_path, image, "--user", "43210:54321",
        "--mount", f"type=bind,source={tmp_path},target=/dev/shm,readonly",
    )  # fmt: skip
    assert (status, verdict, checks["compiler"]["status"]) == (0, "good", "skipped")
    assert "--tmpfs /tmp:exec" in checks["compiler"]["fix"]
    assert "no folder can be written" in checks["compiler"]["detail"]


def test_f17_devices_that_may_not_be_opened(docker: str, image: str, tmp_path: Path) -> None:
    lay_out(tmp_path, WELL)
    node = Path(f"/dev/lwmtgpu{os.getpid()}")
    os.mknod(node, 0o660 | 0o020000, Path("/dev/null").stat().st_rdev)
    node.chmod(0o660)
    os.chown(node, 0, 109)
    device = ("--device", f"{node}:/dev/mtgpu.0", "--user", "1234:1234")
    try:
        status, _, checks = in_docker(docker, tmp_path, image, *device)
        assert (status, checks["devices"]["status"]) == (1, "failed")
        assert "uid 1234 may not open /dev/mtgpu.0 (group 109)" in checks["devices"]["detail"]
        assert "--group-add 109" in checks["devices"]["fix"]
        status, _, checks = in_docker(docker, tmp_path, image, *device, "--group-add", "109")
        assert status == 0, checks
        assert "/dev/mtgpu.0" in checks["devices"]["detail"]
    finally:
        node.unlink()


def test_f17_with_busybox_alone(docker: str, tmp_path: Path, tool: Callable[[str], str]) -> None:
    tool("busybox")
    assert shutil.which("busybox")
    name = "layerwright-check-device-test:busybox"
    busybox_image(docker, name)
    lay_out(tmp_path, WELL)
    try:
        status, verdict, checks = in_docker(docker, tmp_path, name, "--tmpfs", "/tmp:exec")
        assert (status, verdict, checks["compiler"]["status"]) == (0, "good", "ok")
        assert checks["torch"]["detail"] == "this image has no Python"
    finally:
        subprocess.run([docker, "rmi", "--force", name], check=False, capture_output=True)


@pytest.mark.parametrize("accelerator", ["mthreads", "nvidia"])
def test_f17_a_rendered_dockerfile_writes_the_same_program(tmp_path: Path, accelerator: str) -> None:
    text = check_device_program(accelerator)
    place = tmp_path / "check-device"
    written = write_file(text.splitlines(), str(place), executable=True)
    # As Docker reads it: a line that ends in a backslash goes on, one that begins with # would be left out.
    lines = written.removeprefix("RUN ").split("\n")
    assert not any(line.lstrip().startswith("#") for line in lines)
    subprocess.run(["/bin/sh", "-c", "".join(line.removesuffix("\\") for line in lines)], check=True)
    assert place.read_text(encoding="utf-8") == text
    assert place.stat().st_mode & 0o777 == 0o755
