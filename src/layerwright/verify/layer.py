"""One layer in one pass: every entry, and of the contents what checks ask for; nothing large is kept.

ELF files are read as their headers say, at any place, so larger ones go through one file on disk that is used again for
each. Of Python packages and of all that is small a digest is taken, for RECORD. The secret scan sees every byte.
"""

import hashlib
import io
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from layerwright.core.errors import IntegrityError
from layerwright.facts.elf import MAGIC, ElfError, read_library
from layerwright.facts.model import Library
from layerwright.oci.layer import Layer
from layerwright.verify.entries import Entry, LayerIndex
from layerwright.verify.secrets.model import Hit
from layerwright.verify.tarstream import TarMember, read_tar

__all__ = ["FileScan", "FileScanner", "read_layer"]

_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"
_AUFS: Final = ".wh..wh."  # its own bookkeeping

_IN_MEMORY: Final = 4 << 20
"""Bytes of an ELF file up to which it is read from memory."""

_KEPT_SIZE: Final = 16 << 20
"""Bytes of a file that is kept whole; the RECORD of torch has a tenth of it."""

_HASHED_SIZE: Final = 1 << 20
"""Bytes up to which the digest of every file is taken; of larger ones only where RECORDs may list them."""

_KEPT: Final = re.compile(
    r"etc/(os-release|ld\.so\.(cache|conf|preload)|ld\.so\.conf\.d/[^/]+\.conf|ld-musl-[^/]+\.path|passwd)"
    r"|usr/lib/os-release"
    r"|var/lib/dpkg/(status|status\.d/[^/]+)"
    r"|(.*/)?pyvenv\.cfg"
    r"|usr/local/musa(-[^/]+)?/version\.json"
    r"|opt/venv/share/layerwright/locked\.json"
    r"|(.*/)?img-man/(.*/)?[^/]+\.(yaml|json)"
    r"|(.*/)?(site|dist)-packages/[^/]+\.(dist-info/(METADATA|RECORD|INSTALLER|direct_url\.json)"
    r"|egg-info(/PKG-INFO)?|egg-link|pth)"
)
_PACKAGES: Final = ("/site-packages/", "/dist-packages/", "/bin/")


class FileScan(Protocol):
    """The search of one file."""

    def feed(self, data: bytes, /) -> None:
        """Take the next bytes."""

    def close(self) -> tuple[Hit, ...]:
        """What was found."""


class FileScanner(Protocol):
    """What looks for secrets; safe to use from several threads. ``secrets.SecretScanner`` is one."""

    def scan_text(self, where: str, text: str, /) -> Iterable[Hit]:
        """Search a text of the config."""

    def open_file(self, path: str, /, *, layer: str = ...) -> FileScan:
        """Begin to search a file."""


def read_layer(
    tar: Iterable[bytes],
    *,
    number: int,
    layer: Layer,
    spool: Path,
    scanner: FileScanner | None = None,
    progress: Callable[[int], None] | None = None,
) -> LayerIndex:
    """Read a layer's tar to its end.

    Args:
        tar: uncompressed; raises at its end when it has not its digest.
        number: position of the layer in the image.
        layer: what it is.
        spool: an existing folder for a temporary file, for this layer alone.
        scanner: looks for secrets.
        progress: gets the bytes of each piece read.

    Raises:
        IntegrityError: no sound tar, or not the tar that the layer names.
    """
    reader = _Reader(spool, scanner, layer, number)
    try:
        for member, content in read_tar(_counted(tar, progress) if progress else tar):
            reader.take(member, content)
    except IntegrityError as error:
        if error.what.startswith("a layer"):
            raise IntegrityError(
                f"layer {layer.digest.short} (number {number + 1} from the bottom): {error.what}",
                hint=error.hint,
            ) from error
        raise
    finally:
        reader.close()
    return reader.index()


def _counted(chunks: Iterable[bytes], progress: Callable[[int], None]) -> Iterator[bytes]:
    for chunk in chunks:
        progress(len(chunk))
        yield chunk


class _Reader:
    def __init__(self, spool: Path, scanner: FileScanner | None, layer: Layer, number: int) -> None:
        self._spool = spool / "elf"
        self._file: BinaryIO | None = None
        self._scanner = scanner
        self._layer = layer
        self._number = number
        self._entries: dict[str, Entry] = {}
        self._hard_links: dict[str, str] = {}
        self._whiteouts: list[str] = []
        self._opaque: list[str] = []
        self._hits: list[Hit] = []

    def index(self) -> LayerIndex:
        """What was read."""
        return LayerIndex(
            number=self._number,
            layer=self._layer,
            entries=self._entries,
            hard_links=self._hard_links,
            whiteouts=tuple(self._whiteouts),
            opaque=tuple(self._opaque),
            secrets=tuple(self._hits),
        )

    def close(self) -> None:
        """Remove the file on disk."""
        if self._file is not None:
            self._file.close()
            self._spool.unlink(missing_ok=True)

    def take(self, member: TarMember, content: Iterable[bytes]) -> None:
        """One member; its content passes by here."""
        path = member.path
        folder, _, name = path.rpartition("/")
        if name.startswith(_WHITEOUT):
            self._whiteout(folder, name)
            return
        match member.kind:
            case "hard":
                self._hard_link(path, member.target)
                return
            case "file":
                self._entries.pop(
                    path, None
                )  # what comes later in a tar replaces what came before, place and all
                self._entries[path] = self._content(member, content)
            case kind:
                self._entries[path] = Entry(
                    kind=kind,
                    mode=member.mode,
                    uid=member.uid,
                    gid=member.gid,
                    target=member.target if kind == "link" else "",
                    layer=self._number,
                )
        self._hard_links.pop(path, None)

    def _whiteout(self, folder: str, name: str) -> None:
        if name == _OPAQUE:
            self._opaque.append(folder)
        elif not name.startswith(_AUFS):
            hidden = name.removeprefix(_WHITEOUT)
            if hidden in ("", ".", ".."):
                raise IntegrityError(f"a layer's whiteout names nothing: {folder}/{name}")
            self._whiteouts.append(f"{folder}/{hidden}" if folder else hidden)

    def _hard_link(self, path: str, target: str) -> None:
        real = "/".join(part for part in target.split("/") if part not in ("", "."))
        known = self._entries.get(real)
        if known is not None:
            self._entries.pop(path, None)
            self._entries[path] = known
            self._hard_links.pop(path, None)
        else:
            self._hard_links[path] = self._hard_links.get(real, real)

    def _content(self, member: TarMember, content: Iterable[bytes]) -> Entry:
        path, size = member.path, member.size
        taker = _Taker(self, member)
        scan = self._scanner.open_file(f"/{path}", layer=str(self._layer.diff_id)) if self._scanner else None
        for piece in content:
            taker.piece(piece)
            if scan is not None:
                scan.feed(piece)
        if scan is not None:
            self._hits.extend(scan.close())
        return Entry(
            kind="file",
            mode=member.mode,
            uid=member.uid,
            gid=member.gid,
            size=size,
            layer=self._number,
            capabilities=member.capabilities,
            sha256=taker.digest(),
            library=taker.library(),
            text=taker.text(),
        )

    def spool(self) -> BinaryIO:
        """The file on disk, empty."""
        if self._file is None:
            self._file = self._spool.open("w+b", buffering=0)
        self._file.seek(0)
        self._file.truncate()
        return self._file


class _Taker:
    """Takes from a content that passes by what is asked of it."""

    def __init__(self, reader: _Reader, member: TarMember) -> None:
        path = member.path
        self._path = f"/{path}"
        self._reader = reader
        self._size = 0 if member.sparse else member.size
        self._first = True
        wanted = member.size <= _HASHED_SIZE or any(part in f"/{path}" for part in _PACKAGES)
        self._hash = hashlib.sha256() if wanted and not member.sparse else None
        self._kept: list[bytes] | None = (
            [] if member.size <= _KEPT_SIZE and not member.sparse and _KEPT.fullmatch(path) else None
        )
        self._elf: BinaryIO | None = None

    def piece(self, piece: bytes) -> None:
        """The next bytes."""
        if self._first:
            self._first = False
            # A file whose first piece is shorter than the mark is at most cut by the stream: see what follows.
            if self._size and piece[:4] == MAGIC[: len(piece)]:
                self._elf = io.BytesIO() if self._size <= _IN_MEMORY else self._reader.spool()
        if self._hash is not None:
            self._hash.update(piece)
        if self._kept is not None:
            self._kept.append(piece)
        if self._elf is not None:
            self._elf.write(piece)

    def digest(self) -> bytes:
        """Of all that passed; empty when none was taken."""
        return self._hash.digest() if self._hash is not None else b""

    def text(self) -> bytes | None:
        """All that passed, when it is kept."""
        return b"".join(self._kept) if self._kept is not None else None

    def library(self) -> Library | None:
        """What its headers say; a damaged one is told by whoever needs it."""
        if self._elf is None:
            return None
        try:
            source = self._elf.getvalue() if isinstance(self._elf, io.BytesIO) else self._elf
            return read_library(source, path=self._path, contents=False)
        except ElfError:
            return None
