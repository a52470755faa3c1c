"""What an image is put together from, as things that can be taken out of it one by one."""

from collections.abc import Collection, Iterable
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from layerwright.core.findings import Finding, Member
from layerwright.facts.model import BaseFacts, Subject
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


def parts_of(subject: Subject) -> tuple[Part, ...]:
    """Everything that can be taken out; Debian packages of the base belong to the base."""
    found = [Part("wheel", name) for name in subject.packages]
    found += [Part("apt", name) for name, package in subject.system.items() if package.location]
    if subject.host is not None:
        found.append(DRIVER)
    if subject.python:
        found.append(PYTHON)
    return (*found, ACCELERATOR, ROLE, BASE)


def with_only(subject: Subject, kept: Collection[Part]) -> Subject:
    """The subject with all other parts taken out.

    Without its base, nothing is known of what it starts from; without its role it may hold what it likes (as a training
    image may); without its accelerator it asks for no GPU.
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
    return ACCELERATOR if member.kind == "requirement" else Part(member.kind)


def as_member(part: Part, subject: Subject, said: Iterable[Member]) -> Member:
    """The part as a finding shows it: in the rule's own words where it names it."""
    for member in said:
        if _part(member) == part:
            return member
    case = Case(subject)
    match part.kind:
        case "wheel":
            return case.wheel(subject.packages[part.name])
        case "apt":
            package = subject.system[part.name]
            return Member(
                kind="apt",
                name=package.name,
                version=package.version,
                origin="asked for by the spec",
                location=package.location,
            )
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
            return case.accelerator()
        case "role":
            return case.role()
        case "base":
            return case.base()
