"""Pieces of the portable Dockerfile that several of its sections use: commands, packages, secrets, paths."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from posixpath import normpath, relpath
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from layerwright.backends.docker.quoting import paths, shell_word, sources
from layerwright.core.errors import UsageError
from layerwright.core.source import Location
from layerwright.lock.model import Deb

__all__ = [
    "WITH_CA",
    "Secrets",
    "apt_install",
    "context_path",
    "copy",
    "pinned",
    "quoted_address",
    "run",
    "with_ca",
    "write_file",
]

WITH_CA: Final = "with-ca"
"""Program of the tools stage that runs another one with the caller's certificate authorities, if any were given."""

_SAFE: Final = (
    "%/:?#[]@!$&'()*+,;=~-._"  # what may stand in an address; braces and blanks mean something to pip
)
_BY_NAME: Final = re.compile(r"[a-z0-9][a-z0-9+.:~=-]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """Ids of the secrets that are ours, each with its mount.

    Attributes:
        ca: a file of certificate authorities.
        netrc: user names and passwords by host.
    """

    ca: str = "ca"
    netrc: str = "netrc"

    @classmethod
    def beside(cls, taken: Iterable[str]) -> "Secrets":
        """Ids that the spec's own secrets do not have."""
        names = set(taken)

        def free(name: str) -> str:
            while name in names:
                name = f"layerwright-{name}"
            return name

        return cls(ca=free("ca"), netrc=free("netrc"))

    @property
    def ca_file(self) -> str:
        """Where the certificate authorities are while a command runs."""
        return f"/run/secrets/{self.ca}"

    @property
    def ca_mount(self) -> str:
        """Readable by all: apt fetches as a user of its own."""
        return f"--mount=type=secret,id={self.ca},target={self.ca_file},mode=0444"

    def netrc_mount(self, *, required: bool) -> str:
        """Where pip, git and curl look for it."""
        more = ",required=true" if required else ""
        return f"--mount=type=secret,id={self.netrc},target=/root/.netrc{more}"


def run(commands: Sequence[str], *, mounts: Sequence[str] = ()) -> str:
    """A RUN instruction in the shell's form, one mount or piece of the command a line.

    Args:
        commands: pieces of one shell command, without line ends.
        mounts: ``--mount=…`` flags.
    """
    return "RUN " + " \\\n    ".join([*mounts, *commands])


def pinned(debs: Iterable[Deb], architecture: str) -> list[str]:
    """Packages as apt-get takes them, at their very versions where the lock has them.

    Args:
        debs: what to install.
        architecture: the image's, in Debian's words.
    """
    return [
        f"{deb.name}{'' if deb.architecture in {'all', architecture} else ':' + deb.architecture}"
        f"{'=' + deb.version if deb.version else ''}"
        for deb in debs
    ]


def apt_install(packages: Sequence[str], secrets: Secrets) -> str:
    """Install Debian packages, and leave neither lists nor logs behind.

    Args:
        packages: ``name`` or ``name=version``.
        secrets: for package sources behind a proxy with a certificate authority of its own.
    """
    words = [word if _BY_NAME.fullmatch(word) else shell_word(word, what="a package") for word in packages]
    return run(
        [
            "set -eu; export DEBIAN_FRONTEND=noninteractive;",
            f"if [ -f {secrets.ca_file} ]; then set -- -o Acquire::https::CAInfo={secrets.ca_file}; fi;",
            'apt-get "$@" update;',
            'apt-get "$@" install --yes --no-install-recommends --allow-downgrades',
            *(f"  {word}" for word in words[:-1]),
            f"  {words[-1]};",
            "apt-get clean;",
            "rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log",
        ],
        mounts=[secrets.ca_mount],
    )


def write_file(lines: Sequence[str], path: str, *, executable: bool = False) -> str:
    """Write a small text file of the build; its lines stand in the Dockerfile, since heredocs are too new.

    Raises:
        BuildError: a line holds what a Dockerfile cannot hold.
    """
    words = [_quoted(line, path) for line in lines]
    last = f"> {path}" + (f" && chmod 755 {path}" if executable else "")
    return run(["printf '%s\\n'", *words, last])


def _quoted(line: str, what: str) -> str:
    """A shell word in quotes even where it needs none: lines of a file look alike then."""
    text = shell_word(line, what=what)
    return text if text.startswith("'") else f"'{text}'"


def with_ca(secrets: Secrets) -> str:
    """Make the program ``with-ca``."""
    names = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO")
    return write_file(
        [
            "#!/bin/sh",
            f"ca={secrets.ca_file}",
            'if [ -f "$ca" ]; then',
            "  export " + " ".join(f'{name}="$ca"' for name in names),
            "fi",
            'exec "$@"',
        ],
        f"/usr/local/bin/{WITH_CA}",
        executable=True,
    )


def quoted_address(address: str) -> str:
    """An address as programs take it: what may not stand in one is escaped, what is escaped stays so."""
    return quote(address, safe=_SAFE)


def copy(inside: str, to: str) -> str:
    """Copy a file or folder of the context.

    Raises:
        BuildError: a path that a Dockerfile cannot hold.
    """
    return f"COPY {paths(*sources(inside, what='a path'), to, what='a path')}"


def context_path(address: str, root: Path, *, what: str, where: Location | None = None) -> str | None:
    """The path below the project's folder that a path or ``file:`` address means; None for an address elsewhere.

    Args:
        address: as the spec or lock has it.
        root: the project's folder.
        what: for the message.
        where: for the message.

    Raises:
        UsageError: it lies outside of the folder, which is all that a build sees.
    """
    if address.startswith("file:"):
        path = unquote(urlsplit(address).path)
    elif "://" in address:
        return None
    else:
        path = address
    if path.startswith("~"):
        inside = ".."
    elif path.startswith("/"):
        inside = relpath(path, str(root))
    else:
        inside = normpath(path)
    if inside.split("/")[0] == "..":
        raise UsageError(
            f"{what} is outside of the project's folder, which is all that a portable Dockerfile can take from: "
            f"{path}",
            where=where,
            hint=f"move it below {root}, or build with layerwright",
        )
    return inside
