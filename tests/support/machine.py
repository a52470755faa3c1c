"""Machines that are not there: a folder for ``/``, programs that only answer, an engine that only says what it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from layerwright.doctor.bounded import Once
from layerwright.doctor.engine_info import DockerInfo
from layerwright.doctor.machine import Machine
from layerwright.engines.endpoint import Endpoint
from layerwright.host.environment import HostEnvironment
from layerwright.host.process import Completed, ProcessError

NO_DOCKER = DockerInfo(
    endpoint=Endpoint(address="unix:///nowhere/docker.sock"), error="no Docker engine answers"
)
DOCKER = DockerInfo(
    endpoint=Endpoint(address="unix:///var/run/docker.sock"),
    answers=True,
    version="28.5.2",
    api="1.51",
    api_least="1.24",
    platform="linux/amd64",
    storage="overlay2",
    runtimes=("io.containerd.runc.v2", "runc"),
    default_runtime="runc",
    root="/var/lib/docker",
)


@dataclass
class Programs:
    """Answers by program name, or by name and first argument; what was started is kept.

    An answer is text for the standard output, a number for the exit status, ``(status, out, error)``, or an exception.
    """

    answers: Mapping[str, Any] = field(default_factory=dict)
    started: list[tuple[str, ...]] = field(default_factory=list)

    def __call__(self, argv: Any, **options: Any) -> Completed:
        argv = tuple(map(str, argv))
        self.started.append(argv)
        name = Path(argv[0]).name
        answer = self.answers.get(f"{name} {argv[1]}" if argv[1:] else name, self.answers.get(name, ""))
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, int):
            answer = (answer, "", "")
        if isinstance(answer, str):
            answer = (0, answer, "")
        status, out, error = answer
        return Completed(argv=argv, status=status, stdout=out.encode(), stderr=error.encode())


def hangs(name: str) -> ProcessError:
    """What starting a program that never ends comes to."""
    return ProcessError(
        "command took longer than 4 s and was stopped", argv=(name,), status=143, timed_out=True
    )


def make_machine(
    root: Path,
    *,
    files: Mapping[str, str | bytes] | None = None,
    programs: Mapping[str, Any] | None = None,
    docker: DockerInfo = NO_DOCKER,
    uid: int = 0,
    groups: tuple[int, ...] = (),
    variables: Mapping[str, str] | None = None,
    **changes: Any,
) -> Machine:
    """A machine below a folder: its files, the programs on its path, and what the engine says."""
    write(root, files or {})
    folder = root / "usr/bin"
    folder.mkdir(parents=True, exist_ok=True)
    for name in {name.partition(" ")[0] for name in programs or {}}:
        (folder / name).write_text("#!/bin/true\n", encoding="ascii")
        (folder / name).chmod(0o755)
    host = HostEnvironment(
        variables=dict(variables or {}),
        uid=uid,
        gid=uid,
        groups=groups,
        home=Path("/home/somebody"),
        cpu_count=2,
        path=str(folder),
        python=Path("/usr/bin/python3"),
    )
    settings: dict[str, Any] = {"store": root / "store", "architecture": "x86_64", **changes}
    machine = Machine(host=host, root=root, runner=Programs(programs or {}), **settings)
    machine._docker = Once(lambda: docker)
    return machine


def write(root: Path, files: Mapping[str, str | bytes]) -> None:
    """Files by absolute path, below a folder."""
    for name, content in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def check_of(outcome: Any, identity: str) -> Any:
    """One check of an outcome, by its id."""
    (found,) = [check for check in outcome.checks if check.id == identity]
    return found


def statuses(outcome: Any) -> dict[str, str]:
    """Status by check."""
    return {check.id: check.status for check in outcome.checks}


def complete(kinds: Any) -> Callable[[Any], bool]:
    """Tells whether an outcome has each of the kinds once, and a cure wherever something is wrong."""
    codes = [kind.code for kind in kinds]

    def holds(outcome: Any) -> bool:
        assert sorted(check.id for check in outcome.checks) == sorted(codes)
        for check in outcome.checks:
            assert check.detail
            assert not check.detail.endswith(".")
            assert "\n" not in check.detail
            assert check.detail.isprintable()
        return True

    return holds


def gpu_on_bus(vendor: str, *, number: int = 0, driver: str = "") -> dict[str, str]:
    """Files of a display device in /sys."""
    del driver
    folder = f"/sys/bus/pci/devices/0000:0{number}:00.0"
    return {
        f"{folder}/vendor": f"0x{vendor}\n",
        f"{folder}/class": "0x030200\n",
        f"{folder}/device": "0x2236\n",
    }
