"""Kernels for a GPU: machine code and PTX."""

import pytest

from layerwright.facts.compat import gpu, onnxruntime, torch


@pytest.mark.parametrize(
    ("sm", "ptx", "capability", "verdict", "via"),
    [
        (["8.0", "8.6"], [], "8.6", "cubin", "8.6"),
        (["8.0", "8.6"], [], "8.9", "cubin", "8.6"),
        (["8.6"], [], "8.0", "none", ""),
        (["8.0"], [], "9.0", "none", ""),
        (["8.0"], ["8.0"], "9.0", "ptx", "8.0"),
        (["8.0"], ["6.0", "8.0", "9.0"], "12.0", "ptx", "9.0"),
        (["9.0a"], [], "9.0", "cubin", "9.0a"),
        (["9.0"], ["9.0a"], "10.0", "none", ""),
        (["10.0a"], [], "10.3", "none", ""),
        (["10.0f"], [], "10.3", "cubin", "10.0f"),
        (["10.3f"], [], "10.0", "none", ""),
        (["10.0f"], [], "10.1", "none", ""),
        (["12.0a"], [], "12.1", "none", ""),
        (["12.0"], [], "12.1", "cubin", "12.0"),
        (["12.0f"], ["9.0"], "12.1", "cubin", "12.0f"),
        ([], ["12.0"], "9.0", "none", ""),
        ([], ["7.0"], "8.6", "ptx", "7.0"),
        ([], [], "8.6", "unknown", ""),
        (["8.0"], [], "", "unknown", ""),
        (["8.0"], [], "nonsense", "unknown", ""),
        (["nonsense"], [], "8.6", "none", ""),
        (["8.0", "8.7"], [], "8.7", "cubin", "8.7"),
        (["8.7"], [], "8.9", "none", ""),
    ],
)
def test_kernels(sm, ptx, capability, verdict, via):
    found = gpu.kernels(sm, ptx, capability)
    assert (found.verdict, found.via) == (verdict, via)
    if verdict != "unknown":
        assert found.evidence


def test_nvidia_does_not_promise_desktop_code_on_jetson():
    assert gpu.kernels(["8.0"], [], "8.7").verdict == "unknown"
    assert gpu.kernels(["8.0"], ["8.0"], "8.7").verdict == "ptx"


def test_the_blackwell_faults_of_onnxruntime():
    """1.23.0 has its PTX as 9.0a and fails there, 1.23.2 has 9.0; 1.29 and later have no kernels for B200."""
    for version, verdict in (("1.23.0", "none"), ("1.23.2", "ptx"), ("1.28.0", "cubin"), ("1.29.0", "none")):
        build = onnxruntime.gpu_build(version)
        assert gpu.kernels(build.sm, build.ptx, "10.0").verdict == verdict, version


def test_torch_on_new_and_old_boards():
    old, new = torch.build("2.4.1"), torch.build("2.15.0")
    assert gpu.kernels(old.sm, old.ptx, "12.0").verdict == "none"
    assert gpu.kernels(new.sm, new.ptx, "12.0").verdict == "cubin"
    assert gpu.kernels(old.sm, old.ptx, "7.0").verdict == "cubin"
    assert gpu.kernels(new.sm, new.ptx, "7.0").verdict == "none"
