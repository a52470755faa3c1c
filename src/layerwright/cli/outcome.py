"""What a build made, on standard output, and what failed, on standard error."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from layerwright.cli.context import Context
from layerwright.cli.errors import print_error
from layerwright.cli.summary import image_line, summary_lines, test_lines
from layerwright.core.errors import LayerwrightError
from layerwright.workflow.session import Session

__all__ = ["print_outcome", "tell_failures"]


def tell_failures(context: Context, failures: Sequence[tuple[str, LayerwrightError]]) -> int:
    """Tell what failed; returns the exit code."""
    told = dict[int, list[str]]()
    for cell, error in failures:
        told.setdefault(id(error), []).append(cell)
    for cells in told.values():
        # What cells share fails for all of them at once, and is told once.
        error = next(error for cell, error in failures if cell == cells[0])
        context.terminal.tell(f"{', '.join(cells)}: failed")
        print_error(context.terminal, error)
    return failures[0][1].exit_code if failures else 0


def print_outcome(
    context: Context, session: Session, document: Mapping[str, Any], *, aside: bool = False
) -> None:
    """Print what was made.

    Args:
        context: the command's surroundings.
        session: that of the build, with its spec.
        document: what ``build --json`` prints.
        aside: an image stands on standard output already.
    """
    context.reporter.close()
    terminal = replace(context.terminal, out=context.terminal.messages) if aside else context.terminal
    if terminal.json:
        terminal.print(json.dumps(document, ensure_ascii=False))
        return
    if len(document["images"]) + len(document["failures"]) > 1:
        for line in _summary(session, document):
            terminal.print(line)
    else:
        for image in document["images"]:
            terminal.print(image_line(image))
    for image in document["images"]:
        for line in test_lines(image):
            terminal.print(line)
    for line in document["outputs"]:
        terminal.print(f"  {line}")


def _summary(session: Session, document: Mapping[str, Any]) -> Iterator[str]:
    order = [image["cell"] for image in document["images"]]
    references = {}
    if document["failures"]:
        from layerwright.workflow.session import read_spec  # noqa: PLC0415 - only on failure

        cells = read_spec(session).cells
        order = list(cells)
        references = {name: cell.references[0] for name, cell in cells.items()}
    return summary_lines(document, order=order, references=references)
