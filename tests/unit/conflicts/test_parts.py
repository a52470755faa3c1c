"""Source trees, components and architectures are parts, too: what clashes is what cannot be spared."""

from msgspec import structs

from layerwright.conflicts import explain_findings
from layerwright.core.findings import Finding
from layerwright.core.source import Location
from layerwright.facts.model import ComponentFacts, Gpu, HostFacts, Package
from layerwright.rules import judge
from support.clashes import FILE, cell

PLACE = Location(file=FILE, line=30, column=7, key="sources.x.rev", text='rev = "v1"')


def explained(code: str, **changes: object) -> Finding:
    host = HostFacts(name="box", gpus=(Gpu(name="MTT S80", vendor="mthreads"),))
    subject = structs.replace(
        cell("registry.example/musa:1", {"tqdm": "4.0"}, accelerator="mthreads", host=host), **changes
    )
    (found,) = (one for one in explain_findings(subject, judge(subject)) if one.code == code)
    return found


def clashes(code: str, **changes: object) -> list[tuple[str, str]]:
    """Kind and name of what clashes, as it is told."""
    return [(member.kind, member.name) for member in explained(code, **changes).members]


def trees(**versions: str) -> dict[str, Package]:
    names = {name.replace("_", "-"): version for name, version in versions.items()}
    return {
        name: Package(name=name, version=version, requested=True, location=PLACE)
        for name, version in names.items()
    }


def test_b04_two_source_trees_clash() -> None:
    found = clashes(
        "LW-TORCH-VISION", source_trees=trees(torch="2.0.0", torchvision="0.16.0", torchaudio="2.0.1")
    )
    assert found == [("wheel", "torchvision"), ("wheel", "torch")]


def test_f20_a_tree_and_a_component_clash() -> None:
    toolkit = ComponentFacts(name="sdk", kind="musa_toolkit", release="rc4.0.1", location=PLACE)
    found = clashes(
        "LW-MUSA-SDK", source_trees=trees(torch="2.2.0", torch_musa="1.3.0"), components=(toolkit,)
    )
    assert found == [("wheel", "torch-musa"), ("requirement", "sdk")]


def test_f18_an_architecture_and_a_machine_clash() -> None:
    found = clashes("LW-MUSA-ARCH", gpu_arch="qy2")
    assert ("requirement", 'gpu_arch = "qy2"') in found
    assert ("driver", "MTT S80") in found
    assert len(found) == 2 or ("requirement", 'accelerator = "mthreads"') in found


def test_b04_another_tag_is_tried_before_it_is_offered() -> None:
    vision = Location(file=FILE, line=31, column=7, key="sources.vision.rev", text='rev = "v0.16.0"')
    both = trees(torch="2.0.0", torchvision="0.16.0")
    both["torchvision"] = structs.replace(both["torchvision"], location=vision)
    fix = explained("LW-TORCH-VISION", source_trees=both).fix
    assert [(one.text.partition(",")[0], one.edit, one.verified) for one in fix] == [
        ("take torchvision 0.15.1", 'rev = "v0.15.1"', True),
        ("take torch 2.1.0", 'rev = "v2.1.0"', True),
    ]
    assert fix[0].replaces == vision


def test_f18_another_architecture_is_tried_before_it_is_offered() -> None:
    (fix, *_) = explained("LW-MUSA-ARCH", gpu_arch="qy2").fix
    assert (fix.edit, fix.verified) == ('gpu_arch = "qy1"', True)
