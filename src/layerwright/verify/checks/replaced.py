"""Packages are those that their layer brought: no later step replaced them."""

import re
from collections.abc import Iterator
from typing import Final

from layerwright.core.findings import Evidence, Finding, Fix, Kind, Level
from layerwright.rules.roles import TRAINING_FRAMEWORKS
from layerwright.verify.inspection import Inspection
from layerwright.verify.python.dists import Dist
from layerwright.verify.words import listed

__all__ = ["KINDS", "check"]

REPLACED = Kind(
    code="LW-PACKAGE-REPLACED",
    title="A later layer replaced a package",
    why="What was built and tested together is not what runs. A framework that its maker built for this CUDA, or this "
    "accelerator, gives way to one from PyPI that was not; the image keeps both copies' size.",
    evidence="The metadata of the package in each layer, and the history of the layer that changed it.",
    repair="Install all packages in one step, or constrain the later one: `pip install --constraint`, "
    "`PIP_CONSTRAINT`, or `--no-deps`.",
)
TWICE = Kind(
    code="LW-PACKAGE-TWICE",
    title="A package is installed in two versions at one place",
    why="Two metadata folders claim the same files. Which version pip, importlib.metadata and the files themselves "
    "show is chance.",
    evidence="The .dist-info folders of one site folder.",
    repair="Remove both and install the one that is meant.",
)
KINDS = (REPLACED, TWICE)

_INFO: Final = re.compile(r"(?P<site>.+/(?:site|dist)-packages)/[^/]+\.dist-info/METADATA")
_FRAMEWORKS: Final = TRAINING_FRAMEWORKS | {
    *("onnxruntime", "onnxruntime-gpu", "torchvision", "torchaudio", "torch-musa", "triton", "numpy"),
}
"""Packages whose builds differ by more than their version."""


def check(image: Inspection) -> Iterator[Finding]:
    """Follow every package through the layers."""
    history = _history(image)
    for environment in image.environments:
        for dist in environment.dists.values():
            versions = history.get((dist.folder, dist.name), [])
            earlier = [one for one in versions if one[0] < dist.layer and one[1] != dist.version]
            if earlier:
                yield _replaced(image, dist, earlier[-1])
        for dist in environment.shadowed:
            first = environment.dists[dist.name]
            if first.folder == dist.folder and first.version != dist.version:
                yield _twice(image, first, dist)


def _history(image: Inspection) -> dict[tuple[str, str], list[tuple[int, str]]]:
    """By site folder and name: layers and the versions that they brought."""
    from layerwright.verify.python.dists import metadata_identity  # noqa: PLC0415 - start-up

    found: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for index in image.contents.layers:
        for path, entry in index.entries.items():
            match = _INFO.fullmatch(path) if entry.text is not None and path.endswith("/METADATA") else None
            if match is not None and entry.text is not None:
                name, version = metadata_identity(entry.text)
                if name:
                    found.setdefault((f"/{match['site']}", name), []).append((index.number, version))
    return found


def _replaced(image: Inspection, dist: Dist, earlier: tuple[int, str]) -> Finding:
    number, version = earlier
    ours = image.is_own_layer(number) and not image.is_own_layer(dist.layer)
    special = dist.name in _FRAMEWORKS
    # A build with a local version (2.4.0a0+f70bd71.nv24.06, 2.4.1+cu118) is one that PyPI does not have.
    custom = "+" in version and "+" not in dist.version
    level: Level = "error" if (ours or custom) and special else "warning" if ours or special else "note"
    return image.finding(
        REPLACED,
        level,
        f"{dist.name} {version} of {image.layer_title(number)} was replaced by {dist.version} in "
        f"{image.layer_title(dist.layer)}",
        path=dist.info,
        layer=dist.layer,
        evidence=[
            Evidence(
                text=f"{dist.name} {version} came with {image.layer_title(number)}",
                source=image.layer_digest(number),
                confidence="metadata",
            ),
            Evidence(
                text=f"{dist.label} came with {image.layer_title(dist.layer)}, installed by "
                f"{dist.installer or 'an unnamed installer'}",
                source=image.layer_digest(dist.layer),
                confidence="metadata",
            ),
        ],
        fix=[
            Fix(
                text=f"put {dist.name} back",
                command=f"pip install --no-deps {dist.name}=={version}",
                cost=6,
            ),
            Fix(text=f"constrain the later step to {dist.name}=={version}", cost=4),
        ],
    )


def _twice(image: Inspection, first: Dist, second: Dist) -> Finding:
    return image.finding(
        TWICE,
        "error",
        f"{first.folder} has {listed([first.label, second.label])} at once",
        path=second.info,
        evidence=[
            Evidence(
                text=f"{one.info} came with {image.layer_title(one.layer)}",
                source=one.info,
                confidence="metadata",
            )
            for one in (first, second)
        ],
        fix=[
            Fix(
                text="remove both and install one",
                command=f"pip uninstall -y {first.name} && pip install "
                f"{first.name}=={_newer(first.version, second.version)}",
                cost=6,
            )
        ],
        members=[image.wheel(first), image.wheel(second)],
    )


def _newer(one: str, other: str) -> str:
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415 - start-up

    try:
        return max(one, other, key=Version)
    except InvalidVersion:
        return one
