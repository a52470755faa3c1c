"""What the terminal can show, decided once."""

import os
import sys
from collections.abc import Callable, Mapping
from typing import Self, TextIO

from msgspec import Struct

from layerwright.core.errors import UsageError

__all__ = ["Terminal"]


class Terminal(Struct, frozen=True, kw_only=True):
    """Where results and messages go, and how.

    Attributes:
        out: results.
        messages: everything else.
        colour: whether messages may be coloured; colour never says what the text does not.
        live: whether messages may be redrawn in place.
        quiet: only errors are told.
        verbose: programs' own output is shown as it comes.
        mask: takes secrets out of messages.
        json: results are one JSON object on ``out``, events are JSON lines on ``messages``.
    """

    out: TextIO
    messages: TextIO
    colour: bool
    live: bool
    quiet: bool
    verbose: bool
    json: bool
    mask: Callable[[str], str] = str

    @classmethod
    def make(
        cls, variables: Mapping[str, str], *, quiet: bool, verbose: bool, json: bool, no_color: bool
    ) -> Self:
        """Look at the streams and the environment (``NO_COLOR``, ``CI``, ``TERM``)."""
        is_terminal = sys.stderr.isatty() and variables.get("TERM") != "dumb"
        return cls(
            out=sys.stdout,
            messages=sys.stderr,
            colour=is_terminal and not no_color and not variables.get("NO_COLOR"),
            live=is_terminal and "CI" not in variables and not json and not quiet,
            quiet=quiet,
            verbose=verbose,
            json=json,
        )

    def print(self, text: str) -> None:
        """A result line on standard output; a reader that went away is no error of ours.

        Raises:
            UsageError: it cannot be written, such as to a full disk.
        """
        try:
            self.out.write(text + "\n")
            self.out.flush()
        except OSError as error:
            # Python would complain once more when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.out.fileno())
            if not isinstance(error, BrokenPipeError):
                raise UsageError(f"cannot write to standard output: {error.strerror}") from error

    def tell(self, text: str) -> None:
        """A message on standard error."""
        self.messages.write(self.mask(text) + "\n")
        self.messages.flush()

    def paint(self, text: str, code: str) -> str:
        """The text in an ANSI style, such as ``1;31``, where colour may be used."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text
