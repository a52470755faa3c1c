"""References: ``registry/repository:tag@digest``, with Docker's short forms.

Grammar and limits: github.com/distribution/reference (``reference.go``, ``normalize.go``).
"""

import re
from dataclasses import dataclass
from typing import Self

from layerwright.oci.digest import Digest

__all__ = ["DOCKER_HUB", "Reference"]

DOCKER_HUB = "docker.io"
"""The registry of names that state none."""

_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_REGISTRY = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?")
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_IMAGE_ID = re.compile(r"[0-9a-f]{64}")
_LONGEST = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Names an image in a registry. There is no implicit ``latest``: an absent tag stays absent.

    Attributes:
        registry: host with port where given, such as ``docker.io`` or ``localhost:5000``.
        repository: path in the registry, such as ``library/debian``.
        tag: empty without one.
        digest: empty without one.
    """

    registry: str
    repository: str
    tag: str = ""
    digest: Digest | str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a reference as Docker does: ``debian:12`` is ``docker.io/library/debian:12``.

        Raises:
            ValueError: it is none; the message says why.
        """
        name, at, digest_text = text.partition("@")
        try:
            digest = Digest.parse(digest_text) if at else ""
        except ValueError as error:
            raise ValueError(f"in reference {text[:300]!r}: {error}") from None
        tag = ""
        if ":" in name.rpartition("/")[2]:
            name, _, tag = name.rpartition(":")
            if not _TAG.fullmatch(tag):
                raise ValueError(
                    f"in reference {text[:300]!r}: {tag[:140]!r} is no tag "
                    "(letters, digits, '_', '.' and '-', at most 128)"
                )
        registry, repository = _split(name)
        _check(text, registry, repository)
        return cls(registry=registry, repository=repository, tag=tag, digest=digest)

    def __str__(self) -> str:
        return f"{self.registry}/{self.repository}{self._end}"

    @property
    def familiar(self) -> str:
        """As people write it: Docker Hub's name and its ``library/`` left out."""
        if self.registry != DOCKER_HUB:
            return str(self)
        short = self.repository.removeprefix("library/")
        return f"{self.repository if '/' in short else short}{self._end}"

    @property
    def name(self) -> str:
        """Registry and repository, without tag and digest."""
        return f"{self.registry}/{self.repository}"

    @property
    def _end(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{tag}@{self.digest}" if self.digest else tag


def _split(name: str) -> tuple[str, str]:
    """Registry and repository; the first part is a registry when it looks like a host."""
    first, slash, rest = name.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        first, rest = DOCKER_HUB, name
    if first == "index.docker.io":
        first = DOCKER_HUB
    if first == DOCKER_HUB and "/" not in rest:
        rest = f"library/{rest}"
    return first, rest


def _check(text: str, registry: str, repository: str) -> None:
    where = f"in reference {text[:300]!r}"
    if not text:
        raise ValueError("a reference is empty")
    if not _REGISTRY.fullmatch(registry):
        raise ValueError(f"{where}: {registry[:140]!r} is no registry host")
    if not _REPOSITORY.fullmatch(repository):
        shown = repository.removeprefix("library/")[:140]
        if shown != shown.lower():
            raise ValueError(f"{where}: the repository {shown!r} must be lowercase")
        raise ValueError(
            f"{where}: {shown!r} is no repository "
            "(lowercase letters and digits, joined by '.', '_', '__' or '-', parts separated by '/')"
        )
    if len(registry) + 1 + len(repository) > _LONGEST:
        raise ValueError(f"{where}: the name is longer than {_LONGEST} characters")
    if _IMAGE_ID.fullmatch(repository.removeprefix("library/")):
        raise ValueError(f"{where}: 64 hexadecimal digits name an image id, not a repository")
