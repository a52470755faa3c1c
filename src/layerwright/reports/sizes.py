"""Shares in words."""

__all__ = ["share_text"]


def share_text(part: int, whole: int) -> str:
    """Part of a whole in per cent: ``41 %``, ``0.3 %``; empty when there is no whole."""
    if not whole:
        return ""
    share = 100 * part / whole
    return f"{share:.0f} %" if share >= 10 else f"{share:.1f} %"  # noqa: PLR2004 - two digits are enough
