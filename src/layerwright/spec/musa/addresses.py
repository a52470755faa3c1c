"""Addresses of archives and wheels: what may stand in one, and what its file's name says."""

import re
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from layerwright.core.addresses import has_credential, is_loopback_host, mask_credentials
from layerwright.facts.components import COMPONENT_KINDS, KindName
from layerwright.facts.gpu_architectures import GPU_ARCHITECTURES
from layerwright.spec.musa.said import Said

__all__ = ["KINDS", "Address", "python_of", "read_address", "read_archive", "read_pythons"]

KINDS: Final[dict[str, KindName]] = {
    "musa_toolkits_url": "musa_toolkit",
    "mudnn_url": "mudnn",
    "mccl_url": "mccl",
}
"""Which component an option's archive is."""

_TITLES: Final = {kind.name: kind.what for kind in COMPONENT_KINDS}
_WORDS: Final[dict[KindName, re.Pattern[str]]] = {
    "musa_toolkit": re.compile("musa_?toolkit"),
    "mudnn": re.compile("mudnn"),
    "mccl": re.compile("mccl"),
}
_CPYTHON: Final = re.compile(r"cpython-(3\.\d{1,2}\.\d{1,2})(?=[^\d.])")
_DIGEST: Final = re.compile(r"sha256=([0-9a-f]{64})")
_ARCH: Final = re.compile(rf"(?:^|[^a-z0-9])({'|'.join(one.name for one in GPU_ARCHITECTURES)})(?![a-z0-9])")
_ARCHIVE: Final = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tar.zst")


class Address(Struct, frozen=True, kw_only=True):
    """Where a file comes from.

    Attributes:
        field: the option that named it.
        url: without its fragment; an absolute path for a file of this machine.
        sha256: its digest when the address states it, else empty.
        file: its name, decoded.
    """

    field: str
    url: str
    sha256: str
    file: str

    @property
    def is_http(self) -> bool:
        """Whether it comes without encryption, and not from this machine."""
        parts = urlsplit(self.url)
        return parts.scheme == "http" and not is_loopback_host(parts.hostname or "")

    @property
    def arch(self) -> str:
        """The architecture that the file's name says, else the one its folder says; empty when neither does."""
        for part in reversed(PurePosixPath(unquote(urlsplit(self.url).path).lower()).parts):
            if found := _ARCH.search(part):
                return found[1]
        return ""


def read_address(
    said: Said, name: str, *, hosts: tuple[str, ...], folder: str, value: str | None = None
) -> Address | None:
    """The address that an option has; None after a fault.

    Args:
        said: what was given.
        name: the option's field; it was given.
        hosts: hosts that may be asked over http.
        folder: absolute folder that paths are relative to.
        value: one of the values of an option that is given several times.
    """
    text = said.text(name) if value is None else value
    if not text.strip():
        said.fault(name, " is empty", "give the file's address; a variable that is not set leaves nothing")
        return None
    if text.startswith("-"):
        said.fault(
            name,
            f" has no value: {text} follows it",
            "give the file's address; a variable that is not set, without quotes, leaves nothing",
        )
        return None
    if re.search(r"\s", text):
        said.fault(name, f" holds a blank: {text!r}", "take the blank out of the address")
        return None
    if has_credential(text):
        said.fault(
            name,
            f" holds an account: {mask_credentials(text)}",
            "take it out of the address and keep it in netrc, which never enters a lock or an image",
        )
        return None
    address, _, fragment = text.partition("#")
    digest = _DIGEST.fullmatch(fragment)
    if fragment and digest is None:
        said.fault(
            name,
            f" ends in {fragment!r}, which is no digest",
            "write #sha256= and 64 hexadecimal digits in lower case, or nothing",
        )
        return None
    sha256 = digest[1] if digest else ""
    if "://" not in address:
        return _path(said, name, address, sha256, folder)
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
        _ = parts.port  # checked when it is asked for
    except ValueError:
        said.fault(
            name, f" cannot be read as an address: {address}", "such as https://example.org/mudnn.tar.gz"
        )
        return None
    if parts.scheme not in {"https", "http", "file"}:
        said.fault(name, f" is no https address: {address}", "https and file are taken")
        return None
    if parts.scheme == "http" and not is_loopback_host(host) and host not in hosts:
        said.fault(
            name,
            f" would come over http, where anybody on the way can change it: {address}",
            f"write https, or allow this host by name: --insecure_http {host}",
        )
        return None
    return Address(field=name, url=address, sha256=sha256, file=unquote(parts.path).rpartition("/")[2])


def _path(said: Said, name: str, text: str, sha256: str, folder: str) -> Address | None:
    """A file of this machine; what looks like a host without its scheme is none."""
    first = text.partition("/")[0]
    if re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+(:\d+)?", first) and "/" in text:
        said.fault(name, f" has no scheme: {text}", f"write https://{text}, or ./{text} for a file")
        return None
    path = PurePosixPath(folder) / text
    return Address(field=name, url=str(path), sha256=sha256, file=path.name)


def read_pythons(said: Said, *, hosts: tuple[str, ...], folder: str) -> dict[str, Address]:
    """Archives of Pythons, by the version that each name says, ``3.10``."""
    found: dict[str, Address] = {}
    for text in said.many("python_url"):
        address = read_address(said, "python_url", hosts=hosts, folder=folder, value=text)
        if address is None:
            continue
        version = python_of(address)
        if not version or not address.file.endswith(_ARCHIVE):
            said.fault(
                "python_url",
                f" names {address.file or 'no file'}, which does not say which Python it is",
                "an archive as cpython-3.10.13+20240107-x86_64-unknown-linux-gnu-install_only.tar.gz",
            )
            continue
        found[".".join(version.split(".")[:2])] = address
    return found


def python_of(address: Address) -> str:
    """The version of a Python that an archive's name says, ``3.10.13``; empty when it says none."""
    match = _CPYTHON.search(address.file)
    return match[1] if match else ""


def read_archive(said: Said, name: str, *, hosts: tuple[str, ...], folder: str) -> Address | None:
    """The address of a component's archive; None after a fault."""
    address = read_address(said, name, hosts=hosts, folder=folder)
    if address is None:
        return None
    file = address.file.lower()
    kind = KINDS[name]
    if file.endswith(".whl"):
        said.fault(name, f" names the wheel {address.file}", f"give the archive of {_TITLES[kind]}")
        return None
    others = [other for other, words in _WORDS.items() if words.search(file)]
    if others and kind not in others:
        said.fault(
            name,
            f" names {address.file}, which is an archive of {_TITLES[others[0]]}",
            f"give the archive of {_TITLES[kind]}; perhaps two addresses have changed places",
        )
        return None
    if not file.endswith(_ARCHIVE):
        said.fault(
            name,
            f" names {address.file or 'no file'}, which is no archive",
            f"archives end in {', '.join(_ARCHIVE)}",
        )
        return None
    return address
