"""Parsers whose options come from a table, and are read as getopt reads them.

argparse writes the help; it does not read the command line, as its errors are not told as ours are, and ``-v`` is
something else in the scripts than in the rest of the program.
"""

import argparse
from collections.abc import Sequence
from typing import Any

__all__ = ["HelpFormatter", "ScriptParser"]


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Wraps a text of one line, and leaves one of several as it is."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" in text.strip():
            return super()._fill_text(text, width, indent)
        return argparse.HelpFormatter._fill_text(self, text, width, indent)  # noqa: SLF001 - argparse has no other way


class ScriptParser(argparse.ArgumentParser):
    """The parser of a script, whose name is its last word; the table is read when it is needed.

    What is wrong with a command line stands in ``wrong``, for the handler to tell.

    Attributes:
        reads_table: it is one; otherwise it is a parser like any other.
    """

    reads_table = False
    _complete = False

    def complete(self) -> None:
        """Declare the options: those of the script before ours."""
        if self._complete or not self.reads_table:
            return
        self._complete = True
        from layerwright.spec.musa.options import table_of  # noqa: PLC0415 - start-up

        groups = {
            True: self.add_argument_group("options of the script"),
            False: self.add_argument_group("options of its own"),
        }
        for option in table_of(self._script):
            words = [option.short, option.long] if option.short else [option.long]
            more: dict[str, Any] = {"help": option.help}
            if option.metavar:
                more["metavar"] = option.metavar
                if option.default:
                    more["help"] += f" (default: {option.default})"
            else:
                more["action"] = "store_true"
            groups[option.documented].add_argument(*words, dest=option.field, **more)

    @property
    def _script(self) -> str:
        return self.prog.rpartition(" ")[2]

    def format_help(self) -> str:
        """The help, with all options."""
        self.complete()
        return super().format_help()

    def parse_known_args(  # type: ignore[override]  # as subcommands are asked
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Read the words that follow the command's name; none is left."""
        if not self.reads_table:
            return super().parse_known_args(args, namespace)
        from layerwright.spec.musa.arguments import WrongWordError, read_arguments  # noqa: PLC0415 - start-up
        from layerwright.spec.musa.options import GLOBAL, table_of  # noqa: PLC0415 - start-up

        words = list(args or ())
        if _asks_for_help(words):
            self.print_help()
            self.exit()
        found = namespace or argparse.Namespace()
        for name, value in self._defaults.items():
            setattr(found, name, value)
        found.wrong = None
        try:
            values = read_arguments((*table_of(self._script), *GLOBAL), words)
        except WrongWordError as error:
            found.wrong = error.problem
            # The error, too, is told in the way that was asked for.
            values = {option.field: True for option in GLOBAL if not option.metavar and option.long in words}
        for option in GLOBAL:
            if option.field in values:
                setattr(found, option.field, values.pop(option.field))
        found.given = values
        # What decides, before anything else is read, in which user namespace the command works.
        found.backend = values.get("backend", "docker")
        outputs = values.get("output", ())
        found.output = list(outputs) if isinstance(outputs, tuple) else []
        return found, []


def _asks_for_help(words: Sequence[str]) -> bool:
    return "-h" in words or "--help" in words
