"""What is put into an image: packages, models, components and copies."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType, field

from layerwright.spec.keys.values import (
    ComponentKindName,
    GpuArchitectureName,
    ImagePath,
    NonEmpty,
    Sha256,
    Table,
    text_like,
)

__all__ = ["ComponentTable", "CopyTable", "ModelTable", "PackageTable"]


class PackageTable(Table, frozen=True, kw_only=True):
    """A package that no index serves: exactly one of ``path``, ``git`` and ``url``."""

    path: (
        Annotated[
            NonEmpty,
            Meta(
                description="A project's folder, or a wheel or sdist file, relative to the spec.",
                examples=[".", "vendor/tool-1.0-py3-none-any.whl"],
            ),
        ]
        | UnsetType
    ) = UNSET
    git: (
        Annotated[
            NonEmpty,
            Meta(
                description="Address of a git repository.", examples=["https://github.com/pypa/sampleproject"]
            ),
        ]
        | UnsetType
    ) = UNSET
    rev: (
        Annotated[
            NonEmpty,
            Meta(
                description="Commit, tag or branch of the `git` repository; required with it. "
                "The lock holds the commit.",
                examples=["v1.2.0"],
            ),
        ]
        | UnsetType
    ) = UNSET
    subdirectory: (
        Annotated[
            NonEmpty,
            Meta(description="The project's folder inside the `git` repository.", examples=["python"]),
        ]
        | UnsetType
    ) = UNSET
    url: (
        Annotated[
            NonEmpty,
            Meta(
                description="Address of a wheel or sdist.", examples=["https://example.org/tool-1.0.tar.gz"]
            ),
        ]
        | UnsetType
    ) = UNSET
    sha256: (
        Annotated[
            Sha256, Meta(description="Digest of what `url` serves; required with it.", examples=["0" * 64])
        ]
        | UnsetType
    ) = UNSET
    extras: Annotated[
        tuple[NonEmpty, ...],
        Meta(description="Extras of the package, for `path` and `git`.", examples=[["gpu"]]),
    ] = ()


class ModelTable(Table, frozen=True, kw_only=True):
    """A file that is fetched on the host and put into the image."""

    url: Annotated[
        NonEmpty,
        Meta(
            description="Address (http, https or file), or a path relative to the spec.",
            examples=["https://example.org/detector.onnx", "models/detector.onnx"],
        ),
    ]
    sha256: Annotated[Sha256, Meta(description="Digest of the file.", examples=["0" * 64])]
    to: Annotated[
        ImagePath, Meta(description="Where it goes in the image.", examples=["/models/detector.onnx"])
    ]
    mode: Annotated[
        str,
        text_like("0?[0-7]{3}", 'permission bits such as "0644"'),
        Meta(description="Permission bits, in octal.", examples=["0644"]),
    ] = "0644"


class ComponentTable(Table, frozen=True, kw_only=True):
    """An archive with an installer, such as the MUSA toolkit; the image gets what it installs, and not the archive."""

    kind: (
        Annotated[
            ComponentKindName,
            Meta(
                description="What it is; the component's name when that is a kind. It decides when the component is "
                "installed (in this order) and how. An image has one toolkit, one muDNN and one MCCL at most.",
                examples=["mudnn"],
            ),
        ]
        | UnsetType
    ) = UNSET
    url: Annotated[
        NonEmpty,
        Meta(
            description="Address (https, http on this machine, or file) of the tar archive, or a path relative to the "
            "spec.",
            examples=["https://example.org/musa_toolkits_rc4.0.1.tar.gz", "archives/mudnn.tar.gz"],
        ),
    ]
    sha256: Annotated[Sha256, Meta(description="Digest of the archive.", examples=["0" * 64])]
    version: (
        Annotated[
            NonEmpty,
            Meta(
                description="Its release, as the maker calls it; `check` compares it with what torch_musa asks for.",
                examples=["rc4.0.1"],
            ),
        ]
        | UnsetType
    ) = UNSET
    arch: Annotated[
        tuple[GpuArchitectureName, ...],
        Meta(
            description="GPU architectures that it serves; any when there are none. An image with another `gpu_arch` "
            "is refused.",
            examples=[["qy1"]],
        ),
    ] = ()
    install: (
        Annotated[
            NonEmpty,
            Meta(
                description="Shell text that installs it, run by `/bin/sh -eu` in the folder it was unpacked to (the "
                "archive's own, where all is in one), without a network. Absent: `install.sh`; for muDNN "
                "`install_mudnn.sh` where there is one, for MCCL `install_mccl.sh`.",
                examples=["./install.sh", "cp -r lib include /usr/local/musa/"],
            ),
        ]
        | UnsetType
    ) = UNSET
    insecure: (
        Annotated[
            Literal["http"],
            Meta(
                description="Fetch it without encryption. Whoever is on the line can see it; the digest still tells "
                "whether it was changed."
            ),
        ]
        | UnsetType
    ) = UNSET


class CopyTable(Table, frozen=True, kw_only=True):
    """A file or folder of the project that is copied into the image."""

    from_: Annotated[
        NonEmpty,
        Meta(
            description="File or folder, relative to the spec and below its folder; or absolute.",
            examples=["src"],
        ),
    ] = field(name="from")
    to: Annotated[ImagePath, Meta(description="Where it goes in the image.", examples=["/code/src"])]
    exclude: Annotated[
        tuple[NonEmpty, ...],
        Meta(description="Patterns, as in .gitignore, of what stays out.", examples=[["*.tmp", "data/"]]),
    ] = ()
