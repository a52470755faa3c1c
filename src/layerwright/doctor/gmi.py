"""What Moore Threads' tool ``mthreads-gmi`` prints.

Its table, seen with versions 1.14 to 2.4::

    mthreads-gmi:2.4.1           Driver Version:5.1.0-server
    ID   Name                 |PCIe                |%GPU  Mem
    0    MTT S5000            |00000000:18:00.0    |0%    0MiB(81920MiB)

``mthreads-gmi -q`` prints blocks of ``Product Name : MTT S80`` instead.
"""

import re
from dataclasses import dataclass
from typing import Final

from layerwright.doctor.foreign import one_line

__all__ = ["Gmi", "GmiDevice", "parse_gmi"]

_TEXT_LIMIT: Final = 1 << 18
_MOST_DEVICES: Final = 64
_TOOL: Final = re.compile(r"mthreads-gmi\s{0,4}:\s{0,4}(\d[\w.+-]{0,40})")
_DRIVER: Final = re.compile(r"Driver Version\s{0,20}:\s{0,20}([\w.+-][\w.+/-]{0,60})")
_ROW: Final = re.compile(r"^\s{0,4}\d{1,3}\s{1,8}(\S[^|]{0,60}?)\s{0,40}\|[^|]{0,60}\|(.{0,80})$")
_MEMORY: Final = re.compile(r"\((\d{1,9})\s?MiB\)")
_PRODUCT: Final = re.compile(r"^\s{0,20}Product Name\s{0,40}:\s{0,10}(\S.{0,60})$")
_NONE: Final = frozenset({"N/A", "n/a", "NA", "-"})


@dataclass(frozen=True, slots=True, kw_only=True)
class GmiDevice:
    """A GPU; ``memory_bytes`` is 0 when it is not said."""

    name: str
    memory_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gmi:
    """What could be read.

    Attributes:
        tool_version: of mthreads-gmi; empty when it is not said.
        driver_version: ``3.3.5-server``; empty when it is not said or is ``N/A``.
        driver_missing: it says ``N/A``: the tool runs and finds no driver.
        devices: its GPUs, in order.
    """

    tool_version: str = ""
    driver_version: str = ""
    driver_missing: bool = False
    devices: tuple[GmiDevice, ...] = ()

    @property
    def empty(self) -> bool:
        """Nothing of all that was found."""
        return not (self.tool_version or self.driver_version or self.driver_missing or self.devices)


def parse_gmi(text: str) -> Gmi:
    """Read either form; whatever is not known in it is passed over."""
    text = text[:_TEXT_LIMIT]
    tool, driver = _TOOL.search(text), _DRIVER.search(text)
    devices: list[GmiDevice] = []
    products: list[GmiDevice] = []
    for line in text.splitlines():
        if len(line) > 400:  # noqa: PLR2004 - no line of the table is
            continue
        if row := _ROW.match(line):
            memory = _MEMORY.search(row[2])
            size = int(memory[1]) << 20 if memory else 0
            devices.append(GmiDevice(name=one_line(row[1]), memory_bytes=size))
        elif product := _PRODUCT.match(line):
            products.append(GmiDevice(name=one_line(product[1])))
    version = driver[1] if driver else ""
    return Gmi(
        tool_version=tool[1] if tool else "",
        driver_version="" if version in _NONE else version,
        driver_missing=version in _NONE,
        devices=tuple((devices or products)[:_MOST_DEVICES]),
    )
