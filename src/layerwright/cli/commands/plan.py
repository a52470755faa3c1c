"""``layerwright plan``."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from layerwright.cli.context import Context
from layerwright.cli.parsers import Commands

if TYPE_CHECKING:
    from layerwright.plan.draw import Sent
    from layerwright.plan.trees import TreeRequest

__all__ = ["add"]


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "plan",
        parents=[common],
        help="show what a build would do, without doing it",
        description="Show the steps of a build from the spec and its lock. Reaches no network and no engine.",
    )
    parser.add_argument("images", nargs="*", metavar="IMAGE", help="images or cells (default: all)")
    parser.add_argument(
        "--graph", metavar="FILE", type=Path, help="draw the steps to FILE (.svg, .png, .pdf or .dot)"
    )
    parser.set_defaults(handler=_plan)


def _plan(context: Context, options: argparse.Namespace) -> int:
    from layerwright.plan.draw import draw_graph, plan_to_json, plan_to_lines  # noqa: PLC0415 - start-up
    from layerwright.workflow.plan import plan_cells  # noqa: PLC0415 - start-up

    sent: dict[TreeRequest, Sent] = {}
    plan = plan_cells(context.session, options.images, sent)
    if options.graph is not None:
        draw_graph(plan, options.graph)
    if context.terminal.json:
        context.terminal.print(json.dumps(plan_to_json(plan, sent), ensure_ascii=False))
    elif options.graph is not None:
        context.terminal.print(str(options.graph))
    else:
        for line in plan_to_lines(plan, sent):
            context.terminal.print(line)
    return 0
