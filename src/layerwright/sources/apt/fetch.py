"""Download of locked packages into the store."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from layerwright.core.addresses import mask_credentials
from layerwright.core.errors import IntegrityError, NetworkError, ResolveError
from layerwright.core.events import BytesMoved, Notice, Reporter, TaskEnded, TaskStarted
from layerwright.host.http import HttpClient, HttpStatusError
from layerwright.lock.model import Deb
from layerwright.sources.apt.sourcelist import DebianMirror
from layerwright.store.store import Store

if TYPE_CHECKING:
    from layerwright.sources.apt.snapshot import Snapshot

__all__ = ["deb_url", "fetch_debs"]

_PARALLEL: Final = 6
_GONE: Final = (404, 410)
_TASK: Final = "fetch:debs"
_LOCK_AGAIN: Final = "archives keep only the newest versions; lock again: layerwright lock --upgrade"
_CHANGED: Final = "somebody changed it, or a proxy did; if the change is meant, lock it again"


def deb_url(deb: Deb, mirror: DebianMirror) -> str:
    """Return the address of a package.

    A path below ``pool/updates`` is the security archive's (its pool lies there, security.debian.org).
    """
    from urllib.parse import quote  # noqa: PLC0415  start-up

    if "://" in deb.path:
        return mirror.asked(deb.path)
    root = mirror.security if deb.path.startswith("pool/updates/") else mirror.main
    # As apt writes it: "+" may mean a blank to a server.
    return f"{root}/{quote(deb.path, safe='/~')}"


def fetch_debs(
    debs: Sequence[Deb],
    store: Store,
    *,
    http: HttpClient,
    mirror: DebianMirror,
    reporter: Reporter,
) -> None:
    """Bring packages into the store's room ``debs``, verified by sha256; what is there is not asked for.

    What Debian's mirror no longer has comes from Debian's archive of everything; other archives have none.

    Raises:
        ResolveError: neither has a locked version any more.
        NetworkError: a server does not answer, or ``http`` is offline.
        IntegrityError: a package is not what the lock says.
        BuildError: the disk is full.
    """
    missing = [deb for deb in debs if not store.has("debs", deb.sha256)]
    if not missing:
        return
    if http.offline:
        names = ", ".join(deb.name for deb in missing[:5]) + (", …" if missing[5:] else "")
        raise NetworkError(
            f"{len(missing)} Debian packages are needed ({names}), but --offline forbids the network"
        )
    total = sum(deb.size for deb in missing)
    title = f"{len(missing)} Debian packages"
    reporter(TaskStarted(task=_TASK, title=title, kind="fetch", total_bytes=total))
    failed = True
    job = _Job(store=store, http=http, mirror=mirror, reporter=reporter)
    try:
        largest_first = sorted(missing, key=lambda deb: -deb.size)
        there = _each(job.from_mirror, largest_first, workers=_PARALLEL)
        gone = [deb for deb, had in zip(largest_first, there, strict=True) if not had]
        if gone:
            from layerwright.sources.apt.snapshot import SNAPSHOT_PARALLEL, Snapshot  # noqa: PLC0415  start-up

            snapshot = Snapshot.at(mirror.snapshot, http)
            count = f"{len(gone)} packages are" if gone[1:] else "1 package is"
            reporter(
                Notice(message=f"{count} no longer on the mirror; fetching from {snapshot.label} instead")
            )
            _each(lambda deb: job.from_snapshot(deb, snapshot), gone, workers=SNAPSHOT_PARALLEL)
        failed = False
    finally:
        reporter(TaskEnded(task=_TASK, failed=failed))


def _each(work: Callable[[Deb], bool], debs: Sequence[Deb], *, workers: int) -> list[bool]:
    """Do the work for all, in parallel; after the first error no more of it is begun."""
    from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait  # noqa: PLC0415  start-up

    pool = ThreadPoolExecutor(workers)
    try:
        tasks = [pool.submit(work, deb) for deb in debs]
        done, _ = wait(tasks, return_when=FIRST_EXCEPTION)
        # Those that are done first: one of them may hold the error that the others are given up for.
        for task in done:
            task.result()
        return [task.result() for task in tasks]
    finally:
        pool.shutdown(cancel_futures=True)


class _Job(Struct, frozen=True, kw_only=True):
    """What is needed to bring one package."""

    store: Store
    http: HttpClient
    mirror: DebianMirror
    reporter: Reporter

    def from_mirror(self, deb: Deb) -> bool:
        """Bring a package from its archive; False when Debian's own no longer has it."""
        with self.store.lock(f"deb:{deb.sha256}"):
            if self.store.has("debs", deb.sha256):
                return True
            try:
                self._bring(deb, deb_url(deb, self.mirror), self.http)
            except HttpStatusError as error:
                if error.status not in _GONE:
                    raise
                if self.mirror.has(deb.path):
                    return False
                raise ResolveError(self._gone(deb), hint=_LOCK_AGAIN) from error
            return True

    def from_snapshot(self, deb: Deb, snapshot: "Snapshot") -> bool:
        """Bring a package that the mirror does not have from the archive of everything."""
        with self.store.lock(f"deb:{deb.sha256}"):
            if self.store.has("debs", deb.sha256):
                return True
            wrong: IntegrityError | None = None
            try:
                with snapshot.turn():
                    for address in snapshot.addresses(deb):
                        try:
                            self._bring(deb, address, snapshot.http)
                        except IntegrityError as error:
                            wrong = error
                        except HttpStatusError as error:
                            if error.status not in _GONE:
                                raise
                        else:
                            return True
            except NetworkError as error:
                raise NetworkError(
                    f"{self._gone(deb)}, and Debian's archive of everything did not help: {error.what}",
                    hint=f"{_LOCK_AGAIN}; another address of that archive can stand in LAYERWRIGHT_DEBIAN_SNAPSHOT",
                ) from error
        raise wrong or ResolveError(
            f"{self._gone(deb)}, and {snapshot.label} does not have it either", hint=_LOCK_AGAIN
        )

    def _bring(self, deb: Deb, url: str, http: HttpClient) -> None:
        def moved(amount: int) -> None:
            self.reporter(BytesMoved(task=_TASK, amount=amount))

        with self.store.filling("debs", deb.sha256, size=deb.size) as part:
            try:
                http.download(url, part, size=deb.size, progress=moved)
                self.store.adopt("debs", part, sha256=deb.sha256)
            except IntegrityError as error:
                part.unlink(missing_ok=True)
                raise IntegrityError(
                    f"{deb.name} {deb.version} from {mask_credentials(url)} is not what the lock says: {error.what}",
                    hint=_CHANGED,
                ) from error

    def _gone(self, deb: Deb) -> str:
        url = mask_credentials(deb_url(deb, self.mirror))
        return f"{deb.name} {deb.version} is no longer in the archive ({url})"
