"""What a spec says twice it must say alike: before anything is fetched, names of wheels and tags are compared.

A wheel's file name tells its package, version, Python and platform (PEP 427); a tag tells the version of a source
tree. Only what an image and its parents name themselves is looked at: what a resolver chooses fits by itself.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from layerwright.core.source import Location
from layerwright.facts.source_trees import package_of_repository, version_of_tag
from layerwright.spec.model import Cell, IndexPackage, Package, PathPackage, UrlPackage
from layerwright.spec.parts import Reader
from layerwright.spec.requirement import normalize_name, requirement_name

__all__ = ["check_agreement"]

_WHEEL: Final = re.compile(
    r"(?P<name>[^-/]+)-(?P<version>[0-9][A-Za-z0-9_.!+]*)(?:-[0-9][A-Za-z0-9_.]*)?"
    r"-(?P<python>[a-z0-9_.]+)-(?P<abi>[a-z0-9_.]+)-(?P<platform>[A-Za-z0-9_.]+)\.whl",
    re.ASCII,
)
_SHAPE: Final = (
    "a wheel is called NAME-VERSION-PYTHON-ABI-PLATFORM.whl, as torch-2.0.0-cp310-cp310-linux_x86_64.whl"
)
_PINNED: Final = re.compile(r"[^;=<>!~]*==\s*(?P<version>[0-9][A-Za-z0-9.!+]*)\s*")
_INTERPRETER: Final = re.compile(r"(?P<kind>cp|py)(?P<major>[0-9])(?P<minor>[0-9]{0,3})")
_COMMIT: Final = re.compile("[0-9a-f]{40}")
_MACHINES: Final = {"amd64": "x86_64", "arm64": "aarch64"}


class _Named(Struct, frozen=True, kw_only=True):
    """A version that the spec names.

    Attributes:
        version: as PEP 440 has it; empty when only ``rev`` is known.
        rev: of a source tree.
        resolved: a resolver sees it, and what else it sees of the package.
        words: what names it, for messages.
    """

    package: str
    version: str
    words: str
    rev: str = ""
    resolved: bool = False
    location: Location


def check_agreement(cells: Mapping[str, Cell], reader: Reader) -> None:
    """Note every contradiction."""
    for cell in cells.values():
        for package in cell.packages:
            _check_file_name(cell, package, reader)
        _check_versions(_chain(cells, cell), reader)


def _chain(cells: Mapping[str, Cell], cell: Cell) -> tuple[Cell, ...]:
    chain = [cell]
    while chain[0].base.kind == "image" and chain[0].base.source in cells:
        chain.insert(0, cells[chain[0].base.source])
    return tuple(chain)


def _check_file_name(cell: Cell, package: Package, reader: Reader) -> None:
    """A wheel is for the image's Python and platform, as far as its name tells."""
    file = _file_of(package)
    if not file:
        return
    path = (*reader.path(package.location), "url" if isinstance(package, UrlPackage) else "path")
    match = _WHEEL.fullmatch(file)
    if match is None:
        reader.fault(path, f"{file!r} is no name of a wheel", _SHAPE)
        return
    pythons = match["python"].split(".")
    if cell.python and not _for_python(pythons, match["abi"].split("."), cell.python):
        wanted = f"cp{cell.python.replace('.', '')}"
        reader.fault(
            path,
            f"{file} is a wheel for {match['python']}, and image {cell.image!r} has Python {cell.python}",
            f"name the wheel for {wanted}, or set `python` to what the wheel is for",
        )
    machine = _MACHINES.get(cell.platform.architecture, "")
    tags = match["platform"].split(".")
    if not any(tag == "any" or (tag.endswith(f"_{machine}") and "linux" in tag) for tag in tags):
        reader.fault(
            path,
            f"{file} is a wheel for {match['platform']}, and image {cell.image!r} is for {cell.platform}",
            f"name the wheel for linux_{machine}, or set `platforms`",
        )


def _file_of(package: Package) -> str:
    """Name of the wheel that a package is given by; empty when it is no wheel."""
    if isinstance(package, UrlPackage):
        try:
            path = urlsplit(package.url).path if "://" in package.url else ""
        except ValueError:
            path = ""  # what is no address is a fault of its own
        file = unquote(path).rpartition("/")[2]
    elif isinstance(package, PathPackage):
        file = package.path.rpartition("/")[2]
    else:
        return ""
    return file if file.endswith(".whl") else ""


def _for_python(pythons: Sequence[str], abis: Sequence[str], python: str) -> bool:
    """Whether one of a wheel's tags is for the version; those of other interpreters are not ours to judge."""
    major, _, minor = python.partition(".")
    for tag in pythons:
        match = _INTERPRETER.fullmatch(tag)
        if match is None:
            return True
        if match["major"] != major:
            continue
        later_too = match["kind"] == "py" or "abi3" in abis
        if not match["minor"] or match["minor"] == minor or (later_too and int(match["minor"]) <= int(minor)):
            return True
    return False


def _check_versions(chain: Sequence[Cell], reader: Reader) -> None:
    """A package that is named in several places is of one version in all of them."""
    first: dict[str, _Named] = {}
    for named in _named(chain):
        other = first.setdefault(named.package, named)
        if other is named or other.resolved or _agree(other, named):
            continue
        reader.fault(
            reader.path(named.location),
            f"{chain[-1].image!r} names {named.package} twice: {other.words}, and {named.words}",
            "name one version in all places",
        )
    for cell in chain:
        for package in cell.packages:
            _check_demands(package, cell.constraints, reader)


def _named(chain: Sequence[Cell]) -> Iterator[_Named]:
    """Trees first: everything else has to go with the sources."""
    for cell in chain:
        for item in cell.sources:
            source = item.source
            name = package_of_repository(source.git)
            if name:
                words = f"source tree {source.name!r} at {source.rev}"
                version = version_of_tag(source.rev)
                yield _Named(
                    package=name, version=version, rev=source.rev, words=words, location=source.location
                )
    asked = [package for cell in chain for package in cell.packages]
    for package in asked:
        if match := _WHEEL.fullmatch(_file_of(package)):
            yield _Named(
                package=normalize_name(match["name"]),
                version=match["version"],
                words=f"the wheel {_file_of(package)}",
                location=package.location,
            )
    for package in asked:
        if isinstance(package, IndexPackage) and (pin := _PINNED.fullmatch(package.requirement)):
            yield _Named(
                package=requirement_name(package.requirement),
                version=pin["version"],
                words=f"the requirement {package.requirement}",
                resolved=True,
                location=package.location,
            )


def _agree(one: _Named, other: _Named) -> bool:
    """Whether two are the same, as far as can be told."""
    if one.version and other.version:
        return _base(one.version) == _base(other.version)
    commits = _COMMIT.fullmatch(one.rev) and _COMMIT.fullmatch(other.rev)
    return not commits or one.rev == other.rev


def _base(version: str) -> str:
    """The release without what a build adds: 2.0.0a0+git1234 is built from the sources of 2.0.0."""
    from packaging.version import Version  # noqa: PLC0415 - start-up

    try:
        return Version(version).base_version
    except ValueError:
        # A tag such as 2.0.0-pt25 is a name of its own.
        return version


def _check_demands(package: Package, constraints: Sequence[str], reader: Reader) -> None:
    """A wheel that is given by its address meets the constraints of the image."""
    match = _WHEEL.fullmatch(_file_of(package))
    if match is None:
        return
    name = normalize_name(match["name"])
    for constraint in constraints:
        if requirement_name(constraint) == name and not _admits(constraint, match["version"]):
            reader.fault(
                reader.path(package.location),
                f"{_file_of(package)} does not meet the constraint {constraint!r}",
                "name a wheel that does, or change `constraints`",
            )


def _admits(requirement: str, version: str) -> bool:
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415 - start-up

    try:
        return Requirement(requirement).specifier.contains(version, prereleases=True)
    except (InvalidRequirement, ValueError):
        return True  # a fault of its own
