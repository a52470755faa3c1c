"""torchvision and torchaudio: which goes with which torch."""

from collections.abc import Iterable
from typing import ClassVar, Literal

from msgspec import Struct
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from layerwright.core.findings import Evidence
from layerwright.facts.compat.evidence import Claim, Disagreement, Settled, settle, strongest_first
from layerwright.facts.compat.records import Record, RecordFile, load
from layerwright.facts.compat.torch import TorchFile
from layerwright.facts.compat.versions import public_of, same_release

__all__ = [
    "Audio",
    "Companion",
    "Companions",
    "Fit",
    "Name",
    "Pair",
    "Vision",
    "VisionFile",
    "build",
    "companions",
    "fits",
]

Name = Literal["torchvision", "torchaudio"]


class _Extension(Record, frozen=True, kw_only=True):
    """A release on PyPI, of the x86_64 wheel.

    Attributes:
        requires_torch: ``==2.4.1``; empty when it declares none.
        build: the CUDA build it was made with, as a local tag: ``cu121``.
        any_python: one wheel serves all Pythons.
    """

    version: str
    requires_torch: str = ""
    build: str = ""
    python: tuple[str, ...] = ()
    python_free_threaded: tuple[str, ...] = ()
    requires_python: str = ""
    platform_tags: tuple[str, ...]
    cuda_sonames: tuple[str, ...] = ()
    sm: tuple[str, ...] = ()
    ptx: tuple[str, ...] = ()
    glibc_needed: str = ""
    yanked: bool = False


class Vision(_Extension, frozen=True, kw_only=True):
    """A release of torchvision. ``satisfiable_from_pypi`` is False when its torch pin has a local tag."""

    satisfiable_from_pypi: bool = True
    any_python: bool = False


class Audio(_Extension, frozen=True, kw_only=True):
    """A release of torchaudio."""


class Pair(Record, frozen=True, kw_only=True):
    """Releases made for one torch, or the Pythons of a minor release."""

    torch: str
    torchvision: tuple[str, ...] = ()
    torchaudio: tuple[str, ...] = ()
    python: str = ""


class VisionFile(RecordFile, frozen=True, kw_only=True):
    """``torchvision_torchaudio.toml``."""

    FILE: ClassVar[str] = "torchvision_torchaudio.toml"

    torchvision: tuple[Vision, ...]
    torchaudio: tuple[Audio, ...]
    pair: tuple[Pair, ...]


class Companion(Struct, frozen=True, kw_only=True):
    """One release of torchvision or torchaudio. Empty: not known.

    Attributes:
        requires_torch: ``==2.4.1`` is built for that torch alone, ``>=2.14.0`` for all from there on.
        cuda_sonames: CUDA libraries that its extension needs. Empty with a non-empty ``sm``: none by name.
    """

    name: Name
    version: str
    requires_torch: str = ""
    cuda_sonames: tuple[str, ...] = ()
    sm: tuple[str, ...] = ()
    ptx: tuple[str, ...] = ()
    glibc: str = ""
    python: tuple[str, ...] = ()
    requires_python: str = ""
    yanked: bool = False
    satisfiable_from_pypi: bool = True
    evidence: tuple[Evidence, ...] = ()


class Companions(Struct, frozen=True, kw_only=True):
    """What goes with one torch, newest first; empty when none is recorded."""

    torch: str
    torchvision: tuple[str, ...] = ()
    torchaudio: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    disagreements: tuple[Disagreement, ...] = ()


class Fit(Struct, frozen=True, kw_only=True):
    """Whether two releases go together; ``fits`` is None when nobody recorded it.

    Attributes:
        wanted: what the extension is made for, ``==2.1.0``; empty when not known.
    """

    fits: bool | None
    wanted: str = ""
    evidence: tuple[Evidence, ...] = ()


def build(name: Name, version: str) -> Companion | None:
    """What is recorded of a release on PyPI; None when it is not recorded."""
    record = _find(name, version)
    if record is None:
        return None
    needs = f", which needs torch {record.requires_torch}" if record.requires_torch else ""
    made = f" is made with the {record.build} build of torch" if record.build else " is on PyPI"
    return Companion(
        name=name,
        version=version,
        requires_torch=record.requires_torch,
        cuda_sonames=record.cuda_sonames,
        sm=record.sm,
        ptx=record.ptx,
        glibc=record.glibc_needed,
        python=record.python + record.python_free_threaded,
        requires_python=record.requires_python,
        yanked=record.yanked,
        satisfiable_from_pypi=not isinstance(record, Vision) or record.satisfiable_from_pypi,
        evidence=(record.evidence(f"{name} {record.version}{made}{needs}"),),
    )


def companions(torch: str) -> Companions:
    """Which torchvision and torchaudio go with a torch: by what they require, else by what PyTorch documents."""
    vision, audio = _companions("torchvision", torch), _companions("torchaudio", torch)
    return Companions(
        torch=torch,
        torchvision=_newest_first(vision.value or ()),
        torchaudio=_newest_first(audio.value or ()),
        evidence=strongest_first([*vision.evidence, *audio.evidence]),
        disagreements=vision.disagreements + audio.disagreements,
    )


def fits(name: Name, version: str, torch: str) -> Fit:
    """Whether a release goes with a torch; local parts (``+cu118``) of either do not matter."""
    record = _find(name, version)
    if record is not None and record.requires_torch:
        text = f"{name} {record.version} needs torch {record.requires_torch}"
        return Fit(
            fits=_admits(record.requires_torch, torch),
            wanted=record.requires_torch,
            evidence=(record.evidence(text),),
        )
    others = [
        (documented, claim.evidence)
        for documented, claim in _documented(name)
        if any(same_release(one, version) for one in claim.value)
    ]
    agreeing = tuple(evidence for documented, evidence in others if same_release(documented, torch))
    if agreeing:
        return Fit(fits=True, wanted=f"=={public_of(torch)}", evidence=agreeing)
    wanted = {documented for documented, _ in others}
    if not wanted:
        return Fit(fits=None)
    return Fit(
        fits=False,
        wanted=", ".join(f"=={one}" for one in sorted(wanted)),
        evidence=tuple(evidence for _, evidence in others),
    )


def _find(name: Name, version: str) -> Vision | Audio | None:
    for record in _records(name):
        if same_release(record.version, version):
            return record
    return None


def _records(name: Name) -> tuple[Vision, ...] | tuple[Audio, ...]:
    records = load(VisionFile)
    return records.torchvision if name == "torchvision" else records.torchaudio


def _companions(name: Name, torch: str) -> Settled[tuple[str, ...]]:
    made = [
        record for record in _records(name) if not record.yanked and _admits(record.requires_torch, torch)
    ]
    claims = [
        Claim(
            value=tuple(record.version for record in made),
            evidence=record.evidence(f"{name} {record.version} needs torch {record.requires_torch}"),
        )
        for record in made
    ]
    claims += [claim for documented, claim in _documented(name) if same_release(documented, torch)]
    return settle(claims, lambda left, right: bool(set(left) & set(right)))


def _documented(name: Name) -> list[tuple[str, Claim[tuple[str, ...]]]]:
    """By torch release, what pages and third parties say goes with it."""
    found: list[tuple[str, tuple[str, ...], Record]] = []
    found += [
        (pair.torch, pair.torchvision if name == "torchvision" else pair.torchaudio, pair)
        for pair in load(VisionFile).pair
        if pair.confidence != "metadata"  # those repeat the requirements above
    ]
    for variant in load(TorchFile).variant:
        one = variant.torchvision if name == "torchvision" else variant.torchaudio
        found.append((variant.torch, (one,) if one else (), variant))
    return [
        (
            torch,
            Claim(
                value=value, evidence=record.evidence(f"torch {torch} goes with {name} {' or '.join(value)}")
            ),
        )
        for torch, value, record in found
        if value
    ]


def _admits(requires: str, torch: str) -> bool:
    """Whether a requirement takes a torch, as pip sees it; no requirement says nothing, so it is no yes."""
    if not requires:
        return False
    try:
        return SpecifierSet(requires).contains(Version(torch), prereleases=True)
    except ValueError:  # InvalidVersion, or more digits than Python reads
        return False


def _newest_first(versions: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(versions, key=Version, reverse=True))
