"""What NVIDIA's management library says, asked in a process of its own."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from layerwright.doctor.foreign import as_mapping, one_line

if TYPE_CHECKING:
    from layerwright.doctor.machine import Machine

__all__ = ["Nvml", "NvmlDevice", "ask_nvml", "parse_nvml"]

_CHILD: Final = Path(__file__).with_name("nvml_child.py")
_SECONDS: Final = 4.0
_MOST_DEVICES: Final = 64

VERSION_MISMATCH: Final = 18
"""NVML_ERROR_LIB_RM_VERSION_MISMATCH: library and kernel module are of different drivers."""
NO_PERMISSION: Final = 4
"""NVML_ERROR_NO_PERMISSION."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NvmlDevice:
    """One GPU.

    Attributes:
        name: product name.
        compute_capability: ``8.6``; empty when not known.
        memory_bytes: 0 when not known.
        mig: it is split into instances; None where it cannot be.
        persistence: the driver keeps it initialised; None when not known.
        brand: ``nvmlBrandType_t``.
    """

    name: str
    compute_capability: str = ""
    memory_bytes: int = 0
    mig: bool | None = None
    persistence: bool | None = None
    brand: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Nvml:
    """What was learned.

    Attributes:
        loaded: the library is there and could be opened.
        error: what went wrong, in its own words; empty when nothing did.
        code: NVML's error code, 0 for none.
        crashed: the question ended by a signal, a time-out or in nonsense; ``error`` says which.
        driver: version of the driver.
        cuda: greatest CUDA version that the driver states.
        devices: its GPUs.
        lost: GPUs that could not be asked, and why.
    """

    loaded: bool = False
    error: str = ""
    code: int = 0
    crashed: bool = False
    driver: str = ""
    cuda: str = ""
    devices: tuple[NvmlDevice, ...] = ()
    lost: tuple[str, ...] = ()


def ask_nvml(machine: "Machine") -> Nvml:
    """Ask the library that programs of this user would get."""
    done = machine.start([sys.executable, "-I", "-S", str(_CHILD)], seconds=_SECONDS)
    if done.timed_out:
        return Nvml(loaded=True, crashed=True, error=f"it did not answer within {_SECONDS:g} s")
    if done.status != 0:
        how = f"it ended by {done.signal}" if done.signal else f"it ended with status {done.status}"
        return Nvml(loaded=True, crashed=True, error=how)
    return parse_nvml(done.out)


def parse_nvml(text: str) -> Nvml:
    """Read what the child printed; the library has written into it, so nothing is taken on trust."""
    try:
        document = as_mapping(json.loads(text))
    except (ValueError, RecursionError):
        document = {}
    if not isinstance(document.get("loaded"), bool):
        return Nvml(loaded=True, crashed=True, error="it answered with something that cannot be read")
    devices = document.get("devices")
    lost = document.get("lost")
    return Nvml(
        loaded=document["loaded"],
        error=_text(document, "error"),
        code=_number(document, "code"),
        driver=_text(document, "driver"),
        cuda=_text(document, "cuda"),
        devices=tuple(_device(as_mapping(row)) for row in devices[:_MOST_DEVICES])
        if isinstance(devices, list)
        else (),
        lost=tuple(one_line(str(row)) for row in lost[:_MOST_DEVICES]) if isinstance(lost, list) else (),
    )


def _device(row: Mapping[str, Any]) -> NvmlDevice:
    mig, persistence = row.get("mig"), row.get("persistence")
    return NvmlDevice(
        name=_text(row, "name"),
        compute_capability=_text(row, "compute_capability"),
        memory_bytes=max(0, _number(row, "memory_bytes")),
        mig=mig if isinstance(mig, bool) else None,
        persistence=persistence if isinstance(persistence, bool) else None,
        brand=_number(row, "brand"),
    )


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return one_line(value) if isinstance(value, str) else ""


def _number(row: Mapping[str, Any], name: str) -> int:
    value = row.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
