"""The axes of an image, and which of its cells an override is for."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType, field

from layerwright.spec.keys.values import (
    AcceleratorName,
    GpuArchitectureName,
    NonEmpty,
    PythonVersion,
    Table,
    Variant,
)

__all__ = ["MatrixTable", "WhenTable"]


class MatrixTable(Table, frozen=True, kw_only=True):
    """Axes of an image: one cell for each combination. The order in which the axes stand is that of cell names."""

    python: (
        Annotated[
            tuple[PythonVersion, ...],
            Meta(
                min_length=1, description="Python versions; `py311` in the name.", examples=[["3.9", "3.11"]]
            ),
        ]
        | UnsetType
    ) = UNSET
    accelerator: (
        Annotated[
            tuple[AcceleratorName, ...],
            Meta(min_length=1, description="Accelerators.", examples=[["cpu", "nvidia"]]),
        ]
        | UnsetType
    ) = UNSET
    gpu_arch: (
        Annotated[
            tuple[GpuArchitectureName, ...],
            Meta(min_length=1, description="GPU architectures.", examples=[["qy1", "qy2"]]),
        ]
        | UnsetType
    ) = UNSET
    from_: (
        Annotated[
            tuple[NonEmpty, ...],
            Meta(
                min_length=1,
                description="Bases; the suite, the image's name or the reference's last part in the name.",
                examples=[["debian:bookworm", "debian:trixie"]],
            ),
        ]
        | UnsetType
    ) = field(name="from", default=UNSET)
    variant: (
        Annotated[
            tuple[Variant, ...],
            Meta(min_length=1, description="Names of your own, for overrides.", examples=[["slim", "full"]]),
        ]
        | UnsetType
    ) = UNSET


class WhenTable(Table, frozen=True, kw_only=True):
    """Which cells an override is for: those with one of these values on every axis named."""

    python: (
        Annotated[str | tuple[str, ...], Meta(description="Python versions.", examples=["3.9"])] | UnsetType
    ) = UNSET
    accelerator: (
        Annotated[str | tuple[str, ...], Meta(description="Accelerators.", examples=[["nvidia", "mthreads"]])]
        | UnsetType
    ) = UNSET
    gpu_arch: (
        Annotated[str | tuple[str, ...], Meta(description="GPU architectures.", examples=["qy1"])] | UnsetType
    ) = UNSET
    from_: (
        Annotated[
            str | tuple[str, ...],
            Meta(description="Bases, as the matrix has them.", examples=["debian:trixie"]),
        ]
        | UnsetType
    ) = field(name="from", default=UNSET)
    variant: (
        Annotated[str | tuple[str, ...], Meta(description="Variants.", examples=["slim"])] | UnsetType
    ) = UNSET
