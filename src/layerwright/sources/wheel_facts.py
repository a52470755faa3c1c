"""Facts of locked wheels before they are downloaded: from the store, from this machine, else from pieces of them."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from layerwright.core.addresses import mask_credentials
from layerwright.core.errors import IntegrityError, LayerwrightError, NetworkError
from layerwright.core.events import BytesMoved, Reporter, TaskEnded, TaskStarted
from layerwright.facts.model import WheelFacts
from layerwright.host.environment import HostEnvironment
from layerwright.host.http import HttpClient, RangesRefusedError
from layerwright.lock.model import LockedWheel
from layerwright.sources.choose import local_path
from layerwright.sources.locate import CHANGED, Located, Locator
from layerwright.sources.parallel import in_parallel
from layerwright.spec.model import Index
from layerwright.store.store import Store

__all__ = ["FACTS_FORMAT", "NoFacts", "WheelFactsReader"]

FACTS_FORMAT: Final = 1
"""Raised when older facts would mislead: they are then read anew."""

_KIND: Final = "facts"
_THREADS: Final = 5
_SMALL: Final = 1 << 19
"""Bytes of a wheel that is fetched whole: one request, and its digest is verified."""

_WHOLE: Final = 32 << 20
"""Bytes of a wheel that is fetched whole from a server that cannot send pieces."""

_METADATA: Final = 16 << 20


class NoFacts(msgspec.Struct, frozen=True):
    """Nobody could look into a wheel.

    Attributes:
        why: one sentence without a full stop.
    """

    why: str


class WheelFactsReader:
    """Reads facts of locked wheels; safe to use from several threads and processes.

    Args of the constructor:
        store: where facts are kept, and wheels may lie.
        host: the caller's surroundings.
        indexes: the spec's, by name.
        root: folder that relative paths of the lock start from.
        reporter: gets progress.
        offline: nothing may be asked of the network; the store and this machine still serve.
        http: the client; made from the rest when not given.
    """

    def __init__(
        self,
        *,
        store: Store,
        host: HostEnvironment,
        indexes: Mapping[str, Index],
        root: Path,
        reporter: Reporter,
        offline: bool = False,
        http: HttpClient | None = None,
    ) -> None:
        self._store = store
        self._reporter = reporter
        self._root = root
        self._http = http or HttpClient(variables=host.variables, offline=offline)
        self._locator = Locator(self._http, host, indexes, root)
        self._decoder = msgspec.msgpack.Decoder(WheelFacts)

    def read(self, wheels: Sequence[LockedWheel]) -> Mapping[str, WheelFacts | NoFacts]:
        """Facts by sha256 of the wheel; a wheel that cannot be looked into gives the reason instead.

        Facts that came from pieces are replaced once the wheel itself is in the store.

        Args:
            wheels: may name a wheel several times.

        Raises:
            BuildError: the store cannot be read or written.
        """
        found: dict[str, WheelFacts | NoFacts] = {}
        todo: dict[str, LockedWheel] = {}
        for wheel in wheels:
            if wheel.sha256 in found or wheel.sha256 in todo:
                continue
            known = self.known(wheel.sha256)
            if known is not None and (known.reach == "whole" or not self._in_store(wheel)):
                found[wheel.sha256] = known
            else:
                todo[wheel.sha256] = wheel
        # the largest first: they take longest
        ordered = sorted(todo.values(), key=lambda wheel: -wheel.size)
        for wheel, facts in zip(ordered, in_parallel(self._one, ordered, threads=_THREADS), strict=True):
            found[wheel.sha256] = facts
        return found

    def known(self, sha256: str) -> WheelFacts | None:
        """Facts that were read before."""
        data = self._store.read_record(_KIND, _key(sha256))
        if data is None:
            return None
        try:
            return self._decoder.decode(data)
        except msgspec.DecodeError:
            return None

    def _in_store(self, wheel: LockedWheel) -> bool:
        return self._store.path("wheels", wheel.sha256).is_file()

    def _one(self, wheel: LockedWheel) -> WheelFacts | NoFacts:
        """Facts of one wheel, with its events; read by one process of this machine at a time."""
        task = f"facts:{wheel.file}"
        self._reporter(TaskStarted(task=task, title=f"{wheel.name} {wheel.version}", kind="facts"))

        def moved(amount: int) -> None:
            self._reporter(BytesMoved(task=task, amount=amount))

        try:
            with self._store.lock(f"facts:{wheel.sha256}"):
                facts = self._settled(wheel, moved)
        except BaseException:
            self._reporter(TaskEnded(task=task, failed=True))
            raise
        why = facts.why if isinstance(facts, NoFacts) else ""
        self._reporter(TaskEnded(task=task, failed=bool(why), detail=why))
        return facts

    def _settled(self, wheel: LockedWheel, moved: Callable[[int], None]) -> WheelFacts | NoFacts:
        known = self.known(wheel.sha256)  # somebody else may have read it meanwhile
        if known is not None and (known.reach == "whole" or not self._in_store(wheel)):
            return known
        try:
            facts = self._look(wheel, moved)
        except (LayerwrightError, OSError) as error:
            if known is not None:
                return known
            return NoFacts(error.what if isinstance(error, LayerwrightError) else _system_error(wheel, error))
        self._store.write_record(_KIND, _key(wheel.sha256), msgspec.msgpack.encode(facts))
        return facts

    def _look(self, wheel: LockedWheel, moved: Callable[[int], None]) -> WheelFacts:
        if self._in_store(wheel) and self._store.has("wheels", wheel.sha256):
            return self._local(wheel, self._store.path("wheels", wheel.sha256))
        located = self._locator.find(
            title=f"{wheel.name} {wheel.version}",
            file=wheel.file,
            sha256=wheel.sha256,
            index=wheel.index,
            package=wheel.name,
            url=wheel.url,
        )
        path = local_path(located.address, self._root)
        if path is not None:
            _check(wheel, _digest(path))
            return self._local(wheel, path)
        return self._remote(wheel, located, moved)

    def _local(self, wheel: LockedWheel, path: Path) -> WheelFacts:
        from layerwright.facts.wheels import read_wheel_file  # noqa: PLC0415 - start-up

        with self._store.scratch() as scratch:
            return read_wheel_file(path, file=wheel.file, sha256=wheel.sha256, scratch=scratch)

    def _remote(self, wheel: LockedWheel, located: Located, moved: Callable[[int], None]) -> WheelFacts:
        from layerwright.facts.directory import WheelError  # noqa: PLC0415 - start-up
        from layerwright.sources.remote_wheel import read_remote_wheel  # noqa: PLC0415 - start-up

        size = wheel.size or self._http.size(located.address, credentials=located.credentials)
        if 0 < size <= _SMALL:
            return self._fetched(wheel, located, size, moved)

        def piece(begin: int, length: int) -> bytes:
            data = self._http.read_range(
                located.address, begin, length, total=size, credentials=located.credentials
            )
            moved(len(data))
            return data

        if not size:
            unknown = NetworkError(f"{mask_credentials(located.address)} does not tell its size")
            return self._metadata(wheel, located, size, unknown, moved)
        try:
            return read_remote_wheel(piece, file=wheel.file, sha256=wheel.sha256, size=size)
        except RangesRefusedError as error:
            if size <= _WHOLE:
                return self._fetched(wheel, located, size, moved)
            return self._metadata(wheel, located, size, error, moved)
        except WheelError as error:
            return self._metadata(wheel, located, size, error, moved)

    def _fetched(
        self, wheel: LockedWheel, located: Located, size: int, moved: Callable[[int], None]
    ) -> WheelFacts:
        """Read a wheel that is small enough to be fetched whole."""
        from layerwright.facts.access import BytesAccess  # noqa: PLC0415 - start-up
        from layerwright.facts.wheels import read_wheel  # noqa: PLC0415 - start-up

        data = self._http.get(located.address, limit=size, credentials=located.credentials).data
        moved(len(data))
        _check(wheel, hashlib.sha256(data).hexdigest())
        return read_wheel(BytesAccess(data), file=wheel.file, sha256=wheel.sha256, bytes_read=len(data))

    def _metadata(
        self,
        wheel: LockedWheel,
        located: Located,
        size: int,
        error: LayerwrightError,
        moved: Callable[[int], None],
    ) -> WheelFacts:
        """The metadata alone, which an index may serve beside the wheel (PEP 658); else the error."""
        from layerwright.facts.wheels import make_facts, read_metadata  # noqa: PLC0415 - start-up

        if not located.metadata:
            raise error
        address = f"{located.address}.metadata"
        data = self._http.get(address, limit=_METADATA, credentials=located.credentials).data
        moved(len(data))
        found = hashlib.sha256(data).hexdigest()
        if located.metadata_sha256 and found != located.metadata_sha256:
            raise IntegrityError(
                f"{wheel.file}.metadata has sha256 {found}, the index says {located.metadata_sha256}"
            )
        return make_facts(
            (),
            read_metadata(data, file=wheel.file),
            (),
            file=wheel.file,
            sha256=wheel.sha256,
            reach="metadata",
            size=size,
            bytes_read=len(data),
            why_not=error.what,
        )


def _key(sha256: str) -> str:
    return f"{sha256}-{FACTS_FORMAT}"


def _check(wheel: LockedWheel, found: str) -> None:
    if found != wheel.sha256:
        raise IntegrityError(
            f"{wheel.file} is not what the lock says: expected sha256 {wheel.sha256}, got {found}",
            hint=CHANGED,
        )


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise NetworkError(f"cannot read {path}: {error.strerror}") from error


def _system_error(wheel: LockedWheel, error: OSError) -> str:
    return f"cannot read {wheel.file}: {error.strerror or error}"
