"""Package indexes as this machine reaches them, and the files they list.

The spec and the lock know an index by name. ``LAYERWRIGHT_INDEX_<NAME>`` in the caller's environment
(upper case, ``-`` and ``.`` as ``_``) puts a mirror or a folder in the place of its address on this machine only.
"""

import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from layerwright.core.addresses import mask_credentials, split_userinfo
from layerwright.core.errors import NetworkError, UsageError
from layerwright.core.source import Location
from layerwright.host.environment import HostEnvironment
from layerwright.host.http import HttpClient, HttpStatusError
from layerwright.sources.credentials import Credentials, address_credentials, index_credentials
from layerwright.spec.model import Index
from layerwright.spec.requirement import normalize_name

__all__ = ["PYPI", "IndexFile", "IndexReader", "Site", "file_name", "index_sites", "variable_name"]

PYPI: Final = "pypi"
"""Name of the index that is used when the spec names no default."""

_PYPI_URL: Final = "https://pypi.org/simple"
_ACCEPT: Final = (
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.2, text/html; q=0.01"
)
_PAGE_LIMIT: Final = 128 << 20
_NOT_FOUND: Final = (404, 410)
_METADATA_KEYS: Final = ("data-core-metadata", "data-dist-info-metadata")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """An index as this machine reaches it.

    Attributes:
        name: its name in the spec, ``pypi`` for PyPI.
        url: address without credentials; empty for a folder.
        folder: the folder of a flat index on this machine; None for an address.
        format: ``simple`` or ``flat``.
        default, explicit, packages: as in the spec.
        credentials: user and password, None for none.
    """

    name: str
    url: str = ""
    folder: Path | None = None
    format: Literal["simple", "flat"] = "simple"
    default: bool = False
    explicit: bool = False
    packages: tuple[str, ...] = ()
    credentials: Credentials | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFile:
    """A file that an index lists.

    Attributes:
        url: absolute address, ``file://`` for folders.
        sha256: 64 hexadecimal digits, empty when the index does not say.
        size: bytes, 0 when the index does not say.
        metadata: the index serves the wheel's METADATA at this address with ``.metadata`` at its end (PEP 658).
        metadata_sha256: digest of that METADATA, empty when the index does not say.
    """

    file: str
    url: str
    sha256: str = ""
    size: int = 0
    metadata: bool = False
    metadata_sha256: str = ""


def variable_name(index: str) -> str:
    """Name of the variable that puts another address in an index's place."""
    return "LAYERWRIGHT_INDEX_" + re.sub(r"[-.\s]", "_", index).upper()


def index_sites(indexes: Mapping[str, Index], host: HostEnvironment, root: Path) -> tuple[Site, ...]:
    """The indexes in the order in which they are asked: as declared, the default (or PyPI) last.

    Raises:
        UsageError: credentials that the spec promises are missing, or a folder is.
    """
    named = sorted(indexes.values(), key=lambda index: index.default)
    sites = [
        _site(
            index.name,
            index.url,
            host,
            root,
            format_=index.format,
            default=index.default,
            explicit=index.explicit,
            packages=tuple(normalize_name(name) for name in index.packages),
            source=index.credentials,
            where=index.location,
        )
        for index in named
    ]
    if not any(index.default for index in named):
        sites.append(_site(PYPI, _PYPI_URL, host, root, default=True))
    return tuple(sites)


def _site(
    name: str,
    url: str,
    host: HostEnvironment,
    root: Path,
    *,
    format_: Literal["simple", "flat"] = "simple",
    default: bool = False,
    explicit: bool = False,
    packages: tuple[str, ...] = (),
    source: str = "",
    where: Location | None = None,
) -> Site:
    mirror = host.variables.get(variable_name(name), "")
    address, user, password = split_userinfo(mirror or url)
    folder = _folder(address, root)
    if folder is not None:
        if not folder.is_dir():
            hint = f"it comes from {variable_name(name)}" if mirror else ""
            raise UsageError(f"index {name}: there is no folder {folder}", where=where, hint=hint)
        return Site(
            name=name, folder=folder, format="flat", default=default, explicit=explicit, packages=packages
        )
    if user or password:
        credentials: Credentials | None = (user, password)
    elif mirror:
        # the credentials of the spec are for another host
        credentials = address_credentials(address, host)
    else:
        credentials = index_credentials(source, address, host, index=name, where=where)
    return Site(
        name=name,
        url=address,
        format=format_,
        default=default,
        explicit=explicit,
        packages=packages,
        credentials=credentials,
    )


def _folder(address: str, root: Path) -> Path | None:
    if address.startswith("file://"):
        return Path(unquote(urlsplit(address).path))
    return None if "://" in address else root / Path(address).expanduser()


def file_name(url: str) -> str:
    """The file name at the end of an address."""
    return unquote(urlsplit(url).path).rpartition("/")[2]


class IndexReader:
    """Lists files of sites; a page is read once. Safe to use from several threads."""

    def __init__(self, http: HttpClient) -> None:
        self.http = http
        self._pages: dict[tuple[str, str], tuple[IndexFile, ...]] = {}
        self._lock = threading.Lock()

    def files(self, site: Site, name: str) -> tuple[IndexFile, ...]:
        """Files of a package; empty when the index does not know it.

        Args:
            site: the index.
            name: normalized name.

        Raises:
            NetworkError: the index cannot be asked, or its page is no index page.
        """
        # a flat index has one page for all
        page = name if site.format == "simple" else ""
        key = (site.name, page)
        with self._lock:
            known = self._pages.get(key)
        if known is None:
            known = self._read(site, page)
            with self._lock:
                self._pages[key] = known
        if site.format == "simple":
            return known
        return tuple(file for file in known if _belongs(file.file, name))

    def find(self, site: Site, name: str, file: str, sha256: str) -> IndexFile | None:
        """The file of a package with this name, and this digest where the index states one; None without it."""
        for listed in self.files(site, name):
            if listed.file == file and (not listed.sha256 or listed.sha256 == sha256):
                return listed
        return None

    def _read(self, site: Site, page: str) -> tuple[IndexFile, ...]:
        if site.folder is not None:
            return tuple(
                IndexFile(file=path.name, url=path.resolve().as_uri(), size=path.stat().st_size)
                for path in sorted(site.folder.iterdir())
                if path.is_file()
            )
        url = f"{site.url.rstrip('/')}/{page}/" if page else site.url
        try:
            body = self.http.get(url, limit=_PAGE_LIMIT, accept=_ACCEPT, credentials=site.credentials)
        except HttpStatusError as error:
            if error.status in _NOT_FOUND:
                return ()
            raise
        if body.content_type.endswith("json"):
            return _json_files(body.data, body.url)
        if "html" in body.content_type:
            return _html_files(body.data, body.url)
        raise NetworkError(
            f"{mask_credentials(url)} is no index page: it is {body.content_type or 'of no known type'}"
        )


def _belongs(file: str, name: str) -> bool:
    """Whether a file's name is one of the package's: the wheel's first part, or the sdist's all but its version."""
    if file.endswith(".whl"):
        return normalize_name(file.partition("-")[0]) == name
    stem = file.removesuffix(".zip").removesuffix(".tar.gz")
    return stem != file and normalize_name(stem.rpartition("-")[0]) == name


def _json_files(data: bytes, base: str) -> tuple[IndexFile, ...]:
    """Files of a PEP 691 page."""
    try:
        rows = json.loads(data)["files"]
        return tuple(_json_file(row, base) for row in rows)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NetworkError(f"{mask_credentials(base)} is no index page as PEP 691 describes it") from error


def _json_file(row: Mapping[str, Any], base: str) -> IndexFile:
    # PEP 714: core-metadata goes before the name that PEP 658 gave it by mistake
    offered = row.get("core-metadata", row.get("dist-info-metadata", False))
    digest = str(offered.get("sha256", "")).lower() if isinstance(offered, dict) else ""
    return IndexFile(
        file=str(row["filename"]),
        url=urljoin(base, str(row["url"])),
        sha256=str(row.get("hashes", {}).get("sha256", "")).lower(),
        size=int(row.get("size") or 0),
        metadata=bool(offered),
        metadata_sha256=digest if _SHA256.fullmatch(digest) else "",
    )


def _html_files(data: bytes, base: str) -> tuple[IndexFile, ...]:
    """Files of a PEP 503 page or of a flat page of links."""
    parser = _Links(base)
    parser.feed(data.decode("utf-8", "replace"))
    files = []
    for link, offered in parser.links:
        address, fragment = urldefrag(urljoin(parser.base, link))
        file = file_name(address)
        if file:
            files.append(
                IndexFile(
                    file=file,
                    url=address,
                    sha256=_stated_sha256(fragment),
                    metadata=offered is not None and offered.lower() != "false",
                    metadata_sha256=_stated_sha256(offered or ""),
                )
            )
    return tuple(files)


def _stated_sha256(text: str) -> str:
    """The digest in ``sha256=…``, empty when it is none."""
    kind, _, value = text.partition("=")
    return value.lower() if kind == "sha256" and _SHA256.fullmatch(value.lower()) else ""


class _Links(HTMLParser):
    """Collects the addresses of ``<a>``, with what each says of METADATA beside the file (PEP 658, PEP 714)."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.base = base
        self.links: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take one tag."""
        named = dict(attrs)
        address = named.get("href")
        if not address:
            return
        if tag == "a":
            key = next((key for key in _METADATA_KEYS if key in named), "")
            # an attribute without a value offers the file, too
            self.links.append((address, (named[key] or "true") if key else None))
        elif tag == "base":
            self.base = urljoin(self.base, address)
