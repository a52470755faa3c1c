"""Where an image's bytes are, as text."""

from collections.abc import Iterable, Iterator, Sequence

from layerwright.cli.excerpts import Painter, cells, wrapped
from layerwright.core.text import size_text, visible
from layerwright.reports.sizes import share_text
from layerwright.verify.savings import Saving
from layerwright.verify.sizes import Part, SizeReport

__all__ = ["size_lines"]

_LONGEST = 90
_EXAMPLES = 3


def size_lines(painter: Painter, report: SizeReport, *, top: int, width: int) -> Iterator[str]:
    """The report.

    Args:
        painter: for headings.
        report: what was measured.
        top: lines of each list.
        width: to fold advice at; 0 to leave it whole.
    """
    yield painter.paint(f"{visible(report.image)}  {report.platform}  {report.digest}", "1")
    count = len(report.layers)
    whole = f"{size_text(report.bytes)} unpacked in {count} layer{'' if count == 1 else 's'}"
    download = f", {size_text(report.compressed)} to download" if report.packed else ""
    hidden = report.bytes - report.visible
    seen = f"; a container sees {size_text(report.visible)} of them" if hidden else ""
    yield f"{whole}{download}{seen}"
    yield from _section(painter, "By layer, bottom first", _layer_rows(report))
    for title, parts in (
        ("By package", report.packages),
        ("By kind", report.kinds),
        ("By folder", report.folders),
        ("Largest files", report.largest),
    ):
        yield from _section(painter, title, _part_rows(parts, report, top))
    yield from _section(painter, "Code for GPUs, inside shared libraries", _gpu_rows(report, top))
    if report.savings:
        yield ""
        yield painter.paint("What could go", "1;34")
        for saving in report.savings:
            yield from _saving_lines(painter, saving, report, width)


def _section(painter: Painter, title: str, rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A heading, column names and rows; numbers stand to the right, the last column is text."""
    if len(rows) < 2:  # noqa: PLR2004 - nothing but the columns' names
        return
    yield ""
    yield painter.paint(title, "1;34")
    widths = [max(cells(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for number, row in enumerate(rows):
        numbers = (" " * (width - cells(cell)) + cell for cell, width in zip(row, widths, strict=False))
        line = "  ".join((*numbers, row[-1])).rstrip()
        yield "  " + (painter.paint(line, "2") if number == 0 else line)


def _short(text: str) -> str:
    text = visible(text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _layer_rows(report: SizeReport) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [("#", "unpacked", "download", "hidden", "made by")]
    rows += (
        (
            str(layer.number),
            size_text(layer.bytes),
            size_text(layer.compressed) if report.packed else "",
            size_text(layer.hidden) if layer.hidden else "",
            _short(layer.created_by or layer.diff_id),
        )
        for layer in report.layers
    )
    return rows


def _part_rows(parts: Sequence[Part], report: SizeReport, top: int) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [("unpacked", "share", "download", "files", "")]
    rows += (_part_row(part, report, _short(part.name)) for part in parts[:top])
    rest = parts[top:]
    if rest:
        rows.append(_part_row(_sum(rest), report, f"{len(rest):,} more"))
    return rows


def _part_row(part: Part, report: SizeReport, name: str) -> Sequence[str]:
    download = size_text(part.compressed) if report.packed else ""
    return size_text(part.bytes), share_text(part.bytes, report.visible), download, f"{part.files:,}", name


def _sum(parts: Iterable[Part]) -> Part:
    known = tuple(parts)
    return Part(
        name="",
        bytes=sum(part.bytes for part in known),
        compressed=sum(part.compressed for part in known),
        files=sum(part.files for part in known),
    )


def _gpu_rows(report: SizeReport, top: int) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [("unpacked", "share", "libraries", "")]
    parts = report.gpu[:top]
    rest = report.gpu[top:]
    named = [(part, part.name) for part in parts] + ([(_sum(rest), f"{len(rest)} more")] if rest else [])
    rows += (
        (size_text(part.bytes), share_text(part.bytes, report.visible), f"{part.files:,}", name)
        for part, name in named
    )
    return rows


def _saving_lines(painter: Painter, saving: Saving, report: SizeReport, width: int) -> Iterator[str]:
    download = f" ({size_text(saving.compressed)} to download)" if report.packed else ""
    perhaps = "" if saving.sure else ", perhaps"
    yield f"  {painter.paint(size_text(saving.bytes), '1')}{download}{perhaps}: {saving.title}"
    for path, size in saving.examples[:_EXAMPLES]:
        yield f"      {size_text(size):>8}  {_short(path)}"
    if len(saving.examples) > _EXAMPLES:
        yield "      and more; --json has them"
    for number, line in enumerate(wrapped(saving.advice, width - 6 if width else 0)):
        yield f"    {painter.paint('→', '1;36') if number == 0 else ' '} {line}"
