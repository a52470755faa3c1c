"""A text for another tool: printed, or written where it is wanted."""

import json
from pathlib import Path

from layerwright.cli.context import Context
from layerwright.core.errors import UsageError

__all__ = ["give_text"]

_EXECUTABLE = 0o755


def give_text(context: Context, out: Path | None, what: str, text: str, *, executable: bool = False) -> int:
    """Print the text, or write it and print where; with ``--json`` both stand in one object.

    Args:
        context: the command's surroundings.
        out: the file, None for standard output.
        what: the text's name in the JSON object.
        text: what to give.
        executable: the file can be started.

    Returns:
        The exit code.

    Raises:
        UsageError: the file cannot be written.
    """
    context.reporter.close()
    if out is not None:
        try:
            out.write_text(text, encoding="utf-8")
            if executable:
                out.chmod(_EXECUTABLE)
        except OSError as error:
            raise UsageError(f"cannot write {out}: {error.strerror}") from error
    terminal = context.terminal
    if terminal.json:
        terminal.print(json.dumps({"schema": 1, "file": str(out or ""), what: text}, ensure_ascii=False))
    else:
        terminal.print(str(out) if out is not None else text.rstrip("\n"))
    return 0
