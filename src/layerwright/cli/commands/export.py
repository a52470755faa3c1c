"""``layerwright export``."""

import argparse
from pathlib import Path

from layerwright.cli.context import Context
from layerwright.cli.parsers import Commands

__all__ = ["add"]


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Declare the command and its verbs."""
    parser = commands.add_parser("export", parents=[common], help="the lock for other installers: pylock")
    verbs = parser.add_subparsers(dest="verb", metavar="WHAT", required=True)
    pylock = verbs.add_parser(
        "pylock",
        parents=[common],
        help="a cell's Python packages as pylock.toml (PEP 751)",
        description="Print a cell's locked wheels as pylock.toml, which pip and uv install from.",
    )
    pylock.add_argument("image", nargs="?", default="", metavar="IMAGE", help="an image or cell")
    pylock.add_argument("--out", type=Path, metavar="FILE", help="write to FILE instead of standard output")
    pylock.set_defaults(handler=_pylock)


def _pylock(context: Context, options: argparse.Namespace) -> int:
    from layerwright.workflow.export import export_pylock  # noqa: PLC0415 - start-up

    text = export_pylock(context.session, options.image)
    if options.out is None:
        context.terminal.print(text.rstrip("\n"))
    else:
        options.out.write_text(text, encoding="utf-8")
        context.terminal.print(str(options.out))
    return 0
