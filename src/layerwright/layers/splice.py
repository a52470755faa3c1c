"""Wheels → layer in one pass: one read, one inflate, no recompression (the *gzip splice*).

The tar is in walk order (see ``tar``). Its blob is a gzip file of many members: a *literal* member (see
``deflate``) with padding, tar headers and generated files, then for each non-empty file of a wheel one member that
frames the wheel's own deflate stream verbatim (a stored zip member as stored blocks), and so on in turn. A literal is
closed before such a member, and at the end of an entry once it holds a mebibyte.
docs/decisions/0003-layer-format.md has the reasons.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from layerwright.core.errors import BuildError, IntegrityError
from layerwright.layers.archive import DEFLATED, Member, WheelArchive
from layerwright.layers.deflate import GZIP_HEADER, gzip_literal, gzip_trailer, stored_blocks
from layerwright.layers.digests import HashedStream, LayerDigests
from layerwright.layers.extracted import TreeWriter, write_all
from layerwright.layers.install import PlannedFile, WheelFile, plan_install
from layerwright.layers.metadata import encode_digest
from layerwright.layers.owners import make_claims
from layerwright.layers.pipeline import InlinePipeline, Pipeline, ThreadPipeline
from layerwright.layers.tar import DIRECTORY, END_OF_ARCHIVE, TarEntry, header, padding, parents, walk_order
from layerwright.oci.digest import Digest

__all__ = ["emit_blob", "emit_tar", "wheel_layer"]

_LITERAL_CUT = 1 << 20
_SMALL_FILE = 64 << 10
_SMALL_LAYER = 8 << 20
_EMITTED = 512 << 10
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    """A file of the layer and the wheel it comes from."""

    file: PlannedFile
    source: "_Source"
    mode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """An open wheel and where its files go."""

    wheel: WheelFile
    archive: WheelArchive
    files: Mapping[str, PlannedFile]


def _open_sources(
    stack: ExitStack, wheels: Sequence[WheelFile], *, prefix: str, python: str
) -> list[_Source]:
    sources = []
    for wheel in sorted(wheels, key=lambda wheel: wheel.sha256):
        archive = stack.enter_context(WheelArchive(wheel.path, wheel.file))
        plan = plan_install(archive, wheel, prefix=prefix, python=python)
        sources.append(_Source(wheel=wheel, archive=archive, files=plan.files))
    return sources


def _merge(sources: Sequence[_Source]) -> dict[str, _Placed | None]:
    """Files and folders (``None``) of all wheels by path, in the tar's order."""
    placed: dict[str, _Placed | None] = {}
    for source in sources:
        for path, file in source.files.items():
            other = placed.get(path)
            if other is None:
                placed[path] = _Placed(file=file, source=source, mode=file.mode)
            elif (other.file.size, other.file.digest) != (file.size, file.digest):
                raise _clash(path, other.source.archive.label, source.archive.label)
            else:  # same bytes: the first wheel's stand
                placed[path] = _Placed(file=other.file, source=other.source, mode=other.mode | file.mode)
    folders: set[str] = set()
    for path in placed:
        if path.rpartition("/")[0] not in folders:
            folders.update(parents(path))
    for path in folders:
        taken = placed.setdefault(path, None)
        if taken is not None:
            below = next(entry for name, entry in placed.items() if entry and name.startswith(f"{path}/"))
            raise _clash(path, taken.source.archive.label, below.source.archive.label)
    return {path: placed[path] for path in sorted(placed, key=walk_order)}


def _clash(path: str, first: str, second: str) -> BuildError:
    return BuildError(
        f"two wheels install /{path} with different content: {first} and {second}",
        hint="keep one of the two packages; which one wins would be chance",
    )


def _segments(entries: Mapping[str, _Placed | None]) -> Iterator[tuple[bytes, _Placed | None, Member | None]]:
    """The layer as literals, each with the wheel member that follows it (``None``: no member follows)."""
    literal: list[bytes] = []
    size = 0
    for path, placed in entries.items():
        if placed is None:
            block = header(TarEntry(path=path, type=DIRECTORY, mode=0o755))
        else:
            file = placed.file
            block = header(TarEntry(path=path, mode=placed.mode, size=file.size))
            if file.member is not None and file.size:
                literal.append(block)
                yield b"".join(literal), placed, file.member
                literal = [padding(file.size)]
                size = len(literal[0])
                continue
            block += file.content + padding(file.size)
        literal.append(block)
        size += len(block)
        if size >= _LITERAL_CUT:
            yield b"".join(literal), None, None
            literal = []
            size = 0
    literal.append(END_OF_ARCHIVE)
    yield b"".join(literal), None, None


def _framed(member: Member) -> Callable[[bytes], bytes]:
    """Gives what each raw piece of a member becomes in the blob."""
    if member.method == DEFLATED:
        return _same
    left = member.size

    def frame(piece: bytes) -> bytes:
        nonlocal left
        left -= len(piece)
        return stored_blocks(piece, final=not left)

    return frame


def _same(piece: bytes) -> bytes:
    return piece


class _RecordCheck:
    """Compares a file's content with its digest in RECORD."""

    def __init__(self, archive: WheelArchive, file: PlannedFile, member: Member) -> None:
        self._algorithm = file.digest.partition("=")[0]
        self._hash = hashlib.new(self._algorithm)
        self._archive = archive
        self._expected = file.digest
        self._name = member.name

    def update(self, piece: bytes) -> None:
        self._hash.update(piece)

    def finish(self) -> None:
        if encode_digest(self._algorithm, self._hash.digest()) != self._expected:
            raise self._archive.refuse(self._name, "does not have the digest that RECORD gives")


def wheel_layer(
    wheels: Sequence[WheelFile],
    *,
    prefix: str,
    python: str,
    trees: Mapping[str, Path] | None = None,
    progress: Callable[[int], None] | None = None,
) -> LayerDigests:
    """Judge the wheels and take the digests of their layer, in one read and one inflate.

    Every file is checked against the archive's CRC-32 and against RECORD. Thread-safe; memory does not grow with
    the size of the wheels' files.

    Args:
        wheels: what goes into the layer; their order does not matter.
        prefix: where the Python environment stands in the image, ``/opt/venv``.
        python: its version, ``3.11``.
        trees: sha256 of a wheel to the empty folder its files are written below, in the same pass; a file's path
            there is its path in the image.
        progress: is told how many more compressed bytes are done.

    Raises:
        IntegrityError: a wheel is unsafe, damaged, or its RECORD lies.
        BuildError: two wheels install one path with different content, or a wheel cannot be read.
        OSError: a tree cannot be written.
    """
    with ExitStack() as stack:
        sources = _open_sources(stack, wheels, prefix=prefix, python=python)
        entries = _merge(sources)
        writers = _write_made_files(sources, trees or {})
        total = sum(placed.file.size for placed in entries.values() if placed)
        pipeline: Pipeline = InlinePipeline() if total < _SMALL_LAYER else ThreadPipeline()
        blob = HashedStream(pipeline)
        tar = HashedStream(pipeline)
        with pipeline:
            for literal, placed, member in _segments(entries):
                tar.update(literal)
                blob.update(gzip_literal(literal))
                if placed is not None and member is not None:
                    writer = writers.get(placed.source.wheel.sha256)
                    _pass_member(placed, member, tar=tar, blob=blob, pipeline=pipeline, writer=writer)
                    if progress is not None:
                        progress(member.compressed_size)
            tar.flush()
            blob.flush()
        _check_rest(sources, entries, writers)
        for writer in writers.values():
            writer.finish()
        files = {path: (placed.file.size, placed.file.digest) for path, placed in entries.items() if placed}
        return LayerDigests(
            diff_id=tar.digest(),
            digest=blob.digest(),
            size=blob.size,
            tar_size=tar.size,
            claims=make_claims(files, prefix=prefix, python=python),
        )


def _write_made_files(sources: Sequence[_Source], trees: Mapping[str, Path]) -> dict[str, TreeWriter]:
    """Writers by wheel, for the wheels that have a tree; what is generated stands there already."""
    writers = {}
    for source in sources:
        if source.wheel.sha256 in trees:
            writer = TreeWriter(trees[source.wheel.sha256])
            writers[source.wheel.sha256] = writer
            for path, file in source.files.items():
                if file.member is None:
                    writer.write(path, file.mode, file.content)
    return writers


def _pass_member(
    placed: _Placed,
    member: Member,
    *,
    tar: HashedStream,
    blob: HashedStream,
    pipeline: Pipeline,
    writer: TreeWriter | None,
) -> None:
    """Let a member's bytes go by: into both digests, the check against RECORD, and the tree."""
    file, archive = placed.file, placed.source.archive
    check = _RecordCheck(archive, file, member)
    frame = _framed(member)
    trailer = gzip_trailer(member.crc, member.size)
    if member.size <= _SMALL_FILE and member.compressed_size <= _SMALL_FILE:
        raw, content = archive.whole(member)
        check.update(content)  # here: handing so little to another thread costs more than hashing it
        check.finish()
        blob.update(b"".join((GZIP_HEADER, frame(raw), trailer)))
        tar.update(content)
        if writer is not None:
            writer.write(file.path, file.mode, content)
        return
    blob.update(GZIP_HEADER)
    pieces = archive.content(member, on_raw=lambda piece: blob.update(frame(piece)))
    descriptor = -1 if writer is None else writer.open(file.path, file.mode)
    try:
        for piece in pieces:
            tar.update(piece)
            pipeline.submit(partial(check.update, piece))
            if descriptor >= 0:
                write_all(descriptor, piece)
        pipeline.submit(check.finish)
    finally:
        if descriptor >= 0:
            TreeWriter.close(descriptor)
    blob.update(trailer)


def _check_rest(
    sources: Sequence[_Source],
    entries: Mapping[str, _Placed | None],
    writers: Mapping[str, TreeWriter],
) -> None:
    """Do for the members that are not in the stream (empty ones, second owners of a path) what it did for the rest."""
    for source in sources:
        writer = writers.get(source.wheel.sha256)
        for path, file in source.files.items():
            placed = entries[path]
            if file.member is None or (file.size and placed is not None and placed.source is source):
                continue
            check = _RecordCheck(source.archive, file, file.member)
            descriptor = -1 if writer is None else writer.open(path, file.mode)
            try:
                for piece in source.archive.content(file.member):
                    check.update(piece)
                    if descriptor >= 0:
                        write_all(descriptor, piece)
            finally:
                if descriptor >= 0:
                    TreeWriter.close(descriptor)
            check.finish()


def emit_blob(
    wheels: Sequence[WheelFile], *, prefix: str, python: str, expected: Digest | None = None
) -> Iterator[bytes]:
    """The bytes of the layer's blob again, without a blob on disk.

    Args:
        wheels: as given to ``wheel_layer``.
        prefix: as given to ``wheel_layer``.
        python: as given to ``wheel_layer``.
        expected: the blob's digest. With it the emitted bytes are hashed and nothing is inflated; the last piece is
            held back until the digest is known to be right. Without it every member is inflated for its CRC-32.

    Yields:
        Pieces of about half a mebibyte.

    Raises:
        IntegrityError: a wheel's bytes are not what they were.
    """
    with ExitStack() as stack:
        sources = _open_sources(stack, wheels, prefix=prefix, python=python)
        pieces = _blob_pieces(_merge(sources), inflated=expected is None)
        yield from _guarded(_batched(pieces), expected, wheels)


def emit_tar(
    wheels: Sequence[WheelFile],
    *,
    prefix: str,
    python: str,
    expected: Digest | None = None,
    trees: Mapping[str, Path] | None = None,
) -> Iterator[bytes]:
    """The bytes of the layer's uncompressed tar again; every member's CRC-32 is checked.

    Args:
        wheels: as given to ``wheel_layer``.
        prefix: as given to ``wheel_layer``.
        python: as given to ``wheel_layer``.
        expected: the diff id. With it the last piece is held back until the digest is known to be right.
        trees: sha256 of a wheel to the folder ``wheel_layer`` extracted it to; its files are read there instead of
            inflated, which is why ``expected`` must be given with it.

    Yields:
        Pieces of half a mebibyte to one and a half.

    Raises:
        IntegrityError: a wheel's bytes are not what they were.
    """
    with ExitStack() as stack:
        sources = _open_sources(stack, wheels, prefix=prefix, python=python)
        pieces = _tar_pieces(_merge(sources), (trees or {}) if expected is not None else {})
        yield from _guarded(_batched(pieces), expected, wheels)


def _blob_pieces(entries: Mapping[str, _Placed | None], *, inflated: bool) -> Iterator[bytes]:
    for literal, placed, member in _segments(entries):
        yield gzip_literal(literal)
        if placed is None or member is None:
            continue
        frame = _framed(member)
        yield GZIP_HEADER
        if inflated:
            raw: list[bytes] = []
            for _ in placed.source.archive.content(member, on_raw=raw.append):
                yield from map(frame, raw)
                raw.clear()
            yield from map(frame, raw)
        else:
            yield from map(frame, placed.source.archive.raw(member))
        yield gzip_trailer(member.crc, member.size)


def _tar_pieces(entries: Mapping[str, _Placed | None], trees: Mapping[str, Path]) -> Iterator[bytes]:
    for literal, placed, member in _segments(entries):
        yield literal
        if placed is None or member is None:
            continue
        tree = trees.get(placed.source.wheel.sha256)
        if tree is None:
            yield from placed.source.archive.content(member)
        else:
            yield from _extracted(tree / placed.file.path)


def _extracted(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb", buffering=0) as file:
            while piece := file.read(_PIECE):
                yield piece
    except OSError as error:
        raise IntegrityError(
            f"{path} cannot be read ({error.strerror}), though its wheel was extracted there",
            hint="run `layerwright store verify --repair` and build again",
        ) from error


def _batched(pieces: Iterable[bytes]) -> Iterator[bytes]:
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= _EMITTED:
            yield b"".join(waiting) if len(waiting) > 1 else piece
            waiting = []
            size = 0
    if waiting:
        yield b"".join(waiting)


def _guarded(
    pieces: Iterable[bytes], expected: Digest | None, wheels: Sequence[WheelFile]
) -> Iterator[bytes]:
    if expected is None:
        yield from pieces
        return
    sha256 = hashlib.sha256()
    held = b""
    for piece in pieces:
        if held:
            yield held
        sha256.update(piece)
        held = piece
    if Digest.from_hex(sha256.hexdigest()) != expected:
        raise IntegrityError(
            f"the layer of {', '.join(wheel.file for wheel in wheels)} is no longer {expected}: "
            "a wheel's bytes changed on disk",
            hint="run 'layerwright store verify', then build again",
        )
    yield held
