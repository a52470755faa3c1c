"""Rules of a spec that hold for any image: packages that must fit each other whatever brought them.

Installed packages are given to the rules as the facts of their wheels; the whole image stands for the base, since
nothing is left to be added to it.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec.structs import replace

from layerwright.core.findings import Finding, Fix, Kind, Place
from layerwright.core.source import Location
from layerwright.facts.model import BaseFacts, ComponentFacts, Library, Package, Subject, WheelFacts
from layerwright.plan.labels import GPU_ARCH_LABEL
from layerwright.rules import Rule, musa, ort_torch, placeholders, torch_family
from layerwright.rules.case import Case
from layerwright.verify.checks.musa import toolkit_release
from layerwright.verify.inspection import Inspection
from layerwright.verify.python.environments import Environment

__all__ = ["KINDS", "check", "subject_of"]

_RULES: Final[tuple[Rule, ...]] = (ort_torch, torch_family, musa, placeholders)

KINDS: tuple[Kind, ...] = tuple(kind for rule in _RULES for kind in rule.KINDS)
"""Those of the rules."""


def check(image: Inspection) -> Iterator[Finding]:
    """Let the rules judge every environment."""
    for environment in image.environments:
        if not environment.dists:
            continue
        case = Case(subject_of(image, environment))
        for rule in _RULES:
            for finding in rule.check(case):
                yield _placed(image, environment, finding)


def _placed(image: Inspection, environment: Environment, finding: Finding) -> Finding:
    """The finding with its place in the image; there is no spec whose lines it could name."""
    dist = next(
        (environment.dists[one.name] for one in finding.members if one.name in environment.dists), None
    )
    path = dist.info if dist is not None else ""
    return replace(
        finding,
        where=Place(
            image=image.name, path=path, layer=image.layer_digest(dist.layer) if dist is not None else ""
        ),
        fix=tuple(_fix(image, fix) for fix in finding.fix),
        members=tuple(
            image.wheel(environment.dists[one.name])
            if one.kind == "wheel" and one.name in environment.dists
            else replace(one, location=None)
            for one in finding.members
        ),
    )


def _fix(image: Inspection, fix: Fix) -> Fix:
    return replace(fix, replaces=None, verified=False, edit=fix.edit if image.is_ours else "")


def subject_of(image: Inspection, environment: Environment) -> Subject:
    """An environment of the image as rules see a cell of a spec."""
    nowhere = Location(file=image.name)
    libraries: dict[str, list[Library]] = {}
    for path, library in image.closure.libraries.items():
        dist = environment.owners.get(path)
        if dist is not None:
            libraries.setdefault(dist.name, []).append(
                replace(library, path=path.removeprefix(f"{dist.folder}/"))
            )
    required: dict[str, list[str]] = {}
    for dist in environment.dists.values():
        for line in dist.requires:
            if "extra ==" not in line:
                required.setdefault(_name(line), []).append(dist.name)
    packages: dict[str, Package] = {
        name: Package(
            name=name,
            version=dist.version,
            facts=WheelFacts(
                file=f"{dist.info.rpartition('/')[2]} in the image",
                sha256="",
                name=name,
                version=dist.version,
                requires_python=dist.requires_python,
                requires=dist.requires,
                libraries=tuple(libraries.get(name, ())),
                reach="members",
            ),
            required_by=tuple(dict.fromkeys(required.get(name, ()))),
        )
        for name, dist in environment.dists.items()
    }
    return Subject(
        cell=image.name,
        role=image.role,
        accelerator=image.accelerator,
        platform=image.contents.image.platform,
        python=environment.version,
        location=nowhere,
        base_location=nowhere,
        base=BaseFacts(reference=image.name, known=True, sonames=_system(image, environment), closed=True),
        packages=packages,
        env=image.settings.env,
        gpu_arch=image.settings.labels.get(GPU_ARCH_LABEL, ""),
        components=_components(image, nowhere),
    )


def _components(image: Inspection, nowhere: Location) -> tuple[ComponentFacts, ...]:
    release = toolkit_release(image)
    if not release:
        return ()
    return (ComponentFacts(name="musa_toolkit", kind="musa_toolkit", release=release, location=nowhere),)


def _system(image: Inspection, environment: Environment) -> Mapping[str, str]:
    """Libraries that no package of the environment brings, by soname or file name."""
    found: dict[str, str] = {}
    for path, library in image.closure.libraries.items():
        if path not in environment.owners:
            found.setdefault(library.soname or path.rpartition("/")[2], path)
    return found


def _name(line: str) -> str:
    from packaging.utils import canonicalize_name  # noqa: PLC0415 - start-up

    name = line.partition(";")[0]
    for mark in "[(<>=!~ ":
        name = name.partition(mark)[0]
    return canonicalize_name(name.strip())
