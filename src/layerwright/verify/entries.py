"""What stands in a layer: entries, and what was learnt of their contents while they passed by."""

from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct

from layerwright.facts.model import Library
from layerwright.oci.layer import Layer
from layerwright.verify.secrets.model import Hit

__all__ = ["Entry", "LayerIndex"]

EntryKind = Literal["file", "link", "folder", "device", "fifo"]

FOLDER_MODE: Final = 0o755


class Entry(Struct, frozen=True, kw_only=True, gc=False):
    """One path of an image.

    Attributes:
        kind: what it is; a hard link is the file that it leads to.
        mode: permission bits with set-uid, set-gid and sticky.
        uid, gid: owner.
        size: bytes.
        target: of a symbolic link.
        layer: position of its layer in the image, from 0; -1 for a folder that no layer describes.
        capabilities: it carries file capabilities.
        sha256: digest of its content in raw bytes; empty when it was not taken.
        library: what its ELF headers say; None for what is no ELF file.
        text: its content, kept for the few small files that checks read.
    """

    kind: EntryKind
    mode: int = FOLDER_MODE
    uid: int = 0
    gid: int = 0
    size: int = 0
    target: str = ""
    layer: int = -1
    capabilities: bool = False
    sha256: bytes = b""
    library: Library | None = None
    text: bytes | None = None


class LayerIndex(Struct, frozen=True, kw_only=True):
    """Everything that one layer says.

    Attributes:
        number: its position in the image, from 0.
        layer: digests and history.
        entries: by path, in the tar's order; the last of one name counts.
        hard_links: path to the path it leads to, where that is not in this layer.
        whiteouts: paths of lower layers that it hides.
        opaque: folders whose lower content it hides.
        secrets: what the scan saw in its files.
    """

    number: int
    layer: Layer
    entries: Mapping[str, Entry]
    hard_links: Mapping[str, str]
    whiteouts: tuple[str, ...] = ()
    opaque: tuple[str, ...] = ()
    secrets: tuple[Hit, ...] = ()
