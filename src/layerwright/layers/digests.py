"""The two digests of a layer, taken while its bytes go by."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from layerwright.layers.pipeline import Pipeline
from layerwright.oci.digest import Digest

__all__ = ["HashedStream", "LayerDigests"]

_SMALL = 64 << 10
_BATCH = 512 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerDigests:
    """What is known of a layer once its bytes have gone by.

    Attributes:
        diff_id: digest of the uncompressed tar.
        digest: digest of the gzip blob.
        size: bytes of the blob.
        tar_size: bytes of the tar.
        claims: of a layer of wheels, the paths it claims (``owners.make_claims``).
    """

    diff_id: Digest
    digest: Digest
    size: int
    tar_size: int
    claims: Mapping[str, str] = field(default_factory=dict)


class HashedStream:
    """sha256 and size of a stream; small pieces are joined, so that hashing leaves the interpreter alone for long."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._sha256 = hashlib.sha256()
        self._pipeline = pipeline
        self._waiting: list[bytes] = []
        self._waiting_size = 0
        self.size = 0

    def update(self, data: bytes) -> None:
        """Take the next bytes."""
        length = len(data)
        self.size += length
        if length >= _SMALL:
            self.flush()
            self._pipeline.submit(partial(self._sha256.update, data))
            return
        self._waiting.append(data)
        self._waiting_size += length
        if self._waiting_size >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Hand the waiting pieces on."""
        if self._waiting:
            self._pipeline.submit(partial(self._sha256.update, b"".join(self._waiting)))
            self._waiting = []
            self._waiting_size = 0

    def digest(self) -> Digest:
        """The digest; the pipeline must have ended."""
        return Digest.from_hex(self._sha256.hexdigest())
