"""Words for packages and their binaries, the same in all messages."""

from layerwright.core.findings import Evidence
from layerwright.facts.model import Library, Package

__all__ = ["binary", "named"]


def named(package: Package) -> str:
    """A package for messages: ``torch 2.4.1``."""
    return f"{package.name} {package.version}".rstrip()


def binary(package: Package, library: Library, text: str) -> Evidence:
    """What a library of a wheel says of itself."""
    file = package.facts.file if package.facts else package.name
    return Evidence(text=f"{library.path} {text}", source=file, confidence="binary")
