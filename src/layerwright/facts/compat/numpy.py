"""NumPy's binary interface: which releases were built for NumPy 1, and what packages ask of NumPy."""

from typing import ClassVar, Literal

from msgspec import Struct
from packaging.version import Version

from layerwright.core.findings import Evidence
from layerwright.facts.compat.evidence import Claim
from layerwright.facts.compat.records import Record, RecordFile, Rule, load
from layerwright.facts.compat.versions import first_parts, public_of, same_release

__all__ = ["Bounds", "NumpyFile", "bounds", "built_against", "first_with_numpy_2", "pythons", "rule"]


class BuiltAgainst(Record, frozen=True, kw_only=True):
    """Releases whose extension module was read."""

    package: str
    numpy_api: Literal[1, 2]
    versions: tuple[str, ...]


class Bound(Record, frozen=True, kw_only=True):
    """Requirements on NumPy of a run of releases; ``none declared`` stands for none."""

    package: str
    first: str
    last: str
    count: int
    numpy: tuple[str, ...]


class Numpy(Record, frozen=True, kw_only=True):
    """Pythons for which a minor release of NumPy has Linux wheels."""

    numpy: str
    newest: str
    python: tuple[str, ...]


class NumpyFile(RecordFile, frozen=True, kw_only=True):
    """``numpy_abi.toml``."""

    FILE: ClassVar[str] = "numpy_abi.toml"

    rule: tuple[Rule, ...]
    built_against: tuple[BuiltAgainst, ...]
    bound: tuple[Bound, ...]
    numpy: tuple[Numpy, ...]


class Bounds(Struct, frozen=True, kw_only=True):
    """What a release asks of NumPy.

    Attributes:
        requires: requirement lines with their markers; empty when it declares none.
    """

    requires: tuple[str, ...]
    evidence: Evidence


def built_against(package: str, version: str) -> Claim[int] | None:
    """1: built with NumPy 1 headers, so it fails with NumPy 2; 2: works with both. None when it was not read."""
    for record in load(NumpyFile).built_against:
        if record.package == package and any(same_release(one, version) for one in record.versions):
            text = f"{package} {public_of(version)} was built with NumPy {record.numpy_api} headers"
            return Claim(value=record.numpy_api, evidence=record.binary(text))
    return None


def first_with_numpy_2(package: str) -> str:
    """The first release read that was built with NumPy 2 headers; empty when none was."""
    for record in load(NumpyFile).built_against:
        if record.package == package and record.numpy_api == 2:  # noqa: PLR2004 - the interface's number
            return record.versions[0]
    return ""


def bounds(package: str, version: str) -> Bounds | None:
    """What a release on PyPI asks of NumPy; None when it is not recorded."""
    try:
        asked = Version(public_of(version))
    except ValueError:  # InvalidVersion, or more digits than Python reads
        return None
    for record in load(NumpyFile).bound:
        if record.package == package and Version(record.first) <= asked <= Version(record.last):
            requires = tuple(line for line in record.numpy if line != "none declared")
            says = " and ".join(requires) if requires else "nothing of NumPy"
            text = f"{package} {record.first} to {record.last} asks for {says}"
            return Bounds(requires=requires, evidence=record.evidence(text))
    return None


def pythons(numpy: str) -> Claim[tuple[str, ...]] | None:
    """Pythons for which a NumPy, by its minor release, has Linux wheels; None when it is not recorded."""
    for record in load(NumpyFile).numpy:
        if record.numpy == first_parts(numpy, 2):
            text = f"NumPy {record.numpy} has Linux wheels for Python {', '.join(record.python)}"
            return Claim(value=record.python, evidence=record.evidence(text))
    return None


def rule(name: str) -> Evidence | None:
    """A rule that holds for all of it, as evidence: ``abi-break``, ``built-with-2``, ``symptom`` or ``detection``."""
    return next((record.evidence(record.text) for record in load(NumpyFile).rule if record.id == name), None)
