"""Answering a registry's challenge: Basic, or a bearer token from its authorization service.

Protocol: https://distribution.github.io/distribution/spec/auth/token/ and …/auth/oauth/.
"""

import base64
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from layerwright.core.errors import NetworkError
from layerwright.registry.credentials import Credentials

if TYPE_CHECKING:
    import requests

__all__ = ["Authorizer", "Challenge", "parse_challenges"]

_SCHEME = re.compile(r"\s*,?\s*([A-Za-z][A-Za-z0-9!#$%&'*+.^_`|~-]*)(?:\s+|$)(?!=)")
_PARAMETER = re.compile(r'\s*,?\s*([A-Za-z][A-Za-z0-9_-]*)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_SHORTEST: Final = 60.0
"""Seconds; a token with no stated life lives this long (token specification, ``expires_in``)."""
_OK: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """One challenge of a ``WWW-Authenticate`` header: scheme in lower case."""

    scheme: str
    realm: str = ""
    service: str = ""
    scope: str = ""


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """Read a ``WWW-Authenticate`` header (RFC 9110 §11.6.1); what cannot be read is left out."""
    found = []
    position = 0
    while scheme := _SCHEME.match(header, position):
        position = scheme.end()
        values = {}
        while parameter := _PARAMETER.match(header, position):
            quoted = parameter[2]
            values[parameter[1].lower()] = parameter[3] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            position = parameter.end()
        found.append(
            Challenge(
                scheme=scheme[1].lower(),
                realm=values.get("realm", ""),
                service=values.get("service", ""),
                scope=values.get("scope", ""),
            )
        )
    return tuple(found)


@dataclass(slots=True, kw_only=True)
class Authorizer:
    """Gives ``Authorization`` headers for one registry; safe to use from several threads.

    Attributes:
        registry: for messages.
        credentials: the account, or none.
        get, post: ask the authorization service.
        insecure: plain HTTP is allowed for the service too (a registry on the loopback).
        clock: seconds, monotonic.
    """

    registry: str
    credentials: Credentials
    get: Callable[..., "requests.Response"]
    post: Callable[..., "requests.Response"]
    insecure: bool = False
    clock: Callable[[], float] = time.monotonic
    _challenge: Challenge | None = field(default=None, init=False)
    _tokens: dict[tuple[str, ...], tuple[str, float]] = field(default_factory=dict, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def learn(self, header: str) -> bool:
        """Take note of what the registry asks for; False when it is nothing we can do."""
        known = {challenge.scheme: challenge for challenge in parse_challenges(header)}
        self._challenge = known.get("bearer") or known.get("basic")
        return self._challenge is not None

    def header(self, scopes: tuple[str, ...], *, renew: bool = False) -> dict[str, str]:
        """The header for requests that need these scopes; empty before the registry asked for anything.

        Raises:
            NetworkError: the authorization service gives no token.
        """
        challenge = self._challenge
        if challenge is None:
            return {}
        if challenge.scheme == "basic":
            if not self.credentials.password:
                return {}
            pair = f"{self.credentials.user}:{self.credentials.password}".encode()
            return {"Authorization": "Basic " + base64.b64encode(pair).decode()}
        with self._lock:
            token, until = self._tokens.get(scopes, ("", 0.0))
            if renew or not token or until <= self.clock():
                token, life = self._ask(challenge, scopes)
                # A part of the life is left for the request itself, which may be a long upload's beginning.
                self._tokens[scopes] = token, self.clock() + 0.8 * life
        return {"Authorization": f"Bearer {token}"}

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown."""
        return (*self.credentials.secrets, *(token for token, _ in self._tokens.values()))

    def _ask(self, challenge: Challenge, scopes: tuple[str, ...]) -> tuple[str, float]:
        if not challenge.realm.startswith("https://") and not self.insecure:
            raise NetworkError(
                f"{self.registry} wants its tokens asked for without encryption at {challenge.realm[:200]}"
            )
        wanted = scopes or tuple(challenge.scope.split())
        if self.credentials.identity_token:
            fields = {
                "grant_type": "refresh_token",
                "refresh_token": self.credentials.identity_token,
                "service": challenge.service,
                "client_id": "layerwright",
                "scope": " ".join(wanted),
            }
            response = self.post(challenge.realm, data=fields)
        else:
            query = [("service", challenge.service)] if challenge.service else []
            query += [("scope", scope) for scope in wanted]
            account = (
                (
                    self.credentials.user.encode(),
                    self.credentials.password.encode(),
                )  # UTF-8, as Docker has it
                if self.credentials.password
                else None
            )
            response = self.get(challenge.realm, params=query, auth=account)
        if response.status_code != _OK:
            raise self._refused(response)
        try:
            answer = response.json()
            token = str(answer.get("token") or answer["access_token"])
            life = max(_SHORTEST, float(answer.get("expires_in") or 0))
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise NetworkError(f"the authorization service of {self.registry} gives no token") from error
        return token, life

    def _refused(self, response: "requests.Response") -> NetworkError:
        where = f"the authorization service of {self.registry}"
        if self.credentials.source:
            return NetworkError(
                f"{where} does not accept the account from {self.credentials.source} (status {response.status_code})",
                hint=f"log in again: docker login {self.registry}",
            )
        return NetworkError(
            f"{where} refuses an anonymous token (status {response.status_code})",
            hint=self.credentials.trouble or f"log in: docker login {self.registry}",
        )
