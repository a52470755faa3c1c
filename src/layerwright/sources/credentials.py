"""User and password for an index or address, read on the host when needed and handed to nothing but the request."""

import configparser
import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from layerwright.core.addresses import split_userinfo
from layerwright.core.errors import UsageError
from layerwright.core.source import Location
from layerwright.host.environment import HostEnvironment
from layerwright.host.process import find_program, run

__all__ = ["Credentials", "address_credentials", "index_credentials"]

Credentials = tuple[str, str]

_KEYRING_SECONDS = 60.0
_PIP_SECTIONS = ("global", "install", "download", "wheel", "index")
_PIP_OPTIONS = ("index-url", "extra-index-url", "find-links")


def index_credentials(
    source: str, url: str, host: HostEnvironment, *, index: str, where: Location | None = None
) -> Credentials | None:
    """User and password for an index.

    Args:
        source: as in the spec: empty, ``netrc``, ``keyring``, ``pip.conf`` or ``env:NAME``.
        url: the index's address.
        host: the caller's surroundings.
        index: the index's name, for messages.
        where: where the spec names the index.

    Returns:
        The pair, or None for an index without credentials. Without a ``source`` an entry of netrc for
        exactly this host is still used, as pip, uv and curl do.

    Raises:
        UsageError: what the spec promises is not there, or only one half of it.
    """
    if not source:
        return address_credentials(url, host)
    if source == "netrc":
        found = _netrc(url, host, default=True)
        place = str(_netrc_path(host))
    elif source == "pip.conf":
        found = _pip_conf(url, host)
        place = "pip's configuration (index-url or extra-index-url with user and password)"
    elif source == "keyring":
        found = _keyring(url, host)
        place = "the keyring"
    elif source.startswith("env:"):
        name = source.removeprefix("env:")
        user, colon, password = host.variables.get(name, "").partition(":")
        found = (user, password) if colon else (user, "")
        place = f"the environment variable {name} (user:password)"
    else:
        raise UsageError(f"index {index}: unknown source of credentials {source!r}", where=where)
    if found is None or found == ("", ""):
        raise UsageError(
            f"index {index}: no credentials in {place}", where=where, hint=f"they are for {_host(url)}"
        )
    if not all(found):
        missing = "password" if found[0] else "user"
        raise UsageError(f"index {index}: {place} gives no {missing}", where=where, hint="both are needed")
    return found


def address_credentials(url: str, host: HostEnvironment) -> Credentials | None:
    """The netrc entry for exactly the host of an address; None without one (``default`` entries do not count)."""
    found = _netrc(url, host, default=False)
    return found if found and all(found) else None


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _netrc_path(host: HostEnvironment) -> Path:
    named = host.variables.get("NETRC", "")
    return Path(named) if named else host.home / ".netrc"


def _netrc(url: str, host: HostEnvironment, *, default: bool) -> Credentials | None:
    name = _host(url)
    path = _netrc_path(host)
    if not name or not path.is_file():
        return None
    import netrc  # noqa: PLC0415  # start-up

    try:
        entries = netrc.netrc(str(path))
    except (netrc.NetrcParseError, OSError, UnicodeDecodeError) as error:
        # the parser's message may quote a token of the file: only its line is told
        line = f", line {error.lineno}" if isinstance(error, netrc.NetrcParseError) and error.lineno else ""
        raise UsageError(f"{path} cannot be read{line}", hint="see `man netrc` for its form") from None
    if not default and name not in entries.hosts:
        return None
    found = entries.authenticators(name)
    return (found[0], found[2] or "") if found else None


def _pip_conf(url: str, host: HostEnvironment) -> Credentials | None:
    wanted = _comparable(url)
    fallback = None
    for candidate in _pip_addresses(host):
        plain, user, password = split_userinfo(candidate)
        if not user:
            continue
        if _comparable(plain) == wanted:
            return user, password
        if _host(plain) == _host(url):
            fallback = user, password
    return fallback


def _comparable(url: str) -> str:
    return url.rstrip("/").lower()


def _pip_addresses(host: HostEnvironment) -> tuple[str, ...]:
    """Addresses of pip's configuration, the strongest first.

    Order of files: https://pip.pypa.io/en/stable/topics/configuration/ (environment, PIP_CONFIG_FILE, virtual
    environment, user, legacy user, global).
    """
    variables = host.variables
    found = [
        address
        for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS")
        for address in variables.get(name, "").split()
    ]
    config_home = Path(variables.get("XDG_CONFIG_HOME") or host.home / ".config")
    files = [Path(name) for name in (variables.get("PIP_CONFIG_FILE", ""),) if name]
    if variables.get("VIRTUAL_ENV"):
        files.append(Path(variables["VIRTUAL_ENV"]) / "pip.conf")
    files += [config_home / "pip" / "pip.conf", host.home / ".pip" / "pip.conf"]
    folders = (variables.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")
    files += [Path(folder) / "pip" / "pip.conf" for folder in folders if folder]
    files.append(Path("/etc/pip.conf"))
    for file in files:
        found += _pip_file(file)
    return tuple(found)


def _pip_file(file: Path) -> list[str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(file.read_text(encoding="utf-8"))
    except OSError:
        return []
    except (configparser.Error, UnicodeDecodeError):
        raise UsageError(
            f"{file} cannot be read", hint="pip config debug shows pip's own view of it"
        ) from None
    return [
        address
        for section in _PIP_SECTIONS
        for option in _PIP_OPTIONS
        for address in parser.get(section, option, fallback="").split()
    ]


def _keyring(url: str, host: HostEnvironment) -> Credentials | None:
    """Ask the ``keyring`` program, as pip's and uv's subprocess providers do, for the address and then for the host."""
    program = find_program("keyring", host.path)
    if program is None:
        raise UsageError("the program `keyring` is not installed", hint="pipx install keyring")
    for service in (url, urlsplit(url).netloc):
        argv = [str(program), "--mode", "creds", "--output", "json", "get", service, ""]
        done = run(argv, env=dict(host.variables), timeout=_KEYRING_SECONDS, check=False)
        if done.status == 0 and (found := _keyring_answer(done.text)):
            return found
    return None


def _keyring_answer(text: str) -> Credentials | None:
    try:
        answer: object = json.loads(text)
    except ValueError:
        return None
    if not isinstance(answer, Mapping):
        return None
    return str(answer.get("username") or ""), str(answer.get("password") or "")
