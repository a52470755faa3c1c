"""What is measured of layers while they are read: compressed sizes, digests, code for GPUs, names of libraries."""

import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

from layerwright.oci.blobs import BlobSource, tar_of
from layerwright.oci.layer import Layer
from layerwright.verify.gpu_code import GpuCode
from layerwright.verify.mentions import Mentions
from layerwright.verify.secrets.archives import parser_for
from layerwright.verify.secrets.feed import Feed, Pump
from layerwright.verify.secrets.literals import Literals

__all__ = ["Measured", "MeasuredBlobs"]

_STEP: Final = 32 << 10
_LARGE: Final = 1 << 20
"""Bytes above which digests are taken here; the reader of layers takes those of smaller files."""

_BLOCK: Final = 512
_LISTS: Final = re.compile(r"var/lib/dpkg/info/[^/]+\.list")
_LIST_LIMIT: Final = 8 << 20


class _File(Struct, gc=False):
    """One file: where its content begins in the tar, its size, and what was seen of it."""

    offset: int
    size: int = 0
    sha256: bytes = b""
    gpu: Mapping[tuple[str, str], int] | None = None


class Measured:
    """One layer.

    Attributes:
        gpu: path → (compute capability, ``code`` or ``PTX``) → bytes.
        lists: path → content of dpkg's lists of files.
        mentions: path → names of libraries that stand in a program, library or Python file.
    """

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}
        self._tar: list[int] = [0]
        self._blob: list[int] = [0]
        self.gpu: dict[str, Mapping[tuple[str, str], int]] = {}
        self.lists: dict[str, bytes] = {}
        self.mentions: dict[str, frozenset[str]] = {}

    def add_point(self, tar: int, blob: int) -> None:
        """So many bytes of the tar had come when so many of the blob had been read."""
        if tar > self._tar[-1]:
            self._tar.append(tar)
            self._blob.append(blob)

    def add_file(self, path: str, file: _File) -> None:
        """A file of the layer; of several with one path the last counts."""
        self._files[path] = file
        if file.gpu:
            self.gpu[path] = file.gpu

    def sha256(self, path: str) -> bytes:
        """Digest of a file of at least 1 MiB; empty when it is not known."""
        file = self._files.get(path)
        return file.sha256 if file is not None else b""

    def compressed(self, path: str) -> int | None:
        """Bytes of the blob that a file takes, its header and padding included; None when it was not seen.

        Exact but for its first and last 32 KiB of the blob, which it may share with neighbours.
        """
        file = self._files.get(path)
        if file is None:
            return None
        end = file.offset + file.size + -file.size % _BLOCK
        return round(self._blob_at(end) - self._blob_at(file.offset - _BLOCK))

    def _blob_at(self, tar: int) -> float:
        right = bisect_right(self._tar, tar)
        if right >= len(self._tar):
            return self._blob[-1]
        left = right - 1
        share = (tar - self._tar[left]) / (self._tar[right] - self._tar[left])
        return self._blob[left] + share * (self._blob[right] - self._blob[left])


class MeasuredBlobs:
    """Blobs whose tars are measured while they are read (an ``oci.blobs.BlobSource``).

    Attributes:
        measured: by diff id; complete for a layer when its tar was read to the end.
    """

    def __init__(self, blobs: BlobSource) -> None:
        self._blobs = blobs
        self.open_blob = blobs.open_blob
        self.measured: dict[str, Measured] = {}

    def open_tar(self, layer: Layer) -> Iterator[bytes]:
        """The tar as its diff id names it."""
        measured = self.measured[str(layer.diff_id)] = Measured()
        count = 0

        def counted() -> Iterator[bytes]:
            nonlocal count
            for chunk in self._blobs.open_blob(layer):
                for start in range(0, len(chunk), _STEP):
                    piece = chunk[start : start + _STEP]
                    count += len(piece)
                    yield piece

        walk = _Walk(measured)
        size = 0
        for chunk in tar_of(layer, counted()):
            size += len(chunk)
            measured.add_point(size, count)
            walk.feed(chunk)
            yield chunk
        walk.close()


class _Walk:
    """Walks a tar that passes by, and looks at the files in it."""

    def __init__(self, measured: Measured) -> None:
        self._measured = measured
        self._feed = Feed()
        self._search = Mentions.search()
        # Whoever reads the layer tells what is wrong with it; here a few sizes are not known then.
        self._pump = Pump(self._feed, parser_for("tar", self._feed, self, ""))

    def feed(self, data: bytes) -> None:
        """The next bytes."""
        self._pump.feed(data)

    def close(self) -> None:
        """That was all."""
        self._pump.close()

    def member(self, name: str) -> "_Look":
        """A file begins."""
        path = "/".join(part for part in name.split("/") if part not in ("", "."))
        return _Look(self._measured, path, self._feed.taken, self._search)

    def unread(self, name: str, reason: str) -> None:
        """Tars hold nothing of the kind."""


class _Look:
    """One file that passes by."""

    def __init__(self, measured: Measured, path: str, offset: int, search: Literals) -> None:
        self._measured = measured
        self._path = path
        self._file = _File(offset=offset)
        self._first: list[bytes] = []
        self._mentions: Mentions | None = Mentions(search) if path.endswith(".py") else None
        self._search = search
        self._hash = hashlib.sha256()
        self._gpu: GpuCode | None = None
        self._text: list[bytes] | None = [] if _LISTS.fullmatch(path) else None

    def feed(self, data: bytes) -> None:
        """The next bytes."""
        if not self._file.size and data[:4] == b"\x7fELF":
            self._gpu = GpuCode()
            self._mentions = Mentions(self._search)
        self._file.size += len(data)
        if self._text is not None and self._file.size <= _LIST_LIMIT:
            self._text.append(data)
        if self._gpu is not None:
            self._gpu.feed(data)
        if self._mentions is not None:
            self._mentions.feed(data)
        if self._file.size <= _LARGE:
            self._first.append(data)
            return
        for waiting in self._first:
            self._hash.update(waiting)
        self._first = []
        self._hash.update(data)

    def close(self) -> None:
        """That was all."""
        if self._file.size > _LARGE:
            self._file.sha256 = self._hash.digest()
        if self._gpu is not None:
            self._gpu.close()
            self._file.gpu = dict(self._gpu.sizes)
        if self._mentions is not None:
            self._mentions.close()
            if self._mentions.names:
                self._measured.mentions[self._path] = frozenset(self._mentions.names)
        if self._text is not None:
            self._measured.lists[self._path] = b"".join(self._text)
        self._measured.add_file(self._path, self._file)
