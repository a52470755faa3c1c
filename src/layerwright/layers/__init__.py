"""Wheels and trees become layers: the hot path. Knows paths, not the store.

The names are imported when they are first used: a build with nothing to do needs few of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from layerwright.layers.bytecode import bytecode_layer, bytecode_script
    from layerwright.layers.capture import CapturedChange, capture_layer
    from layerwright.layers.compressed import tar_to_layer
    from layerwright.layers.digests import LayerDigests
    from layerwright.layers.install import WheelFile, site_packages
    from layerwright.layers.owners import Collision, clashing_claims, find_collisions, installed_paths
    from layerwright.layers.scan import LeftOut, ScannedEntry, TreeScan, scan_tree
    from layerwright.layers.splice import emit_blob, emit_tar, wheel_layer
    from layerwright.layers.tree import emit_tree_blob, emit_tree_tar, tree_layer
    from layerwright.layers.unpack import Unpacked, extract_layer

__all__ = [
    "CapturedChange",
    "Collision",
    "LayerDigests",
    "LeftOut",
    "ScannedEntry",
    "TreeScan",
    "Unpacked",
    "WheelFile",
    "bytecode_layer",
    "bytecode_script",
    "capture_layer",
    "clashing_claims",
    "emit_blob",
    "emit_tar",
    "emit_tree_blob",
    "emit_tree_tar",
    "extract_layer",
    "find_collisions",
    "installed_paths",
    "scan_tree",
    "site_packages",
    "tar_to_layer",
    "tree_layer",
    "wheel_layer",
]

_HOMES = {
    "bytecode": ("bytecode_layer", "bytecode_script"),
    "capture": ("CapturedChange", "capture_layer"),
    "compressed": ("tar_to_layer",),
    "digests": ("LayerDigests",),
    "install": ("WheelFile", "site_packages"),
    "owners": ("Collision", "clashing_claims", "find_collisions", "installed_paths"),
    "scan": ("LeftOut", "ScannedEntry", "TreeScan", "scan_tree"),
    "splice": ("emit_blob", "emit_tar", "wheel_layer"),
    "tree": ("emit_tree_blob", "emit_tree_tar", "tree_layer"),
    "unpack": ("Unpacked", "extract_layer"),
}


def __getattr__(name: str) -> object:
    for module, names in _HOMES.items():
        if name in names:
            value: object = getattr(import_module(f"layerwright.layers.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
