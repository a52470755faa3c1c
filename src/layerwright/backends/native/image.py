"""Layers and a config become an image among the store's blobs."""

from collections.abc import Sequence

from layerwright.backends.base import BuiltLayer
from layerwright.oci.digest import Digest
from layerwright.oci.image import Image, build_image
from layerwright.oci.platform import Platform
from layerwright.plan.steps import CellPlan, SetConfig
from layerwright.store import Store

__all__ = ["finish_image", "read_built", "write_built"]
