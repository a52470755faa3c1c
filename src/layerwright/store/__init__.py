"""The content-addressed cache on disk: atomic, shared between builders, prunable."""

from layerwright.store.content import ContentWriter
from layerwright.store.images import StoredImage
from layerwright.store.layout import ROOMS, Item, Room
from layerwright.store.maintenance import PruneReport, RoomInfo, StoreInfo, StoreProblem, StoreReport
from layerwright.store.store import Store

__all__ = [
    "ROOMS",
    "ContentWriter",
    "Item",
    "PruneReport",
    "Room",
    "RoomInfo",
    "Store",
    "StoreInfo",
    "StoreProblem",
    "StoreReport",
    "StoredImage",
]
