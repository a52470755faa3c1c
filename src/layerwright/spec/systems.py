"""Bases that an accelerator's software is known not to be for; refused before anything is fetched."""

from layerwright.facts.distributions import distribution_of
from layerwright.spec.model import Base

__all__ = ["refused_system"]


def refused_system(accelerator: str, base: Base) -> tuple[str, str]:
    """Why a base cannot carry images for an accelerator, and the systems that can; both empty when it may.

    Moore Threads' software is for releases of Ubuntu (``layerwright.spec.musa``). Images whose name is of no
    distribution are not judged, nor is Debian, which ``check`` warns of.
    """
    if accelerator != "mthreads" or base.kind not in {"registry", "docker"}:
        return "", ""
    name, release = distribution_of(base.source)
    if name in {"", "debian"} or (name == "ubuntu" and not release):
        return "", ""
    from layerwright.spec.musa.records import recorded  # noqa: PLC0415 - start-up

    releases = [one.version for one in recorded().ubuntu]
    if name == "ubuntu" and release in releases:
        return "", ""
    supported = ", ".join(f"ubuntu:{one}" for one in releases)
    return f"{base.source} is no system that Moore Threads' software is for", f"supported are {supported}"
