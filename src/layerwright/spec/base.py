"""What the text of ``from`` means."""

import re
from typing import Literal

from layerwright.spec.model import Base

__all__ = ["PYTHON_OF_SUITE", "base_label", "debian_base", "parse_base"]

PYTHON_OF_SUITE = {"bullseye": "3.9", "bookworm": "3.11", "trixie": "3.13"}
"""Debian's only Python of each suite; source: packages.debian.org, package ``python3``."""

_KINDS: dict[str, Literal["image", "oci", "archive", "docker"]] = {
    "image": "image",
    "oci": "oci",
    "archive": "archive",
    "docker-archive": "archive",
    "oci-archive": "archive",
    "docker": "docker",
}
_SUITE = re.compile(r"[a-z][a-z0-9-]*")
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
# github.com/distribution/reference, reference.go: [domain/]path[:tag][@digest]
_REFERENCE = re.compile(
    rf"(?:[A-Za-z0-9.-]+(?::[0-9]+)?/)?{_COMPONENT}(?:/{_COMPONENT})*"
    r"(?P<tag>:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?P<digest>@sha256:[0-9a-f]{64})?"
)
_IMAGE_ID = re.compile(r"(?:sha256:)?[0-9a-f]{12,64}")


def parse_base(text: str) -> Base:
    """Read a ``from``. The source of ``debian`` without a suite is empty; see ``debian_base``.

    Raises:
        ValueError: no such form; the message says what is wrong.
    """
    kind, colon, source = text.partition(":")
    if kind == "debian":
        if colon and not _SUITE.fullmatch(source):
            raise ValueError(f"{source!r} is not the name of a Debian suite")
        return Base(kind="debian", source=source)
    if colon and kind in _KINDS:
        if not source:
            raise ValueError(f"nothing stands after {kind}:")
        if kind == "docker":
            _check_reference(source)
        return Base(kind=_KINDS[kind], source=source)
    _check_reference(text)
    return Base(kind="registry", source=text)


def debian_base(base: Base, python: str) -> Base:
    """The base with its suite: the one named, else the one that has the Python version (empty for any).

    Raises:
        ValueError: the suite has another Python, or no suite is named and none has it.
    """
    with_python = {version: suite for suite, version in PYTHON_OF_SUITE.items()}
    if not base.source:
        if not python:
            raise ValueError("debian without a suite needs `python` to choose it")
        if python not in with_python:
            known = ", ".join(f"{version} ({suite})" for suite, version in PYTHON_OF_SUITE.items())
            raise ValueError(f"no Debian suite has Python {python}: there are {known}")
        return Base(kind="debian", source=with_python[python])
    has = PYTHON_OF_SUITE.get(base.source)
    if python and has and has != python:
        other = with_python.get(python)
        instead = f"; debian:{other} has {python}" if other else ""
        raise ValueError(f"Debian {base.source} has Python {has}, not {python}{instead}")
    return base


def base_label(text: str) -> str:
    """Short name of a base for cell names: suite, image, or the last part of a path or reference."""
    _, colon, source = text.partition(":")
    known = text.startswith("debian:") or (colon and text.partition(":")[0] in _KINDS)
    last = (source if known else text).partition("@")[0].rpartition("/")[2]
    return re.sub(r"[^A-Za-z0-9.]+", "-", last).strip("-.") or "base"


def _check_reference(text: str) -> None:
    match = _REFERENCE.fullmatch(text)
    if _IMAGE_ID.fullmatch(text):
        return
    if not match:
        raise ValueError(f"{text!r} is neither a known kind of base nor an image reference")
    if not match["tag"] and not match["digest"]:
        raise ValueError(f"{text!r} has neither tag nor digest, and there is no implicit latest")
