"""What a base's name says: CUDA, cuDNN, flavour, system, Python and libraries, from its reference alone.

Nothing is asked of a registry. A mirror's copy of a known image counts as that image; who renames an image, or puts
another under its name, gets the facts of the name. Tags that move (``latest``, ``slim``) say nothing that lasts.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from layerwright.core.findings import Evidence
from layerwright.facts.compat import cuda, cuda_images, cudnn, glibc, ngc, onnxruntime
from layerwright.facts.compat.evidence import strongest_first
from layerwright.facts.compat.versions import dotted, first_parts
from layerwright.facts.model import BaseFacts
from layerwright.oci.reference import DOCKER_HUB, Reference

__all__ = ["base_facts", "debian_facts", "reference_facts"]

_DATE = r"(?:-\d{8}(?:\.\d+)?)?"
_DEBIAN = re.compile(rf"(?P<release>[a-z]+|\d{{1,2}}(?:\.\d{{1,2}})?){_DATE}(?:-slim|-backports)?")
_UBUNTU = re.compile(rf"(?P<release>[a-z]+|\d\d\.\d\d){_DATE}")
_PYTHON = re.compile(
    r"(?P<python>\d\.\d{1,2}(?:\.\d{1,3})?(?:a\d+|b\d+|rc\d+)?)(?:-slim)?"
    r"(?:-alpine(?P<alpine>\d\.\d{1,2})|-(?P<suite>[a-z]+))?"
)
_PYTORCH = re.compile(
    r"(?P<torch>\d{1,2}\.\d{1,2}\.\d{1,2})-cuda(?P<cuda>\d{1,2}\.\d)-cudnn(?P<cudnn>\d{1,2})-(?P<flavour>runtime|devel)"
)
_TRITON = re.compile(r"(?P<month>\d\d\.\d\d)(?:-[a-z0-9-]+)?")

_ARCHITECTURES: Final = ("amd64", "arm64v8", "arm32v7", "i386", "ppc64le", "s390x", "riscv64")
"""Docker Hub's per-architecture namespaces of official images. Source: github.com/docker-library/official-images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What a tag turned out to say."""

    family: str
    os: str = ""
    system: glibc.OperatingSystem | None = None
    python: str = ""
    cuda: str = ""
    cudnn: str = ""
    flavour: str = ""
    torch: str = ""
    driver_branch: int = 0
    pip_constraint: str = ""
    sonames: Mapping[str, str] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()


def base_facts(kind: str, source: str) -> BaseFacts:
    """What a ``from`` of the spec says, by its kind and source (``spec.model.Base``).

    ``debian`` with its suite, and references (``registry``, ``docker``), are looked at; layouts, archives and images of
    the same spec have no name that says anything.
    """
    if kind == "debian":
        return debian_facts(source)
    if kind in ("registry", "docker"):
        return reference_facts(source)
    return BaseFacts(reference=source)


def debian_facts(suite: str) -> BaseFacts:
    """A Debian system made of a suite's packages; nothing is known of suites that move, such as ``sid``."""
    found = glibc.operating_system(suite) if suite.isalpha() else None
    if found is None or not found.name.startswith("debian"):
        return BaseFacts(reference=f"debian:{suite}" if suite else "debian")
    note = Evidence(
        text=f"a base made of Debian {suite}'s own packages holds no CUDA",
        source="packages.debian.org: CUDA is not in Debian's main archive",
        confidence="docs",
    )
    return _facts(f"debian:{suite}", _without_cuda("debian", note, system=found))


def reference_facts(text: str) -> BaseFacts:
    """What an image's reference says. Unknown images, tags and forms of tags give ``known`` False and nothing else."""
    try:
        reference = Reference.parse(text)
    except ValueError:
        return BaseFacts(reference=text)
    read = _reader(reference)
    known = read(reference.tag) if read and reference.tag else None
    return _facts(text, known) if known else BaseFacts(reference=text)


def _reader(reference: Reference) -> Callable[[str], _Known | None] | None:
    """What reads the tags of a repository; mirrors put something before a repository's name, so its end counts."""
    for name, read in _VENDORS.items():
        if reference.repository == name or reference.repository.endswith(f"/{name}"):
            return read
    parent, _, last = reference.repository.rpartition("/")
    # ``library/python`` and ``mirror.example/python`` are mirrors of Docker's, ``mirror.example/team/python`` a team's
    official = parent.rpartition("/")[2] == "library" or (not parent and reference.registry != DOCKER_HUB)
    if official or parent in _ARCHITECTURES:
        return _OFFICIAL.get(last)
    return None


def _facts(text: str, known: _Known) -> BaseFacts:
    system = known.system
    evidence = [*known.evidence, *([system.evidence] if system else [])]
    return BaseFacts(
        reference=text,
        known=True,
        family=known.family,
        os=known.os or (system.name if system else ""),
        glibc=system.glibc if system else "",
        glibcxx=system.glibcxx if system else "",
        python=known.python or (system.python if system else ""),
        cuda=known.cuda,
        cudnn=known.cudnn,
        flavour=known.flavour,
        torch=known.torch,
        driver_branch=known.driver_branch,
        pip_constraint=known.pip_constraint,
        sonames=known.sonames,
        evidence=strongest_first(evidence),
    )


def _nvidia_cuda(tag: str) -> _Known | None:
    read = cuda_images.parse_tag(tag)
    if read is None:
        return None
    recorded, own = cuda_images.image(read.cuda), cuda.toolkit(read.cuda)
    evidence = [
        Evidence(
            text=f"the tag {tag} names CUDA {read.cuda}, the flavour {read.flavour} and {read.os}",
            source="NVIDIA's nvidia-container-images/cuda repository: how tags are made",
            confidence="docs",
        )
    ]
    evidence += [one for one in (cuda_images.grammar("base"), recorded.evidence if recorded else None) if one]
    version, said = _cudnn_of(read, recorded)
    evidence += said
    sonames = _toolkit_sonames(read.cuda, read.flavour)
    for name in cudnn.sonames(version) or ((f"libcudnn.so.{version}",) if version.isdigit() else ()):
        sonames[name] = ""
    system = glibc.os_of_image("nvidia/cuda", read.os)
    return _Known(
        family="nvidia-cuda",
        os=read.os,
        system=system,
        cuda=read.cuda,
        cudnn=version,
        flavour=read.flavour,
        driver_branch=own.branch if own else 0,
        sonames=sonames,
        evidence=(*evidence, *([own.evidence] if own else [])),
    )


def _cudnn_of(
    read: cuda_images.CudaTag, recorded: cuda_images.CudaImage | None
) -> tuple[str, list[Evidence]]:
    """The cuDNN of a tag: its version where one is recorded for all systems, else its major, else empty."""
    rule = cuda_images.grammar("cudnn-token")
    evidence = [rule] if rule else []
    if not read.cudnn:
        return "none", evidence
    digits = read.cudnn.removeprefix("cudnn")
    versions = (
        [one for one in recorded.cudnn if not digits or first_parts(one, 1) == digits] if recorded else []
    )
    if recorded and versions:
        evidence.append(
            Evidence(
                text=f"nvidia/cuda images of {recorded.cuda} hold cuDNN {' or '.join(versions)}",
                source=recorded.evidence.source,
                confidence=recorded.evidence.confidence,
            )
        )
    if len(versions) == 1:
        return versions[0], evidence
    majors = {first_parts(one, 1) for one in versions} or {digits}
    if majors == {""} and recorded:  # a plain "cudnn" of a release whose cuDNN nobody wrote down
        return _PLAIN_CUDNN, evidence
    return majors.pop() if len(majors) == 1 else "", evidence


def _toolkit_sonames(version: str, flavour: str) -> dict[str, str]:
    """CUDA libraries of a flavour that are recorded by name; NPP and others are there too.

    ``base`` has the runtime alone. ``runtime`` and ``devel`` have the package ``cuda-libraries``, which stands for all
    runtime libraries (CUDA installation guide for Linux, meta packages), and NCCL.
    """
    names = cuda.sonames(version)
    if not names:
        return {}
    if flavour == "base":
        return {names["cudart"]: ""}
    # The records are of a major's later releases; the first ones had other names for these.
    if dotted(version)[:1] == (11,) and dotted(version)[:2] < (11, 2):
        names.pop("nvrtc", None)
    if first_parts(version, 2) == "11.0":
        names.pop("cusolver", None)
    return dict.fromkeys([*names.values(), "libnccl.so.2"], "")


def _ngc_pytorch(tag: str) -> _Known | None:
    found = ngc.image(tag)
    if found is None:
        return None
    sonames = dict.fromkeys([*cuda.sonames(found.cuda).values(), "libnccl.so.2"], "")
    if found.cudnn:
        sonames |= dict.fromkeys(cudnn.sonames(first_parts(found.cudnn, 1)), "")
    contents = Evidence(
        text="NVIDIA's PyTorch images hold the CUDA libraries with cuBLAS, cuDNN and NCCL",
        source="NVIDIA PyTorch release notes, contents of the container",
        confidence="docs",
    )
    return _Known(
        family="ngc-pytorch",
        system=glibc.operating_system(found.os),
        python=found.python,
        cuda=found.cuda,
        cudnn=found.cudnn,
        flavour="devel",
        torch=found.torch,
        driver_branch=int(first_parts(found.driver, 1) or 0),
        pip_constraint=found.pip_constraint,
        sonames=sonames,
        evidence=(*found.evidence, contents),
    )


def _triton(tag: str) -> _Known | None:
    match = _TRITON.fullmatch(tag)
    found = onnxruntime.triton_onnxruntime(match["month"]) if match else None
    return _Known(family="ngc-triton", evidence=(found.evidence,)) if found else None


def _pytorch(tag: str) -> _Known | None:
    """``devel`` stands on ``nvidia/cuda``; ``runtime`` on a plain Ubuntu, and torch alone has CUDA, in its own folders.

    Source: github.com/pytorch/pytorch, docker.Makefile (BASE_DEVEL, BASE_RUNTIME) and Dockerfile.
    """
    match = _PYTORCH.fullmatch(tag)
    if match is None:
        return None
    torch, version, major = match["torch"], match["cuda"], match["cudnn"]
    if match["flavour"] == "runtime":
        text = f"torch {torch} brings its own CUDA {version} and cuDNN {major} below /opt/conda, where no loader looks"
        return _Known(family="pytorch", flavour="runtime", torch=torch, evidence=(_made_by_pytorch(text),))
    own = cuda.toolkit(version)
    said = _made_by_pytorch(f"the tag {tag} names torch {torch}, CUDA {version} and cuDNN {major}")
    return _Known(
        family="pytorch",
        cuda=version,
        cudnn=major,
        flavour="devel",
        torch=torch,
        driver_branch=own.branch if own else 0,
        sonames=_toolkit_sonames(version, "devel") | dict.fromkeys(cudnn.sonames(major), ""),
        evidence=(said, *([own.evidence] if own else [])),
    )


def _made_by_pytorch(text: str) -> Evidence:
    return Evidence(
        text=text, source="github.com/pytorch/pytorch, docker.Makefile and Dockerfile", confidence="docs"
    )


def _debian(tag: str) -> _Known | None:
    match = _DEBIAN.fullmatch(tag)
    return _system("debian", match["release"].partition(".")[0]) if match else None


def _ubuntu(tag: str) -> _Known | None:
    match = _UBUNTU.fullmatch(tag)
    return _system("ubuntu", match["release"]) if match else None


def _system(family: str, release: str) -> _Known | None:
    found = glibc.operating_system(f"{family}{release}" if release[:1].isdigit() else release)
    if found is None or not found.name.startswith(family):
        return None
    return _without_cuda(family, _official(f"{family} images hold no CUDA"), system=found)


def _python(tag: str) -> _Known | None:
    match = _PYTHON.fullmatch(tag)
    if match is None:
        return None
    said = _official(f"the tag {tag} names Python {match['python']}; python images hold no CUDA")
    if match["alpine"] or match["suite"] == "alpine":
        musl = Evidence(
            text="Alpine has musl and no glibc, so manylinux wheels do not install",
            source="PEP 656",
            confidence="docs",
        )
        return _without_cuda(
            "python", said, musl, python=match["python"], os=f"alpine{match['alpine'] or ''}"
        )
    if not match["suite"] or match["suite"] == "slim":
        return _without_cuda("python", said, python=match["python"])
    system = glibc.os_of_image("python", match["suite"])
    return _without_cuda("python", said, python=match["python"], system=system) if system else None


def _without_cuda(
    family: str,
    *evidence: Evidence,
    os: str = "",
    python: str = "",
    system: glibc.OperatingSystem | None = None,
) -> _Known:
    return _Known(
        family=family, os=os, system=system, python=python, cuda="none", cudnn="none", evidence=evidence
    )


def _official(text: str) -> Evidence:
    return Evidence(text=text, source="github.com/docker-library: Docker Official Images", confidence="docs")


_PLAIN_CUDNN: Final = "9"
"""What ``cudnn`` without a number stands for in all recorded releases that have it (record ``cudnn-token``)."""

_VENDORS: Final[Mapping[str, Callable[[str], _Known | None]]] = {
    "nvidia/cuda": _nvidia_cuda,
    "nvidia/cuda-arm64": _nvidia_cuda,
    "nvidia/pytorch": _ngc_pytorch,
    "nvidia/tritonserver": _triton,
    "pytorch/pytorch": _pytorch,
}

_OFFICIAL: Final[Mapping[str, Callable[[str], _Known | None]]] = {
    "debian": _debian,
    "ubuntu": _ubuntu,
    "python": _python,
}
