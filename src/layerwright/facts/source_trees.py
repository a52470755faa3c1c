"""What a git repository and a tag are called as a Python package: ``vision`` at ``v0.16.0`` is torchvision 0.16.0."""

import re
from typing import Final

__all__ = ["package_of_repository", "version_of_tag"]

_PACKAGES: Final = {
    "pytorch": "torch",
    "vision": "torchvision",
    "torchvision": "torchvision",
    "audio": "torchaudio",
    "torchaudio": "torchaudio",
    "torch_musa": "torch-musa",
    "torch-musa": "torch-musa",
}
"""By the last part of a repository's address. Source: github.com/pytorch and github.com/MooreThreads."""

_TAG: Final = re.compile(r"v?(\d{1,6}(?:\.\d{1,6}){1,3}(?:[-._+a-z0-9]{1,20})?)")


def package_of_repository(address: str) -> str:
    """The package that a repository's sources are of, normalized; empty for others."""
    last = address.rstrip("/").removesuffix(".git").rpartition("/")[2]
    return _PACKAGES.get(last.lower(), "")


def version_of_tag(rev: str) -> str:
    """The version that a tag names (``v2.0.0`` is 2.0.0); empty for branches and commits."""
    match = _TAG.fullmatch(rev)
    return match[1] if match else ""
