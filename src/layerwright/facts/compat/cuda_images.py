"""Tags of ``nvidia/cuda``: what they say, and what NVIDIA is recorded to have made."""

import re
from functools import lru_cache
from typing import ClassVar, Final, Literal

from msgspec import Struct

from layerwright.core.findings import Evidence
from layerwright.facts.compat.records import Record, RecordFile, load
from layerwright.facts.compat.versions import dotted

__all__ = ["CudaImage", "CudaImagesFile", "CudaTag", "grammar", "image", "parse_tag"]

_TAG: Final = re.compile(
    r"(?P<cuda>\d{1,3}\.\d{1,3}(?:\.\d{1,4})?)-(?:(?P<cudnn>cudnn\d*)-)?(?P<flavour>base|runtime|devel)"
    r"-(?P<os>[a-z]+\d[\d.]*)"
)


class Grammar(Record, frozen=True, kw_only=True):
    """How tags are made and what the flavours hold."""

    id: str
    text: str = ""
    pattern: str = ""
    values: tuple[str, ...] = ()


class Image(Record, frozen=True, kw_only=True):
    """Systems and cuDNN for which images of a CUDA release were made.

    Attributes:
        cudnn: versions, of which systems may have different ones.
        cudnn_os: systems with a cuDNN flavour, or ``all`` of ``os``.
        tag_list: where NVIDIA's own list of tags has it; ``tag_list_os`` may be ``same`` as ``os``.
        os_list_complete: False when only some systems were read.
    """

    cuda: str
    os: tuple[str, ...]
    cudnn_token: tuple[str, ...] = ()
    cudnn: tuple[str, ...] = ()
    cudnn_os: tuple[str, ...] | Literal["all", ""] = ""
    cudart: tuple[str, ...] = ()
    end_of_life_folder: bool = False
    tag_list: Literal["supported", "unsupported", ""] = ""
    tag_list_os: tuple[str, ...] | Literal["same", ""] = ""
    tag_list_cudnn_os: tuple[str, ...] | Literal["all", "same", ""] = ""
    os_list_complete: bool = True


class CudaImagesFile(RecordFile, frozen=True, kw_only=True):
    """``nvidia_cuda_images.toml``."""

    FILE: ClassVar[str] = "nvidia_cuda_images.toml"

    grammar: tuple[Grammar, ...]
    image: tuple[Image, ...]


class CudaTag(Struct, frozen=True, kw_only=True):
    """What a tag says by itself.

    Attributes:
        cudnn: the token, ``cudnn8`` or ``cudnn``; empty without one.
    """

    cuda: str
    cudnn: str
    flavour: Literal["base", "runtime", "devel"]
    os: str


class CudaImage(Struct, frozen=True, kw_only=True):
    """What is recorded of the images of a CUDA release.

    Attributes:
        os: systems; not all of them when ``complete`` is False.
        cudnn: cuDNN versions of its cuDNN flavours; several when systems differ, empty when not known or none.
        cudnn_os: systems with a cuDNN flavour.
        supported: False when NVIDIA listed its tags for deletion (2025-12); None when not listed.
    """

    cuda: str
    os: tuple[str, ...]
    complete: bool
    cudnn_token: str
    cudnn: tuple[str, ...]
    cudnn_os: tuple[str, ...]
    supported: bool | None
    evidence: Evidence


def parse_tag(tag: str) -> CudaTag | None:
    """Read a tag; None when it does not have the form ``12.4.1-cudnn-runtime-ubuntu22.04``."""
    match = _TAG.fullmatch(tag)
    if match is None or (match["cudnn"] and match["flavour"] == "base"):
        return None
    flavour: Literal["base", "runtime", "devel"] = match["flavour"]  # type: ignore[assignment]  # the pattern's words
    return CudaTag(cuda=match["cuda"], cudnn=match["cudnn"] or "", flavour=flavour, os=match["os"])


@lru_cache(maxsize=256)  # repairs go through all releases, for each change that is tried
def image(cuda: str) -> CudaImage | None:
    """What is recorded of the images of a CUDA release, ``12.4.1``; None when nothing is."""
    for record in load(CudaImagesFile).image:
        if record.cuda.count(".") == cuda.count(".") and dotted(record.cuda) == dotted(cuda):
            return CudaImage(
                cuda=record.cuda,
                os=record.os,
                complete=record.os_list_complete,
                cudnn_token=record.cudnn_token[0] if record.cudnn_token else "",
                cudnn=record.cudnn,
                cudnn_os=record.os if record.cudnn_os == "all" else tuple(record.cudnn_os),
                supported=record.tag_list == "supported" if record.tag_list else None,
                evidence=record.evidence(
                    f"nvidia/cuda images of {record.cuda} were made for {', '.join(record.os)}"
                ),
            )
    return None


def grammar(name: str) -> Evidence | None:
    """A rule of the tags, as evidence: ``tag``, ``base``, ``cudnn-token``, ``layers``, …."""
    return next(
        (record.evidence(record.text) for record in load(CudaImagesFile).grammar if record.id == name), None
    )
