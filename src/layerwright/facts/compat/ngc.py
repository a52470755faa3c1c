"""NVIDIA's PyTorch images (``nvcr.io/nvidia/pytorch``), by month."""

import re
from typing import ClassVar, Final

from msgspec import Struct

from layerwright.core.findings import Evidence
from layerwright.facts.compat.records import Record, RecordFile, Rule, load

__all__ = ["PIP_CONSTRAINT", "NgcFile", "NgcImage", "image", "rule"]

PIP_CONSTRAINT: Final = "/etc/pip/constraint.txt"
"""The file that keeps pip from replacing packages, in images of 25.03 and later (record ``constraint``)."""

_CONSTRAINED_SINCE = (25, 3)
_MONTH = re.compile(r"(\d{2})\.(\d{2})-py3")


class Image(Record, frozen=True, kw_only=True):
    """A month's image; ``driver`` is a version or a branch."""

    tag: str
    pytorch: str
    cuda: str
    cudnn: str = ""
    python: str
    ubuntu: str
    driver: str = ""
    other_driver_branches: tuple[str, ...] = ()


class NgcFile(RecordFile, frozen=True, kw_only=True):
    """``ngc_pytorch.toml``."""

    FILE: ClassVar[str] = "ngc_pytorch.toml"

    image: tuple[Image, ...]
    fact: tuple[Rule, ...]


class NgcImage(Struct, frozen=True, kw_only=True):
    """What is recorded of a month's image. Empty: not known.

    Attributes:
        torch: NVIDIA's own build, ``2.4.0a0+07cecf4168``, which ``torch>=2.4`` does not accept.
        cuda: ``12.4.1``; for some months the minor release alone.
        driver: version or branch of the driver whose CUDA it carries.
        driver_branches: further branches that NVIDIA's notes list for data-centre GPUs.
        pip_constraint: path of the constraints file that it enforces; empty for none.
    """

    tag: str
    torch: str
    cuda: str
    cudnn: str
    python: str
    os: str
    driver: str
    driver_branches: tuple[str, ...]
    pip_constraint: str
    evidence: tuple[Evidence, ...]


def image(tag: str) -> NgcImage | None:
    """What is recorded of a tag, ``24.05-py3``; None when it is not recorded."""
    match = _MONTH.fullmatch(tag)
    for record in load(NgcFile).image if match else ():
        if record.tag == tag:
            cudnn = f", cuDNN {record.cudnn}" if record.cudnn else ""
            text = (
                f"nvcr.io/nvidia/pytorch:{tag} holds torch {record.pytorch}, CUDA {record.cuda}{cudnn}, "
                f"Python {record.python} and Ubuntu {record.ubuntu}"
            )
            constrained = match is not None and (int(match[1]), int(match[2])) >= _CONSTRAINED_SINCE
            constraint = rule("constraint") if constrained else None
            return NgcImage(
                tag=tag,
                torch=record.pytorch,
                cuda=record.cuda,
                cudnn=record.cudnn,
                python=record.python,
                os=f"ubuntu{record.ubuntu}",
                driver=record.driver,
                driver_branches=record.other_driver_branches,
                pip_constraint=PIP_CONSTRAINT if constrained else "",
                evidence=(record.evidence(text), *((constraint,) if constraint else ())),
            )
    return None


def rule(name: str) -> Evidence | None:
    """A fact that holds for these images, as evidence: ``constraint``, ``local-torch``, ``driver-rule``, …."""
    return next((record.evidence(record.text) for record in load(NgcFile).fact if record.id == name), None)
