"""The scan: settings as text, files as they stream by, archives opened on the way."""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from layerwright.verify.secrets.archives import HEAD, archive_kind, parser_for
from layerwright.verify.secrets.feed import Damaged, Feed, Pump
from layerwright.verify.secrets.forms import REACH
from layerwright.verify.secrets.judge import is_example_path
from layerwright.verify.secrets.known import KnownValues
from layerwright.verify.secrets.model import UNREAD, Hit
from layerwright.verify.secrets.rules import RuleSet, rules_for
from layerwright.verify.secrets.search import Hits, Piece, search

__all__ = ["FileScan", "Limits", "SecretScanner"]

_BATCH: Final = 256 << 10
_TEXT_HEAD: Final = 8192


class Limits(Struct, frozen=True, kw_only=True):
    """How far the scan goes into one file.

    Attributes:
        text: bytes of a text that rules are applied to; known values are looked for in everything.
        other: the same for files that are no text.
        depth: archives in archives.
        members: files in all archives of one file.
        unpacked: bytes that may come out of a file in any case.
        ratio: bytes that may come out of each byte of the file beyond that. Ordinary archives stay below 50; a zip
            bomb has a thousand and more.
    """

    text: int = 64 << 20
    other: int = 1 << 20
    depth: int = 10
    members: int = 1_000_000
    unpacked: int = 64 << 20
    ratio: int = 100


class SecretScanner:
    """Looks for secrets; one for all files of an image.

    Args:
        known: name → value that must not be in the image. A value may be a URL with an account, or a whole file such
            as ``.netrc``.
        limits: how far to go.
        rules: whether shapes of unknown secrets are looked for, too.

    Raises:
        UsageError: a value that stands by chance in every image.
    """

    def __init__(
        self, known: Mapping[str, bytes], *, limits: Limits | None = None, rules: bool = True
    ) -> None:
        self.known = KnownValues(known)
        self.rules = rules
        self.limits = limits or Limits()

    def scan_text(self, where: str, text: str) -> tuple[Hit, ...]:
        """Secrets in a part of the config: a variable, a label, a line of the history, arguments.

        Args:
            where: what it is, such as ``env PIP_INDEX_URL``.
            text: all of it; a variable or a label as ``NAME=value``.
        """
        data = text.encode("utf-8", "surrogateescape")
        hits = Hits()
        rules = rules_for("settings") if self.rules else None
        search(Piece(data=data, low=0, high=len(data), where=where), self.known, rules, hits)
        return hits.listed()

    def open_file(self, path: str, *, layer: str = "") -> "FileScan":
        """Begin with a file.

        Args:
            path: in the image.
            layer: diff id of the layer it stands in.
        """
        return FileScan(_Job(self, path, layer))

    def scan_file(self, path: str, chunks: Iterable[bytes], *, layer: str = "") -> tuple[Hit, ...]:
        """Secrets in a file whose bytes are at hand."""
        scan = self.open_file(path, layer=layer)
        for chunk in chunks:
            scan.feed(chunk)
        return scan.close()


class _Job:
    """One file of the image with everything in it, and what that has cost so far."""

    def __init__(self, scanner: SecretScanner, where: str, layer: str) -> None:
        self.known = scanner.known
        self.rules = scanner.rules
        self.limits = scanner.limits
        self.where = where
        self.layer = layer
        self.hits = Hits()
        self.fed = 0
        self.unpacked = 0
        self.members = 0

    def unread(self, member: str, reason: str) -> None:
        """Something that cannot be searched."""
        if is_example_path(self.where.lstrip("/")):
            return  # broken archives are what tests of archivers are made of
        self.hits.add(
            Hit(
                kind=UNREAD,
                name=reason,
                title="an archive",
                level="unknown",
                where=self.where,
                layer=self.layer,
                member=member,
            )
        )


class FileScan:
    """One file, or one member of an archive in it, as its bytes come."""

    def __init__(self, job: _Job, member: str = "", depth: int = 0) -> None:
        self._job = job
        self._member = member
        self._depth = depth
        self._hits = Hits()
        self._waiting: list[bytes] = []
        self._size = 0
        self._tail = b""
        self._offset = 0  # of the tail's first byte
        self._line = 1
        self._from = 0  # what begins before this place has been searched
        self._rules: RuleSet | None = None
        self._text = False
        self._begun = False
        self._example = False
        self._archive: Pump | None = None

    def feed(self, data: bytes) -> None:
        """The next bytes."""
        if not self._depth:
            self._job.fed += len(data)
        self._waiting.append(data)
        self._size += len(data)
        if self._size >= _BATCH:
            self._advance(last=False)

    def close(self) -> tuple[Hit, ...]:
        """That was all; what was found, in the file and in the archives in it.

        What stands in a member stands in an archive's own bytes too, when it is not compressed: it is told once.
        """
        self._advance(last=True)
        if self._archive is not None:
            self._archive.close()
        if self._depth:
            inner = self._job.hits.listed() if self._archive is not None else ()
            for hit in self._hits.listed(without=inner):
                self._job.hits.add(hit)
            return ()
        inner = self._job.hits.listed()
        return (*inner, *self._hits.listed(without=inner))

    def _begin(self, data: bytes) -> None:
        self._begun = True
        path = (f"{self._job.where}/{self._member}" if self._member else self._job.where).lstrip("/")
        self._text = b"\0" not in data[:_TEXT_HEAD]
        self._example = is_example_path(path)
        if self._job.rules:
            self._rules = rules_for("text" if self._text else "binary", path)
        kind = archive_kind(data[:HEAD])
        if kind and self._depth >= self._job.limits.depth:
            self._job.unread(self._member, f"lies more than {self._job.limits.depth} archives deep")
        elif kind:
            self._archive = _archive(self._job, kind, self._member, self._depth, path)

    def _advance(self, *, last: bool) -> None:
        fresh = self._waiting[0] if len(self._waiting) == 1 else b"".join(self._waiting)
        self._waiting = []
        self._size = 0
        if not self._begun:
            self._begin(fresh)
        if self._archive is not None:
            self._archive.feed(fresh)
        data = self._tail + fresh if self._tail else fresh
        high = len(data) if last else len(data) - REACH
        limit = self._job.limits.text if self._text else self._job.limits.other
        search(
            Piece(
                data=data,
                low=self._from,
                high=high,
                where=self._job.where,
                layer=self._job.layer,
                member=self._member,
                offset=self._offset,
                line=self._line if self._text else 0,
                example=self._example,
            ),
            self._job.known,
            self._rules if self._offset < limit else None,
            self._hits,
        )
        cut = max(0, high - REACH)
        if self._text:
            self._line += data.count(b"\n", 0, cut)
        self._tail = data[cut:]
        self._offset += cut
        self._from = high - cut


def _archive(job: _Job, kind: str, member: str, depth: int, path: str) -> Pump:
    """The parser of one archive; what is in it is searched as it passes."""
    feed = Feed()
    into = _Members(job, member, depth)
    return Pump(feed, parser_for(kind, feed, into, path), lambda reason: into.unread("", reason))


class _Members:
    """The members of one archive."""

    def __init__(self, job: _Job, member: str, depth: int) -> None:
        self._job = job
        self._member = member
        self._depth = depth

    def member(self, name: str) -> "_Member":
        """A member begins; its name is searched as well."""
        self._job.members += 1
        if self._job.members > self._job.limits.members:
            raise Damaged(f"holds more than {self._job.limits.members:,} files")
        full = f"{self._member}/{name}" if self._member else name
        return _Member(self._job, FileScan(self._job, full, self._depth + 1))

    def unread(self, name: str, reason: str) -> None:
        """A member that nobody can read, or the archive itself."""
        full = "/".join(filter(None, (self._member, name)))
        self._job.unread(full, reason)


class _Member:
    """Content on its way out of an archive, counted."""

    def __init__(self, job: _Job, scan: FileScan) -> None:
        self._job = job
        self._scan = scan

    def feed(self, data: bytes) -> None:
        """More of it.

        Raises:
            Damaged: it expands beyond all measure.
        """
        job = self._job
        job.unpacked += len(data)
        if job.unpacked > job.limits.unpacked + job.limits.ratio * job.fed:
            raise Damaged(f"expands to more than {job.limits.ratio} times its size")
        self._scan.feed(data)

    def close(self) -> None:
        """That was all."""
        self._scan.close()
