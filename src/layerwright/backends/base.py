"""What a backend is, and what it gives back."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from msgspec import Struct, field

from layerwright.core.errors import LayerwrightError
from layerwright.oci.digest import Digest
from layerwright.oci.image import Image
from layerwright.oci.layer import Layer
from layerwright.plan.steps import CellPlan, Plan
from layerwright.plan.testing import Verdict

__all__ = ["Backend", "BuiltImage", "BuiltLayer", "CellFailure", "Outcome", "WheelPart"]


class WheelPart(Struct, frozen=True, kw_only=True):
    """A wheel in the store as part of a layer; fields as in ``layers.WheelFile``."""

    sha256: str
    file: str
    name: str
    version: str
    requested: bool
    direct_url: str = ""


class BuiltLayer(Struct, frozen=True, kw_only=True):
    """A layer whose bytes the store can give at any time.

    Attributes:
        diff_id, digest, size, tar_size, created_by, media_type: as in ``oci.Layer``.
        wheels: parts of a wheel layer, from which the blob is made on the fly; empty for a blob kept as a file.
        prefix: where the wheels are installed.
        python: ``3.11`` for wheel layers.
        claims: paths that a wheel layer claims (``layers.owners``), each with a digest of what stands there.
        trees: store keys of the extracted parts, bottom first; empty means one tree keyed by the diff id.
        private: trees a program could write through, so they are copied rather than linked where overlays
            are not to be had.
    """

    diff_id: Digest
    digest: Digest
    size: int
    tar_size: int
    created_by: str
    media_type: str
    wheels: tuple[WheelPart, ...] = ()
    prefix: str = ""
    python: str = ""
    claims: Mapping[str, str] = field(default_factory=dict)
    trees: tuple[str, ...] = ()
    private: bool = True

    @property
    def plain(self) -> Layer:
        """The layer as manifests know it."""
        return Layer(
            diff_id=self.diff_id,
            digest=self.digest,
            size=self.size,
            tar_size=self.tar_size,
            created_by=self.created_by,
            media_type=self.media_type,
        )


class BuiltImage(Struct, frozen=True, kw_only=True):
    """A finished image.

    Attributes:
        cell: the cell it was built for.
        references: ``name:tag`` for each tag.
        image: manifest and config.
        layers: bottom first; the same order as ``image.layers``.
        interpreter: path of the base's Python, empty for an image without one.
        cached: for each layer, whether it was there before this build.
        seconds: wall time of this build, all cells together for a shared step.
        bytes_written: bytes that this build added to the store for this cell.
        tests: how its tests, and those of its parents, ended.
    """

    cell: str
    references: tuple[str, ...]
    image: Image
    layers: tuple[BuiltLayer, ...]
    interpreter: str
    cached: tuple[bool, ...]
    seconds: float
    bytes_written: int
    tests: tuple[Verdict, ...] = ()


class CellFailure(Struct, frozen=True, kw_only=True):
    """A cell that could not be built; the others were."""

    cell: str
    error: LayerwrightError


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of every asked cell."""

    images: tuple[BuiltImage, ...]
    failures: tuple[CellFailure, ...] = ()


class Backend(Protocol):
    """Builds plans."""

    def unsupported(self, plan: Plan) -> Mapping[str, str]:
        """Nodes this backend cannot realise here, with the reason; empty when it can build the plan."""

    def build(self, plan: Plan, cells: Iterable[CellPlan], *, whole: bool = False) -> Outcome:
        """Build the cells; ``whole`` when the bytes of their layers will be asked for."""
