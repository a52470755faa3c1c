"""``layerwright verify``."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from layerwright.cli.context import Context
from layerwright.cli.parsers import Commands

if TYPE_CHECKING:
    from collections.abc import Callable

    from layerwright.core.findings import Finding
    from layerwright.reports.html import Details

__all__ = ["add"]

_IMAGES = """\
IMAGE is one of
  NAME                  an image or cell of the spec, as it was last built
  oci:DIR[:NAME]        an OCI image layout
  docker-archive:FILE   what `docker save` wrote (also archive:FILE)
  docker:NAME           an image of the local Docker engine
  HOST/NAME:TAG         a reference in a registry
Without IMAGE, every image of the spec.
"""

_ROLES = ("base", "training", "inference", "dev", "release", "executor")


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "verify",
        parents=[common],
        help="judge a finished image, whoever built it",
        description="Read every layer of an image once and say what will not work or is unsafe: libraries that the "
        "loader will not find, packages that do not fit each other or were changed, secrets, rights. Nothing of "
        "the image is run but the spec's own smoke tests.",
        epilog=_IMAGES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("image", nargs="?", default="", metavar="IMAGE", help="what to judge (see below)")
    parser.add_argument(
        "--secret-file",
        action="append",
        default=[],
        metavar="[NAME=]FILE",
        help="a value that must not be in the image, in any spelling; may be given several times",
    )
    parser.add_argument("--no-smoke", action="store_true", help="do not run the spec's smoke tests")
    parser.add_argument(
        "--role", choices=_ROLES, default="", help="judge by this role, not by the image's label"
    )
    parser.add_argument("--strict", action="store_true", help="what is unknown fails too")
    parser.add_argument(
        "--sarif", type=Path, metavar="FILE", help="write SARIF 2.1.0; - prints it in place of the text"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a report as one HTML page")
    parser.set_defaults(handler=_verify, makes_images=True)


def _verify(context: Context, options: argparse.Namespace) -> int:
    from layerwright.cli.findings import findings_result  # noqa: PLC0415 - start-up
    from layerwright.verify import kinds  # noqa: PLC0415 - start-up
    from layerwright.workflow.verify import VerifyRequest, verify_images  # noqa: PLC0415 - start-up
    from layerwright.workflow.verify_page import page_details  # noqa: PLC0415 - start-up

    request = VerifyRequest(
        image=options.image,
        secret_files=tuple(options.secret_file),
        smoke=not options.no_smoke,
        role=options.role,
    )
    findings: list[Finding] = []
    names: list[str] = []
    details: Details | None = None
    for verified in verify_images(context.session, request):
        names.append(verified.name)
        findings += verified.findings
        if options.html is not None and details is None:
            # The page's pictures are of the first image; what an image held is not kept in memory for longer.
            details = page_details(verified.inspection)
    return findings_result(
        context,
        findings,
        strict=options.strict,
        scope=names[0] if len(names) == 1 else f"{len(names)} images",
        title=f"layerwright verify {' '.join(names)}",
        sarif=options.sarif,
        html=options.html,
        kinds=kinds(),
        details=_given(details),
    )


def _given(details: "Details | None") -> "Callable[[], Details] | None":
    return None if details is None else lambda: details
