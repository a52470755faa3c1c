"""An image for GPUs has an inference engine that can use one: no silent fallback to the CPU."""

from collections.abc import Iterator
from typing import Final

from layerwright.core.findings import Evidence, Finding, Fix, Kind, Level
from layerwright.rules.cuda import ORT_PROVIDER
from layerwright.rules.cuda_names import cudnn_major
from layerwright.rules.native import is_driver
from layerwright.rules.ort_cuda import CUDA, CUDNN
from layerwright.rules.ort_packages import VARIANTS
from layerwright.rules.ort_preload import PRELOAD, can_preload, ways
from layerwright.verify.checks.libraries import near_misses
from layerwright.verify.inspection import Inspection
from layerwright.verify.python.dists import Dist
from layerwright.verify.python.environments import Environment
from layerwright.verify.words import listed, short

__all__ = ["KINDS", "check"]

NONE = Kind(
    code="LW-ORT-CPU",
    title="An image for GPUs has an ONNX Runtime without a GPU provider",
    why="The package onnxruntime has the CPU provider alone. A session that asks for CUDA logs one line and goes on "
    "with the CPU, some ten to a hundred times slower.",
    evidence="The files of the installed packages: there is no libonnxruntime_providers_cuda.so.",
    repair='Install onnxruntime-gpu instead of onnxruntime, or say `accelerator = "cpu"`.',
)
KINDS = (CUDA, CUDNN, PRELOAD, NONE)

_TOLERANT: Final = frozenset({"training", "dev"})
"""Roles that may fall back to the CPU: ONNX Runtime exports and compares there."""

_FALLS_BACK: Final = "sessions would run on the CPU without an error"


def check(image: Inspection) -> Iterator[Finding]:
    """Look at ONNX Runtime in every environment."""
    for environment in image.environments:
        found = [dist for name in VARIANTS if (dist := environment.dists.get(name)) is not None]
        providers = [
            path
            for folder in environment.folders
            if (path := f"{folder}/{ORT_PROVIDER}") in image.closure.libraries
        ]
        if providers:
            dist = image.owner(providers[0]) or (found[0] if found else None)
            if dist is not None:
                yield from _provider(image, environment, dist, providers[0])
        elif found and image.accelerator == "nvidia":
            level: Level = "note" if image.role in _TOLERANT else "error"
            yield image.finding(
                NONE,
                level,
                f"the image is for NVIDIA GPUs, and {listed([dist.label for dist in found])} has no CUDA "
                f"provider: {_FALLS_BACK}",
                path=found[0].info,
                evidence=[
                    Evidence(
                        text=f"there is no {ORT_PROVIDER.rpartition('/')[2]} beside the package",
                        source=found[0].info,
                        confidence="binary",
                    )
                ],
                fix=[
                    Fix(text="install onnxruntime-gpu in its place", cost=5),
                    Fix(text="say that the image is for CPUs", edit='accelerator = "cpu"', cost=8),
                ],
                members=[image.wheel(dist) for dist in found],
            )


def _provider(image: Inspection, environment: Environment, dist: Dist, path: str) -> Iterator[Finding]:
    """The provider is opened when a session asks for it, with whatever the process has loaded by then."""
    needed = image.closure.libraries[path].needed
    edges = {edge.name: edge for edge in image.closure.edges if edge.user == path}
    missing = [name for name in needed if not is_driver(name) and name in edges and not edges[name].provider]
    opened = [name for name in needed if (path, name) in image.closure.fallbacks]
    elsewhere = {name: holder for name in missing if (holder := _in_wheels(environment, name)) is not None}
    for kind, names in (
        (CUDNN, [name for name in missing if cudnn_major(name)]),
        (CUDA, [name for name in missing if not cudnn_major(name)]),
    ):
        gone = [name for name in names if name not in elsewhere]
        if gone:
            yield _absent(image, kind, dist, path, gone)
    waiting = [*opened, *elsewhere]
    if waiting:
        yield _waiting(image, environment, dist, path, waiting)


def _in_wheels(environment: Environment, name: str) -> Dist | None:
    return next(
        (
            dist
            for where, dist in environment.owners.items()
            if where.endswith(f"/{name}") and dist.name.startswith("nvidia-")
        ),
        None,
    )


def _absent(image: Inspection, kind: Kind, dist: Dist, path: str, names: list[str]) -> Finding:
    near = [(text, source) for name in names for text, source in near_misses(image, name)]
    level: Level = "note" if image.role in _TOLERANT else "error"
    there = f" ({near[0][0]})" if near else ""
    return image.finding(
        kind,
        level,
        f"the CUDA provider of {dist.label} needs {listed(names)}, and the image has none{there}: {_FALLS_BACK}",
        path=path,
        evidence=[
            Evidence(text=f"{short(path)} needs {name}", source=dist.label, confidence="binary")
            for name in names[:5]
        ]
        + [Evidence(text=text, source=source, confidence="binary") for text, source in near[:5]],
        fix=[*_extras(dist), Fix(text=f"start from a base that has {names[0]}", cost=15)],
    )


def _extras(dist: Dist) -> list[Fix]:
    """The extras that bring what is missing, for releases that have them."""
    if not can_preload(dist.version):
        return []
    return [
        Fix(
            text="let wheels bring CUDA and cuDNN, and call onnxruntime.preload_dlls() before the first session",
            command=f"pip install 'onnxruntime-gpu[cuda,cudnn]=={dist.version}'",
            cost=5,
        )
    ]


def _waiting(image: Inspection, environment: Environment, dist: Dist, path: str, names: list[str]) -> Finding:
    holders = dict.fromkeys(found.label for name in names if (found := _in_wheels(environment, name)))
    with_torch = "torch" in environment.dists
    callable_here = can_preload(dist.version)
    return image.finding(
        PRELOAD,
        "note" if callable_here or with_torch else "warning",
        f"{dist.label} finds {listed(names)} of {listed([*holders]) or 'the nvidia wheels'} only when "
        f"{ways(dist.version, with_torch=with_torch)}",
        path=path,
        evidence=[
            Evidence(
                text="preload_dlls() opens the libraries below site-packages/nvidia by name",
                source="onnxruntime/__init__.py of onnxruntime 1.21 and later",
                confidence="binary",
            )
        ],
        fix=[
            Fix(text="call onnxruntime.preload_dlls() before the first session", cost=2)
            if callable_here
            else Fix(text="import torch before onnxruntime", cost=2)
            if with_torch
            else Fix(text="take onnxruntime-gpu 1.21 or later, which has onnxruntime.preload_dlls()", cost=10)
        ],
    )
