"""A package repository on disk made of locked packages, for apt to install from without a network."""

import os
from collections.abc import Sequence
from pathlib import Path

from layerwright.core.errors import EngineError, IntegrityError
from layerwright.host.environment import HostEnvironment
from layerwright.host.process import find_program, run
from layerwright.lock.model import Deb
from layerwright.store import Store

__all__ = ["local_repository", "newest_time"]

_TIMEOUT = 60.0
_RECORDS = "deb-fields"
_HEADER_BYTES = 68  # the archive's magic and its first member's header (ar(5))
_TIME = slice(24, 36)


def local_repository(debs: Sequence[Deb], folder: Path, *, store: Store, host: HostEnvironment) -> None:
    """Fill an empty folder with links to packages and the list ``Packages`` (a flat repository).

    Raises:
        IntegrityError: a package is not in the store.
        EngineError: dpkg-deb is missing.
    """
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  start-up

    program = find_program("dpkg-deb", host.path)
    if program is None:
        raise EngineError("dpkg-deb was not found", hint="install dpkg, or start from an image of a registry")
    with ThreadPoolExecutor(host.cpu_count) as pool:
        fields = list(pool.map(lambda deb: _fields(deb, program, store), debs))
    stanzas = []
    for deb, text in zip(debs, fields, strict=True):
        place = folder / f"{deb.sha256}.deb"
        try:
            os.link(store.path("debs", deb.sha256), place)
        except OSError:  # another file system
            place.symlink_to(store.path("debs", deb.sha256).absolute())
        stanzas.append(f"{text}\nFilename: ./{place.name}\nSize: {deb.size}\nSHA256: {deb.sha256}\n")
    (folder / "Packages").write_text("\n".join(stanzas), encoding="utf-8")


def newest_time(debs: Sequence[Deb], store: Store) -> int:
    """Return when the newest of some packages was made, in seconds since the epoch.

    Nothing in a package is younger than the package, so with this as SOURCE_DATE_EPOCH packaged files keep
    their own times, which caches compare, and all others get one time that depends on the packages alone.
    """
    return max((_time(deb, store) for deb in debs), default=0)


def _time(deb: Deb, store: Store) -> int:
    with store.path("debs", deb.sha256).open("rb") as stream:
        header = stream.read(_HEADER_BYTES)
    try:
        return int(header[_TIME])
    except ValueError:
        raise IntegrityError(f"{deb.name} {deb.version} is not a Debian package") from None


def _fields(deb: Deb, program: Path, store: Store) -> str:
    """Return a package's control fields, asked of dpkg-deb once and then remembered."""
    known = store.read_record(_RECORDS, deb.sha256)
    if known is not None:
        return known.decode()
    if not store.has("debs", deb.sha256):
        raise IntegrityError(
            f"{deb.name} {deb.version} is not in the store", hint="run `layerwright store verify`"
        )
    text = run([str(program), "--field", str(store.path("debs", deb.sha256))], timeout=_TIMEOUT).text.strip(
        "\n"
    )
    store.write_record(_RECORDS, deb.sha256, text.encode())
    return text
