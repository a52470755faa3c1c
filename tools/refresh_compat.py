"""Compare the compatibility records with what PyPI says today, and bring them up to date.

``refresh_compat.py`` prints a diff: releases that are not recorded, and recorded ones of which PyPI now says something
else (yanked, new Pythons). ``--write`` applies it. ``--check`` prints it and exits with 1 when releases are missing.

Only what an index can tell is read: its list of files (PEP 691) and the METADATA of new wheels (PEP 658). CUDA in a
binary, GPU architectures, glibc and NumPy's interface take the wheel itself; a new record lacks them, which means *not
known*, and nothing here fills them in. Of existing records only what the list of files says is compared.
"""

import argparse
import os
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import tomli
from compat_index import Index, Metadata, Release, by_number
from compat_text import Record, RecordText, is_empty, toml_key, toml_value
from packaging.version import Version

from layerwright.core.errors import LayerwrightError
from layerwright.facts.compat.records import DATA
from layerwright.host.http import HttpClient

_PYPI: Final = "https://pypi.org/simple"
_KNOWN: Final = {"source": "PyPI wheel metadata", "confidence": "metadata"}


def _listed(release: Release) -> Record:
    """What the list of files says of any wheel."""
    return {
        "python": by_number(release.python),
        "python_free_threaded": by_number(release.free_threaded),
        "platform_tags": [tag for tag in by_number(release.tags) if "x86_64" in tag or tag == "any"],
        "yanked": release.yanked,
    }


def _arches(release: Release) -> list[str]:
    return [machine for machine in ("aarch64", "x86_64") if any(machine in tag for tag in release.tags)]


def _size(release: Release) -> int:
    return round((release.wheel.size or 0) / 1e6)


def _torch(release: Release, metadata: Metadata) -> Record:
    pins = {
        re.sub(r"-cu\d+$", "", name): pin
        for name, pin in metadata.pins(r"nvidia-|triton|cuda-toolkit").items()
    }
    runtime = pins.get("cuda-toolkit") or pins.get("nvidia-cuda-runtime", "")
    return {
        "version": release.version,
        "cuda": ".".join(runtime.split(".")[:2]) if re.fullmatch(r"\d+(\.\d+)+", runtime) else "",
        "cudnn": pins.get("nvidia-cudnn", ""),
        "cuda_libraries": "nvidia wheels" if runtime else "",
        "cublas": pins.get("nvidia-cublas", ""),
        "cuda_toolkit": pins.get("cuda-toolkit", ""),
        "nccl": pins.get("nvidia-nccl", ""),
        "triton": pins.get("triton", ""),
        "requires_python": metadata.requires_python,
        **_listed(release),
        "arches": _arches(release),
        "size_mb": _size(release),
    }


def _torch_pins(release: Release, metadata: Metadata) -> Record:
    extras = [
        one for requirement in metadata.requirements("cuda-toolkit$") for one in sorted(requirement.extras)
    ]
    return {
        "torch": release.version,
        "cuda": _torch(release, metadata)["cuda"],
        "pins": metadata.pins(r"nvidia-|triton|cuda-"),
        "cuda_toolkit_extras": extras,
    }


def _vision(release: Release, metadata: Metadata) -> Record:
    torch = metadata.requirements("torch$")
    return {
        "version": release.version,
        "requires_torch": str(torch[0].specifier) if torch else "",
        "requires_python": metadata.requires_python,
        **_listed(release),
    }


def _onnxruntime(release: Release, metadata: Metadata) -> Record:
    numpy = metadata.requirements("numpy$")
    return {
        "version": release.version,
        "numpy": str(numpy[0].specifier) if numpy else "",
        "requires_python": metadata.requires_python,
        **_listed(release),
    }


def _onnxruntime_gpu(release: Release, metadata: Metadata) -> Record:
    extras = {
        f"extras_{extra}": [f"{one.name}{one.specifier}" for one in metadata.requirements("nvidia-", extra)]
        for extra in ("cuda", "cudnn")
    }
    return {
        **_onnxruntime(release, metadata),
        **extras,
        "arches": _arches(release),
        "size_mb": _size(release),
    }


def _opencv(release: Release, metadata: Metadata) -> Record:
    listed = _listed(release)
    del listed["python_free_threaded"]
    return {
        "version": release.version,
        "abi3": release.abi3,
        "requires_python": metadata.requires_python,
        "numpy": [line for line in metadata.requires if line.startswith("numpy")],
        **listed,
    }


@dataclass(frozen=True, kw_only=True)
class Subject(ABC):
    """A table whose records are releases of a package.

    Attributes:
        key: the key that holds the version.
        fixed: keys that tell this package's records from others of the table.
    """

    file: str
    table: str
    package: str
    key: str = "version"
    fixed: Mapping[str, str] = field(default_factory=dict)

    @abstractmethod
    def compare(self, text: RecordText, index: Index) -> Iterator["Change"]:
        """What the index says and the records do not."""

    def known(self, text: RecordText) -> dict[Version, Record]:
        """Its records, by version."""
        return {Version(record[self.key]): record for _, record in self.places(text)}

    def places(self, text: RecordText) -> list[tuple[int, Record]]:
        """Its records with the places of their blocks."""
        records = zip(text.positions(self.table), text.records(self.table), strict=True)
        return [
            (place, record)
            for place, record in records
            if all(record.get(key) == value for key, value in self.fixed.items())
        ]


@dataclass(frozen=True, kw_only=True)
class Releases(Subject):
    """One record per release of one package.

    Attributes:
        make: the record of a new release.
        compared: keys that the list of files tells, so that they are compared for existing records too.
        wanted: whether a release belongs into the table.
    """

    make: Callable[[Release, Metadata], Record]
    compared: tuple[str, ...] = ("python", "python_free_threaded", "platform_tags", "yanked")
    wanted: Callable[[Record], bool] = lambda _: True

    def compare(self, text: RecordText, index: Index) -> Iterator["Change"]:
        """What the index says and the records do not."""
        known = self.known(text)
        for version, release in index.releases(self.package).items():
            record = known.get(Version(version))
            if record is not None:
                now = _listed(release)
                was = {key: record.get(key, False if key == "yanked" else []) for key in self.compared}
                for key in self.compared:
                    if was[key] != now[key]:
                        yield Change(subject=self, version=version, key=key, old=was[key], value=now[key])
            elif Version(version) > min(known, default=Version("0")):
                made = self.make(release, index.metadata(release))
                if self.wanted(made):
                    yield Change(subject=self, version=version, new={**self.fixed, **made, **_KNOWN})


@dataclass(frozen=True, kw_only=True)
class Cudnn(Subject):
    """cuDNN: one package per CUDA major, one record per release."""

    majors: tuple[str, ...] = ("11", "12", "13")

    def compare(self, text: RecordText, index: Index) -> Iterator["Change"]:
        """What the index says and the records do not."""
        known = self.known(text)
        new: dict[Version, Record] = {}
        for major in self.majors:
            for version, release in index.releases(f"{self.package}-cu{major}").items():
                number = Version(version)
                record = known.get(number, {})
                if number < min(known) or major in record.get("cuda_majors", ()):
                    continue  # older than what is kept (0.0.1 is a placeholder), or known
                size = {f"cu{major}": _size(release)}
                if record:
                    majors, sizes = [*record["cuda_majors"], major], {**record["size_mb"], **size}
                    for key, value in (("cuda_majors", sorted(majors)), ("size_mb", sizes)):
                        yield Change(subject=self, version=version, key=key, old=record[key], value=value)
                    continue
                requires = [str(one) for one in index.metadata(release).requirements("nvidia-")]
                made = new.setdefault(
                    number, {"version": version, "cuda_majors": [], "size_mb": {}, "requires": [], **_KNOWN}
                )
                made["cuda_majors"].append(major)
                made["size_mb"] |= size
                made["requires"] = sorted({*made["requires"], *requires})
        for number in sorted(new):
            yield Change(subject=self, version=str(number), new=new[number])


@dataclass(frozen=True, kw_only=True)
class Numpy(Subject):
    """NumPy: one record per minor release, with the Pythons that any of its patch releases has wheels for."""

    def compare(self, text: RecordText, index: Index) -> Iterator["Change"]:
        """What the index says and the records do not."""
        known = self.known(text)
        now: dict[Version, Record] = {}
        for version, release in index.releases(self.package).items():
            minor = ".".join(version.split(".")[:2])
            made = now.setdefault(Version(minor), {"numpy": minor, "newest": "", "python": []})
            made["newest"] = version  # they come oldest first
            made["python"] = by_number({*made["python"], *release.python})
        for number, made in now.items():
            if number in known:
                for key in ("newest", "python"):
                    old = known[number][key]
                    if old != made[key]:
                        yield Change(subject=self, version=made["numpy"], key=key, old=old, value=made[key])
            elif number > min(known):
                source = f"PyPI file list of {self.package} (Linux wheels, any patch release)"
                new = {**made, "source": source, "confidence": "metadata"}
                yield Change(subject=self, version=made["numpy"], new=new)


_OPENCV: Final = ("opencv-python", "opencv-python-headless", "opencv-contrib-python")

SUBJECTS: Final[tuple[Subject, ...]] = (
    Releases(file="torch.toml", table="release", package="torch", make=_torch),
    Releases(
        file="cuda_wheels.toml",
        table="torch_pins",
        package="torch",
        make=_torch_pins,
        compared=(),
        key="torch",
        wanted=lambda record: bool(record["pins"]),
    ),
    Releases(file="torchvision_torchaudio.toml", table="torchvision", package="torchvision", make=_vision),
    Releases(file="torchvision_torchaudio.toml", table="torchaudio", package="torchaudio", make=_vision),
    Releases(file="onnxruntime.toml", table="gpu", package="onnxruntime-gpu", make=_onnxruntime_gpu),
    Releases(file="onnxruntime.toml", table="cpu", package="onnxruntime", make=_onnxruntime),
    *(
        Releases(
            file="opencv.toml",
            table="release",
            package=name,
            make=_opencv,
            compared=("python", "platform_tags", "yanked"),
            fixed={"package": name},
        )
        for name in _OPENCV
    ),
    Cudnn(file="cudnn.toml", table="release", package="nvidia-cudnn"),
    Numpy(file="numpy_abi.toml", table="numpy", package="numpy", key="numpy"),
)


@dataclass(frozen=True, kw_only=True)
class Change:
    """One line of the diff. ``new`` is a whole record, else ``key`` goes from ``old`` to ``value``."""

    subject: Subject
    version: str
    new: Record | None = None
    key: str = ""
    old: object = None
    value: object = None

    def __str__(self) -> str:
        where = f"{self.subject.file} [[{self.subject.table}]] {self.subject.package} {self.version}"
        if self.new is None:
            return f"~ {where}: {self.key} {toml_value(self.old)} -> {toml_value(self.value)}"
        told = [
            f"    {toml_key(key)} = {toml_value(value)}"
            for key, value in self.new.items()
            if not is_empty(value)
        ]
        return "\n".join([f"+ {where}", *told])


def apply(text: RecordText, change: Change) -> None:
    """Bring one change into a file's text; new records stand in order of their versions."""
    subject = change.subject
    places = [(place, Version(record[subject.key])) for place, record in subject.places(text)]
    version = Version(change.version)
    if change.new is None:
        text.change(next(place for place, one in places if one == version), change.key, change.value)
        return
    later = [place for place, one in places if one > version]
    text.insert(later[0] if later else places[-1][0] + 1, subject.table, change.new)


def run(folder: Path, index: Index, *, write: bool, day: str) -> tuple[list[Change], list[str]]:
    """Compare all files of a folder; the changes, and the names of files that were written."""
    changes: list[Change] = []
    written: list[str] = []
    for name in dict.fromkeys(subject.file for subject in SUBJECTS):
        path = folder / name
        text = RecordText(path.read_text(encoding="utf-8"))
        found = [
            change for subject in SUBJECTS if subject.file == name for change in subject.compare(text, index)
        ]
        changes += found
        if write and found:
            for change in found:
                apply(text, change)
            text.date(day)
            tomli.loads(str(text))
            path.write_text(str(text), encoding="utf-8")
            written.append(name)
    return changes, written


def main() -> int:
    """Compare, print, and write when asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--index", default=_PYPI, help="address of a simple index that answers in JSON")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the record files")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--write", action="store_true", help="bring the files up to date")
    action.add_argument("--check", action="store_true", help="exit with 1 when releases are missing")
    options = parser.parse_args()
    http = HttpClient(variables=dict(os.environ))  # noqa: TID251 - a program, not the library
    day = datetime.now(tz=UTC).date().isoformat()
    try:
        changes, written = run(options.data, Index(http, options.index), write=options.write, day=day)
    except LayerwrightError as error:
        print(f"error: {error.what}", file=sys.stderr)
        return 2
    for change in changes:
        print(change)
    new = sum(change.new is not None for change in changes)
    print(f"{new} releases are not recorded, {len(changes) - new} values of recorded ones differ")
    for name in written:
        print(f"wrote {name}")
    return 1 if options.check and new else 0


if __name__ == "__main__":
    raise SystemExit(main())
