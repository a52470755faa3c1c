"""NVIDIA: what the GPUs are, and which CUDA their driver runs."""

import re
from collections.abc import Sequence
from typing import Final

from layerwright.core.findings import Kind
from layerwright.doctor import data
from layerwright.doctor.foreign import one_line
from layerwright.doctor.machine import Machine
from layerwright.doctor.model import Check, Cure, broken
from layerwright.doctor.nvml import Nvml, NvmlDevice
from layerwright.doctor.system import os_release

__all__ = ["GPU_KINDS", "data_center", "gpu_checks", "greatest_cuda", "install_driver"]

_GPUS, _CUDA, _PERSISTENCE = "nvidia-gpus", "nvidia-cuda", "nvidia-persistence"
_CUDA_MAJORS: Final = ("11", "12", "13")
_TESLA: Final = 2
_CONSUMER: Final = frozenset({1, 3, 5, 6, 12, 13, 15, 16})
"""``nvmlBrandType_t``: Quadro, NVS, GeForce, Titan, Quadro RTX, NVIDIA RTX, GeForce RTX, Titan RTX."""
_MAYBE: Final = frozenset({12, 13})
"""Some RTX boards in certified servers may use forward compatibility; the brand does not tell which."""

_UBUNTU: Final = Cure(
    text="install the driver that Ubuntu recommends (as root), then restart the machine",
    command="apt-get install ubuntu-drivers-common && ubuntu-drivers install --gpgpu",
)
_DEBIAN: Final = Cure(
    text="add the components contrib, non-free and non-free-firmware to Debian's sources, install the driver (as "
    "root), then restart the machine",
    command="apt-get install linux-headers-amd64 nvidia-driver firmware-misc-nonfree",
)
_OTHERS: Final = Cure(
    text="install the driver as https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/ says"
)

GPU_KINDS: Final = (
    Kind(
        code=_GPUS,
        title="what the GPUs are",
        why="Wheels hold code for certain compute capabilities; models want a certain amount of memory.",
        evidence="NVML: name, compute capability, memory, MIG.",
        repair="Nothing to mend; `check --host` compares images with it.",
    ),
    Kind(
        code=_CUDA,
        title="which CUDA the driver runs",
        why="A driver runs every earlier CUDA and, by minor version compatibility, every release of its own major; of "
        "a later major only with cuda-compat, and that on data-centre GPUs alone.",
        evidence="NVML's statement, and NVIDIA's compatibility guide as recorded in the facts.",
        repair="Install a newer driver, or take an image with an earlier CUDA.",
    ),
    Kind(
        code=_PERSISTENCE,
        title="the driver keeps the GPU initialised",
        why="Without a display or persistence mode every start of a program initialises the GPU anew, for seconds on "
        "machines with many.",
        evidence="NVML's persistence mode of each GPU.",
        repair="Start nvidia-persistenced.",
    ),
)


def install_driver(machine: Machine) -> tuple[Cure, ...]:
    """How the driver is installed on this system."""
    _, system = os_release(machine.read("/etc/os-release") or machine.read("/usr/lib/os-release"))
    return {"ubuntu": (_UBUNTU,), "debian": (_DEBIAN,)}.get(system, (_UBUNTU, _DEBIAN, _OTHERS))


def gpu_checks(
    machine: Machine, library: Nvml, version: str, cuda: str, *, needed: bool
) -> tuple[Check, ...]:
    """Say what the GPUs are.

    Args:
        machine: for the environment.
        library: what NVML says.
        version: of the driver; empty when not known.
        cuda: the greatest that it states or is recorded for it; empty when not known.
        needed: NVIDIA GPUs are asked for.
    """
    return (
        _gpus(library, needed=needed),
        _cuda(machine, version, cuda, library.devices, needed=needed),
        _persistence(library),
    )


def data_center(devices: Sequence[NvmlDevice]) -> bool | None:
    """Whether all GPUs are data-centre ones, which forward compatibility asks for; None when not known."""
    names = {name.lower() for name in data.nvidia().data_center} if devices else set()
    verdicts: list[bool | None] = []
    for device in devices:
        words = {word for word in re.split(r"[^a-z0-9]+", device.name.lower()) if word}
        if device.brand in _MAYBE:
            verdicts.append(None)
        elif device.brand in _CONSUMER or words & {"geforce", "titan"}:
            verdicts.append(False)
        elif device.brand == _TESLA or words & names:
            verdicts.append(True)
        else:
            verdicts.append(None)
    if not verdicts or (None in verdicts and False not in verdicts):
        return None
    return False not in verdicts


def _gpus(library: Nvml, *, needed: bool) -> Check:
    if not library.devices:
        if library.loaded and not library.error:
            cure = Cure(text="see what the kernel says of it (as root)", command="dmesg | grep -i nvrm")
            return broken(_GPUS, "the driver is loaded and shows no GPU", (cure,), needed=needed)
        return Check(id=_GPUS, status="unknown", detail="only the driver knows them, and it does not answer")
    shown = [_described(device) for device in library.devices]
    counted = [
        f"{shown.count(text)} x {text}" if shown.count(text) > 1 else text for text in dict.fromkeys(shown)
    ]
    split = any(device.mig for device in library.devices)
    more = "; with MIG, programs see instances: name them by UUID" if split else ""
    return Check(id=_GPUS, status="ok", detail=f"{', '.join(counted)}{more}")


def _described(device: NvmlDevice) -> str:
    parts = [f"compute capability {device.compute_capability}"] if device.compute_capability else []
    parts += [f"{device.memory_bytes / (1 << 30):.0f} GiB"] if device.memory_bytes else []
    parts += ["MIG on"] if device.mig else []
    return f"{device.name or 'unnamed GPU'} ({', '.join(parts)})" if parts else device.name


def _cuda(machine: Machine, version: str, cuda: str, devices: Sequence[NvmlDevice], *, needed: bool) -> Check:
    from layerwright.facts.compat.cuda import driver_support  # noqa: PLC0415 - start-up

    if not version:
        return Check(id=_CUDA, status="unknown", detail="without a driver nobody can say")
    majors = [major for major in _CUDA_MAJORS if driver_support(major, version).verdict in {"full", "minor"}]
    detail = f"driver {version} states CUDA {cuda}" if cuda else f"driver {version}"
    if majors:
        detail += f"; images with CUDA {' and '.join(f'{major}.x' for major in majors)} run on it"
    preloaded = [
        folder
        for folder in machine.host.variables.get("LD_LIBRARY_PATH", "").split(":")
        if re.search(r"cuda[^/]*/compat", folder)
    ]
    if preloaded:
        return broken(
            _CUDA,
            one_line(
                f"{detail}, but LD_LIBRARY_PATH names {preloaded[0]}: a libcuda of another driver comes first"
            ),
            (Cure(text="take it out", command="unset LD_LIBRARY_PATH"),),
            needed=needed,
        )
    newest = _CUDA_MAJORS[-1]
    if majors and newest not in majors:
        forward = data_center(devices)
        detail += {
            True: f"; of CUDA {newest} those that bring cuda-compat may (data-centre GPUs)",
            False: f"; of CUDA {newest} none (forward compatibility is for data-centre GPUs)",
            None: f"; of CUDA {newest} none, unless forward compatibility works on these GPUs",
        }[forward]
    if not majors:
        return broken(
            _CUDA,
            f"{detail}: too old for CUDA 11, and for every image of today",
            install_driver(machine),
            needed=needed,
        )
    return Check(id=_CUDA, status="ok", detail=detail)


def greatest_cuda(version: str) -> str:
    """The greatest CUDA whose own driver is not newer than this one, ``12.4``; empty when not recorded."""
    from layerwright.facts.compat.cuda import CudaFile  # noqa: PLC0415 - start-up
    from layerwright.facts.compat.records import load  # noqa: PLC0415 - start-up
    from layerwright.facts.compat.versions import at_least, dotted, first_parts  # noqa: PLC0415 - start-up

    if not version:
        return ""
    known = [record for record in load(CudaFile).toolkit if at_least(version, record.driver_linux)]
    best = max(known, key=lambda record: dotted(record.cuda), default=None)
    return first_parts(best.cuda, 2) if best else ""


def _persistence(library: Nvml) -> Check:
    modes = [device.persistence for device in library.devices]
    if not modes or None in modes:
        return Check(id=_PERSISTENCE, status="not_needed", detail="not known of these GPUs")
    if all(modes):
        return Check(id=_PERSISTENCE, status="ok", detail="on")
    return Check(
        id=_PERSISTENCE,
        status="warning",
        detail="off: programs wait while the GPU is initialised, unless a display keeps it awake",
        fix=(Cure(text="switch it on (as root)", command="systemctl enable --now nvidia-persistenced"),),
    )
