"""``layerwright check``."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from layerwright.cli.context import Context
from layerwright.cli.parsers import Commands

if TYPE_CHECKING:
    from layerwright.core.findings import Kind

__all__ = ["add"]


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "check",
        parents=[common],
        help="say whether the images will work, before anything is built",
        description="Judge the images of the spec by their lock: CUDA, cuDNN, torch, ONNX Runtime, OpenCV, NumPy, "
        "glibc, Python, the driver, and the shared libraries that every wheel needs. Wheels are not downloaded: a few "
        "pieces of each are read, once. Locks first when the lock is missing or out of date.",
    )
    parser.add_argument("images", nargs="*", metavar="IMAGE", help="images or cells (default: all)")
    parser.add_argument("--strict", action="store_true", help="what is unknown fails too")
    parser.add_argument(
        "--host",
        metavar="FILE",
        type=Path,
        help="judge for the machine whose record `layerwright doctor --record FILE` wrote there",
    )
    parser.add_argument(
        "--sarif", metavar="FILE", type=Path, help="write SARIF 2.1.0, which code hosts show beside the lines"
    )
    parser.add_argument("--html", metavar="FILE", type=Path, help="write a report as one HTML page")
    parser.add_argument(
        "--locked", action="store_true", help="fail when the lock is missing or out of date; write nothing"
    )
    parser.set_defaults(handler=_check, makes_images=True)


def _check(context: Context, options: argparse.Namespace) -> int:
    from layerwright.cli.findings import findings_result  # noqa: PLC0415 - start-up
    from layerwright.workflow.check import CheckRequest, check_images  # noqa: PLC0415 - start-up

    checked = check_images(
        context.session,
        CheckRequest(images=tuple(options.images), locked=options.locked, host=options.host),
    )
    count = len(checked.subjects)
    known: tuple[Kind, ...] = ()
    if options.sarif is not None:
        from layerwright.rules import kinds  # noqa: PLC0415 - start-up
        from layerwright.ymir.image_kinds import KINDS  # noqa: PLC0415 - start-up

        known = (*kinds(), *KINDS)
    return findings_result(
        context,
        checked.findings,
        strict=options.strict,
        scope=f"{count} image{'' if count == 1 else 's'}",
        title="layerwright check",
        sarif=options.sarif,
        html=options.html,
        kinds=known,
    )
