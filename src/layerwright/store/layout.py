"""Where things stand below the store's root, and which names they may have."""

import os
import re
from pathlib import Path
from typing import Literal, get_args

from msgspec import Struct

__all__ = ["ROOMS", "Item", "Room", "StoreLayout", "random_name"]

Room = Literal["wheels", "debs", "files", "blobs", "sdists"]
"""Rooms of files that are named by the sha256 of their bytes."""

ROOMS: tuple[Room, ...] = get_args(Room)

_HEX = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+@=-]{0,199}")


def random_name() -> str:
    """A short name nobody else has taken; short because overlay mounts join many of them in one page."""
    return os.urandom(6).hex()


class Item(Struct, frozen=True, kw_only=True):
    """One thing that can be used and pruned by itself.

    Attributes:
        kind: a room, ``trees``, ``records`` or ``partial``.
        name: its name there: digest, tree key, ``kind/key`` of a record, ``room-digest`` of a partial file.
    """

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"

    @property
    def mark(self) -> str:
        """Its line in a session's list of uses."""
        return f"{self.kind}/{self.name}\n"


class StoreLayout(Struct, frozen=True, kw_only=True):
    """Paths below the root; checks every name, so that none can point outside.

    Attributes:
        root: the store's folder.
    """

    root: Path

    def content(self, room: Room, hex_digest: str) -> Path:
        """Place of a file named by its digest.

        Raises:
            ValueError: no such room, or the name is not 64 hexadecimal digits.
        """
        if room not in ROOMS:
            raise ValueError(f"no such room: {room!r}")
        if not _HEX.fullmatch(hex_digest):
            raise ValueError(f"not a sha256 in hexadecimal digits: {hex_digest[:80]!r}")
        return self.root / room / hex_digest[:2] / hex_digest

    def part(self, room: Room, hex_digest: str) -> Path:
        """Place of the unfinished download of a file."""
        return self.root / "partial" / f"{room}-{self.content(room, hex_digest).name}"

    def record(self, kind: str, key: str) -> Path:
        """Place of a record."""
        checked(kind)
        return self.root / "records" / kind / checked(key)[:2] / key

    def tree(self, key: str) -> Path:
        """Folder of a finished tree: ``root`` is the tree itself, ``about`` what is known of it."""
        return self.root / "trees" / checked(key)

    @property
    def trees(self) -> Path:
        """Folder of all finished trees."""
        return self.root / "trees"

    @property
    def records(self) -> Path:
        """Folder of all records."""
        return self.root / "records"

    @property
    def partial(self) -> Path:
        """Folder of all unfinished downloads."""
        return self.root / "partial"

    @property
    def images(self) -> Path:
        """Folder of references to images."""
        return self.root / "images"

    @property
    def locks(self) -> Path:
        """Folder of the callers' locks."""
        return self.root / "locks"

    @property
    def sessions(self) -> Path:
        """Folder of live users, with the temporary files of each."""
        return self.root / "sessions"

    @property
    def gate(self) -> Path:
        """Lock between those who begin to use something (shared) and those who remove (exclusive)."""
        return self.root / "gate"


def checked(name: str) -> str:
    """The name itself.

    Raises:
        ValueError: the name could leave its folder or cannot be a file name.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"not usable as a name in the store: {name[:80]!r}")
    return name
