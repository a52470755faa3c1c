"""Accounts in pip's configuration: read as pip reads it, and refused where it can be understood in two ways.

Files, their order and what overrides what: https://pip.pypa.io/en/stable/topics/configuration/ and
``pip/_internal/configuration.py``. A value is several addresses, one a line or divided by blanks; user and password are
percent-decoded after the address was taken apart (``pip/_internal/utils/misc.py``, ``split_auth_from_netloc``).
"""

import configparser
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from layerwright.core.addresses import split_userinfo
from layerwright.core.errors import UsageError
from layerwright.host.environment import HostEnvironment

__all__ = ["PipAccount", "find_account", "same_server"]

_OPTIONS: Final = ("index-url", "extra-index-url", "find-links")
_COMMANDS: Final = ("install", "download", "wheel", "index", "lock")
_LIMIT: Final = 1 << 20
_PORTS: Final = {"https": 443, "http": 80}
_ENCODE: Final = "in an address these signs of a password are written as %2F / %3F ? %23 # %40 @ %25 %"


class PipAccount(Struct, frozen=True, kw_only=True):
    """An account that pip's configuration has for an index.

    Attributes:
        place: the file, or variable, for people.
        user, password: decoded; one of them may be empty.
    """

    place: str
    user: str
    password: str

    def __repr__(self) -> str:
        """Leave the account out."""
        return f"PipAccount(place={self.place!r})"


class _Address(Struct, frozen=True, kw_only=True):
    url: str
    account: PipAccount


def find_account(url: str, host: HostEnvironment) -> PipAccount | None:
    """The account for an index: of its very address, else of another address on the same server.

    Args:
        url: address without account.
        host: its environment and home say where pip's configuration is.

    Returns:
        None when pip's configuration has none for the server.

    Raises:
        UsageError: a file cannot be read, or there are several accounts and nothing says which is meant.
    """
    fallback: list[_Address] = []
    for level in _levels(host):
        addresses = list(level)
        exact = [one for one in addresses if _plain(one.url) == _plain(url)]
        if exact:
            return _only(exact, url)
        fallback = fallback or [one for one in addresses if same_server(one.url, url)]
    return _only(fallback, url) if fallback else None


def same_server(one: str, other: str) -> bool:
    """Whether two addresses have one scheme, host and port."""
    return _server(one) == _server(other) != ()


def _only(found: Sequence[_Address], url: str) -> PipAccount:
    accounts = {(one.account.user, one.account.password) for one in found}
    if len(accounts) > 1:
        places = " and ".join(dict.fromkeys(one.account.place for one in found))
        raise UsageError(
            f"{places}: {len(accounts)} different accounts for {urlsplit(url).netloc}, and nothing says which is meant",
            hint="leave one of them, or give the index an account of its own: env:NAME, file:PATH, netrc or keyring",
        )
    return found[0].account


def _server(url: str) -> tuple[str | int, ...]:
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme.lower(), 0)
    except ValueError:
        return ()
    return (parts.scheme.lower(), (parts.hostname or "").lower(), port)


def _plain(url: str) -> tuple[str | int, ...]:
    """What two addresses of one index have in common."""
    return (*_server(url), urlsplit(url).path.rstrip("/"))


def _levels(host: HostEnvironment) -> Iterator[Iterator[_Address]]:
    """Addresses with accounts, level by level, the strongest first."""
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        yield _addresses(host.variables.get(name, ""), f"the variable {name}")
    for file in _files(host):
        yield from _file_levels(file)


def _files(host: HostEnvironment) -> Iterator[Path]:
    variables = host.variables
    named = variables.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return  # pip then reads no file at all
    if named:
        yield Path(named)
    if variables.get("VIRTUAL_ENV"):
        yield Path(variables["VIRTUAL_ENV"]) / "pip.conf"
    if not (named and Path(named).exists()):
        yield Path(variables.get("XDG_CONFIG_HOME") or host.home / ".config") / "pip" / "pip.conf"
        yield host.home / ".pip" / "pip.conf"
    yield Path("/etc/pip.conf")
    for folder in reversed((variables.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")):
        if folder:
            yield Path(folder) / "pip" / "pip.conf"


def _file_levels(file: Path) -> Iterator[Iterator[_Address]]:
    """A command's section overrides ``[global]``; all commands that have one count alike."""
    sections = _read(file)
    own = [values for name, values in sections.items() if name in _COMMANDS]
    for group in (own, [sections.get("global", {})]):
        yield (
            address
            for values in group
            for option in _OPTIONS
            for address in _addresses(values.get(option, ""), str(file))
        )


def _addresses(value: str, place: str) -> Iterator[_Address]:
    for text in value.split():
        plain, user, password = split_userinfo(text)
        if plain == text:
            _refuse_broken(text, place)
        else:
            yield _Address(url=plain, account=PipAccount(place=place, user=user, password=password))


def _refuse_broken(text: str, place: str) -> None:
    """An address whose password has a bare ``/``, ``?`` or ``#``: what looks like host and port is a part of it."""
    authority = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)", text)
    if authority is None or "@" not in text[authority.end() :]:
        return
    port = authority[1].rpartition("]")[2].partition(":")[2]
    if port and not port.isdecimal():
        raise UsageError(f"{place}: an address with an account cannot be read", hint=_ENCODE)


def _read(file: Path) -> Mapping[str, Mapping[str, str]]:
    """Section to option to value; names as pip normalizes them. Empty when there is no such file."""
    parser = configparser.RawConfigParser()
    try:
        with file.open("rb") as opened:
            data = opened.read(_LIMIT + 1)
        if len(data) > _LIMIT:
            raise UsageError(f"{file} is larger than {_LIMIT:,} bytes, which is no configuration of pip")
        parser.read_string(data.decode("utf-8-sig"))
    except OSError:
        return {}
    except UnicodeDecodeError:
        raise UsageError(
            f"{file} is no UTF-8 text", hint="pip config debug shows pip's own view of it"
        ) from None
    except configparser.Error as error:
        # Its own words may quote the line, and with it the password.
        raise UsageError(
            f"{file} cannot be read{_where(error)}", hint="pip config debug shows pip's own view of it"
        ) from None
    return {
        section: {_normalized(name): value or "" for name, value in parser.items(section)}
        for section in parser.sections()
    }


def _where(error: configparser.Error) -> str:
    match error:
        case configparser.DuplicateOptionError():
            return f", line {error.lineno}: {error.option} stands twice in [{error.section}]"
        case configparser.DuplicateSectionError():
            return f", line {error.lineno}: [{error.section}] stands twice"
        case configparser.MissingSectionHeaderError():
            return f", line {error.lineno}: no [section] before it"
        case configparser.ParsingError():
            return f", line {error.errors[0][0]}" if error.errors else ""
        case _:
            return ""


def _normalized(name: str) -> str:
    return name.lower().replace("_", "-").removeprefix("--")
