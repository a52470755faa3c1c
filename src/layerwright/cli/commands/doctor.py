"""``layerwright doctor``."""

import argparse
import json
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from layerwright.cli.context import Context
from layerwright.cli.parsers import Commands
from layerwright.cli.terminal import Terminal

if TYPE_CHECKING:
    from layerwright.doctor.model import Check, Needs
    from layerwright.workflow.doctor import Visit

__all__ = ["add"]

_PURPOSES: Final = ("build", "run", "docker", "podman", "cpu", "nvidia", "mthreads")
_WORDS: Final = {
    "ok": "ok",
    "warning": "warning",
    "error": "error",
    "unknown": "unknown",
    "not_needed": "not needed",
}
_COLOURS: Final = {"ok": "32", "warning": "1;33", "error": "1;31", "unknown": "1;35", "not_needed": "2"}
_COUNTED: Final = ("warning", "error")
_STATUS_WIDTH: Final = 10
_NARROW: Final = 60


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "doctor",
        parents=[common],
        help="what is missing on this machine, and how to get it",
        description="Look at this machine: engines, GPUs and their drivers, what building and running natively takes, "
        "disk, network. Starts no container and changes nothing. Fails when something is missing that the spec in "
        "this folder, or --for, asks for; without either there are warnings only",
    )
    parser.add_argument(
        "--for",
        dest="purposes",
        action="append",
        default=[],
        choices=_PURPOSES,
        metavar="PURPOSE",
        help=f"what the machine is wanted for, in place of the spec: {', '.join(_PURPOSES)}; may be repeated",
    )
    parser.add_argument(
        "--record",
        metavar="FILE",
        type=Path,
        help="write what is known of the machine, without host name, users or serial numbers",
    )
    parser.add_argument(
        "--mirrors", action="store_true", help="measure mirrors of PyPI and Debian too; none is used unasked"
    )
    parser.set_defaults(handler=_doctor)


def _doctor(context: Context, options: argparse.Namespace) -> int:
    from layerwright.workflow.doctor import diagnose, write_record  # noqa: PLC0415 - start-up

    terminal = context.terminal
    visit = diagnose(context.session, options.purposes, mirrors=options.mirrors)
    context.reporter.close()
    if options.record is not None:
        write_record(visit.diagnosis, options.record)
    if visit.note:
        terminal.tell(f"{terminal.paint('note', '1;36')}: {visit.note}")
    if terminal.json:
        terminal.print(json.dumps(_document(visit), ensure_ascii=False))
    else:
        for line in _lines(terminal, visit):
            terminal.print(line)
        if options.record is not None and not terminal.quiet:
            terminal.print(f"wrote {options.record}")
    return 1 if visit.diagnosis.failed else 0


def _document(visit: "Visit") -> Mapping[str, object]:
    from msgspec import to_builtins  # noqa: PLC0415 - start-up

    diagnosis = visit.diagnosis
    return {
        "schema": 1,
        "checks": to_builtins(diagnosis.checks),
        "needs": dict(visit.needs.purposes),
        "summary": diagnosis.summary,
    }


def _lines(terminal: Terminal, visit: "Visit") -> Iterator[str]:
    """The report: one line a check, and below it how to mend what is wrong."""
    shown = {
        title: [check for check in checks if _worth_saying(terminal, check)]
        for title, checks in visit.diagnosis.sections.items()
    }
    columns = max((len(check.id) for checks in shown.values() for check in checks), default=0)
    on_terminal = terminal.out.isatty()
    width = shutil.get_terminal_size().columns if on_terminal else 0
    for title, checks in shown.items():
        if not checks:
            continue
        yield _styled(terminal, title, "1", on=on_terminal)
        for check in checks:
            yield from _check_lines(terminal, check, columns, width)
    if not terminal.quiet:
        yield ""
        yield from _closing(visit)


def _worth_saying(terminal: Terminal, check: "Check") -> bool:
    if terminal.quiet:
        return check.status in {"warning", "error"}
    return terminal.verbose or check.status != "not_needed"


def _check_lines(terminal: Terminal, check: "Check", columns: int, width: int) -> Iterator[str]:
    word = _WORDS[check.status]
    status = _styled(terminal, word, _COLOURS[check.status], on=bool(width))
    head = f"  {status}{' ' * (_STATUS_WIDTH - len(word))}  {check.id:<{columns}}  "
    indent = " " * (2 + _STATUS_WIDTH + 2 + columns + 2)
    yield from _wrapped(head, indent, check.detail, width)
    for cure in check.fix:
        yield from _wrapped(f"{indent}- ", f"{indent}  ", cure.text, width)
        if cure.command:
            # Never wrapped: it is there to be copied.
            yield f"{indent}  $ {cure.command}"


def _wrapped(head: str, indent: str, text: str, width: int) -> Iterable[str]:
    """The text after its head; on a terminal in lines of its width, elsewhere in one line."""
    room = width - len(indent)
    if not width or room < _NARROW // 2:
        return [head + text]
    first, *rest = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
    return [head + first, *(indent + line for line in rest)]


def _styled(terminal: Terminal, text: str, code: str, *, on: bool) -> str:
    """Colour on standard output, which need not be the terminal that messages go to."""
    return terminal.paint(text, code) if on else text


def _closing(visit: "Visit") -> Iterator[str]:
    counts = visit.diagnosis.summary
    parts = [
        f"{counts[status]} {word}{'s' if status in _COUNTED and counts[status] > 1 else ''}"
        for status, word in _WORDS.items()
        if counts[status]
    ]
    yield f"{', '.join(parts)}; {visit.diagnosis.seconds:.1f} s"
    yield _asked(visit.needs)


def _asked(needs: "Needs") -> str:
    if not needs.purposes:
        return (
            "nothing is asked for, so nothing counts as an error: give --for, or have a layerwright.toml here"
        )
    by_source: dict[str, list[str]] = {}
    for purpose, source in needs.purposes.items():
        by_source.setdefault(source, []).append(purpose)
    shown = "; ".join(f"{', '.join(purposes)} by {source}" for source, purposes in by_source.items())
    return f"asked for: {shown}"
