"""Archives and wheels that the scripts' command lines name without a digest: the first that came is the one.

The digests stand in ``layerwright-musa.lock`` in the folder of the build, beside the lock of its spec; an address that
states its own, ``#sha256=…``, needs no entry.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import tomli
from msgspec import Struct, ValidationError, convert

from layerwright.core.errors import IntegrityError, LayerwrightError, NetworkError, UsageError
from layerwright.core.events import BytesMoved, Notice, TaskEnded, TaskStarted
from layerwright.spec.musa.addresses import Address
from layerwright.workflow.session import Session

if TYPE_CHECKING:
    from layerwright.host.http import HttpClient

__all__ = ["RECORD", "bring_files"]

RECORD: Final = "layerwright-musa.lock"
_VERSION: Final = 1
_LARGEST: Final = 2**20
_HEAD: Final = """\
# Digests of files that were named without one: what came first. Another file under the same address is refused;
# where the change is meant, remove its entry. Keep this file in version control, beside the lock.
"""
_BLOCK: Final = 2**20


class _File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    url: str
    sha256: str
    size: int


class _Record(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: int = _VERSION
    file: tuple[_File, ...] = ()


def bring_files(
    session: Session,
    addresses: Iterable[Address],
    folder: Path,
    *,
    missing: dict[str, LayerwrightError] | None = None,
) -> dict[str, str]:
    """Bring files into the store, each with the digest that its address states or that is recorded of it.

    Args:
        session: surroundings.
        addresses: of archives and wheels.
        folder: where the record stands; it exists.
        missing: takes the errors of files that cannot be had or are other ones, by address; without it the first is
            raised.

    Returns:
        sha256 by address.

    Raises:
        IntegrityError: a file is another than it was.
        NetworkError: a file cannot be had.
        UsageError: the record cannot be read or written.
    """
    from layerwright.host.http import HttpClient  # noqa: PLC0415 - start-up

    path = folder / RECORD
    known = {one.url: one for one in _read(path).file}
    http = HttpClient(variables=session.host.variables, offline=session.offline, downgrade=False)
    digests: dict[str, str] = {}
    new: list[_File] = []
    try:
        for address in addresses:
            recorded = known.get(address.url)
            sha256 = address.sha256 or (recorded.sha256 if recorded is not None else "")
            room: Literal["files", "wheels"] = "wheels" if address.file.endswith(".whl") else "files"
            if not sha256 or not session.store.has(room, sha256):
                record = path if recorded is not None and not address.sha256 else None
                try:
                    sha256 = _load(session, http, address, room, sha256, record)
                except (IntegrityError, NetworkError) as error:
                    if missing is None:
                        raise
                    missing[address.url] = error
                    continue
            digests[address.url] = sha256
            if not address.sha256 and recorded is None:
                size = session.store.path(room, sha256).stat().st_size
                new.append(_File(url=address.url, sha256=sha256, size=size))
    finally:
        # What has come stays, whatever became of the others.
        if new:
            _write(path, [*known.values(), *new])
            files = "1 file" if len(new) == 1 else f"{len(new)} files"
            session.reporter(
                Notice(message=f"{path}: digests of {files} recorded; other contents are refused from now on")
            )
    return digests


def _load(
    session: Session,
    http: "HttpClient",
    address: Address,
    room: Literal["files", "wheels"],
    sha256: str,
    record: Path | None,
) -> str:
    """Bring one file; returns its digest."""
    from layerwright.core.addresses import mask_credentials  # noqa: PLC0415 - start-up

    task = f"fetch:{address.file}"
    session.reporter(TaskStarted(task=task, title=address.file, kind="fetch"))
    try:
        with session.store.scratch() as scratch:
            part = scratch / "file"
            source = _local(address)
            if source is not None:
                _copy(source, part, address)
            else:
                _download(session, http, address, part, task)
            found = session.store.adopt(room, part, sha256=sha256)
    except IntegrityError as error:
        session.reporter(TaskEnded(task=task, failed=True))
        raise IntegrityError(
            f"--{address.field}: {mask_credentials(address.url)} is not what it was: {error.what}",
            hint=f"somebody changed it, or a proxy did; if the change is meant, remove its entry from {record}"
            if record is not None
            else "if the file is the one you mean, write its digest into the address",
        ) from error
    except BaseException:
        session.reporter(TaskEnded(task=task, failed=True))
        raise
    session.reporter(TaskEnded(task=task))
    return found


def _download(session: Session, http: "HttpClient", address: Address, part: Path, task: str) -> None:
    from layerwright.host.http import HttpStatusError  # noqa: PLC0415 - start-up
    from layerwright.sources.credentials import address_credentials  # noqa: PLC0415 - start-up
    from layerwright.store.failures import told_when_full  # noqa: PLC0415 - start-up

    def moved(amount: int) -> None:
        session.reporter(BytesMoved(task=task, amount=amount))

    try:
        with told_when_full(session.store.root):
            http.download(
                address.url, part, progress=moved, credentials=address_credentials(address.url, session.host)
            )
    except HttpStatusError as error:
        raise NetworkError(f"--{address.field}: {error.what}", hint=error.hint) from error
    except NetworkError as error:
        raise NetworkError(f"--{address.field}: {error.what}", hint=error.hint) from error


def _local(address: Address) -> Path | None:
    from urllib.parse import unquote, urlsplit  # noqa: PLC0415 - start-up

    if "://" not in address.url:
        return Path(address.url)
    parts = urlsplit(address.url)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def _copy(source: Path, part: Path, address: Address) -> None:
    try:
        with source.open("rb") as reader, part.open("wb") as writer:
            while block := reader.read(_BLOCK):
                writer.write(block)
    except OSError as error:
        if error.filename is None:
            raise  # the store's disk
        raise UsageError(
            f"--{address.field}: cannot read {source}: {error.strerror}", hint="give the path of the file"
        ) from error


def _read(path: Path) -> _Record:
    try:
        with path.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
    except FileNotFoundError:
        return _Record()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > _LARGEST:
        raise UsageError(f"{path} is larger than {_LARGEST >> 20} MiB: it is not what was written there")
    try:
        record = convert(tomli.loads(data.decode()), _Record)
    except (ValueError, ValidationError, RecursionError) as error:
        raise UsageError(
            f"{path} is damaged: {error}", hint="restore it, or remove it and trust anew"
        ) from error
    if record.version != _VERSION:
        raise UsageError(
            f"{path} has version {record.version}, and {_VERSION} is known", hint="update layerwright"
        )
    return record


def _write(path: Path, files: Iterable[_File]) -> None:
    """Write whole or not at all."""
    import tomli_w  # noqa: PLC0415 - start-up

    rows = [
        {"url": one.url, "sha256": one.sha256, "size": one.size}
        for one in sorted(files, key=lambda one: one.url)
    ]
    text = f"{_HEAD}{tomli_w.dumps({'version': _VERSION, 'file': rows})}"
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
