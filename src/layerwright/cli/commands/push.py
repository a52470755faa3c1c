"""``layerwright push``."""

import argparse
import json

from layerwright.cli.context import Context
from layerwright.cli.parsers import Commands

__all__ = ["add"]


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "push",
        parents=[common],
        help="build images and push them to a registry",
        description="Build the images if they are not up to date and push them; blobs the registry has are skipped. "
        "The account comes from Docker's configuration and its credential helpers (`docker login`).",
    )
    parser.add_argument("images", nargs="*", metavar="IMAGE", help="images or cells (default: all)")
    parser.add_argument(
        "--to", default="", metavar="HOST[:PORT][/PATH]", help="registry to put before the images' names"
    )
    parser.add_argument("--locked", action="store_true", help="fail when the lock is out of date")
    parser.set_defaults(handler=_push, makes_images=True)


def _push(context: Context, options: argparse.Namespace) -> int:
    from layerwright.workflow.build import BuildRequest, build_images  # noqa: PLC0415 - start-up
    from layerwright.workflow.outputs import RegistryOutput, deliver  # noqa: PLC0415 - start-up

    request = BuildRequest(images=tuple(options.images), locked=options.locked, whole=True)
    built = build_images(context.session, request)
    if built.outcome.failures:
        raise built.outcome.failures[0].error
    lines = deliver(context.session, built.outcome.images, (RegistryOutput(prefix=options.to),))
    context.reporter.close()
    if context.terminal.json:
        context.terminal.print(json.dumps({"schema": 1, "pushed": list(lines)}))
    else:
        for line in lines:
            context.terminal.print(line)
    return 0
