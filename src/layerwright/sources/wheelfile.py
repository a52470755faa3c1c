"""A wheel made the same whenever its contents are the same: whoever built it, and when."""

import base64
import csv
import hashlib
import io
import stat
import zipfile
from pathlib import Path
from typing import Final

from layerwright.core.errors import BuildError

__all__ = ["normalise_wheel"]

_CHUNK: Final = 1 << 20
_DATE: Final = (1980, 1, 1, 0, 0, 0)
_UNIX: Final = 3
_SIGNATURES: Final = ("RECORD.jws", "RECORD.p7s")


def normalise_wheel(source: Path, target: Path) -> None:
    """Write a wheel anew: members sorted with ``.dist-info`` last, one date, modes 0644 or 0755, stored, RECORD right.

    Members are stored, not deflated: the bytes would else depend on the zlib at hand. RECORD is made from the
    members themselves, and signatures of the old one are dropped.

    Args:
        source: a wheel as a build backend made it.
        target: the file to write.

    Raises:
        BuildError: the file is no wheel.
    """
    try:
        with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
            record = _record_name(old)
            folder = record.rpartition("/")[0]
            rows: list[tuple[str, str, int | str]] = []
            members = {info.filename: info for info in old.infolist() if not info.is_dir()}
            for name in sorted(members, key=lambda path: (path.startswith(f"{folder}/"), path)):
                if name == record or name in {f"{folder}/{signature}" for signature in _SIGNATURES}:
                    continue
                rows.append((name, *_copy(old, members[name], new)))
            rows.append((record, "", ""))
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows(rows)
            new.writestr(_info(record, 0o644), text.getvalue().encode())
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError) as error:
        raise BuildError(f"{source.name} is no wheel: {error}") from error


def _record_name(wheel: zipfile.ZipFile) -> str:
    found = [name for name in wheel.namelist() if name.count("/") == 1 and name.endswith(".dist-info/RECORD")]
    if len(found) != 1:
        raise BuildError(f"{Path(wheel.filename or '').name} is no wheel: it has {len(found)} RECORD files")
    return found[0]


def _info(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _DATE)
    info.create_system = _UNIX
    info.external_attr = (stat.S_IFREG | mode) << 16
    return info


def _copy(old: zipfile.ZipFile, member: zipfile.ZipInfo, new: zipfile.ZipFile) -> tuple[str, int]:
    """Copy a member in pieces; its RECORD hash and size."""
    executable = (member.external_attr >> 16) & stat.S_IXUSR
    info = _info(member.filename, 0o755 if executable else 0o644)
    # known beforehand, so that the header alone decides on zip64
    info.file_size = member.file_size
    digest = hashlib.sha256()
    with old.open(member) as reader, new.open(info, "w") as writer:
        while piece := reader.read(_CHUNK):
            digest.update(piece)
            writer.write(piece)
    return "sha256=" + base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode(), member.file_size
