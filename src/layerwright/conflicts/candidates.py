"""Changes that might mend a clash, from what is recorded of its parts. None of them is a repair before it was tried."""

from collections.abc import Iterable, Iterator
from typing import Final

from packaging.version import Version

from layerwright.conflicts.changes import Change, Require, SetBase, SetDriver, Swap
from layerwright.conflicts.parts import Part
from layerwright.conflicts.releases import recorded, version_of
from layerwright.facts.compat import cuda, cuda_images, ngc, onnxruntime
from layerwright.facts.compat.records import load
from layerwright.facts.compat.versions import dotted
from layerwright.facts.model import BaseFacts, Package, Subject

__all__ = ["candidates"]

_NEAR: Final = 8
"""Releases of one package that are tried, of each side; the nearest first."""

_TAGS: Final = 16
_VARIANTS: Final = (
    ("opencv-python", "opencv-python-headless"),
    ("opencv-contrib-python", "opencv-contrib-python-headless"),
)


def candidates(subject: Subject, parts: Iterable[Part]) -> Iterator[Change]:
    """Changes of the parts that clash, each part's nearest first.

    Leaving something out, or giving up what the image is for, is for the rule to propose: it always helps.

    Args:
        subject: where they clash.
        parts: the minimal set.
    """
    for part in parts:
        match part.kind:
            case "wheel":
                # Which tags a repository has is not recorded: of source trees only the rules know.
                if part.name in subject.packages:
                    yield from _wheel(subject, subject.packages[part.name])
            case "base":
                yield from _bases(subject.base)
            case "driver":
                yield from _drivers(subject)
            case _:
                pass


def _wheel(subject: Subject, package: Package) -> Iterator[Change]:
    if package.name == "onnxruntime-gpu":
        build = onnxruntime.gpu_build(package.version)
        if build is not None and build.extras_cuda and build.extras_cudnn:
            yield Require(f"onnxruntime-gpu[cuda,cudnn]=={package.version}")
    for plain, headless in _VARIANTS:
        if package.name == plain and package.requested and headless not in subject.packages:
            yield Swap(plain, f"{headless}=={package.version}")
    for version in _nearest(package):
        yield Require(f"{package.name}=={version}")


def _nearest(package: Package) -> list[str]:
    """Recorded releases by how near they are: of the same minor release, then of the same major, then others."""
    own = version_of(package.version)
    if own is None:
        return []
    known = [(found, text) for text in recorded(package.name) if (found := version_of(text)) is not None]
    others = [
        (found, text) for found, text in known if found.public != own.public and not found.is_prerelease
    ]
    newer = [pair for pair in others if pair[0] > own][:_NEAR]
    older = [pair for pair in reversed(others) if pair[0] < own][:_NEAR]
    ranked = sorted((*newer, *older), key=lambda pair: _distance(own, pair[0]))
    return [text for _, text in ranked]


def _distance(own: Version, other: Version) -> tuple[int, int, int]:
    """How far a release is: majors, minors, patches."""
    return (
        abs(own.major - other.major),
        abs(own.minor - other.minor) if own.major == other.major else other.minor,
        abs(own.micro - other.micro) if (own.major, own.minor) == (other.major, other.minor) else 0,
    )


def _bases(base: BaseFacts) -> Iterator[Change]:
    """Other tags of the base's own kind, nearest CUDA first."""
    repository, _, tag = base.reference.partition("@")[0].rpartition(":")
    if base.family == "nvidia-cuda":
        read = cuda_images.parse_tag(tag)
        if read is None:
            return
        tags = _cuda_tags(read)
        for found in tags[:_TAGS]:
            yield SetBase(f"{repository}:{found}")
    elif base.family == "ngc-pytorch":
        months = [one.tag for one in load(ngc.NgcFile).image if one.tag != tag]
        months.sort(key=lambda one: abs(_month(one) - _month(tag)))
        for found in months[:_TAGS]:
            yield SetBase(f"{repository}:{found}")


def _month(tag: str) -> int:
    numbers = dotted(tag)
    return numbers[0] * 12 + (numbers[1] if len(numbers) > 1 else 0) if numbers else 0


def _cuda_tags(read: cuda_images.CudaTag) -> list[str]:
    """Tags on the same system: the least change of CUDA first; of these with what the tag lacks, flavour and cuDNN."""
    own = dotted(read.cuda)
    found: list[tuple[tuple[int, ...], str]] = []
    for record in load(cuda_images.CudaImagesFile).image:
        image = cuda_images.image(record.cuda)
        if (
            image is None
            or read.os not in image.os
            or (image.supported is False and dotted(image.cuda) != own)
        ):
            continue
        other = dotted(image.cuda)
        # of minor releases that are equally far, the newest patch
        apart = (abs(own[0] - other[0]), abs(_second(own) - _second(other)), -(other[2:3] or (0,))[0])
        if other == own:
            apart = (0, 0, -1000)
        flavour = "runtime" if read.flavour == "base" else read.flavour
        token = f"-{image.cudnn_token}" if image.cudnn_token and read.os in image.cudnn_os else ""
        tags = [(f"{image.cuda}-{flavour}-{read.os}", 0), (f"{image.cuda}{token}-{flavour}-{read.os}", 1)]
        for tag, more in tags if not read.cudnn else tags[1:] if token else []:
            if tag != f"{read.cuda}{f'-{read.cudnn}' if read.cudnn else ''}-{read.flavour}-{read.os}":
                found.append(((*apart, more), tag))
    return list(dict.fromkeys(tag for _, tag in sorted(found)))


def _second(numbers: tuple[int, ...]) -> int:
    return numbers[1] if len(numbers) > 1 else 0


def _drivers(subject: Subject) -> Iterator[Change]:
    """The least driver of each CUDA major that is newer than the machine's."""
    host = subject.host
    if host is None:
        return
    for major in ("11", "12", "13"):
        floor = cuda.minor_floor(major)
        if floor is not None and dotted(floor.driver) > dotted(host.driver_version):
            yield SetDriver(floor.driver)
