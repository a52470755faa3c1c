"""Resolution: spec in, lock out, through ports; pure."""

from layerwright.resolve.ports import (
    AptRequest,
    AptResolver,
    BaseInspector,
    FileSizer,
    PackageRequest,
    PackageResolver,
    PackageSet,
    Ports,
)
from layerwright.resolve.resolver import UPGRADE_ALL, Upgrade, outdated_cells, resolve

__all__ = [
    "UPGRADE_ALL",
    "AptRequest",
    "AptResolver",
    "BaseInspector",
    "FileSizer",
    "PackageRequest",
    "PackageResolver",
    "PackageSet",
    "Ports",
    "Upgrade",
    "outdated_cells",
    "resolve",
]
