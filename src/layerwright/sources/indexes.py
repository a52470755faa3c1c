"""Package indexes as this machine reaches them, and the files they list.

The spec and the lock know an index by name. ``LAYERWRIGHT_INDEX_<NAME>`` in the caller's environment
(upper case, ``-`` and ``.`` as ``_``) puts a mirror or a folder in the place of its address on this machine only.
"""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from layerwright.core.addresses import is_loopback_host, mask_credentials, split_userinfo
from layerwright.core.errors import NetworkError, UsageError
from layerwright.core.source import Location
from layerwright.host.environment import HostEnvironment
from layerwright.host.http import HttpClient, HttpStatusError
from layerwright.sources.credentials import Credentials, address_credentials, in_home, index_credentials
from layerwright.spec.model import Index
from layerwright.spec.requirement import normalize_name

__all__ = [
    "PAGE_LIMIT",
    "PYPI",
    "IndexFile",
    "IndexReader",
    "Site",
    "file_name",
    "index_sites",
    "index_trust",
    "insecure_notes",
    "variable_name",
]

PYPI: Final = "pypi"
"""Name of the index that is used when the spec names no default."""

_PYPI_URL: Final = "https://pypi.org/simple"
_ACCEPT: Final = (
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.2, text/html; q=0.01"
)
PAGE_LIMIT: Final = 128 << 20
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
        ca: file with the only certificates it is trusted by; None for the system's.
        insecure: ``http`` or ``certificate`` where the spec allows it for this index.
        credentials: user and password, None for none.
    """

    name: str
    url: str = ""
    folder: Path | None = None
    format: Literal["simple", "flat"] = "simple"
    default: bool = False
    explicit: bool = False
    packages: tuple[str, ...] = ()
    ca: Path | None = None
    insecure: Literal["", "http", "certificate"] = ""
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
    sites = [_site(index, host, root) for index in named]
    if not any(index.default for index in named):
        pypi = Index(name=PYPI, url=_PYPI_URL, default=True, location=Location(file=""))
        sites.append(_site(pypi, host, root))
    return tuple(sites)


def index_trust(indexes: Mapping[str, Index], host: HostEnvironment, root: Path) -> Mapping[str, str | bool]:
    """Certificates by origin, for ``HttpClient``: of the indexes that have their own, or take any."""
    found: dict[str, str | bool] = {}
    for index in indexes.values():
        address = host.variables.get(variable_name(index.name), "") or index.url
        parts = urlsplit(split_userinfo(address)[0])
        if parts.scheme != "https":
            continue
        if index.ca:
            found[f"https://{parts.netloc.lower()}"] = str(in_home(index.ca, host, root))
        elif index.insecure == "certificate":
            found[f"https://{parts.netloc.lower()}"] = False
    return found


def insecure_notes(indexes: Mapping[str, Index]) -> Iterator[str]:
    """What every report says of indexes that are not safe from whoever is on the line."""
    for index in indexes.values():
        match index.insecure:
            case "http":
                yield (
                    f"index {index.name} is spoken to without encryption, as the spec allows: whoever is on the line "
                    "can read its account and change what is locked"
                )
            case "certificate":
                yield (
                    f"the certificate of index {index.name} is not verified, as the spec allows: whoever is on the "
                    "line can read its account and change what is locked"
                )
            case "":
                pass


def _site(index: Index, host: HostEnvironment, root: Path) -> Site:
    where = index.location if index.location.file else None
    mirror = host.variables.get(variable_name(index.name), "")
    address, user, password = split_userinfo(mirror or index.url)
    common = Site(
        name=index.name,
        default=index.default,
        explicit=index.explicit,
        packages=tuple(normalize_name(name) for name in index.packages),
    )
    folder = _folder(address, root)
    if folder is not None:
        if not folder.is_dir():
            hint = f"it comes from {variable_name(index.name)}" if mirror else ""
            raise UsageError(f"index {index.name}: there is no folder {folder}", where=where, hint=hint)
        return replace(common, folder=folder, format="flat")
    _refuse_plain_http(index, address, mirror, where)
    if user or password:
        credentials: Credentials | None = (user, password)
        host.seen.add(f"password of the index {index.name}", password or user)
    elif mirror:
        # the credentials of the spec are for another host
        credentials = address_credentials(address, host)
    else:
        credentials = index_credentials(
            index.credentials, address, host, index=index.name, where=where, root=root
        )
    ca = in_home(index.ca, host, root) if index.ca else None
    if ca is not None and not ca.is_file():
        raise UsageError(f"index {index.name}: there is no file {ca} with certificates", where=where)
    return replace(
        common, url=address, format=index.format, ca=ca, insecure=index.insecure, credentials=credentials
    )


def _refuse_plain_http(index: Index, address: str, mirror: str, where: Location | None) -> None:
    """The spec's own addresses were looked at when it was read; those of the environment have come since."""
    if not mirror or not address.startswith("http://") or index.insecure == "http":
        return
    if not is_loopback_host(urlsplit(address).hostname or ""):
        raise UsageError(
            f"index {index.name}: {mask_credentials(mirror)} in {variable_name(index.name)}: plain http is refused, "
            "except on this machine",
            where=where,
            hint=f'use https; or accept by name that it can be read and changed on its way: insecure = "http" in '
            f"[indexes.{index.name}]",
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
            body = self.http.get(url, limit=PAGE_LIMIT, accept=_ACCEPT, credentials=site.credentials)
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
