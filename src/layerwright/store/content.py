"""Files named by the sha256 of their bytes."""

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from layerwright.core.errors import IntegrityError
from layerwright.store.failures import told_when_full
from layerwright.store.layout import Item, Room, StoreLayout
from layerwright.store.session import Session

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["CHUNK", "Content", "ContentWriter", "bump", "hash_file"]

CHUNK = 1 << 20
"""Bytes read at a time."""

_EMPTY = hashlib.sha256(b"").hexdigest()
_FRESH = 60 * 1_000_000_000  # nanoseconds within which a use need not be written down again


class ContentWriter(io.BufferedWriter):
    """A file that is written once from front to back, and hashed as the bytes come.

    Attributes:
        hex: sha256 of what was written; set when the block ends well.
        size: bytes written so far.
        path: where the file stands; set when the block ends well.
    """

    def __init__(self, handle: int, root: Path, *, limit: int) -> None:
        super().__init__(io.FileIO(handle, "wb"), CHUNK // 4)
        self.hex = ""
        self.size = 0
        self.path = Path()
        self._root = root
        self._limit = limit
        self._hash = hashlib.sha256()

    def write(self, data: "ReadableBuffer", /) -> int:
        """Add bytes.

        Raises:
            BuildError: the disk is full.
            IntegrityError: more bytes than were announced.
        """
        length = memoryview(data).nbytes
        self.size += length
        if self._limit and self.size > self._limit:
            raise IntegrityError(f"more than the announced {self._limit:,} bytes came")
        self._hash.update(data)
        with told_when_full(self._root, needed=max(self._limit, self.size)):
            super().write(data)
        return length

    def seekable(self) -> bool:
        """Never: the hash is of the bytes in the order in which they came."""
        return False

    def seek(self, target: int, whence: int = 0, /) -> int:
        """Refused, see ``seekable``."""
        raise io.UnsupportedOperation(f"seek to {target} from {whence}")

    def check(self, sha256: str) -> str:
        """sha256 of the bytes so far, in hexadecimal digits.

        Raises:
            IntegrityError: it is not the one that was announced, or there are too few bytes.
        """
        digest = self._hash.hexdigest()
        if self._limit and self.size != self._limit:
            raise IntegrityError(f"{self.size:,} bytes came where {self._limit:,} were announced")
        if sha256 and digest != sha256:
            raise IntegrityError(f"the bytes have sha256 {digest}, not {sha256}")
        return digest


class Content:
    """The rooms of content-addressed files."""

    def __init__(self, layout: StoreLayout, session: Session) -> None:
        self._layout = layout
        self._session = session

    def has(self, room: Room, hex_digest: str) -> bool:
        """Whether the file is there; if so it is marked as used by this process."""
        path = self._layout.content(room, hex_digest)
        try:
            found = path.stat()
        except FileNotFoundError:
            return False
        if found.st_size == 0 and hex_digest != _EMPTY:
            return False  # the machine stopped between the rename and the write-back of the bytes
        bump(path, found)
        return self._session.use(Item(kind=room, name=hex_digest), present=path)

    @contextmanager
    def writer(self, room: Room, *, sha256: str = "", size: int = 0) -> Iterator[ContentWriter]:
        """Write a new file; it stands in its room only after the block has ended well."""
        if sha256:
            self._layout.content(room, sha256)
        temporary = self._session.temporary()
        root = self._layout.root
        with told_when_full(root, needed=size):
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
        writer = ContentWriter(handle, root, limit=size)
        try:
            yield writer
            with told_when_full(root, needed=max(size, writer.size)):
                writer.close()
            digest = writer.check(sha256)
            final = self._layout.content(room, digest)
            self._session.place(Item(kind=room, name=digest), temporary, final)
            writer.hex, writer.path = digest, final
        except BaseException:
            with suppress(OSError):
                writer.close()
            temporary.unlink(missing_ok=True)
            raise

    def adopt(self, room: Room, file: Path, *, sha256: str = "") -> str:
        """Take a file in: one below the store's root is moved (and removed when wrong), any other is copied."""
        inside = file.resolve().is_relative_to(self._layout.root.resolve())
        if not inside:
            with self.writer(room, sha256=sha256) as writer, file.open("rb") as source:
                while chunk := source.read(CHUNK):
                    writer.write(chunk)
            return writer.hex
        digest = hash_file(file)
        if sha256 and digest != sha256:
            file.unlink(missing_ok=True)
            raise IntegrityError(f"the bytes have sha256 {digest}, not {sha256}")
        file.chmod(0o444)
        os.utime(file)
        self._session.place(Item(kind=room, name=digest), file, self._layout.content(room, digest))
        return digest

    def part_path(self, room: Room, hex_digest: str) -> Path:
        """Where an unfinished download may be kept and resumed; not pruned while this process lives."""
        path = self._layout.part(room, hex_digest)
        self._session.folder()
        with told_when_full(self._layout.root):
            path.parent.mkdir(exist_ok=True)
            path.touch(mode=0o600)
        self._session.use(Item(kind="partial", name=path.name), present=path)
        return path

    def read(self, room: Room, hex_digest: str) -> Iterator[bytes]:
        """The file's bytes in chunks of at most 1 MiB, verified; a damaged file is removed.

        Raises:
            IntegrityError: the file is missing, or its bytes are not those of its name (known after the last chunk).
        """
        path = self._layout.content(room, hex_digest)
        try:
            file = path.open("rb")
        except FileNotFoundError as error:
            raise IntegrityError(
                f"{room}/{hex_digest} is not in the store {self._layout.root}",
                hint="build again: what is missing is fetched or made anew",
            ) from error
        hashed = hashlib.sha256()
        with file:
            while chunk := file.read(CHUNK):
                hashed.update(chunk)
                yield chunk
        if hashed.hexdigest() != hex_digest:
            path.unlink(missing_ok=True)
            raise IntegrityError(
                f"{path} was damaged on disk and has been removed",
                hint="build again: what is missing is fetched or made anew",
            )


def hash_file(path: Path) -> str:
    """sha256 of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def bump(path: Path, found: os.stat_result) -> None:
    """Make the time of last change the time of last use; most uses follow one another and cost nothing."""
    import time  # noqa: PLC0415  (only its clock for file times, which no result depends on)

    if time.time_ns() - found.st_mtime_ns > _FRESH:
        with suppress(OSError):
            os.utime(path)
