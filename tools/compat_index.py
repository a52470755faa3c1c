"""What a package index says of releases, without their wheels: its list of files and the wheels' METADATA."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from layerwright.core.errors import IntegrityError, NetworkError
from layerwright.facts.directory import TAIL, WheelError, directory_place, member_bytes, read_directory
from layerwright.facts.wheels import METADATA_LIMIT, find_metadata, read_metadata
from layerwright.host.http import HttpClient
from layerwright.sources.window import Window

_JSON: Final = "application/vnd.pypi.simple.v1+json"
_PAGE_LIMIT: Final = 64 << 20


class IndexedFile(msgspec.Struct, kw_only=True, rename="kebab"):
    """A file of a PEP 691 page."""

    filename: str
    url: str
    size: int | None = None
    yanked: bool | str = False
    requires_python: str | None = None
    core_metadata: bool | dict[str, str] = False
    dist_info_metadata: bool | dict[str, str] = False


class _Page(msgspec.Struct, kw_only=True):
    files: list[IndexedFile]


@dataclass(kw_only=True)
class Release:
    """What an index lists of one release: its Linux wheels, musl ones left out."""

    version: str
    python: set[str] = field(default_factory=set)
    free_threaded: set[str] = field(default_factory=set)
    abi3: str = ""
    tags: set[str] = field(default_factory=set)
    requires_python: str = ""
    yanked: bool = False
    files: list[IndexedFile] = field(default_factory=list)

    @property
    def wheel(self) -> IndexedFile:
        """The wheel whose metadata stands for the release: for x86_64, or for any machine."""
        fitting = [file for file in self.files if "x86_64" in file.filename] or self.files
        return min(fitting, key=lambda file: file.filename)


def releases(page: bytes) -> dict[str, Release]:
    """Final releases with a Linux wheel, oldest first.

    Raises:
        NetworkError: it is no page of an index.
    """
    try:
        files = msgspec.json.decode(page, type=_Page).files
    except msgspec.DecodeError as error:
        raise NetworkError(
            f"the index did not answer with a page as PEP 691 describes it: {error}"
        ) from error
    found: dict[Version, Release] = {}
    for file in files:
        try:
            _, version, _, tags = parse_wheel_filename(file.filename)
        except (InvalidWheelFilename, InvalidVersion):
            continue
        platforms = {tag.platform for tag in tags}
        linux = {one for one in platforms if ("linux" in one and "musl" not in one) or one == "any"}
        if version.is_prerelease or not linux:
            continue
        release = found.setdefault(version, Release(version=str(version)))
        release.files.append(file)
        release.tags |= linux
        release.yanked |= bool(file.yanked)
        release.requires_python = file.requires_python or release.requires_python
        for tag in tags:
            if match := re.fullmatch(r"cp(\d)(\d+)", tag.interpreter):
                python = f"{match[1]}.{match[2]}"
                if tag.abi == "abi3":
                    release.abi3 = python
                elif tag.abi.endswith("t"):
                    release.free_threaded.add(f"{python}t")
                else:
                    release.python.add(python)
    return {found[version].version: found[version] for version in sorted(found)}


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """What METADATA says: requirement lines as they stand."""

    requires: tuple[str, ...]
    requires_python: str = ""

    def requirements(self, pattern: str, extra: str = "") -> list[Requirement]:
        """Requirements whose names match, of an extra or of none."""
        found = []
        for line in self.requires:
            try:
                requirement = Requirement(line)
            except InvalidRequirement:
                continue
            stated = re.search(r"extra\s*==\s*['\"]([^'\"]+)['\"]", line)
            if (stated[1] if stated else "") == extra and re.match(pattern, requirement.name):
                found.append(requirement)
        return found

    def pins(self, pattern: str) -> dict[str, str]:
        """Version by name where one is pinned, else the specifier; names without either are left out."""
        found = {}
        for requirement in self.requirements(pattern):
            specifiers = list(requirement.specifier)
            exact = len(specifiers) == 1 and specifiers[0].operator == "=="
            if specifiers:
                found[requirement.name] = specifiers[0].version if exact else str(requirement.specifier)
        return found


class Index:
    """An index; each page is read once."""

    def __init__(self, http: HttpClient, url: str) -> None:
        self._http = http
        self._url = url.rstrip("/")
        self._pages: dict[str, dict[str, Release]] = {}

    def releases(self, package: str) -> dict[str, Release]:
        """Final releases of a package with a Linux wheel, oldest first.

        Raises:
            NetworkError: the index does not know it, or does not answer with a page.
        """
        if package not in self._pages:
            body = self._http.get(f"{self._url}/{package}/", limit=_PAGE_LIMIT, accept=_JSON)
            self._pages[package] = releases(body.data)
        return self._pages[package]

    def metadata(self, release: Release) -> Metadata:
        """METADATA of a release: as it stands beside the wheel (PEP 658), else out of the wheel by byte ranges.

        Raises:
            NetworkError: it cannot be had.
            IntegrityError: it is not what the index promises, or the wheel is none.
        """
        wheel = release.wheel
        offered = wheel.core_metadata or wheel.dist_info_metadata
        data = self._beside(wheel, offered) if offered else self._inside(wheel)
        read = read_metadata(data, file=wheel.filename)
        return Metadata(requires=read.requires, requires_python=read.requires_python)

    def _beside(self, wheel: IndexedFile, offered: bool | dict[str, str]) -> bytes:
        data = self._http.get(f"{wheel.url}.metadata", limit=METADATA_LIMIT).data
        stated = offered.get("sha256", "") if isinstance(offered, dict) else ""
        if stated and hashlib.sha256(data).hexdigest() != stated:
            raise IntegrityError(f"the metadata beside {wheel.filename} is not what the index promises")
        return data

    def _inside(self, wheel: IndexedFile) -> bytes:
        size = wheel.size or 0
        if not size:
            raise NetworkError(f"the index states neither metadata nor a size for {wheel.filename}")
        window = Window(size, lambda begin, count: self._http.read_range(wheel.url, begin, count, total=size))
        try:
            window.fill([(max(0, size - TAIL), min(TAIL, size))])
            start, length = directory_place(window.read(max(0, size - TAIL), TAIL), size)
            window.fill([(start, length)])
            entry = find_metadata(read_directory(window.read(start, length), start))
            window.fill([(entry.at, entry.span)])
            return member_bytes(window, entry, limit=METADATA_LIMIT)
        except WheelError as error:
            raise IntegrityError(f"the wheel {wheel.filename} cannot be read: {error.what}") from error


def by_number(values: Iterable[str]) -> list[str]:
    """Sorted by the numbers in them: ``3.9`` before ``3.10``."""
    return sorted(values, key=lambda text: (tuple(map(int, re.findall(r"\d+", text))), text))
