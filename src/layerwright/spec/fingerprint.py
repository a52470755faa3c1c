"""Which part of the spec a cell's resolution depends on, as one digest."""

import hashlib
import json
from typing import Any

from layerwright.spec.model import Cell, GitPackage, IndexPackage, Package, PathPackage, Spec, UrlPackage
from layerwright.spec.requirement import normalize_name

__all__ = ["cell_resolution_digest"]

_VERSION = 1
"""Raised when the meaning of a part changes, so that older locks are seen as out of date."""


def cell_resolution_digest(cell: Cell, spec: Spec) -> str:
    """Digest (64 hexadecimal digits) of what decides which versions a cell gets; kept in the lock.

    In it: base (for a parent, its name and its own digest), Python, platform, packages, constraints,
    pre-releases, ``exclude-newer``, apt, components, models, whether a Debian base needs time zones; and, when
    there are packages, the indexes without their credentials. Not in it: positions, the cell's own name, and everything
    that only the build needs.
    """
    return hashlib.sha256(
        json.dumps(_parts(cell, spec), sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
    ).hexdigest()


def _parts(cell: Cell, spec: Spec) -> dict[str, Any]:
    parts: dict[str, Any] = {
        "version": _VERSION,
        "base": [cell.base.kind, cell.base.source],
        "platform": str(cell.platform),
        "python": cell.python,
        "apt": sorted(cell.apt),
        "models": sorted([model.url, model.sha256, model.to] for model in cell.models),
    }
    if cell.components:
        parts["components"] = [[one.name, one.kind, one.url, one.sha256] for one in cell.components]
    if cell.sources:
        sources = {item.source.name: item.source for item in cell.sources}
        parts["sources"] = sorted(
            [source.name, source.git, source.rev, source.submodules] for source in sources.values()
        )
    if cell.base.kind == "debian" and cell.timezone:
        # Which zone is a variable of the image; that there is one adds tzdata to the base.
        parts["zones"] = True
    if cell.base.kind == "image":
        parts["parent"] = cell_resolution_digest(spec.cells[cell.base.source], spec)
    if cell.packages:
        parts |= {
            "packages": sorted(_package(package) for package in cell.packages),
            "constraints": sorted(cell.constraints),
            "prereleases": cell.prereleases,
            "exclude_newer": cell.exclude_newer,
            # The order of indexes decides which of them a package comes from, so it stays.
            "indexes": [
                [index.name, index.url, index.format, index.default, index.explicit, sorted(index.packages)]
                for index in spec.indexes.values()
            ],
        }
    return parts


def _package(package: Package) -> list[str]:
    match package:
        case IndexPackage():
            return ["index", package.requirement]
        case PathPackage():
            return ["path", package.path, *_extras(package.extras)]
        case GitPackage():
            return ["git", package.git, package.rev, package.subdirectory, *_extras(package.extras)]
        case UrlPackage():
            return ["url", package.url, package.sha256]


def _extras(extras: tuple[str, ...]) -> list[str]:
    return sorted({normalize_name(extra) for extra in extras})
