"""Where a locked file is to be had: its address and the credentials for it, by an index or by itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from layerwright.core.addresses import mask_credentials
from layerwright.core.errors import IntegrityError, NetworkError, UsageError
from layerwright.host.environment import HostEnvironment
from layerwright.host.http import HttpClient
from layerwright.sources.choose import same_host
from layerwright.sources.credentials import Credentials, address_credentials
from layerwright.sources.indexes import PYPI, IndexFile, IndexReader, Site, index_sites
from layerwright.spec.model import Index

__all__ = ["CHANGED", "Located", "Locator", "origin"]

CHANGED: Final = "somebody changed it, or a proxy did; if the change is meant, lock it again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """Where a file is to be had.

    Attributes:
        address: absolute, or a path relative to the project.
        credentials: user and password, None for none.
        metadata: an index offers the wheel's METADATA beside it (PEP 658).
        metadata_sha256: digest of that METADATA where the index states one.
    """

    address: str
    credentials: Credentials | None = field(default=None, repr=False)
    metadata: bool = False
    metadata_sha256: str = ""


def origin(index: str, url: str) -> str:
    """Where a locked file comes from, for people."""
    return f"index {index}" if index else mask_credentials(url)


class Locator:
    """Finds locked files; safe to use from several threads.

    Args of the constructor:
        http: asks indexes.
        host: the caller's surroundings.
        indexes: the spec's, by name.
        root: folder that relative paths of indexes start from.
    """

    def __init__(
        self, http: HttpClient, host: HostEnvironment, indexes: Mapping[str, Index], root: Path
    ) -> None:
        self._host = host
        self._indexes = indexes
        self._root = root
        self._reader = IndexReader(http)
        self._known_sites: Mapping[str, Site] | None = None

    def find(
        self, *, title: str, file: str, sha256: str, index: str = "", package: str = "", url: str = ""
    ) -> Located:
        """Where a file is to be had.

        Args:
            title: the file in errors.
            file: its name.
            sha256: its digest.
            index: name of the index that lists it, empty for an address.
            package: normalized name of its package.
            url: its address or path, empty for an index.

        Raises:
            NetworkError: the index cannot be asked or does not list the file.
            IntegrityError: the index lists a file of this name with another digest.
            UsageError: the spec does not have the index, or credentials are missing.
        """
        if url:
            return Located(address=url, credentials=address_credentials(url, self._host))
        site = self.site(index)
        listed = self._reader.find(site, package, file, sha256)
        if listed is None:
            raise self._not_listed(title, file, sha256, package, site)
        same = site.url and same_host(listed.url, site.url)
        return Located(
            address=listed.url,
            credentials=site.credentials if same else address_credentials(listed.url, self._host),
            metadata=listed.metadata,
            metadata_sha256=listed.metadata_sha256,
        )

    def site(self, name: str) -> Site:
        """The index as this machine reaches it.

        Raises:
            UsageError: the spec does not have it, or credentials are missing.
        """
        if self._known_sites is None:
            self._known_sites = {
                site.name: site for site in index_sites(self._indexes, self._host, self._root)
            }
        if name not in self._known_sites and name == PYPI:
            # locked before the spec named a default of its own
            sites = index_sites({}, self._host, self._root)
            self._known_sites = {**self._known_sites, PYPI: sites[0]}
        if name not in self._known_sites:
            raise UsageError(
                f"the lock names the index {name!r}, which the spec does not have",
                hint="run `layerwright lock`",
            )
        return self._known_sites[name]

    def _not_listed(
        self, title: str, file: str, sha256: str, package: str, site: Site
    ) -> NetworkError | IntegrityError:
        for listed in self._reader.files(site, package):
            if listed.file == file:
                return _other_digest(file, sha256, site.name, listed)
        return NetworkError(
            f"{title}: index {site.name} does not list {file}",
            hint=f"it may have been deleted there; lock again: layerwright lock --upgrade {package}",
        )


def _other_digest(file: str, sha256: str, index: str, listed: IndexFile) -> IntegrityError:
    return IntegrityError(
        f"{file} from {origin(index, '')} is not what the lock says:"
        f" expected sha256 {sha256}, the index has {listed.sha256}",
        hint=CHANGED,
    )
