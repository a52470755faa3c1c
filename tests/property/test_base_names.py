"""Names of bases: what a tag says comes back, and what it does not say is never made up."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwright.facts.bases import base_facts, reference_facts
from layerwright.facts.compat import cuda_images
from layerwright.facts.model import BaseFacts

pytestmark = pytest.mark.property

numbers = st.integers(0, 99)
versions = st.builds(lambda parts: ".".join(map(str, parts)), st.lists(numbers, min_size=2, max_size=3))
systems = st.sampled_from(
    ["ubuntu22.04", "ubuntu24.04", "ubuntu99.10", "ubi8", "rockylinux9", "cm2", "azl3", "amzn2023"]
)
flavours = st.sampled_from(["base", "runtime", "devel"])
cudnn = st.sampled_from(["", "cudnn", "cudnn8", "cudnn9", "cudnn10"])
hosts = st.sampled_from(
    ["", "nvcr.io/", "docker.io/", "localhost:5000/", "mirror.example/hub/", "10.0.0.1:443/a/b/c/"]
)
digests = st.sampled_from(["", "@sha256:" + "0" * 64])


@given(versions, cudnn, flavours, systems, hosts, digests)
def test_a_tag_of_the_grammar_says_what_it_says(version, token, flavour, system, host, digest):
    tag = f"{version}-{token}{'-' if token else ''}{flavour}-{system}"
    base = reference_facts(f"{host}nvidia/cuda:{tag}{digest}")
    if token and flavour == "base":
        assert not base.known
        return
    assert (base.known, base.cuda, base.flavour, base.os) == (True, version, flavour, system)
    assert (base.cudnn == "none") == (not token)
    digits = token.removeprefix("cudnn")
    assert not digits or base.cudnn.partition(".")[0] == digits
    major = version.partition(".")[0]
    recorded = {name for name in base.sonames if re.fullmatch(r"libcu(dart|blas)\.so\..+", name)}
    assert all(name.partition(".so.")[2].partition(".")[0] == major for name in recorded)
    assert (flavour == "base") <= (len(base.sonames) <= 1)


@given(versions, flavours, systems)
def test_parsing_a_tag_loses_nothing(version, flavour, system):
    read = cuda_images.parse_tag(f"{version}-{flavour}-{system}")
    assert f"{read.cuda}-{read.flavour}-{read.os}" == f"{version}-{flavour}-{system}"


@given(st.sampled_from(["debian", "registry", "docker", "oci", "archive", "image"]), st.text(max_size=300))
def test_any_text_has_facts_or_none(kind, text):
    base = base_facts(kind, text)
    assert base.known or base == BaseFacts(reference=base.reference)


repositories = st.sampled_from(
    [
        "nvidia/cuda",
        "nvcr.io/nvidia/pytorch",
        "nvcr.io/nvidia/tritonserver",
        "pytorch/pytorch",
        "debian",
        "ubuntu",
        "python",
    ]
)


@given(repositories, st.text("0123456789abcdefghiklmnoprstuvwxy.-", min_size=1, max_size=60))
def test_near_misses_are_never_errors(repository, tag):
    base = reference_facts(f"{repository}:{tag}")
    assert base.known or base == BaseFacts(reference=base.reference)
    if base.known:
        assert base.family
        assert base.evidence
