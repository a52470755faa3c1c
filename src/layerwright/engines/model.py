"""What engines and their images are."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from layerwright.oci.digest import Digest

__all__ = ["EngineVersion", "LocalImage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineVersion:
    """What an engine is.

    Attributes:
        version: ``20.10.24+dfsg1``.
        api: path prefix of the API in use, such as ``/v1.41``.
        identity: changes when another engine, or another version of it, answers.
        storage: graph driver or snapshotter, such as ``overlay2``.
        containerd_store: images are kept by containerd (an option since 24, the default of fresh installations
            since 29) rather than by Docker's own graph drivers.
        platform: ``linux/amd64``.
        rootless: it runs without root: its containers' root is whoever runs it.
        remapped: ids in containers are others outside (``userns-remap``).
        runtimes: names of the OCI runtimes it knows.
        cdi_folders: where it looks for device specifications; empty when it does not (before 25, or turned off).
        processors: of its machine; 0 when it does not say.
    """

    version: str
    api: str
    identity: str
    storage: str
    containerd_store: bool
    platform: str
    rootless: bool = False
    remapped: bool = False
    runtimes: tuple[str, ...] = ()
    cdi_folders: tuple[str, ...] = ()
    processors: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalImage:
    """An image that the engine has.

    Attributes:
        identifier: digest of its config; with the containerd store, of its manifest.
        references: ``name:tag`` for each.
        layers: diff ids, bottom first.
        config: what ``docker inspect`` shows under ``Config``.
    """

    identifier: Digest
    references: tuple[str, ...]
    layers: tuple[Digest, ...]
    config: Mapping[str, object] = field(default_factory=dict)
