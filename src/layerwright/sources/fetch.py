"""Locked wheels, sdists and files → the store: in parallel, resumed, verified; nothing is asked for what is there."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from layerwright.core.errors import IntegrityError, LayerwrightError, NetworkError
from layerwright.core.events import BytesMoved, Reporter, TaskEnded, TaskStarted
from layerwright.core.source import Location
from layerwright.host.environment import HostEnvironment
from layerwright.host.http import HttpClient, HttpStatusError
from layerwright.lock.model import LockedFile, LockedSource, LockedWheel
from layerwright.sources.choose import local_path
from layerwright.sources.indexes import file_name
from layerwright.sources.locate import CHANGED, Located, Locator, origin
from layerwright.spec.model import Index
from layerwright.store.store import Store

__all__ = ["Fetcher"]

_PARALLEL: Final = 6
_LISTED: Final = 12
"""Missing files that an offline error names before it only counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """One file to bring.

    Attributes:
        title: what people read.
        file: its name.
        index: name of the index that lists it, empty for an address.
        package: normalized name of its package, empty for models.
        url: its address or path, empty for an index.
        where: the place in the spec that asks for it, None when only the lock does.
    """

    room: Literal["wheels", "sdists", "files"]
    sha256: str
    size: int
    title: str
    file: str
    index: str = ""
    package: str = ""
    url: str = ""
    where: Location | None = None

    @property
    def origin(self) -> str:
        """Where it comes from, for people."""
        return origin(self.index, self.url)

    def wrong(self, found: IntegrityError) -> IntegrityError:
        """The error for other bytes than those that were asked for: the spec states digests of files itself."""
        author = "spec" if self.room == "files" else "lock"
        hint = (
            CHANGED if author == "lock" else "if the file is the one you mean, write its digest into the spec"
        )
        return IntegrityError(
            f"{self.file} from {self.origin} is not what the {author} says: {found.what}", hint=hint
        )


class _StoppedError(Exception):
    """Another file has failed; this one is given up."""


class Fetcher:
    """Brings locked content into the store; safe to use from several threads.

    Args of the constructor:
        store: where it goes.
        host: the caller's surroundings.
        reporter: gets progress.
        indexes: the spec's, by name.
        root: folder that relative paths of the lock start from.
        offline: nothing may be asked of the network; folders and files of this machine still serve.
        http: the client; made from the rest when not given.
    """

    def __init__(
        self,
        *,
        store: Store,
        host: HostEnvironment,
        reporter: Reporter,
        indexes: Mapping[str, Index],
        root: Path,
        offline: bool = False,
        http: HttpClient | None = None,
    ) -> None:
        self._store = store
        self._reporter = reporter
        self._root = root
        self._http = http or HttpClient(variables=host.variables, offline=offline)
        self._locator = Locator(self._http, host, indexes, root)

    def fetch_wheels(self, wheels: Sequence[LockedWheel]) -> None:
        """Bring wheels into the room ``wheels``; errors as for ``fetch``."""
        self.fetch(wheels=wheels)

    def fetch_files(self, files: Sequence[LockedFile]) -> None:
        """Bring models and other files into the room ``files``; errors as for ``fetch``."""
        self.fetch(files=files)

    def fetch_sources(self, sources: Sequence[LockedSource]) -> None:
        """Bring sdists into the room ``sdists``; other sources need no fetching. Errors as for ``fetch``."""
        self.fetch(sources=sources)

    def fetch(
        self,
        *,
        wheels: Sequence[LockedWheel] = (),
        files: Sequence[LockedFile] = (),
        sources: Sequence[LockedSource] = (),
        places: Mapping[str, Location] = MappingProxyType({}),
    ) -> None:
        """Bring everything that the store lacks, the largest first.

        Args:
            wheels: go into the room ``wheels``.
            files: go into the room ``files``.
            sources: sdists go into the room ``sdists``; others need no fetching.
            places: sha256 to the place in the spec that errors point at.

        Raises:
            NetworkError: something cannot be had, or everything that is missing while ``offline``.
            IntegrityError: something has other bytes than the lock says; it is not kept.
            UsageError: the lock names an index that the spec does not have, or credentials are missing.
            BuildError: the disk is full.
        """
        wanted: dict[tuple[str, str], _Wanted] = {}
        for item in (*_of_wheels(wheels), *_of_files(files), *_of_sources(sources)):
            if not self._store.has(item.room, item.sha256):
                item = replace(item, where=places.get(item.sha256))  # noqa: PLW2901  # the same, better known
                wanted.setdefault((item.room, item.sha256), item)
        if not wanted:
            return
        todo = sorted(wanted.values(), key=lambda item: (-item.size, item.file))
        if self._http.offline:
            self._refuse_offline(todo)
        stop = threading.Event()
        _run_all([_Job(self, item, stop) for item in todo], stop)

    def bring(self, item: _Wanted, stop: threading.Event) -> None:
        """Bring one file, with its events."""
        task = f"fetch:{item.file or item.sha256}"
        self._reporter(TaskStarted(task=task, title=item.title, kind="fetch", total_bytes=item.size))

        def moved(amount: int) -> None:
            if stop.is_set():
                raise _StoppedError
            self._reporter(BytesMoved(task=task, amount=amount))

        try:
            # held while filling the part: two builders of one machine do not load the same file twice
            with self._store.lock(f"fetch:{item.room}:{item.sha256}"):
                cached = self._store.has(item.room, item.sha256)
                if not cached:
                    self._load(item, moved)
        except BaseException as error:
            self._reporter(TaskEnded(task=task, failed=True))
            if isinstance(error, LayerwrightError):
                error.where = error.where or item.where
            raise
        self._reporter(TaskEnded(task=task, cached=cached))

    def _load(self, item: _Wanted, moved: Callable[[int], None]) -> None:
        found = self._find(item)
        path = local_path(found.address, self._root)
        if path is not None:
            self._adopt(item, path)
            moved(path.stat().st_size)
            return
        part = self._store.part_path(item.room, item.sha256)
        resumed = part.stat().st_size
        moved(resumed)
        self._download(item, found, part, moved)
        try:
            self._adopt(item, part)
        except IntegrityError:
            if not resumed:
                raise
            # the part may be of another file, or of a machine that stopped in mid-write: once more, from the start
            part = self._store.part_path(item.room, item.sha256)
            self._download(item, found, part, moved)
            self._adopt(item, part)

    def _download(self, item: _Wanted, found: Located, part: Path, moved: Callable[[int], None]) -> None:
        try:
            with self._store.filling(item.room, item.sha256, size=item.size):
                self._http.download(
                    found.address, part, size=item.size, progress=moved, credentials=found.credentials
                )
        except HttpStatusError as error:
            raise NetworkError(f"{item.title}: {error.what}", hint=error.hint) from error
        except IntegrityError as error:
            part.unlink(missing_ok=True)
            raise item.wrong(error) from error

    def _adopt(self, item: _Wanted, path: Path) -> None:
        """Take a file in after comparing its digest."""
        try:
            self._store.adopt(item.room, path, sha256=item.sha256)
        except IntegrityError as error:
            raise item.wrong(error) from error
        except FileNotFoundError as error:
            raise NetworkError(f"{item.title}: there is no file {path}") from error
        except (IsADirectoryError, NotADirectoryError, PermissionError) as error:
            raise NetworkError(f"{item.title}: cannot read {path}: {error.strerror}") from error

    def _find(self, item: _Wanted) -> Located:
        return self._locator.find(
            title=item.title,
            file=item.file,
            sha256=item.sha256,
            index=item.index,
            package=item.package,
            url=item.url,
        )

    def _refuse_offline(self, todo: Iterable[_Wanted]) -> None:
        """Name everything at once that only the network can give."""
        missing = [item for item in todo if not self._is_here(item)]
        if not missing:
            return
        lines = [f"  {item.title} ({item.origin})" for item in missing[:_LISTED]]
        if missing[_LISTED:]:
            lines.append(f"  and {len(missing) - _LISTED} more")
        total = sum(item.size for item in missing)
        count = f"{len(missing)} file{'s are' if missing[1:] else ' is'}"
        size = f" ({total:,} bytes)" if total else ""
        raise NetworkError(
            "\n".join([f"{count} missing from the store{size}, and --offline forbids the network:", *lines]),
            hint="build once with the network, or give folders of wheels as indexes",
        )

    def _is_here(self, item: _Wanted) -> bool:
        if item.url:
            path = local_path(item.url, self._root)
            return path is not None and path.is_file()
        return self._locator.site(item.index).folder is not None


@dataclass(frozen=True, slots=True)
class _Job:
    fetcher: Fetcher
    item: _Wanted
    stop: threading.Event

    def __call__(self) -> None:
        self.fetcher.bring(self.item, self.stop)


def _run_all(jobs: Sequence[_Job], stop: threading.Event) -> None:
    """Run jobs on some threads; the first real error is raised once all have stopped."""
    from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait  # noqa: PLC0415  # start-up

    pool = ThreadPoolExecutor(max_workers=min(_PARALLEL, len(jobs)))
    futures = [pool.submit(job) for job in jobs]
    try:
        wait(futures, return_when=FIRST_EXCEPTION)
    finally:
        # an error or Ctrl-C has ended the wait, or all is done: what is under way sees it at its next bytes
        stop.set()
        pool.shutdown(cancel_futures=True)
    errors = [error for future in futures if not future.cancelled() and (error := future.exception())]
    for error in errors:
        if not isinstance(error, _StoppedError):
            raise error


def _of_wheels(wheels: Iterable[LockedWheel]) -> Iterable[_Wanted]:
    for wheel in wheels:
        yield _Wanted(
            room="wheels",
            sha256=wheel.sha256,
            size=wheel.size,
            title=f"{wheel.name} {wheel.version}",
            file=wheel.file,
            index=wheel.index,
            package=wheel.name,
            url=wheel.url,
        )


def _of_files(files: Iterable[LockedFile]) -> Iterable[_Wanted]:
    for file in files:
        name = file_name(file.url) or file.to.rpartition("/")[2]
        yield _Wanted(room="files", sha256=file.sha256, size=file.size, title=name, file=name, url=file.url)


def _of_sources(sources: Iterable[LockedSource]) -> Iterable[_Wanted]:
    for source in sources:
        if source.kind == "sdist":
            yield _Wanted(
                room="sdists",
                sha256=source.sha256,
                size=source.size,
                title=f"{source.name} {source.version}",
                file=source.source,
                index=source.index,
                package=source.name,
                url=source.url,
            )
