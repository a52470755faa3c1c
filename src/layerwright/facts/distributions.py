"""Which Linux distribution an image of a registry is, by its name alone."""

import re
from typing import Final

from layerwright.oci.reference import Reference

__all__ = ["distribution_of"]

_DISTRIBUTIONS: Final = frozenset({
    "almalinux", "alpine", "alt", "amazonlinux", "archlinux", "centos", "clearlinux", "debian", "fedora", "kali",
    "kylin", "leap", "mageia", "openeuler", "opensuse", "oraclelinux", "photon", "rockylinux", "sl", "tumbleweed",
    "ubi7", "ubi8", "ubi9", "ubuntu", "uos",
})  # fmt: skip
"""Last parts of the names of distributions' own images. Source: github.com/docker-library, and their registries."""

_RELEASE: Final = re.compile(r"(?P<release>\d{1,4}(?:\.\d{1,4})?)(?:[-.].*)?")


def distribution_of(source: str) -> tuple[str, str]:
    """Name and release of a distribution's own image; both empty for any other image.

    Args:
        source: a reference, such as ``centos:7`` or ``mirror.example/library/ubuntu:20.04``.

    Returns:
        Such as ``("centos", "7")``; the release is empty for tags that move and for names of releases.
    """
    try:
        reference = Reference.parse(source)
    except ValueError:
        return "", ""
    name = reference.repository.rpartition("/")[2]
    if name not in _DISTRIBUTIONS:
        return "", ""
    match = _RELEASE.fullmatch(reference.tag or "")
    return name, match["release"] if match else ""
