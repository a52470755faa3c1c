"""Which libraries a file names: those that a loader gets for it, and those that it opens by itself."""

import re
from typing import Final

from layerwright.verify.secrets.literals import Literals

__all__ = ["Mentions"]

_ENDING: Final = b".so"
_LONGEST: Final = 200
_BEFORE: Final = re.compile(rb"[\w.+-]*\Z")
_AFTER: Final = re.compile(rb"\.so(?:\.\d+)*")
_MOST: Final = 20_000


class Mentions:
    """The names in one file, collected while it passes by.

    Attributes:
        names: such as ``libcudnn.so.9``; the file's own may be among them.
    """

    def __init__(self, search: Literals) -> None:
        self.names: set[str] = set()
        self._search = search
        self._tail = b""
        self._low = 0  # what stands before this place of the tail was looked at

    @staticmethod
    def search() -> Literals:
        """What finds them; one for all files."""
        return Literals([_ENDING])

    def feed(self, data: bytes) -> None:
        """The next bytes; a name near their end is found with the next ones."""
        whole = self._tail + data
        end = max(self._low, len(whole) - _LONGEST)
        self._look(whole, end)
        cut = max(0, end - _LONGEST)
        self._tail, self._low = whole[cut:], end - cut

    def close(self) -> None:
        """That was all."""
        self._look(self._tail, len(self._tail))

    def _look(self, data: bytes, end: int) -> None:
        """Names whose ending stands before ``end``, and was not looked at yet."""
        for place, _ in self._search.find(data):
            if not self._low <= place < end or len(self.names) >= _MOST:
                continue
            before = _BEFORE.search(data, max(0, place - _LONGEST), place)
            after = _AFTER.match(data, place)
            if before and before[0] and after:
                self.names.add((before[0] + after[0]).decode("latin-1"))
