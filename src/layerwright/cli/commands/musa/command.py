"""The verbs of ``layerwright musa``."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from layerwright.cli.commands.musa.parser import HelpFormatter, ScriptParser
from layerwright.cli.context import Context
from layerwright.cli.outcome import print_outcome, tell_failures
from layerwright.cli.parsers import Commands
from layerwright.core.errors import SpecError

if TYPE_CHECKING:
    from layerwright.spec.musa.options import ScriptName

__all__ = ["add"]

_ABOUT = (
    "The command lines of torch_musa's container scripts, as their documents write them, turned into a spec and "
    "built from that."
)
_SHORT = """\
  bash docker/build_base.sh …   layerwright musa build-base …
  bash docker/build.sh …        layerwright musa build …
  bash docker/build_all.sh      layerwright musa build-all

--emit-toml prints the spec. Archives and wheels are checked by digest, Docker is asked only when everything about
the command line is right, and no folder of yours is ever removed.
After these commands -v is the Python; for --verbose, write it out.
"""
_ENVIRONMENT = """\
environment:
  DOCKER_BUILD_DIR            folder that keeps the spec, its lock and digests (default: ./tmp); nothing is removed
"""
_PYTORCH = """\
  PYTORCH_REPO_ROOT_PATH      folder with a clone of PyTorch in `pytorch`, or where it is to be cloned to
"""
_VISION = """\
  TORCH_VISION_REPO_ROOT_PATH  folder with a clone of torchvision in `vision`, or where it is to be cloned to
"""
_DIGESTS = """\

An address may end in #sha256=DIGEST. Without it, the digest of what is loaded first is recorded in that folder, in
layerwright-musa.lock, and another file under the same address is refused afterwards (exit code 7).
"""
_BASE_EXAMPLE = """\

example:
  layerwright musa build-base -n pytorch2.0.0_py310 -s ubuntu:20.04 -v 3.10
"""
_BUILD_EXAMPLE = """\

examples:
  layerwright musa build -n torch_musa_dev -b pytorch2.0.0_py39:latest -f docker/ubuntu/dockerfile.dev \\
      -m $MUSA_TOOLKITS_URL --mudnn_url $MUDNN_URL --mccl_url $MCCL_URL --torch_musa_tag $TORCH_MUSA_TAG
  layerwright musa build -n torch_musa_docker -b ubuntu:20.04 -f ./ubuntu/dockerfile.release -v 3.8 \\
      -m $MUSA_TOOLKITS_URL --mudnn_url $MUDNN_URL --mccl_url $MCCL_URL \\
      --torch_whl_url $TORCH_WHL_URL --torch_musa_whl_url $TORCH_MUSA_WHL_URL --release
"""
_ALL_EXAMPLE = """\

The script has no options, its values are edited in it; here they are a TOML file, or options, which go before it.

examples:
  layerwright musa build-all --template > build_all.toml     a file to fill in
  layerwright musa build-all                                 six images, development and release for three Pythons
  layerwright musa build-all --versions 3.10 -t test         some of them, under another tag
"""

_SCRIPTS: "dict[ScriptName, tuple[str, str, str]]" = {
    "build-base": (
        "an image with PyTorch's sources and a toolchain",
        (
            "What build_base.sh does: an image with a toolchain, a Python environment and "
            "PyTorch's sources in /home/pytorch, which development images start from."
        ),
        f"{_ENVIRONMENT}{_PYTORCH}{_BASE_EXAMPLE}",
    ),
    "build": (
        "a development image, compiled from sources, or a release image, from wheels",
        (
            "What build.sh does: a development image, in which PyTorch, torchvision and torch_musa are "
            "compiled and tested, or a release image made of wheels; both with the MUSA toolkit, muDNN and MCCL."
        ),
        f"{_ENVIRONMENT}{_VISION}{_DIGESTS}{_BUILD_EXAMPLE}",
    ),
    "build-all": (
        "development and release images for several Pythons",
        (
            "What build_all.sh does: a development and a release image for each Python. One that "
            "fails is told and keeps no other from being built; what is done already is not done again."
        ),
        f"{_ENVIRONMENT}{_VISION}{_DIGESTS}{_ALL_EXAMPLE}",
    ),
}


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Declare the command and its verbs."""
    parser = commands.add_parser(
        "musa",
        parents=[common],
        help="images of torch_musa by the command lines of its container scripts",
        description=_ABOUT,
        epilog=_SHORT,
        formatter_class=HelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", metavar="SCRIPT", required=True, parser_class=ScriptParser)
    for name, (summary, about, epilog) in _SCRIPTS.items():
        verb = verbs.add_parser(
            name,
            help=summary,
            description=about,
            epilog=epilog,
            formatter_class=HelpFormatter,
        )
        verb.reads_table = True
        verb.set_defaults(handler=_handler(name), makes_images=True)
    scripts = verbs.add_parser(
        "scripts",
        parents=[common],  # type: ignore[list-item]  # typeshed takes parents for parsers of this class
        help="scripts under the old names, for commands that are pasted",
        description="Write build_base.sh, build.sh and build_all.sh, each of which hands its command line to "
        "`layerwright musa`. Documented commands can then be pasted as they stand: bash docker/build.sh …",
    )
    scripts.add_argument("folder", type=Path, metavar="DIR", help="where they go, such as docker")
    scripts.set_defaults(handler=_write_scripts)


def _write_scripts(context: Context, options: argparse.Namespace) -> int:
    from layerwright.workflow.musa_scripts import write_scripts  # noqa: PLC0415 - start-up

    files = [str(path) for path in write_scripts(options.folder)]
    context.reporter.close()
    if context.terminal.json:
        context.terminal.print(json.dumps({"schema": 1, "files": files}, ensure_ascii=False))
    for file in [] if context.terminal.json else files:
        context.terminal.print(file)
    return 0


def _handler(script: "ScriptName") -> Callable[[Context, argparse.Namespace], int]:
    def handle(context: Context, options: argparse.Namespace) -> int:
        return _run(context, options, script)

    return handle


def _run(context: Context, options: argparse.Namespace, script: "ScriptName") -> int:
    if options.wrong is not None:
        raise SpecError([options.wrong])
    if options.given.pop("template", False):
        from layerwright.spec.musa.definition import TEMPLATE  # noqa: PLC0415 - start-up

        context.terminal.print(TEMPLATE.rstrip("\n"))
        return 0
    from layerwright.spec.musa.said import Given  # noqa: PLC0415 - start-up
    from layerwright.workflow.musa import build_order, emit_order  # noqa: PLC0415 - start-up
    from layerwright.workflow.musa_order import Order  # noqa: PLC0415 - start-up

    emit = options.given.pop("emit_toml", False)
    order = Order(script=script, given=Given(options=options.given))
    if emit:
        text = emit_order(context.session, order)
        context.reporter.close()
        context.terminal.print(
            json.dumps({"schema": 1, "spec": text}, ensure_ascii=False)
            if context.terminal.json
            else text.rstrip("\n")
        )
        return 0
    built = build_order(context.session, order)
    print_outcome(context, built.session, built.document)
    return tell_failures(context, built.failures)
