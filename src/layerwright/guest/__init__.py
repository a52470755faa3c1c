"""What of ours stands in images: the entry program. Standard shell only, so that any image can run it."""

from pathlib import Path
from typing import Final

__all__ = ["ENTRY_PATH", "WRITABLE", "cache_folder", "entry_program"]

ENTRY_PATH: Final = "/.layerwright/entry"
"""Where the entry program stands in an image."""


WRITABLE: Final = "LAYERWRIGHT_WRITABLE"
"""Variable of the image that names its caches to the entry program: ``NAME=FOLDER`` pairs, blanks between."""


def cache_folder(variable: str) -> str:
    """Folder below ``HOME/.cache`` for a cache variable that the spec declares ``writable``."""
    return variable.lower()


def entry_program() -> str:
    """Text of the entry program, a POSIX shell script; what it promises stands at its head."""
    return Path(__file__).with_name("entry.sh").read_text(encoding="utf-8")
