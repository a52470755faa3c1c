"""Wheel → install plan: which file stands where in the image, with which mode, out of which bytes.

The rules are those of the binary distribution format (https://packaging.python.org/en/latest/specifications/binary-distribution-format/)
as pip carries them out; ``installer`` is the test oracle.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from layerwright.layers.archive import Member, WheelArchive
from layerwright.layers.metadata import (
    DistInfo,
    Script,
    encode_digest,
    read_dist_info,
    record_text,
)
from layerwright.layers.tar import parents

__all__ = ["InstallPlan", "PlannedFile", "WheelFile", "check_prefix", "plan_install", "site_packages"]

_PREFIX = re.compile(r"(?:/[A-Za-z0-9._+-]+)+")
_PYTHON = re.compile(r"3\.\d+t?")
_LONGEST_PREFIX = 100  # the kernel cuts a shebang line at 127 bytes before Linux 5.1
_SHEBANG = b"#!python"
_SHEBANG_LINE = re.compile(rb"#!python[^\n]*")  # arguments go, as pip and installer have it
_SCRIPT_LIMIT = 16 << 20
_REPLACED = ("INSTALLER", "REQUESTED", "direct_url.json", "RECORD", "RECORD.jws", "RECORD.p7s")


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelFile:
    """A wheel on disk that is to be installed.

    Attributes:
        path: where its bytes are; the name there does not matter.
        sha256: 64 hexadecimal digits; whoever put the file there has checked it.
        file: the wheel's file name, ``numpy-2.4.6-cp311-cp311-manylinux_2_28_x86_64.whl``.
        name: of the distribution.
        version: of the distribution; empty when not known.
        requested: the user asked for it by name, so REQUESTED is written.
        direct_url: JSON text for direct_url.json (PEP 610), empty for none.
    """

    path: Path
    sha256: str
    file: str
    name: str
    version: str
    requested: bool
    direct_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFile:
    """One file of the installed wheel.

    Attributes:
        path: in the image, without the leading slash.
        mode: 0o644 or 0o755.
        size: bytes.
        digest: as RECORD writes it; empty for RECORD itself.
        member: the archive's member that is its content, ``None`` when ``content`` is.
        content: the bytes of a file that is made or rewritten.
    """

    path: str
    mode: int
    size: int
    digest: str
    member: Member | None = None
    content: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallPlan:
    """The files of one wheel, by path."""

    files: Mapping[str, PlannedFile]


def check_prefix(prefix: str, python: str) -> None:
    """Refuse an install prefix or Python version that cannot stand in paths and shebang lines.

    Raises:
        ValueError: not a plain absolute path, too long for a shebang, or not such as ``3.11``.
    """
    if not _PREFIX.fullmatch(prefix) or len(prefix) > _LONGEST_PREFIX or {".", ".."} & set(prefix.split("/")):
        raise ValueError(f"not a plain absolute prefix: {prefix!r}")
    if not _PYTHON.fullmatch(python):
        raise ValueError(f"not a Python version such as 3.11: {python!r}")


def site_packages(prefix: str, python: str) -> str:
    """Folder of the installed packages in the image, with its leading slash."""
    return f"{prefix}/lib/python{python}/site-packages"


def plan_install(archive: WheelArchive, wheel: WheelFile, *, prefix: str, python: str) -> InstallPlan:
    """Decide where every file of a wheel goes.

    Raises:
        IntegrityError: the wheel breaks the format's rules, or its RECORD does not fit its files.
        ValueError: bad prefix or Python version.
    """
    check_prefix(prefix, python)
    info = read_dist_info(archive, name=wheel.name, version=wheel.version)
    planner = _Planner(archive, info, prefix=prefix, python=python)
    planner.place_members()
    planner.place_scripts()
    planner.place_metadata(wheel)
    planner.check_places(python)
    return InstallPlan(files=planner.files)


class _Planner:
    """Collects where a wheel's files go."""

    def __init__(self, archive: WheelArchive, info: DistInfo, *, prefix: str, python: str) -> None:
        self._archive = archive
        self._info = info
        self._base = prefix.removeprefix("/")
        self._site = site_packages(prefix, python).removeprefix("/")
        self._scripts = f"{self._base}/bin"
        self._interpreter = f"{prefix}/bin/python3"
        self._schemes = {
            "purelib": self._site,
            "platlib": self._site,
            "scripts": self._scripts,
            "data": self._base,
            "headers": f"{self._base}/include/site/python{python}/{info.name}",
        }
        self.files: dict[str, PlannedFile] = {}

    def _add(self, planned: PlannedFile, source: str) -> None:
        if planned.path in self.files:
            raise self._archive.refuse(
                source, f"would stand at /{planned.path}, as another file of the wheel does"
            )
        self.files[planned.path] = planned

    def place_members(self) -> None:
        """Place what is in the archive."""
        info = self._info
        made_scripts = {script.name for script in info.scripts}
        for name, member in self._archive.members.items():
            folder, _, rest = name.partition("/")
            if folder == info.folder and rest in _REPLACED:
                continue
            if folder != info.data_folder:
                self._add(
                    _from_member(f"{self._site}/{name}", member, info, executable=member.executable), name
                )
                continue
            scheme, _, rest = rest.partition("/")
            if scheme not in self._schemes or not rest:
                raise self._archive.refuse(name, "stands in no known scheme of the data folder")
            path = f"{self._schemes[scheme]}/{rest}"
            if scheme != "scripts":
                self._add(_from_member(path, member, info, executable=member.executable), name)
            elif (
                rest not in made_scripts
            ):  # as pip: a script that an entry point also makes is the entry point's
                self._add(_data_script(self._archive, path, member, info, self._interpreter), name)

    def place_scripts(self) -> None:
        """Place the scripts of the entry points."""
        for script in self._info.scripts:
            content = _script_text(script, self._interpreter)
            planned = _made(f"{self._scripts}/{script.name}", content, mode=0o755)
            self._add(planned, f"{self._info.folder}/entry_points.txt")

    def place_metadata(self, wheel: WheelFile) -> None:
        """Place what an installer writes into the .dist-info folder, RECORD last."""
        folder = f"{self._site}/{self._info.folder}"
        made = {"INSTALLER": b"layerwright\n"}
        if wheel.requested:
            made["REQUESTED"] = b""
        if wheel.direct_url:
            made["direct_url.json"] = wheel.direct_url.encode()
        for name, content in made.items():
            self._add(_made(f"{folder}/{name}", content), name)
        inside, below = f"{self._site}/", f"{self._base}/"
        rows = [
            (
                path.removeprefix(inside)
                if path.startswith(inside)
                else "../../../" + path.removeprefix(below),
                planned.digest,
                planned.size,
            )
            for path, planned in self.files.items()
        ]
        content = record_text(rows, f"{self._info.folder}/RECORD")
        path = f"{folder}/RECORD"
        self._add(PlannedFile(path=path, mode=0o644, size=len(content), digest="", content=content), "RECORD")

    def check_places(self, python: str) -> None:
        """Refuse files over the environment's own, and a file where another file needs a folder."""
        names = ("pyvenv.cfg", "bin/python", "bin/python3", f"bin/python{python}", "lib64")
        own = {f"{self._base}/{name}" for name in names}
        folders: set[str] = set()
        for path in self.files:
            if path.rpartition("/")[0] not in folders:
                folders.update(parents(path))
        for path in sorted(own & (folders | self.files.keys())):
            raise self._archive.refuse("", f"would replace the environment's own /{path}")
        for path in sorted(folders & self.files.keys()):
            raise self._archive.refuse("", f"has a file where it also needs a folder: /{path}")


def _from_member(path: str, member: Member, info: DistInfo, *, executable: bool) -> PlannedFile:
    return PlannedFile(
        path=path,
        mode=0o755 if executable else 0o644,
        size=member.size,
        digest=info.record[member.name].digest,
        member=member,
    )


def _made(path: str, content: bytes, *, mode: int = 0o644) -> PlannedFile:
    digest = encode_digest("sha256", hashlib.sha256(content).digest())
    return PlannedFile(path=path, mode=mode, size=len(content), digest=digest, content=content)


def _data_script(
    archive: WheelArchive, path: str, member: Member, info: DistInfo, interpreter: str
) -> PlannedFile:
    """A file of the scripts scheme: executable, and with ``#!python`` made the image's interpreter."""
    first = b""
    pieces = archive.content(member)
    for piece in pieces:
        first += piece
        if len(first) >= len(_SHEBANG):
            break
    if not first.startswith(_SHEBANG):
        return _from_member(path, member, info, executable=True)
    content = archive.read(member, limit=_SCRIPT_LIMIT)
    digest = info.record[member.name].digest
    algorithm = digest.partition("=")[0]
    if encode_digest(algorithm, hashlib.new(algorithm, content).digest()) != digest:
        raise archive.refuse(member.name, "does not have the digest that RECORD gives")
    return _made(path, _SHEBANG_LINE.sub(b"#!" + interpreter.encode(), content, count=1), mode=0o755)


def _script_text(script: Script, interpreter: str) -> bytes:
    top = script.attribute.partition(".")[0]
    return (
        f"#!{interpreter}\n"
        "import sys\n"
        f"from {script.module} import {top}\n"
        'if __name__ == "__main__":\n'
        f"    sys.exit({script.attribute}())\n"
    ).encode()
