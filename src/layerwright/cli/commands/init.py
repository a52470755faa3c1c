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
    parser.add_argument(
        "--from",
        dest="dockerfile",
        metavar="DOCKERFILE",
        type=Path,
        help="write what this Dockerfile builds, and say what could not be carried over",
    )
    parser.add_argument(
        "--target", metavar="STAGE", default="", help="with --from: the stage to convert (default: the last)"
    )
    parser.set_defaults(handler=_init)


def _init(context: Context, options: argparse.Namespace) -> int:
    if options.target and options.dockerfile is None:
        raise UsageError("--target names a stage of a Dockerfile", hint="add --from DOCKERFILE")
    path = context.session.spec_file or Path("layerwright.toml")
    name = options.name or context.session.start.name
    if options.dockerfile is not None:
        return _from_dockerfile(context, options, path, name)
    from layerwright.spec.template import starter  # noqa: PLC0415 - start-up

    _write(path, starter(name))
    if context.terminal.json:
        context.terminal.print(json.dumps({"schema": 1, "file": str(path)}))
    else:
        context.terminal.print(str(path))
        context.terminal.tell("next: edit it, then `layerwright build`")
    return 0


def _from_dockerfile(context: Context, options: argparse.Namespace, path: Path, name: str) -> int:
    from layerwright.cli.excerpts import safe  # noqa: PLC0415 - start-up
    from layerwright.workflow.convert import convert_dockerfile  # noqa: PLC0415 - start-up

    converted = convert_dockerfile(
        options.dockerfile, start=context.session.start, spec=path, project=name, target=options.target
    )
    _write(path, converted.text)
    terminal = context.terminal
    if terminal.json:
        left = [{"line": note.line, "text": note.text, "why": note.why} for note in converted.left]
        document = {"schema": 1, "file": str(path), "image": converted.image, "left": left}
        terminal.print(json.dumps(document, ensure_ascii=False))
        return 0
    terminal.print(str(path))
    for note in converted.left:
        place = f"{options.dockerfile}:{note.line}" if note.line else str(path)
        terminal.tell(f"{terminal.paint('not carried over', '1;33')}: {place}: {safe(note.text)}")
        terminal.tell(f"  {safe(note.why)}")
    terminal.tell(f"next: look it through, then `layerwright build {converted.image}`")
    return 0


def _write(path: Path, text: str) -> None:
    """A new file; one that is there is never touched."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise UsageError(
            f"{path} exists already", hint="edit it, or name another file: --file FILE"
        ) from error
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
