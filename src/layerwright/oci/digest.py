"""Digests: ``sha256:`` and 64 hexadecimal digits."""

import hashlib
import re
from typing import Self

__all__ = ["Digest"]

_PATTERN = re.compile(r"sha256:[0-9a-f]{64}")


class Digest(str):
    """A checked ``sha256:…`` digest; compares and prints as its text."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Check and take over a digest.

        Raises:
            ValueError: the text is no sha256 digest.
        """
        if not _PATTERN.fullmatch(text):
            raise ValueError(f"not a sha256 digest: {text[:80]!r}")
        return cls(text)

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Digest of the bytes."""
        return cls("sha256:" + hashlib.sha256(data).hexdigest())

    @classmethod
    def from_hex(cls, digits: str) -> Self:
        """Digest from its 64 hexadecimal digits."""
        return cls.parse("sha256:" + digits)

    @property
    def hex(self) -> str:
        """The 64 hexadecimal digits."""
        return self[7:]

    @property
    def short(self) -> str:
        """The first 12 hexadecimal digits, for people."""
        return self[7:19]
