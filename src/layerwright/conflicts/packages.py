"""Another set of Python packages: what a resolver would make of a changed requirement, as far as is recorded."""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec.structs import replace
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from layerwright.conflicts.releases import asks, parsed, recorded, release, version_of
from layerwright.core.source import Location
from layerwright.facts.compat import cuda_wheels, onnxruntime
from layerwright.facts.compat.versions import dotted
from layerwright.facts.model import Package, Subject

__all__ = ["drop_package", "set_package"]

_WHY: Final = "a repair that is being tried: its wheel was not read"


def drop_package(subject: Subject, name: str) -> Subject | None:
    """The subject when the spec does not ask for a package any more; None when it does not ask for it now.

    The package stays when another one needs it; else it goes, and with it all that only it needed.
    """
    package = subject.packages.get(name)
    if package is None or not package.requested:
        return None
    packages = dict(subject.packages)
    packages[name] = replace(package, requested=False)
    return replace(subject, packages=_without_orphans(packages))


def _without_orphans(packages: dict[str, Package]) -> dict[str, Package]:
    """Without what nobody asks for, until everything left is asked for by the spec or by something left."""
    kept = dict(packages)
    while True:
        found = {
            name: replace(one, required_by=tuple(above for above in one.required_by if above in kept))
            for name, one in kept.items()
        }
        left = {name: one for name, one in found.items() if one.requested or one.required_by}
        if len(left) == len(kept):
            return left
        kept = left


def set_package(subject: Subject, requirement: str, *, at: Location | None = None) -> Subject | None:
    """The subject when the spec asks for a package with this requirement; None when nobody can say what comes of it.

    A version that stays what it is keeps what was read of its wheel. Another one is taken from the records: the newest
    that the requirement takes, that has a wheel for the image's Python, and that everything else in the image agrees
    with.

    Args:
        subject: before.
        requirement: PEP 508 text.
        at: place in the spec, for a package that is new there.
    """
    wanted = parsed(requirement)
    if wanted is None or wanted.url or wanted.marker:
        return None
    name = str(canonicalize_name(wanted.name))
    old = subject.packages.get(name)
    if old is not None and wanted.specifier.contains(old.version, prereleases=True):
        package = replace(old, requested=True)
    else:
        version = _choose(subject, name, wanted)
        if not version:
            return None
        package = Package(
            name=name,
            version=version,
            why_not=_WHY,
            index=old.index if old else "",
            requested=True,
            location=(old.location if old else None) or at or subject.location,
            required_by=old.required_by if old else (),
        )
    packages = {**subject.packages, name: package}
    if old is not None and old.version != package.version:
        packages = _companions(packages, old, package)
    for extra in wanted.extras:
        added = _extra(name, package.version, extra)
        if added is None:
            return None
        packages = _add(packages, added, name)
    changed = replace(subject, packages=_without_orphans(packages))
    return changed if _agreed(changed, name) else None


def _choose(subject: Subject, name: str, wanted: Requirement) -> str:
    """The version that a resolver would take, as far as is recorded; empty when nobody can say."""
    pins = [
        one.version for one in wanted.specifier if one.operator in ("==", "===") and "*" not in one.version
    ]
    candidates = [
        version for version in recorded(name) if wanted.specifier.contains(version, prereleases=True)
    ]
    if pins and pins[0] not in candidates:
        candidates = [pins[0]]
    stable = [text for text in candidates if (known := version_of(text)) and not known.is_prerelease]
    for version in reversed(stable or candidates):
        if _available(subject, name, version):
            return version
    return ""


def _available(subject: Subject, name: str, version: str) -> bool:
    """Whether a release is recorded to have a wheel that this Python and this glibc take."""
    found = release(name, version, subject.platform)
    if found is None or not subject.python:
        return False
    if found.python and subject.python not in found.python:
        return False
    glibc = subject.base.glibc
    return not (found.glibc and glibc) or dotted(found.glibc) <= dotted(glibc)


def _companions(packages: dict[str, Package], old: Package, package: Package) -> dict[str, Package]:
    """With the ``nvidia-*`` wheels that this torch pins, in place of those that the other one pinned.

    Where the other one's are not there, something keeps them out (an override), and would keep these out too.
    """
    if package.name != "torch":
        return packages
    before = cuda_wheels.torch_pins(old.version)
    if before is not None and not before.requires.keys() & packages.keys():
        return packages
    pins = cuda_wheels.torch_pins(package.version)
    left = {
        name: replace(one, required_by=tuple(above for above in one.required_by if above != "torch"))
        if name.startswith("nvidia-")
        else one
        for name, one in packages.items()
    }
    if pins is None or "+" in package.version:
        return left
    lines = [f"{name}{specifier}" for name, specifier in pins.requires.items()]
    return _add(left, lines, "torch")


def _extra(name: str, version: str, extra: str) -> tuple[str, ...] | None:
    """Requirement lines of an extra; None when it is not recorded, or cannot be met."""
    if name == "onnxruntime-gpu":
        build = onnxruntime.gpu_build(version)
        if build is None or not build.extras_resolvable:
            return None
        lines = {"cuda": build.extras_cuda, "cudnn": build.extras_cudnn}.get(extra, ())
        return lines or None
    pins = cuda_wheels.extra_pins(name, extra, version)
    return tuple(f"{one}{specifier}" for one, specifier in pins.requires.items()) if pins else None


def _add(packages: dict[str, Package], lines: Iterable[str], above: str) -> dict[str, Package]:
    """With packages that another one requires; versions are the newest recorded, or empty."""
    found = dict(packages)
    added: list[str] = []
    for line in lines:
        wanted = parsed(line)
        if wanted is None:
            continue
        name = str(canonicalize_name(wanted.name))
        old = found.get(name)
        if old is not None and wanted.specifier.contains(old.version, prereleases=True):
            found[name] = replace(old, required_by=tuple(dict.fromkeys((*old.required_by, above))))
            continue
        if old is not None and (old.requested or old.required_by):
            # Two that need different versions of it: a resolver refuses that.
            found[name] = replace(old, required_by=(*old.required_by, above), why_not=_CLASH)
            continue
        fitting = [one for one in recorded(name) if wanted.specifier.contains(one, prereleases=True)]
        pinned = next((one.version for one in wanted.specifier if one.operator == "=="), "").removesuffix(
            ".*"
        )
        found[name] = Package(
            name=name,
            version=fitting[-1] if fitting else pinned,
            why_not=_WHY,
            required_by=(above,),
            location=found[above].location,
        )
        added.append(name)
    for name in added:
        found = _add(found, _cuda_requirements(name), name)
    return found


_CUDA_WHEELS: Final[Mapping[str, tuple[str, ...]]] = {
    "cudnn": ("cublas",),
    "cufft": ("nvjitlink",),
    "cusolver": ("cublas", "nvjitlink", "cusparse"),
    "cusparse": ("nvjitlink",),
}
"""What ``nvidia-*`` wheels require of each other. Source: Requires-Dist of those for CUDA 12 and 13."""


def _cuda_requirements(name: str) -> Iterable[str]:
    """Requirement lines of a wheel of NVIDIA's, from CUDA 12 on."""
    for component, others in _CUDA_WHEELS.items():
        if name == f"nvidia-{component}-cu12":
            return [f"nvidia-{other}-cu12" for other in others]
        if name in (f"nvidia-{component}", f"nvidia-{component}-cu13"):
            return [f"nvidia-{other}" for other in others]
    return ()


_CLASH: Final = "two packages ask for versions of it that exclude each other"


def _agreed(subject: Subject, name: str) -> bool:
    """Whether nothing that is known asks for another version of the package, and it for none of another one."""
    if any(package.why_not == _CLASH for package in subject.packages.values()):
        return False
    for package in subject.packages.values():
        for wanted in asks(package, subject):
            target = str(canonicalize_name(wanted.name))
            if name not in (package.name, target) or target not in subject.packages:
                continue
            there = subject.packages[target].version
            if there and not _takes(wanted, there):
                return False
    return True


def _takes(wanted: Requirement, version: str) -> bool:
    """Whether a requirement takes a version; of NumPy's only the minor release is recorded, and any of it will do."""
    patches = (version, f"{version}.99") if version.count(".") == 1 else (version,)
    return any(wanted.specifier.contains(one, prereleases=True) for one in patches)
