"""The ``layerwright`` command: the only place that reads the environment and prints errors."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

from layerwright import __version__
from layerwright.cli.errors import error_document, print_error
from layerwright.cli.terminal import Terminal
from layerwright.core.errors import LayerwrightError

if TYPE_CHECKING:
    from layerwright.cli.context import Context

__all__ = ["entry", "global_options", "main", "make_parser"]

_BUG = 70  # EX_SOFTWARE of sysexits.h
_SIGNALLED = 128  # plus the signal's number, as shells report it

_EPILOG = """\
The usual road: init writes layerwright.toml, lock pins every input, build makes the image, run starts it.
Exit codes: 0 good, 1 findings, 2 usage or spec, 3 resolution, 4 build, 5 engine, 6 network, 7 integrity,
125 run could not start the container; otherwise run returns the program's own code.
"""


class _Gather(argparse.Action):
    """Collects the values of an option that stands before the command's name, after it, or both."""

    def __init__(self, option_strings: Sequence[str], dest: str, **options: Any) -> None:  # noqa: ANN401 - argparse's
        super().__init__(option_strings, dest, **options)
        self._gathered: list[str] = []

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        del parser, option_string
        # A command's own namespace would take the place of what was given before its name.
        self._gathered.append(str(values))
        setattr(namespace, self.dest, tuple(self._gathered))


def global_options() -> argparse.ArgumentParser:
    """Options that are taken before and after the command's name.

    Defaults are suppressed, so that what was given before the name is not reset by the command's parser.
    """
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    group = common.add_argument_group("global options")
    group.add_argument("--file", metavar="FILE", help="the spec (default: layerwright.toml here or above)")
    group.add_argument(
        "--set",
        action=_Gather,
        dest="settings",
        metavar="KEY=VALUE",
        help="a value in place of what the spec says, such as images.dev.python=3.10; may be repeated",
    )
    group.add_argument("--json", action="store_true", help="one JSON object on standard output")
    group.add_argument("--quiet", "-q", action="store_true", help="say nothing but warnings and errors")
    group.add_argument("--verbose", "-v", action="store_true", help="show what the steps' programs print")
    group.add_argument("--no-color", action="store_true", help="no colours (NO_COLOR is obeyed too)")
    group.add_argument("--offline", action="store_true", help="reach no index, mirror or registry")
    group.add_argument(
        "--store", metavar="DIR", help="the cache (default: LAYERWRIGHT_STORE, or ~/.cache/layerwright)"
    )
    return common


def make_parser() -> argparse.ArgumentParser:
    """The whole command line; each command's module adds its own part."""
    from layerwright.cli.commands import COMMANDS  # noqa: PLC0415 - keeps this module importable by them

    common = global_options()
    parser = argparse.ArgumentParser(
        prog="layerwright",
        description="Container images for deep learning that fit together, from one TOML file.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common],
    )
    parser.add_argument(
        "--version", action="version", version=f"layerwright {__version__}", help="print the version"
    )
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND")
    for module in COMMANDS:
        module.add(commands, common)
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run one command line.

    Returns:
        The exit code (DESIGN §9).
    """
    parser = make_parser()
    options = parser.parse_args(arguments)
    variables = dict(os.environ)  # noqa: TID251 - read once, here
    terminal = Terminal.make(
        variables,
        quiet=getattr(options, "quiet", False),
        verbose=getattr(options, "verbose", False),
        json=getattr(options, "json", False),
        no_color=getattr(options, "no_color", False),
    )
    if options.command is None:
        parser.print_help(sys.stderr)
        return 2
    from layerwright.cli.context import Context  # noqa: PLC0415 - not needed for --help

    try:
        context = Context.make(terminal, variables, options)
    except LayerwrightError as error:
        print_error(terminal, error)
        return error.exit_code
    return _guarded(context, options)


def _guarded(context: "Context", options: argparse.Namespace) -> int:
    """Run the command; errors for people are printed here and nowhere else."""
    import json  # noqa: PLC0415 - start-up

    terminal = context.terminal
    try:
        code: int = options.handler(context, options)
    except LayerwrightError as error:
        context.reporter.close()
        if terminal.json:
            terminal.print(json.dumps(error_document(error, mask=terminal.mask)))
        print_error(terminal, error)
        return error.exit_code
    except KeyboardInterrupt as interrupt:
        context.reporter.close()
        means = getattr(options, "interrupted", "what was finished is kept; run the command again to go on")
        terminal.tell(f"{terminal.paint('interrupted', '1;33')}: {means}")
        number: int = interrupt.args[0] if interrupt.args else signal.SIGINT
        return _SIGNALLED + number
    except Exception:  # noqa: BLE001 - a bug keeps its traceback
        context.reporter.close()
        import traceback  # noqa: PLC0415 - only on a bug

        terminal.tell(traceback.format_exc().rstrip())
        terminal.tell(
            f"{terminal.paint('bug', '1;31')}: this is a fault of layerwright {__version__}; please report it"
        )
        return _BUG
    finally:
        context.reporter.close()
    return code


def entry() -> None:
    """Start from the shell."""
    _open_missing_streams()
    # Names in the user's files may hold any character whatever the locale says (LC_ALL=C gives ASCII here).
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace")
    # What ends jobs and closes terminals clears up as Ctrl-C does; `run` hands signals to its program instead.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _interrupt)
    sys.exit(main(sys.argv[1:]))


def _open_missing_streams() -> None:
    """Put the null device where the caller closed standard input, output or error.

    Python leaves None there, and the next file that is opened would become what programs take for their output.
    """
    for name, mode, descriptor in (("stdin", "r", 0), ("stdout", "w", 1), ("stderr", "w", 2)):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null == descriptor:
                os.set_inheritable(null, True)
            else:
                os.dup2(null, descriptor)
                os.close(null)
            setattr(sys, name, open(descriptor, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def _interrupt(number: int, frame: FrameType | None) -> None:
    del frame
    raise KeyboardInterrupt(number)
