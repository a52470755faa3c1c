"""What others wrote, made fit to be looked at and shown."""

from typing import Any, Final

__all__ = ["as_mapping", "last_line", "one_line"]

_LONGEST_LINE: Final = 300


def one_line(text: str) -> str:
    """Foreign text made fit for a line of ours: one line, printable, not too long."""
    line = " ".join(text.split())
    line = "".join(character if character.isprintable() else "?" for character in line)
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}…"


def last_line(text: str) -> str:
    """The last line of foreign text that says something: what a program gave up with."""
    lines = [line for line in text.splitlines() if line.strip()]
    return one_line(lines[-1]) if lines else ""


def as_mapping(value: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON of somebody else
    """A JSON object; an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}
