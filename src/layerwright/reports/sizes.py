"""Bytes and shares in words."""

from typing import Final

__all__ = ["share_text", "size_text"]

_KILO: Final = 1000


def size_text(count: float) -> str:
    """Bytes in decimal units, as registries count: ``1.2 GB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < _KILO:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= _KILO
    return f"{count:.1f} TB"


def share_text(part: int, whole: int) -> str:
    """Part of a whole in per cent: ``41 %``, ``0.3 %``; empty when there is no whole."""
    if not whole:
        return ""
    share = 100 * part / whole
    return f"{share:.0f} %" if share >= 10 else f"{share:.1f} %"  # noqa: PLR2004 - two digits are enough
