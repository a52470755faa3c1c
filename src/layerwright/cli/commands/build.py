"""``layerwright build``."""

import argparse
import time
from pathlib import Path

from layerwright.cli.context import Context
from layerwright.cli.outcome import print_outcome, tell_failures
from layerwright.cli.parsers import Commands
from layerwright.core.errors import UsageError
from layerwright.workflow.report import outcome_document, unchanged

__all__ = ["add"]

_OUTPUTS = """\
Outputs (several may be given; without one the image stays in the store, where `run` finds it):
  oci:DIR              an OCI image layout
  docker-archive:FILE  a file for `docker load`; - is standard output
  docker               the local Docker engine; only layers it lacks are sent
  podman               your Podman, with root or without; only layers it lacks are sent
  registry             the registry that the image's name says, or registry:HOST[:PORT][/PATH] before the name
"""


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "build",
        parents=[common],
        help="build images, in the store or wherever --output says",
        description="Build images of the spec. The lock is brought up to date first, changing only what the "
        "spec asks for, unless --locked forbids it.",
        epilog=_OUTPUTS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("images", nargs="*", metavar="IMAGE", help="images or cells (default: all)")
    parser.add_argument(
        "--output", "-o", action="append", default=[], metavar="OUTPUT", help="where images go"
    )
    parser.add_argument("--locked", action="store_true", help="fail when the lock is out of date")
    parser.add_argument(
        "--backend",
        choices=["native", "docker", "podman"],
        default="native",
        help="what builds: native needs no engine; docker and podman run a Dockerfile made from the plan",
    )
    parser.set_defaults(handler=_build, makes_images=True)


def _build(context: Context, options: argparse.Namespace) -> int:
    started = time.monotonic()
    if options.backend != "native":
        return _build_with_engine(context, options)
    outputs = []
    if options.output:
        from layerwright.workflow.outputs import parse_outputs  # noqa: PLC0415 - start-up

        outputs = list(parse_outputs(options.output, folder=Path.cwd()))
    else:
        from layerwright.workflow.memo import recall  # noqa: PLC0415 - start-up

        known = recall(context.session, options.images)
        if known is not None:
            print_outcome(context, context.session, unchanged(known, time.monotonic() - started))
            return 0
    from layerwright.workflow.build import BuildRequest, build_images, keep_in_mind  # noqa: PLC0415 - start-up

    request = BuildRequest(images=tuple(options.images), locked=options.locked, whole=bool(outputs))
    built = build_images(context.session, request)
    document = outcome_document(built.outcome)
    if not built.outcome.failures:
        keep_in_mind(context.session, request, built, document)
    aside = False
    if outputs:
        from layerwright.workflow.outputs import deliver, takes_standard_output  # noqa: PLC0415 - start-up

        document["outputs"] = list(deliver(context.session, built.outcome.images, outputs))
        aside = any(takes_standard_output(output) for output in outputs)
    print_outcome(context, context.session, document, aside=aside)
    return tell_failures(context, [(failure.cell, failure.error) for failure in built.outcome.failures])


def _build_with_engine(context: Context, options: argparse.Namespace) -> int:
    from layerwright.workflow.build import BuildRequest  # noqa: PLC0415 - start-up
    from layerwright.workflow.docker import build_with_engine  # noqa: PLC0415 - start-up

    if options.output and options.output != [options.backend]:
        raise UsageError(
            f"the {options.backend} backend leaves images in {options.backend.capitalize()}",
            hint="leave --output out, or build natively",
        )
    request = BuildRequest(images=tuple(options.images), locked=options.locked)
    document, failures = build_with_engine(context.session, request, options.backend)
    print_outcome(context, context.session, document)
    return tell_failures(context, failures)
