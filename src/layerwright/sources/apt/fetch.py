"""Download of locked packages into the store."""

from collections.abc import Sequence

from layerwright.core.errors import NetworkError, ResolveError
from layerwright.core.events import BytesMoved, Reporter, TaskEnded, TaskStarted
from layerwright.host.http import HttpClient, HttpStatusError
from layerwright.lock.model import Deb
from layerwright.sources.apt.sourcelist import DebianMirror
from layerwright.store.store import Store

__all__ = ["deb_url", "fetch_debs"]

_PARALLEL = 6
_GONE = (404, 410)
_TASK = "fetch:debs"


def deb_url(deb: Deb, mirror: DebianMirror) -> str:
    """Return the address of a package.

    A path below ``pool/updates`` is the security archive's (its pool lies there, security.debian.org).
    """
    from urllib.parse import quote  # noqa: PLC0415  start-up

    if "://" in deb.path:
        return deb.path
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

    Raises:
        ResolveError: the archive no longer has a locked version.
        NetworkError: a server does not answer, or ``http`` is offline.
        IntegrityError: a package is not what the lock says.
    """
    missing = [deb for deb in debs if not store.has("debs", deb.sha256)]
    if not missing:
        return
    if http.offline:
        names = ", ".join(deb.name for deb in missing[:5]) + (", …" if missing[5:] else "")
        raise NetworkError(
            f"{len(missing)} Debian packages are needed ({names}), but --offline forbids the network"
        )
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  start-up

    total = sum(deb.size for deb in missing)
    title = f"{len(missing)} Debian packages"
    reporter(TaskStarted(task=_TASK, title=title, kind="fetch", total_bytes=total))
    failed = True
    pool = ThreadPoolExecutor(_PARALLEL)
    try:
        largest_first = sorted(missing, key=lambda deb: -deb.size)
        tasks = [pool.submit(_fetch, deb, store, http, mirror, reporter) for deb in largest_first]
        for task in tasks:
            task.result()
        failed = False
    finally:
        pool.shutdown(cancel_futures=True)
        reporter(TaskEnded(task=_TASK, failed=failed))


def _fetch(deb: Deb, store: Store, http: HttpClient, mirror: DebianMirror, reporter: Reporter) -> None:
    with store.lock(f"deb:{deb.sha256}"):
        if store.has("debs", deb.sha256):
            return
        url = deb_url(deb, mirror)
        try:
            with store.filling("debs", deb.sha256, size=deb.size) as part:
                http.download(
                    url,
                    part,
                    size=deb.size,
                    progress=lambda amount: reporter(BytesMoved(task=_TASK, amount=amount)),
                )
        except HttpStatusError as error:
            if error.status in _GONE:
                raise ResolveError(
                    f"{deb.name} {deb.version} is no longer in the archive ({url})",
                    hint="archives keep only the newest versions; lock again: layerwright lock --upgrade",
                ) from error
            raise
        store.adopt("debs", part, sha256=deb.sha256)
