"""NVIDIA: devices on the bus, the driver and its device nodes."""

import re
from typing import Final

from layerwright.core.findings import Kind
from layerwright.doctor import nvml
from layerwright.doctor.accounts import may_open
from layerwright.doctor.machine import Machine
from layerwright.doctor.model import Check, Cure, Needs, Outcome, absent, broken
from layerwright.doctor.nvidia_gpus import GPU_KINDS, data_center, gpu_checks, greatest_cuda, install_driver
from layerwright.doctor.nvml import Nvml, ask_nvml
from layerwright.doctor.pci import NVIDIA, PciDevice, display_devices, nothing_on_bus
from layerwright.facts.model import Gpu, HostFacts

__all__ = ["KINDS", "driver_version", "examine"]

_DEVICE, _DRIVER, _NODES = "nvidia-device", "nvidia-driver", "nvidia-nodes"
_VERSION: Final = re.compile(r"\b(\d{3,4}\.\d{1,3}(?:\.\d{1,3})?)\b")
_SECURE_BOOT: Final = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
KINDS: Final = (
    Kind(
        code=_DEVICE,
        title="an NVIDIA GPU on the bus",
        why="Nothing that follows can help where there is no GPU, or where a virtual machine was not given one.",
        evidence="`/sys/bus/pci/devices` (vendor 10de, classes 03 and 12); /dev/dxg on WSL; Tegra's nodes.",
        repair="Plug one in, switch on its slot in the firmware, or pass the device through to the virtual machine.",
    ),
    Kind(
        code=_DRIVER,
        title="NVIDIA's driver is loaded and whole",
        why="The kernel module and libcuda.so.1 come with the driver of the machine, never with the image, and must be "
        "of one version.",
        evidence="`/proc/driver/nvidia/version`, `/proc/modules`, and NVML, asked in a process of its own.",
        repair="Install the driver; after an update restart the machine or reload the modules.",
    ),
    Kind(
        code=_NODES,
        title="NVIDIA's device nodes",
        why="CUDA opens /dev/nvidiactl, /dev/nvidia-uvm and /dev/nvidiaN. Without /dev/nvidia-uvm, cuInit fails with "
        "error 999.",
        evidence="The nodes, and whether you may open them.",
        repair="`nvidia-modprobe -u -c=0`.",
    ),
    *GPU_KINDS,
)


def examine(machine: Machine, needs: Needs) -> Outcome:
    """Look at NVIDIA's devices and driver."""
    needed = needs.wants("nvidia")
    devices = display_devices(machine, NVIDIA)
    loaded = driver_version(machine.read("/proc/driver/nvidia/version"))
    there = _there(machine, devices)
    library = ask_nvml(machine)
    if not there and not loaded and not library.devices:
        detail = "no NVIDIA GPU was found"
        first = nothing_on_bus(machine, _DEVICE, "NVIDIA GPU", needed=needed)
        rest = (_DRIVER, _NODES, *(kind.code for kind in GPU_KINDS))
        return Outcome(
            checks=(first, *(Check(id=identity, status="not_needed", detail=detail) for identity in rest))
        )
    version = loaded or library.driver
    cuda = library.cuda or greatest_cuda(version)
    checks = (
        Check(id=_DEVICE, status="ok", detail=there or f"{len(library.devices)} by NVML"),
        _driver(machine, loaded, library, devices, needed=needed),
        _nodes(machine, version, needed=needed),
        *gpu_checks(machine, library, version, cuda, needed=needed),
    )
    facts = HostFacts(
        driver_version=version,
        driver_cuda=cuda,
        gpus=tuple(
            Gpu(
                name=device.name,
                compute_capability=device.compute_capability,
                memory_bytes=device.memory_bytes,
            )
            for device in library.devices
        ),
        data_center=data_center(library.devices),
    )
    return Outcome(checks=checks, facts=facts)


def driver_version(text: str) -> str:
    """The version in ``/proc/driver/nvidia/version``; empty when there is none.

    Its first line is ``NVRM version: NVIDIA UNIX x86_64 Kernel Module  525.147.05  Wed Oct 25 …``, with the open
    modules ``NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  560.35.03  Release Build …``.
    """
    line = text.partition("\n")[0]
    if not line.startswith("NVRM version"):
        return ""
    match = _VERSION.search(line)
    return match[1] if match else ""


def _there(machine: Machine, devices: tuple[PciDevice, ...]) -> str:
    """What shows that there is a GPU; empty when nothing does."""
    if devices:
        count = f"{len(devices)} on the PCI bus" if len(devices) > 1 else "one on the PCI bus"
        return f"{count} ({', '.join(device.address for device in devices[:8])})"
    if machine.path("/dev/dxg").exists() and machine.path("/usr/lib/wsl/lib/libcuda.so.1").exists():
        return "one given by Windows (/dev/dxg)"
    if machine.path("/dev/nvmap").exists() or machine.path("/dev/nvhost-gpu").exists():
        return "one in the processor (Tegra, Jetson)"
    return ""


def _driver(
    machine: Machine, loaded: str, library: Nvml, devices: tuple[PciDevice, ...], *, needed: bool
) -> Check:
    if library.code == nvml.VERSION_MISMATCH or (loaded and library.driver and loaded != library.driver):
        other = f"of {library.driver}" if library.driver else "of another version"
        return broken(
            _DRIVER,
            f"the loaded kernel module is of {loaded or 'one version'}, the installed libraries are {other}",
            (
                Cure(text="restart the machine (as root)", command="reboot"),
                Cure(
                    text="or end what uses the GPU and reload the modules (as root)",
                    command="modprobe -r nvidia_uvm nvidia_drm nvidia_modeset nvidia && modprobe nvidia",
                ),
            ),
            needed=needed,
        )
    if library.crashed:
        return broken(
            _DRIVER,
            f"the management library was asked, and {library.error}; kernel module {loaded or 'not loaded'}",
            (
                Cure(
                    text="see what the kernel says of it (as root)", command="dmesg | grep -i -e nvrm -e xid"
                ),
                Cure(
                    text="install driver and libraries of one version anew",
                    command=install_driver(machine)[0].command,
                ),
            ),
            needed=needed,
        )
    if library.loaded and not library.error:
        kind = "open" if "Open Kernel Module" in machine.read("/proc/driver/nvidia/version") else ""
        detail = f"{library.driver or loaded}{', open kernel modules' if kind else ''}"
        if library.lost:
            return broken(
                _DRIVER,
                f"{detail}, but {'; '.join(library.lost)}",
                (Cure(text="see what the kernel says of it (as root)", command="dmesg | grep -i xid"),),
                needed=needed,
            )
        return Check(id=_DRIVER, status="ok", detail=detail)
    if loaded and not library.loaded:
        branch = loaded.partition(".")[0]
        return broken(
            _DRIVER,
            f"the kernel module is of {loaded}, but libnvidia-ml.so.1 cannot be opened: {library.error}",
            (
                Cure(
                    text="install the user-mode libraries of the same version (as root)",
                    command=f"apt-get install libnvidia-compute-{branch} nvidia-utils-{branch}",
                ),
            ),
            needed=needed,
        )
    if library.code == nvml.NO_PERMISSION:
        cure = Cure(text="see nvidia-nodes, and the groups that own the nodes", command="ls -l /dev/nvidia*")
        return broken(_DRIVER, f"the driver does not let you in: {library.error}", (cure,), needed=needed)
    return _not_loaded(machine, library, devices, loaded, needed=needed)


def _not_loaded(
    machine: Machine, library: Nvml, devices: tuple[PciDevice, ...], loaded: str, *, needed: bool
) -> Check:
    modules = {line.partition(" ")[0] for line in machine.read("/proc/modules").splitlines()}
    if "nouveau" in modules and any(device.driver in {"nouveau", ""} for device in devices):
        return broken(
            _DRIVER,
            "the kernel uses nouveau for the GPU, which has no CUDA and keeps NVIDIA's driver out",
            (
                *install_driver(machine),
                Cure(
                    text="NVIDIA's packages keep nouveau away; without them (as root), then restart the machine",
                    command="printf 'blacklist nouveau\\noptions nouveau modeset=0\\n' "
                    ">/etc/modprobe.d/blacklist-nouveau.conf && update-initramfs -u",
                ),
            ),
            needed=needed,
        )
    held = [device for device in devices if device.driver == "vfio-pci"]
    if held and len(held) == len(devices):
        detail = "the GPU is held by vfio-pci, to be passed through to a virtual machine"
        cure = Cure(text="give it back to the host, or run in the virtual machine")
        return broken(_DRIVER, detail, (cure,), needed=needed)
    if library.loaded and not loaded:
        secure = _secure_boot(machine)
        cures = [
            Cure(text="load the module (as root)", command="modprobe nvidia"),
            Cure(text="see whether it was built for this kernel", command="dkms status"),
        ]
        if secure:
            cures.append(
                Cure(
                    text="Secure Boot is on: enrol the key that signs the module, or switch Secure Boot off",
                    command="mokutil --import /var/lib/shim-signed/mok/MOK.der",
                )
            )
        why = f" ({library.error})" if library.error else ""
        return broken(
            _DRIVER,
            f"the libraries are installed, but the kernel module is not loaded{why}",
            cures,
            needed=needed,
        )
    if not needed:
        return Check(
            id=_DRIVER,
            status="warning",
            detail="there is a GPU, and no driver for it",
            fix=install_driver(machine),
        )
    return absent(_DRIVER, "no driver is installed", *install_driver(machine), needed=needed)


def _secure_boot(machine: Machine) -> bool:
    """Whether the firmware says so: four bytes of attributes, then 1 (UEFI specification, global variables)."""
    try:
        return machine.path(_SECURE_BOOT).read_bytes()[4:5] == b"\1"
    except OSError:
        return False


def _nodes(machine: Machine, version: str, *, needed: bool) -> Check:
    if not version:
        return Check(id=_NODES, status="not_needed", detail="without a driver there are none")
    if machine.path("/dev/dxg").exists():
        return Check(id=_NODES, status="ok", detail="/dev/dxg (Windows Subsystem for Linux)")
    names = machine.names("/dev")
    cards = [name for name in names if re.fullmatch(r"nvidia\d+", name)]
    wanted = ["nvidiactl", "nvidia-uvm"]
    missing = [f"/dev/{name}" for name in wanted if name not in names] + ([] if cards else ["/dev/nvidia0"])
    if missing:
        if machine.path("/dev/nvmap").exists():
            return Check(id=_NODES, status="ok", detail="/dev/nvmap (Tegra)")
        return broken(
            _NODES,
            f"missing: {', '.join(missing)}",
            (
                Cure(text="make them (as root)", command="nvidia-modprobe -u -c=0"),
                Cure(text="in a container, start that with --gpus all"),
            ),
            needed=needed,
        )
    closed = [
        f"/dev/{name}" for name in (*wanted, *cards) if not may_open(machine, machine.path(f"/dev/{name}"))
    ]
    if closed:
        return broken(
            _NODES,
            f"you may not open {', '.join(closed)}",
            (
                Cure(
                    text="see which group owns them, and join it; the driver's default is that everybody may",
                    command="ls -l /dev/nvidia* && cat /etc/modprobe.d/*nvidia*",
                ),
            ),
            needed=needed,
        )
    return Check(
        id=_NODES, status="ok", detail=f"/dev/nvidiactl, /dev/nvidia-uvm, {len(cards)} of /dev/nvidiaN"
    )
