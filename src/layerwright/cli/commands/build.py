"""``layerwright build``."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from layerwright.cli.context import Context
from layerwright.cli.parsers import Commands
from layerwright.cli.reporters import format_size

if TYPE_CHECKING:
    from layerwright.backends.base import BuiltImage, Outcome

__all__ = ["add"]

_OUTPUTS = """\
Outputs (several may be given; without one the image stays in the store, where `run` finds it):
  oci:DIR              an OCI image layout
  docker-archive:FILE  a file for `docker load`; - is standard output
  docker               the local Docker engine; only layers it lacks are sent
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
        choices=["native", "docker"],
        default="native",
        help="what builds: native needs no engine; docker runs a Dockerfile made from the plan",
    )
    parser.set_defaults(handler=_build)


def _build(context: Context, options: argparse.Namespace) -> int:
    from layerwright.workflow.build import BuildRequest, build_images  # noqa: PLC0415 - start-up
    from layerwright.workflow.outputs import deliver, parse_outputs  # noqa: PLC0415 - start-up

    outputs = parse_outputs(options.output, folder=Path.cwd())
    request = BuildRequest(images=tuple(options.images), locked=options.locked, backend=options.backend)
    built = build_images(context.session, request)
    delivered = deliver(context.session, built.outcome.images, outputs) if outputs else ()
    context.reporter.close()
    terminal = context.terminal
    outcome = built.outcome
    if terminal.json:
        terminal.print(json.dumps(_as_json(outcome, delivered), ensure_ascii=False))
    else:
        for image in outcome.images:
            terminal.print(_line(image))
        for line in delivered:
            terminal.print(f"  {line}")
    for failure in outcome.failures:
        from layerwright.cli.main import print_error  # noqa: PLC0415 - import cycle at start

        terminal.tell(f"{failure.cell}: failed")
        print_error(terminal, failure.error)
    return outcome.failures[0].error.exit_code if outcome.failures else 0


def _line(image: "BuiltImage") -> str:
    new = sum(1 for cached in image.cached if not cached)
    size = sum(layer.size for layer in image.layers)
    state = "unchanged" if new == 0 else f"{new} of {len(image.layers)} layers new"
    return (
        f"{image.cell}  {image.references[0]}  {image.image.digest}  "
        f"{len(image.layers)} layers, {format_size(size)}, {state}, {image.seconds:.2f} s"
    )


def _as_json(outcome: "Outcome", delivered: tuple[str, ...]) -> dict[str, object]:
    return {
        "schema": 1,
        "images": [
            {
                "cell": image.cell,
                "reference": image.references[0],
                "references": list(image.references),
                "digest": image.image.digest,
                "config_digest": image.image.config_digest,
                "layers": [
                    {
                        "digest": layer.digest,
                        "diff_id": layer.diff_id,
                        "size": layer.size,
                        "created_by": layer.created_by,
                        "cached": cached,
                    }
                    for layer, cached in zip(image.layers, image.cached, strict=True)
                ],
                "seconds": round(image.seconds, 4),
                "bytes_written": image.bytes_written,
            }
            for image in outcome.images
        ],
        "failures": [
            {"cell": failure.cell, "what": failure.error.what, "exit_code": failure.error.exit_code}
            for failure in outcome.failures
        ],
        "outputs": list(delivered),
    }
