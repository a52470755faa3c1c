"""``layerwright export``."""

import argparse
from pathlib import Path

from layerwright.cli.context import Context
from layerwright.cli.parsers import Commands
from layerwright.cli.texts import give_text

__all__ = ["add"]


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Declare the command and its verbs."""
    parser = commands.add_parser("export", parents=[common], help="write the lock for other tools: pylock")
    verbs = parser.add_subparsers(dest="verb", metavar="WHAT", required=True)
    pylock = verbs.add_parser(
        "pylock",
        parents=[common],
        help="what an image installs, as pylock.toml",
        description="Print what an image installs as pylock.toml (PEP 751), with every file's address and digest: "
        "`uv pip sync pylock.toml` installs the same set. Indexes are asked for the addresses.",
    )
    pylock.add_argument("image", nargs="?", default="", metavar="IMAGE", help="an image or cell")
    pylock.add_argument(
        "--out", type=Path, metavar="FILE", help="write to FILE, such as pylock.toml, not to standard output"
    )
    pylock.set_defaults(handler=_pylock)


def _pylock(context: Context, options: argparse.Namespace) -> int:
    from layerwright.workflow.export import export_pylock  # noqa: PLC0415 - start-up

    out: Path | None = options.out
    folder = (out.parent if out is not None else Path()).absolute()
    text = export_pylock(context.session, options.image, folder=folder)
    return give_text(context, out, "pylock", text)
