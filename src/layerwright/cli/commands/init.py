"""``layerwright init``."""

import argparse
import json
from pathlib import Path

from layerwright.cli.context import Context
from layerwright.cli.parsers import Commands
from layerwright.core.errors import UsageError

__all__ = ["add"]


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "init",
        parents=[common],
        help="write a layerwright.toml to start from",
        description="Write a commented layerwright.toml into the current folder; an existing one is left alone.",
    )
    parser.add_argument("--name", metavar="NAME", help="the project's name (default: the folder's)")
    parser.set_defaults(handler=_init)


def _init(context: Context, options: argparse.Namespace) -> int:
    from layerwright.spec.template import starter  # noqa: PLC0415 - start-up

    path = context.session.spec_file or Path("layerwright.toml")
    text = starter(options.name or context.session.start.name)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise UsageError(
            f"{path} exists already", hint="edit it, or name another file: --file FILE"
        ) from error
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
    if context.terminal.json:
        context.terminal.print(json.dumps({"schema": 1, "file": str(path)}))
    else:
        context.terminal.print(str(path))
        context.terminal.tell("next: edit it, then `layerwright build`")
    return 0
