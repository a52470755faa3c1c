"""The command on this machine, and with stand-ins that are real: programs, NVIDIA's library, an engine's socket."""

import json
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from layerwright.doctor.examine import FAMILIES
from layerwright.doctor.model import Needs
from layerwright.doctor.mthreads import examine as examine_mthreads
from layerwright.doctor.nvml import ask_nvml
from layerwright.doctor.pci import MTHREADS
from layerwright.facts.host_record import read_host_facts
from layerwright.host.process import run
from layerwright.oci.layout import write_layout
from support.command import Command
from support.machine import check_of, gpu_on_bus, make_machine, write
from support.oci import running_image

pytestmark = pytest.mark.engine

NVML = """\
#include <string.h>
typedef struct { unsigned long long total, free, used; } memory;
int nvmlInit_v2(void) { return INIT; }
int nvmlInitWithFlags(unsigned flags) { (void)flags; return INIT; }
int nvmlShutdown(void) { return 0; }
int nvmlSystemGetDriverVersion(char *text, unsigned size) { strncpy(text, "535.54.03", size); return 0; }
int nvmlSystemGetCudaDriverVersion_v2(int *version) { *version = 12020; return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
  if (index == LOST) return 15;
  *device = (void *)(unsigned long)(0x700000000000UL + index);
  return 0;
}
static int index_of(void *device) { return (int)((unsigned long)device & 0xf); }
int nvmlDeviceGetName(void *device, char *text, unsigned size) {
  strncpy(text, index_of(device) ? "NVIDIA A100-SXM4-80GB" : "NVIDIA GeForce RTX 4090", size);
  return 0;
}
int nvmlDeviceGetCudaComputeCapability(void *device, int *major, int *minor) {
  *major = 8; *minor = index_of(device) ? 0 : 9;
  return 0;
}
int nvmlDeviceGetMemoryInfo(void *device, memory *found) {
  found->total = index_of(device) ? 85899345920ULL : 25757220864ULL;
  return 0;
}
int nvmlDeviceGetMigMode(void *device, unsigned *now, unsigned *next) {
  if (!index_of(device)) return 3;
  *now = 1; *next = 1;
  return 0;
}
int nvmlDeviceGetPersistenceMode(void *device, int *mode) { *mode = index_of(device); return 0; }
int nvmlDeviceGetBrand(void *device, int *brand) { *brand = index_of(device) ? 14 : 5; return 0; }
const char *nvmlErrorString(int code) {
  return code == 18 ? "Driver/library version mismatch" : code == 15 ? "GPU is lost" : "another error";
}
"""


def script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="ascii")
    path.chmod(0o755)


@pytest.fixture
def command(tmp_path: Path, home: Path) -> Command:
    folder = tmp_path / "here"
    folder.mkdir()
    return Command(folder=folder, store=tmp_path / "store", home=home)


@pytest.fixture
def library(tmp_path: Path, tool: Any) -> Any:
    """Compiles a library that answers as NVIDIA's does; the folder it is in."""
    gcc = tool("gcc")

    def build(*, init: str = "0", lost: int = 99, source: str = NVML) -> Path:
        folder = tmp_path / f"lib-{len(list(tmp_path.glob('lib-*')))}"
        folder.mkdir()
        file = folder / "nvml.c"
        file.write_text(source, encoding="ascii")
        target = folder / "libnvidia-ml.so.1"
        argv = [gcc, "-shared", "-fPIC", f"-DINIT={init}", f"-DLOST={lost}", "-o", str(target), str(file)]
        subprocess.run(argv, check=True, timeout=60)
        return folder

    return build


def test_this_machine(command: Command) -> None:
    document = command("--offline", "doctor", "--json", status=None).json()
    assert document["schema"] == 1
    assert [check["id"] for check in document["checks"]] == [
        kind.code for part in FAMILIES for kind in part.kinds
    ]
    for check in document["checks"]:
        assert set(check) == {"id", "status", "detail", "fix"}
        assert check["status"] in {"ok", "warning", "error", "unknown", "not_needed"}
        assert all(set(cure) == {"text", "command"} for cure in check["fix"])
        assert "fault of its own" not in check["detail"]
    assert sum(document["summary"].values()) == len(document["checks"])


def test_without_a_spec_nothing_is_an_error(command: Command) -> None:
    done = command("--offline", "doctor", status=0)
    assert "nothing is asked for" in done.out
    assert "\x1b" not in done.out


def test_what_the_spec_asks_for_is_an_error_when_it_is_missing(command: Command) -> None:
    (command.folder / "layerwright.toml").write_text(
        '[project]\nname = "x"\n[images.gpu]\nfrom = "debian:bookworm"\naccelerator = "mthreads"\n',
        encoding="utf-8",
    )
    done = command("--offline", "doctor", status=1)
    assert "error" in done.out
    assert "mthreads-device" in done.out
    assert "mthreads by layerwright.toml (gpu)" in done.out
    quiet = command("--offline", "doctor", "--quiet", status=1)
    assert "  ok " not in quiet.out


def test_it_changes_nothing(command: Command) -> None:
    before = sorted(str(path) for path in command.home.rglob("*"))
    command("--offline", "doctor", status=0)
    assert not command.store.exists()
    assert sorted(str(path) for path in command.home.rglob("*")) == before


def test_a_record_is_read_again(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "box.json"
    command("--offline", "doctor", "--record", file)
    facts = read_host_facts(file)
    assert facts.name == "box"
    assert facts.kernel == os.uname().release
    text = file.read_text(encoding="utf-8")
    assert os.uname().nodename not in json.loads(text).values()
    assert str(command.home) not in text
    command("--offline", "doctor", "--record", tmp_path / "none/x.json", status=2)


def test_no_programs_and_no_network(command: Command, tmp_path: Path) -> None:
    """Looking, locking, planning, checking and building need no engine and nobody else."""
    bare = command.with_variables(PATH=str(tmp_path), DOCKER_HOST="unix:///nowhere/docker.sock")
    image, blobs = running_image("hello")
    write_layout(command.folder / "base", [("", image)], blobs)
    (command.folder / "layerwright.toml").write_text(
        '[project]\nname = "x"\n[images.app]\nfrom = "oci:base"\nentrypoint = ["/hello"]\n', encoding="utf-8"
    )
    done = bare("--offline", "doctor", "--for", "docker", "--json", status=1)
    found = {check["id"]: check for check in done.json()["checks"]}
    assert found["docker-engine"]["status"] == "error"
    assert found["docker-engine"]["fix"]
    bare("--offline", "lock")
    assert bare("--offline", "plan", "--json").json()["images"][0]["cell"] == "app"
    bare("--offline", "check", "--json")
    bare("--offline", "build", "--output", "oci:out")
    assert (command.folder / "out/index.json").exists()


def test_an_engine_that_never_answers(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(path))
        listening.listen()
        begun = time.monotonic()
        done = command.with_variables(DOCKER_HOST=f"unix://{path}")(
            "--offline", "doctor", "--for", "docker", "--json", status=1, timeout=60
        )
    assert time.monotonic() - begun < 30
    found = {check["id"]: check for check in done.json()["checks"]}
    assert found["docker-engine"]["status"] == "error"
    assert "said nothing for 3 s" in found["docker-engine"]["detail"]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Any]:
    """Answers HTTP on a socket with whatever it is given."""
    path = tmp_path / "e"
    bodies: dict[str, bytes] = {}
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(path))
    listening.listen()

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                asked = connection.recv(65536).split(b" ")[1].decode()
                body = bodies.get(asked, b"")
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"unix://{path}", bodies
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join(10)


def test_an_engine_by_its_own_words(command: Command, engine: Any) -> None:
    address, bodies = engine
    bodies["/version"] = (
        b'{"Version": "26.1.5", "ApiVersion": "1.45", "MinAPIVersion": "1.24", "Os": "linux", "Arch": "amd64"}'
    )
    bodies["/info"] = b'{"Driver": "vfs", "Runtimes": {"mthreads": {}, "runc": {}}}'
    run = command.with_variables(DOCKER_HOST=address)
    found = {
        check["id"]: check for check in run("--offline", "doctor", "--json", status=None).json()["checks"]
    }
    assert "Docker 26.1.5, API 1.24 to 1.45" in found["docker-engine"]["detail"]
    assert found["docker-storage"]["status"] == "warning"
    assert "features.cdi" in found["docker-limits"]["detail"]
    bodies["/version"] = b"\x00\xff garbage"
    found = {
        check["id"]: check for check in run("--offline", "doctor", "--json", status=None).json()["checks"]
    }
    assert "is no Docker engine" in found["docker-engine"]["detail"]


def real_machine(tmp_path: Path, **variables: str) -> Any:
    """This machine's way of starting programs, over a folder for everything else."""
    machine = make_machine(tmp_path / "root", variables=variables)
    machine.runner = run
    machine.host = replace(machine.host, path=f"{machine.host.path}:/usr/bin:/bin")
    return machine


def test_nvidias_library(tmp_path: Path, library: Any) -> None:
    found = ask_nvml(real_machine(tmp_path, LD_LIBRARY_PATH=str(library())))
    assert (found.driver, found.cuda, found.error, found.lost) == ("535.54.03", "12.2", "", ())
    consumer, server = found.devices
    assert (consumer.name, consumer.compute_capability) == ("NVIDIA GeForce RTX 4090", "8.9")
    assert (consumer.mig, consumer.persistence, consumer.brand) == (None, False, 5)
    assert (server.name, server.memory_bytes, server.mig) == ("NVIDIA A100-SXM4-80GB", 80 << 30, True)


def test_gpus_go_into_the_record(command: Command, tmp_path: Path, library: Any) -> None:
    file = tmp_path / "gpu-box.json"
    command.with_variables(LD_LIBRARY_PATH=str(library()))("--offline", "doctor", "--record", file)
    facts = read_host_facts(file)
    assert (facts.driver_version, facts.driver_cuda, facts.data_center) == ("535.54.03", "12.2", False)
    assert [(gpu.vendor, gpu.compute_capability) for gpu in facts.gpus] == [
        ("nvidia", "8.9"),
        ("nvidia", "8.0"),
    ]


def test_nvidias_own_binding_reads_the_same(tmp_path: Path, library: Any) -> None:
    """``nvidia-ml-py`` is the oracle: same library, same answers."""
    folder = library()
    code = textwrap.dedent("""
        import json, pynvml as n
        n.nvmlInit()
        rows = []
        for i in range(n.nvmlDeviceGetCount()):
            h = n.nvmlDeviceGetHandleByIndex(i)
            capability = "%d.%d" % n.nvmlDeviceGetCudaComputeCapability(h)
            memory, kept = n.nvmlDeviceGetMemoryInfo(h).total, bool(n.nvmlDeviceGetPersistenceMode(h))
            rows.append([n.nvmlDeviceGetName(h), capability, memory, kept, n.nvmlDeviceGetBrand(h)])
        print(json.dumps([n.nvmlSystemGetDriverVersion(), n.nvmlSystemGetCudaDriverVersion_v2(), rows]))
    """)
    environment = {**os.environ, "LD_LIBRARY_PATH": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, check=True, timeout=60
    )
    driver, cuda, rows = json.loads(done.stdout)
    ours = ask_nvml(real_machine(tmp_path, LD_LIBRARY_PATH=str(folder)))
    assert driver == ours.driver
    assert f"{cuda // 1000}.{cuda % 1000 // 10}" == ours.cuda
    assert [tuple(row) for row in rows] == [
        (gpu.name, gpu.compute_capability, gpu.memory_bytes, gpu.persistence, gpu.brand)
        for gpu in ours.devices
    ]


def test_a_gpu_that_is_lost(tmp_path: Path, library: Any) -> None:
    found = ask_nvml(real_machine(tmp_path, LD_LIBRARY_PATH=str(library(lost=1))))
    assert len(found.devices) == 1
    assert found.lost == ("GPU 1: GPU is lost",)


@pytest.mark.parametrize(
    ("init", "words"),
    [
        ("18", "Driver/library version mismatch"),
        ("*(volatile int *)0", "SIGSEGV"),
        ("(sleep(60), 0)", "did not answer within 4 s"),
        ("(_exit(0), 0)", "cannot be read"),
    ],
)
def test_a_library_that_goes_wrong(tmp_path: Path, library: Any, init: str, words: str) -> None:
    source = "#include <unistd.h>\n" + NVML
    found = ask_nvml(real_machine(tmp_path, LD_LIBRARY_PATH=str(library(init=init, source=source))))
    assert words in found.error
    assert found.loaded


def test_an_old_library_without_some_functions(tmp_path: Path, library: Any) -> None:
    source = "".join(
        line for line in NVML.splitlines(keepends=True) if "Brand" not in line and "CudaDriver" not in line
    )
    found = ask_nvml(real_machine(tmp_path, LD_LIBRARY_PATH=str(library(source=source))))
    assert found.driver == "535.54.03"
    assert found.cuda == ""
    assert [gpu.brand for gpu in found.devices] == [0, 0]


def test_no_library(tmp_path: Path) -> None:
    found = ask_nvml(real_machine(tmp_path))
    assert not found.loaded
    assert "libnvidia-ml.so.1" in found.error


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("#!/bin/sh\nexit 0\n", "prints nothing"),
        ("#!/bin/sh\nkill -SEGV $$\n", "SIGSEGV"),
        ("#!/bin/sh\ntrap '' TERM\nsleep 60 & wait\nsleep 60\n", "does not answer within 4 s"),
        ("#!/bin/sh\necho 'libsrv_um_MUSA.so: file too short' >&2\nexit 127\n", "container runtime"),
        ("#!/nowhere/interpreter\n", "status 127"),
        ("\x7fELF", "status 126"),
        ("", "zero bytes"),
    ],
)
def test_moore_threads_tool(tmp_path: Path, program: str, words: str) -> None:
    machine = real_machine(tmp_path)
    write(machine.root, gpu_on_bus(MTHREADS))
    script(machine.root / "usr/bin/mthreads-gmi", program)
    check = check_of(examine_mthreads(machine, Needs(purposes={"mthreads": "x"})), "mthreads-tool")
    assert check.status == "error"
    assert words in check.detail
    assert check.fix


def test_a_flood_of_output(tmp_path: Path) -> None:
    machine = real_machine(tmp_path)
    write(machine.root, gpu_on_bus(MTHREADS))
    script(machine.root / "usr/bin/mthreads-gmi", "#!/bin/sh\nyes '0    MTT S80 |x |y' | head -c 30000000\n")
    outcome = examine_mthreads(machine, Needs())
    assert "64 x MTT S80" in check_of(outcome, "mthreads-gpus").detail
