"""Resolution: spec in, lock out, through ports; pure."""

from layerwright.resolve.ports import (
    AptRequest,
    AptResolver,
    BaseInspector,
    FileSizer,
    InputReader,
    PackageRequest,
    PackageResolver,
    PackageSet,
    Ports,
    TreeResolver,
)
from layerwright.resolve.resolver import resolve
from layerwright.resolve.upgrades import UPGRADE_ALL, Upgrade

__all__ = [
    "UPGRADE_ALL",
    "AptRequest",
    "AptResolver",
    "BaseInspector",
    "FileSizer",
    "InputReader",
    "PackageRequest",
    "PackageResolver",
    "PackageSet",
    "Ports",
    "TreeResolver",
    "Upgrade",
    "resolve",
]
