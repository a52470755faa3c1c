"""The processes that a program started, and those started, as the kernel lists them."""

import contextlib
import os
import signal

__all__ = ["descendants", "kill_descendants"]


def descendants(pid: int) -> dict[int, str]:
    """Every process below this one: its start time by its id.

    The start time (field 22 of ``/proc/PID/stat``, proc(5)) tells a process from a later one of the same id.
    """
    started, children = dict[int, str](), dict[int, list[int]]()
    for entry in os.scandir("/proc"):
        if not entry.name.isdecimal():
            continue
        try:
            with open(f"/proc/{entry.name}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
                fields = file.read().rpartition(")")[2].split()  # the name before it may hold anything
        except OSError:
            continue
        started[int(entry.name)] = fields[19]
        children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, waiting = dict[int, str](), [pid]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in found:
                found[child] = started[child]
                waiting.append(child)
    return found


def kill_descendants(found: dict[int, str]) -> None:
    """Kill those of ``descendants`` that are still there; what belongs to somebody else is left."""
    for pid, start in found.items():
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
                same = file.read().rpartition(")")[2].split()[19] == start
        except OSError:
            continue
        if same:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
