"""Accounts for registries, from Docker's configuration and its credential helpers.

Order and protocol are those of docker/cli (``cli/config``) and docker/docker-credential-helpers: a helper of the
registry's own, else the default store, else what ``docker login`` wrote into the file.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from layerwright.host.environment import HostEnvironment
from layerwright.host.process import Completed, ProcessError, find_program, run
from layerwright.oci.reference import DOCKER_HUB
from layerwright.registry.docker_config import read_config

__all__ = ["Credentials", "find_credentials"]

_HUB_KEY: Final = "https://index.docker.io/v1/"
_TOKEN_USER: Final = "<token>"  # noqa: S105  the name that marks one, no secret
_HELPER_SECONDS: Final = 60.0
_HELPER_NAME = re.compile(r"[A-Za-z0-9._-]+")
_NOT_FOUND: Final = "credentials not found"
"""What helpers print, with status 1, when they have nothing for the registry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """An account; all empty for none.

    Attributes:
        user, password: for Basic auth and for asking for tokens.
        identity_token: an OAuth2 refresh token instead of a password.
        source: where they come from, for people.
        trouble: why a helper that should know gave nothing.
    """

    user: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    source: str = ""
    trouble: str = ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown."""
        pair = base64.b64encode(f"{self.user}:{self.password}".encode()).decode() if self.password else ""
        return tuple(secret for secret in (self.password, self.identity_token, pair) if secret)


def find_credentials(
    registry: str, host: HostEnvironment, *, runner: Callable[..., Completed] = run
) -> Credentials:
    """The account for a registry.

    Args:
        registry: host, with port where given; ``docker.io`` for Docker Hub.
        host: whose configuration counts.
        runner: starts helpers.

    Raises:
        UsageError: the configuration is damaged.
    """
    config = read_config(host)
    key = _HUB_KEY if registry == DOCKER_HUB else registry
    helpers = config.get("credHelpers")
    helper = helpers.get(registry, "") if isinstance(helpers, dict) else ""
    trouble = ""
    if name := str(helper or config.get("credsStore") or ""):
        found = _ask_helper(name, key, host, runner)
        if found.user or found.identity_token:
            return found
        trouble = found.trouble
    auths = config.get("auths")
    for address, entry in (auths if isinstance(auths, dict) else {}).items():
        if isinstance(entry, dict) and (address == key or _host_of(str(address)) == registry):
            stored = _from_entry(entry)
            if stored.user or stored.identity_token:
                return stored
    return Credentials(trouble=trouble)


def _host_of(address: str) -> str:
    """``docker login`` of old kept whole addresses: ``https://registry.example.org/v1/``."""
    return address.partition("://")[2].partition("/")[0] if "://" in address else address.partition("/")[0]


def _from_entry(entry: Mapping[str, object]) -> Credentials:
    user, password = str(entry.get("username") or ""), str(entry.get("password") or "")
    try:
        decoded = base64.b64decode(str(entry.get("auth") or ""), validate=True).decode()
    except (binascii.Error, ValueError):
        decoded = ""
    if decoded:
        user, _, password = decoded.partition(":")
    return Credentials(
        user=user,
        password=password.rstrip("\0"),
        identity_token=str(entry.get("identitytoken") or ""),
        source="Docker's config.json",
    )


def _ask_helper(name: str, key: str, host: HostEnvironment, runner: Callable[..., Completed]) -> Credentials:
    program = f"docker-credential-{name}"
    path = find_program(program, host.path) if _HELPER_NAME.fullmatch(name) else None
    if path is None:
        return Credentials(trouble=f"the credential helper {program} is not on PATH")
    try:
        done = runner(
            [str(path), "get"], input=key.encode(), env=host.variables, timeout=_HELPER_SECONDS, check=False
        )
    except ProcessError as error:
        return Credentials(trouble=f"the credential helper {program} failed: {error.output or error.what}")
    if done.status != 0:
        said = (done.stdout + b" " + done.stderr).decode(errors="replace").strip()
        if _NOT_FOUND in said:
            return Credentials()
        return Credentials(trouble=f"the credential helper {program} failed: {said[:300]}")
    try:
        answer = json.loads(done.stdout)
        user, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError):
        return Credentials(
            trouble=f"the credential helper {program} answers with something else than an account"
        )
    if user == _TOKEN_USER:
        return Credentials(identity_token=secret, source=program)
    return Credentials(user=user, password=secret, source=program)
