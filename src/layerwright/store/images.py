"""Which image a reference names."""

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from layerwright.oci.digest import Digest
from layerwright.store.content import Content
from layerwright.store.layout import Item, Room, StoreLayout
from layerwright.store.sealed import seal, unseal
from layerwright.store.session import Session

__all__ = ["Images", "StoredImage"]


class StoredImage(Struct, frozen=True, kw_only=True):
    """A reference and what must be in the store for it to hold.

    Attributes:
        reference: as it was given.
        manifest: digest of the image's manifest, a file of the room ``blobs``.
        needs: other content the image is made of.
    """

    reference: str
    manifest: Digest
    needs: tuple[Item, ...] = ()

    @property
    def items(self) -> tuple[Item, ...]:
        """Everything the reference stands on."""
        return (Item(kind="blobs", name=self.manifest.hex), *self.needs)


class Images:
    """References to images; one whose content is gone is as good as absent."""

    def __init__(self, layout: StoreLayout, session: Session, content: Content) -> None:
        self._layout = layout
        self._session = session
        self._content = content

    def set(self, reference: str, manifest: Digest, needs: Sequence[tuple[Room, str]]) -> None:
        """Let the reference name the manifest."""
        for room, hex_digest in needs:
            self._layout.content(room, hex_digest)
        data = json.dumps(
            {
                "manifest": manifest,
                "needs": sorted({f"{room}/{hex_digest}" for room, hex_digest in needs}),
                "reference": reference,
            },
            sort_keys=True,
        ).encode()
        path = self._path(reference)
        self._session.write_file(path, seal(path.name, data))

    def get(self, reference: str) -> StoredImage | None:
        """The image, when all it stands on is there; that then counts as used."""
        found = self._read(self._path(reference))
        if found is None:
            return None
        for item in found.items:
            if not self._content.has(item.kind, item.name):  # type: ignore[arg-type]  # checked when written
                return None
        return found

    def all(self) -> tuple[StoredImage, ...]:
        """All whole references, sorted."""
        try:
            names = os.listdir(self._layout.images)  # noqa: PTH208  (names only)
        except FileNotFoundError:
            return ()
        found = (self._read(self._layout.images / name) for name in names)
        return tuple(
            sorted(
                (image for image in found if image is not None and self._stands(image)),
                key=lambda image: image.reference,
            )
        )

    def drop_incomplete(self) -> tuple[str, ...]:
        """Remove references whose content is gone, and damaged ones; returns what they were called."""
        dropped: list[str] = []
        with suppress(FileNotFoundError):
            for path in sorted(self._layout.images.iterdir()):
                found = self._read(path)
                if found is not None and self._stands(found):
                    continue
                path.unlink(missing_ok=True)
                dropped.append(found.reference if found is not None else f"damaged reference {path.name}")
        return tuple(dropped)

    def incomplete(self) -> tuple[str, ...]:
        """References (or names of damaged ones) that ``drop_incomplete`` would remove."""
        try:
            paths = sorted(self._layout.images.iterdir())
        except FileNotFoundError:
            return ()
        pairs = ((path, self._read(path)) for path in paths)
        return tuple(
            f"damaged reference {path.name}" if found is None else found.reference
            for path, found in pairs
            if found is None or not self._stands(found)
        )

    def _stands(self, image: StoredImage) -> bool:
        return all(
            (self._layout.root / item.kind / item.name[:2] / item.name).exists() for item in image.items
        )

    def _path(self, reference: str) -> Path:
        return self._layout.images / hashlib.sha256(reference.encode()).hexdigest()

    @staticmethod
    def _read(path: Path) -> StoredImage | None:
        try:
            data = unseal(path.name, path.read_bytes())
        except FileNotFoundError:
            return None
        if data is None:
            return None
        raw = json.loads(data)
        return StoredImage(
            reference=raw["reference"],
            manifest=Digest.parse(raw["manifest"]),
            needs=tuple(
                Item(kind=kind, name=name) for kind, _, name in (need.partition("/") for need in raw["needs"])
            ),
        )
