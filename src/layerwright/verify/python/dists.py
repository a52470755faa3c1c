"""Installed distributions: their metadata, and the files their RECORD lists."""

import binascii
import csv
import posixpath
import re
from base64 import urlsafe_b64decode
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from layerwright.verify.tree import Node

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Dist", "RecordRow", "metadata_identity", "read_dists"]

_NAME: Final = re.compile(r"[-_.]+")
_MOST_ROWS: Final = 500_000


class Dist(Struct, frozen=True, kw_only=True):
    """One distribution.

    Attributes:
        name: normalized.
        version: as its metadata has it.
        folder: the site folder it is installed in.
        info: path of its metadata folder or file.
        layer: position of the layer that has its metadata.
        requires: Requires-Dist lines.
        requires_python: specifier set; empty for none.
        installer: such as ``pip``; empty when nobody says.
        record: text of RECORD; None when it has none.
    """

    name: str
    version: str
    folder: str
    info: str
    layer: int
    requires: tuple[str, ...] = ()
    requires_python: str = ""
    installer: str = ""
    record: str | None = None

    def __repr__(self) -> str:
        return f"Dist({self.label!r}, {self.info!r})"

    @property
    def label(self) -> str:
        """For messages: ``torch 2.4.1``."""
        return f"{self.name} {self.version}"

    def rows(self) -> "Iterator[RecordRow]":
        """The rows of RECORD; those that lead out of the image are left out."""
        if self.record is None:
            return
        for number, row in enumerate(csv.reader(self.record.splitlines())):
            if number >= _MOST_ROWS or not row or not row[0]:
                continue
            path = posixpath.normpath(posixpath.join(self.folder, row[0]))
            if not path.startswith("/") or "\0" in path:
                continue
            digest = row[1] if len(row) > 1 else ""
            size = row[2] if len(row) > 2 and row[2].isdecimal() and len(row[2]) < 20 else ""  # noqa: PLR2004 - path, digest, size
            yield RecordRow(path=path, sha256=_sha256(digest), size=int(size) if size else -1)


class RecordRow(Struct, frozen=True, kw_only=True, gc=False):
    """One file of a distribution.

    Attributes:
        path: absolute.
        sha256: raw digest; empty when RECORD has none, or one of another kind.
        size: bytes; -1 when not listed.
    """

    path: str
    sha256: bytes = b""
    size: int = -1


def read_dists(folder: Node) -> tuple[Dist, ...]:
    """Everything installed in a site folder, by name."""
    found = []
    path = folder.path
    for name, child in sorted((folder.children or {}).items()):
        if name.endswith(".dist-info"):
            dist = _from_info(path, name, child, "METADATA")
        elif name.endswith(".egg-info"):
            dist = _from_info(path, name, child, "PKG-INFO")
        else:
            continue
        if dist is not None:
            found.append(dist)
    return tuple(found)


def metadata_identity(metadata: bytes) -> tuple[str, str]:
    """Normalized name and version that a METADATA states; empty where it does not."""
    fields = _headers(metadata)
    return _NAME.sub("-", fields.get("name", [""])[0]).lower(), fields.get("version", [""])[0]


def _from_info(folder: str, name: str, node: Node, metadata_name: str) -> Dist | None:
    children = node.children or {}
    metadata = children.get(metadata_name) if node.children is not None else node
    if metadata is None or metadata.entry.text is None:
        return None
    fields = _headers(metadata.entry.text)
    own, version = fields.get("name", [""])[0], fields.get("version", [""])[0]
    if not own or not version:
        stem = name.rpartition(".")[0]
        own, version = own or stem.partition("-")[0], version or stem.partition("-")[2].partition("-")[0]
    record = children.get("RECORD")
    installer = children.get("INSTALLER")
    return Dist(
        name=_NAME.sub("-", own).lower(),
        version=version,
        folder=folder,
        info=f"{folder}/{name}",
        layer=metadata.entry.layer,
        requires=tuple(fields.get("requires-dist", ())),
        requires_python=fields.get("requires-python", [""])[0],
        installer=_text(installer).strip(),
        record=_text(record) if record is not None and record.entry.text is not None else None,
    )


def _text(node: Node | None) -> str:
    return (node.entry.text or b"").decode("utf-8", "replace") if node is not None else ""


def _headers(data: bytes) -> dict[str, list[str]]:
    """Header fields up to the first empty line, by lower-case name; the description is not looked at."""
    head = data.replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode("utf-8", "replace")
    found: dict[str, list[str]] = {}
    last: list[str] | None = None
    for line in head.split("\n"):
        if line[:1] in (" ", "\t"):
            if last:
                last[-1] += " " + line.strip()
            continue
        name, colon, value = line.partition(":")
        if colon:
            last = found.setdefault(name.strip().lower(), [])
            last.append(value.strip())
    return found


def _sha256(text: str) -> bytes:
    algorithm, _, digest = text.partition("=")
    if algorithm != "sha256":
        return b""
    try:
        raw = urlsafe_b64decode(digest + "=" * (-len(digest) % 4))
    except (binascii.Error, ValueError):
        return b""
    return raw if len(raw) == 32 else b""  # noqa: PLR2004 - of sha256
