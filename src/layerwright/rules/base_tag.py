"""The base is named so that it says what it is, and stays what it is."""

from collections.abc import Iterator
from typing import Final

from layerwright.core.findings import Evidence, Finding, Fix, Kind
from layerwright.facts.compat import cuda_images
from layerwright.rules.case import Case
from layerwright.rules.repairs import from_fix

__all__ = ["KINDS", "check"]

LATEST = Kind(
    code="LW-BASE-LATEST",
    title="The base has no tag that lasts",
    why="`latest`, or no tag at all, means another image tomorrow: the next `lock --upgrade` changes system, CUDA and "
    "Python in one stroke, and whoever reads the spec cannot tell what it builds on. NVIDIA publishes no `latest` of "
    "nvidia/cuda at all.",
    evidence="The reference in the spec.",
    repair="Name a tag that says what is in it, such as 12.4.1-cudnn-runtime-ubuntu22.04, or a digest.",
)
UNKNOWN = Kind(
    code="LW-BASE-UNKNOWN",
    title="Nothing is known of the base",
    why="Its name is none of the known ones, so CUDA, cuDNN, glibc and libraries are not known until it is in the "
    "store: what the packages need cannot be held against it.",
    evidence="The grammar of known names (nvidia/cuda, NGC, python, debian, ubuntu, pytorch/pytorch).",
    repair="Build once, which brings the base into the store where it can be read; or start from a base whose name "
    "says what is in it. `--strict` makes what is unknown fail.",
)
RETIRED = Kind(
    code="LW-BASE-RETIRED",
    title="NVIDIA has listed the base's tag for deletion",
    why="NVIDIA deletes tags six months after their end of life. The lock keeps the digest, and the registry stops "
    "serving it: builds on a new machine then fail at the first step.",
    evidence="NVIDIA's list of unsupported tags, as recorded.",
    repair="Take the newest point release of the same minor, which is what NVIDIA supports.",
)
KINDS = (LATEST, UNKNOWN, RETIRED)

_NAMED_KINDS: Final = ("debian", "image:", "oci:", "archive:")


def check(case: Case) -> Iterator[Finding]:
    """Look at the reference, and at what is known behind it."""
    base = case.subject.base
    reference = base.reference
    if not reference.startswith(_NAMED_KINDS) and _moves(reference):
        cuda = _repository(reference).endswith("nvidia/cuda")
        absent = cuda_images.grammar("latest") if cuda else None
        yield case.finding(
            LATEST,
            "error" if absent else "warning",
            f"{case.base_name} {'does not exist: nvidia/cuda has no latest' if absent else 'names no version'}",
            evidence=[absent]
            if absent
            else [
                Evidence(
                    text=f'from = "{reference}"',
                    source=case.subject.base_location.file,
                    confidence="metadata",
                )
            ],
            fix=[
                from_fix(
                    case, "nvcr.io/nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04", "name the version", cost=5
                )
                if cuda
                else Fix(text="name the version, or the digest that the lock has", cost=5)
            ],
            members=[case.base()],
        )
    elif base.family == "nvidia-cuda":
        yield from _retired(case)
    if not base.known:
        yield case.finding(
            UNKNOWN,
            "unknown",
            f"nothing is known of {case.base_name} but its name",
            fix=[
                Fix(
                    text="build the image, which brings the base into the store, and check again",
                    command="layerwright build",
                    cost=5,
                )
            ],
            members=[case.base()],
        )


def _retired(case: Case) -> Iterator[Finding]:
    base = case.subject.base
    image = cuda_images.image(base.cuda)
    if image is None or image.supported is not False:
        return
    yield case.finding(
        RETIRED,
        "warning",
        f"{case.base_name} is on NVIDIA's list of unsupported tags, which are deleted",
        evidence=[image.evidence],
        fix=[
            Fix(text=f"take the newest point release of CUDA {'.'.join(base.cuda.split('.')[:2])}", cost=10)
        ],
        members=[case.base()],
    )


def _moves(reference: str) -> bool:
    if "@" in reference:
        return False
    name = reference.removeprefix("docker:").rpartition("/")[2]
    _, colon, tag = name.partition(":")
    return not colon or tag == "latest"


def _repository(reference: str) -> str:
    return reference.partition("@")[0].removesuffix(":latest")
