"""The machine's Moore Threads driver and GPUs go with the image."""

from collections.abc import Iterator

from layerwright.core.findings import Evidence, Finding, Fix, Kind, Member
from layerwright.facts.compat import musa
from layerwright.facts.gpu_architectures import architecture_of
from layerwright.facts.model import HostFacts, Package
from layerwright.rules.case import Case

__all__ = ["KINDS", "check"]

DRIVER = Kind(
    code="LW-MUSA-DRIVER",
    title="The machine's driver is not the one that torch_musa was made with",
    why="The MUSA SDK in an image talks to the driver of the machine. With an older driver programs end with a core "
    "dump, or see no GPU; Moore Threads names one driver for each release.",
    evidence="The driver in the record of the machine; the driver that Moore Threads names for the release.",
    repair="Install the driver that the finding names, or take the torch_musa that goes with the machine's.",
)
ARCH = Kind(
    code="LW-MUSA-ARCH",
    title="The image is for another architecture of Moore Threads' GPUs",
    why="Toolkits and torch_musa are built for one architecture (qy1, qy2, ph1); on another no kernel starts.",
    evidence="`gpu_arch` of the image; the products in the record of the machine.",
    repair="Build the image for the architecture of the machine's GPUs: `gpu_arch`, with components and wheels for it.",
)
KINDS = (DRIVER, ARCH)


def check(case: Case) -> Iterator[Finding]:
    """Hold the image against the machine."""
    host = case.subject.host
    if host is None or case.subject.accelerator != "mthreads":
        return
    yield from _architecture(case, host)
    package = case.installed("torch-musa")
    release = musa.release(package.version) if package else None
    if package is not None and release is not None:
        yield from _driver(case, host, package, release)


def _driver(case: Case, host: HostFacts, package: Package, release: musa.MusaRelease) -> Iterator[Finding]:
    machine = host.name or "the machine"
    own = musa.driver_numbers(host.mthreads_driver_version)
    made_with = musa.driver_numbers(release.driver)
    if not own:
        said = f"the record of {machine} names no Moore Threads driver"
        wants = f"driver {release.driver}" if release.driver else "one"
        yield case.finding(DRIVER, "unknown", f"{said}, and {case.called(package)} needs {wants}")
        return
    if not made_with:
        yield case.finding(
            DRIVER,
            "unknown",
            f"which driver {case.called(package)} was made with is not recorded, and {machine} has "
            f"{host.mthreads_driver_version}",
        )
        return
    if own == made_with:
        return
    older = own < made_with
    yield case.finding(
        DRIVER,
        "error" if older else "unknown",
        f"{case.called(package)} was made with driver {release.driver}, and {machine} has the "
        f"{'older' if older else 'newer'} {host.mthreads_driver_version}"
        + ("" if older else ", of which nothing is recorded"),
        evidence=[release.evidence, _stated(host)],
        fix=[Fix(text=f"install driver {release.driver} on the machine", cost=100)] if older else [],
        members=[
            case.wheel(package),
            Member(
                kind="driver",
                name="mthreads driver",
                version=host.mthreads_driver_version,
                origin=f"of {machine}",
            ),
        ],
    )


def _architecture(case: Case, host: HostFacts) -> Iterator[Finding]:
    wanted = case.subject.gpu_arch
    if not wanted:
        return
    machine = host.name or "the machine"
    names = dict.fromkeys(board.name for board in host.gpus if board.vendor == "mthreads")
    if not names:
        yield case.finding(
            ARCH,
            "unknown",
            f"the record of {machine} names no Moore Threads GPU, and the image is for {wanted}",
        )
    for name in names:
        found = architecture_of(name)
        if found is None:
            yield case.finding(
                ARCH, "unknown", f"the architecture of {name} is not recorded, and the image is for {wanted}"
            )
        elif found.name != wanted:
            yield case.finding(
                ARCH,
                "error",
                f"the image is for {wanted}, and {machine} has {name}, which is {found.name}",
                evidence=[
                    Evidence(text=name, source=f"record of {machine}", confidence="metadata"),
                    Evidence(
                        text=f"{name} has the architecture {found.name} (MP {found.number})",
                        source="MooreThreads/torch_musa docker/build_release.sh",
                        confidence="docs",
                    ),
                ],
                fix=[
                    Fix(text=f"build it for {found.name}", edit=f'gpu_arch = "{found.name}"', cost=20),
                ],
                members=[case.gpu_arch(), Member(kind="driver", name=name, origin=f"of {machine}")],
            )


def _stated(host: HostFacts) -> Evidence:
    return Evidence(
        text=f"Moore Threads driver {host.mthreads_driver_version}",
        source=f"record of {host.name or 'the machine'}",
        confidence="metadata",
    )
