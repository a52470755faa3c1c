"""Secret values that this process has come to know, so that they can be masked, and looked for in what it made."""

import threading
from collections.abc import Mapping

__all__ = ["SeenSecrets"]

_TELLING = 6
"""Bytes of a value that does not stand anywhere by chance."""


class SeenSecrets:
    """Values by what they are; never printed. Safe to use from several threads.

    Whoever reads a password, token or secret notes it here before it is used.
    """

    def __init__(self) -> None:
        self._names: dict[bytes, str] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        """Leave the values out."""
        return f"SeenSecrets({len(self._names)})"

    def __len__(self) -> int:
        """How many values there are; it only grows."""
        return len(self._names)

    def add(self, name: str, value: str | bytes) -> None:
        """Note a value.

        Args:
            name: what it is, such as ``token`` or ``password of the index internal``.
            value: blanks around it do not count; an empty one is not kept.
        """
        kept = (value.encode() if isinstance(value, str) else value).strip()
        if kept:
            with self._lock:
                self._names.setdefault(kept, name)

    def stands_in(self, text: str) -> bool:
        """Whether one of the values, as it is, stands in a text; those too short to tell by do not count."""
        data = text.encode("utf-8", "surrogateescape")
        return any(len(value) >= _TELLING and value in data for value in tuple(self._names))

    def values(self) -> Mapping[str, bytes]:
        """Name to value; of values with one name the later ones are numbered."""
        with self._lock:
            known = tuple(self._names.items())
        found: dict[str, bytes] = {}
        for value, name in known:
            key, number = name, 2
            while key in found:
                key, number = f"{name} ({number})", number + 1
            found[key] = value
        return found
