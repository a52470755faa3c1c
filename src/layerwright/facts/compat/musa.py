"""torch_musa, Moore Threads' extension of torch: which torch, SDK, driver and Python it goes with."""

from typing import ClassVar

from msgspec import Struct

from layerwright.core.findings import Evidence
from layerwright.facts.compat.records import Record, RecordFile, Rule, load
from layerwright.facts.compat.versions import public_of, same_release

__all__ = ["MusaFile", "MusaRelease", "release", "releases_for_torch", "rule"]


class Release(Record, frozen=True, kw_only=True):
    """A release; ``torch_musa`` may carry what its tag does, ``2.0.0-pt25``."""

    torch_musa: str
    torch: str
    musa_sdk: str = ""
    driver: str = ""
    python: tuple[str, ...] = ()
    torchvision: str = ""
    torchaudio: str = ""
    released: str


class MusaFile(RecordFile, frozen=True, kw_only=True):
    """``torch_musa.toml``."""

    FILE: ClassVar[str] = "torch_musa.toml"

    release: tuple[Release, ...]
    fact: tuple[Rule, ...]


class MusaRelease(Struct, frozen=True, kw_only=True):
    """What a release goes with. Empty: not known, never "any".

    Attributes:
        sdk: as the project writes it, ``rc3.1.0``, ``4.2.0-4.3.0``, ``>=5.1.0``.
        driver: likewise, ``2.7.0-rc4-0822``.
    """

    version: str
    torch: str
    sdk: str
    driver: str
    python: tuple[str, ...]
    torchvision: str
    torchaudio: str
    evidence: Evidence


def release(version: str) -> MusaRelease | None:
    """A release by its version; None when it is not recorded."""
    for record in load(MusaFile).release:
        if record.torch_musa == version or same_release(record.torch_musa, version):
            return _release(record)
    return None


def releases_for_torch(torch: str) -> tuple[MusaRelease, ...]:
    """Releases made for a torch, newest first; empty when none is recorded."""
    found = [record for record in load(MusaFile).release if same_release(record.torch, public_of(torch))]
    return tuple(_release(record) for record in reversed(found))


def rule(name: str) -> Evidence | None:
    """A fact that holds for all of it, as evidence: ``import``, ``not-on-pypi``, ``version-number``, …."""
    return next((record.evidence(record.text) for record in load(MusaFile).fact if record.id == name), None)


def _release(record: Release) -> MusaRelease:
    parts = [f"torch {record.torch}"]
    parts += [f"torchvision {record.torchvision}"] if record.torchvision else []
    parts += [f"MUSA SDK {record.musa_sdk}"] if record.musa_sdk else []
    parts += [f"driver {record.driver}"] if record.driver else []
    parts += [f"Python {', '.join(record.python)}"] if record.python else []
    return MusaRelease(
        version=record.torch_musa,
        torch=record.torch,
        sdk=record.musa_sdk,
        driver=record.driver,
        python=record.python,
        torchvision=record.torchvision,
        torchaudio=record.torchaudio,
        evidence=record.evidence(f"torch_musa {record.torch_musa} goes with {', '.join(parts)}"),
    )
