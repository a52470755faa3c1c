"""Reading JSON that came from outside: typed, limited, every lie an ``IntegrityError``."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from layerwright.core.errors import IntegrityError
from layerwright.oci.digest import Digest

__all__ = ["Fields", "canonical_json", "check_digest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """An object of a JSON document. Absent and ``null`` are the same, as in Go's decoder, which wrote most of them.

    Attributes:
        values: the object.
        what: the document, for messages.
    """

    values: Mapping[str, object]
    what: str

    @classmethod
    def parse(cls, data: bytes, *, what: str, limit: int) -> "Fields":
        """Read an object.

        Raises:
            IntegrityError: too long, no JSON, or no object.
        """
        if len(data) > limit:
            raise IntegrityError(f"{what} has {len(data):,} bytes; {limit:,} are allowed")
        try:
            value = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise IntegrityError(f"{what} is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise IntegrityError(f"{what} is not a JSON object")
        return cls(values=value, what=what)

    def text(self, key: str, default: str | None = None) -> str:
        """A string; without a default it must be there."""
        value = self.values.get(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise self._wrong(key, "a string")
        return value

    def number(self, key: str) -> int:
        """A whole number that is not negative; it must be there."""
        value = self.values.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self._wrong(key, "a number of bytes")
        return value

    def flag(self, key: str) -> bool:
        """A truth value; absent means false."""
        value = self.values.get(key, False)
        if value is not None and not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return bool(value)

    def digest(self, key: str) -> Digest:
        """A sha256 digest; it must be there."""
        try:
            return Digest.parse(self.text(key))
        except ValueError as error:
            raise IntegrityError(f"{self.what}: {key!r} is {error}") from error

    def texts(self, key: str) -> tuple[str, ...]:
        """Strings; absent means none."""
        value = self.values.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise self._wrong(key, "an array of strings")
        return tuple(value)

    def table(self, key: str) -> Mapping[str, str]:
        """Strings by name; absent means none."""
        value = self.values.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict) or not all(isinstance(entry, str) for entry in value.values()):
            raise self._wrong(key, "an object of strings")
        return value

    def child(self, key: str) -> "Fields":
        """An object; absent means an empty one."""
        value = self.values.get(key)
        if value is None:
            value = {}
        if not isinstance(value, dict):
            raise self._wrong(key, "an object")
        return Fields(values=value, what=f"{self.what}: {key}")

    def children(self, key: str) -> "tuple[Fields, ...]":
        """Objects; absent means none."""
        value = self.values.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            raise self._wrong(key, "an array of objects")
        return tuple(
            Fields(values=entry, what=f"{self.what}: {key}[{number}]") for number, entry in enumerate(value)
        )

    def _wrong(self, key: str, expected: str) -> IntegrityError:
        if self.values.get(key) is None:
            return IntegrityError(f"{self.what}: {key!r} is missing")
        return IntegrityError(f"{self.what}: {key!r} is not {expected}")


def canonical_json(value: object) -> bytes:
    """The one way we write JSON that is hashed: sorted keys, no blanks, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def check_digest(data: bytes, digest: Digest, *, what: str) -> bytes:
    """The data themselves.

    Raises:
        IntegrityError: they have another digest.
    """
    found = Digest.of(data)
    if found != digest:
        raise IntegrityError(f"{what} has digest {found}, not {digest}")
    return data
