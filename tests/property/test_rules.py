"""Rules judge whatever facts say: they find or they do not know, and never fall over."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwright.core.findings import LEVELS
from layerwright.core.source import Location
from layerwright.facts.bases import base_facts
from layerwright.facts.model import (
    BaseFacts,
    Gpu,
    HostFacts,
    Library,
    Package,
    Subject,
    SystemPackage,
    WheelFacts,
)
from layerwright.rules import judge, kinds
from layerwright.rules.ort_packages import VARIANTS
from layerwright.rules.roles import TRAINING_FRAMEWORKS

pytestmark = pytest.mark.property

PLACE = Location(file="layerwright.toml", line=3, column=5, key="images.x", text='    "a==1",')
NAMES = st.sampled_from(
    [
        *VARIANTS[:3],
        *sorted(TRAINING_FRAMEWORKS)[:4],
        *(
            "torch",
            "torchvision",
            "torchaudio",
            "torch-musa",
            "numpy",
            "opencv-python",
            "opencv-python-headless",
        ),
        *(
            "nvidia-cudnn-cu12",
            "nvidia-cublas",
            "nvidia-cuda-runtime-cu13",
            "nvidia-nvjitlink-cu12",
            "pdf2image",
        ),
        *("thing", "nvidia-", "pyturbojpeg"),
    ]
)
VERSIONS = st.sampled_from(
    [
        "2.4.1",
        "2.3.1",
        "1.20.0",
        "1.27.0",
        "9.1.0.70",
        "0.0.1",
        "2.0.0+cpu",
        "2.0.1+cu118",
        "",
        "x",
        "1!2",
        "2.4.0a0+07c",
    ]
) | st.text(max_size=6)
SONAMES = st.sampled_from(
    [
        *(
            "libc.so.6",
            "libGL.so.1",
            "libcudart.so.12",
            "libcudart.so.11.0",
            "libcudnn.so.9",
            "libcublas.so.13",
        ),
        *(
            "libcuda.so.1",
            "libstdc++.so.6",
            "libnvJitLink.so.12",
            "libfoo.so",
            "lib.so.1",
            ".so",
            "",
            "/abs/lib.so.1",
        ),
        "libcudart-80664282.so.11.0",
    ]
) | st.text(max_size=8)
PATHS = st.sampled_from(
    [
        *("torch/lib/libtorch_cuda.so", "onnxruntime/capi/libonnxruntime_providers_cuda.so", "x/_c.abi3.so"),
        *("x.libs/libfoo.so", "nvidia/cudnn/lib/libcudnn.so.9", "a.data/purelib/x.so", "..", ""),
    ]
) | st.text(max_size=8)
FEW = {"max_size": 3}
CODES = st.lists(st.sampled_from(["8.0", "9.0a", "12.0", "x", ""]), **FEW).map(tuple)
TEXTS = st.lists(SONAMES, **FEW).map(tuple)
LIBRARIES = st.builds(
    Library,
    path=PATHS,
    soname=SONAMES,
    needed=TEXTS,
    rpath=st.lists(st.sampled_from(["$ORIGIN/../x.libs", "${ORIGIN}", "/abs", ""]), **FEW).map(tuple),
    versions_needed=st.dictionaries(
        SONAMES,
        st.lists(st.sampled_from(["GLIBC_2.99", "GLIBCXX_3.4.99", "GLIBC_", "V"]), **FEW).map(tuple),
        **FEW,
    ),
    versions_defined=TEXTS,
    opens=TEXTS,
    sm=CODES,
    ptx=CODES,
    numpy_api=st.sampled_from([0, 1, 2]),
    unread=st.lists(st.sampled_from(["needed", "soname", "versions_defined"]), **FEW).map(tuple),
)
REQUIRES = st.lists(
    st.sampled_from(["torch==2.1.0", "torch (==2.1.0)", "numpy>=1", "torch ; extra == 'x'", "???", ""]), **FEW
).map(tuple)
FACTS = st.builds(
    WheelFacts,
    file=st.sampled_from(["a-1-py3-none-any.whl", "a-1-cp310-cp310-manylinux_2_99_x86_64.whl", "odd", ""]),
    sha256=st.just("0" * 64),
    name=NAMES,
    version=VERSIONS,
    requires_python=st.sampled_from(["", ">=3.9", "<3", "nonsense"]),
    requires=REQUIRES,
    libraries=st.lists(LIBRARIES, **FEW).map(tuple),
    reach=st.sampled_from(["metadata", "members", "whole"]),
    size=st.integers(0, 10**10),
)
PACKAGES = st.builds(
    Package,
    name=NAMES,
    version=VERSIONS,
    facts=st.none() | FACTS,
    why_not=st.sampled_from(["", "no network"]),
    requested=st.booleans(),
    location=st.none() | st.just(PLACE),
    required_by=st.lists(NAMES, **FEW).map(tuple),
)
REFERENCES = st.sampled_from(
    [
        "nvcr.io/nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04",
        "nvidia/cuda:latest",
        "nvcr.io/nvidia/pytorch:24.05-py3",
        "python:3.11-slim-bookworm",
        "x",
        "",
    ]
)
BASES = REFERENCES.map(lambda text: base_facts("registry", text)) | st.builds(
    BaseFacts,
    reference=st.text(max_size=8),
    known=st.booleans(),
    family=st.sampled_from(["", "nvidia-cuda", "debian"]),
    os=st.sampled_from(["", "debian12", "alpine3.20", "odd"]),
    glibc=st.sampled_from(["", "2.36", "odd"]),
    glibcxx=st.sampled_from(["", "3.4.30", "odd"]),
    python=st.sampled_from(["", "3.11", "odd"]),
    cuda=st.sampled_from(["", "none", "12.4.1", "odd"]),
    cudnn=st.sampled_from(["", "none", "9", "8.9.2.26", "odd"]),
    flavour=st.sampled_from(["", "base", "runtime"]),
    torch=st.sampled_from(["", "2.4.0a0+07cecf4168", "odd"]),
    sonames=st.dictionaries(SONAMES, st.just(""), **FEW),
    closed=st.booleans(),
)
HOSTS = st.builds(
    HostFacts,
    name=st.sampled_from(["", "box"]),
    driver_version=st.sampled_from(["", "525.147.05", "580.1", "odd"]),
    driver_cuda=st.sampled_from(["", "12.0", "odd"]),
    gpus=st.lists(
        st.builds(Gpu, name=st.just("GPU"), compute_capability=st.sampled_from(["", "8.6", "12.0", "odd"])),
        **FEW,
    ).map(tuple),
    data_center=st.sampled_from([None, True, False]),
)
SUBJECTS = st.builds(
    Subject,
    cell=st.just("x"),
    role=st.sampled_from(["base", "training", "inference", "dev", "release", "executor"]),
    accelerator=st.sampled_from(["cpu", "nvidia", "mthreads"]),
    python=st.sampled_from(["", "3.11", "3.8"]),
    location=st.just(PLACE),
    base_location=st.just(PLACE),
    base=BASES,
    packages=st.lists(PACKAGES, max_size=6).map(lambda found: {one.name: one for one in found}),
    system=st.lists(st.sampled_from(["libgl1", "libc6", "python3.11"]), **FEW).map(
        lambda names: {name: SystemPackage(name=name, version="1") for name in names}
    ),
    system_known=st.booleans(),
    host=st.none() | HOSTS,
)

KNOWN = {kind.code for kind in kinds()}


@settings(max_examples=250)
@given(SUBJECTS)
def test_any_facts_are_judged(subject: Subject) -> None:
    found = judge(subject)
    for one in found:
        assert one.code in KNOWN
        assert one.level in LEVELS
        assert one.message
        assert len(one.members) != 1
    assert found == judge(subject)


@settings(max_examples=60)
@given(SUBJECTS)
def test_nothing_known_of_base_and_packages_is_never_an_error_about_libraries(subject: Subject) -> None:
    from msgspec import structs

    packages = {
        name: structs.replace(one, facts=None, version="99.99") for name, one in subject.packages.items()
    }
    blank = structs.replace(
        subject,
        base=BaseFacts(reference="registry.example/x:1"),
        packages=packages,
        system={},
        system_known=False,
    )
    errors = {one.code for one in judge(blank) if one.level == "error"}
    assert not errors & {
        "LW-LIBRARY-MISSING",
        "LW-ORT-CUDNN",
        "LW-GLIBC",
        "LW-GLIBCXX",
        "LW-NUMPY-ABI",
        "LW-OPENCV-GL",
    }
