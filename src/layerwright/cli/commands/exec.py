"""``layerwright exec``."""

import argparse
import sys

from layerwright.cli.commands.run import SHELL
from layerwright.cli.context import Context
from layerwright.cli.parsers import Commands

__all__ = ["add"]


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "exec",
        parents=[common],
        help="run a program, or a shell, in a container that is up",
        description="Run COMMAND in a container that `up` started, as you; without one, a shell. The exit code is the "
        "program's.",
    )
    parser.add_argument(
        "--engine",
        choices=["docker", "podman", "native"],
        default="docker",
        help="where it runs (default: docker)",
    )
    parser.add_argument(
        "--env", "-e", action="append", default=[], metavar="NAME[=VALUE]", help="set or pass on a variable"
    )
    parser.add_argument("--workdir", "-w", default="", metavar="DIR", help="start there")
    parser.add_argument("container", metavar="CONTAINER", help="its name, or its image or cell")
    parser.add_argument("program", nargs=argparse.REMAINDER, metavar="COMMAND", help="program and arguments")
    parser.set_defaults(handler=_exec)


def _exec(context: Context, options: argparse.Namespace) -> int:
    from layerwright.workflow.containers import ExecRequest, exec_in_container  # noqa: PLC0415 - start-up

    argv = list(options.program)
    if argv[:1] == ["--"]:
        argv = argv[1:]
    request = ExecRequest(
        target=options.container,
        argv=tuple(argv) or SHELL,
        engine=options.engine,
        env=tuple(options.env),
        workdir=options.workdir,
        terminal=sys.stdin.isatty() and sys.stdout.isatty(),
    )
    context.reporter.close()
    return exec_in_container(context.session, request)
