"""One cell under judgement: its facts, the views on them that rules share, and the shape of findings."""

from collections.abc import Iterable
from functools import cached_property

from layerwright.core.findings import Evidence, Finding, Fix, Kind, Level, Member, Place
from layerwright.core.source import Location
from layerwright.facts.model import ComponentFacts, Package, Subject
from layerwright.rules.cuda import CudaView
from layerwright.rules.native import NativeView
from layerwright.rules.words import named

__all__ = ["Case"]


class Case:
    """A subject with what is derived from it; derived things are made once, when the first rule asks."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject

    @cached_property
    def native(self) -> NativeView:
        """Which library comes from where."""
        return NativeView(self.subject)

    @cached_property
    def cuda(self) -> CudaView:
        """Who needs CUDA and cuDNN, and who brings them."""
        return CudaView(self.subject, self.native)

    @property
    def nvidia(self) -> bool:
        """The image is meant for NVIDIA's GPUs."""
        return self.subject.accelerator == "nvidia"

    def package(self, name: str) -> Package | None:
        """The package of this (normalized) name."""
        return self.subject.packages.get(name)

    def installed(self, name: str) -> Package | None:
        """The package of this name: of a wheel, else of a source tree that is compiled in the image."""
        return self.package(name) or self.subject.source_trees.get(name)

    def called(self, package: Package) -> str:
        """A package for messages: ``torch 2.0.0``, ``torch 2.0.0 (from sources)``."""
        trees = self.subject.source_trees.values()
        return f"{named(package)} (from sources)" if package in trees else named(package)

    def with_facts(self) -> Iterable[Package]:
        """Packages whose binaries were looked at."""
        return (package for package in self.subject.packages.values() if package.facts is not None)

    @cached_property
    def base_name(self) -> str:
        """The base, for messages."""
        return f"the base {self.subject.base.reference}"

    @property
    def base_with_cuda(self) -> str:
        """What the base brings of CUDA, for messages: ``nvidia/cuda:… with CUDA 11.8.0 and cuDNN 8``."""
        base = self.subject.base
        if base.cuda == "none":
            return f"{self.base_name}, which has no CUDA"
        if not base.cuda:
            return f"{self.base_name}, of whose CUDA nothing is known"
        cudnn = f" and {'no cuDNN' if base.cudnn == 'none' else f'cuDNN {base.cudnn}'}" if base.cudnn else ""
        return f"{self.base_name} with CUDA {base.cuda}{cudnn}"

    def finding(
        self,
        kind: Kind,
        level: Level,
        message: str,
        *,
        evidence: Iterable[Evidence] = (),
        fix: Iterable[Fix] = (),
        members: Iterable[Member] = (),
        location: Location | None = None,
    ) -> Finding:
        """A finding about this cell; without a place of its own it lies at the first member's, else at the image.

        One thing alone clashes with nothing, and what is only worth knowing or not known is no clash: then the members
        only say where it lies.
        """
        clash = tuple(members)
        place = location or next((member.location for member in clash if member.location), None)
        if len(clash) < 2 or level in {"note", "unknown"}:  # noqa: PLR2004 - a clash has two sides
            clash = ()
        return Finding(
            code=kind.code,
            level=level,
            message=message,
            where=Place(location=place or self.subject.location, image=self.subject.cell),
            evidence=tuple(evidence),
            fix=tuple(sorted(fix, key=lambda one: one.cost)),
            members=clash,
        )

    def base_evidence(self, *words: str) -> tuple[Evidence, ...]:
        """What shows a property of the base: facts whose text has one of the words, two at most."""
        known = self.subject.base.evidence
        return tuple([one for one in known if any(word in one.text for word in words)][:2])

    def absence_evidence(self) -> tuple[Evidence, ...]:
        """What shows that a library of the system is not there."""
        read = self.base_evidence("libraries where the loader looks")
        if read or not self.subject.system_known:
            return read
        count = len(self.subject.system)
        text = f"none of the {count} Debian packages of the image has it"
        return (Evidence(text=text, source="layerwright.lock", confidence="metadata"),)

    # the things that clash

    def wheel(self, package: Package) -> Member:
        """A Python package as one side of a clash."""
        return Member(
            kind="wheel",
            name=package.name,
            version=package.version,
            origin=self._origin(package),
            location=package.location,
        )

    def base(self) -> Member:
        """The base as one side of a clash."""
        return Member(
            kind="base",
            name=self.subject.base.reference,
            origin="the image starts from it",
            location=self.subject.base_location,
        )

    def role(self) -> Member:
        """The image's role as one side of a clash."""
        return Member(
            kind="role",
            name=self.subject.role,
            origin="the image's role",
            location=self.subject.location,
        )

    def accelerator(self) -> Member:
        """The image's accelerator as one side of a clash."""
        return Member(
            kind="requirement",
            name=f'accelerator = "{self.subject.accelerator}"',
            origin="what the image is meant for",
            location=self.subject.location,
        )

    def gpu_arch(self) -> Member:
        """The image's GPU architecture as one side of a clash."""
        return Member(
            kind="requirement",
            name=f'gpu_arch = "{self.subject.gpu_arch}"',
            origin="what the image is meant for",
            location=self.subject.location,
        )

    def component(self, component: ComponentFacts) -> Member:
        """A component as one side of a clash."""
        return Member(
            kind="requirement",
            name=component.name,
            version=component.release,
            origin="a component of the spec",
            location=component.location,
        )

    def python(self) -> Member:
        """The image's Python as one side of a clash."""
        return Member(
            kind="python",
            name="python",
            version=self.subject.python,
            origin="the image's Python",
            location=self.subject.location,
        )

    def _origin(self, package: Package) -> str:
        if package in self.subject.source_trees.values():
            return "a source tree of the spec"
        if package.requested:
            return "asked for by the spec"
        if not package.required_by:
            return "needed by a package whose metadata is not known"
        parents = [named(parent) for name in package.required_by if (parent := self.package(name))]
        if len(parents) <= 2:  # noqa: PLR2004 - as many as a line holds
            return f"needed by {' and '.join(parents or package.required_by)}"
        return f"needed by {parents[0]} and {len(parents) - 1} more"
