"""``layerwright stop``."""

import argparse
import json

from layerwright.cli.context import Context
from layerwright.cli.parsers import Commands

__all__ = ["add"]


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "stop",
        parents=[common],
        help="stop containers that are up",
        description="Stop containers that `up` started; `up` starts them again. None that runs is no error.",
    )
    parser.add_argument(
        "--engine",
        choices=["docker", "podman", "native"],
        default="docker",
        help="where they run (default: docker)",
    )
    parser.add_argument(
        "--time",
        "-t",
        type=_seconds,
        default=-1,
        metavar="SECONDS",
        help="time to end by itself, before it is ended by force (default: the spec's stop_timeout, or 10)",
    )
    parser.add_argument(
        "--remove", action="store_true", help="remove them too, with their homes that are not kept"
    )
    parser.add_argument(
        "container",
        nargs="?",
        default="",
        metavar="CONTAINER",
        help="its name, or its image or cell (default: all of this project)",
    )
    parser.set_defaults(handler=_stop)


def _seconds(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return int(text)


def _stop(context: Context, options: argparse.Namespace) -> int:
    from layerwright.workflow.containers import StopRequest, stop_containers  # noqa: PLC0415 - start-up

    request = StopRequest(
        target=options.container, engine=options.engine, seconds=options.time, remove=options.remove
    )
    stopped = stop_containers(context.session, request)
    context.reporter.close()
    terminal = context.terminal
    if terminal.json:
        rows = [{"name": one.name, "state": one.state} for one in stopped]
        terminal.print(json.dumps({"schema": 1, "containers": rows}))
        return 0
    for one in stopped:
        terminal.print(f"{one.name}  {'had ended' if one.state == 'ended' else one.state}")
    if not stopped:
        terminal.tell("nothing of that name is up")
    return 0
