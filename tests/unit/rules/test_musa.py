"""torch_musa with torch, its companions, SDK, driver and GPU: of wheels, and of source trees that an image compiles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from layerwright.core.findings import Finding
from layerwright.core.source import Location
from layerwright.facts.compat.musa import driver_numbers, sdk_fits
from layerwright.facts.components import release_of_file
from layerwright.facts.model import ComponentFacts, Gpu, HostFacts, Package
from layerwright.rules import Case, musa, musa_host, torch_family
from layerwright.rules.musa_host import KINDS
from support.clashes import FILE, cell

PLACE = Location(file=FILE, line=30, column=7, key="sources.vision.rev", text='rev = "v0.16.0"')


def tree(name: str, version: str) -> Package:
    return Package(name=name, version=version, requested=True, location=PLACE)


def judge(
    rule, packages=None, *, trees=(), toolkit="", gpu_arch="", host=None, python="3.10"
) -> list[Finding]:
    subject = cell(
        "registry.example/musa:1", packages or {}, accelerator="mthreads", python=python, host=host
    )
    components = ()
    if toolkit:
        release = "" if toolkit == "?" else toolkit
        components = (ComponentFacts(name="sdk", kind="musa_toolkit", release=release, location=PLACE),)
    subject = structs.replace(
        subject,
        source_trees={name: tree(name, version) for name, version in trees},
        components=components,
        gpu_arch=gpu_arch,
    )
    return list(rule.check(Case(subject)))


def codes(findings: list[Finding]) -> dict[str, str]:
    return {one.code: one.level for one in findings}


def test_b04_the_pair_of_the_seed() -> None:
    (one,) = judge(torch_family, trees=[("torch", "2.0.0"), ("torchvision", "0.16.0")])
    assert (one.code, one.level) == ("LW-TORCH-VISION", "error")
    assert "torchvision 0.16.0 (from sources)" in one.message
    assert "torch 2.0.0 (from sources)" in one.message
    assert "torch==2.1.0" in one.message
    assert one.fix[0].text == "take torchvision 0.15.1, which goes with torch 2.0.0"
    assert one.fix[0].edit == 'rev = "v0.15.1"'
    # As wheels it is the same fault.
    (one,) = judge(torch_family, {"torch": "2.0.0+cpu", "torchvision": "0.16.0+cpu"})
    assert one.level == "error"
    # One of each.
    (one,) = judge(torch_family, {"torchvision": "0.16.0"}, trees=[("torch", "2.0.0")])
    assert "torch 2.0.0 (from sources)" in one.message
    (one,) = judge(torch_family, {"torch": "2.0.0"}, trees=[("torchvision", "0.16.0")])
    assert "torchvision 0.16.0 (from sources)" in one.message


@pytest.mark.parametrize("vision", ["0.15.1", "0.15.2"])
def test_b04_sources_of_the_minor_release_compile(vision: str) -> None:
    # A finished wheel of 0.15.2 asks for torch 2.0.1; its sources do not.
    assert judge(torch_family, trees=[("torch", "2.0.0"), ("torchvision", vision)]) == []


def test_b06_what_moore_threads_builds_is_no_fault() -> None:
    recorded = [
        ("torch", "2.2.0"),
        ("torchvision", "0.17.2"),
        ("torchaudio", "2.2.2"),
        ("torch-musa", "1.3.0"),
    ]
    assert judge(torch_family, trees=recorded) == []
    assert judge(torch_family, dict(recorded)) == []
    assert codes(judge(torch_family, dict(recorded[:2]))) == {"LW-TORCH-VISION": "error"}


def test_f20_torch_musa_from_sources() -> None:
    trees = [("torch", "2.0.0"), ("torch-musa", "1.3.0"), ("torchvision", "0.15.2")]
    findings = judge(musa, trees=trees)
    assert codes(findings) == {"LW-MUSA-TORCH": "error", "LW-MUSA-FAMILY": "error", "LW-MUSA-SDK": "unknown"}
    message = findings[0].message
    assert "torch-musa 1.3.0 (from sources) was made for torch 2.2.0" in message
    assert "the image has torch 2.0.0 (from sources)" in message
    assert findings[0].fix[0].edit == 'rev = "v2.2.0"'
    # A tag such as v2.0.0-pt25 is a release of its own.
    assert "torch 2.5.0" in judge(musa, trees=[("torch", "2.2.0"), ("torch-musa", "2.0.0-pt25")])[0].message


@pytest.mark.parametrize(
    ("toolkit", "level"),
    [
        ("rc3.1.0", ""),
        ("rc4.0.1", "error"),
        ("rc3.1.1", "unknown"),
        ("dev3.1.0", "unknown"),
        ("?", "unknown"),
    ],
)
def test_f20_the_toolkit(toolkit: str, level: str) -> None:
    findings = judge(musa, {"torch-musa": "1.3.0", "torch": "2.2.0+cpu"}, toolkit=toolkit)
    assert codes(findings) == ({"LW-MUSA-SDK": level} if level else {})
    if level:
        (one,) = findings
        assert "needs the MUSA SDK toolkit rc3.1.0" in one.message
        assert toolkit == "?" or toolkit in one.message
        assert one.where.location == PLACE
        assert one.fix


@pytest.mark.parametrize(
    ("wanted", "held", "fits"),
    [
        ("rc4.0.1", "rc4.0.1", True),
        ("rc4.0.1", "4.0.1", True),
        ("rc4.0.1", "rc4.0.0", None),  # for qy2 and ph1 the scripts of v2.0.1 take it
        ("rc4.0.1", "rc3.1.0", False),
        ("toolkit rc1.4.0", "rc1.4.0", True),
        ("toolkit rc1.4.0", "dev1.5.1", None),
        ("4.2.0-4.3.0", "4.2.0", True),
        ("4.2.0-4.3.0", "4.3.0", True),
        ("4.2.0-4.3.0", "4.3.1", False),
        ("4.2.0-4.3.0", "4.1.9", False),
        (">=5.1.0", "5.1.0", True),
        (">=5.1.0", "rc5.2.3", True),
        (">=5.1.0", "4.3.0", False),
        ("5.1-5.2", "5.2.9", True),
        ("5.1-5.2", "5.3.0", False),
        ("rc4.0.1", "newest", None),
        ("rc4.0.1", "", None),
        ("", "rc4.0.1", None),
    ],
)
def test_f20_releases_of_the_sdk(wanted: str, held: str, fits: bool | None) -> None:
    assert sdk_fits(wanted, held) is fits


@pytest.mark.parametrize(
    ("file", "release"),
    [
        ("musa_toolkits_rc4.0.1.tar.gz", "rc4.0.1"),
        ("mudnn_rc2.7.0.tar.gz", "rc2.7.0"),
        ("mudnn_rtm_2.1.1.tgz", "rtm2.1.1"),
        ("mccl_rc1.7.0.PH1.tar.gz", "rc1.7.0"),
        ("musa_toolkits-4.2.0-x86_64.tar.xz", "4.2.0"),
        ("musa_toolkits_install_full.tar.gz", ""),
        ("toolkit.tar.gz", ""),
        ("", ""),
    ],
)
def test_f20_releases_by_names_of_archives(file: str, release: str) -> None:
    assert release_of_file(file) == release


def machine(driver: str = "", *boards: str) -> HostFacts:
    gpus = tuple(Gpu(name=name, vendor="mthreads") for name in boards)
    return HostFacts(name="box", mthreads_driver_version=driver, gpus=gpus)


@pytest.mark.parametrize(
    ("driver", "level", "words"),
    [
        ("2.7.0", "", ""),
        ("2.7.0-server", "", ""),
        ("2.6.0", "error", "was made with driver 2.7.0-rc4-0822, and box has the older 2.6.0"),
        ("3.3.5-server", "unknown", "the newer 3.3.5-server, of which nothing is recorded"),
        ("", "unknown", "the record of box names no Moore Threads driver"),
    ],
)
def test_f20_the_driver_of_the_machine(driver: str, level: str, words: str) -> None:
    findings = judge(musa_host, {"torch-musa": "1.3.0"}, host=machine(driver))
    assert codes(findings) == ({"LW-MUSA-DRIVER": level} if level else {})
    assert not findings or words in findings[0].message


def test_f20_a_driver_that_nobody_recorded() -> None:
    (one,) = judge(musa_host, {"torch-musa": "2.1.1"}, host=machine("2.7.0"))
    assert (one.level, "is not recorded" in one.message) == ("unknown", True)


@pytest.mark.parametrize(
    ("boards", "level", "words"),
    [
        (["MTT S4000"], "", ""),
        (["MTT S80"], "error", "the image is for qy2, and box has MTT S80, which is qy1"),
        (["MTT S80", "MTT S80", "MTT S4000"], "error", "MTT S80, which is qy1"),
        (["MTT S9999"], "unknown", "the architecture of MTT S9999 is not recorded"),
        ([], "unknown", "names no Moore Threads GPU"),
    ],
)
def test_f18_the_gpu_of_the_machine(boards: list[str], level: str, words: str) -> None:
    findings = judge(musa_host, gpu_arch="qy2", host=machine("", *boards))
    assert codes(findings) == ({"LW-MUSA-ARCH": level} if level else {})
    assert not findings or words in findings[0].message


def test_no_machine_and_no_image_for_it_say_nothing() -> None:
    assert judge(musa_host, {"torch-musa": "1.3.0"}, gpu_arch="qy2") == []
    subject = cell("debian:bookworm", {"torch-musa": "1.3.0"}, host=machine("1.0.0"))
    assert list(musa_host.check(Case(subject))) == []
    assert {kind.code for kind in KINDS} == {"LW-MUSA-DRIVER", "LW-MUSA-ARCH"}


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text(one: str, other: str) -> None:
    assert sdk_fits(one, other) in {True, False, None}
    assert isinstance(driver_numbers(one), tuple)
    assert isinstance(release_of_file(one), str)
