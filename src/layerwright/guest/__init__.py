"""What of ours runs in images: the entry program, check-device, the judge of tests.

Standard shell only, so that any image can run it.
"""

from pathlib import Path
from typing import Final

__all__ = [
    "CHECK_DEVICE",
    "CHECK_DEVICE_PATH",
    "ENTRY_PATH",
    "WRITABLE",
    "cache_folder",
    "check_device_program",
    "entry_program",
    "test_judge",
]

ENTRY_PATH: Final = "/.layerwright/entry"
"""Where the entry program stands in an image."""

CHECK_DEVICE: Final = "check-device"
"""The program that tells whether a container can compute on its devices: a word that ``run`` knows."""

CHECK_DEVICE_PATH: Final = f"/usr/local/bin/{CHECK_DEVICE}"


WRITABLE: Final = "LAYERWRIGHT_WRITABLE"
"""Variable of the image that names its caches to the entry program: ``NAME=FOLDER`` pairs, blanks between."""


def cache_folder(variable: str) -> str:
    """Folder below ``HOME/.cache`` for a cache variable that the spec declares ``writable``."""
    return variable.lower()


def entry_program() -> str:
    """Text of the entry program, a POSIX shell script; what it promises stands at its head."""
    return Path(__file__).with_name("entry.sh").read_text(encoding="utf-8")


def check_device_program(accelerator: str) -> str:
    """Text of check-device for an image's accelerator, ``mthreads`` or ``nvidia``."""
    text = Path(__file__).with_name("check-device.sh").read_text(encoding="utf-8")
    return text.replace("\naccelerator=mthreads ", f"\naccelerator={accelerator} ", 1)


def test_judge() -> str:
    """Text of the program that runs tests and judges them, a POSIX shell script; its head says how it is called."""
    return Path(__file__).with_name("run-tests.sh").read_text(encoding="utf-8")
