"""Indexes, source trees and secrets: where packages and sources come from, and values for run steps."""

import re
from collections.abc import Mapping

from msgspec import UNSET

from layerwright.core.addresses import has_credential, is_loopback_host
from layerwright.spec.faults import KeyPath
from layerwright.spec.keys import IndexTable, SecretTable, SourceTable
from layerwright.spec.model import Index, Secret, Source
from layerwright.spec.parts import Reader, value_or
from layerwright.spec.requirement import normalize_name

__all__ = ["read_indexes", "read_secrets", "read_sources"]

_CUT_COMMIT = re.compile(r"(?=[a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{7,39}|(?=[0-9]*[A-F])[0-9A-F]{40}")
"""What is meant as a commit and is none that a server gives: cut short, or in upper case."""


def read_indexes(tables: Mapping[str, IndexTable], reader: Reader) -> dict[str, Index]:
    """Indexes by name; faults are noted in the reader."""
    indexes: dict[str, Index] = {}
    same: dict[str, str] = {}
    default = ""
    for name, table in tables.items():
        path = ("indexes", name)
        _check_url(name, table, reader)
        twin = same.setdefault(normalize_name(name), name)
        if twin != name:
            reader.fault(
                path, f"indexes {twin!r} and {name!r} differ only in '-', '_', '.' or case", "rename one"
            )
        if table.default and default:
            reader.fault((*path, "default"), f"{default!r} is the default index already", "only one can be")
        elif table.default:
            default = name
        if table.explicit and not table.packages:
            reader.fault(
                (*path, "explicit"),
                f"index {name!r} is explicit but names no packages, so it is never used",
                'such as: packages = ["torch"]',
            )
        indexes[name] = Index(
            name=name,
            url=table.url,
            format=table.format,
            credentials=value_or(table.credentials, ""),
            ca=value_or(table.ca, ""),
            insecure=value_or(table.insecure, ""),
            default=table.default,
            explicit=table.explicit,
            packages=tuple(normalize_name(package) for package in table.packages),
            location=reader.location(path),
        )
    return indexes


def read_secrets(tables: Mapping[str, SecretTable], reader: Reader) -> dict[str, Secret]:
    """Secrets by name; faults are noted in the reader."""
    secrets: dict[str, Secret] = {}
    for name, table in tables.items():
        path = ("secrets", name)
        if (table.env is UNSET) == (table.file is UNSET):
            both = "not both" if table.env is not UNSET else "which is missing"
            reader.fault(
                path, f"a secret has exactly one of env and file, {both}", 'such as: env = "API_TOKEN"'
            )
        secrets[name] = Secret(
            name=name,
            env=value_or(table.env, ""),
            file=value_or(table.file, ""),
            required=table.required,
            location=reader.location(path),
        )
    return secrets


def read_sources(tables: Mapping[str, SourceTable], reader: Reader) -> dict[str, Source]:
    """Source trees by name; faults are noted in the reader."""
    sources: dict[str, Source] = {}
    for name, table in tables.items():
        path = ("sources", name)
        _check_repository(table, path, reader)
        if _CUT_COMMIT.fullmatch(table.rev):
            reader.fault(
                (*path, "rev"),
                f"{table.rev!r} looks like part of a commit",
                "write all of its 40 digits, in lower case: servers know commits by nothing less",
            )
        elif table.rev.startswith("-") or any(sign in table.rev for sign in " ~^:?*[\\") or ".." in table.rev:
            reader.fault(
                (*path, "rev"), f"{table.rev!r} is no tag, branch or commit", 'such as: rev = "v2.0.0"'
            )
        sources[name] = Source(
            name=name,
            git=table.git,
            rev=table.rev,
            submodules=table.submodules,
            checkout=value_or(table.checkout, ""),
            location=reader.location(path),
        )
    return sources


def _check_repository(table: SourceTable, path: KeyPath, reader: Reader) -> None:
    address = table.git.removeprefix("git+")
    if has_credential(address):
        reader.fault(
            (*path, "git"),
            "an address must not hold credentials",
            "remove them: the host's netrc or git credential helper gives them",
        )
    elif address.startswith("-"):
        reader.fault((*path, "git"), f"{table.git!r} is not an address")
    elif address.lower().startswith(("http://", "git://")):
        from urllib.parse import urlsplit  # noqa: PLC0415 - start-up

        if not is_loopback_host(urlsplit(address).hostname or ""):
            reader.fault(
                (*path, "git"),
                f"{table.git!r} is fetched without encryption, which is refused except on this machine",
                "use https or ssh",
            )


def _check_url(name: str, table: IndexTable, reader: Reader) -> None:
    path = ("indexes", name, "url")
    _check_trust(name, table, reader)
    if has_credential(table.url):
        reader.fault(
            path,
            f"the address of index {name!r} must not hold credentials",
            f'remove them and add credentials = "netrc", "keyring", "pip.conf" or "env:NAME" to [indexes.{name}]',
        )
        return
    if "://" not in table.url:
        if table.format == "simple":
            reader.fault(
                path,
                f"{table.url!r} is not an address",
                'an https address; or format = "flat" for a folder of wheels',
            )
        return
    from urllib.parse import urlsplit  # noqa: PLC0415 - start-up

    try:
        address = urlsplit(table.url)
        host = address.hostname or ""
        _ = address.port  # checked when it is asked for
    except ValueError:
        # Not told as it stands: what looks like a port may be part of a password.
        reader.fault(
            path, f"the address of index {name!r} cannot be read", "such as: https://pypi.example.org/simple"
        )
        return
    if address.scheme == "http" and not is_loopback_host(host):
        if value_or(table.insecure, "") != "http":
            reader.fault(
                path,
                f"{table.url!r}: plain http is refused, except on this machine",
                f'use https; or accept by name that it can be read and changed on its way: insecure = "http" '
                f"in [indexes.{name}]",
            )
    elif address.scheme not in {"http", "https", "file"}:
        reader.fault(path, f"{table.url!r} is not an http, https or file address")


def _check_trust(name: str, table: IndexTable, reader: Reader) -> None:
    """What makes an index trusted, or needs no trust, must fit its address."""
    insecure = value_or(table.insecure, "")
    for key, given in (("ca", value_or(table.ca, "")), ("insecure", insecure)):
        if given and not table.url.startswith(("https://", "http://")):
            reader.fault(
                ("indexes", name, key), f"{table.url!r} needs no {key}: it is a folder", f"remove {key}"
            )
    if insecure and insecure != ("http" if table.url.startswith("http://") else "certificate"):
        reader.fault(
            ("indexes", name, "insecure"),
            f"insecure = {insecure!r} does not fit the address {table.url!r}",
            'insecure = "http" is for http addresses, "certificate" for https ones; https by itself needs neither',
        )
    if insecure == "certificate" and value_or(table.ca, ""):
        reader.fault(
            ("indexes", name, "insecure"), "ca and insecure contradict each other", "keep ca, remove insecure"
        )
