"""``layerwright render``."""

import argparse
import json
from pathlib import Path

from layerwright.cli.context import Context
from layerwright.cli.parsers import Commands

__all__ = ["add"]


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Declare the command and its verbs."""
    parser = commands.add_parser(
        "render", parents=[common], help="write the build down for other tools: dockerfile"
    )
    verbs = parser.add_subparsers(dest="verb", metavar="WHAT", required=True)
    dockerfile = verbs.add_parser(
        "dockerfile",
        parents=[common],
        help="the plan as a Dockerfile",
        description="Print a Dockerfile made from the lock. It needs the project's folder as its context and no "
        "layerwright; packages are pinned by version and digest.",
    )
    dockerfile.add_argument("image", nargs="?", default="", metavar="IMAGE", help="an image or cell")
    dockerfile.add_argument(
        "--out", type=Path, metavar="FILE", help="write to FILE instead of standard output"
    )
    dockerfile.set_defaults(handler=_dockerfile)


def _dockerfile(context: Context, options: argparse.Namespace) -> int:
    from layerwright.workflow.render import render_dockerfile  # noqa: PLC0415 - start-up

    text = render_dockerfile(context.session, options.image)
    terminal = context.terminal
    if options.out is not None:
        options.out.write_text(text, encoding="utf-8")
    if terminal.json:
        terminal.print(
            json.dumps({"schema": 1, "file": str(options.out or ""), "dockerfile": text}, ensure_ascii=False)
        )
    elif options.out is not None:
        terminal.print(str(options.out))
    else:
        terminal.print(text.rstrip("\n"))
    return 0
