"""Indexes and secrets: where packages come from, and values for run steps."""

import re
from collections.abc import Mapping

from msgspec import UNSET

from layerwright.core.addresses import has_credential
from layerwright.spec.keys import IndexTable, SecretTable
from layerwright.spec.model import Index, Secret
from layerwright.spec.parts import Reader, value_or
from layerwright.spec.requirement import normalize_name

__all__ = ["read_indexes", "read_secrets"]

_LOOPBACK = re.compile(r"localhost|127(?:\.[0-9]+){3}|::1")


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
            location=reader.location(path),
        )
    return secrets


def _check_url(name: str, table: IndexTable, reader: Reader) -> None:
    path = ("indexes", name, "url")
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
    if address.scheme == "http" and not _LOOPBACK.fullmatch(host):
        reader.fault(path, f"{table.url!r}: plain http is refused, except on this machine", "use https")
    elif address.scheme not in {"http", "https", "file"}:
        reader.fault(path, f"{table.url!r} is not an http, https or file address")
