"""Searching for many byte strings at once, at memory speed."""

from collections.abc import Iterable, Iterator, Sequence

from ahocorasick_rs import BytesAhoCorasick, MatchKind

__all__ = ["Literals"]

_GROUP = 48
"""Strings per automaton. Up to 64 the crate behind it searches with vector instructions (some GB/s, ``packed`` in
https://docs.rs/aho-corasick); with more it steps through an automaton byte by byte (0.7 GB/s)."""


class Literals:
    """A set of byte strings to look for; every occurrence is found, also of strings that overlap others."""

    def __init__(self, strings: Iterable[bytes]) -> None:
        self._strings = tuple(sorted(set(strings)))
        self._longest = max(map(len, self._strings), default=0)
        self._fast = [
            BytesAhoCorasick(self._strings[start : start + _GROUP], matchkind=MatchKind.LeftmostFirst)
            for start in range(0, len(self._strings), _GROUP)
        ]
        self._all: BytesAhoCorasick | None = None

    def __bool__(self) -> bool:
        """Whether there is anything to look for."""
        return bool(self._strings)

    def find(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Where the strings begin in the data, and which; in no particular order."""
        places: list[tuple[int, int]] = []
        for automaton in self._fast:
            places += [(start, end) for _, start, end in automaton.find_matches_as_indexes(data)]
        if places:
            yield from self._overlapping(data, places)

    def _overlapping(self, data: bytes, places: Sequence[tuple[int, int]]) -> Iterator[tuple[int, bytes]]:
        """All strings near the places: the fast search skips those that begin inside another."""
        if self._all is None:
            self._all = BytesAhoCorasick(self._strings, matchkind=MatchKind.Standard)
        reach = self._longest
        spans: list[tuple[int, int]] = []
        for start, end in sorted(places):
            low, high = max(0, start - reach), min(len(data), end + reach)
            if spans and low <= spans[-1][1]:
                spans[-1] = (spans[-1][0], max(high, spans[-1][1]))
            else:
                spans.append((low, high))
        for low, high in spans:
            for index, start, _ in self._all.find_matches_as_indexes(data[low:high], overlapping=True):
                yield low + start, self._strings[index]
