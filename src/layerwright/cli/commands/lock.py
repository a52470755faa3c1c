"""``layerwright lock``."""

import argparse
import json

from layerwright.cli.context import Context
from layerwright.cli.parsers import Commands

__all__ = ["add"]


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "lock",
        parents=[common],
        help="pin every input by digest in layerwright.lock",
        description="Resolve what the spec asks for and write layerwright.lock beside it. "
        "What is locked already stays as it is unless the spec or --upgrade says otherwise.",
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail when the lock is out of date"
    )
    parser.add_argument(
        "--upgrade",
        nargs="*",
        metavar="NAME",
        help="take the newest versions: of the named packages, or of everything",
    )
    parser.add_argument(
        "--by-name",
        action="store_true",
        help="take bases of registries by their names, without pulling them: such a lock can be checked, planned and "
        "rendered; a build locks again",
    )
    parser.set_defaults(handler=_lock, makes_images=True)


def _lock(context: Context, options: argparse.Namespace) -> int:
    from layerwright.lock.changes import describe  # noqa: PLC0415 - start-up
    from layerwright.workflow.lock import check_lock, update_lock  # noqa: PLC0415 - start-up

    terminal = context.terminal
    if options.check:
        file, stale = check_lock(context.session)
        if terminal.json:
            terminal.print(json.dumps({"schema": 1, "stale": list(stale)}))
        elif stale:
            terminal.tell(f"error: {file.name} is out of date for {', '.join(stale)}")
            terminal.tell("hint: run `layerwright lock` and commit the result")
        else:
            terminal.print(f"{file.name} is up to date")
        return 1 if stale else 0
    outcome = update_lock(context.session, upgrade=options.upgrade, by_name=options.by_name)
    context.reporter.close()
    lines = [describe(change) for change in outcome.changes]
    if terminal.json:
        terminal.print(
            json.dumps({"schema": 1, "file": str(outcome.file), "changes": lines}, ensure_ascii=False)
        )
        return 0
    for line in lines:
        terminal.print(line)
    if not lines:
        terminal.print(
            f"{outcome.file.name} is up to date" if not outcome.written else f"wrote {outcome.file.name}"
        )
    return 0
