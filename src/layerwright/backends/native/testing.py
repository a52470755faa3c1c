"""Tests of a build: run and judged in the image so far; their logs are all that stays."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from layerwright.backends.native.commands import executed
from layerwright.backends.native.files import write_blob
from layerwright.backends.native.results import NodeResult
from layerwright.backends.native.workshop import Workshop
from layerwright.core.errors import BuildError
from layerwright.layers import scan_tree, tree_layer
from layerwright.plan.steps import RunTests
from layerwright.plan.testing import LONGEST_VERDICT, judged_command, read_verdict
from layerwright.sandbox.rootfs import Rootfs

__all__ = ["end_of", "run_tests"]


def run_tests(
    workshop: Workshop, step: RunTests, trees: Sequence[tuple[Path, bool]], base: NodeResult, task: str
) -> NodeResult:
    """Run tests over the layers so far; each file that is kept becomes a layer.

    Raises:
        BuildError: a test failed that may not, or how they ended cannot be told.
    """
    command = judged_command(step)
    with executed(workshop, command, trees, base, task, what="tests of the build") as rootfs:
        results = [_kept(workshop, rootfs, step, path) for path in step.kept]
        log = rootfs.find(step.log)
        verdict = read_verdict(step.log, end_of(log)) if log is not None else None
    if verdict is None:
        raise BuildError(f"the tests left no verdict in {step.log}", where=step.location)
    layers = tuple(layer for result in results for layer in result.layers)
    written = sum(result.bytes_written for result in results)
    return replace(results[0], layers=layers, bytes_written=written, verdict=verdict)


def end_of(log: Path) -> bytes:
    """As much of a log as a verdict may take."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - LONGEST_VERDICT))
        return file.read()


def _kept(workshop: Workshop, rootfs: Rootfs, step: RunTests, path: str) -> NodeResult:
    found = rootfs.find(path)
    if found is None or not found.is_file():
        raise BuildError(f"the tests left no file {path}", where=step.location)
    with workshop.store.scratch() as scratch:
        copy = scratch / "kept"
        shutil.copyfile(found, copy)
        scan = scan_tree(copy, own=True)
        return write_blob(
            workshop,
            f"layerwright: tests {path}",
            lambda out: tree_layer(scan, to=path, out=out, mode=0o644),
            private=False,
        )
