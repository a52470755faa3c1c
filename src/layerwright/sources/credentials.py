"""User and password for an index or address, read on the host when needed and handed to nothing but the request."""

import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from layerwright.core.addresses import is_loopback_host
from layerwright.core.errors import UsageError
from layerwright.core.source import Location
from layerwright.host.environment import HostEnvironment
from layerwright.host.process import ProcessError, find_program, run
from layerwright.sources.pip_config import find_account

__all__ = ["Credentials", "address_credentials", "in_home", "index_credentials"]

Credentials = tuple[str, str]

_KEYRING_SECONDS = 60.0
_LARGEST_FILE = 64 << 10
_TOO_OLD = ("unrecognized arguments", "invalid choice", "no such option")


def index_credentials(
    source: str,
    url: str,
    host: HostEnvironment,
    *,
    index: str,
    where: Location | None = None,
    root: Path = Path(),
) -> Credentials | None:
    """User and password for an index.

    Args:
        source: as in the spec: empty, ``netrc``, ``keyring``, ``keyring:USER``, ``pip.conf``,
            ``env:NAME`` or ``file:PATH``.
        url: the index's address.
        host: the caller's surroundings.
        index: the index's name, for messages.
        where: where the spec names the index.
        root: folder that the path of a file starts from.

    Returns:
        The pair, or None for an index without credentials. Without a ``source`` an entry of netrc for
        exactly this host is still used, as pip, uv and curl do.

    Raises:
        UsageError: what the spec promises is not there, or only one half of it, or it can be understood in two ways.
    """
    if not source:
        return address_credentials(url, host)
    try:
        found, place = _look_up(source, url, host, root)
    except UsageError as error:
        error.what = f"index {index}: {error.what}"
        error.where = error.where or where
        raise
    if found is None or found == ("", ""):
        raise UsageError(
            f"index {index}: no credentials in {place}", where=where, hint=f"they are for {_host(url)}"
        )
    host.seen.add(f"password of the index {index}", found[1])
    if not all(found):
        missing = "password" if found[0] else "user"
        raise UsageError(f"index {index}: {place} gives no {missing}", where=where, hint="both are needed")
    return found


def _look_up(source: str, url: str, host: HostEnvironment, root: Path) -> tuple[Credentials | None, str]:
    """What the source gives, and what to call it."""
    kind, _, name = source.partition(":")
    match kind:
        case "netrc":
            return _netrc(url, host, default=True), str(_netrc_path(host))
        case "pip.conf":
            account = find_account(url, host)
            if account is None:
                return None, "pip's configuration (index-url or extra-index-url with user and password)"
            return (account.user, account.password), account.place
        case "keyring":
            return _keyring(url, host, name), f"the keyring for {name}" if name else "the keyring"
        case "env" if name:
            place = f"the environment variable {name} (user:password)"
            return _pair(host.variables.get(name, "")), place
        case "file" if name:
            path = in_home(name, host, root)
            return _pair(_file(path)), f"{path} (user:password)"
        case _:
            raise UsageError(f"unknown source of credentials {source!r}")


def address_credentials(url: str, host: HostEnvironment) -> Credentials | None:
    """The netrc entry for exactly the host of an address; None without one (``default`` entries do not count).

    Nobody's password goes over a line that others can read: addresses of plain http have none, but on this machine.
    """
    if url.startswith("http://") and not is_loopback_host(_host(url)):
        return None
    found = _netrc(url, host, default=False)
    if not found or not all(found):
        return None
    host.seen.add(f"password for {_host(url)}", found[1])
    return found


def in_home(path: str, host: HostEnvironment, root: Path) -> Path:
    """A path of the spec: ``~/`` is the caller's home, others start from the spec's folder."""
    if path == "~" or path.startswith("~/"):
        return host.home / path.removeprefix("~").lstrip("/")
    return root / path


def _pair(text: str) -> Credentials:
    """``user:password``; what follows the first colon is the password, colons and all."""
    line = text.strip("\r\n")
    if "\n" in line:
        raise UsageError("user and password are given on several lines", hint="write user:password on one")
    user, _, password = line.partition(":")
    return user, password


def _file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}", hint="it holds user:password on one line"
        ) from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no UTF-8 text", hint="it holds user:password on one line") from None
    if len(data) > _LARGEST_FILE:
        raise UsageError(f"{path} is too large", hint="it holds user:password on one line")
    return text


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


def _keyring(url: str, host: HostEnvironment, user: str) -> Credentials | None:
    """Ask the ``keyring`` program, as pip's and uv's subprocess providers do, for the address and then for the host.

    Args:
        url: the index.
        host: where the program is.
        user: whose password; empty for whatever account there is, which not every keyring can tell.
    """
    program = find_program("keyring", host.path)
    if program is None:
        raise UsageError("the program `keyring` is not installed", hint="pipx install keyring")
    for service in (url, urlsplit(url).netloc):
        options = [] if user else ["--mode", "creds", "--output", "json"]
        argv = [str(program), *options, "get", service, user]
        try:
            done = run(argv, env=dict(host.variables), timeout=_KEYRING_SECONDS, check=False)
        except ProcessError as error:
            raise UsageError(
                f"the keyring does not answer: {error.output or error.what.partition(chr(10))[0]}",
                hint="it may wait for you to unlock it: try `keyring get` in a terminal",
            ) from error
        if done.status == 0 and (found := _keyring_answer(done.text, user)):
            return found
        if any(sign in done.stderr.decode(errors="replace") for sign in _TOO_OLD):
            raise UsageError(
                "the program `keyring` is too old to give user and password",
                hint="pipx upgrade keyring (25.2)",
            )
    return None


def _keyring_answer(text: str, user: str) -> Credentials | None:
    if user:
        password = text.removesuffix("\n")
        return (user, password) if password else None
    try:
        answer: object = json.loads(text)
    except ValueError:
        return None
    if not isinstance(answer, Mapping):
        return None
    return str(answer.get("username") or ""), str(answer.get("password") or "")
