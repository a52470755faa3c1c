"""Graphics and compute devices on the PCI bus, as the kernel lists them."""

from dataclasses import dataclass
from typing import Final

from layerwright.doctor.machine import Machine

__all__ = ["MTHREADS", "NVIDIA", "PciDevice", "display_devices"]

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


def _hex(text: str) -> str:
    return text.strip().lower().removeprefix("0x")
