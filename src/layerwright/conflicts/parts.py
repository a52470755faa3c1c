"""What an image is put together from, as things that can be taken out of it one by one."""

from collections.abc import Collection, Iterable
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from layerwright.core.findings import Finding, Member
from layerwright.facts.model import BaseFacts, Subject, SystemPackage
from layerwright.rules.case import Case

__all__ = ["Part", "as_member", "claimed", "parts_of", "with_only"]


class Part(Struct, frozen=True, order=True):
    """One thing: a kind as ``Member`` has it, and a name where there are several of that kind."""

    kind: Literal["base", "wheel", "apt", "driver", "python", "requirement", "role"]
    name: str = ""


BASE = Part("base")
DRIVER = Part("driver")
PYTHON = Part("python")
ROLE = Part("role")
ACCELERATOR = Part("requirement", "accelerator")
GPU_ARCH = Part("requirement", "gpu_arch")


def parts_of(subject: Subject) -> tuple[Part, ...]:
    """Everything that can be taken out; Debian packages of the base belong to the base."""
    found = [Part("wheel", name) for name in {**subject.packages, **subject.source_trees}]
    found += [Part("requirement", component.name) for component in subject.components]
    found += [Part("apt", name) for name, package in subject.system.items() if package.location]
    if subject.host is not None:
        found.append(DRIVER)
    if subject.python:
        found.append(PYTHON)
    if subject.gpu_arch:
        found.append(GPU_ARCH)
    return (*found, ACCELERATOR, ROLE, BASE)


def with_only(subject: Subject, kept: Collection[Part]) -> Subject:
    """The subject with all other parts taken out.

    Without its base, nothing is known of what it starts from; without its role it may hold what it likes (as a training
    image may); without its accelerator it asks for no GPU. A package's wheel and its source tree are one thing.
    """
    has_base = BASE in kept
    system = {
        name: package
        for name, package in subject.system.items()
        if (Part("apt", name) in kept if package.location else has_base)
    }
    return replace(
        subject,
        packages={name: one for name, one in subject.packages.items() if Part("wheel", name) in kept},
        source_trees={name: one for name, one in subject.source_trees.items() if Part("wheel", name) in kept},
        components=tuple(one for one in subject.components if Part("requirement", one.name) in kept),
        gpu_arch=subject.gpu_arch if GPU_ARCH in kept else "",
        system=system,
        system_known=subject.system_known and has_base,
        base=subject.base if has_base else BaseFacts(reference=subject.base.reference),
        host=subject.host if DRIVER in kept else None,
        python=subject.python if PYTHON in kept else "",
        role=subject.role if ROLE in kept else "training",
        accelerator=subject.accelerator if ACCELERATOR in kept else "cpu",
    )


def claimed(finding: Finding, known: Collection[Part]) -> tuple[Part, ...]:
    """The parts that the finding's rule names itself."""
    return tuple(part for member in finding.members if (part := _part(member)) in known)


def _part(member: Member) -> Part:
    if member.kind in ("wheel", "apt"):
        return Part(member.kind, member.name)
    if member.kind == "requirement":
        # As it stands in the spec (accelerator = "nvidia"), or a component's name.
        return Part("requirement", member.name.partition(" ")[0])
    return Part(member.kind)


def as_member(part: Part, subject: Subject, said: Iterable[Member]) -> Member:
    """The part as a finding shows it: in the rule's own words where it names it."""
    for member in said:
        if _part(member) == part:
            return member
    case = Case(subject)
    match part.kind:
        case "wheel":
            return case.wheel(subject.packages.get(part.name) or subject.source_trees[part.name])
        case "apt":
            return _debian(subject.system[part.name])
        case "driver":
            host = subject.host
            return Member(
                kind="driver",
                name="driver",
                version=(host.driver_version or host.mthreads_driver_version) if host else "",
                origin=f"of {(host.name if host else '') or 'the machine'}",
            )
        case "python":
            return case.python()
        case "requirement":
            return _requirement(part, case)
        case "role":
            return case.role()
        case "base":
            return case.base()


def _debian(package: SystemPackage) -> Member:
    return Member(
        kind="apt",
        name=package.name,
        version=package.version,
        origin="asked for by the spec",
        location=package.location,
    )


def _requirement(part: Part, case: Case) -> Member:
    if part == GPU_ARCH:
        return case.gpu_arch()
    component = next((one for one in case.subject.components if one.name == part.name), None)
    return case.accelerator() if component is None else case.component(component)
