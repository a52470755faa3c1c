"""What the libraries of 44 wheels say themselves, beside what was documented of them."""

from typing import ClassVar

from layerwright.facts.compat.records import Record, RecordFile, Rule, load

__all__ = ["Check", "ElfFile", "Lib", "checks", "libraries"]


class Check(Record, frozen=True, kw_only=True):
    """One wheel: documentation against binaries.

    Attributes:
        build_cuda: toolkit that the wheel states inside; empty when it does not.
        agrees_cuda_minor: None when one of both names no minor release.
        tag_covers_glibc: its platform tag asks for all the glibc that its libraries need.
    """

    package: str
    version: str
    documented_cuda: str
    documented_cudnn: str = ""
    pinned_cudnn: str = ""
    elf_cuda_major: str
    elf_cudnn_major: str = ""
    elf_sonames: tuple[str, ...] = ()
    build_cuda: str = ""
    agrees_major: bool
    agrees_cuda_minor: bool | None = None
    platform_tags: tuple[str, ...]
    glibc_needed: str
    tag_covers_glibc: bool
    note: str = ""


class Lib(Record, frozen=True, kw_only=True):
    """One library of a wheel, or several together (``needed_outside``).

    Attributes:
        library: path in the wheel.
        needed: DT_NEEDED.
        needed_outside: what several bundled libraries need that the wheel does not bring.
        cuda_named: further CUDA sonames that stand in it as strings.
        fat_binary: number of entries by kind and capability, ``cubin 8.6``.
        cubin, ptx: capabilities in its fat binary.
    """

    package: str
    version: str
    wheel: str
    library: str
    soname: str = ""
    needed: tuple[str, ...] = ()
    needed_outside: tuple[str, ...] = ()
    rpath: str = ""
    runpath: str = ""
    max_glibc: str
    max_glibcxx: str = ""
    max_cxxabi: str = ""
    cuda_named: tuple[str, ...] = ()
    fat_binary: dict[str, int] = {}  # noqa: RUF012 - msgspec copies it
    cubin: tuple[str, ...] = ()
    ptx: tuple[str, ...] = ()


class ElfFile(RecordFile, frozen=True, kw_only=True):
    """``elf_evidence.toml``."""

    FILE: ClassVar[str] = "elf_evidence.toml"

    summary: tuple[Rule, ...]
    check: tuple[Check, ...]
    lib: tuple[Lib, ...]


def checks() -> tuple[Check, ...]:
    """Every wheel that was compared with its documentation."""
    return load(ElfFile).check


def libraries(package: str, version: str) -> tuple[Lib, ...]:
    """Libraries that were read in a wheel; empty when it was not read."""
    return tuple(
        record for record in load(ElfFile).lib if (record.package, record.version) == (package, version)
    )
