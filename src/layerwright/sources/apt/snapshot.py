"""Debian's archive of everything: where a package is that the mirrors no longer have.

Mirrors keep the newest version of a package; snapshot.debian.org keeps every file that was ever on them. What it
answers is described in https://salsa.debian.org/snapshot-team/snapshot/-/raw/master/API, and read in the same way by
Debian's own ``debsnap`` (package devscripts).
"""

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from layerwright.core.addresses import mask_credentials, split_userinfo
from layerwright.core.errors import NetworkError
from layerwright.host.http import HttpClient, HttpStatusError
from layerwright.lock.model import Deb

__all__ = ["SNAPSHOT_PARALLEL", "Snapshot"]

SNAPSHOT_PARALLEL: Final = 2
"""Requests at a time: the service is one of volunteers, and turns away who asks for much at once."""

_TURNS: Final = threading.BoundedSemaphore(
    SNAPSHOT_PARALLEL
)  # of the whole process: cells are built in parallel
_UNKNOWN: Final = (404, 410)
_ATTEMPTS: Final = 3
_FIRST_PAUSE: Final = 2.0
_LARGEST_ANSWER: Final = 1 << 22
# sha1; the service's free rewrite (https://github.com/fepitre/debian-snapshot) names files by sha256
_HASH: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the package: ``hash`` is its sha1, which is its name."""

    hash: str
    architecture: str


class _FileInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One place where a file was seen; ``size`` in bytes."""

    size: int


class _Files(msgspec.Struct, frozen=True, kw_only=True):
    """The answer on a version of a package, as far as it is needed."""

    result: tuple[_Row, ...]
    fileinfo: Mapping[str, tuple[_FileInfo, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The archive of everything; make it with ``at``.

    Attributes:
        http: the client to ask it with: few attempts, long pauses.
        address: without a slash at its end.
    """

    http: HttpClient
    address: str

    @classmethod
    def at(cls, address: str, http: HttpClient) -> "Snapshot":
        """The archive at an address, asked gently."""
        gentle = replace(http, attempts=min(http.attempts, _ATTEMPTS), first_pause=_FIRST_PAUSE)
        return cls(http=gentle, address=address)

    @property
    def label(self) -> str:
        """What people call it: ``snapshot.debian.org``."""
        return split_userinfo(self.address)[0].rpartition("://")[2]

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold one of the few places for requests; every request belongs into such a block."""
        with _TURNS:
            yield

    def addresses(self, deb: Deb) -> tuple[str, ...]:
        """Where files of a package's name, version, architecture and size are; most often one, none when unknown.

        One version may have been built twice, for Debian and for its unofficial ports: only the sha256 tells which
        of the files is the locked one.

        Raises:
            NetworkError: no answer, or not one of this interface.
        """
        from urllib.parse import quote  # noqa: PLC0415  # start-up

        version = f"{quote(deb.name, safe='')}/{quote(deb.version, safe='')}"
        url = f"{self.address}/mr/binary/{version}/binfiles?fileinfo=1"
        try:
            answer = self.http.get(url, limit=_LARGEST_ANSWER, accept="application/json")
        except HttpStatusError as error:
            if error.status in _UNKNOWN:
                return ()
            raise
        try:
            files = msgspec.json.decode(answer.data, type=_Files)
        except msgspec.DecodeError as error:
            raise NetworkError(
                f"{mask_credentials(url)} does not answer as snapshot.debian.org does: {error}"
            ) from error
        hashes = [
            row.hash
            for row in files.result
            if row.architecture == deb.architecture
            and _HASH.fullmatch(row.hash)
            and any(info.size == deb.size for info in files.fileinfo.get(row.hash, ()))
        ]
        return tuple(f"{self.address}/file/{name}" for name in dict.fromkeys(hashes))
