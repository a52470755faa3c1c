"""Inputs that stand on this machine, as digests: what a lock was made from, and whether it has changed since."""

import hashlib
import re
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["LocalInputs", "read_metadata"]

_METADATA: Final = ("pyproject.toml", "setup.cfg", "setup.py")
_LIST: Final = re.compile(rb"[\w./-]{0,99}(?:require|depend|constraint)[\w./-]{0,99}\.(?:txt|in)\b")
"""Lists of requirements that backends read besides (``[tool.setuptools.dynamic]``, ``file:`` in setup.cfg)."""

_LARGEST: Final = 4 << 20
"""Bytes of a file that is read here; what is larger is no metadata."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalInputs:
    """Digests of projects and packed files; satisfies ``resolve.InputReader``.

    Attributes:
        root: folder that relative paths start from.
        cache: see ``layers.scan_tree``; only packed files use it.
    """

    root: Path
    cache: MutableMapping[str, str] | None = None

    def input_digest(self, path: str, /) -> str:
        """Digest (64 hexadecimal digits) of what a resolution reads of a local package; empty when it is not there.

        For a project folder it covers the names and bytes of the files that state its requirements, so that other
        edits leave the lock alone; for a wheel or sdist, the file.

        Raises:
            BuildError: a wheel or sdist cannot be read.
        """
        place = self.root / Path(path).expanduser()
        if place.is_file():
            from layerwright.layers.scan import scan_tree  # noqa: PLC0415  # start-up: packed files are rare

            return scan_tree(place, cache=self.cache).entries[0].sha256
        found = read_metadata(place)
        for name in sorted({name for data in found.values() for name in _named_lists(data)}):
            data = _read(place / name)
            if data is not None:
                found[name] = data
        if not found:
            return ""
        sha256 = hashlib.sha256()
        for name, data in found.items():
            sha256.update(b"%d:%s%d:%s" % (len(name.encode()), name.encode(), len(data), data))
        return sha256.hexdigest()


def read_metadata(project: Path) -> dict[str, bytes]:
    """The files in which a project states its metadata, by name; those that are not there are left out."""
    return {name: data for name in _METADATA if (data := _read(project / name)) is not None}


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST)
    except OSError:
        return None


def _named_lists(metadata: bytes) -> Iterator[str]:
    for match in _LIST.findall(metadata):
        name = match.decode()
        if not name.startswith("/") and ".." not in name.split("/"):
            yield name
