"""Errors as text and as JSON: the only place that words them for people."""

from collections.abc import Callable
from pathlib import Path

from layerwright.cli.terminal import Terminal
from layerwright.core.errors import LayerwrightError, Problem, SpecError
from layerwright.core.source import Location

__all__ = ["error_document", "print_error"]


def _problems(error: LayerwrightError) -> list[Problem | LayerwrightError]:
    return list(error.problems) if isinstance(error, SpecError) else [error]


def _located(where: Location | None) -> Location | None:
    """The place with its line, which only costs something when it is shown."""
    if where is None or where.line or not where.key:
        return where
    from layerwright.spec.positions import locate  # noqa: PLC0415 - only on error

    try:
        return locate(where, Path(where.file).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return where


def print_error(terminal: Terminal, error: LayerwrightError) -> None:
    """What happened, where, and how to mend it; every problem of a spec."""
    for problem in _problems(error):
        terminal.tell(f"{terminal.paint('error', '1;31')}: {problem.what}")
        where = _located(problem.where)
        if where is not None:
            terminal.tell(f"  {terminal.paint('-->', '1;34')} {where}")
            if where.text:
                terminal.tell(f"   {terminal.paint('|', '1;34')} {where.text.strip()}")
        if problem.hint:
            terminal.tell(f"{terminal.paint('hint', '1;36')}: {problem.hint}")


def error_document(error: LayerwrightError, *, mask: Callable[[str], str] = str) -> dict[str, object]:
    """The error as the object that ``--json`` prints.

    Args:
        error: what happened.
        mask: takes secrets out of texts.
    """
    problems = []
    for problem in _problems(error):
        where = _located(problem.where)
        place = where and {"file": where.file, "line": where.line, "column": where.column, "key": where.key}
        problems.append({"what": mask(problem.what), "where": place, "hint": mask(problem.hint)})
    return {
        "schema": 1,
        "error": {"type": type(error).__name__, "exit_code": error.exit_code, "problems": problems},
    }
