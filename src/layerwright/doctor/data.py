"""Facts that the checks go by and that are not code: products, mirrors, engines' limits. Each has its source."""

from pathlib import Path
from typing import Final, Literal, TypeVar

import msgspec

from layerwright.core.findings import Confidence

__all__ = [
    "Mirror",
    "MthreadsData",
    "NvidiaData",
    "Package",
    "Product",
    "Quirk",
    "mirrors",
    "mthreads",
    "nvidia",
    "quirks",
]

_FOLDER: Final = Path(__file__).with_name("data")


class _Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of a data file: a misspelt key is an error."""


class Mirror(_Record, frozen=True, kw_only=True):
    """A server that has copies of PyPI and Debian.

    Attributes:
        id: short name.
        title: who runs it.
        region: where it is meant to be used.
        pypi, debian, debian_security, ubuntu, ubuntu_ports, conda: addresses.
        source, confidence: where they are from.
    """

    id: str
    title: str
    region: str
    pypi: str
    debian: str
    debian_security: str
    ubuntu: str
    ubuntu_ports: str
    conda: str
    source: str
    confidence: Confidence


class Product(_Record, frozen=True, kw_only=True):
    """A Moore Threads product.

    Attributes:
        name: as ``mthreads-gmi`` prints it.
        arch: as image tags have it, ``qy1``; empty when there is no such name.
        musa_arch: as ``TORCH_MUSA_ARCH_LIST`` has it, ``21``.
        source, confidence: where that is from.
    """

    name: str
    arch: str
    musa_arch: str
    source: str
    confidence: Confidence


class Package(_Record, frozen=True, kw_only=True):
    """A Debian package of a vendor, and what is in it."""

    name: str
    what: str


class MthreadsData(_Record, frozen=True, kw_only=True):
    """What is known of Moore Threads hosts; the fields are those of ``mthreads.toml``."""

    schema_version: Literal[1]
    as_of: str
    kernel_least: str
    kernel_most: str
    kernel_source: str
    kernel_confidence: Confidence
    render_group: int
    render_group_source: str
    render_group_confidence: Confidence
    product: tuple[Product, ...]
    package: tuple[Package, ...]


class NvidiaData(_Record, frozen=True, kw_only=True):
    """What is known of NVIDIA's products; the fields are those of ``nvidia.toml``."""

    schema_version: Literal[1]
    as_of: str
    data_center: tuple[str, ...]
    data_center_source: str
    data_center_confidence: Confidence


class Quirk(_Record, frozen=True, kw_only=True):
    """Something that versions of an engine cannot do.

    Attributes:
        engine: ``docker`` or ``podman``.
        since: first version with it; empty for all before ``below``.
        below: first version without it; empty when it is still so.
        level: whether something should be done about it.
        text: what it is.
        cure: what to do; empty for nothing.
        source, confidence: how that is known.
    """

    engine: Literal["docker", "podman"]
    since: str = msgspec.field(default="", name="from")
    below: str = ""
    level: Literal["note", "warning"]
    text: str
    cure: str = ""
    source: str
    confidence: Confidence

    def holds(self, version: tuple[int, ...]) -> bool:
        """Whether a version has it."""
        return _numbers(self.since) <= version and (not self.below or version < _numbers(self.below))


class _Mirrors(_Record, frozen=True, kw_only=True):
    schema_version: Literal[1]
    as_of: str
    mirror: tuple[Mirror, ...]


class _Quirks(_Record, frozen=True, kw_only=True):
    schema_version: Literal[1]
    as_of: str
    quirk: tuple[Quirk, ...]


_File = TypeVar("_File", bound=_Record)


def mirrors() -> tuple[Mirror, ...]:
    """Mirrors to offer."""
    return _read("mirrors.toml", _Mirrors).mirror


def mthreads() -> MthreadsData:
    """What is known of Moore Threads hosts."""
    return _read("mthreads.toml", MthreadsData)


def nvidia() -> NvidiaData:
    """What is known of NVIDIA's products."""
    return _read("nvidia.toml", NvidiaData)


def quirks(engine: str, version: tuple[int, ...]) -> tuple[Quirk, ...]:
    """What this version of an engine is known for."""
    known = _read("engines.toml", _Quirks).quirk
    return tuple(quirk for quirk in known if quirk.engine == engine and quirk.holds(version))


def _read(name: str, kind: type[_File]) -> _File:
    import msgspec.toml  # noqa: PLC0415 - start-up

    return msgspec.toml.decode((_FOLDER / name).read_bytes(), type=kind)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")) if version else ()
