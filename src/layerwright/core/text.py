"""Text for people, wherever it is shown: what may be shown of names from outside, and bytes in words."""

from typing import Final

__all__ = ["size_text", "time_text", "visible"]

_KILO: Final = 1000
_MINUTE, _HOUR = 60, 3600
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


def time_text(seconds: float, second: str = "s", minute: str = "min", hour: str = "h") -> str:
    """A time in words: ``40 s``, ``3 min 20 s``, ``2 h 05 min``.

    Args:
        seconds: the time; below 0 it is none.
        second: the unit's name.
        minute: likewise.
        hour: likewise.
    """
    whole = max(0, round(seconds))
    if whole < _MINUTE:
        return f"{whole} {second}"
    if whole < _HOUR:
        return f"{whole // _MINUTE} {minute} {whole % _MINUTE:02} {second}"
    return f"{whole // _HOUR} {hour} {whole % _HOUR // _MINUTE:02} {minute}"
