"""CUDA libraries that come from wheels must be loaded before ONNX Runtime looks for them."""

from collections.abc import Iterator
from typing import Final

from layerwright.core.findings import Evidence, Finding, Fix, Kind
from layerwright.rules.case import Case
from layerwright.rules.cuda_names import base_brings
from layerwright.rules.repairs import packages_fix
from layerwright.rules.requirements import release_of
from layerwright.rules.words import named

__all__ = ["KINDS", "can_preload", "check", "ways"]

PRELOAD = Kind(
    code="LW-ORT-PRELOAD",
    title="Nothing loads the CUDA wheels before ONNX Runtime does",
    why="The loader does not search nvidia/*/lib below site-packages. ONNX Runtime finds CUDA there only when torch "
    "was imported before, when onnxruntime.preload_dlls() was called (1.21 and later), or when LD_LIBRARY_PATH names "
    "the folders. Otherwise the session falls back to the CPU.",
    evidence="The locked wheels bring the CUDA libraries that the provider needs, the base does not, and the "
    "provider's RPATH does not lead to them.",
    repair="Call `onnxruntime.preload_dlls()` before the first session, or `import torch` first. For older releases "
    "set LD_LIBRARY_PATH in `env`.",
)
KINDS = (PRELOAD,)

_SINCE: Final = (1, 21)
_SHOWN: Final = 3
_DOCS: Final = Evidence(
    text="onnxruntime.preload_dlls() loads CUDA and cuDNN from the nvidia wheels; importing torch first does so too",
    source="onnxruntime.ai docs, CUDA Execution Provider, Preload DLLs",
    confidence="docs",
)


def check(case: Case) -> Iterator[Finding]:
    """See whether the provider's libraries come from wheels alone."""
    need = case.cuda.need("onnxruntime-gpu")
    if need is None or not case.nvidia or "LD_LIBRARY_PATH" in case.subject.env:
        return
    places = {name: case.cuda.brought(name) for name in need.libraries}
    from_wheels = [name for name, place in places.items() if not isinstance(place, str)]
    if "missing" in places.values():
        return  # what cannot be found at all is another rule's
    if not from_wheels or any(base_brings(case.subject.base, name) == "base" for name in from_wheels):
        return
    provider = next(
        (
            library
            for library in (need.package.facts.libraries if need.package.facts else ())
            if library.path.endswith("libonnxruntime_providers_cuda.so")
        ),
        None,
    )
    if provider and all(
        case.native.find(name, need.package, provider).state == "wheel"
        and _reached(provider.runpath + provider.rpath)
        for name in from_wheels
    ):
        return
    with_torch = case.cuda.need("torch") is not None
    callable_here = can_preload(need.package.version)
    wheels = dict.fromkeys(named(place) for place in places.values() if not isinstance(place, str))
    yield case.finding(
        PRELOAD,
        "note" if callable_here or with_torch else "warning",
        f"{named(need.package)} finds {', '.join(from_wheels[:_SHOWN])} of {', '.join([*wheels][:_SHOWN])} only when "
        f"{ways(need.package.version, with_torch=with_torch)}",
        evidence=[*need.evidence, _DOCS],
        fix=[
            Fix(text="call onnxruntime.preload_dlls() before the first session", cost=2)
            if callable_here
            else Fix(text="import torch before onnxruntime", cost=2)
            if with_torch
            else packages_fix(
                need.package,
                "onnxruntime-gpu>=1.21",
                "take 1.21 or later, which has onnxruntime.preload_dlls()",
                cost=10,
            )
        ],
        members=[case.wheel(need.package)],
    )


def can_preload(version: str) -> bool:
    """Whether an onnxruntime-gpu has ``preload_dlls()``, and the extras that bring CUDA and cuDNN."""
    return release_of(version) >= _SINCE


def ways(version: str, *, with_torch: bool) -> str:
    """What makes an onnxruntime-gpu find CUDA in wheels, for sentences."""
    found = ["onnxruntime.preload_dlls() is called"] if can_preload(version) else []
    found += ["torch is imported first"] if with_torch else []
    return " or ".join([*found, "LD_LIBRARY_PATH names their folders"])


def _reached(folders: tuple[str, ...]) -> bool:
    return any("nvidia" in folder for folder in folders)
