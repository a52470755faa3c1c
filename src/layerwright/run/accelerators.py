"""Accelerators for a container: looked for before the start, so that what is missing is said in words.

A program that was promised a GPU never starts without one: most of them would go on, slowly, on the CPU.
"""

import os
import re
from pathlib import Path
from typing import Final

from msgspec import Struct

from layerwright.core.errors import RunStartError
from layerwright.host.environment import HostEnvironment
from layerwright.host.process import find_program
from layerwright.run.cdi import CDI_FOLDERS, CdiDevice, find_devices
from layerwright.run.command_line import Grant

__all__ = ["NVIDIA_KIND", "Engine", "chosen_devices", "device_numbers", "docker_gpus", "grant_devices"]

NVIDIA_KIND: Final = "nvidia.com/gpu"
_NVIDIA_VARIABLE: Final = "NVIDIA_VISIBLE_DEVICES"
_MTHREADS_VARIABLE: Final = "MTHREADS_VISIBLE_DEVICES"
_NVIDIA_NODES: Final = ("dev/nvidiactl", "dev/nvidia0", "dev/dxg", "dev/nvhost-gpu")
_NVIDIA_TOOLS: Final = ("nvidia-container-runtime-hook", "nvidia-container-toolkit", "nvidia-container-cli")
_DOCTOR: Final = "`layerwright doctor` tells what is missing, and how it gets there"
_GENERATE: Final = "as root: nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml"


def device_numbers(gpus: str) -> list[str]:
    """Devices that ``gpus`` names, for tools that take no count: ``2`` is 0 and 1; ``all`` stays."""
    return list(map(str, range(int(gpus)))) if gpus.isdecimal() else gpus.removeprefix("device=").split(",")


def docker_gpus(gpus: str) -> str:
    """The value of ``docker run --gpus``: CSV (docker/cli ``opts/gpus.go``), so that a list is one quoted field."""
    return f'"{gpus}"' if "," in gpus else gpus


class Engine(Struct, frozen=True, kw_only=True):
    """What runs the container, as far as devices go.

    Attributes:
        name: ``docker`` or ``podman``.
        local: it is on this machine, so that what is here can be looked at.
        cdi_folders: where it looks for device specifications; empty when it does not.
        runtimes: OCI runtimes that it knows by name.
    """

    name: str
    local: bool = True
    cdi_folders: tuple[str, ...] = CDI_FOLDERS
    runtimes: tuple[str, ...] = ()


def grant_devices(
    gpus: str, accelerator: str, engine: Engine, *, host: HostEnvironment, root: Path = Path("/")
) -> Grant:
    """What gives a container its accelerators.

    Args:
        gpus: ``none``, ``all``, a number, or ``device=0,1``.
        accelerator: the image's; a GPU for an image of none is NVIDIA's.
        engine: what runs it.
        host: the caller, whose groups count.
        root: of this machine.

    Raises:
        RunStartError: there is no driver, toolkit or such device; it says which, and the cure.
    """
    if gpus == "none":
        # Bases bring these variables with "all" in them, and an engine's default runtime may act on them.
        return Grant(off={_NVIDIA_VARIABLE: "void", _MTHREADS_VARIABLE: "none"})
    if accelerator == "mthreads":
        return _mthreads(gpus, engine, host, root)
    return _nvidia(gpus, engine, host, root)


def _nvidia(gpus: str, engine: Engine, host: HostEnvironment, root: Path) -> Grant:
    known = find_devices(NVIDIA_KIND, engine.cdi_folders, root=root) if engine.local else {}
    if known:
        chosen = chosen_devices(gpus, known, root)
        options = [word for device in chosen for word in ("--device", f"{NVIDIA_KIND}={device.name}")]
        return Grant(options=tuple(options), without=(_NVIDIA_VARIABLE,))
    if engine.local and not any((root / node).exists() for node in _NVIDIA_NODES):
        raise RunStartError(
            "this machine has no NVIDIA driver, or it is not loaded, and the image is to get "
            f"{_in_words(gpus)}",
            hint=f"{_DOCTOR}; without a GPU: --gpus none",
        )
    if engine.name == "podman":
        raise RunStartError(
            f"podman finds no device specification of NVIDIA's in {' or '.join(engine.cdi_folders)}",
            hint=f"{_GENERATE} (the command is in the NVIDIA container toolkit); {_DOCTOR}",
        )
    if engine.local and "nvidia" not in engine.runtimes and not _has_tool(host):
        raise RunStartError(
            "Docker cannot hand GPUs to a container: the NVIDIA container toolkit is not installed",
            hint=f"install it, then as root: nvidia-ctk runtime configure --runtime=docker; {_DOCTOR}",
        )
    _check_numbers(gpus, _counted(root / "proc/driver/nvidia/gpus"))
    value = docker_gpus(gpus)
    return Grant(options=("--gpus", value), without=(_NVIDIA_VARIABLE,))


def chosen_devices(gpus: str, known: dict[str, CdiDevice], root: Path = Path("/")) -> tuple[CdiDevice, ...]:
    """The devices of a specification that are meant.

    Raises:
        RunStartError: there is no such device, or fewer than asked for, or its nodes are not there.
    """
    numbered = sorted((name for name in known if re.fullmatch("[0-9]+", name)), key=int)
    if gpus == "all":
        names = ["all"] if "all" in known else numbered or sorted(known)
    elif gpus.isdecimal():
        names = numbered[: int(gpus)]
        if len(names) < int(gpus):
            raise RunStartError(
                f"{_in_words(gpus)} are asked for, and {_file_of(known)} lists {len(numbered)}",
                hint="ask for fewer (`gpus`), or describe the devices anew: " + _GENERATE,
            )
    else:
        names = gpus.removeprefix("device=").split(",")
        for name in names:
            if name not in known:
                raise RunStartError(
                    f"there is no GPU {name}: {_file_of(known)} lists {', '.join(sorted(known))}",
                    hint=f"name one of these, or describe the devices anew: {_GENERATE}",
                )
    chosen = tuple(known[name] for name in names)
    for device in chosen:
        for path, _ in device.nodes:
            if not (root / path.lstrip("/")).exists():
                raise RunStartError(
                    f"{device.file} says that GPU {device.name} is {path}, which does not exist",
                    hint=f"load the driver; if the GPUs have changed, {_GENERATE}; {_DOCTOR}",
                )
    return chosen


def _mthreads(gpus: str, engine: Engine, host: HostEnvironment, root: Path) -> Grant:
    nodes = sorted((root / "dev").glob("mtgpu*")) if engine.local else []
    if engine.local and not nodes:
        raise RunStartError(
            "this machine has no Moore Threads driver, or it is not loaded (there is no /dev/mtgpu*), and the image "
            f"is to get {_in_words(gpus)}",
            hint=f"{_DOCTOR}; without a GPU: --gpus none",
        )
    runtime = "mthreads"
    if engine.name == "podman":
        program = find_program("mthreads-container-runtime", host.path)
        runtime = str(program or "")
    elif runtime not in engine.runtimes:
        runtime = ""
    if not runtime:
        raise RunStartError(
            f"{engine.name} knows no runtime `mthreads`: the Moore Threads container toolkit is not installed or "
            "not registered",
            hint="install mt-container-toolkit; then, as root: cd /usr/bin/musa && ./docker setup $PWD",
        )
    _check_access([*nodes, *sorted((root / "dev/dri").glob("renderD*"))], host)
    return Grant(options=("--runtime", runtime), env={_MTHREADS_VARIABLE: ",".join(device_numbers(gpus))})


def _check_access(nodes: list[Path], host: HostEnvironment) -> None:
    """Raise unless the caller may open the nodes; devices of Moore Threads belong to the group render."""
    if host.caller_uid == 0:
        return
    for node in nodes:
        status = node.stat()
        if host.uid != host.caller_uid:
            # In a namespace of ours the groups of the machine have no numbers; the kernel knows them all the same.
            if os.access(node, os.R_OK | os.W_OK):
                continue
            raise RunStartError(
                f"you may not use {node}: it belongs to a group that you are not in",
                hint=f"as root: usermod --append --groups $(stat -c %G {node}) USER; then log in anew",
            )
        if status.st_mode & 0o006 == 0o006 or status.st_gid in {host.caller_gid, *host.groups}:  # noqa: PLR2004
            continue
        raise RunStartError(
            f"you may not use {node}: it belongs to the group {_group_name(status.st_gid)}, and you are not in it",
            hint=f"as root: usermod --append --groups {_group_name(status.st_gid)} USER; then log in anew",
        )


def _group_name(gid: int) -> str:
    import grp  # noqa: PLC0415 - only on error

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _has_tool(host: HostEnvironment) -> bool:
    return any(find_program(name, host.path) for name in _NVIDIA_TOOLS)


def _counted(folder: Path) -> int:
    """GPUs that the driver lists; 0 when it does not (WSL, Tegra)."""
    try:
        return len(list(folder.iterdir()))
    except OSError:
        return 0


def _check_numbers(gpus: str, there: int) -> None:
    asked = int(gpus) if gpus.isdecimal() else 0
    numbers = [int(one) for one in gpus.removeprefix("device=").split(",") if one.isdecimal()]
    if there and (asked > there or (gpus.startswith("device=") and any(one >= there for one in numbers))):
        raise RunStartError(
            f"{_in_words(gpus)} asked for, and this machine's driver lists {there} (numbers begin with 0)",
            hint="change `gpus`, or give --gpus",
        )


def _file_of(known: dict[str, CdiDevice]) -> str:
    return next(iter(known.values())).file


def _in_words(gpus: str) -> str:
    if gpus == "all":
        return "all GPUs"
    if gpus.isdecimal():
        return "1 GPU" if gpus == "1" else f"{gpus} GPUs"
    return f"GPU {gpus.removeprefix('device=')}"
