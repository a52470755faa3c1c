"""The texts of a wheel's ``.dist-info`` folder: WHEEL, METADATA, RECORD and entry_points.txt, read and judged."""

import base64
import csv
import hashlib
import io
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from email.parser import HeaderParser

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from layerwright.layers.archive import WheelArchive

__all__ = ["DistInfo", "RecordRow", "Script", "encode_digest", "read_dist_info", "record_text"]

_TEXT_LIMIT = 16 << 20
_RECORD_LIMIT = 64 << 20
_UNLISTED = ("RECORD", "RECORD.jws", "RECORD.p7s")
_SCRIPT_NAME = re.compile(r"[\w.+ -]+")
_REFERENCE = re.compile(
    r"(?P<module>[^\W\d]\w*(?:\.[^\W\d]\w*)*)\s*:\s*(?P<attribute>[^\W\d]\w*(?:\.[^\W\d]\w*)*)\s*(?:\[[^\]]*\])?"
)
_DIGEST_SIZES = {name: hashlib.new(name).digest_size for name in ("sha256", "sha384", "sha512")}
_LIKE_LINUX = re.compile(r"(?:manylinux\d*|musllinux|linux)_(?:\d+_\d+_)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRow:
    """What RECORD says of a file.

    Attributes:
        digest: ``sha256=…`` in unpadded URL-safe base64; empty when the wheel leaves it out.
        size: bytes, -1 when the wheel leaves it out.
    """

    digest: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A console or GUI script to be made: ``name`` calls ``attribute`` of ``module``."""

    name: str
    module: str
    attribute: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DistInfo:
    """What a wheel says of itself.

    Attributes:
        folder: name of the ``.dist-info`` folder.
        data_folder: name of the ``.data`` folder, which may be absent.
        name: as METADATA spells it.
        record: rows by path; RECORD itself and its signatures are left out.
        scripts: by name.
    """

    folder: str
    data_folder: str
    name: str
    record: Mapping[str, RecordRow]
    scripts: tuple[Script, ...]


def encode_digest(algorithm: str, digest: bytes) -> str:
    """A digest as RECORD writes it (PEP 376, PEP 427)."""
    return f"{algorithm}={base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def record_text(rows: Iterable[tuple[str, str, int]], record_path: str) -> bytes:
    """RECORD of an installed distribution, sorted by path; RECORD's own row has no digest.

    Args:
        rows: path, digest, bytes.
        record_path: RECORD's own path.
    """
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(sorted([*rows, (record_path, "", "")]))
    return out.getvalue().encode()


def read_dist_info(archive: WheelArchive, *, name: str, version: str) -> DistInfo:
    """Read and judge what the wheel says of itself.

    Args:
        archive: the open wheel; its label is the wheel's file name.
        name: what the lock calls the distribution.
        version: what the lock says; empty when not known.

    Raises:
        IntegrityError: missing or contradicting metadata, another Wheel-Version, or a lying RECORD.
    """
    try:
        file_name, file_version, _, file_tags = parse_wheel_filename(archive.label)
    except (InvalidWheelFilename, InvalidVersion) as error:
        raise archive.refuse("", f"its file name is no wheel's ({error})") from error
    folder = _dist_info_folder(archive, file_name, file_version)
    wheel = HeaderParser().parsestr(_text(archive, f"{folder}/WHEEL"))
    format_version = str(wheel.get("Wheel-Version", "")).strip()
    if not re.fullmatch(r"1(\.\d+)*", format_version):
        raise archive.refuse(f"{folder}/WHEEL", f"has Wheel-Version {format_version!r}; only 1 is known")
    tags = [str(tag).strip() for tag in wheel.get_all("Tag", [])]
    if not _tags_agree(file_tags, tags):
        raise archive.refuse(
            f"{folder}/WHEEL", f"its tags ({', '.join(tags)}) are not those of the file name"
        )
    metadata = HeaderParser().parsestr(_text(archive, f"{folder}/METADATA"))
    own_name = str(metadata.get("Name", "")).strip()
    own_version = str(metadata.get("Version", "")).strip()
    _check_identity(archive, f"{folder}/METADATA", own_name, own_version, file_name, file_version)
    if canonicalize_name(name) != file_name or (version and Version(version) != file_version):
        raise archive.refuse("", f"is not the wheel of {name} {version} that was asked for")
    return DistInfo(
        folder=folder,
        data_folder=_data_folder(archive, folder),
        name=own_name,
        record=_record(archive, folder),
        scripts=_scripts(archive, folder),
    )


def _text(archive: WheelArchive, name: str, *, limit: int = _TEXT_LIMIT) -> str:
    member = archive.members.get(name)
    if member is None:
        raise archive.refuse(name, "is missing")
    try:
        return archive.read(member, limit=limit).decode()
    except UnicodeDecodeError as error:
        raise archive.refuse(name, "is no UTF-8 text") from error


def _dist_info_folder(archive: WheelArchive, name: str, version: Version) -> str:
    tops = {path.partition("/")[0] for path in archive.members if ".dist-info/" in path}
    folders = sorted(top for top in tops if top.endswith(".dist-info"))
    if len(folders) != 1:
        found = ", ".join(folders) or "none"
        raise archive.refuse("", f"must have one .dist-info folder, it has: {found}")
    own_name, _, own_version = folders[0].removesuffix(".dist-info").rpartition("-")
    _check_identity(archive, folders[0], own_name, own_version, name, version)
    return folders[0]


def _check_identity(
    archive: WheelArchive, member: str, own_name: str, own_version: str, name: str, version: Version
) -> None:
    try:
        # a folder's name has "_" for what the version's local part may spell "-" or "_" (wheel specification)
        same = canonicalize_name(own_name) == name and Version(own_version) == version
    except InvalidVersion:
        same = False
    if not same:
        raise archive.refuse(member, f"says {own_name} {own_version}, the file name says {name} {version}")


def _data_folder(archive: WheelArchive, folder: str) -> str:
    expected = folder.removesuffix(".dist-info") + ".data"
    for path in archive.members:
        top, slash, _ = path.partition("/")
        if slash and top.endswith(".data") and top != expected:
            raise archive.refuse(path, f"stands in a data folder that is not {expected}")
    return expected


def _tags_agree(file_tags: Collection[Tag], texts: list[str]) -> bool:
    """Whether one tag of the WHEEL file means the same builds as one of the file name's.

    Wheels are renamed from ``linux_x86_64`` to a manylinux tag after the fact by some projects, without a change to
    WHEEL, so of the platform only what comes after the C library's version is compared.
    """

    def essence(interpreter: str, abi: str, platform: str) -> tuple[str, str, str]:
        return interpreter, abi, _LIKE_LINUX.sub("linux_", platform)

    known = {essence(tag.interpreter, tag.abi, tag.platform) for tag in file_tags}
    for text in texts:
        parts = text.lower().split("-")
        if len(parts) == 3 and any(  # noqa: PLR2004 - interpreter, abi, platform
            essence(interpreter, abi, platform) in known
            for interpreter in parts[0].split(".")
            for abi in parts[1].split(".")
            for platform in parts[2].split(".")
        ):
            return True
    return False


def _record(archive: WheelArchive, folder: str) -> dict[str, RecordRow]:
    name = f"{folder}/RECORD"
    unlisted = {f"{folder}/{file}" for file in _UNLISTED}
    rows: dict[str, RecordRow] = {}
    for path, digest, size_text in _record_table(archive, name):
        if path in unlisted:
            continue
        member = archive.members.get(path)
        if member is None:
            raise archive.refuse(name, f"lists {path!r}, which is not in the archive")
        if path in rows:
            raise archive.refuse(name, f"lists {path!r} twice")
        if size_text and size_text != str(member.size):
            raise archive.refuse(path, f"has {member.size} bytes, RECORD says {size_text}")
        rows[path] = RecordRow(digest=_checked_digest(archive, path, digest), size=member.size)
    for path in archive.members:
        if path not in rows and path not in unlisted:
            raise archive.refuse(path, "is not listed in RECORD")
    return rows


def _record_table(archive: WheelArchive, name: str) -> list[tuple[str, str, str]]:
    try:
        table = [
            row
            for row in csv.reader(io.StringIO(_text(archive, name, limit=_RECORD_LIMIT)), strict=True)
            if row
        ]
        return [(path, digest, size) for path, digest, size in table]
    except csv.Error as error:
        raise archive.refuse(name, f"is no table ({error})") from error
    except ValueError as error:
        raise archive.refuse(name, "has a row that is not path, digest, size") from error


def _checked_digest(archive: WheelArchive, path: str, text: str) -> str:
    if not text:
        raise archive.refuse(path, "has no digest in RECORD")
    algorithm, _, value = text.partition("=")
    value = value.rstrip("=")
    size = _DIGEST_SIZES.get(algorithm)
    if size is None:
        raise archive.refuse(path, f"has a digest in RECORD that is not sha256 or stronger: {algorithm}")
    if len(value) != -(-size * 8 // 6):
        raise archive.refuse(path, "has a malformed digest in RECORD")
    return f"{algorithm}={value}"


def _scripts(archive: WheelArchive, folder: str) -> tuple[Script, ...]:
    name = f"{folder}/entry_points.txt"
    if name not in archive.members:
        return ()
    scripts: dict[str, Script] = {}
    section = ""
    for raw_line in _text(archive, name).splitlines():
        line = raw_line.strip()
        if not line or line.startswith(("#", ";")):
            continue
        if line.startswith("["):
            section = line.strip("[] \t")
            continue
        if section not in ("console_scripts", "gui_scripts"):
            continue
        script, equals, value = (part.strip() for part in line.partition("="))
        found = _REFERENCE.fullmatch(value)
        if not equals or found is None:
            raise archive.refuse(name, f"has an entry point that is not NAME = MODULE:ATTRIBUTE: {line!r}")
        if not _SCRIPT_NAME.fullmatch(script) or script.strip(".") == "":
            raise archive.refuse(name, f"has an entry point whose name is no file name: {script!r}")
        scripts[script] = Script(name=script, module=found["module"], attribute=found["attribute"])
    return tuple(scripts[script] for script in sorted(scripts))
