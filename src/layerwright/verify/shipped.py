"""Every file that the layers of an image ship, seen or not."""

from collections.abc import Iterator, Mapping

from msgspec import Struct

from layerwright.verify.entries import Entry
from layerwright.verify.inspection import Inspection
from layerwright.verify.measure import Measured
from layerwright.verify.owners import Owners
from layerwright.verify.size_kinds import kind_of

__all__ = ["Shipped", "shipped_files"]


class Shipped(Struct, frozen=True, kw_only=True, gc=False):
    """A file as a layer ships it.

    Attributes:
        path: without a leading slash.
        entry: what stands there; its layer is the one that ships it.
        compressed: bytes of the blob that it takes; an estimate by the layer's average where it was not seen.
        hidden: a later layer deletes or replaces it.
        owner: ``torch 2.13.0``, ``libc6 2.36-9 (deb)``; empty when nobody says.
        kind: one of ``size_kinds.KINDS``.
        sha256: raw; empty when it is not known.
    """

    path: str
    entry: Entry
    compressed: int
    hidden: bool
    owner: str
    kind: str
    sha256: bytes = b""

    @property
    def size(self) -> int:
        """Bytes."""
        return self.entry.size


def shipped_files(image: Inspection, measured: Mapping[str, Measured]) -> Iterator[Shipped]:
    """Every file of every layer, bottom first; hard links to one file count once."""
    lists = {path: text for one in measured.values() for path, text in one.lists.items()}
    owners = Owners(image, lists)
    for index in image.contents.layers:
        found = measured.get(str(index.layer.diff_id), Measured())
        average = index.layer.size / max(1, sum(entry.size for entry in index.entries.values()))
        known: set[int] = set()
        for path, entry in index.entries.items():
            if entry.kind != "file" or id(entry) in known:
                continue
            known.add(id(entry))
            node = image.tree.find(path, follow=False)
            hidden = node is None or node.entry is not entry
            compressed = found.compressed(path) if entry.size else 0
            yield Shipped(
                path=path,
                entry=entry,
                compressed=round(entry.size * average) if compressed is None else compressed,
                hidden=hidden,
                owner="" if hidden else owners.of(f"/{path}"),
                kind=kind_of(path, entry),
                sha256=entry.sha256 or found.sha256(path),
            )
