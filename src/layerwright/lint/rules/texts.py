"""Text that was damaged on its way: encodings and line ends."""

import re
from collections.abc import Iterator
from typing import Final

from layerwright.core.findings import Finding, Kind
from layerwright.core.source import Location
from layerwright.lint.documents import Document
from layerwright.lint.found import finding

__all__ = ["KINDS", "find"]

DAMAGED = Kind(
    code="LW-LINT-MOJIBAKE",
    title="text was encoded twice",
    why="UTF-8 was read as another encoding and stored again: comments cannot be read, and paths and "
    "values are other ones. Bytes that the other encoding lacks are gone for good.",
    evidence="Runs of characters that only UTF-8 read as Windows-1252, Windows-1254 or Latin-1 gives (by ftfy's "
    "rules).",
    repair="Take the file from before it was converted; where nothing was lost, the finding has the line as "
    "it was.",
)
NOT_UTF8 = Kind(
    code="LW-LINT-NOT-UTF8",
    title="the file is not UTF-8",
    why="Docker, shells and editors read it as UTF-8: names and comments are not what was written.",
    evidence="Bytes that are no UTF-8.",
    repair="Convert it: `iconv -f ENCODING -t UTF-8`.",
)
LINE_ENDS = Kind(
    code="LW-LINT-LINE-ENDS",
    title="a script has Windows line ends",
    why="The kernel looks for an interpreter whose name ends with a carriage return, and the shell takes "
    "it for part of the last word of every line.",
    evidence="Carriage returns at line ends of a shell script, or of a here-document that becomes one.",
    repair="`sed -i 's/\\r$//' FILE`, and `*.sh text eol=lf` in .gitattributes.",
)

KINDS = (DAMAGED, NOT_UTF8, LINE_ENDS)

_SUSPECT = re.compile("[\u00a0-\u024f\u02c6\u02dc\u2010-\u203a\u20ac\u2122]")
_MOST: Final = 20


def find(document: Document) -> Iterator[Finding]:
    """Damaged text; of a page, the document that stands for the whole of it."""
    if document.kind == "markdown" and (document.units or document.dockerfile is not None):
        return
    text = document.source.text
    if "\ufffd" in text or re.search("[\udc80-\udcff]", text):
        yield _not_utf8(document)
    if not text.isascii() and _SUSPECT.search(text):
        yield from _damaged(document)
    if document.kind == "shell" and "\r\n" in text:
        yield finding(
            LINE_ENDS,
            "error",
            "the script has Windows line ends, which become part of its words",
            document.source.location(text.index("\r\n")),
            fix="convert the line ends",
            command=f"sed -i 's/\\r$//' {document.source.file}",
        )


def _not_utf8(document: Document) -> Finding:
    found = re.search("[\ufffd\udc80-\udcff]", document.source.text)
    where = document.source.location(found.start() if found else 0)
    return finding(
        NOT_UTF8,
        "error",
        "the file holds bytes that are no UTF-8",
        Location(file=where.file, line=where.line, column=where.column, text=_shown(where.text)),
        fix="convert it to UTF-8",
        command=f"iconv -f WINDOWS-1252 -t UTF-8 {document.source.file}",
        edit=_shown(where.text),
    )


def _shown(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _damaged(document: Document) -> Iterator[Finding]:
    from ftfy import fix_encoding  # noqa: PLC0415 - only for suspicious text
    from ftfy.badness import badness  # noqa: PLC0415

    source = document.source
    count = 0
    for line in range(1, source.line_count + 1):
        text = source.line_text(line)
        found = _SUSPECT.search(text)
        if found is None or badness(text) == 0:
            continue
        mended = fix_encoding(text)
        if mended == text and badness(text) < 2:  # noqa: PLR2004 - one odd pair is no proof
            continue
        count += 1
        if count > _MOST:
            return
        whole = badness(mended) == 0 and mended != text
        yield finding(
            DAMAGED,
            "warning",
            "this text was UTF-8 that was read as another encoding and stored again"
            + ("" if whole else "; some of it is lost"),
            source.location(source.line_start(line) + found.start()),
            fix="put back what was meant" if whole else "take the line from before the file was converted",
            edit=mended if whole else "",
        )
