"""The helper process that stands between us and a sandboxed program.

It is started as a process of its own, reads its orders from a file descriptor and then: leaves the
host's namespaces, mounts the overlay where only it can see it, becomes the program's init, starts the
program, passes signals on, and ends with the program's status. When we are killed the kernel kills it,
with it its process namespace, and with that every mount: nothing is left on the host.

Its start is part of every ``run``, so only the cheap modules of the standard library are imported
(``json``, ``signal`` and ``socket`` alone would double it), and of ours only its own siblings.
"""

from __future__ import annotations

import errno
import marshal
import os
import sys
from _signal import (  # type: ignore[import-not-found]  # private, but signal costs 5 ms
    SIG_BLOCK,
    SIG_DFL,
    SIG_SETMASK,
    SIGCHLD,
    SIGHUP,
    SIGINT,
    SIGKILL,
    SIGPIPE,
    SIGQUIT,
    SIGTERM,
    SIGUSR1,
    SIGUSR2,
    SIGWINCH,
    SIGXFSZ,
    pthread_sigmask,
    signal,
    sigwaitinfo,
)

from layerwright.sandbox import kernel, root

TYPE_CHECKING = False  # typing itself costs as much to import as all the rest
if TYPE_CHECKING:
    from typing import Any, NoReturn

    Orders = dict[str, Any]
    """Plain values only, since they travel as ``marshal``; ``execute.py`` writes them."""

__all__ = ["contained", "main"]

_SI_KERNEL = 0x80  # asm-generic/siginfo.h: sent by the kernel, such as by the terminal driver
_FORWARDED = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH}
_FAILED, _NOT_EXECUTABLE, _NOT_FOUND = 125, 126, 127


def main(orders_descriptor: int, report_descriptor: int) -> NoReturn:
    """Do what the orders say and end with the program's status; 125 and a report when it never started."""
    code = _FAILED
    try:
        os.set_inheritable(report_descriptor, False)
        with open(orders_descriptor, "rb") as stream:
            orders: Orders = marshal.loads(stream.read())  # noqa: S302  written by our parent
        code = _outer(orders, report_descriptor)
    except Exception as error:  # noqa: BLE001  leaving by os._exit would hide it
        _report(report_descriptor, error)
    finally:
        os._exit(code)


def contained(argv: list[str]) -> NoReturn:
    """Run a program of the host's so that it, its children and its mounts end when we are killed.

    Where no namespaces are allowed (an ordinary container) only the program itself is sure to end.
    """
    code = _FAILED
    try:
        kernel.die_with_parent(0, SIGKILL)
        os.umask(0o022)
        old_mask = pthread_sigmask(SIG_BLOCK, {*_FORWARDED, SIGCHLD})
        isolated = _isolate()
        kernel.no_new_privileges()
        kernel.ignore_syncs()
        target = os.fork()
        if target == 0:
            kernel.die_with_parent(0, SIGKILL)
            if isolated:
                kernel.mount("proc", "/proc", "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
            pthread_sigmask(SIG_SETMASK, old_mask)
            os.execv(argv[0], argv)  # noqa: S606  the point
        code = _supervise(target)
    except OSError as error:
        sys.stderr.write(f"{argv[0]}: {error.strerror}\n")
        sys.stderr.flush()
    finally:
        os._exit(code)


def _isolate() -> bool:
    try:
        kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWPID)
    except PermissionError:
        return False
    kernel.mount("", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
    return True


def _outer(orders: Orders, report: int) -> int:
    """Set up what is shared by the root's preparation, the program and the cleaning up."""
    kernel.die_with_parent(orders["parent"], SIGKILL)
    old_mask = pthread_sigmask(SIG_BLOCK, {*_FORWARDED, SIGCHLD})
    flags: int = orders["namespaces"]
    if flags:
        kernel.unshare(flags & ~kernel.CLONE_NEWPID)
    if flags & kernel.CLONE_NEWNS:
        kernel.mount("", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
        root.mount_overlay(orders)
    if flags & kernel.CLONE_NEWUTS:
        kernel.set_hostname(orders["hostname"])
    if flags & kernel.CLONE_NEWNET:
        kernel.loopback_up()
    prepared = root.prepare(orders)
    try:
        if prepared.refusal:
            return prepared.refusal
        # Only now: the first process born after this call is init, and ends the namespace when it ends.
        if flags & kernel.CLONE_NEWPID:
            kernel.unshare(kernel.CLONE_NEWPID)
        init = os.fork()
        if init == 0:
            _init(orders, report, old_mask)
        return _supervise(init)
    finally:
        root.remove_points(orders["root"], prepared.created)


def _init(orders: Orders, report: int, old_mask: Any) -> NoReturn:  # noqa: ANN401  private type
    """Be the parent of the program: PID 1 of its namespace where there is one."""
    code = _FAILED
    try:
        kernel.die_with_parent(0, SIGKILL)
        kernel.adopt_orphans()
        flags: int = orders["namespaces"]
        if orders["external"]:
            root.enter_for_runner(orders)
        elif flags & kernel.CLONE_NEWNS:
            root.enter(orders)
        gate = _Gate() if orders["user_maps"] else None
        target = os.fork()
        if target == 0:
            _target(orders, report, old_mask, gate)
        if gate is not None:
            gate.map_users(target, orders["user_maps"])
        code = _supervise(target)
        if not flags & kernel.CLONE_NEWPID:
            _end_descendants()
    except Exception as error:  # noqa: BLE001  leaving by os._exit would hide it
        _report(report, error)
    finally:
        os._exit(code)


def _target(
    orders: Orders,
    report: int,
    old_mask: Any,  # noqa: ANN401  private type
    gate: _Gate | None,
) -> NoReturn:
    """Become the program."""
    code = _FAILED
    try:
        for number in (SIGPIPE, SIGXFSZ, *_FORWARDED):
            signal(number, SIG_DFL)
        pthread_sigmask(SIG_SETMASK, old_mask)
        os.umask(0o022)
        if orders["external"]:
            kernel.die_with_parent(0, SIGKILL)
            os.execve(orders["external"][0], orders["external"], orders["external_env"])  # noqa: S606  the point
        if not orders["namespaces"] & kernel.CLONE_NEWNS:
            root.change(orders)
        if gate is not None:
            gate.enter()
        _become(orders)
        # After the change of ids, which makes the kernel forget it.
        kernel.die_with_parent(0, SIGKILL)
        os.chdir(orders["cwd"])
        code = _execute(orders)
    except Exception as error:  # noqa: BLE001  leaving by os._exit would hide it
        _report(report, error)
    finally:
        os._exit(code)


def _become(orders: Orders) -> None:
    """Take the program's ids and give up what it must not have."""
    kernel.keep_capabilities(orders["capabilities"])
    if orders["groups"] is not None:
        os.setgroups(orders["groups"])
    if (os.getuid(), os.getgid()) != (orders["uid"], orders["gid"]):
        os.setresgid(orders["gid"], orders["gid"], orders["gid"])
        os.setresuid(orders["uid"], orders["uid"], orders["uid"])
    kernel.no_new_privileges()
    if orders["no_sync"]:
        kernel.ignore_syncs()


def _execute(orders: Orders) -> int:
    """Become the program; return only when that cannot be, with the status Docker gives then."""
    name = orders["argv"][0]
    program = root.find(name, orders["env"], orders["cwd"])
    try:
        if not program:
            raise FileNotFoundError(0, "no such program in the image")
        os.execve(program, orders["argv"], orders["env"])  # noqa: S606  the point
    except OSError as error:
        # A file that is there, and yet not found, lacks its interpreter.
        reason = "its interpreter is missing" if program and error.errno == errno.ENOENT else error.strerror
        sys.stderr.write(f"{name}: {reason}\n")
        sys.stderr.flush()
        return _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE


class _Gate:
    """Lets the program's process wait in its new user namespace until its parent has mapped its ids."""

    def __init__(self) -> None:
        self._arrived = os.pipe()
        self._mapped = os.pipe()

    def enter(self) -> None:
        """Make the namespace, say so, wait for the maps."""
        os.close(self._arrived[0])
        os.close(self._mapped[1])
        kernel.unshare(kernel.CLONE_NEWUSER)
        os.close(self._arrived[1])
        if not os.read(self._mapped[0], 1):
            raise OSError(0, "the ids of the caller could not be mapped")

    def map_users(self, process: int, maps: tuple[str, str]) -> None:
        """Write the maps of a process that has arrived; does nothing for one that died before."""
        os.close(self._arrived[1])
        os.close(self._mapped[0])
        os.read(self._arrived[0], 1)
        for name, text in zip(("uid_map", "gid_map"), maps, strict=True):
            # Bytes: the codec of a text file would be looked up on disk, and ours is out of sight by now.
            descriptor = os.open(f"/proc/{process}/{name}", os.O_WRONLY)
            os.write(descriptor, text.encode())
            os.close(descriptor)
        os.write(self._mapped[1], b"x")
        os.close(self._mapped[1])


def _supervise(target: int) -> int:
    """Reap children and pass signals on until ``target`` has ended; return its status as shells count."""
    awaited = {*_FORWARDED, SIGCHLD}
    while True:
        info = sigwaitinfo(awaited)
        if info.si_signo != SIGCHLD:
            # Signals of the terminal reach the program by themselves: it is in our process group.
            if info.si_code != _SI_KERNEL:
                os.kill(target, info.si_signo)
            continue
        while True:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return _FAILED
            if process == target:
                code = os.waitstatus_to_exitcode(status)
                return 128 - code if code < 0 else code
            if process == 0:
                break


def _end_descendants() -> None:
    """Kill what the program left behind, where no process namespace does it for us."""
    while True:
        children = _children()
        if not children:
            return
        for child in children:
            try:
                os.kill(child, SIGKILL)
                os.waitpid(child, 0)
            except OSError:
                continue


def _children() -> list[int]:
    """Return our own children, orphans among them that fell to us."""
    own = os.getpid()
    found = []
    for name in _processes():
        try:
            with open(f"/proc/{name}/stat", "rb") as stream:
                fields = stream.read().rpartition(b")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == own:
            found.append(int(name))
    return found


def _processes() -> list[str]:
    try:
        return [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def _report(descriptor: int, error: Exception) -> None:
    """Leave the reason for our parent."""
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        text = place + (error.strerror or str(error))
    else:
        text = f"{type(error).__name__}: {error}"
    os.write(descriptor, text.encode(errors="replace") + b"\n")
