"""Forms of annotations and versions of the protocol (§0.1, §2.5)."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["annotation_form", "at_least", "is_ark", "version"]


def version(text: str) -> tuple[int, ...] | None:
    """The numbers at the front of a version; None when there are none."""
    match = re.match(r"\s*v?(\d+(?:\.\d+)*)", text)
    return tuple(int(part) for part in match[1].split(".")) if match else None


def at_least(text: str, least: tuple[int, ...]) -> bool | None:
    """Whether a version is one or a later one; None when it is no version."""
    numbers = version(text)
    if numbers is None:
        return None
    return numbers + (0,) * (len(least) - len(numbers)) >= least


def annotation_form(cfg: Any) -> str:
    """The annotation part of ``export_format`` in small letters.

    When the key is missing or empty, platforms with a protocol (1.0.0 and newer) write VOC, older ones ark text.

    Args:
        cfg: what ``util.get_merged_config`` gave.

    """
    told = str(cfg.param.get("export_format") or "")
    if not told:
        return "voc" if at_least(cfg.ymir.protocol_version, (1, 0, 0)) else "ark"
    return told.partition(":")[0].strip().lower()


def is_ark(cfg: Any) -> bool:
    """Whether the annotations are ark text."""
    return annotation_form(cfg) in ("ark", "det-ark")
