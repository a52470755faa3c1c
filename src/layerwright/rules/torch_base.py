"""A torch that the base brings is not replaced behind one's back."""

from collections.abc import Iterator

from layerwright.core.findings import Evidence, Finding, Fix, Kind
from layerwright.rules.case import Case
from layerwright.rules.repairs import remove_fix
from layerwright.rules.words import named

__all__ = ["KINDS", "check"]

BASE = Kind(
    code="LW-TORCH-BASE",
    title="The image brings a torch beside the one that its base was chosen for",
    why="NVIDIA's PyTorch images carry a torch of their own, compiled for that image, with a version like "
    "2.4.0a0+07cecf4168. `torch>=2.4` and the exact pins of torchvision do not accept such a version, so a resolver "
    "takes the build on PyPI with its gigabytes of CUDA: what runs is no longer what the base was chosen for, and a "
    "custom torch (for another accelerator, say) is lost.",
    evidence="The base's tag and NVIDIA's notes for it, the locked packages and who asks for torch.",
    repair="Leave out what pulls torch in and use the base's own build of it; or start from a base without torch and "
    "let the lock choose it. Naming torch in `packages` yourself turns the error into a warning.",
)
KINDS = (BASE,)


def check(case: Case) -> Iterator[Finding]:
    """See whether torch is in the base and in the lock."""
    base, torch = case.subject.base, case.package("torch")
    if not base.torch or torch is None:
        return
    askers = [package for name in torch.required_by if (package := case.package(name))]
    why = (
        "as the spec asks"
        if torch.requested
        else f"because {', '.join(map(named, askers[:3])) or 'a package'} needs it"
    )
    evidence = [*case.base_evidence("torch")]
    if base.pip_constraint:
        evidence.append(
            Evidence(
                text=f"the base constrains pip by {base.pip_constraint} to keep its own packages",
                source=base.reference,
                confidence=base.evidence[0].confidence if base.evidence else "community",
            )
        )
    fixes = [
        remove_fix(
            package,
            f"leave out {package.name}, and use the one that the base brings, if any",
            cost=10,
        )
        for package in askers
        if package.requested
    ]
    fixes.append(
        Fix(
            text="start from a base without torch, such as the nvidia/cuda image of the same CUDA, and let the lock "
            "choose torch",
            cost=30,
        )
    )
    if not torch.requested:
        fixes.append(
            Fix(
                text=f"say that the replacement is meant: name torch {torch.version} in the spec",
                edit=f'packages = [..., "torch=={torch.version}"]',
                cost=20,
            )
        )
    yield case.finding(
        BASE,
        "warning" if torch.requested else "error",
        f"{case.base_name} brings its own torch {base.torch}, and the image installs {named(torch)} {why}: "
        "the base's build is not what runs",
        evidence=evidence,
        fix=fixes,
        members=[case.base(), case.wheel(torch), *(case.wheel(package) for package in askers[:1])],
    )
