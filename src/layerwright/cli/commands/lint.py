"""``layerwright lint``."""

import argparse
import sys
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
        "lint",
        parents=[common],
        help="find faults in Dockerfiles and shell build scripts",
        description="Judge Dockerfiles and scripts that build and run images, each finding with its repair. Folders "
        "are searched for both; a Markdown page is read when it is named. Needs no engine, no network and no spec.",
    )
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="FILE",
        type=Path,
        help="files and folders, `-` for standard input (default: this folder)",
    )
    parser.add_argument(
        "--as",
        dest="kind",
        choices=("dockerfile", "shell", "markdown"),
        help="what the files named are (default: by name and first lines)",
    )
    parser.add_argument("--strict", action="store_true", help="what is unknown fails too")
    parser.add_argument(
        "--sarif", metavar="FILE", type=Path, help="write SARIF 2.1.0, which code hosts show beside the lines"
    )
    parser.set_defaults(handler=_lint)


def _lint(context: Context, options: argparse.Namespace) -> int:
    from layerwright.cli.findings import findings_result  # noqa: PLC0415 - start-up
    from layerwright.workflow.lint import lint_paths  # noqa: PLC0415 - start-up

    stdin = sys.stdin.buffer.read() if Path("-") in options.paths else None
    linted = lint_paths(options.paths, start=context.session.start, stdin=stdin, as_kind=options.kind)
    known: tuple[Kind, ...] = ()
    if options.sarif is not None:
        from layerwright.lint import KINDS  # noqa: PLC0415 - start-up

        known = KINDS
    count = len(linted.files)
    return findings_result(
        context,
        linted.findings,
        strict=options.strict,
        scope=f"{count} file{'' if count == 1 else 's'}",
        title="layerwright lint",
        sarif=options.sarif,
        kinds=known,
    )
