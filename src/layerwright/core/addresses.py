"""Addresses without secrets: which URLs carry a credential, and text with them masked.

Every room that prints, logs or locks an address leans on this, so that there is one answer to
"does this hold a secret".
"""

import re

__all__ = ["MASK", "has_credential", "is_loopback_host", "mask_credentials", "scp_as_url", "split_userinfo"]

_SCP = re.compile(r"(?P<user>[^@/\s]+@)?(?P<host>[^:/\s]+):(?P<path>(?!//).+)")

MASK = "****"
"""Stands in the place of a secret."""

_SECRET_PARAMETERS = frozenset(
    {
        "accesskey",
        "accesstoken",
        "apikey",
        "apitoken",
        "auth",
        "authorization",
        "authtoken",
        "awsaccesskeyid",
        "bearer",
        "clientsecret",
        "credential",
        "credentials",
        "jobtoken",
        "jwt",
        "key",
        "keypairid",
        "passphrase",
        "passwd",
        "password",
        "privatetoken",
        "pwd",
        "refreshtoken",
        "sas",
        "secret",
        "secretkey",
        "securitytoken",
        "sessionid",
        "sessiontoken",
        "sig",
        "signature",
        "token",
        "xamzcredential",
        "xamzsecuritytoken",
        "xamzsignature",
        "xgoogcredential",
        "xgoogsignature",
    }
)
# Query parameters that carry a secret: S3, GCS and Azure signed addresses, GitLab job tokens and the
# common names, compared without case and without ``-``, ``_`` and ``.``.

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>`]+")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_USERINFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<userinfo>[^/?#]*)@")
_PARAMETER = re.compile(r"(?P<lead>[?&#;])(?P<name>[^=&#;?]*)=(?P<value>[^&#;]*)")
_SHELLS = frozenset({"ssh", "git+ssh"})


_LOOPBACK = re.compile(r"localhost|127(?:\.[0-9]{1,3}){3}|::1")


def is_loopback_host(host: str) -> bool:
    """Whether a host name or address, without its port, is this machine."""
    return _LOOPBACK.fullmatch(host) is not None


def _is_secret_name(name: str) -> bool:
    from urllib.parse import unquote_plus  # noqa: PLC0415  # start-up

    # decoded twice: some gateways encode what was encoded already
    plain = unquote_plus(unquote_plus(name))
    return re.sub(r"[-_.\s]", "", plain).lower() in _SECRET_PARAMETERS


def has_credential(text: str) -> bool:
    """Whether an address in the text holds userinfo or a parameter that is known to carry a secret.

    A bare user name is no credential for ``ssh`` (``ssh://git@host``); for other schemes it is, because
    tokens travel there too.
    """
    if "://" not in text:
        return False
    # each address is taken to reach to the end of the text: a guard may not be led astray by a quote or blank
    tails = (text[match.start() :] for match in _SCHEME.finditer(text))
    return any(_has_userinfo(tail) or _has_parameter(tail) for tail in tails)


def _has_userinfo(url: str) -> bool:
    match = _USERINFO.match(url)
    if match is None:
        return False
    return match["scheme"].lower() not in _SHELLS or ":" in match["userinfo"]


def _has_parameter(url: str) -> bool:
    return any(match["value"] and _is_secret_name(match["name"]) for match in _PARAMETER.finditer(url))


def mask_credentials(text: str) -> str:
    """The text with every userinfo and secret parameter of its addresses replaced by ``****``."""
    if "://" not in text:
        return text
    return _URL.sub(lambda match: _mask_url(match[0]), text)


def _mask_url(url: str) -> str:
    if _has_userinfo(url):
        url = _USERINFO.sub(lambda match: f"{match['scheme']}://{MASK}@", url, count=1)
    return _PARAMETER.sub(
        lambda match: (
            f"{match['lead']}{match['name']}={MASK}"
            if match["value"] and _is_secret_name(match["name"])
            else match[0]
        ),
        url,
    )


def split_userinfo(url: str) -> tuple[str, str, str]:
    """The address without its userinfo, then user and password (decoded, empty when absent)."""
    from urllib.parse import unquote  # noqa: PLC0415  # start-up

    match = _USERINFO.match(url)
    if match is None:
        return url, "", ""
    user, _, password = match["userinfo"].partition(":")
    return f"{match['scheme']}://{url[match.end() :]}", unquote(user), unquote(password)


def scp_as_url(text: str) -> str:
    """An ``ssh`` address for git's ``user@host:path`` (git-clone(1), GIT URLS); empty for what is written otherwise."""
    found = _SCP.fullmatch(text)
    return f"ssh://{found['user'] or ''}{found['host']}/{found['path'].lstrip('/')}" if found else ""
