"""Other releases of torch and onnxruntime-gpu that would do, as recorded."""

from collections.abc import Callable, Iterator

from msgspec import Struct

from layerwright.facts.compat import onnxruntime, torch
from layerwright.rules.case import Case

__all__ = ["Build", "newest"]


class Build(Struct, frozen=True, kw_only=True):
    """One release on PyPI; ``sm`` and ``ptx`` are the compute capabilities of its code."""

    version: str
    cuda: str
    cuda_major: str
    cudnn_major: str
    sm: tuple[str, ...]
    ptx: tuple[str, ...]
    python: tuple[str, ...]


def newest(case: Case, name: str, fits: Callable[[Build], bool]) -> Build | None:
    """The newest recorded release that fits and has a wheel for the image's Python; None when there is none."""
    python = case.subject.python
    builds = _torch(case) if name == "torch" else _runtime() if name == "onnxruntime-gpu" else iter(())
    return next(
        (one for one in builds if (not python or not one.python or python in one.python) and fits(one)), None
    )


def _torch(case: Case) -> Iterator[Build]:
    for version in reversed(torch.releases()):
        build = torch.build(version, case.subject.platform.architecture)
        if build is not None:
            yield Build(
                version=version,
                cuda=build.cuda,
                cuda_major=build.cuda_major,
                cudnn_major=build.cudnn_major,
                sm=build.sm + build.sm_few_kernels,
                ptx=build.ptx,
                python=build.python,
            )


def _runtime() -> Iterator[Build]:
    for version in reversed(onnxruntime.gpu_releases()):
        build = onnxruntime.gpu_build(version)
        if build is not None:
            yield Build(
                version=version,
                cuda=build.cuda,
                cuda_major=build.cuda_major,
                cudnn_major=build.cudnn_major,
                sm=build.sm,
                ptx=build.ptx,
                python=build.python,
            )
