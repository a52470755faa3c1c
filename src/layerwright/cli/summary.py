"""The end of a build of several cells: one table of what became of each."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from layerwright.core.text import size_text

__all__ = ["image_line", "summary_lines", "test_lines"]

_HEADINGS = ("cell", "reference", "digest", "layers", "seconds")


def image_line(image: Mapping[str, Any]) -> str:
    """One image of ``build --json`` as a line."""
    counted, state = _counted(image), _state(image)
    return f"{image['cell']}  {image['reference']}  {image['digest']}  {counted}, {state}, {image['seconds']:.2f} s"


def test_lines(image: Mapping[str, Any]) -> Iterator[str]:
    """Tests of one image that failed and were allowed to, a line each log; and allowances that nothing needs."""
    for test in image.get("tests", ()):
        if test["failed"]:
            count = len(test["failed"])
            names = ", ".join(test["failed"])
            yield f"  {image['cell']}: {count} failed in {test['log']}, as allowed: {names}"
        if test["unused"]:
            yield f"  {image['cell']}: allowed to fail in {test['log']}, and did not: {', '.join(test['unused'])}"


def summary_lines(
    document: Mapping[str, Any], *, order: Sequence[str], references: Mapping[str, str]
) -> Iterator[str]:
    """A table with a row per cell, and a line that counts them.

    Args:
        document: what ``build --json`` prints.
        order: cells in the order of the rows.
        references: what failed cells were to be called, by cell.
    """
    built = {image["cell"]: image for image in document["images"]}
    failed = {failure["cell"]: failure["what"] for failure in document["failures"]}
    first: dict[str, str] = {}
    rows = [_HEADINGS]
    for cell in (name for name in order if name in built or name in failed):
        if cell in built:
            image = built[cell]
            state = f"{_counted(image)}, {_state(image)}"
            rows.append((cell, image["reference"], image["digest"], state, f"{image['seconds']:.2f}"))
        else:
            what = failed[cell]
            # What cells share fails for all of them at once.
            cause = first.setdefault(what, cell)
            told = "failed" if cause == cell else f"failed as {cause}"
            rows.append((cell, references.get(cell, "-"), "-", told, "-"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS) - 1)]
    for row in rows:
        padded = [text.ljust(width) for text, width in zip(row, widths, strict=False)]
        yield "  ".join([*padded, row[-1]])
    yield _totals(document)


def _totals(document: Mapping[str, Any]) -> str:
    built, failed = document["images"], document["failures"]
    unchanged = sum(1 for image in built if all(layer["cached"] for layer in image["layers"]))
    parts = [f"{len(built) - unchanged} built", f"{unchanged} unchanged", f"{len(failed)} failed"]
    return ", ".join(parts)


def _counted(image: Mapping[str, Any]) -> str:
    layers = image["layers"]
    size = sum(layer["size"] for layer in layers)
    return f"{len(layers)} layers, {size_text(size)}" if size else f"{len(layers)} layers"


def _state(image: Mapping[str, Any]) -> str:
    layers = image["layers"]
    new = sum(1 for layer in layers if not layer["cached"])
    return "unchanged" if new == 0 else f"{new} of {len(layers)} layers new"
