"""``layerwright executor lint``."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from layerwright.cli.context import Context
from layerwright.cli.parsers import Commands

if TYPE_CHECKING:
    from layerwright.core.findings import Finding

__all__ = ["add"]

_SUBJECTS = """\
SUBJECT is one of
  DIR                   a project: the executors of its layerwright.toml; img-man/, or *-template.yaml
  NAME                  an image or cell of the spec, as it was last built
  docker:NAME           an image of the local Docker engine, whose entrypoint is asked, too
  oci:DIR[:NAME]        an OCI image layout
  docker-archive:FILE   what `docker save` wrote
  HOST/NAME:TAG         a reference in a registry
"""


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Declare the verb."""
    parser = commands.add_parser(
        "lint",
        parents=[common],
        help="say what the platform will not take of an image's /img-man",
        description="Judge what an executor's image says about itself to the YMIR platform (manifest, templates, "
        "entrypoint, what it starts), each finding with its repair. Images of Docker are read as the platform reads "
        "them: docker run IMAGE cat FILE.",
        epilog=_SUBJECTS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "subject", nargs="?", default=".", metavar="SUBJECT", help="what to judge (default: .)"
    )
    parser.add_argument(
        "--no-engine", action="store_true", help="start no container; the entrypoint is judged by its words"
    )
    parser.add_argument("--strict", action="store_true", help="what is unknown fails too")
    parser.add_argument(
        "--sarif", metavar="FILE", type=Path, help="write SARIF 2.1.0; - prints it in place of the text"
    )
    parser.set_defaults(handler=_lint, makes_images=True)


def _lint(context: Context, options: argparse.Namespace) -> int:
    from layerwright.cli.findings import findings_result  # noqa: PLC0415 - start-up
    from layerwright.workflow.executor_lint import lint_executors  # noqa: PLC0415 - start-up
    from layerwright.ymir.image_kinds import KINDS  # noqa: PLC0415 - start-up

    findings = list["Finding"]()
    names = list[str]()
    for linted in lint_executors(context.session, options.subject, engine=not options.no_engine):
        findings += linted.findings
        names.append(linted.name)
    return findings_result(
        context,
        findings,
        strict=options.strict,
        scope=names[0] if len(names) == 1 else f"{len(names)} images",
        title=f"layerwright executor lint {' '.join(names)}",
        sarif=options.sarif,
        kinds=KINDS,
    )
