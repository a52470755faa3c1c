"""Facts of a wheel from a few pieces of it: its directory, its METADATA, small libraries, the front of large ones.

A member's bytes are packed as one stream that can only be read from its start, so a large library shows its front. What
that proves is said in ``facts.elf_front``; what it does not prove is bought by reading a library whole,
smallest first, as long as the wheel's budget lasts.
"""

from dataclasses import dataclass, field
from typing import Final

from layerwright.facts.access import BeyondError
from layerwright.facts.directory import (
    STORED,
    TAIL,
    Entry,
    WheelError,
    directory_place,
    inflate_front,
    local_data,
    member_bytes,
    read_directory,
)
from layerwright.facts.elf import ElfError, read_library
from layerwright.facts.elf_front import read_front
from layerwright.facts.model import Library, WheelFacts
from layerwright.facts.wheels import (
    METADATA_LIMIT,
    find_metadata,
    library_entries,
    make_facts,
    read_metadata,
    unread_library,
)
from layerwright.sources.window import Piece, Window

__all__ = ["budget", "read_remote_wheel"]

_SMALL: Final = 1 << 17
"""Packed bytes of a library that is read whole at once."""

_FRONT: Final = 1 << 16
"""Packed bytes of a large library that are read first: the names of most stand there."""

_LEAST: Final = 4 << 20
_SHARE: Final = 40
_STEPS: Final = 3
_LONGEST_FRONT: Final = 1 << 26
_LARGEST: Final = 64 << 20
_BLOCK: Final = 1 << 15
_MOST: Final = 1000
"""Libraries of a wheel that are looked into; the largest known wheels of 2026 have some 300."""


def budget(size: int) -> int:
    """Bytes that may be read of a wheel, its directory not counted: a fortieth of it, at least 4 MiB."""
    return max(_LEAST, size // _SHARE)


@dataclass(slots=True)
class _Member:
    """A library and what is known of it.

    Attributes:
        packed: packed bytes of its front that are here.
        library: None while nothing was read, or when it is no ELF file.
        useful: bytes of its front that would tell more.
        done: nothing more is to be had, or it is no ELF file.
    """

    entry: Entry
    packed: int = 0
    library: Library | None = None
    useful: int = 0
    done: bool = False

    @property
    def understood(self) -> bool:
        """Whether it is known what the library needs."""
        return self.library is not None and "needed" not in self.library.unread


@dataclass(slots=True)
class _Reading:
    """One wheel on its way."""

    window: Window
    left: int
    members: list[_Member] = field(default_factory=list)

    def take(self, places: list[tuple[int, int]]) -> None:
        """Bring places and pay for them."""
        before = self.window.loaded
        self.window.fill(places)
        self.left -= self.window.loaded - before

    def packed_place(self, entry: Entry, packed: int) -> tuple[int, int]:
        """The place of a member's first packed bytes, with its header."""
        return entry.at, entry.span - entry.packed + min(packed, entry.packed)

    def settle(self, entry: Entry, packed: int) -> None:
        """Bring what a longer header than usual has pushed out of the place that was guessed."""
        begin = local_data(self.window, entry)
        self.take([(begin, min(packed, entry.packed))])


def read_remote_wheel(piece: Piece, *, file: str, sha256: str, size: int) -> WheelFacts:
    """Read what a budget allows of a remote wheel.

    Args:
        piece: gives bytes of the wheel.
        file: its file name.
        sha256: of the lock. It is not verified, as not all of the file is read; members that are read whole are
            compared with the CRC-32 of the directory.
        size: bytes of the wheel.

    Raises:
        WheelError: it is no wheel that can be read.
        NetworkError: it cannot be had.
    """
    window = Window(size, piece)
    try:
        window.fill([(size - TAIL, TAIL)])
        start, length = directory_place(window.read(max(0, size - TAIL), TAIL), size)
        window.fill([(start, length)])
        entries = read_directory(window.read(start, length), start)
        reading = _Reading(window, budget(size))
        reading.members = [_Member(entry) for entry in library_entries(entries)]
        described = find_metadata(entries)
        _first_round(reading, described)
        reading.settle(described, described.packed)
        metadata = read_metadata(member_bytes(window, described, limit=METADATA_LIMIT), file=file)
        for _ in range(_STEPS):
            if not _further(reading):
                break
        _whole_ones(reading)
    except WheelError as error:
        raise WheelError(f"the wheel {file} cannot be read: {error.what}") from error
    except BeyondError as error:
        raise WheelError(f"the wheel {file} cannot be read: its directory contradicts its members") from error
    libraries = [member.library for member in reading.members if member.library is not None]
    return make_facts(
        entries,
        metadata,
        libraries,
        file=file,
        sha256=sha256,
        reach="members",
        size=size,
        bytes_read=window.loaded,
    )


def _first_round(reading: _Reading, metadata: Entry) -> None:
    """METADATA, small libraries whole, and the front of large ones, as far as the budget goes."""
    places = [(metadata.at, metadata.span)]
    if metadata.packed > METADATA_LIMIT:
        raise WheelError(f"its METADATA has {metadata.packed:,} bytes")
    begun: list[_Member] = []
    cost = sum(reading.window.cost(*place) for place in places)
    for member in sorted(reading.members, key=lambda member: member.entry.packed)[:_MOST]:
        entry = member.entry
        if not entry.readable:
            member.library, member.done = unread_library(entry.name), True
            continue
        packed = entry.packed if entry.packed <= _SMALL else _FRONT
        place = reading.packed_place(entry, packed)
        cost += reading.window.cost(*place)
        if cost > reading.left:
            break
        member.packed = min(packed, entry.packed)
        places.append(place)
        begun.append(member)
    reading.take(places)
    for member in begun:
        _look(reading, member)
    for member in reading.members:
        if member.library is None and not member.done:
            member.library = unread_library(member.entry.name)


def _look(reading: _Reading, member: _Member) -> None:
    """Read what is here of a library."""
    entry = member.entry
    try:
        reading.settle(entry, member.packed)
        if member.packed >= entry.packed:
            member.done = True
            data = member_bytes(reading.window, entry, limit=_LARGEST)
            member.library, member.useful = read_library(data, path=entry.name), 0
        elif entry.method == STORED:
            member.library, member.useful = _stored(reading, entry), 0
            member.done = member.library is None
        else:
            data = inflate_front(reading.window, entry, member.packed, limit=_LONGEST_FRONT)
            front = read_front(data, entry.size, path=entry.name)
            member.library = front.library if front else None
            member.done = front is None
            # what the packed bytes gave tells how many more are needed for a longer front
            missing = front.useful if front and front.useful > len(data) else 0
            member.useful = missing * member.packed // max(1, len(data)) if missing else 0
    except (ElfError, WheelError, BeyondError):
        member.library, member.done = unread_library(entry.name), True


class _StoredMember:
    """A member that is not packed, read at any place; what is missing is brought."""

    def __init__(self, reading: _Reading, begin: int, size: int) -> None:
        self._reading = reading
        self._begin = begin
        self.size = size

    def read(self, offset: int, size: int) -> bytes:
        """The bytes, by way of blocks.

        Raises:
            BeyondError: the budget is spent.
        """
        size = min(size, self.size - offset)
        if offset < 0 or size <= 0:
            return b""
        first = (self._begin + offset) // _BLOCK * _BLOCK
        last = -(-(self._begin + offset + size) // _BLOCK) * _BLOCK
        window = self._reading.window
        if (cost := window.cost(first, last - first)) and cost > self._reading.left:
            raise BeyondError
        self._reading.take([(first, last - first)])
        return window.read(self._begin + offset, size)

    def find(self, needle: bytes, begin: int, end: int) -> int:
        """Look through a piece."""
        found = self.read(begin, end - begin).find(needle)
        return found if found < 0 else begin + found


def _stored(reading: _Reading, entry: Entry) -> Library | None:
    member = _StoredMember(reading, local_data(reading.window, entry), entry.size)
    return read_library(member, path=entry.name, contents=False)


def _further(reading: _Reading) -> bool:
    """Bring longer fronts where they would tell more, the shortest first; whether any was brought."""
    wanting = [member for member in reading.members if not member.done and member.useful > member.packed]
    places: list[tuple[int, int]] = []
    begun: list[_Member] = []
    cost = 0
    for member in sorted(wanting, key=lambda member: member.useful):
        packed = min(member.useful + member.useful // 8 + _FRONT // 2, member.entry.packed)
        place = reading.packed_place(member.entry, packed)
        cost += reading.window.cost(*place)
        if cost > reading.left:
            break
        member.packed = packed
        places.append(place)
        begun.append(member)
    if not begun:
        return False
    reading.take(places)
    for member in begun:
        _look(reading, member)
    return True


def _whole_ones(reading: _Reading) -> None:
    """Spend what is left on libraries read whole: those that are not understood, then modules, the smallest first.

    A module's use of NumPy is seen in its constant data only.
    """

    def rank(member: _Member) -> tuple[bool, int]:
        return member.understood, member.entry.packed

    places: list[tuple[int, int]] = []
    begun: list[_Member] = []
    cost = 0
    for member in sorted(reading.members, key=rank)[:_MOST]:
        entry = member.entry
        if member.done or member.packed >= entry.packed or entry.size > _LARGEST:
            continue
        if member.understood and not _is_module(entry.name):
            continue
        place = (entry.at, entry.span)
        price = reading.window.cost(*place)
        if cost + price > reading.left:
            continue
        cost += price
        member.packed = entry.packed
        places.append(place)
        begun.append(member)
    reading.take(places)
    for member in begun:
        _look(reading, member)


def _is_module(name: str) -> bool:
    """Whether a library is a module that Python imports: these may use NumPy's C API."""
    base = name.rpartition("/")[2]
    return ".cpython-" in base or ".abi3." in base or not base.startswith("lib")
