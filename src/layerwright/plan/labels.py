"""Labels of images, by which people choose them and ``verify`` judges them."""

from collections.abc import Iterable
from typing import Final

from layerwright.facts.components import release_of_file
from layerwright.facts.source_trees import package_of_repository, version_of_tag
from layerwright.spec.model import Component, SourceItem

__all__ = ["COMPONENT_LABEL", "GPU_ARCH_LABEL", "SOURCE_LABEL", "declared_labels"]

GPU_ARCH_LABEL: Final = "dev.layerwright.gpu-arch"
COMPONENT_LABEL: Final = "dev.layerwright.component."
"""Before a component's kind; the value is its release."""

SOURCE_LABEL: Final = "dev.layerwright.source."
"""Before a package's name; the value is the version of its source tree."""


def declared_labels(
    gpu_arch: str, components: Iterable[Component], sources: Iterable[SourceItem]
) -> dict[str, str]:
    """What an image says of its components and source trees; nothing of what has no release or version."""
    found = {}
    if gpu_arch:
        found[GPU_ARCH_LABEL] = gpu_arch
    for component in components:
        release = component.version or release_of_file(component.url.rpartition("/")[2])
        if release and component.kind != "other":
            found[f"{COMPONENT_LABEL}{component.kind}"] = release
    for item in sources:
        package, version = package_of_repository(item.source.git), version_of_tag(item.source.rev)
        if package and version:
            found[f"{SOURCE_LABEL}{package}"] = version
    return found
