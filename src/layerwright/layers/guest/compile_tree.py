"""Compile the .py files of trees to unchecked-hash .pyc files (PEP 552). Standard library only, Python 3.8 or newer.

Usage: compile_tree.py [--processes N] TREE OUT [TREE OUT ...]

A tree mirrors the image from its root, so TREE/opt/venv/x.py is /opt/venv/x.py to tracebacks, and its bytecode goes to
OUT/opt/venv/__pycache__/x.TAG.pyc. What does not compile is passed over, as pip does it: such files are templates, or
for another Python.
"""

from __future__ import annotations

import importlib.util
import marshal
import os
import py_compile
import struct
import sys
import types
import warnings

SORTS_SETS = sys.version_info >= (3, 11)
"""Before 3.11, marshal writes a set constant in hash order, and the hash of None is its address: chance."""


def find_sources(tree: str) -> list[str]:
    """Paths of the .py files below the tree, sorted, without a leading slash."""
    sources: list[str] = []
    for folder, folders, files in os.walk(tree):
        folders.sort()
        inside = os.path.relpath(folder, tree)
        sources.extend(os.path.normpath(os.path.join(inside, name)) for name in files if name.endswith(".py"))
    return sorted(sources)


def compile_one(tree: str, out: str, path: str) -> None:
    """Compile one file; nothing is written when it does not compile."""
    source = os.path.join(tree, path)
    if os.path.islink(source):
        return
    folder, name = os.path.split(importlib.util.cache_from_source("/" + path, optimization=""))
    target = os.path.join(out, folder.lstrip("/"), name)
    try:
        py_compile.compile(
            source,
            cfile=target,
            dfile="/" + path,
            doraise=True,
            optimize=0,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
    except (py_compile.PyCompileError, SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return
    if not SORTS_SETS:
        with open(target, "rb") as file:
            header, code = file.read(16), marshal.loads(file.read())  # noqa: S302 - written one line above
        with open(target, "wb") as file:
            file.write(header + SortedMarshal().dump(code))


class SortedMarshal:
    """Writes what code objects hold in marshal's format (Python/marshal.c, 3.8 to 3.10), sets in sorted order.

    Strings that come again are references, so that a module's file name is loaded once. Nothing is marked as interned:
    code objects intern their names when they are made.
    """

    REFERABLE = 0x80

    def __init__(self, *, references: bool = True) -> None:
        self.seen: dict[str, int] = {}
        self.references = references

    def dump(self, value: object) -> bytes:  # noqa: C901 - one line for each type
        """The value's bytes."""
        if value is None:
            return b"N"
        if value is True:
            return b"T"
        if value is False:
            return b"F"
        if value is Ellipsis:
            return b"."
        if isinstance(value, str):
            return self.dump_text(value)
        if isinstance(value, int):
            return self.dump_integer(value)
        if isinstance(value, float):
            return b"g" + struct.pack("<d", value)
        if isinstance(value, complex):
            return b"y" + struct.pack("<dd", value.real, value.imag)
        if isinstance(value, bytes):
            return b"s" + struct.pack("<i", len(value)) + value
        if isinstance(value, tuple):
            return b"(" + struct.pack("<i", len(value)) + b"".join([self.dump(item) for item in value])
        if isinstance(value, frozenset):
            items = sorted(value, key=SortedMarshal(references=False).dump)
            return b">" + struct.pack("<i", len(items)) + b"".join([self.dump(item) for item in items])
        if isinstance(value, types.CodeType):
            return self.dump_code(value)
        raise TypeError(f"no constant of a code object: {value!r}")

    def dump_text(self, value: str) -> bytes:
        """A string, or where it stood before."""
        if value in self.seen:
            return b"r" + struct.pack("<i", self.seen[value])
        kind = ord("u")
        if self.references:
            self.seen[value] = len(self.seen)
            kind |= self.REFERABLE
        data = value.encode("utf-8", "surrogatepass")
        return bytes([kind]) + struct.pack("<i", len(data)) + data

    def dump_integer(self, value: int) -> bytes:
        """An integer: 32 bits, or digits of 15 bits."""
        if -(1 << 31) <= value < 1 << 31:
            return b"i" + struct.pack("<i", value)
        digits = []
        left = abs(value)
        while left:
            digits.append(left & 0x7FFF)
            left >>= 15
        count = len(digits) if value > 0 else -len(digits)
        return b"l" + struct.pack(f"<i{len(digits)}H", count, *digits)

    def dump_code(self, code: types.CodeType) -> bytes:
        """A code object, fields in the order of Python/marshal.c."""
        counts = (
            code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_nlocals, code.co_stacksize,
            code.co_flags,
        )  # fmt: skip
        parts = (
            code.co_code, code.co_consts, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars,
            code.co_filename, code.co_name,
        )  # fmt: skip
        lines = getattr(code, "co_linetable" if sys.version_info >= (3, 10) else "co_lnotab")
        return (
            b"c"
            + struct.pack("<6i", *counts)
            + b"".join([self.dump(part) for part in parts])
            + struct.pack("<i", code.co_firstlineno)
            + self.dump(lines)
        )


def compile_share(jobs: list[tuple[str, str, str]], number: int, processes: int) -> None:
    """Compile every ``processes``-th file, from ``number`` on."""
    warnings.simplefilter("ignore")
    for tree, out, path in jobs[number::processes]:
        compile_one(tree, out, path)


def main(arguments: list[str]) -> int:
    """Compile all trees; the exit status is 0 unless something cannot be read or written."""
    processes = len(os.sched_getaffinity(0))
    if arguments[:1] == ["--processes"]:
        processes = max(1, int(arguments[1]))
        arguments = arguments[2:]
    if not arguments or len(arguments) % 2:
        print(__doc__, file=sys.stderr)
        return 2
    jobs: list[tuple[str, str, str]] = []
    for tree, out in zip(arguments[::2], arguments[1::2]):
        jobs.extend((tree, out, path) for path in find_sources(tree))
    processes = max(1, min(processes, len(jobs) // 16))
    # plain forks: multiprocessing wants semaphores in /dev/shm, which a sandbox may not have
    children = []
    for number in range(1, processes):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                compile_share(jobs, number, processes)
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    compile_share(jobs, 0, processes)
    statuses = [os.waitpid(child, 0)[1] for child in children]
    return 1 if any(statuses) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
