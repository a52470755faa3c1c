"""A wheel as an archive: its directory read by ``zipfile``, its compressed bytes read as they stand.

What two readers of a zip file could see differently is refused: names that differ between the directory and the
member's own header, overlapping members, members under one name, bytes after a member's deflate stream.
"""

import os
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from layerwright.core.errors import BuildError, IntegrityError
from layerwright.layers.deflate import MAX_STORED
from layerwright.layers.inflate import InflateError, crc32, inflate, inflate_whole
from layerwright.layers.names import fault_of_path

__all__ = ["DEFLATED", "READ_CHUNK", "STORED", "Member", "WheelArchive"]

STORED = zipfile.ZIP_STORED
DEFLATED = zipfile.ZIP_DEFLATED

READ_CHUNK = 4 * MAX_STORED
"""Compressed bytes read at once, a whole number of stored blocks; inflated they are about a mebibyte."""

_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_LOCAL_SIGNATURE = b"PK\x03\x04"
_ENCRYPTED = 1 << 0 | 1 << 6 | 1 << 13  # APPNOTE 4.4.4: encrypted, strong encryption, masked directory
_PATCH = 1 << 5
_FILE_TYPE = 0o170000
_UTF8 = 1 << 11
_EXTRA_GUESS = 64
_WRONG_CRC = "its content does not have the CRC-32 the archive gives"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A regular file of the archive.

    Attributes:
        name: path in the archive.
        method: ``STORED`` or ``DEFLATED``.
        crc: CRC-32 of the content, by the directory.
        compressed_size: bytes in the archive.
        size: bytes of the content.
        executable: the archive gives it an execute bit.
        header_offset: where its local header begins.
        limit: where the next member or the directory begins.
        raw_name: the name's bytes in the archive.
    """

    name: str
    method: int
    crc: int
    compressed_size: int
    size: int
    executable: bool
    header_offset: int
    limit: int
    raw_name: bytes


class WheelArchive:
    """An open wheel; may be read by several threads.

    Attributes:
        label: the wheel's file name, for errors.
        members: regular files by name; folders are not listed.
    """

    def __init__(self, path: Path, label: str) -> None:
        """Open the wheel and judge its directory.

        Raises:
            IntegrityError: not a zip file, or a member that no wheel may have.
            BuildError: it cannot be read.
        """
        self.label = label
        try:
            self._file = path.open("rb", buffering=0)
        except OSError as error:
            raise BuildError(f"cannot read the wheel {label} at {path}: {error.strerror}") from error
        try:
            self.members: Mapping[str, Member] = self._read_directory()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def refuse(self, member: str, why: str) -> IntegrityError:
        """Make the error that names this wheel and the member."""
        return IntegrityError(
            f"wheel {self.label}: {member!r}: {why}" if member else f"wheel {self.label}: {why}",
            hint="do not install this wheel; fetch it again or pin another version",
        )

    def _read_directory(self) -> dict[str, Member]:
        try:
            with zipfile.ZipFile(self._file) as archive:
                found = archive.infolist()
                end = archive.start_dir
        except (zipfile.BadZipFile, struct.error, ValueError, NotImplementedError, EOFError) as error:
            raise self.refuse("", f"not a readable zip archive ({error})") from error
        members: dict[str, Member] = {}
        seen: set[str] = set()
        limit = end
        for info in sorted(found, key=lambda info: info.header_offset, reverse=True):
            name = info.orig_filename
            fault = fault_of_path(name.removesuffix("/")) or _fault_of_member(info)
            if fault:
                raise self.refuse(name, fault)
            if name in seen:
                raise self.refuse(name, "stands in the archive twice")
            seen.add(name)
            raw_name = name.encode() if info.flag_bits & _UTF8 or name.isascii() else name.encode("cp437")
            if info.header_offset + _LOCAL_HEADER.size + len(raw_name) + info.compress_size > limit:
                raise self.refuse(name, "overlaps another member")
            if not name.endswith("/"):
                members[name] = Member(
                    name=name,
                    method=info.compress_type,
                    crc=info.CRC,
                    compressed_size=info.compress_size,
                    size=info.file_size,
                    executable=_is_executable(info.external_attr >> 16),
                    header_offset=info.header_offset,
                    limit=limit,
                    raw_name=raw_name,
                )
            limit = info.header_offset
        return members

    def _data(self, member: Member) -> tuple[int, bytes]:
        """Where the compressed bytes begin, and the first of them, at most ``READ_CHUNK``."""
        ahead = _LOCAL_HEADER.size + len(member.raw_name)
        first = self._pread(
            ahead + min(member.compressed_size, READ_CHUNK) + _EXTRA_GUESS, member.header_offset
        )
        if len(first) < ahead:
            raise self.refuse(member.name, "the archive is cut short")
        signature, _, flags, method, _, _, crc, compressed, size, name_size, extra_size = (
            _LOCAL_HEADER.unpack_from(first)
        )
        name_end = _LOCAL_HEADER.size + name_size
        if signature != _LOCAL_SIGNATURE or first[_LOCAL_HEADER.size : name_end] != member.raw_name:
            raise self.refuse(member.name, "its own header gives another name than the archive's directory")
        no_sizes = flags & 1 << 3 or compressed == 0xFFFFFFFF or size == 0xFFFFFFFF  # noqa: PLR2004 - zip64 mark
        if method != member.method or (
            not no_sizes and (crc, compressed, size) != (member.crc, member.compressed_size, member.size)
        ):
            raise self.refuse(member.name, "its own header disagrees with the archive's directory")
        begin = member.header_offset + name_end + extra_size
        if begin + member.compressed_size > member.limit:
            raise self.refuse(member.name, "overlaps another member")
        return begin, first[name_end + extra_size :][: member.compressed_size]

    def _pread(self, size: int, offset: int) -> bytes:
        return os.pread(self._file.fileno(), size, offset)

    def raw(self, member: Member) -> Iterator[bytes]:
        """The member's bytes as they stand in the archive, in pieces of ``READ_CHUNK`` but for the last.

        Raises:
            IntegrityError: the archive is cut short or contradicts itself.
        """
        begin, piece = self._data(member)
        done = 0
        if len(piece) == min(member.compressed_size, READ_CHUNK):  # else its header was longer than guessed
            done = len(piece)
            yield piece
        while done < member.compressed_size:
            piece = self._pread(min(READ_CHUNK, member.compressed_size - done), begin + done)
            if not piece:
                raise self.refuse(member.name, "the archive is cut short")
            done += len(piece)
            yield piece

    def content(self, member: Member, *, on_raw: Callable[[bytes], object] | None = None) -> Iterator[bytes]:
        """The member's content, checked against the directory's CRC-32 and size by the time it ends.

        Args:
            member: which.
            on_raw: is given the compressed bytes, as ``raw`` yields them, before they are used.

        Raises:
            IntegrityError: it is not what the directory says.
        """
        crc = 0
        size = 0
        pieces = self.raw(member) if on_raw is None else _tee(self.raw(member), on_raw)
        if member.method == DEFLATED:
            pieces = inflate(pieces, size=member.size)
        try:
            for piece in pieces:
                crc = crc32(piece, crc)
                size += len(piece)
                yield piece
        except InflateError as error:
            raise self.refuse(member.name, str(error)) from error
        if crc != member.crc or size != member.size:
            raise self.refuse(member.name, _WRONG_CRC)

    def whole(self, member: Member) -> tuple[bytes, bytes]:
        """Raw bytes and content of a member that has at most ``READ_CHUNK`` bytes of both.

        Raises:
            IntegrityError: as ``content``.
        """
        raw = b"".join(self.raw(member))
        try:
            content = inflate_whole(raw, size=member.size) if member.method == DEFLATED else raw
        except InflateError as error:
            raise self.refuse(member.name, str(error)) from error
        if crc32(content) != member.crc:
            raise self.refuse(member.name, _WRONG_CRC)
        return raw, content

    def read(self, member: Member, *, limit: int) -> bytes:
        """The whole content of a small member.

        Raises:
            IntegrityError: damaged, or longer than ``limit`` bytes.
        """
        if member.size > limit:
            raise self.refuse(member.name, f"is longer than {limit} bytes")
        return b"".join(self.content(member))


def _tee(pieces: Iterator[bytes], on_piece: Callable[[bytes], object]) -> Iterator[bytes]:
    for piece in pieces:
        on_piece(piece)
        yield piece


def _is_executable(mode: int) -> bool:
    # as pip judges it: a wheel made on another system has no file type, and then no execute bit either
    return stat.S_ISREG(mode) and bool(mode & 0o111)


def _fault_of_member(info: zipfile.ZipInfo) -> str:
    """Why no wheel may have such a member; empty when it may."""
    kind = info.external_attr >> 16 & _FILE_TYPE
    is_folder = info.orig_filename.endswith("/")
    if kind == stat.S_IFLNK:
        return "is a symbolic link, which no wheel may hold"
    if kind and kind != (stat.S_IFDIR if is_folder else stat.S_IFREG):
        return "is no regular file"
    if is_folder and info.file_size:
        return "is a folder with content"
    if info.flag_bits & (_ENCRYPTED | _PATCH):
        return "is encrypted"
    if info.compress_type not in (STORED, DEFLATED):
        return f"is compressed by an unknown method ({info.compress_type})"
    if info.compress_type == STORED and info.compress_size != info.file_size:
        return "is stored with two different sizes"
    return ""
