"""``layerwright explain``: why things are as they are."""

import argparse
import json
from pathlib import Path

from layerwright.cli.context import Context
from layerwright.cli.parsers import Commands

__all__ = ["add"]


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "explain",
        parents=[common],
        help="say why things clash",
        description="Say why things are as they are.",
    )
    verbs = parser.add_subparsers(title="what to explain", dest="verb", metavar="WHAT", required=True)
    _add_conflict(verbs, common)


def _add_conflict(verbs: Commands, common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "conflict",
        parents=[common],
        help="what clashes, who asked for it, and the least change that mends it",
        description="Tell every error of `check` from its beginning to its end: the smallest set of things that clash, "
        "what shows it, who asked for each of them, and repairs that were tried on what is known. Where no set of "
        "packages meets the requirements at all: both requirements with their places, and the resolver's own words.",
    )
    parser.add_argument("images", nargs="*", metavar="IMAGE", help="images or cells (default: all)")
    parser.add_argument(
        "--host",
        metavar="FILE",
        type=Path,
        help="judge for the machine that `doctor --record FILE` wrote down",
    )
    parser.set_defaults(handler=_conflict, makes_images=True)


def _conflict(context: Context, options: argparse.Namespace) -> int:
    from layerwright.cli.excerpts import Painter, width_of  # noqa: PLC0415 - start-up
    from layerwright.cli.findings import locate_findings  # noqa: PLC0415 - start-up
    from layerwright.cli.prose import conflict_lines  # noqa: PLC0415 - start-up
    from layerwright.core.findings import findings_document, sort_findings  # noqa: PLC0415 - start-up
    from layerwright.workflow.conflict import explain_conflicts  # noqa: PLC0415 - start-up

    explained = explain_conflicts(context.session, options.images, options.host)
    context.reporter.close()
    found = sort_findings(locate_findings(explained.findings))
    terminal = context.terminal
    if terminal.json:
        terminal.print(json.dumps(findings_document(found), ensure_ascii=False))
    elif not found:
        count = len(explained.cells)
        terminal.print(f"nothing clashes in {count} image{'' if count == 1 else 's'}")
    else:
        for line in conflict_lines(Painter.of(terminal), found, width_of(terminal)):
            terminal.print(line)
    return 1 if found else 0
