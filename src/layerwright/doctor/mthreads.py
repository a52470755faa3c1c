"""Moore Threads: devices, driver, its tool with its many ways of failing, kernel, runtime.

What users report, and the cures: issues 5, 12, 13, 73, 79, 118 and 134 of MooreThreads/torch_musa, and the FAQ of
MooreThreads/tutorial_on_musa.
"""

import re
from dataclasses import dataclass
from typing import Final

from layerwright.core.findings import Kind
from layerwright.doctor import data
from layerwright.doctor.accounts import may_open
from layerwright.doctor.data import MthreadsData, Product
from layerwright.doctor.foreign import one_line
from layerwright.doctor.gmi import Gmi, GmiDevice, parse_gmi
from layerwright.doctor.machine import Attempt, Machine
from layerwright.doctor.model import Check, Cure, Needs, Outcome, absent, broken
from layerwright.doctor.mthreads_container import CONTAINER_KINDS, container_checks, in_container
from layerwright.doctor.pci import MTHREADS, PciDevice, display_devices, nothing_on_bus
from layerwright.doctor.system import kernel_version
from layerwright.facts.model import Gpu, HostFacts

__all__ = ["KINDS", "examine", "product_of"]

_DEVICE, _TOOL, _DRIVER = "mthreads-device", "mthreads-tool", "mthreads-driver"
_GPUS, _NODES = "mthreads-gpus", "mthreads-nodes"
_KERNEL, _IOMMU = "mthreads-kernel", "mthreads-iommu"
_PROGRAM: Final = "mthreads-gmi"
_SECONDS: Final = 4.0
_NODE: Final = re.compile(r"mtgpu\.?\d+")
_NO_LIBRARY: Final = ("cannot open shared object", "file too short", "libsrv_um_MUSA", "libmtml")

_INSTALL: Final = Cure(
    text="get the driver for your GPU and kernel from https://developer.mthreads.com/ and install it (as root), then "
    "restart the machine",
    command="dpkg -i musa_*.deb",
)
_RELOAD: Final = Cure(text="load the module anew (as root)", command="modprobe -rv mtgpu; modprobe mtgpu")
_KERNEL_LOG: Final = Cure(text="see what the kernel says of it (as root)", command="dmesg | grep -i mtgpu")
_IN_CONTAINER: Final = Cure(
    text="this is a container: the runtime puts tool and library in when it is started so",
    command="docker run --runtime=mthreads -e MTHREADS_VISIBLE_DEVICES=all …",
)

KINDS: Final = (
    Kind(
        code=_DEVICE,
        title="a Moore Threads GPU on the bus",
        why="Nothing that follows can help where there is no GPU.",
        evidence="`/sys/bus/pci/devices` (vendor 1ed5, classes 03 and 12).",
        repair="Plug one in, or pass it through to the virtual machine; boards want Above 4G Decoding in the firmware.",
    ),
    Kind(
        code=_TOOL,
        title="mthreads-gmi works",
        why="It is the only witness of driver and products. It fails in many ways: not there, empty (zero bytes), "
        "silent, ended by a signal, hanging; each has its own cause.",
        evidence="Starting it, with a time limit.",
        repair="Depends on how it fails; the check says.",
    ),
    Kind(
        code=_DRIVER,
        title="Moore Threads' driver is loaded",
        why="Each MUSA SDK wants its driver; `Driver Version: N/A` means that there is none.",
        evidence="`Driver Version` of mthreads-gmi, and the kernel module mtgpu in /proc/modules.",
        repair="Install the driver that the image's SDK asks for.",
    ),
    Kind(
        code=_GPUS,
        title="what the GPUs are",
        why="Images are made for one architecture (qy1, qy2, ph1); a wheel for another does not run.",
        evidence="Product names of mthreads-gmi, against the recorded table of products.",
        repair="Nothing to mend; the architecture named is what a spec calls `gpu_arch`, and image tags end with.",
    ),
    Kind(
        code=_NODES,
        title="Moore Threads' device nodes",
        why="Programs open /dev/mtgpu.N and the render nodes.",
        evidence="The nodes, and whether you may open them.",
        repair="Load the module; join the group render.",
    ),
    Kind(
        code=_KERNEL,
        title="the kernel is one that the driver knows",
        why="The driver's module is built for Linux 5.4 to 5.15; on others it may not build or not load.",
        evidence="`/proc/sys/kernel/osrelease`, against the vendor's FAQ.",
        repair="Boot a kernel in that range (Ubuntu 20.04 and 22.04 have 5.4 and 5.15).",
    ),
    Kind(
        code=_IOMMU,
        title="the IOMMU is on",
        why="Without it the driver may see no GPU, or not all memory; the vendor's FAQ asks for it.",
        evidence="`/sys/class/iommu`.",
        repair="Switch on VT-d or AMD-Vi in the firmware, and intel_iommu=on or amd_iommu=on for the kernel.",
    ),
    *CONTAINER_KINDS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What was looked at once.

    Attributes:
        devices: on the bus.
        module: mtgpu is loaded.
        installed: mthreads-gmi is there.
        gmi: what it prints.
        needed: Moore Threads GPUs are asked for.
    """

    devices: tuple[PciDevice, ...]
    module: bool
    installed: bool
    gmi: Gmi
    needed: bool


def examine(machine: Machine, needs: Needs) -> Outcome:
    """Look at Moore Threads' devices, driver and runtime."""
    known = data.mthreads()
    needed = needs.wants("mthreads")
    devices = display_devices(machine, MTHREADS)
    modules = {line.partition(" ")[0] for line in machine.read("/proc/modules").splitlines()}
    attempt, gmi = _ask(machine)
    seen = _Seen(
        devices=devices, module="mtgpu" in modules, installed=attempt is not None, gmi=gmi, needed=needed
    )
    if not devices and not seen.module and attempt is None and not _nodes_of(machine):
        detail = "no Moore Threads GPU was found"
        first = nothing_on_bus(machine, _DEVICE, "Moore Threads GPU", needed=needed)
        rest = [Check(id=kind.code, status="not_needed", detail=detail) for kind in KINDS[1:]]
        return Outcome(checks=(first, *rest))
    checks = (
        _device(seen),
        _tool(machine, attempt, seen),
        _driver(seen),
        _gpus(known, seen),
        _nodes(machine, seen),
        _kernel(machine, known),
        _iommu(machine),
        *container_checks(machine, known, needed=needed),
    )
    facts = HostFacts(
        mthreads_driver_version=gmi.driver_version,
        gpus=tuple(
            Gpu(name=device.name, vendor="mthreads", memory_bytes=device.memory_bytes)
            for device in gmi.devices
        ),
    )
    return Outcome(checks=checks, facts=facts)


def product_of(known: MthreadsData, name: str) -> Product | None:
    """The product of a name as the tool prints it (``MTT S80``, ``MTTS80``); None when it is not recorded."""

    def plain(text: str) -> str:
        return re.sub(r"[\s-]+", "", text).upper()

    return next((product for product in known.product if plain(product.name) == plain(name)), None)


def _ask(machine: Machine) -> tuple[Attempt | None, Gmi]:
    """Start the tool: None when it is not there, also not as a file that cannot be started."""
    program = machine.program(_PROGRAM)
    if program is None:
        file = machine.path(f"/usr/bin/{_PROGRAM}")
        if not file.exists():
            return None, Gmi()
        return Attempt(status=126, error=_empty(file.stat().st_size)), Gmi()
    try:
        size = program.stat().st_size
    except OSError:
        size = -1
    if size == 0:
        return Attempt(status=126, error=_empty(0)), Gmi()
    done = machine.start([str(program)], seconds=_SECONDS)
    gmi = parse_gmi(done.out)
    if done.status == 0 and not gmi.devices:
        full = machine.start([str(program), "-q"], seconds=_SECONDS)
        more = parse_gmi(full.out)
        if more.devices and full.status == 0:
            gmi = Gmi(
                tool_version=gmi.tool_version,
                driver_version=gmi.driver_version or more.driver_version,
                driver_missing=gmi.driver_missing,
                devices=more.devices,
            )
    return done, gmi


def _empty(size: int) -> str:
    return "the file is empty (zero bytes)" if size == 0 else "the file may not be executed"


def _device(seen: _Seen) -> Check:
    if not seen.devices:
        return Check(
            id=_DEVICE,
            status="unknown",
            detail="none on the PCI bus that can be seen here, but parts of a driver",
        )
    addresses = ", ".join(device.address for device in seen.devices[:8])
    count = len(seen.devices) if seen.devices[1:] else "one"
    unbound = [device for device in seen.devices if not device.driver]
    note = "; no kernel driver has taken it" if unbound else ""
    return Check(id=_DEVICE, status="ok", detail=f"{count} on the PCI bus ({addresses}){note}")


def _tool(machine: Machine, attempt: Attempt | None, seen: _Seen) -> Check:
    here = (_IN_CONTAINER,) if in_container(machine) else ()
    if attempt is None:
        fix = (*here, _INSTALL)
        if seen.needed:
            return absent(_TOOL, f"{_PROGRAM} was not found", *fix, needed=True)
        return Check(id=_TOOL, status="warning", detail=f"{_PROGRAM} was not found", fix=fix)

    def fails(how: str, *fix: Cure) -> Check:
        return broken(_TOOL, f"{_PROGRAM} {how}", (*here, *fix), needed=seen.needed)

    if attempt.timed_out:
        return fails(f"does not answer within {_SECONDS:g} s: the driver hangs", _KERNEL_LOG, _RELOAD)
    if attempt.signal:
        return fails(
            f"ended by {attempt.signal}: driver and tool are of different versions", _INSTALL, _KERNEL_LOG
        )
    said = one_line(attempt.error)
    if attempt.status != 0:
        if "empty" in said or any(word in said for word in _NO_LIBRARY):
            bind = Cure(
                text="on the host: install the container toolkit and bind it to Docker (as root)",
                command="cd /usr/bin/musa && ./docker setup $PWD",
            )
            return fails(f"is not whole ({said}): the container runtime has not put it in", bind, _INSTALL)
        return fails(
            f"ends with status {attempt.status}: {said or 'and says nothing'}", _INSTALL, _KERNEL_LOG
        )
    if not attempt.out.strip():
        group = Cure(
            text="join the group render (as root) and log in again", command="usermod -aG render,video $USER"
        )
        return fails("prints nothing: it may not open the GPU, or sees none", group, _RELOAD)
    if seen.gmi.empty:
        return Check(
            id=_TOOL,
            status="unknown",
            detail=f"{_PROGRAM} prints what cannot be read: {one_line(attempt.out)[:80]}",
            fix=(Cure(text="see for yourself", command=_PROGRAM),),
        )
    return Check(id=_TOOL, status="ok", detail=f"{_PROGRAM} {seen.gmi.tool_version or '(version not said)'}")


def _driver(seen: _Seen) -> Check:
    module = "kernel module mtgpu is loaded" if seen.module else "kernel module mtgpu is not loaded"
    if seen.gmi.driver_version:
        detail = f"{seen.gmi.driver_version}; {module}{_recorded(seen.gmi.driver_version)}"
        return Check(id=_DRIVER, status="ok", detail=detail)
    if seen.module and not seen.gmi.driver_missing:
        return Check(id=_DRIVER, status="unknown", detail=f"{module}; only mthreads-gmi knows its version")
    said = "mthreads-gmi says N/A; " if seen.gmi.driver_missing else ""
    fix = (_RELOAD, _INSTALL) if seen.installed else (_INSTALL,)
    return broken(_DRIVER, f"{said}{module}", fix, needed=seen.needed)


def _recorded(driver: str) -> str:
    """Which torch_musa is on record with the nearest driver that is not newer; empty when none is."""
    from layerwright.facts.compat.musa import MusaFile, driver_numbers  # noqa: PLC0415 - start-up
    from layerwright.facts.compat.records import load  # noqa: PLC0415 - start-up

    own = driver_numbers(driver)
    older = [
        row for row in load(MusaFile).release if row.driver and own and driver_numbers(row.driver) <= own
    ]
    if not older:
        return ""
    best = max(older, key=lambda row: driver_numbers(row.driver))
    names = ", ".join(row.torch_musa for row in older if row.driver == best.driver)
    return f"; on record: torch_musa {names} with driver {best.driver}"


def _gpus(known: MthreadsData, seen: _Seen) -> Check:
    if not seen.gmi.devices:
        return Check(id=_GPUS, status="unknown", detail="only mthreads-gmi knows them, and it shows none")
    shown = [_described(known, device) for device in seen.gmi.devices]
    counted = [
        f"{shown.count(text)} x {text}" if shown.count(text) > 1 else text for text in dict.fromkeys(shown)
    ]
    strange = {device.name for device in seen.gmi.devices if product_of(known, device.name) is None}
    if strange:
        return Check(
            id=_GPUS,
            status="unknown",
            detail=f"{', '.join(counted)}; the architecture of {', '.join(sorted(strange))} is not recorded",
            fix=(Cure(text="ask the vendor which image tag (qy1, qy2, ph1) goes with it"),),
        )
    return Check(id=_GPUS, status="ok", detail=", ".join(counted))


def _described(known: MthreadsData, device: GmiDevice) -> str:
    product = product_of(known, device.name)
    parts = [f"architecture {product.arch or 'without a name'}, MUSA {product.musa_arch}"] if product else []
    parts += [f"{device.memory_bytes / (1 << 30):.0f} GiB"] if device.memory_bytes else []
    return f"{device.name} ({', '.join(parts)})" if parts else device.name


def _nodes_of(machine: Machine) -> list[str]:
    return [name for name in machine.names("/dev") if _NODE.fullmatch(name)]


def _nodes(machine: Machine, seen: _Seen) -> Check:
    nodes = _nodes_of(machine)
    if not nodes:
        here = (_IN_CONTAINER,) if in_container(machine) else ()
        return broken(_NODES, "there is no /dev/mtgpu.N", (*here, _RELOAD), needed=seen.needed)
    closed = [name for name in nodes if not may_open(machine, machine.path(f"/dev/{name}"))]
    if closed:
        group = Cure(
            text="join the group render (as root) and log in again", command="usermod -aG render,video $USER"
        )
        return broken(
            _NODES,
            f"you may not open {', '.join(f'/dev/{name}' for name in closed)}",
            (group,),
            needed=seen.needed,
        )
    return Check(id=_NODES, status="ok", detail=", ".join(f"/dev/{name}" for name in nodes))


def _kernel(machine: Machine, known: MthreadsData) -> Check:
    version = kernel_version(machine.read("/proc/sys/kernel/osrelease"))
    least, most = kernel_version(known.kernel_least), kernel_version(known.kernel_most)
    between = f"the vendor names {known.kernel_least} to {known.kernel_most}"
    if version is None or least is None or most is None:
        return Check(id=_KERNEL, status="unknown", detail=f"the kernel's version is not known; {between}")
    detail = f"Linux {version[0]}.{version[1]}; {between}"
    if least <= version <= most:
        return Check(id=_KERNEL, status="ok", detail=detail)
    # A newer driver may well know a newer kernel: the recorded range is of one FAQ.
    return Check(
        id=_KERNEL,
        status="warning",
        detail=detail,
        fix=(
            Cure(
                text="see the driver's release notes for your kernel, or boot one in the range (as root)",
                command="apt-get install linux-image-5.15.0-105-generic linux-headers-5.15.0-105-generic",
            ),
        ),
    )


def _iommu(machine: Machine) -> Check:
    if machine.names("/sys/class/iommu"):
        return Check(id=_IOMMU, status="ok", detail="on")
    if not machine.path("/sys/class").is_dir():
        return Check(id=_IOMMU, status="unknown", detail="/sys/class/iommu cannot be seen")
    return Check(
        id=_IOMMU,
        status="warning",
        detail="off: the vendor's FAQ asks for it",
        fix=(
            Cure(
                text="switch on VT-d or AMD-Vi in the firmware, put intel_iommu=on (AMD: amd_iommu=on) into "
                "GRUB_CMDLINE_LINUX of /etc/default/grub, and restart the machine (as root)",
                command="update-grub",
            ),
        ),
    )
