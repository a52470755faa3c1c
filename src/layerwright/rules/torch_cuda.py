"""A CUDA build of torch finds the CUDA libraries that it links."""

from collections.abc import Iterator

from layerwright.core.findings import Finding, Fix, Kind, Level
from layerwright.rules.case import Case
from layerwright.rules.cuda_names import cudnn_major
from layerwright.rules.repairs import packages_fix
from layerwright.rules.words import named

__all__ = ["KINDS", "check"]

CUDA = Kind(
    code="LW-TORCH-CUDA",
    title="torch needs CUDA libraries that nothing in the image brings",
    why="`import torch` itself fails: `libcublas.so.12: cannot open shared object file`. It happens when torch was "
    "installed without its dependencies, or when one of the nvidia-* packages that it pins was replaced.",
    evidence="The sonames that torch's libraries need, against the nvidia-* wheels of the lock and the base. Where a "
    "wheel was not read: the release as recorded.",
    repair="Let the resolver install what torch requires; take away constraints and overrides on nvidia-* packages.",
)
KINDS = (CUDA,)


def check(case: Case) -> Iterator[Finding]:
    """Look for every CUDA library of torch."""
    need = case.cuda.need("torch")
    if need is None:
        return
    states = {name: case.cuda.brought(name) for name in need.libraries if name not in need.carried}
    missing = [name for name, state in states.items() if state == "missing"]
    if not missing:
        return
    torch = need.package
    level: Level = "error"
    wheels = [package for major, package in case.cuda.wheels_cudnn().items() if major != need.cudnn]
    wrong = [package for package in wheels if any(cudnn_major(name) for name in missing)]
    there = (
        f"the image has {named(wrong[0])}"
        if wrong
        else f"no wheel brings them, nor does {case.base_with_cuda}"
    )
    yield case.finding(
        CUDA,
        level,
        f"{named(torch)} is built for CUDA {need.cuda_version or need.cuda} and needs {', '.join(missing[:6])}"
        f"{f' and {len(missing) - 6} more' if len(missing) > 6 else ''}, but {there}",  # noqa: PLR2004 - a line's worth
        evidence=need.evidence,
        fix=[
            Fix(
                text="ask for torch without overrides, so that the nvidia-* packages it requires are installed",
                cost=5,
            ),
            packages_fix(
                torch,
                f"torch=={torch.version.partition('+')[0]}",
                "take the build on PyPI with all it requires",
                cost=10,
            ),
        ],
        members=[case.wheel(torch), *(case.wheel(package) for package in wrong), case.base()],
    )
