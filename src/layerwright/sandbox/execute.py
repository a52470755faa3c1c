"""Running a command in a root file system: build steps with captured lines, and ``run`` in the foreground."""

import marshal
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any

from msgspec.structs import replace

from layerwright.core.errors import EngineError, RunStartError
from layerwright.core.paths import DEFAULT_PATH
from layerwright.host import process
from layerwright.host.background import Background, background
from layerwright.host.foreground import foreground
from layerwright.sandbox import kernel
from layerwright.sandbox.model import Capabilities, Command
from layerwright.sandbox.mounts import is_within, mount_points, mounts_for
from layerwright.sandbox.rootfs import Rootfs

__all__ = ["contained_argv", "execute", "execute_background", "execute_captured", "execute_foreground"]


_FAILED = 125
_REPORT_BYTES = 64 * 1024
_MAIN = "main(int(sys.argv[2]), int(sys.argv[3]))"
# What Docker leaves a container's root (moby, oci/caps/defaults.go), by number (linux/capability.h):
# CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT MKNOD
# AUDIT_WRITE SETFCAP.
_CAPABILITIES = (0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31)


def execute(
    rootfs: Rootfs,
    command: Command,
    *,
    capabilities: Capabilities,
    on_line: Callable[[str], None] | None = None,
    stdin: bytes | None = None,
    timeout: float,
    masked: Sequence[str] = (),
    runner: str = "",
) -> int:
    """Run a command to its end, with its output handed on line by line.

    Args:
        rootfs: where it runs.
        command: what runs.
        capabilities: what ``probe`` found.
        on_line: gets each line it prints.
        stdin: its standard input; None gives it an empty one.
        timeout: seconds until it and all its children are stopped.
        masked: secrets that must not show in lines or errors.
        runner: one of ``capabilities.runners``; "" takes the best.

    Returns:
        Its exit status as Docker gives it: 127 not found, 126 not executable, ``128 + n`` for signal ``n``.

    Raises:
        EngineError: no sandbox can be set up.
        ProcessError: it took too long.
    """
    return execute_captured(
        rootfs,
        command,
        capabilities=capabilities,
        on_line=on_line,
        stdin=stdin,
        timeout=timeout,
        masked=masked,
        runner=runner,
    ).status


def execute_captured(
    rootfs: Rootfs,
    command: Command,
    *,
    capabilities: Capabilities,
    on_line: Callable[[str], None] | None = None,
    stdin: bytes | None = None,
    timeout: float,
    masked: Sequence[str] = (),
    runner: str = "",
) -> process.Completed:
    """Run a command to its end, with the last MiB of its standard output and error kept apart.

    Arguments and errors are those of ``execute``.
    """
    with _started(rootfs, command, capabilities, runner, throw_away=True) as (argv, descriptors, report):
        done = process.run(
            argv,
            input=stdin,
            timeout=timeout,
            on_line=on_line,
            pass_fds=descriptors,
            check=False,
            masked=masked,
        )
        if done.status == _FAILED and (reason := report()):
            raise EngineError(
                f"the sandbox could not start {command.argv[0]}: {process.mask(reason, masked)}"
            )
    return done


def execute_foreground(
    rootfs: Rootfs, command: Command, *, capabilities: Capabilities, runner: str = ""
) -> int:
    """Run a command in our place: our input, output and terminal are its own, signals reach it.

    Arguments and result are those of ``execute``.

    Raises:
        RunStartError: no sandbox can be set up.
        EngineError: there is no runner.
    """
    with _started(rootfs, command, capabilities, runner, throw_away=False) as (argv, descriptors, report):
        status = foreground(argv, pass_fds=descriptors)
        if status == _FAILED and (reason := report()):
            raise RunStartError(f"the sandbox could not start {command.argv[0]}: {reason}")
    return status


@contextmanager
def execute_background(
    rootfs: Rootfs, command: Command, *, capabilities: Capabilities, output: IO[bytes], runner: str = ""
) -> Iterator[Background]:
    """Run a command beside us, its standard output and error written to a file; it is killed when the block is left.

    Arguments but for ``output`` are those of ``execute``.

    Raises:
        EngineError: no sandbox can be set up.
    """
    with _started(rootfs, command, capabilities, runner, throw_away=True) as (argv, descriptors, report):
        started = background(argv, output=output, pass_fds=descriptors)
        try:
            yield started
        finally:
            started.kill()
        if started.poll() == _FAILED and (reason := report()):
            raise EngineError(f"the sandbox could not start {command.argv[0]}: {reason}")


@contextmanager
def _started(
    rootfs: Rootfs, command: Command, capabilities: Capabilities, runner: str, *, throw_away: bool
) -> Iterator[tuple[list[str], tuple[int, int], Callable[[], str]]]:
    """Yield the helper's command line, the descriptors it inherits, and a reader of its report."""
    chosen = runner or (capabilities.runners[0] if capabilities.runners else "")
    if chosen not in capabilities.runners:
        raise EngineError(
            f"commands cannot be run here without a container engine{f' ({chosen})' if chosen else ''}",
            hint="\n".join(capabilities.reasons),
        )
    command = replace(command, env={"PATH": DEFAULT_PATH, **command.env})
    orders = _orders(rootfs, command, capabilities, chosen, throw_away=throw_away)
    with _stand_ins(rootfs, command) if chosen == "chroot" else nullcontext():
        given = os.memfd_create("orders", os.MFD_CLOEXEC)
        answer = os.memfd_create("report", os.MFD_CLOEXEC)
        try:
            os.write(given, marshal.dumps(orders))
            os.lseek(given, 0, os.SEEK_SET)
            yield (
                helper_argv(_MAIN, str(given), str(answer)),
                (given, answer),
                lambda: os.pread(answer, _REPORT_BYTES, 0).decode().strip(),
            )
        finally:
            os.close(given)
            os.close(answer)


def helper_argv(call: str, *arguments: str) -> list[str]:
    """Return the command line of a helper process: a bare interpreter that runs ``call`` of ``child``.

    Args:
        call: Python text; ``sys.argv`` from 2 on are the arguments.
        arguments: what it gets.
    """
    code = f"import sys; sys.path.append(sys.argv[1]); from layerwright.sandbox.child import *; {call}"
    package = Path(__file__).parents[2]
    return [sys.executable, "-I", "-S", "-X", "utf8", "-c", code, str(package), *arguments]


def contained_argv(argv: Sequence[str]) -> list[str]:
    """Return the command line that runs a program of the host's so that it ends when we do, its mounts too.

    Calls that wait for the disk return at once in it, and files it makes are readable by all (umask 022):
    meant for programs that fill a folder which is thrown away after a crash.

    Args:
        argv: program by its path, and arguments.
    """
    return helper_argv("contained(sys.argv[2:])", *argv)


def _stand_ins(rootfs: Rootfs, command: Command) -> AbstractContextManager[None]:
    from layerwright.sandbox.folders import stand_ins  # noqa: PLC0415  start-up: rarely needed

    return stand_ins(rootfs, command)


def _orders(
    rootfs: Rootfs, command: Command, capabilities: Capabilities, runner: str, *, throw_away: bool
) -> dict[str, Any]:
    """Write down for the helper what it has to do (see ``child.py`` for each key)."""
    isolated = runner != "chroot" and capabilities.mount_namespace
    namespaces = 0
    if isolated:
        namespaces = kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS
        if not command.network and capabilities.network_namespace:
            namespaces |= kernel.CLONE_NEWNET
    if rootfs.upper is not None:
        _forget_volatile(rootfs.work / "work")
    mounts = mounts_for(rootfs, command, capabilities) if isolated else []
    targets = [mount[2] for mount in mounts if mount[0] in ("bind", "proc", "tmpfs")]
    orders: dict[str, Any] = {
        "parent": os.getpid(),
        "namespaces": namespaces,
        "hostname": command.hostname,
        "root": str(rootfs.path),
        "overlay": (str(rootfs.work / "links"), rootfs.options) if rootfs.upper is not None else None,
        "mounts": mounts,
        "points": mount_points(mounts),
        "make_cwd": not any(is_within(command.cwd, target) for target in targets),
        "look_up": not any(is_within(command.argv[0], bind.target) for bind in command.binds),
        "argv": list(command.argv),
        "env": dict(command.env),
        "cwd": command.cwd,
        "uid": command.uid,
        "gid": command.gid,
        "groups": list(command.groups),
        "capabilities": _CAPABILITIES,
        "user_maps": None,
        "external": None,
        "external_env": {},
        "runner_mounts": [],
        "no_sync": throw_away,
    }
    if capabilities.user_namespace:
        orders.update(_in_user_namespace(command))
    if runner in ("runc", "crun"):
        from layerwright.sandbox.runners import runner_orders  # noqa: PLC0415  start-up: rarely chosen

        orders.update(runner_orders(runner, rootfs, command, capabilities, mounts, orders))
    return orders


def _in_user_namespace(command: Command) -> dict[str, Any]:
    """Return the orders about ids: how the caller's own id is had where only mapped ids exist.

    Root of the namespace stands for the caller. For a program that must see the caller's real id a second
    namespace is made inside the first, in which the two swap places (as ``podman --userns=keep-id`` does).
    """
    maps = []
    swapped = False
    for kind, wanted in (("uid", command.uid), ("gid", command.gid)):
        rows = [[int(field) for field in row.split()] for row in _lines(f"/proc/self/{kind}_map")]
        size = sum(count for _, _, count in rows)
        outside = next((out for inside, out, _ in rows if inside == 0), 0)
        swapped = swapped or (wanted != 0 and wanted == outside)
        mapping = [f"{wanted} 0 1"]
        if wanted and size > 1:
            mapping.append(f"0 1 {min(wanted, size - 1)}")
            if size - 1 > wanted:
                mapping.append(f"{wanted + 1} {wanted + 1} {size - 1 - wanted}")
        maps.append("\n".join(mapping) + "\n")
    denied = _lines("/proc/self/setgroups") == ["deny"]
    return {
        "user_maps": tuple(maps) if swapped else None,
        "groups": None if denied or swapped else list(command.groups),
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="ascii").split("\n")[:-1]


def _forget_volatile(work: Path) -> None:
    """Let an overlay mounted with ``volatile`` be mounted again.

    The kernel leaves a mark so that nobody trusts such a folder after a crash (kernel.org,
    Documentation/filesystems/overlayfs.rst, "Volatile mount"); we throw ours away then anyway.
    """
    mark = work / "work" / "incompat" / "volatile"
    if mark.is_dir():
        import shutil  # noqa: PLC0415  start-up

        shutil.rmtree(mark)
