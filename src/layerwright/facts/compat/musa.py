"""torch_musa, Moore Threads' extension of torch: which torch, SDK, driver and Python it goes with."""

import re
from typing import ClassVar, Final

from msgspec import Struct

from layerwright.core.findings import Evidence
from layerwright.facts.compat.records import Record, RecordFile, Rule, load
from layerwright.facts.compat.versions import public_of, same_release

__all__ = [
    "MusaFile",
    "MusaRelease",
    "driver_numbers",
    "release",
    "releases_for_torch",
    "rule",
    "sdk_fits",
]


_SDK: Final = re.compile(r"(?:^|\s)(?P<channel>rc|dev|rtm|)[_.-]?(?P<numbers>\d{1,4}(?:\.\d{1,4}){0,3})$")
_RANGE: Final = re.compile(r"(?P<least>\d[\d.]{0,20})-(?P<most>\d[\d.]{0,20})")
_DRIVER: Final = re.compile(r"\d{1,6}(?:\.\d{1,6}){1,3}")


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


def sdk_fits(wanted: str, held: str) -> bool | None:
    """Whether a release of the SDK is one that a torch_musa asks for.

    Args:
        wanted: as recorded: ``rc3.1.0``, ``toolkit rc1.4.0``, ``4.2.0-4.3.0``, ``>=5.1.0``.
        held: as the toolkit's maker calls it: ``rc3.1.0``, ``4.2.0``, ``dev4.0.0``.

    Returns:
        None when it cannot be told: a name without a number; a build of development, which may be before or after the
        release of its number; and another build of the same minor release, which Moore Threads' own scripts take for
        some GPUs (rc4.0.0 in place of rc4.0.1 for qy2, in build_release.sh of v2.0.1).
    """
    have = _SDK.search(held.removeprefix("v"))
    if have is None or have["channel"] == "dev":
        return True if held and wanted.endswith(held) else None
    numbers = _numbers(have["numbers"])
    if wanted.startswith(">="):
        return numbers >= _numbers(wanted[2:])
    if between := _RANGE.fullmatch(wanted):
        most = _numbers(between["most"])
        return _numbers(between["least"]) <= numbers and numbers[: len(most)] <= most
    need = _SDK.search(wanted)
    if need is None:
        return None
    asked = _numbers(need["numbers"])
    return True if numbers == asked else None if numbers[:2] == asked[:2] else False


def driver_numbers(driver: str) -> tuple[int, ...]:
    """``(2, 7, 0)`` of ``2.7.0-rc4-0822``, ``musa_2.7.0`` and ``2.7.0-server``; empty when there are none."""
    match = _DRIVER.search(driver)
    return _numbers(match[0]) if match else ()


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.strip().split(".") if part.isdecimal())


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
