"""Compile the .py files of trees to unchecked-hash .pyc files (PEP 552). Standard library only, Python 3.8 or newer.

Usage: compile_tree.py [--processes N] TREE OUT [TREE OUT ...]

A tree mirrors the image from its root, so TREE/opt/venv/x.py is /opt/venv/x.py to tracebacks, and its bytecode goes to
OUT/opt/venv/__pycache__/x.TAG.pyc. What does not compile is passed over, as pip does it: such files are templates, or
for another Python.
"""

from __future__ import annotations

import importlib.util
import os
import py_compile
import sys
import warnings


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
