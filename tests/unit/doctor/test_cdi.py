"""Device specifications: YAML and JSON of others."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwright.doctor.cdi import parse_cdi

SPEC = {
    "cdiVersion": "0.6.0",
    "kind": "nvidia.com/gpu",
    "devices": [
        {"name": "0", "containerEdits": {"deviceNodes": [{"path": "/dev/nvidia0", "hostPath": "/dev/nv0"}]}}
    ],
    "containerEdits": {
        "mounts": [
            {"hostPath": "/usr/lib/libcuda.so.535.54.03", "containerPath": "/x"},
            {"hostPath": "/usr/lib/libnvidia-ml.so.535.54.03", "containerPath": "/x"},
            {"hostPath": "/usr/lib/libother.so.1", "containerPath": "/x"},
        ],
        "env": ["NVIDIA_VISIBLE_DEVICES=void"],
    },
}


@pytest.mark.parametrize("file", ["x.json", "x.yaml"])
def test_both_languages(file):
    found = parse_cdi(json.dumps(SPEC).encode(), file=file)
    assert not found.error
    assert found.kind == "nvidia.com/gpu"
    assert found.devices == ("0",)
    assert found.drivers == ("535.54.03",)
    assert "/dev/nv0" in found.host_paths
    assert "/dev/nvidia0" not in found.host_paths


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"[]", ""),
        (b"{}", "cdiVersion"),
        (b"cdiVersion: 5\nkind: x\n", ""),
        (b"? [a]\n: b\n", ""),
        (b"\xff\xfe\x00", ""),
        (b"a: &x [*x, *x]\n", ""),
        (b" " * (1 << 20) + b"x", "larger"),
        (b"[" * 5000, ""),
        (b"!!python/object/apply:os.system [id]\n", ""),
    ],
)
@pytest.mark.parametrize("file", ["x.json", "x.yaml"])
def test_what_cannot_be_read_is_said(data, words, file):
    found = parse_cdi(data, file=file)
    assert found.error
    assert words in found.error
    assert found.error.isprintable()


@given(st.binary(max_size=120), st.sampled_from(["x.json", "x.yaml"]))
def test_any_bytes_are_read_or_refused(data, file):
    found = parse_cdi(data, file=file)
    assert found.error or found.kind is not None


@given(st.text(alphabet="abc:-?![]{}&*#|>%@`'\" \n\t0", max_size=60))
def test_any_yaml_is_read_or_refused(text):
    found = parse_cdi(b"cdiVersion: '0.5'\nkind: k\n" + text.encode(), file="x.yaml")
    assert found.error or found.kind.startswith("k")
