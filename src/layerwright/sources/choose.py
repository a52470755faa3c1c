"""uv's answer → the wheels and sources of a lock: one file per package, with size and digest."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import unquote, urlsplit

from layerwright.core.errors import IntegrityError, NetworkError, ResolveError
from layerwright.core.source import Location
from layerwright.host.environment import HostEnvironment
from layerwright.host.http import HttpClient
from layerwright.lock.model import LockedSource, LockedWheel
from layerwright.resolve.ports import PackageRequest, PackageSet
from layerwright.sources.credentials import Credentials, address_credentials
from layerwright.sources.indexes import IndexReader, Site, file_name
from layerwright.sources.parallel import in_parallel
from layerwright.sources.pylock import Answer, distribution_file
from layerwright.sources.requirements import package_name
from layerwright.sources.tags import OLDEST_GLIBC, choose_wheel
from layerwright.spec.model import GitPackage, PathPackage, UrlPackage

if TYPE_CHECKING:
    from packaging.pylock import PackageArchive, PackageSdist, PackageWheel

__all__ = ["AddressSizer", "local_path", "make_set", "same_host"]

_SHA256: Final = "sha256"


class AddressSizer:
    """Sizes of addresses and files; satisfies ``resolve.FileSizer``."""

    def __init__(self, http: HttpClient, host: HostEnvironment, root: Path) -> None:
        self._http = http
        self._host = host
        self._root = root

    def file_size(self, url: str) -> int:
        """Size in bytes, 0 when the server does not say.

        Args:
            url: an address; a path is taken relative to the project.

        Raises:
            ResolveError: there is no such file on this machine.
            NetworkError: the server cannot be asked.
        """
        path = local_path(url, self._root)
        if path is None:
            return self._http.size(url, credentials=address_credentials(url, self._host))
        if not path.is_file():
            raise ResolveError(f"there is no file {path}")
        return path.stat().st_size


def local_path(address: str, root: Path) -> Path | None:
    """The file that an address names on this machine; None for an address elsewhere."""
    if address.startswith("file:"):
        return Path(unquote(urlsplit(address).path))
    return None if "://" in address else root / Path(address).expanduser()


def make_set(
    answers: Sequence[Answer],
    folder: Path,
    request: PackageRequest,
    reader: IndexReader,
    host: HostEnvironment,
) -> PackageSet:
    """Choose one file per entry of uv's answer, with its size and digest.

    Args:
        answers: the entries.
        folder: where the answer was written; relative paths start there.
        request: what was asked.
        reader: lists the files of indexes.
        host: the caller's surroundings.

    Raises:
        ResolveError: a package has no file for this Python and platform.
        IntegrityError: a file of this machine is not the one whose digest the spec states.
        NetworkError: a size or digest that uv does not know cannot be had.
    """
    chooser = _Chooser(folder, request, reader, host)
    items = in_parallel(chooser.item, answers)
    return PackageSet(
        wheels=tuple(item for item in items if isinstance(item, LockedWheel)),
        sources=tuple(item for item in items if isinstance(item, LockedSource)),
    )


class _Chooser:
    """Entry → locked item."""

    def __init__(
        self, folder: Path, request: PackageRequest, reader: IndexReader, host: HostEnvironment
    ) -> None:
        self._folder = folder
        self._request = request
        self._reader = reader
        self._host = host

    def item(self, answer: Answer) -> LockedWheel | LockedSource:
        entry = answer.entry
        if entry.directory is not None:
            return self._source(answer, "path", self._path(answer, entry.directory.path))
        if entry.vcs is not None:
            package = answer.package
            stated = entry.vcs.url or entry.vcs.path or ""
            address = package.git if isinstance(package, GitPackage) else stated
            return self._source(
                answer, "git", address, commit=entry.vcs.commit_id, subdirectory=entry.vcs.subdirectory or ""
            )
        if entry.archive is not None:
            return self._archive(answer, entry.archive)
        return self._from_index(answer, answer.site)

    def _from_index(self, answer: Answer, site: Site | None) -> LockedWheel | LockedSource:
        entry = answer.entry
        if site is None:
            raise ValueError(f"{entry.name} comes from no index")
        name, version = str(entry.name), str(entry.version)
        request = self._request
        wheels = {distribution_file(wheel): wheel for wheel in entry.wheels or ()}
        file = choose_wheel(wheels, python=request.python, platform=request.platform, glibc=request.glibc)
        if file:
            size, sha256 = self._facts(name, wheels[file], site)
            return LockedWheel(
                name=name,
                version=version,
                file=file,
                sha256=sha256,
                size=size,
                index=site.name,
                requested=answer.own,
            )
        if entry.sdist is None:
            raise self._nothing_fits(name, version, site)
        size, sha256 = self._facts(name, entry.sdist, site)
        return LockedSource(
            name=name,
            version=version,
            kind="sdist",
            source=distribution_file(entry.sdist),
            sha256=sha256,
            size=size,
            index=site.name,
            requested=answer.own,
        )

    def _archive(self, answer: Answer, archive: "PackageArchive") -> LockedWheel | LockedSource:
        entry, package = answer.entry, answer.package
        address = archive.url.partition("#")[0] if archive.url else ""
        path = local_path(address, self._folder) if address else self._folder / (archive.path or "")
        if isinstance(package, UrlPackage):
            url, sha256 = package.url.partition("#")[0], package.sha256
        else:
            # a path is locked as the spec has it, so that the lock holds on other machines
            url = address if path is None else self._path(answer, str(path))
            sha256 = archive.hashes.get(_SHA256, "")
        if path is not None:
            size = archive.size or path.stat().st_size
            found = _digest_of_file(path)
            if isinstance(package, UrlPackage) and found != sha256:
                raise IntegrityError(
                    f"{url} is not what the spec says: expected sha256 {sha256}, got {found}",
                    where=package.location,
                    hint="if the file is the one you mean, write its digest into the spec",
                )
            sha256 = found
        else:
            credentials = address_credentials(address, self._host)
            size = archive.size or self._reader.http.size(address, credentials=credentials)
            sha256 = sha256 or self._digest_of_address(address, credentials)
        file = path.name if path is not None else file_name(address)
        name, version = str(entry.name), str(entry.version or "")
        if file.endswith(".whl"):
            self._check_fits(answer, file)
            return LockedWheel(
                name=name, version=version, file=file, sha256=sha256, size=size, url=url, requested=answer.own
            )
        return LockedSource(
            name=name,
            version=version,
            kind="sdist",
            source=file,
            subdirectory=archive.subdirectory or "",
            sha256=sha256,
            size=size,
            url=url,
            requested=answer.own,
        )

    def _check_fits(self, answer: Answer, file: str) -> None:
        request = self._request
        if not choose_wheel([file], python=request.python, platform=request.platform, glibc=request.glibc):
            where = answer.package.location if answer.package else None
            raise ResolveError(f"{request.cell}: {file} does not fit {self._target()}", where=where)

    def _source(
        self,
        answer: Answer,
        kind: Literal["path", "git"],
        source: str,
        *,
        commit: str = "",
        subdirectory: str = "",
    ) -> LockedSource:
        version = answer.entry.version
        return LockedSource(
            name=str(answer.entry.name),
            version=str(version) if version else "",
            kind=kind,
            source=source,
            commit=commit,
            subdirectory=subdirectory,
            requested=answer.own,
        )

    def _path(self, answer: Answer, stated: str) -> str:
        """The path as the spec has it, else relative to the project where that is possible."""
        if isinstance(answer.package, PathPackage):
            return answer.package.path
        path = (self._folder / stated).resolve()
        root = self._request.root.resolve()
        return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)

    def _facts(self, name: str, item: "PackageWheel | PackageSdist", site: Site) -> tuple[int, str]:
        """Size and sha256, from uv, else from the index's page, else from the file itself."""
        file = distribution_file(item)
        address = item.url or item.path or ""
        sha256 = item.hashes.get(_SHA256, "")
        size = item.size or self._request.sizes.get(sha256, 0)
        path = local_path(address, self._folder)
        if path is not None:
            return size or path.stat().st_size, sha256 or _digest_of_file(path)
        if not sha256:
            listed = self._reader.find(site, name, file, "")
            sha256 = listed.sha256 if listed else ""
        credentials = (
            site.credentials if same_host(address, site.url) else address_credentials(address, self._host)
        )
        if not size:
            size = self._reader.http.size(address, credentials=credentials)
        return size, sha256 or self._digest_of_address(address, credentials)

    def _digest_of_address(self, address: str, credentials: Credentials | None) -> str:
        """The digest of a file whose index states none: it must be read once."""
        import tempfile  # noqa: PLC0415  # start-up

        with tempfile.TemporaryDirectory(prefix="layerwright-") as folder:
            part = Path(folder) / "file"
            self._reader.http.download(address, part, credentials=credentials)
            return _digest_of_file(part)

    def _nothing_fits(self, name: str, version: str, site: Site) -> ResolveError:
        request = self._request
        lines = [
            f"{request.cell}: {name} {version} has no file for {self._target()}, and no source to build one from"
        ]
        existing = self._existing(name, version, site)
        if existing:
            lines.append("it has:")
            lines += [f"  {file}" for file in existing]
        return ResolveError(
            "\n".join(lines), where=self._location(name), hint="choose another version, Python or base"
        )

    def _location(self, name: str) -> Location | None:
        request = self._request
        found = (
            package.location for package in request.packages if package_name(package, request.root) == name
        )
        return next(found, None)

    def _existing(self, name: str, version: str, site: Site) -> list[str]:
        try:
            files = self._reader.files(site, name)
        except NetworkError:
            return []
        return sorted(
            file.file for file in files if f"-{version}-" in file.file and file.file.endswith(".whl")
        )

    def _target(self) -> str:
        request = self._request
        oldest = ".".join(str(part) for part in OLDEST_GLIBC)
        glibc = f"glibc {request.glibc}" if request.glibc else f"an unknown glibc (taken as {oldest})"
        return f"Python {request.python} on {request.platform} with {glibc}"


def same_host(first: str, second: str) -> bool:
    """Whether two addresses have one scheme, host and port: only then may credentials travel from one to the other."""
    one, two = urlsplit(first), urlsplit(second)
    return (one.scheme, one.netloc.rpartition("@")[2]) == (two.scheme, two.netloc.rpartition("@")[2])


def _digest_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
