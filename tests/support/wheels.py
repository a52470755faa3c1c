"""Wheels made to order on disk, good ones and evil ones."""

import base64
import csv
import hashlib
import io
import os
import stat
import time
import zipfile
from dataclasses import dataclass

from layerwright.layers import WheelFile


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One member: its bytes and how it stands in the archive.

    Attributes:
        mode: whole ``st_mode``: type and permissions; 0 as archives made on Windows have it.
        stored: not compressed.
        streamed: sizes stand in a data descriptor after the bytes, as a writer without seeking leaves them.
        zip64: sizes stand in a zip64 record.
        level: zlib's.
    """

    data: bytes
    mode: int = stat.S_IFREG | 0o644
    stored: bool = False
    streamed: bool = False
    zip64: bool = False
    level: int = 6


def executable(data):
    """A member with an execute bit."""
    return Entry(data=data, mode=stat.S_IFREG | 0o755)


def link(target):
    """A symbolic link, as zip(1) stores it."""
    return Entry(data=target.encode(), mode=stat.S_IFLNK | 0o777)


def record_hash(data, algorithm="sha256"):
    """A digest as RECORD writes it."""
    digest = hashlib.new(algorithm, data).digest()
    return f"{algorithm}={base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def make_wheel(
    folder,
    name="demo",
    version="1.0",
    *,
    files=None,
    data=None,
    entry_points="",
    tag="py3-none-any",
    file_name="",
    wheel_text=None,
    metadata_text=None,
    info_folder="",
    change_record=None,
    record_text=None,
    unlisted=None,
    without=(),
    requested=False,
    direct_url="",
):
    """Write a wheel and describe it as ``layers`` wants it.

    Args:
        folder: where the wheel is written, under its own file name.
        files: path to bytes or ``Entry``; one small module when None.
        data: the same, below the ``.data`` folder: ``scripts/tool``.
        entry_points: text of entry_points.txt.
        tag: of the file name and of WHEEL.
        file_name: instead of the regular one.
        wheel_text, metadata_text, record_text: instead of the regular texts.
        info_folder: instead of the regular ``.dist-info`` folder.
        change_record: takes and gives the rows ``[path, digest, size]``; for RECORDs that lie.
        unlisted: a list of (path, bytes or Entry) that RECORD does not know; names may repeat.
        without: paths left out of the archive, though RECORD lists them.
        requested, direct_url: as in ``WheelFile``.
    """
    stem = name.replace("-", "_")
    info = info_folder or f"{stem}-{version}.dist-info"
    members = dict({f"{stem}/__init__.py": b"VALUE = 1\n"} if files is None else files)
    members |= {f"{stem}-{version}.data/{path}": content for path, content in (data or {}).items()}
    members[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        if metadata_text is None
        else metadata_text
    ).encode()
    members[f"{info}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n"
        if wheel_text is None
        else wheel_text
    ).encode()
    if entry_points:
        members[f"{info}/entry_points.txt"] = entry_points.encode()
    entries = {
        path: content if isinstance(content, Entry) else Entry(data=content)
        for path, content in members.items()
    }
    rows = [[path, record_hash(entry.data), str(len(entry.data))] for path, entry in entries.items()]
    rows.append([f"{info}/RECORD", "", ""])
    if change_record is not None:
        rows = change_record(rows)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    entries[f"{info}/RECORD"] = Entry(data=(text.getvalue() if record_text is None else record_text).encode())
    extra = [
        (path, content if isinstance(content, Entry) else Entry(data=content))
        for path, content in unlisted or []
    ]
    path = folder / (file_name or f"{stem}-{version}-{tag}.whl")
    write_zip(path, [*((path, entry) for path, entry in entries.items() if path not in without), *extra])
    return WheelFile(
        path=path,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        file=path.name,
        name=name,
        version=version,
        requested=requested,
        direct_url=direct_url,
    )


class _OneWay(io.RawIOBase):
    """Forward writing only: makes ``zipfile`` use data descriptors."""

    def __init__(self, file):
        self._file = file

    def writable(self):
        return True

    def write(self, data):
        return self._file.write(data)


def write_zip(path, entries):
    """Write members in the given order; a name may stand there twice."""
    one_way = any(entry.streamed for _, entry in entries)
    with path.open("wb") as file, zipfile.ZipFile(_OneWay(file) if one_way else file, "w") as archive:
        for name, entry in entries:
            info = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
            info.external_attr = entry.mode << 16
            info.compress_type = zipfile.ZIP_STORED if entry.stored else zipfile.ZIP_DEFLATED
            info._compresslevel = entry.level
            archive.NameToInfo.pop(name, None)  # zipfile warns of a second member by one name
            with archive.open(info, "w", force_zip64=entry.zip64) as out:
                out.write(entry.data)


def patch_member(wheel, change):
    """Rewrite the wheel's bytes in place: ``change`` takes and gives all of them. The length must stay."""
    before = wheel.path.read_bytes()
    after = change(before)
    assert len(before) == len(after)
    assert before != after
    wheel.path.write_bytes(after)
    os.utime(wheel.path, (time.time(), time.time()))
