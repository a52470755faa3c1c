"""Whether a GPU runs the kernels of a binary: machine code (cubin), else PTX that the driver compiles."""

import re
from collections.abc import Iterable
from typing import Final, Literal

from msgspec import Struct

from layerwright.core.findings import Evidence
from layerwright.facts.compat.cuda import CudaFile
from layerwright.facts.compat.records import load

__all__ = ["Kernels", "kernels"]

_CAPABILITY = re.compile(r"(?P<major>\d{1,3})\.(?P<minor>\d)(?P<suffix>[af]?)")

_EMBEDDED: Final = frozenset({(3, 2), (5, 3), (6, 2), (7, 2), (8, 7), (10, 1), (11, 0)})
"""Capabilities of Tegra chips (Jetson). NVIDIA promises binary compatibility among desktop GPUs only, not between these
and desktop GPUs. Source: CUDA C++ programming guide, binary compatibility."""


class Kernels(Struct, frozen=True, kw_only=True):
    """Whether a binary has kernels for a GPU.

    Attributes:
        verdict: ``cubin``: machine code that it runs. ``ptx``: none, but PTX, which a driver that knows its version
            compiles at the first run. ``none``: neither, so kernels fail with "no kernel image is available".
            ``unknown``: the lists are empty, the GPU's capability is not known, or NVIDIA does not say.
        via: the entry of the lists that serves it, ``8.6`` or ``12.0a``.
    """

    verdict: Literal["cubin", "ptx", "none", "unknown"]
    via: str = ""
    evidence: tuple[Evidence, ...] = ()


def kernels(sm: Iterable[str], ptx: Iterable[str], capability: str) -> Kernels:
    """Whether a binary with machine code for ``sm`` and PTX for ``ptx`` has kernels for a GPU.

    Both empty means that the lists are not known. Code without suffix runs on the same major and an equal or greater
    minor; with ``a`` on that capability only; with ``f`` within its family.
    """
    gpu = _parse(capability)
    codes, texts = list(sm), list(ptx)
    if gpu is None or gpu.suffix or not (codes or texts):
        return Kernels(verdict="unknown")
    served = [code for code in codes if _cubin_runs(code, gpu)]
    exact = [code for code in served if (parsed := _parse(code)) and parsed.number == gpu.number]
    if exact:
        return Kernels(
            verdict="cubin",
            via=exact[-1],
            evidence=_rule("cubin-suffix" if exact[-1][-1].isalpha() else "cubin"),
        )
    embedded = gpu.number in _EMBEDDED
    if served and not embedded:
        via = max(served, key=lambda code: (_parse(code) or gpu).number)
        return Kernels(
            verdict="cubin", via=via, evidence=_rule("cubin-suffix" if via[-1].isalpha() else "cubin")
        )
    compiled = [text for text in texts if _ptx_runs(text, gpu)]
    if compiled:
        via = max(compiled, key=lambda text: (_parse(text) or gpu).number)
        return Kernels(verdict="ptx", via=via, evidence=_rule("ptx", "minor-ptx"))
    if served:
        return Kernels(verdict="unknown", via=served[-1], evidence=_rule("cubin"))
    return Kernels(verdict="none", evidence=_rule("cubin", "cubin-suffix", "ptx"))


class _Code(Struct, frozen=True):
    number: tuple[int, int]
    suffix: str


def _parse(text: str) -> _Code | None:
    match = _CAPABILITY.fullmatch(text)
    return _Code((int(match["major"]), int(match["minor"])), match["suffix"]) if match else None


def _cubin_runs(text: str, gpu: _Code) -> bool:
    code = _parse(text)
    if code is None:
        return False
    if code.suffix == "a":
        return code.number == gpu.number
    if code.suffix == "f":
        return _in_family(code.number, gpu.number)
    # Code for a Tegra chip serves no desktop GPU, whatever its number.
    if code.number in _EMBEDDED:
        return code.number == gpu.number
    return code.number[0] == gpu.number[0] and code.number[1] <= gpu.number[1]


def _ptx_runs(text: str, gpu: _Code) -> bool:
    code = _parse(text)
    if code is None:
        return False
    if code.suffix == "a":
        return code.number == gpu.number
    if code.suffix == "f":
        return _in_family(code.number, gpu.number)
    return code.number <= gpu.number


def _in_family(code: tuple[int, int], gpu: tuple[int, int]) -> bool:
    """Families share a major, but 10.1 (later named 11.0) stands alone.

    Source: CUDA C++ programming guide, family-specific compute capabilities.
    """
    if code == gpu:
        return True
    return code[0] == gpu[0] and code[1] < gpu[1] and not {code, gpu} & _EMBEDDED


def _rule(*names: str) -> tuple[Evidence, ...]:
    return tuple(record.evidence(record.text) for record in load(CudaFile).rule if record.id in names)
