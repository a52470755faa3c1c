"""What differs between two images, as text."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from layerwright.cli.excerpts import Painter, table
from layerwright.core.text import size_text, visible
from layerwright.verify.difference import Difference, FileChange, LayerShare, Versioned

__all__ = ["difference_lines"]

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
_STYLES = {"added": "32", "removed": "31", "changed": "33"}
_LONGEST = 100


def difference_lines(painter: Painter, found: Difference, *, top: int) -> Iterator[str]:
    """The difference, in the order of what people ask first.

    Args:
        painter: colours for what came, went and changed; signs say the same.
        found: what differs.
        top: files and folders to list.
    """
    yield painter.paint(f"{visible(found.old)} → {visible(found.new)}", "1")
    if found.compressed is not None and found.visible is not None:
        yield f"blobs {_sizes(*found.compressed)}; files {_sizes(*found.visible)}"
    if found.is_empty:
        what = "the same packages" if found.files is None else "the same packages, files and settings"
        yield f"both hold {what}"
    for kind, title in (("python", "Python packages"), ("deb", "Debian packages")):
        yield from _packages(painter, title, [one for one in found.packages if one.kind == kind])
    if found.settings:
        yield from _heading(painter, "Settings", len(found.settings))
        rows = [(f"  {one.name}", _value(one.old), "→", _value(one.new)) for one in found.settings]
        yield from table(rows)
    if found.files:
        yield from _files(painter, found.files, top)
    if found.layers is not None:
        yield from _layers(painter, found.layers)


def _heading(painter: Painter, title: str, count: int) -> Iterator[str]:
    yield ""
    yield painter.paint(f"{title} ({count})", "1;34")


def _sizes(old: int, new: int) -> str:
    change = new - old
    sign = "+" if change > 0 else "-" if change < 0 else "±"
    return f"{size_text(old)} → {size_text(new)} ({sign}{size_text(abs(change))})"


def _packages(painter: Painter, title: str, changes: list[Versioned]) -> Iterator[str]:
    if not changes:
        return
    yield from _heading(painter, title, len(changes))
    lines = table([(one.name, one.old or "", "→" if one.old and one.new else "", one.new) for one in changes])
    for change, line in zip(changes, lines, strict=True):
        yield "  " + painter.paint(f"{_SIGNS[change.fate]} {line}", _STYLES[change.fate])


def _value(text: str) -> str:
    shown = visible(text) if text else "(not set)"
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"


def _files(painter: Painter, changes: Iterable[FileChange], top: int) -> Iterator[str]:
    """Files of packages are counted, all others listed."""
    owned: dict[str, list[FileChange]] = defaultdict(list)
    for change in changes:
        owned[change.owner].append(change)
    yield from _heading(painter, "Files", sum(map(len, owned.values())))
    loose = owned.pop("", [])
    groups = sorted(owned.items(), key=lambda one: (-sum(_moved(change) for change in one[1]), one[0]))
    for name, ones in groups[:top]:
        yield f"  {_counts(ones)} of {visible(name)}, {size_text(sum(_moved(change) for change in ones))}"
    if len(groups) > top:
        yield f"    and {len(groups) - top} more packages; --json has them"
    ordered = sorted(loose, key=lambda one: (-_moved(one), one.path))
    for change in ordered[:top]:
        size = _change_of_size(change)
        note = f"  {change.note}" if change.note else ""
        line = f"{_SIGNS[change.fate]} {visible(change.path)}  {size}{note}".rstrip()
        yield "  " + painter.paint(line, _STYLES[change.fate])
    if len(ordered) > top:
        rest = ordered[top:]
        yield f"    and {_counts(rest)} of no package; --json has them"


def _moved(change: FileChange) -> int:
    """Bytes that whoever has the old image needs, or got rid of."""
    return change.new if change.new >= 0 else max(change.old, 0)


def _change_of_size(change: FileChange) -> str:
    if change.old >= 0 and change.new >= 0 and change.old != change.new:
        return f"{size_text(change.old)} → {size_text(change.new)}"
    known = max(change.old, change.new)
    return size_text(known) if known >= 0 else ""


def _counts(changes: Iterable[FileChange]) -> str:
    count: dict[str, int] = defaultdict(int)
    for change in changes:
        count[change.fate] += 1
    return ", ".join(f"{count[fate]:,} {fate}" for fate in ("added", "removed", "changed") if count[fate])


def _layers(painter: Painter, layers: LayerShare) -> Iterator[str]:
    yield ""
    yield painter.paint("Layers", "1;34")
    fresh = sum(size for _, size in layers.new_only)
    yield (
        f"  {layers.shared} shared ({size_text(layers.shared_bytes)}; the first {layers.prefix} in the same order), "
        f"{len(layers.old_only)} only in the old, {len(layers.new_only)} only in the new"
    )
    yield f"  whoever has the old image downloads {size_text(fresh)} for the new one"
    for fate, ones in (("removed", layers.old_only), ("added", layers.new_only)):
        for title, size in ones:
            yield "  " + painter.paint(
                f"{_SIGNS[fate]} {size_text(size):>8}  {visible(title)}", _STYLES[fate]
            )
