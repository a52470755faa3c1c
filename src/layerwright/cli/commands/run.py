"""``layerwright run`` and ``layerwright shell``."""

import argparse
import re
import sys

from layerwright.cli.context import Context
from layerwright.cli.parsers import Commands

__all__ = ["SHELL", "add", "add_start_options", "gpus"]

SHELL = ("/bin/sh", "-c", "if command -v bash >/dev/null 2>&1; then exec bash; else exec sh; fi")
"""A shell: bash where the image has it."""

_GPUS = re.compile("none|all|[1-9][0-9]*|(?:device=)?[A-Za-z0-9:-]+(?:,[A-Za-z0-9:-]+)*")


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Declare both commands."""
    run = commands.add_parser(
        "run",
        parents=[common],
        help="run a program in an image, as you",
        description="Build the image if it is not up to date, then start its entrypoint with ARGS: the current "
        "folder is at the image's workdir, files made belong to you, the exit code and signals are the program's. "
        "Options of layerwright itself go before IMAGE; everything after it reaches the program untouched. In an image "
        "with `check_device`, ARGS may be `check-device [--quick] [--json]`: whether a device there computes.",
    )
    _add_options(run)
    run.add_argument(
        "--entrypoint",
        default=None,
        metavar="PROGRAM",
        help="run this instead of the image's entrypoint; '' makes ARGS the whole command",
    )
    run.add_argument("image", metavar="IMAGE", help="an image or cell of the spec")
    run.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGS", help="for the image's entrypoint")
    run.set_defaults(handler=_run, makes_images=True)

    shell = commands.add_parser(
        "shell",
        parents=[common],
        help="a shell in an image, with the same mounts and user as run",
        description="Start a shell in the image: bash where it is, else sh.",
    )
    _add_options(shell)
    shell.add_argument("image", nargs="?", default="", metavar="IMAGE", help="an image or cell of the spec")
    shell.set_defaults(handler=_shell, makes_images=True)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--engine", choices=["native", "docker", "podman"], default="native", help="what runs it"
    )
    add_start_options(parser)


def add_start_options(parser: argparse.ArgumentParser) -> None:
    """Declare what every start of a program takes."""
    parser.add_argument(
        "--env", "-e", action="append", default=[], metavar="NAME[=VALUE]", help="set or pass on a variable"
    )
    parser.add_argument(
        "--mount", action="append", default=[], metavar="FROM:TO[:ro]", help="one more folder or file"
    )
    parser.add_argument(
        "--workdir",
        "-w",
        default="",
        metavar="DIR",
        help="the current folder is here, not at the image's workdir",
    )
    parser.add_argument(
        "--gpus",
        type=gpus,
        default="",
        metavar="WHICH",
        help="none, all, a number of them, or device=0,1 (default: the spec's `gpus`)",
    )
    parser.add_argument(
        "--keep-home",
        action="store_true",
        help="keep HOME and the caches in it, for the next run of the image",
    )
    parser.add_argument("--no-network", action="store_true", help="no network for the program")
    parser.add_argument("--locked", action="store_true", help="fail when the lock is out of date")


def gpus(text: str) -> str:
    """Read ``--gpus``; empty text, its default, means that nothing is said."""
    if text and not _GPUS.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not none, all, a number, or device=0,1")
    if text in {"", "none", "all"} or text.isdecimal() or text.startswith("device="):
        return text
    return f"device={text}"


def _run(context: Context, options: argparse.Namespace) -> int:
    arguments = list(options.arguments)
    if arguments[:1] == ["--"]:
        # The separator is ours; a second one is the program's.
        arguments = arguments[1:]
    entrypoint = None if options.entrypoint is None else ((options.entrypoint,) if options.entrypoint else ())
    return _start(context, options, arguments, entrypoint)


def _shell(context: Context, options: argparse.Namespace) -> int:
    return _start(context, options, [], SHELL)


def _start(
    context: Context, options: argparse.Namespace, arguments: list[str], entrypoint: tuple[str, ...] | None
) -> int:
    from layerwright.workflow.run import RunRequest, run_image  # noqa: PLC0415 - start-up

    request = RunRequest(
        image=options.image,
        arguments=tuple(arguments),
        entrypoint=entrypoint,
        engine=options.engine,
        env=tuple(options.env),
        mounts=tuple(options.mount),
        workdir=options.workdir,
        network=not options.no_network,
        locked=options.locked,
        terminal=sys.stdin.isatty() and sys.stdout.isatty(),
        gpus=options.gpus,
        keep_home=options.keep_home,
    )
    return run_image(context.session, request, before_start=context.reporter.close)
