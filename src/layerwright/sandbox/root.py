"""The root file system as the sandboxed program sees it: overlay, mount points, mounts, change of root.

Runs in the helper process: only cheap standard modules, and of ours only ``kernel``.
"""

from __future__ import annotations

import errno
import marshal
import os
import stat
import sys

from layerwright.core.paths import DEFAULT_PATH
from layerwright.sandbox import kernel

TYPE_CHECKING = False  # typing itself costs as much to import as all the rest
if TYPE_CHECKING:
    from typing import Any, NoReturn

    Orders = dict[str, Any]
    """See ``child``."""
    Mount = tuple[str, str, str, int, Any]
    """Kind, source, target, mount(2) flags, and what the kind needs besides (options, contents)."""

__all__ = [
    "Prepared",
    "change",
    "enter",
    "enter_for_runner",
    "find",
    "mount_overlay",
    "prepare",
    "remove_points",
]

_NOT_EXECUTABLE, _NOT_FOUND = 126, 127
_KEPT_FLAGS = kernel.MS_RDONLY | kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC


class Prepared:
    """What ``prepare`` did.

    Attributes:
        created: mount points that were not there, parents first; absolute in the new root, free of links.
        refusal: exit status when the program cannot be started at all, else 0.
    """

    __slots__ = ("created", "refusal")

    def __init__(self, created: list[str], refusal: int) -> None:
        self.created = created
        self.refusal = refusal


def mount_overlay(orders: Orders) -> None:
    """Mount the overlay on the root folder, or make that folder a mount when it is a plain tree."""
    target = orders["root"]
    if orders["overlay"] is None:
        kernel.mount(target, target, "", kernel.MS_BIND | kernel.MS_REC)
        _remount(target, kernel.MS_NODEV)
        return
    folder, options = orders["overlay"]
    # From the folder of short links, so that 500 lower folders fit the page that options may take.
    here = os.getcwd()
    os.chdir(folder)
    kernel.mount("overlay", target, "overlay", kernel.MS_NODEV, options)
    os.chdir(here)


def prepare(orders: Orders) -> Prepared:
    """Make the missing mount points and the working folder, from inside the root.

    Inside, because a link of the image (``/etc/resolv.conf`` often is one) must not lead to the host.
    """
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reader)
        _prepare_inside(orders, writer)
    os.close(writer)
    with open(reader, "rb") as stream:
        answer = stream.read()
    os.waitpid(process, 0)
    if not answer:
        raise OSError(errno.EIO, "the root file system could not be prepared")
    created, refusal, message = marshal.loads(answer)  # noqa: S302  written by our child
    if message and not refusal:
        remove_points(orders["root"], created)
        raise OSError(errno.EIO, message)
    return Prepared(created, refusal)


def enter(orders: Orders) -> None:
    """Mount what the program needs and make the root ours; the host's tree is gone afterwards."""
    kernel.unshare(kernel.CLONE_NEWNS)
    mounts: list[Mount] = [
        (kind, _source(source) if kind == "bind" else source, target, flags, data)
        for kind, source, target, flags, data in orders["mounts"]
    ]
    old = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    os.chdir(orders["root"])
    kernel.pivot_root(".", ".")
    # The old root now lies over the new one, out of the way of absolute paths, and relative ones
    # lead into it from here: sources are relative, targets absolute.
    os.fchdir(old)
    os.umask(0)
    for entry in mounts:
        _apply(entry)
    kernel.unmount_lazily(".")
    os.close(old)
    os.chdir("/")


def enter_for_runner(orders: Orders) -> None:
    """Give a runtime, which makes the root by itself, what it needs: a fitting /proc, secrets."""
    kernel.unshare(kernel.CLONE_NEWNS)
    os.chdir("/")
    os.umask(0)
    for entry in orders["runner_mounts"]:
        _apply(entry)


def change(orders: Orders) -> None:
    """Change to the root where nothing can be mounted."""
    os.chroot(orders["root"])
    os.chdir("/")


def find(name: str, env: dict[str, str], cwd: str) -> str:
    """Return the file that ``name`` starts, looked up as a shell does; "" when there is none."""
    if "/" in name:
        path = os.path.join(cwd, name)
        return path if os.path.exists(path) else ""
    unusable = ""
    for folder in env.get("PATH", DEFAULT_PATH).split(":"):
        path = os.path.join(cwd, folder, name)
        if os.path.isfile(path):
            if os.stat(path).st_mode & 0o111:
                return path
            unusable = unusable or path
    return unusable


def remove_points(root: str, created: list[str]) -> None:
    """Remove mount points that ``prepare`` made, unless the program put something there.

    No link is followed on the way: the program may have put one in, and we are outside its root.
    """
    for path in reversed(created):
        *folders, name = path.strip("/").split("/")
        try:
            parent = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
            for folder in folders:
                below = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
                os.close(parent)
                parent = below
        except OSError:
            continue
        try:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                os.rmdir(name, dir_fd=parent)
            elif stat.S_ISREG(status.st_mode) and status.st_size == 0:
                os.unlink(name, dir_fd=parent)
        except OSError:
            continue
        finally:
            os.close(parent)


def _prepare_inside(orders: Orders, writer: int) -> NoReturn:
    created: list[str] = []
    refusal = 0
    message = ""
    try:
        os.chroot(orders["root"])
        os.chdir("/")
        os.umask(0o022)
        for target, is_folder in orders["points"]:
            _ensure(target, created, is_folder=is_folder)
        if orders["make_cwd"]:
            # Like Docker's, and unlike a mount point, a working folder stays.
            os.makedirs(orders["cwd"], exist_ok=True)
        if orders["external"] and orders["look_up"]:
            refusal = _refusal(orders["argv"][0], find(orders["argv"][0], orders["env"], orders["cwd"]))
    except OSError as error:
        message = f"{error.filename or orders['root']}: {error.strerror}"
    os.write(writer, marshal.dumps((created, refusal, message)))
    os._exit(0)


def _refusal(name: str, program: str) -> int:
    """Return 0 when the program can be started, else what Docker's exit status would be, told."""
    if not program:
        sys.stderr.write(f"{name}: no such program in the image\n")
        return _NOT_FOUND
    if os.path.isdir(program) or not os.stat(program).st_mode & 0o111:
        sys.stderr.write(f"{name}: not executable\n")
        return _NOT_EXECUTABLE
    return 0


def _ensure(target: str, created: list[str], *, is_folder: bool) -> str:
    """Make ``target`` and its parents where they are missing; return it without links."""
    path = os.path.realpath(target)
    missing = []
    above = path
    while not os.path.lexists(above):
        missing.append(above)
        above = os.path.dirname(above)
    for new in reversed(missing):
        if new != path or is_folder:
            os.mkdir(new, 0o755)
        else:
            os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
        created.append(new)
    return path


def _source(path: str) -> str:
    """Return a host path free of links and relative to the host's root; "" when it is not there."""
    real = os.path.realpath(path)
    return real.lstrip("/") or "." if os.path.exists(real) else ""


def _apply(entry: Mount) -> None:
    kind, source, target, flags, data = entry
    if kind in ("readonly", "mask"):
        if os.path.exists(target):
            _hide(kind, target)
    elif kind == "symlink":
        os.symlink(source, target)
    elif kind == "file":
        _write(target, *data)
    else:
        _apply_mount(kind, source, target, flags, data)


def _apply_mount(kind: str, source: str, target: str, flags: int, data: str) -> None:
    if kind == "bind" and not source:
        if data == "optional":
            return
        raise OSError(errno.ENOENT, f"nothing to mount on {target}: no such file or folder")
    is_folder = kind != "bind" or os.path.isdir(source)
    point = _ensure(target, [], is_folder=is_folder)
    if kind == "bind":
        _bind(source, point, flags)
    elif kind == "proc":
        try:
            kernel.mount("proc", point, "proc", flags)
        except PermissionError:
            # Inside a container whose own /proc is partly covered the kernel refuses a fresh one.
            kernel.mount("proc", point, "", kernel.MS_BIND | kernel.MS_REC)
    else:
        kernel.mount(kind, point, kind, flags, data)


def _bind(source: str, point: str, flags: int) -> None:
    recursive = kernel.MS_REC if flags & kernel.MS_REC else 0
    try:
        kernel.mount(source, point, "", kernel.MS_BIND | recursive)
    except OSError as error:
        if recursive or error.errno != errno.EINVAL:
            raise
        # In a user namespace a mount cannot be had without the mounts of its owner that lie on it.
        kernel.mount(source, point, "", kernel.MS_BIND | kernel.MS_REC)
    if flags & _KEPT_FLAGS:
        _remount(point, flags & _KEPT_FLAGS)


def _hide(kind: str, target: str) -> None:
    if kind == "readonly":
        kernel.mount(target, target, "", kernel.MS_BIND | kernel.MS_REC)
        _remount(target, kernel.MS_RDONLY)
    elif os.path.isdir(target):
        kernel.mount("tmpfs", target, "tmpfs", kernel.MS_RDONLY, "size=0,mode=755")
    else:
        kernel.mount("dev/null", target, "", kernel.MS_BIND)


def _remount(target: str, flags: int) -> None:
    """Add flags to a bind mount. Those it has must be repeated: a user namespace may not take them off."""
    present = os.statvfs(target).f_flag & _KEPT_FLAGS
    kernel.mount("", target, "", kernel.MS_REMOUNT | kernel.MS_BIND | present | flags)


def _write(target: str, content: bytes, mode: int, uid: int, gid: int) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        os.write(descriptor, content)
        os.fchmod(descriptor, mode)
        os.fchown(descriptor, uid, gid)
    finally:
        os.close(descriptor)
