"""Stand-ins for mounts where nothing can be mounted: folders put into the tree, and results brought back."""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from layerwright.core.errors import EngineError
from layerwright.sandbox.linked import copy_file, take_attributes
from layerwright.sandbox.model import Bind, Command
from layerwright.sandbox.rootfs import Rootfs

__all__ = ["stand_ins"]

# Device numbers are fixed (kernel.org, Documentation/admin-guide/devices.txt).
_DEVICES = {
    "null": (1, 3),
    "zero": (1, 5),
    "full": (1, 7),
    "random": (1, 8),
    "urandom": (1, 9),
    "tty": (5, 0),
}
# What numerical libraries read to learn of the processors; the rest of /proc and /sys stays absent.
_KERNEL_FILES = (
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/version",
    "/proc/filesystems",
    "/sys/devices/system/cpu/online",
    "/sys/devices/system/cpu/possible",
    "/sys/devices/system/cpu/present",
    "/sys/devices/system/cpu/kernel_max",
)
_LARGEST_KERNEL_FILE = 1 << 20

_Before = dict[str, tuple[int, ...]]


@contextmanager
def stand_ins(rootfs: Rootfs, command: Command) -> Iterator[None]:
    """Put into a linked tree what would be mounted over it, and take it out again.

    Writable folders come in as hard links where the file system allows, so that writing into a file
    writes the caller's; new and replaced files are brought back when the program has ended, and what it
    deleted stays. Read-only folders are copied. Secrets are files for as long as the program runs.

    Raises:
        EngineError: a folder cannot be put in.
    """
    _devices(rootfs.path)
    stage = _Stage(rootfs)
    placed: list[tuple[Bind, Path, _Before]] = []
    try:
        try:
            placed += [(bind, *stage.bring(bind)) for bind in command.binds]
            _names(stage, command)
            for secret in command.secrets:
                stage.write(f"/run/secrets/{secret.name}", secret.value, 0o400, (command.uid, command.gid))
            stage.folder(command.cwd, keep=True)
        except OSError as error:
            raise EngineError(f"the root file system cannot be prepared: {error}") from error
        try:
            yield
        finally:
            for bind, place, before in placed:
                if not bind.read_only:
                    _bring_back(place, bind.source, before)
    finally:
        stage.clear()


class _Stage:
    """Remembers what was put into the tree."""

    def __init__(self, rootfs: Rootfs) -> None:
        self._root = rootfs.path
        self._work = rootfs.work.resolve()
        self._aside = rootfs.work / "aside"
        self._made: list[Path] = []
        self._moved: list[tuple[Path, Path]] = []

    def bring(self, bind: Bind) -> tuple[Path, _Before]:
        """Make the bind's source visible at its target; return where, and the state of what was brought."""
        place = self._free(bind.target)
        self._made.append(place)
        before: _Before = {}
        source = bind.source.resolve()
        # A folder that holds the tree itself, as a home with the store in it does, must not be taken in forever.
        _bring_in(source, place, "", before, link=not bind.read_only, without=self._work)
        return place, before

    def write(self, path: str, content: bytes, mode: int, owner: tuple[int, int]) -> None:
        """Write a file that is gone afterwards."""
        place = self._free(path)
        self._made.append(place)
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        place.chmod(mode)
        os.chown(place, *owner)

    def folder(self, path: str, *, keep: bool = False) -> Path:
        """Make a folder of the tree and what is missing above it."""
        place = self._inside(path)
        missing = []
        above = place
        while not above.exists():
            missing.append(above)
            above = above.parent
        for new in reversed(missing):
            new.mkdir(mode=0o755)
            if not keep:
                self._made.append(new)
        return place

    def clear(self) -> None:
        """Take everything out again."""
        for path in reversed(self._made):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        for original, aside in reversed(self._moved):
            aside.rename(original)

    def _free(self, path: str) -> Path:
        """Return the place of ``path`` with nothing there; what the image has is put aside."""
        parent, _, name = path.rstrip("/").rpartition("/")
        place = self.folder(parent or "/") / name
        if place.is_symlink():
            # As a mount would, follow the image's link.
            target = Path(_resolve(self._root, path))
            place = self.folder(os.fspath(target.parent)) / target.name
        if os.path.lexists(place):
            self._aside.mkdir(exist_ok=True)
            aside = self._aside / str(len(self._moved))
            place.rename(aside)
            self._moved.append((place, aside))
        return place

    def _inside(self, path: str) -> Path:
        return self._root / _resolve(self._root, path).lstrip("/")


def _resolve(root: Path, path: str) -> str:
    """Return ``path`` with the tree's links followed inside the tree."""
    left = [part for part in path.split("/") if part]
    position: list[str] = []
    for _ in range(256):
        if not left:
            return "/" + "/".join(position)
        part = left.pop(0)
        if part in (".", ".."):
            position = position[: -1 if part == ".." else len(position)]
            continue
        entry = root.joinpath(*position, part)
        if entry.is_symlink():
            target = os.fspath(entry.readlink())
            position = [] if target.startswith("/") else position
            left = [*target.split("/"), *left]
            left = [piece for piece in left if piece]
        else:
            position.append(part)
    raise OSError(f"too many links in {path}")


def _bring_in(source: Path, place: Path, path: str, before: _Before, *, link: bool, without: Path) -> None:
    if source == without:
        return
    status = source.lstat()
    if stat.S_ISDIR(status.st_mode):
        place.mkdir(mode=0o700)
        for entry in source.iterdir():
            _bring_in(entry, place / entry.name, f"{path}/{entry.name}", before, link=link, without=without)
        take_attributes(os.fspath(source), os.fspath(place), status)
    elif stat.S_ISLNK(status.st_mode):
        place.symlink_to(source.readlink())
    elif stat.S_ISREG(status.st_mode):
        _bring_file(source, place, status, link=link)
    else:
        return
    before[path] = _signature(place)


def _bring_file(source: Path, place: Path, status: os.stat_result, *, link: bool) -> None:
    if link:
        with suppress(OSError):  # another file system
            os.link(source, place)
            return
    copy_file(os.fspath(source), os.fspath(place))
    take_attributes(os.fspath(source), os.fspath(place), status)


def _bring_back(place: Path, source: Path, before: _Before, path: str = "") -> None:
    """Copy what is new or changed below ``place`` to where the caller has it."""
    here = Path(f"{place}{path}")
    there = Path(f"{source.resolve()}{path}")
    if not os.path.lexists(here):
        return
    status = here.lstat()
    if stat.S_ISDIR(status.st_mode):
        if not there.exists():
            there.mkdir()
            os.chown(there, status.st_uid, status.st_gid)
            there.chmod(stat.S_IMODE(status.st_mode))
        for entry in sorted(here.iterdir()):
            _bring_back(place, source, before, f"{path}/{entry.name}")
    elif before.get(path) != _signature(here) and (stat.S_ISREG(status.st_mode) or here.is_symlink()):
        if there.exists() and there.samefile(here):
            return
        # Written beside and renamed, so that the caller's file is whole at every moment.
        beside = there.with_name(f".{there.name}.layerwright")
        beside.unlink(missing_ok=True)
        if here.is_symlink():
            beside.symlink_to(here.readlink())
        else:
            copy_file(os.fspath(here), os.fspath(beside))
            take_attributes(os.fspath(here), os.fspath(beside), status)
        beside.replace(there)


def _signature(path: Path) -> tuple[int, ...]:
    status = path.lstat()
    if stat.S_ISDIR(status.st_mode):
        return (status.st_mode,)
    return (status.st_mode, status.st_size, status.st_mtime_ns, status.st_ino)


def _devices(root: Path) -> None:
    """Make the device nodes that an ordinary container may make, and what stands for /proc and /sys."""
    folder = root / "dev"
    folder.mkdir(exist_ok=True)
    for name, (major, minor) in _DEVICES.items():
        node = folder / name
        if not os.path.lexists(node):
            try:
                os.mknod(node, stat.S_IFCHR | 0o666, os.makedev(major, minor))
            except PermissionError:
                continue
            node.chmod(0o666)
    shared = folder / "shm"
    shared.mkdir(exist_ok=True)
    shared.chmod(0o1777)
    for name in _KERNEL_FILES:
        place = root / name.lstrip("/")
        if not place.exists():
            with suppress(OSError):
                with Path(name).open("rb") as stream:
                    content = stream.read(_LARGEST_KERNEL_FILE)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)


def _names(stage: _Stage, command: Command) -> None:
    """Give the program the host's name files when it has the host's network."""
    if not command.network:
        return
    for name in ("/etc/resolv.conf", "/etc/hosts"):
        with suppress(FileNotFoundError):
            stage.write(name, Path(name).read_bytes(), 0o644, (0, 0))
