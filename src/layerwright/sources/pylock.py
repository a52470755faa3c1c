"""uv's answer (PEP 751): what of the spec each entry is, and which index it comes from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from layerwright.core.errors import ResolveError
from layerwright.resolve.ports import PackageRequest
from layerwright.sources.indexes import IndexReader, Site, file_name
from layerwright.sources.parallel import in_parallel
from layerwright.sources.requirements import git_address, package_name, plain_git, url_address
from layerwright.spec.model import GitPackage, IndexPackage, Package, PathPackage, UrlPackage

if TYPE_CHECKING:
    from packaging.pylock import Package as LockedPackage
    from packaging.pylock import PackageSdist, PackageWheel

__all__ = ["Answer", "distribution_file", "read_pylock"]

_SHA256: Final = "sha256"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One entry of uv's answer.

    Attributes:
        entry: the entry.
        package: the package of the spec that it stands for, None for what another package brought.
        own: the spec's own cell names it (not a parent).
        site: the index it comes from, None for addresses, folders and repositories.
    """

    entry: "LockedPackage"
    package: Package | None
    own: bool
    site: Site | None


def read_pylock(
    text: str, folder: Path, request: PackageRequest, sites: Sequence[Site], reader: IndexReader
) -> tuple[Answer, ...]:
    """Read uv's answer and say for each entry what of the spec it is and which index it comes from.

    Args:
        text: the file.
        folder: where it was written; relative paths start there.
        request: what was asked.
        sites: indexes in the order in which uv asks them.
        reader: lists their files.

    Raises:
        ResolveError: the answer cannot be read.
        NetworkError: an index cannot be asked.
    """
    import tomli  # noqa: PLC0415  # start-up
    from packaging.pylock import Pylock, PylockValidationError  # noqa: PLC0415  # start-up

    try:
        lock = Pylock.from_dict(tomli.loads(text))
    except (tomli.TOMLDecodeError, PylockValidationError) as error:
        raise ResolveError(f"{request.cell}: uv's answer cannot be read: {error}") from error

    def answer(entry: "LockedPackage") -> Answer:
        package, own = _asked(entry, folder, request)
        from_index = entry.directory is None and entry.vcs is None and entry.archive is None
        site = _site_of(entry, sites, reader) if from_index else None
        return Answer(entry=entry, package=package, own=own, site=site)

    return tuple(in_parallel(answer, lock.packages))


def _site_of(entry: "LockedPackage", sites: Sequence[Site], reader: IndexReader) -> Site:
    """The index that lists the file uv took. With one index in question nothing is asked."""
    name = str(entry.name)
    candidates = [site for site in sites if not site.explicit or name in site.packages]
    if len(candidates) == 1:
        return candidates[0]
    files: list[PackageWheel | PackageSdist] = list(entry.wheels or ())
    if entry.sdist:
        files.append(entry.sdist)
    for site in candidates:
        for file in files:
            listed = reader.find(site, name, distribution_file(file), file.hashes.get(_SHA256, ""))
            if listed and _same_place(listed.url, file.url or file.path or ""):
                return site
    # mirrors may rewrite addresses between two requests: the name of the file then decides alone
    for site in candidates:
        if any(
            reader.find(site, name, distribution_file(file), file.hashes.get(_SHA256, "")) for file in files
        ):
            return site
    raise ResolveError(f"no index lists the files that uv chose for {name} {entry.version}")


def _same_place(listed: str, taken: str) -> bool:
    return unquote(listed.partition("#")[0]) == unquote(taken.partition("#")[0])


def distribution_file(item: "PackageWheel | PackageSdist") -> str:
    """File name of a wheel or sdist."""
    return item.name or file_name(item.url or item.path or "")


def _asked(entry: "LockedPackage", folder: Path, request: PackageRequest) -> tuple[Package | None, bool]:
    for packages, own in ((request.packages, True), (request.inherited, False)):
        for package in packages:
            if _stands_for(entry, package, folder, request.root):
                return package, own
    return None, False


def _local_archive(entry: "LockedPackage") -> str | None:
    """The file of this machine that an entry is; uv writes a path for an address of one too."""
    if entry.archive is None:
        return None
    url = entry.archive.url or ""
    return str(_file_of(url)) if url.startswith("file:") else entry.archive.path


def _file_of(address: str) -> Path:
    return Path(unquote(urlsplit(address).path))


def _stands_for(entry: "LockedPackage", package: Package, folder: Path, root: Path) -> bool:
    match package:
        case IndexPackage():
            return package_name(package, root) == str(entry.name)
        case PathPackage():
            place = entry.directory.path if entry.directory else _local_archive(entry)
            return place is not None and (folder / place).resolve() == (root / package.path).resolve()
        case UrlPackage(url=url) if url.startswith("file:"):
            place = _local_archive(entry)
            return (
                place is not None and (folder / place).resolve() == _file_of(url_address(package)).resolve()
            )
        case UrlPackage():
            address = (entry.archive.url or "") if entry.archive else ""
            return bool(address) and _same_place(address, url_address(package))
        case GitPackage():
            if entry.vcs is None:
                return False
            same = plain_git(entry.vcs.url or "") == plain_git(git_address(package, root))
            return same and (entry.vcs.subdirectory or "") == package.subdirectory
