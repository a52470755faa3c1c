"""torch_musa fits torch, torchvision, torchaudio, Python and the MUSA SDK."""

from collections.abc import Iterator

from layerwright.core.findings import Evidence, Finding, Fix, Kind
from layerwright.facts.compat import musa
from layerwright.facts.compat.versions import local_of, same_release
from layerwright.facts.model import ComponentFacts, Package
from layerwright.rules.case import Case
from layerwright.rules.repairs import version_fix
from layerwright.rules.words import named

__all__ = ["KINDS", "check"]

TORCH = Kind(
    code="LW-MUSA-TORCH",
    title="torch_musa was made for another torch",
    why="torch_musa patches and extends one torch release; with another its library does not load (undefined symbols) "
    "or operators are missing. Its README warns that installing torchvision by pip replaces the torch it needs.",
    evidence="Moore Threads' build scripts and release pages, as recorded.",
    repair="Take the torch that the finding names; name torch and torch_musa by address, so that neither is replaced.",
)
FAMILY = Kind(
    code="LW-MUSA-FAMILY",
    title="torchvision or torchaudio does not go with torch_musa",
    why="Their releases ask for an exact torch; one that torch_musa was not tested with replaces torch, or fails to "
    "load.",
    evidence="The versions in Moore Threads' Dockerfiles and build scripts, as recorded.",
    repair="Take the release that the finding names.",
)
PYTHON = Kind(
    code="LW-MUSA-PYTHON",
    title="torch_musa has no wheel for the image's Python",
    why="Its wheels are built for one to three Pythons, and there is no source distribution.",
    evidence="Moore Threads' release pages, as recorded.",
    repair="Set `python` to one that the release has.",
)
SDK = Kind(
    code="LW-MUSA-SDK",
    title="The MUSA SDK that torch_musa needs",
    why="torch_musa links the MUSA toolkit and muDNN of one SDK release, which must be there: `libmusart.so: "
    "cannot open shared object file` otherwise.",
    evidence="Moore Threads' release pages; the release of the toolkit that the spec installs, by its `version` or the "
    "name of its archive; the libraries of the base where it is in the store.",
    repair="Install the toolkit of that release. Or start from an image with that SDK, such as Moore Threads' own "
    "musa-pytorch images.",
)
CUDA = Kind(
    code="LW-MUSA-CUDA",
    title="An image for Moore Threads' GPUs holds CUDA libraries",
    why="They cannot be used there, and take gigabytes. Most often they come with PyPI's torch, which torch_musa does "
    "not work with: it wants the build without CUDA.",
    evidence="The CUDA libraries that the locked wheels need or bring.",
    repair="Take torch from the index of builds without CUDA, or the wheel that Moore Threads publishes.",
)
KINDS = (TORCH, FAMILY, PYTHON, SDK, CUDA)


def check(case: Case) -> Iterator[Finding]:
    """Compare with what is recorded of the release."""
    package = case.installed("torch-musa")
    if case.subject.accelerator == "mthreads":
        yield from _no_cuda(case)
    if package is None:
        return
    release = musa.release(package.version)
    if release is None:
        yield case.finding(
            TORCH,
            "unknown",
            f"which torch {case.called(package)} was made for is not recorded",
            members=[case.wheel(package)],
        )
        return
    yield from _torch(case, package, release)
    for name, wanted in (("torchvision", release.torchvision), ("torchaudio", release.torchaudio)):
        companion = case.installed(name)
        if companion and wanted and not _same(companion.version, wanted):
            yield case.finding(
                FAMILY,
                "error",
                f"{case.called(package)} goes with {name} {wanted}, and the image has {case.called(companion)}",
                evidence=[release.evidence],
                fix=[version_fix(case, companion, wanted, cost=8)],
                members=[case.wheel(package), case.wheel(companion)],
            )
    python = case.subject.python
    wheel = package is case.package("torch-musa")
    if wheel and python and release.python and python not in release.python:
        yield case.finding(
            PYTHON,
            "error",
            f"{named(package)} is published for Python {', '.join(release.python)}, and the image has Python {python}",
            evidence=[release.evidence],
            fix=[
                Fix(text=f"use Python {release.python[-1]}", edit=f'python = "{release.python[-1]}"', cost=10)
            ],
            members=[case.wheel(package), case.python()],
        )
    if release.sdk:
        yield from _sdk(case, package, release)


def _torch(case: Case, package: Package, release: musa.MusaRelease) -> Iterator[Finding]:
    torch = case.installed("torch")
    version = torch.version if torch else case.subject.base.torch
    if not version:
        yield case.finding(
            TORCH,
            "unknown",
            f"{case.called(package)} needs torch {release.torch}, which the lock does not have; whether "
            f"{case.base_name} brings it is not known",
            evidence=[release.evidence],
            members=[case.wheel(package), case.base()],
        )
        return
    if same_release(version, release.torch):
        return
    fixes = []
    if torch is not None:
        fixes.append(version_fix(case, torch, release.torch, cost=10))
    others = musa.releases_for_torch(version)
    if others:
        fixes.append(
            Fix(text=f"take torch_musa {others[0].version}, which was made for torch {version}", cost=15)
        )
    yield case.finding(
        TORCH,
        "error",
        f"{case.called(package)} was made for torch {release.torch}, and the image has "
        f"{case.called(torch) if torch else f'torch {version}'}",
        evidence=[release.evidence],
        fix=fixes,
        members=[case.wheel(package), case.wheel(torch) if torch else case.base()],
    )


def _toolkit(
    case: Case, package: Package, release: musa.MusaRelease, toolkit: ComponentFacts
) -> Iterator[Finding]:
    fits = musa.sdk_fits(release.sdk, toolkit.release)
    if fits:
        return
    has = f"the component {toolkit.name} is {toolkit.release}"
    fixes = [Fix(text=f"take the toolkit {release.sdk}", cost=20)]
    if not toolkit.release:
        has = f"neither `version` nor the archive's name says which the component {toolkit.name} is"
        edit = f'[components.{toolkit.name}]\nversion = "{release.sdk.removeprefix("toolkit ")}"'
        fixes = [Fix(text="say which release it is", edit=edit, cost=1)]
    elif fits is None:
        has += ", which is neither known to go with it nor known not to"
    yield case.finding(
        SDK,
        "error" if fits is False else "unknown",
        f"{case.called(package)} needs the MUSA SDK {release.sdk}, and {has}",
        location=toolkit.location,
        evidence=[release.evidence],
        fix=fixes,
        members=[case.wheel(package), case.component(toolkit)],
    )


def _sdk(case: Case, package: Package, release: musa.MusaRelease) -> Iterator[Finding]:
    toolkit = next((one for one in case.subject.components if one.kind == "musa_toolkit"), None)
    if toolkit is not None:
        yield from _toolkit(case, package, release, toolkit)
        return
    base = case.subject.base
    held = [name for name in base.sonames if name.startswith(("libmusart.so", "libmudnn.so"))]
    level = "error" if base.closed and not held else "note" if held else "unknown"
    there = (
        f"{case.base_name} has no MUSA library"
        if level == "error"
        else f"{case.base_name} has {', '.join(held)}, which do not tell the release of the SDK"
        if held
        else f"what {case.base_name} has of it is not known"
    )
    yield case.finding(
        SDK,
        level,  # type: ignore[arg-type]  # one of three levels
        f"{case.called(package)} needs the MUSA SDK {release.sdk}, and {there}",
        evidence=[release.evidence],
        fix=[Fix(text=f"start from an image that holds the MUSA SDK {release.sdk}", cost=30)],
        members=[case.wheel(package), case.base()],
    )


def _no_cuda(case: Case) -> Iterator[Finding]:
    users = [need for need in case.cuda.needs if need.cuda]
    wheels = [package for packages in case.cuda.wheels_major().values() for package in packages]
    if not users and not wheels:
        return
    first = users[0].package if users else wheels[0]
    size = sum(package.facts.size for package in wheels if package.facts)
    weight = f" of {size / 1e9:.1f} GB" if size >= 50_000_000 else ""  # noqa: PLR2004 - less is not worth a word
    extra = f", with {len(wheels)} nvidia-* wheels{weight}" if wheels else ""
    evidence: list[Evidence] = list(users[0].evidence) if users else []
    stock = musa.rule("import")
    yield case.finding(
        CUDA,
        "warning",
        f"the image is for Moore Threads' GPUs, and {named(first)} is built for CUDA "
        f"{users[0].cuda if users else next(iter(case.cuda.wheels_major()))}{extra}",
        evidence=[*evidence, *([stock] if stock else [])],
        fix=[
            Fix(
                text="take torch from the index of builds without CUDA",
                edit='[indexes.pytorch-cpu]\nurl = "https://download.pytorch.org/whl/cpu"\nexplicit = true\n'
                'packages = ["torch", "torchvision", "torchaudio"]',
                cost=10,
            )
        ],
        members=[case.wheel(first), case.accelerator()],
    )


def _same(version: str, wanted: str) -> bool:
    """``0.15.2a0+fa99a53`` is the source at a commit; releases with a suffix of Moore Threads' own are theirs."""
    if wanted.endswith("-musa"):
        return same_release(version, wanted.removesuffix("-musa"))
    if local_of(wanted):
        return version == wanted
    return same_release(version, wanted)
