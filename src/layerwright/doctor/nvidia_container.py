"""NVIDIA: how a GPU reaches a container: toolkit, runtime, device specifications."""

import json
import re
from pathlib import Path
from typing import Final

from layerwright.core.findings import Kind
from layerwright.doctor.cdi import CdiFile, read_cdi
from layerwright.doctor.foreign import as_mapping, one_line
from layerwright.doctor.machine import Machine
from layerwright.doctor.model import Check, Cure, Needs, Outcome, absent, broken
from layerwright.doctor.nvidia import driver_version

__all__ = ["KINDS", "examine"]

_TOOLKIT, _RUNTIME, _CDI = "nvidia-toolkit", "nvidia-runtime", "nvidia-cdi"
_VERSION: Final = re.compile(r"version\s+v?(\d+\.\d+\.\d+\S*)")
_DAEMON: Final = "/etc/docker/daemon.json"
_CONFIG: Final = "/etc/nvidia-container-runtime/config.toml"
_KIND: Final = "nvidia.com/gpu"
_SHOWN: Final = 3

_INSTALL: Final = (
    Cure(
        text="add NVIDIA's package repository (docs/how-to/prepare-a-host-nvidia.md) and install it (as root)",
        command="apt-get install nvidia-container-toolkit",
    ),
)
_RESTART: Final = Cure(text="restart Docker (as root)", command="systemctl restart docker")
_CONFIGURE: Final = Cure(
    text="make Docker know the runtime (as root)",
    command="nvidia-ctk runtime configure --runtime=docker && systemctl restart docker",
)
_GENERATE: Final = Cure(
    text="write it anew (as root); since toolkit 1.18 nvidia-cdi-refresh.service does so after every update",
    command="nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml",
)

KINDS: Final = (
    Kind(
        code=_TOOLKIT,
        title="NVIDIA's container toolkit",
        why="libcuda.so.1 and the devices belong to the machine; the toolkit puts them into containers as they start.",
        evidence="`nvidia-ctk`, `nvidia-container-runtime-hook` and `nvidia-container-cli` on the path.",
        repair="Install nvidia-container-toolkit from NVIDIA's repository.",
    ),
    Kind(
        code=_RUNTIME,
        title="Docker can hand out NVIDIA GPUs",
        why="`docker run --gpus` fails with `could not select device driver` unless Docker finds the toolkit's hook.",
        evidence="Runtimes of the engine, the hook, /etc/docker/daemon.json, and `no-cgroups` for a rootless engine.",
        repair="`nvidia-ctk runtime configure --runtime=docker`, then restart Docker.",
    ),
    Kind(
        code=_CDI,
        title="device specifications (CDI) for NVIDIA GPUs",
        why="Podman, and Docker with `--device nvidia.com/gpu=all`, hand in what the specification lists. After an "
        "update of the driver it names libraries that are gone, and containers do not start.",
        evidence="/etc/cdi and /var/run/cdi: versions in the names of libraries against the loaded driver, and whether "
        "the files are there.",
        repair="`nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`.",
    ),
)


def examine(machine: Machine, needs: Needs) -> Outcome:
    """Look at what hands out GPUs."""
    needed = needs.wants("nvidia")
    version = driver_version(machine.read("/proc/driver/nvidia/version"))
    hook = machine.program("nvidia-container-runtime-hook")
    tool = machine.program("nvidia-ctk")
    return Outcome(
        checks=(
            _toolkit(machine, tool, hook is not None, needed=needed, useful=bool(version)),
            _runtime(machine, hook is not None, needed=needed, useful=bool(version)),
            _cdi(machine, version, needs),
        )
    )


def _toolkit(machine: Machine, tool: Path | None, hook: bool, *, needed: bool, useful: bool) -> Check:
    if tool is None and not hook:
        detail = "neither nvidia-ctk nor nvidia-container-runtime-hook was found"
        if useful and not needed:
            return Check(
                id=_TOOLKIT, status="warning", detail=f"{detail}: containers get no GPU", fix=_INSTALL
            )
        return absent(_TOOLKIT, detail, *_INSTALL, needed=needed)
    version = ""
    if tool is not None:
        done = machine.start([str(tool), "--version"])
        match = _VERSION.search(done.out)
        version = one_line(match[1]) if match else ""
        if done.status != 0:
            why = one_line(done.error) or f"status {done.status}"
            return broken(_TOOLKIT, f"nvidia-ctk does not run: {why}", _INSTALL, needed=needed)
    parts = [f"nvidia-ctk {version or '(version not known)'}"] if tool else []
    parts += ["nvidia-container-runtime-hook"] if hook else []
    detail = ", ".join(parts)
    if hook and machine.program("nvidia-container-cli") is None:
        return broken(
            _TOOLKIT,
            f"{detail}, but the hook's nvidia-container-cli was not found",
            (Cure(text="install it (as root)", command="apt-get install libnvidia-container-tools"),),
            needed=needed,
        )
    return Check(id=_TOOLKIT, status="ok", detail=detail)


def _runtime(machine: Machine, hook: bool, *, needed: bool, useful: bool) -> Check:
    info = machine.docker
    if not info.answers:
        if not needed:
            return Check(id=_RUNTIME, status="not_needed", detail="no Docker engine answers")
        return Check(
            id=_RUNTIME,
            status="error",
            detail="programs get GPUs through Docker, and no engine answers: see docker-engine",
            fix=(Cure(text="install and start Docker first", command="apt-get install docker.io"),),
        )
    settings, fault = _daemon_settings(machine)
    if fault:
        cure = Cure(text="mend the file; Docker does not start with it as it is")
        return broken(_RUNTIME, f"{_DAEMON} cannot be read: {fault}", (cure,), needed=needed)
    by_cdi = any(device.startswith(f"{_KIND}=") for device in info.devices)
    known = "nvidia" in info.runtimes
    if not known and not hook and not by_cdi:
        if "nvidia" in as_mapping(settings.get("runtimes")):
            detail = f"{_DAEMON} names the runtime nvidia, and Docker does not know it yet"
            return broken(_RUNTIME, detail, (_RESTART,), needed=needed)
        detail = "Docker knows no runtime nvidia, finds no hook and no device nvidia.com/gpu"
        if useful and not needed:
            return Check(id=_RUNTIME, status="warning", detail=detail, fix=(_CONFIGURE,))
        return absent(_RUNTIME, detail, *_INSTALL, _CONFIGURE, needed=needed)
    if (
        info.rootless
        and not by_cdi
        and not re.search(r"^\s*no-cgroups\s*=\s*true", machine.read(_CONFIG), re.MULTILINE)
    ):
        return broken(
            _RUNTIME,
            f"the engine is rootless, and {_CONFIG} does not say no-cgroups = true: GPUs cannot be handed out",
            (
                Cure(
                    text="say so (as root)",
                    command="nvidia-ctk config --set nvidia-container-cli.no-cgroups --in-place",
                ),
            ),
            needed=needed,
        )
    how = ["runtime nvidia"] if known else []
    how += ["the hook (--gpus)"] if hook else []
    how += ["devices by CDI"] if by_cdi else []
    detail = f"by {', '.join(how)}"
    if info.default_runtime == "nvidia":
        detail += "; nvidia is the default runtime, so every container may get GPUs by its environment alone"
    if not hook and not by_cdi:
        detail += "; --gpus needs nvidia-container-runtime-hook on Docker's path"
        return broken(_RUNTIME, detail, _INSTALL, needed=needed)
    return Check(id=_RUNTIME, status="ok", detail=detail)


def _daemon_settings(machine: Machine) -> tuple[dict[str, object], str]:
    """What daemon.json says, and why it cannot be read."""
    text = machine.read(_DAEMON)
    if not text.strip():
        return {}, ""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        return {}, one_line(str(error))
    return (document, "") if isinstance(document, dict) else ({}, "it is no JSON object")


def _cdi(machine: Machine, version: str, needs: Needs) -> Check:
    files = read_cdi(machine)
    ours = [file for file in files if file.kind.startswith("nvidia.com/")]
    unread = [file for file in files if file.error]
    # Docker's --gpus works without; podman has no other way.
    needed = needs.wants("nvidia") and needs.wants("podman")
    if unread:
        detail = "; ".join(f"{file.file}: {file.error}" for file in unread[:_SHOWN])
        return broken(_CDI, f"cannot be read: {detail}", (_GENERATE,), needed=needed)
    if not ours:
        detail = "there is no specification for NVIDIA GPUs in /etc/cdi or /var/run/cdi"
        return absent(_CDI, detail, _GENERATE, needed=needed)
    fault = _fault(machine, ours, version)
    if fault:
        return broken(_CDI, fault, (_GENERATE,), needed=needed or needs.wants("nvidia"))
    devices = sorted({device for file in ours for device in file.devices})
    shown = ", ".join(devices[:8]) + (f" and {len(devices) - 8} more" if devices[8:] else "")
    return Check(id=_CDI, status="ok", detail=f"{', '.join(file.file for file in ours)}: {shown}")


def _fault(machine: Machine, files: list[CdiFile], version: str) -> str:
    """What is wrong with specifications that can be read; empty for nothing."""
    for file in files:
        other = [driver for driver in file.drivers if version and driver != version]
        if other:
            return f"{file.file} was written for driver {other[0]}, and {version} is loaded"
        gone = [path for path in file.host_paths if path.startswith("/") and not machine.path(path).exists()]
        if gone:
            more = f" and {len(gone) - _SHOWN} more" if gone[_SHOWN:] else ""
            return one_line(f"{file.file} names what is not there: {', '.join(gone[:_SHOWN])}{more}")
        if not file.devices:
            return f"{file.file} lists no device"
    seen: dict[str, str] = {}
    for file in files:
        folder = file.file.rpartition("/")[0]
        for device in file.devices:
            name = f"{file.kind}={device}"
            before = seen.setdefault(name, file.file)
            if before != file.file and before.rpartition("/")[0] == folder:
                return f"{before} and {file.file} both list {name}: engines refuse a device listed twice in a folder"
    return ""
