"""Moore Threads' GPUs in real containers: a Docker whose runtime ``mthreads`` puts stand-ins in."""

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.command import Command, Project, new_project
from support.moore_threads import MODULES, compiler, lay_out
from support.other_user import as_user, new_user
from support.own_docker import OwnDocker, own_docker

pytestmark = pytest.mark.engine

RENDER = 54109
"""The group of the devices here: a number that no other group has."""

RUNTIME = '''\
#!{python}
"""Does what mt-container-toolkit's runtime does: by the variable, nodes, tool and driver library; then runc."""
import json, os, sys
arguments = sys.argv[1:]
if "create" in arguments:
    bundle = arguments[arguments.index("--bundle") + 1]
    with open(bundle + "/config.json") as file:
        config = json.load(file)
    env = dict(text.split("=", 1) for text in config["process"]["env"])
    asked = env.get("MTHREADS_VISIBLE_DEVICES", "")
    numbers = {{"": [], "none": [], "all": ["0", "1"]}}.get(asked, asked.split(","))
    node = os.stat("/dev/mtgpu.0")
    for number in numbers:
        ids = {{"major": os.major(node.st_rdev), "minor": os.minor(node.st_rdev)}}
        config["linux"].setdefault("devices", []).append({{
            "path": "/dev/mtgpu." + number, "type": "c", "fileMode": 0o660, "uid": 0, "gid": node.st_gid, **ids}})
        config["linux"]["resources"]["devices"].append({{"allow": True, "type": "c", "access": "rwm", **ids}})
    if numbers:
        for name, target in (("mthreads-gmi", "/usr/bin/mthreads-gmi"), ("lib", "/usr/lib/libsrv_um_MUSA.so")):
            config["mounts"].append({{"destination": target, "type": "bind", "source": "{files}/" + name,
                                      "options": ["bind", "ro"]}})
    with open(bundle + "/config.json", "w") as file:
        json.dump(config, file)
os.execv("/usr/sbin/runc", ["runc", *arguments])
'''
GMI = """\
#!/bin/sh
echo 'mthreads-gmi:1.14.0          Driver Version:2.7.0'
for node in /dev/mtgpu.*; do
  [ ! -e "$node" ] || echo "${node##*.}    MTT S80        |00000000:04:00.0    |0%    (16384MiB)"
done
"""
SPEC = """\
[images.app]
accelerator = "mthreads"
check_device = true
entrypoint = ["python"]
copy = [
  { from = "musa", to = "/usr/local/musa" },
  { from = "modules", to = "/opt/venv/lib/python3.11/site-packages" },
  { from = "tools", to = "/usr/local/bin" },
]
[images.app.run]
gpus = "all"
shm_size = "80m"
network = false
stop_timeout = 2

[images.bare]
from = "image:app"
check_device = false
[images.bare.run]
gpus = "1"
"""
SHOW = (
    "import glob, json, os; print(json.dumps([sorted(glob.glob('/dev/mtgpu*')), "
    "os.environ.get('MTHREADS_VISIBLE_DEVICES'), os.path.exists('/usr/bin/mthreads-gmi'), "
    "os.statvfs('/dev/shm').f_blocks * os.statvfs('/dev/shm').f_frsize >> 20]))"
)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that everybody may enter; of a short name, since sockets have 108 bytes for theirs."""
    found = Path(tempfile.mkdtemp(prefix="lwmt", dir="/var/tmp"))
    found.chmod(0o755)
    yield found
    subprocess.run(["rm", "-rf", str(found)], check=True)


@pytest.fixture(scope="module")
def gpus() -> Iterator[None]:
    """Two GPUs, which are null devices."""
    if any(Path("/dev").glob("mtgpu*")):
        pytest.skip("this machine has a Moore Threads driver")
    if os.getuid() != 0:
        pytest.skip("device nodes and a daemon of one's own take root")
    nodes = [Path(f"/dev/mtgpu.{number}") for number in (0, 1)]
    for node in nodes:
        os.mknod(node, 0o660 | stat.S_IFCHR, Path("/dev/null").stat().st_rdev)
        node.chmod(0o660)
        os.chown(node, 0, RENDER)
    yield
    for node in nodes:
        node.unlink()


@pytest.fixture(scope="module")
def mthreads(docker: str, folder: Path, gpus: None) -> Iterator[OwnDocker]:
    """A Docker that knows the runtime."""
    files = lay_out(folder / "hook", {"mthreads-gmi": GMI, "lib": "a library\n"})
    (files / "mthreads-gmi").chmod(0o755)
    runtime = files / "runtime"
    runtime.write_text(RUNTIME.format(python=sys.executable, files=files))
    runtime.chmod(0o755)
    work = folder / "d"
    work.mkdir()
    with own_docker(work, arguments=["--add-runtime", f"mthreads={runtime}"]) as found:
        yield found


@pytest.fixture(scope="module")
def make_project(folder: Path, mthreads: OwnDocker, small_base: str) -> Callable[[Path], Project]:
    """Makes a project whose images have a toolkit and torch, on a base of Python, a shell and busybox."""
    shutil.copytree(small_base.partition(":")[2], folder / "base")
    busybox = shutil.which("busybox")
    assert busybox is not None, "Debian's busybox-static"

    def make(place: Path) -> Project:
        (place / "home").mkdir(parents=True, exist_ok=True)
        made = new_project(
            place / "project", home=place / "home", store=place / "store", base=f"oci:{folder / 'base'}"
        )
        names = ("cat", "chmod", "cut", "grep", "mkdir", "rm", "sed", "stat", "timeout", "tr")
        tools = {f"tools/{name}": f'#!/bin/sh\nexec /usr/local/bin/busybox {name} "$@"\n' for name in names}
        lay_out(made.folder, {"musa/bin/mcc": compiler(), **MODULES, **tools})
        shutil.copy(busybox, made.folder / "tools/busybox")
        for tool in (made.folder / "tools").iterdir():
            tool.chmod(0o755)
        made.spec(SPEC)
        return replace(made, command=made.command.with_variables(**mthreads.environment))

    return make


@pytest.fixture(scope="module")
def project(folder: Path, make_project: Callable[[Path], Project]) -> Project:
    return make_project(folder / "root")


def run(project: Project, *words: str, **options: Any) -> Any:
    return project("run", "--engine", "docker", *words, **options)


def test_f16_devices_by_gpus(project: Project) -> None:
    both = ["/dev/mtgpu.0", "/dev/mtgpu.1"]
    assert run(project, "app", "-c", SHOW).json() == [both, "all", True, 80]
    assert run(project, "--gpus", "1", "app", "-c", SHOW).json() == [both[:1], "0", True, 80]
    assert run(project, "--gpus", "device=1", "app", "-c", SHOW).json() == [both[1:], "1", True, 80]
    assert run(project, "--gpus", "0,1", "app", "-c", SHOW).json() == [both, "0,1", True, 80]
    assert run(project, "--gpus", "none", "app", "-c", SHOW).json() == [[], None, False, 80]
    # Nothing is baked into the image: whoever starts it says which devices it gets.
    assert "MTHREADS_VISIBLE_DEVICES" not in json.dumps(config(project, "app"))


def test_f17_the_check_is_a_verb_whatever_the_entrypoint(project: Project) -> None:
    done = run(project, "app", "check-device")
    assert done.out.splitlines()[-1] == "good", done
    assert "2: MTT S80, MTT S80; /dev/mtgpu.0 /dev/mtgpu.1" in done.out
    document = run(project, "--gpus", "none", "app", "check-device", "--json", status=1).json()
    assert document["verdict"] == "failed"
    assert "there is no mthreads-gmi" in document["checks"][0]["detail"]
    # What is not the check is the entrypoint's, as ever.
    assert run(project, "app", "-c", "import sys; sys.exit(7)", status=7)
    assert "can't open file" in run(project, "bare", "check-device", status=2).err


def config(project: Project, image: str) -> Any:
    reference = project("build", "--json", image).image["reference"]
    docker = OwnDocker(program=Path("/usr/bin/docker"), environment=dict(project.command.variables))
    return json.loads(docker("image", "inspect", reference).stdout)[0]["Config"]


def wait_for_health(docker: OwnDocker, name: str) -> str:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        state = json.loads(docker("inspect", "--format", "{{json .State.Health}}", name).stdout)
        if state["Status"] != "starting":
            return f"{state['Status']}: {state['Log'][-1]['Output']}"
        time.sleep(0.1)
    return "starting"


def test_f17_health_as_docker_sees_it(project: Project, mthreads: OwnDocker) -> None:
    run(project, "app", "-c", "")
    found = config(project, "app")
    assert found["Healthcheck"]["Test"] == ["CMD", "/usr/local/bin/check-device", "--quick"]
    assert found["Healthcheck"]["Interval"] == 300 * 10**9
    assert "Healthcheck" not in config(project, "bare")
    start = ("run", "--detach", "--network", "none", "--health-interval", "0.3s", "--health-retries", "1")
    image = project("build", "--json", "app").image["reference"]
    wait = (image, "-c", "import time; time.sleep(60)")
    mthreads(*start, "--name", "well", "--runtime", "mthreads", "-e", "MTHREADS_VISIBLE_DEVICES=all", *wait)
    mthreads(*start, "--name", "ill", *wait)
    assert wait_for_health(mthreads, "well").startswith("healthy: ")
    assert "there is no mthreads-gmi" in wait_for_health(mthreads, "ill")
    assert wait_for_health(mthreads, "ill").startswith("unhealthy: ")
    mthreads("rm", "--force", "well", "ill")
    # Built by Docker itself, the image has the same check.
    project("build", "--backend", "docker", "app")
    assert config(project, "app")["Healthcheck"] == found["Healthcheck"]


def test_f16_up_exec_and_start_again(project: Project, mthreads: OwnDocker) -> None:
    engine = ("--engine", "docker")
    try:
        assert "started" in project("up", *engine, "--name", "musa", "app").out
        inspected = json.loads(mthreads("inspect", "musa").stdout)[0]
        assert inspected["HostConfig"]["Runtime"] == "mthreads"
        assert inspected["HostConfig"]["Privileged"] is False
        assert inspected["HostConfig"]["ShmSize"] == 80 << 20
        assert "MTHREADS_VISIBLE_DEVICES=all" in inspected["Config"]["Env"]
        assert project("exec", *engine, "musa", "python", "-c", SHOW).json()[:2] == [
            ["/dev/mtgpu.0", "/dev/mtgpu.1"],
            "all",
        ]
        assert project("exec", *engine, "musa", "check-device").out.splitlines()[-1] == "good"
        project("stop", *engine, "musa")
        assert "started again" in project("up", *engine, "--name", "musa", "app").out
        assert project("exec", *engine, "musa", "check-device", "--quick").status == 0
        # A container without devices is not ill for want of them.
        project("up", *engine, "--name", "idle", "--gpus", "none", "app")
        health = mthreads(
            "inspect", "--format", "{{json .State.Health}} {{json .Config.Healthcheck}}", "idle"
        )
        assert '"Status":"none"' in health.stdout or '"NONE"' in health.stdout
    finally:
        mthreads("rm", "--force", "musa", "idle")


def test_f16_the_group_of_the_devices(
    project: Project, make_project: Callable[[Path], Project], folder: Path
) -> None:
    with new_user(f"lw-mt-{os.getpid()}", folder / "person/home") as (uid, gid):
        home = folder / "person"
        socket = Path(project.command.environment["DOCKER_HOST"].removeprefix("unix://"))
        own = make_project(home)
        (home / "store").mkdir()
        subprocess.run(["chown", "-R", f"{uid}:{gid}", str(home)], check=True)
        socket.chmod(0o666)

        def start(command: Command, *groups: int, status: int) -> Any:
            before = as_user(uid, gid, groups, home)
            words = (
                "run",
                "--engine",
                "docker",
                "app",
                "-c",
                "import os; print(os.getgroups()); open('/dev/mtgpu.1')",
            )
            return command(*words, before=before, status=status)

        done = start(own.command, status=125)
        assert "you may not use /dev/mtgpu.0: it belongs to a group that you are not in" in done.err
        assert "usermod --append --groups" in done.err
        assert str(RENDER) in start(own.command, RENDER, status=0).out


def test_f16_docker_without_the_runtime(project: Project, docker: str) -> None:
    command = project.command.changed(
        variables={name: value for name, value in project.command.variables.items() if name != "DOCKER_HOST"}
    )
    done = command("run", "--engine", "docker", "app", "-c", "print('ran')", status=125)
    assert "docker knows no runtime `mthreads`" in done.err
    assert "./docker setup" in done.err
    assert done.out == ""
