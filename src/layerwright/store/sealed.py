"""Small files that carry their own checksum, so that a damaged one is as good as absent."""

import hashlib

__all__ = ["seal", "unseal"]

_MAGIC = b"layerwright-record-1 "


def seal(name: str, data: bytes) -> bytes:
    """The file's bytes: a line with the checksum over name and data, then the data."""
    return _MAGIC + _checksum(name, data) + b"\n" + data


def unseal(name: str, sealed: bytes) -> bytes | None:
    """The data, or None when they are damaged or stood under another name."""
    head, _, data = sealed.partition(b"\n")
    return data if head == _MAGIC + _checksum(name, data) else None


def _checksum(name: str, data: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\0" + data).hexdigest().encode()
