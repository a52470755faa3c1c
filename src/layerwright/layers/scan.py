"""What of a folder is copied into an image, and the digest over it."""

import hashlib
import os
import stat
import time
from collections.abc import Callable, MutableMapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

from msgspec import Struct

from layerwright.core.errors import BuildError
from layerwright.layers.names import fault_of_path
from layerwright.layers.tar import walk_order

__all__ = ["NEVER_COPIED", "LeftOut", "ScannedEntry", "TreeScan", "scan_tree"]

_FORMAT = "tree 1"
_CHUNK = 1 << 20
_RACY = 2_000_000_000
"""A file changed within the last two seconds may change again without a change of its times; nanoseconds."""

_LEFT_OUT_FOLDERS = {
    ".git": "version control",
    ".hg": "version control",
    ".svn": "version control",
    "__pycache__": "bytecode",
    ".ssh": "looks secret",
    ".gnupg": "looks secret",
    ".aws": "looks secret",
}
_SECRET_NAMES = frozenset({
    ".env", ".envrc", ".git-credentials", ".netrc", "_netrc", ".npmrc", ".pgpass", ".pypirc", ".htpasswd", "pip.conf",
    "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "credentials.json", "kubeconfig",
})  # fmt: skip
_HARMLESS_NAMES = frozenset({".env.example", ".env.sample", ".env.template", ".env.dist"})
_SECRET_PARTS = (".p12", ".pfx", ".jks", ".kdbx", ".ppk")
_BYTECODE = (".pyc", ".pyo")
_PEM_LIMIT = 4 << 20

NEVER_COPIED = (
    *sorted(_LEFT_OUT_FOLDERS),
    *(f"*{suffix}" for suffix in _BYTECODE),
    *sorted(_SECRET_NAMES),
    *(f"*{suffix}" for suffix in _SECRET_PARTS),
)
"""Names, ``*`` for anything, that ``scan_tree`` leaves out in every folder; it leaves out more, by content."""


class ScannedEntry(Struct, frozen=True, kw_only=True):
    """One file, folder or link that is copied.

    Attributes:
        path: below the root, empty for the root itself.
        mode: 0o755 for folders and what its owner may execute, else 0o644.
        size: bytes of a file, else 0.
        sha256: of a file's content, 64 hexadecimal digits, else empty.
        target: of a link, as it stands, else empty.
    """

    path: str
    kind: Literal["directory", "file", "link"]
    mode: int
    size: int = 0
    sha256: str = ""
    target: str = ""


class LeftOut(Struct, frozen=True, kw_only=True):
    """Something that is not copied though no pattern of the user's says so.

    Attributes:
        path: below the root.
        reason: a few words for people.
    """

    path: str
    reason: str


class TreeScan(Struct, frozen=True, kw_only=True):
    """What is copied from a folder or a single file.

    Attributes:
        root: the folder or file.
        entries: in walk order, the root first.
        digest: 64 hexadecimal digits over names, modes, link targets and contents; times and owners stay out.
        size: bytes of all files.
        count: number of files and links.
        left_out: by path; what the user's patterns exclude is not listed.
    """

    root: Path
    entries: tuple[ScannedEntry, ...]
    digest: str
    size: int
    count: int
    left_out: tuple[LeftOut, ...]


class _Matcher(Protocol):
    def match_file(self, file: str, /) -> bool: ...


def scan_tree(
    root: Path,
    *,
    exclude: Sequence[str] = (),
    cache: MutableMapping[str, str] | None = None,
    now: Callable[[], int] = time.time_ns,
    own: bool = False,
) -> TreeScan:
    """Decide what is copied from a folder or file, and digest it.

    Never copied: ``.git``, ``__pycache__``, ``*.pyc``, what looks secret, sockets and devices, and links that lead
    out of the folder; all these are listed in ``left_out``.

    Args:
        root: folder or file; a link to one is followed.
        exclude: patterns as in ``.gitignore``, below the root.
        cache: from a file's path, size, times and inode to its sha256; files it knows are not read. It is added to.
        now: the clock, nanoseconds.
        own: the tree was made by layerwright itself, so that nothing is left out and links lead where they like.

    Raises:
        BuildError: nothing is there, it cannot be read, a name is no UTF-8, or a single file looks secret.
    """
    top = root.resolve()
    try:
        status = top.stat()
    except OSError as error:
        raise BuildError(f"cannot read {root}: {error.strerror}") from error
    scanner = _Scanner(top, exclude, cache, now(), own=own)
    if stat.S_ISREG(status.st_mode):
        reason = _reason_for_name(root.name) or _reason_for_content(root.name, os.fsencode(top))
        if reason and not own:
            raise BuildError(
                f"{root} {reason} and is not copied into an image",
                hint="give it to a run step as a secret, or mount it when the container starts",
            )
        scanner.entries.append(scanner.file("", os.fsencode(top), status))
    elif stat.S_ISDIR(status.st_mode):
        scanner.entries.append(ScannedEntry(path="", kind="directory", mode=0o755))
        scanner.folder("")
    else:
        raise BuildError(f"{root} is neither a file nor a folder")
    entries = tuple(sorted(scanner.entries, key=lambda entry: walk_order(entry.path)))
    return TreeScan(
        root=top,
        entries=entries,
        digest=_digest(entries),
        size=sum(entry.size for entry in entries),
        count=sum(entry.kind != "directory" for entry in entries),
        left_out=tuple(sorted(scanner.left_out, key=lambda left: left.path)),
    )


def _digest(entries: Sequence[ScannedEntry]) -> str:
    sha256 = hashlib.sha256(_FORMAT.encode())
    for entry in entries:
        fields = (entry.kind, f"{entry.mode:o}", entry.path, entry.sha256, entry.target)
        sha256.update("".join(f"\0{len(field)}:{field}" for field in fields).encode())
    return sha256.hexdigest()


class _Scanner:
    """One walk over a folder; names are bytes to the system and UTF-8 to us, whatever the locale."""

    def __init__(
        self,
        root: Path,
        exclude: Sequence[str],
        cache: MutableMapping[str, str] | None,
        now: int,
        *,
        own: bool,
    ) -> None:
        self._root = os.fsencode(root)
        self._matcher = _matcher(exclude)
        self._cache = cache
        self._now = now
        self._own = own
        self.entries: list[ScannedEntry] = []
        self.left_out: list[LeftOut] = []

    def folder(self, path: str) -> None:
        """Add what is in the folder."""
        place = self._root + b"/" + path.encode() if path else self._root
        try:
            with os.scandir(place) as found:
                children = sorted(found, key=lambda child: child.name)
        except OSError as error:
            raise BuildError(f"cannot read {os.fsdecode(place)}: {error.strerror}") from error
        for child in children:
            try:
                name = child.name.decode()
            except UnicodeDecodeError as error:
                raise BuildError(
                    f"the name of {os.fsdecode(child.path)!r} is no UTF-8", hint="rename it"
                ) from error
            child_path = f"{path}/{name}" if path else name
            fault = fault_of_path(name)
            if fault and not fault.startswith(("begins with a drive", "has a backslash")):
                raise BuildError(f"{os.fsdecode(child.path)!r} {fault}", hint="rename it or exclude it")
            self._entry(child, child_path, name)

    def _entry(self, child: os.DirEntry[bytes], path: str, name: str) -> None:
        status = child.stat(follow_symlinks=False)
        is_folder = stat.S_ISDIR(status.st_mode)
        if self._matcher is not None and self._matcher.match_file(f"{path}/" if is_folder else path):
            return
        reason = _LEFT_OUT_FOLDERS.get(name, "") if is_folder else _reason_for_name(name)
        if reason and not self._own:
            self.left_out.append(LeftOut(path=path, reason=reason))
        elif is_folder:
            self.entries.append(ScannedEntry(path=path, kind="directory", mode=0o755))
            self.folder(path)
        elif stat.S_ISLNK(status.st_mode):
            target = os.readlink(child.path).decode("utf-8", "surrogateescape")  # noqa: PTH115 - bytes
            if self._own or _stays_inside(path, target):
                self.entries.append(ScannedEntry(path=path, kind="link", mode=0o777, target=target))
            else:
                self.left_out.append(LeftOut(path=path, reason=f"links out of the folder, to {target}"))
        elif stat.S_ISREG(status.st_mode):
            secret = "" if self._own else _reason_for_content(name, child.path)
            if secret:
                self.left_out.append(LeftOut(path=path, reason=secret))
            else:
                self.entries.append(self.file(path, child.path, status))
        else:
            self.left_out.append(LeftOut(path=path, reason="is a socket, pipe or device"))

    def file(self, path: str, place: bytes, status: os.stat_result) -> ScannedEntry:
        """The entry of a regular file, its sha256 from the cache when it has not changed."""
        times = f"{status.st_mtime_ns}|{status.st_ctime_ns}"
        key = f"{os.fsdecode(place)}|{status.st_size}|{times}|{status.st_ino}"
        sha256 = self._cache.get(key, "") if self._cache is not None else ""
        if not sha256:
            sha256 = _sha256(place)
            if self._cache is not None and self._now - max(status.st_ctime_ns, status.st_mtime_ns) > _RACY:
                self._cache[key] = sha256
        mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
        return ScannedEntry(path=path, kind="file", mode=mode, size=status.st_size, sha256=sha256)


def _matcher(exclude: Sequence[str]) -> _Matcher | None:
    if not exclude:
        return None
    from pathspec import GitIgnoreSpec  # noqa: PLC0415 - start-up: most copies exclude nothing

    return GitIgnoreSpec.from_lines(exclude)


def _sha256(place: bytes) -> str:
    try:
        with open(place, "rb", buffering=0) as file:  # noqa: PTH123 - names are bytes, whatever the locale
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BuildError(f"cannot read {os.fsdecode(place)}: {error.strerror}") from error


def _reason_for_name(name: str) -> str:
    if name.endswith(_BYTECODE):
        return "bytecode"
    secret = name in _SECRET_NAMES or name.endswith(_SECRET_PARTS) or name.startswith(".env.")
    return "looks secret" if secret and name not in _HARMLESS_NAMES else ""


def _reason_for_content(name: str, place: bytes) -> str:
    """A PEM file of certificates alone, such as a CA bundle, is no secret; any other is."""
    if not name.endswith((".pem", ".key")):
        return ""
    try:
        with open(place, "rb") as file:  # noqa: PTH123 - names are bytes, whatever the locale
            text = file.read(_PEM_LIMIT)
    except OSError as error:
        raise BuildError(f"cannot read {os.fsdecode(place)}: {error.strerror}") from error
    if name.endswith(".key"):  # as often a data file as a private key
        return "looks secret" if b"PRIVATE KEY" in text else ""
    return "" if b"-----BEGIN CERTIFICATE" in text and b"PRIVATE KEY" not in text else "looks secret"


def _stays_inside(path: str, target: str) -> bool:
    """Whether a relative link target, read as text, stays below the root."""
    if target.startswith("/"):
        return False
    depth = path.count("/")
    for part in target.split("/"):
        if part == "..":
            depth -= 1
        elif part not in ("", "."):
            depth += 1
        if depth < 0:
            return False
    return True
