"""The machine's NVIDIA driver is new enough for the CUDA of the image."""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from layerwright.core.findings import Evidence, Finding, Fix, Kind, Level, Member
from layerwright.facts.compat import cuda
from layerwright.facts.compat.versions import at_least, dotted, first_parts
from layerwright.facts.model import HostFacts
from layerwright.rules.case import Case
from layerwright.rules.releases import newest
from layerwright.rules.repairs import base_with, packages_fix
from layerwright.rules.words import named

__all__ = ["DRIVER", "FLOOR", "KINDS", "MINOR", "REQUIRE", "check"]

FLOOR: Final = Kind(
    code="LW-DRIVER-FLOOR",
    title="The driver that the image needs",
    why="The driver belongs to the machine, not to the image. Programs built with CUDA 12 run from driver 525.60.13 "
    "on, with CUDA 13 from 580.65.06 on, whatever the minor release (minor version compatibility).",
    evidence="The CUDA majors of base and wheels, and NVIDIA's CUDA compatibility guide.",
    repair="Nothing. Record the machines that run the image with `layerwright doctor --record FILE`, and let "
    "`layerwright check --host FILE` judge them.",
)
DRIVER: Final = Kind(
    code="LW-DRIVER",
    title="The machine's driver is too old for the image's CUDA",
    why="Every CUDA call fails: `CUDA driver version is insufficient for CUDA runtime version`. A library's fallback "
    "to the CPU hides it.",
    evidence="The driver of the record of the machine, the CUDA majors of base and wheels, NVIDIA's table of drivers "
    "and its compatibility guide.",
    repair="Update the driver, or take an image for the CUDA that the driver supports. On data-centre GPUs the package "
    "cuda-compat of the base can bridge the gap (forward compatibility).",
)
MINOR: Final = Kind(
    code="LW-DRIVER-MINOR",
    title="The image runs on this driver by minor version compatibility",
    why="The driver is older than the toolkit, and of the same CUDA major. Machine code runs; PTX that the newer "
    "toolkit made is not compiled, and functions that need the newer driver return errors.",
    evidence="As for LW-DRIVER.",
    repair="Nothing, as long as the packages hold machine code for the GPU (LW-GPU-ARCH says so). A newer driver lifts "
    "the limits.",
)
REQUIRE: Final = Kind(
    code="LW-DRIVER-REQUIRE",
    title="The base states a newer driver than the machine has, and the container toolkit refuses to start it",
    why="nvidia/cuda images carry NVIDIA_REQUIRE_CUDA=cuda>=X.Y. The container toolkit reads it and stops with "
    "`unsatisfied condition: cuda>=12.8, please update your driver`, although minor version compatibility would let "
    "the programs run.",
    evidence="The variable in NVIDIA's Dockerfiles, with the driver branches that it excepts.",
    repair='Set NVIDIA_DISABLE_REQUIRE = "1" in `env`, start from a system without CUDA and let the wheels bring it, '
    "or update the driver.",
)
KINDS = (FLOOR, DRIVER, MINOR, REQUIRE)


class _User(Struct, frozen=True, kw_only=True):
    """Something of the image that uses CUDA.

    Attributes:
        what: for messages.
        cuda: version or major that it was built with.
    """

    what: str
    cuda: str
    member: Member
    evidence: tuple[Evidence, ...] = ()


def check(case: Case) -> Iterator[Finding]:
    """Find the greatest demand, and hold it against the machine."""
    if not case.nvidia:
        return
    users = _users(case)
    if not users:
        return
    host = case.subject.host
    if host is None:
        yield from _floor(case, users)
    elif not dotted(host.driver_version):
        yield case.finding(
            DRIVER,
            "unknown",
            f"the record of {host.name or 'the machine'} names no NVIDIA driver, and {users[0].what} needs one for "
            f"CUDA {users[0].cuda}",
            members=[users[0].member, _driver(host)],
        )
    else:
        yield from _judge(case, users, host)


def _users(case: Case) -> list[_User]:
    """Greatest CUDA first. A base's toolkit counts only where nothing else is known to use CUDA."""
    found = [
        _User(
            what=named(need.package),
            cuda=need.cuda_version or need.cuda,
            member=case.wheel(need.package),
            evidence=need.evidence,
        )
        for need in case.cuda.needs
        if need.cuda and (need.package.requested or need.package.name in {"torch", "onnxruntime-gpu"})
    ]
    base = case.subject.base
    if case.cuda.base_major not in {"", "none"}:
        found.append(
            _User(
                what=case.base_name,
                cuda=base.cuda,
                member=case.base(),
                evidence=case.base_evidence("names CUDA", "holds torch"),
            )
        )
    # the nvidia-* wheels say what is there, not who needs it: they count when nobody else does
    if not found:
        for major, packages in case.cuda.wheels_major().items():
            found.append(_User(what=named(packages[0]), cuda=major, member=case.wheel(packages[0])))
    return sorted(
        found, key=lambda user: (dotted(first_parts(user.cuda, 1)), dotted(user.cuda)), reverse=True
    )


def _floor(case: Case, users: list[_User]) -> Iterator[Finding]:
    user = users[0]
    floor = cuda.minor_floor(user.cuda)
    if floor is None or floor.driver == "none":
        return
    yield case.finding(
        FLOOR,
        "note",
        f"the image needs an NVIDIA driver {floor.driver} or later, because {user.what} "
        f"{'brings' if user.member.kind == 'base' else 'uses'} CUDA {first_parts(user.cuda, 1)}",
        evidence=[*user.evidence[:2], floor.evidence],
        fix=[
            Fix(
                text="judge a machine that is to run it",
                command="layerwright doctor --record host.json && layerwright check --host host.json",
                cost=1,
            )
        ],
        members=[user.member],
    )


def _judge(case: Case, users: list[_User], host: HostFacts) -> Iterator[Finding]:
    """One verdict, for the most demanding; what it grants it grants to all."""
    user = users[0]
    support = cuda.driver_support(user.cuda, host.driver_version)
    who = f"{user.what} {'brings' if user.member.kind == 'base' else 'uses'} CUDA {user.cuda}"
    machine = f"{host.name or 'the machine'} has driver {host.driver_version}"
    evidence = [*user.evidence[:2], _stated(host), *support.evidence]
    members = [user.member, _driver(host)]
    if support.verdict in {"forward", "no"}:
        yield _too_old(
            case,
            user,
            host,
            support,
            f"{who}, which needs driver {support.needed} or later, and {machine}",
            evidence,
        )
        return
    if support.verdict == "unknown":
        yield case.finding(
            DRIVER,
            "unknown",
            f"{who}, whose least driver is not recorded, and {machine}",
            evidence=evidence,
            members=members,
        )
        return
    if support.verdict == "minor":
        own = (
            f" rather than by the driver {support.full} that CUDA {user.cuda} came with"
            if support.full
            else ""
        )
        yield case.finding(
            MINOR,
            "note",
            f"{who}, and {machine}: it runs by minor version compatibility{own}, without PTX made by CUDA {user.cuda}",
            evidence=evidence,
            members=members,
        )
    yield from _require(case, host)


def _too_old(
    case: Case,
    user: _User,
    host: HostFacts,
    support: cuda.DriverSupport,
    message: str,
    evidence: list[Evidence],
) -> Finding:
    level: Level = "error"
    base = case.subject.base
    branch = dotted(host.driver_version)[0]
    accepted = cuda.image_branches(base.cuda) if user.member.kind == "base" or base.cuda else None
    bridged = support.verdict == "forward" and accepted is not None and branch in accepted[0]
    if accepted is not None:
        evidence = [*evidence, accepted[1]]
    if bridged and host.data_center:
        level = "warning"
        message += (
            f"; on its data-centre GPUs the cuda-compat library of the base bridges that from branch {branch}"
        )
    elif bridged and host.data_center is None:
        message += "; forward compatibility would need a data-centre GPU, which the record does not tell"
        level = "unknown"
    fixes = [
        Fix(
            text=f"update the driver to {support.needed} or later",
            command=f"apt-get install nvidia-driver-{dotted(support.needed)[0]}"
            if dotted(support.needed)
            else "",
            cost=100,
        )
    ]
    lower = _major_for(host.driver_version)
    if lower and lower != first_parts(user.cuda, 1):
        if user.member.kind == "base":
            cudnn = case.cuda.base_cudnn
            fixes += base_with(case, cuda=lower, cudnn="" if cudnn == "none" else cudnn)
        else:
            fixes += _releases_for(case, user, lower)
    return case.finding(
        DRIVER, level, message, evidence=evidence, fix=fixes, members=[user.member, _driver(host)]
    )


def _releases_for(case: Case, user: _User, major: str) -> list[Fix]:
    """The newest torch or onnxruntime-gpu of an older CUDA major."""
    package = case.package(user.member.name)
    found = newest(case, user.member.name, lambda one: one.cuda_major == major)
    if package is None or found is None:
        return []
    return [
        packages_fix(
            package,
            f"{package.name}=={found.version}",
            f"take {package.name} {found.version}, which is built for CUDA {major} as the driver has it",
            cost=20,
        )
    ]


def _major_for(driver: str) -> str:
    """The greatest CUDA major that a driver runs."""
    for major in ("13", "12", "11"):
        floor = cuda.minor_floor(major)
        if floor and floor.driver != "none" and at_least(driver, floor.driver):
            return major
    return ""


def _require(case: Case, host: HostFacts) -> Iterator[Finding]:
    """What the container toolkit refuses although the programs would run."""
    base = case.subject.base
    if base.family != "nvidia-cuda" or case.subject.env.get("NVIDIA_DISABLE_REQUIRE") in {"1", "true"}:
        return
    accepted = cuda.image_branches(base.cuda)
    machine, stated = host.name or "the machine", host.driver_cuda
    if accepted is None or not dotted(stated) or dotted(stated) >= dotted(first_parts(base.cuda, 2)):
        return
    if dotted(host.driver_version)[0] in accepted[0]:
        return
    yield case.finding(
        REQUIRE,
        "warning",
        f"{case.base_name} asks for a driver that states CUDA {first_parts(base.cuda, 2)}, and {machine} has driver "
        f"{host.driver_version}, which states {stated}: the container toolkit refuses to start the image",
        evidence=[accepted[1], _stated(host)],
        fix=[
            Fix(
                text="let the image start by minor version compatibility",
                edit='env = { NVIDIA_DISABLE_REQUIRE = "1" }',
                cost=3,
            ),
            Fix(text="start from a base without CUDA, and let the wheels bring it", cost=30),
            Fix(text="update the driver", cost=100),
        ],
        members=[case.base(), _driver(host)],
    )


def _stated(host: HostFacts) -> Evidence:
    stated = f", which states CUDA {host.driver_cuda}" if host.driver_cuda else ""
    return Evidence(
        text=f"NVIDIA driver {host.driver_version}{stated}",
        source=f"record of {host.name or 'the machine'}",
        confidence="metadata",
    )


def _driver(host: HostFacts) -> Member:
    return Member(
        kind="driver",
        name="nvidia driver",
        version=host.driver_version,
        origin=f"of {host.name or 'the machine'}",
    )
