"""Cells as rules see them, made from a few words, with the spec's lines that they would come from."""

from collections.abc import Mapping, Sequence

from layerwright.core.source import Location
from layerwright.facts.bases import base_facts
from layerwright.facts.model import (
    BaseFacts,
    HostFacts,
    Library,
    Package,
    Subject,
    SystemPackage,
    WheelFacts,
)

FILE = "layerwright.toml"
CUDA_118 = "nvcr.io/nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04"
CUDA_124 = "nvcr.io/nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04"


def wheel(
    name: str, version: str, *libraries: Library, requires: Sequence[str] = (), tags: str = "py3-none-any"
) -> WheelFacts:
    """What was read of a wheel."""
    file = f"{name.replace('-', '_')}-{version}-{tags}.whl"
    return WheelFacts(
        file=file,
        sha256="0" * 64,
        name=name,
        version=version,
        requires=tuple(requires),
        libraries=libraries,
        reach="members" if libraries else "metadata",
    )


def cell(
    base: str | BaseFacts,
    packages: Mapping[str, str | WheelFacts] | None = None,
    *,
    under: Mapping[str, tuple[str | WheelFacts, str]] | None = None,
    apt: Sequence[str] = (),
    debs: Sequence[str] = (),
    role: str = "inference",
    accelerator: str = "nvidia",
    python: str = "3.10",
    host: HostFacts | None = None,
) -> Subject:
    """One cell.

    Args:
        base: reference, or what is known.
        packages: asked for by the spec, one line each: version, or what was read of the wheel.
        under: further packages: version or facts, and the name of what requires them.
        apt: Debian packages of the spec.
        debs: those of the base; known to be complete when there are any.
        role, accelerator, python, host: as in ``Subject``.
    """
    kind, _, suite = base.partition(":") if isinstance(base, str) else ("", "", "")
    facts = (
        base
        if isinstance(base, BaseFacts)
        else base_facts(kind if kind == "debian" else "registry", suite if kind == "debian" else base)
    )
    found: dict[str, Package] = {}
    for number, (name, what) in enumerate((packages or {}).items(), 10):
        version = what if isinstance(what, str) else what.version
        place = Location(
            file=FILE,
            line=number,
            column=3,
            key=f"images.infer.packages[{number - 10}]",
            text=f'  "{name}=={version}",',
        )
        found[name] = Package(
            name=name,
            version=version,
            facts=None if isinstance(what, str) else what,
            requested=True,
            location=place,
        )
    for name, (what, above) in (under or {}).items():
        version = what if isinstance(what, str) else what.version
        found[name] = Package(
            name=name,
            version=version,
            facts=None if isinstance(what, str) else what,
            location=found[above].location,
            required_by=(above,),
        )
    apt_place = Location(file=FILE, line=5, column=8, key="images.infer.apt", text=f"  apt = {list(apt)}")
    system = {name: SystemPackage(name=name, version="1") for name in debs}
    system |= {name: SystemPackage(name=name, version="1", location=apt_place) for name in apt}
    return Subject(
        cell="infer",
        role=role,
        accelerator=accelerator,
        python=python,
        location=Location(file=FILE, line=2, column=2, key="images.infer", text="[images.infer]"),
        base_location=Location(
            file=FILE, line=3, column=8, key="images.infer.from", text=f'from = "{facts.reference}"'
        ),
        base=facts,
        packages=found,
        system=system,
        system_known=bool(debs),
        host=host,
    )
