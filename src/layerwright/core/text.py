"""Text for people, wherever it is shown: what may be shown of names from outside, and bytes in words."""

from typing import Final

__all__ = ["size_text", "visible"]

_KILO: Final = 1000
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""Unicode categories that command a terminal, turn the direction of text or show nothing."""


def visible(text: str, *, keep: str = "") -> str:
    """The text with escapes in place of characters that are obeyed rather than shown, such as ESC or U+202E.

    Args:
        text: from anywhere: names in an image may hold a terminal's own commands.
        keep: characters that stay what they are, such as line ends.
    """
    if text.isascii() and text.isprintable():
        return text
    from unicodedata import category  # noqa: PLC0415 - seldom needed

    return "".join(
        one.encode("unicode_escape").decode() if category(one) in _HIDDEN and one not in keep else one
        for one in text
    )


def size_text(count: float) -> str:
    """Bytes in decimal units, as registries and disks count: ``1.2 GB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < _KILO:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= _KILO
    return f"{count:.1f} TB"
