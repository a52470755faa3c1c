"""Graphics and compute devices on the PCI bus, as the kernel lists them."""

from dataclasses import dataclass
from typing import Final

from layerwright.doctor.machine import Machine
from layerwright.doctor.model import Check, Cure, absent

__all__ = ["MTHREADS", "NVIDIA", "PciDevice", "display_devices", "nothing_on_bus"]

NVIDIA: Final = "10de"
MTHREADS: Final = "1ed5"
"""Vendor ids (https://pci-ids.ucw.cz/)."""

_DEVICES: Final = "/sys/bus/pci/devices"
_DISPLAY: Final = "03"
_ACCELERATOR: Final = "12"


@dataclass(frozen=True, slots=True, kw_only=True)
class PciDevice:
    """A device: its address, its device id, and the kernel driver that has taken it (empty for none)."""

    address: str
    device: str
    driver: str = ""


def display_devices(machine: Machine, vendor: str) -> tuple[PciDevice, ...]:
    """Display controllers and processing accelerators of a vendor (PCI classes 03 and 12)."""
    found = []
    for address in machine.names(_DEVICES):
        folder = f"{_DEVICES}/{address}"
        if _hex(machine.read(f"{folder}/vendor", limit=16)) != vendor:
            continue
        if _hex(machine.read(f"{folder}/class", limit=16))[:2] not in {_DISPLAY, _ACCELERATOR}:
            continue
        try:
            driver = machine.path(f"{folder}/driver").readlink().name
        except OSError:
            driver = ""
        device = _hex(machine.read(f"{folder}/device", limit=16))
        found.append(PciDevice(address=address, device=device, driver=driver))
    return tuple(found)


def nothing_on_bus(machine: Machine, identity: str, what: str, *, needed: bool) -> Check:
    """The check of a device that was not found: where /sys cannot be seen, that says nothing."""
    if not machine.path("/sys/bus").is_dir():
        detail = f"whether there is a {what} cannot be seen: there is no /sys"
        return Check(id=identity, status="unknown" if needed else "not_needed", detail=detail)
    cure = Cure(text="in a virtual machine, pass the device through; else see whether the firmware shows it")
    return absent(identity, f"there is no {what} on the PCI bus", cure, needed=needed)


def _hex(text: str) -> str:
    return text.strip().lower().removeprefix("0x")
