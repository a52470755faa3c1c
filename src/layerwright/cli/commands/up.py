"""``layerwright up``."""

import argparse
import json

from layerwright.cli.commands.run import add_start_options
from layerwright.cli.context import Context
from layerwright.cli.parsers import Commands

__all__ = ["add"]

_STATES = {"started": "started", "again": "started again", "running": "runs already"}


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "up",
        parents=[common],
        help="start a container that stays, as you",
        description="Start a detached container of the image, with the user, mounts and limits of `run`; one that "
        "has ended is started again. Without ARGS it only waits for `exec`. Needs Docker or Podman.",
    )
    parser.add_argument(
        "--engine",
        choices=["docker", "podman", "native"],
        default="docker",
        help="what runs it (default: docker)",
    )
    parser.add_argument("--name", default="", metavar="NAME", help="the container's name")
    add_start_options(parser)
    parser.add_argument("image", metavar="IMAGE", help="an image or cell of the spec")
    parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, metavar="ARGS", help="for the image's entrypoint"
    )
    parser.set_defaults(handler=_up, makes_images=True)


def _up(context: Context, options: argparse.Namespace) -> int:
    from layerwright.workflow.containers import up  # noqa: PLC0415 - start-up
    from layerwright.workflow.run import RunRequest  # noqa: PLC0415 - start-up

    arguments = list(options.arguments)
    if arguments[:1] == ["--"]:
        arguments = arguments[1:]
    request = RunRequest(
        image=options.image,
        arguments=tuple(arguments),
        entrypoint=None,
        engine=options.engine,
        env=tuple(options.env),
        mounts=tuple(options.mount),
        workdir=options.workdir,
        network=not options.no_network,
        locked=options.locked,
        terminal=False,
        gpus=options.gpus,
        keep_home=options.keep_home,
    )
    container = up(context.session, request, name=options.name)
    context.reporter.close()
    terminal = context.terminal
    if terminal.json:
        document = {"name": container.name, "cell": container.cell, "state": container.state}
        terminal.print(json.dumps({"schema": 1, "container": document}))
    else:
        terminal.print(f"{container.name}  {_STATES[container.state]}")
    return 0
