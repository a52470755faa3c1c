"""The store: one object over its rooms."""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from layerwright.core.errors import BuildError
from layerwright.oci.digest import Digest
from layerwright.store.content import Content, ContentWriter
from layerwright.store.failures import told_when_full
from layerwright.store.images import Images, StoredImage
from layerwright.store.layout import Room, StoreLayout
from layerwright.store.locks import acquire
from layerwright.store.maintenance import Maintenance, PruneReport, StoreInfo, StoreReport
from layerwright.store.records import Records
from layerwright.store.removal import remove_tree
from layerwright.store.session import Session
from layerwright.store.trees import Trees

__all__ = ["Store"]


class Store:
    """Content-addressed cache on disk, safe for several builders at once and against being killed.

    What is used through an object (``has``, ``tree``, writing) is not pruned by anybody while the process lives and
    the object is not closed. Safe between threads. Errors of all methods: ``BuildError`` when the disk is full or
    the folder cannot be written.
    """

    def __init__(self, root: Path) -> None:
        """Use the folder, which is made (mode 0700) when something is first written."""
        self.root = root
        self._layout = StoreLayout(root=root)
        self._session = Session(self._layout)
        self._content = Content(self._layout, self._session)
        self._records = Records(self._layout, self._session)
        self._trees = Trees(self._layout, self._session)
        self._images = Images(self._layout, self._session, self._content)
        self._maintenance = Maintenance(self._layout, self._trees, self._images)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give up what is in use and remove temporary files; done by itself when the object or process ends."""
        self._session.close()

    def path(self, room: Room, hex_digest: str) -> Path:
        """Where the file with this sha256 stands or would stand.

        Raises:
            ValueError: not 64 hexadecimal digits.
        """
        return self._layout.content(room, hex_digest)

    def has(self, room: Room, hex_digest: str) -> bool:
        """Whether the file is there; if so it counts as used, now and by this process."""
        return self._content.has(room, hex_digest)

    def writer(self, room: Room, *, sha256: str = "", size: int = 0) -> AbstractContextManager[ContentWriter]:
        """Write a file: ``with store.writer("wheels", sha256=…) as writer: writer.write(data)``.

        Args:
            room: where it goes.
            sha256: what it must have, in hexadecimal digits; empty when unknown.
            size: bytes it must have; 0 when unknown.

        Raises:
            IntegrityError: other bytes came than were announced; nothing is kept.
        """
        return self._content.writer(room, sha256=sha256, size=size)

    def adopt(self, room: Room, file: Path, *, sha256: str = "") -> str:
        """Take in a file; returns its sha256 in hexadecimal digits.

        A file below the store's root (``part_path``, ``scratch``) is moved, any other is copied.

        Raises:
            IntegrityError: it has another sha256; if it stood below the root it is removed.
        """
        return self._content.adopt(room, file, sha256=sha256)

    def part_path(self, room: Room, hex_digest: str) -> Path:
        """An (empty or part-filled) file for a resumable download; hold ``lock`` while filling, then ``adopt``."""
        return self._content.part_path(room, hex_digest)

    @contextmanager
    def filling(self, room: Room, hex_digest: str, *, size: int = 0) -> Iterator[Path]:
        """The ``part_path`` for a block that fills it; on a full disk it is emptied.

        A part that cannot be finished is of no use, and a disk without a free byte could not even be looked after.

        Raises:
            BuildError: the disk is full; names the store.
        """
        part = self.part_path(room, hex_digest)
        try:
            with told_when_full(self.root, needed=size):
                yield part
        except BuildError as error:
            if isinstance(error.__cause__, OSError):
                part.unlink(missing_ok=True)
            raise

    def read(self, room: Room, hex_digest: str) -> Iterator[bytes]:
        """The file in chunks of at most 1 MiB, verified at its end; a damaged file is removed.

        Raises:
            IntegrityError: it is missing or damaged.
        """
        return self._content.read(room, hex_digest)

    def read_record(self, kind: str, key: str) -> bytes | None:
        """A record's data; None when absent or damaged."""
        return self._records.read(kind, key)

    def write_record(self, kind: str, key: str, data: bytes) -> None:
        """Write or replace a record, in one step."""
        self._records.write(kind, key, data)

    def tree(self, key: str) -> Path | None:
        """Folder of the finished tree, or None; it counts as used, now and by this process."""
        return self._trees.get(key)

    def discard(self, room: Room, hex_digest: str) -> None:
        """Remove a file, whoever still counts on it, and the names of images that stand on it: it must not be kept."""
        self._layout.content(room, hex_digest).unlink(missing_ok=True)
        self._images.drop_incomplete()

    def discard_record(self, kind: str, key: str) -> None:
        """Remove a record."""
        self._layout.record(kind, key).unlink(missing_ok=True)

    def discard_tree(self, key: str) -> None:
        """Remove a tree, whoever still counts on it."""
        self._trees.discard(key)

    def make_tree(self, key: str, *, size: int = 0) -> AbstractContextManager[Path]:
        """A new empty folder (mode 0755) that becomes the tree when the block ends well.

        When somebody else has finished the same tree meanwhile, theirs stays. Afterwards ask ``tree`` for its path.

        Args:
            key: a file name; the same key always means the same contents.
            size: bytes it will take, for the message when the disk is full.
        """
        return self._trees.make(key, size=size)

    @contextmanager
    def lock(self, name: str, *, shared: bool = False) -> Iterator[None]:
        """Hold the named lock for the block, against other processes and threads; not re-entrant."""
        self._session.folder()  # makes the root as it should be, and says clearly when that cannot be
        digest = hashlib.sha256(name.encode()).hexdigest()[:32]
        with told_when_full(self.root):
            handle = acquire(self._layout.locks / digest, shared=shared)
        try:
            yield
        finally:
            os.close(handle)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty folder (mode 0700) on the store's file system, removed after the block."""
        folder = self._session.temporary()
        try:
            with told_when_full(self.root):
                folder.mkdir(mode=0o700)
            with told_when_full(self.root, doubtful=True):
                yield folder
        finally:
            remove_tree(folder)

    def set_image(self, reference: str, manifest: Digest, *, needs: Sequence[tuple[Room, str]] = ()) -> None:
        """Let the reference name the manifest (a file of ``blobs``).

        Args:
            reference: any text.
            manifest: the manifest's digest.
            needs: other content the image is made of; when any of it is gone, so is the reference.
        """
        self._images.set(reference, manifest, needs)

    def image(self, reference: str) -> Digest | None:
        """The manifest's digest, when everything the reference stands on is there."""
        found = self._images.get(reference)
        return found.manifest if found is not None else None

    def images(self) -> Mapping[str, Digest]:
        """All whole references with their manifests' digests, sorted."""
        return {image.reference: image.manifest for image in self._images.all()}

    def stored_images(self) -> tuple[StoredImage, ...]:
        """All whole references with all they stand on, sorted."""
        return self._images.all()

    def info(self) -> StoreInfo:
        """Count and measure everything."""
        return self._maintenance.info()

    def verify(self, *, repair: bool = False, progress: Callable[[int], None] | None = None) -> StoreReport:
        """Hash every file, check every record and tree; ``repair`` takes damaged ones away."""
        return self._maintenance.verify(repair=repair, progress=progress)

    def prune(self, *, keep_size: int) -> PruneReport:
        """Remove what was used longest ago until at most ``keep_size`` bytes are left; never what is in use."""
        return self._maintenance.prune(keep_size=keep_size)
