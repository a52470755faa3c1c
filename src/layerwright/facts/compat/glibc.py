"""glibc and libstdc++: of systems, of manylinux tags, of GCC."""

import re
from typing import ClassVar, Final

from msgspec import Struct

from layerwright.core.findings import Evidence
from layerwright.facts.compat.records import Record, RecordFile, Rule, load

__all__ = [
    "CODENAMES",
    "GlibcFile",
    "Manylinux",
    "OperatingSystem",
    "manylinux",
    "operating_system",
    "os_of_image",
    "rule",
]

CODENAMES: Final = {
    "bionic": "ubuntu18.04",
    "focal": "ubuntu20.04",
    "jammy": "ubuntu22.04",
    "noble": "ubuntu24.04",
    "stretch": "debian9",
    "buster": "debian10",
    "bullseye": "debian11",
    "bookworm": "debian12",
    "trixie": "debian13",
}
"""Code names of releases. Sources: wiki.debian.org/DebianReleases, wiki.ubuntu.com/Releases."""

_NAME = re.compile(r"(?P<family>[a-z]+(?:-stream)?)-?(?P<version>\d[\d._]*)")
_TAG = re.compile(r"(?P<policy>manylinux(?:_\d+_\d+|1|2010|2014))(?:_(?P<machine>\w+))?")


class ManylinuxRecord(Record, frozen=True, kw_only=True):
    """A policy: the glibc it stands for and the greatest symbol versions it allows (on x86_64)."""

    tag: str
    aliases: tuple[str, ...] = ()
    glibc: str
    max_glibc_symbol: str
    max_glibcxx_symbol: str
    max_cxxabi_symbol: str
    max_gcc_symbol: str
    aarch64_max_glibcxx_symbol: str = ""


class Os(Record, frozen=True, kw_only=True):
    """The greatest symbol versions of a system's own libraries, and its default python3."""

    os: str
    glibc: str
    glibcxx: str
    cxxabi: str
    gcc_symbol: str
    python: str = ""


class ImageOs(Record, frozen=True, kw_only=True):
    """The system that an image's suffix stands for."""

    image: str
    suffix: str
    os: str


class LibStdCxx(Record, frozen=True, kw_only=True):
    """The GCC that brought a symbol version."""

    glibcxx: str
    gcc: str


class GlibcFile(RecordFile, frozen=True, kw_only=True):
    """``glibc.toml``."""

    FILE: ClassVar[str] = "glibc.toml"

    rule: tuple[Rule, ...]
    manylinux: tuple[ManylinuxRecord, ...]
    os: tuple[Os, ...]
    image_os: tuple[ImageOs, ...]
    libstdcxx: tuple[LibStdCxx, ...]


class OperatingSystem(Struct, frozen=True, kw_only=True):
    """A system. Empty: not known.

    Attributes:
        name: as in ``BaseFacts``: ``debian12``, ``ubuntu22.04``.
        glibc, glibcxx, cxxabi: greatest versions its libraries have: ``2.36``, ``3.4.30``, ``1.3.13``.
        python: of its package python3, which an image need not hold.
    """

    name: str
    glibc: str
    glibcxx: str
    cxxabi: str
    python: str
    evidence: Evidence


class Manylinux(Struct, frozen=True, kw_only=True):
    """A manylinux policy. ``glibc`` is what pip compares; the others are the greatest symbols it allows."""

    tag: str
    glibc: str
    max_glibc: str
    max_glibcxx: str
    evidence: Evidence


def operating_system(name: str) -> OperatingSystem | None:
    """A system by any of its spellings: ``debian12``, ``debian-12``, ``bookworm``; None when it is not recorded."""
    plain = _plain(CODENAMES.get(name, name))
    for record in load(GlibcFile).os:
        if _plain(record.os) == plain:
            text = f"{record.os} has glibc {record.glibc} and GLIBCXX_{record.glibcxx}"
            if record.python:
                text += f", and its python3 is Python {record.python}"
            return OperatingSystem(
                name=plain,
                glibc=record.glibc,
                glibcxx=record.glibcxx,
                cxxabi=record.cxxabi,
                python=record.python,
                evidence=record.evidence(text),
            )
    return None


def os_of_image(image: str, suffix: str) -> OperatingSystem | None:
    """The system of an image's suffix, ``nvidia/cuda`` and ``ubi8``; None when it is not recorded."""
    for record in load(GlibcFile).image_os:
        if image in record.image.split(", ") and record.suffix == suffix:
            return operating_system(record.os)
    return None


def manylinux(tag: str) -> Manylinux | None:
    """A policy by its tag, with or without the machine (``manylinux2014_x86_64``); None for no such policy."""
    match = _TAG.fullmatch(tag)
    if match is None:
        return None
    for record in load(GlibcFile).manylinux:
        if match["policy"] == record.tag or match["policy"] in record.aliases:
            arm = match["machine"] == "aarch64" and record.aarch64_max_glibcxx_symbol
            return Manylinux(
                tag=record.tag,
                glibc=record.glibc,
                max_glibc=record.max_glibc_symbol,
                max_glibcxx=arm or record.max_glibcxx_symbol,
                evidence=record.evidence(f"{tag} is for systems with glibc {record.glibc} or later"),
            )
    return None


def rule(name: str) -> Evidence | None:
    """A rule that holds for all of it, as evidence: ``pip``, ``tag-can-lie`` or ``symbol-not-version``."""
    return next((record.evidence(record.text) for record in load(GlibcFile).rule if record.id == name), None)


def _plain(name: str) -> str:
    match = _NAME.fullmatch(name)
    return f"{match['family']}{match['version']}" if match else name
