"""Host records: what is written is read again; anything else is refused in our own words."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwright.core.errors import UsageError
from layerwright.facts.host_record import host_record, parse_host_facts, read_host_facts
from layerwright.facts.model import Gpu, HostFacts

FACTS = HostFacts(
    name="gpu-box",
    os="Ubuntu 22.04.4 LTS",
    kernel="5.15.0-105-generic",
    architecture="amd64",
    glibc="2.35",
    driver_version="525.147.05",
    driver_cuda="12.0",
    gpus=(Gpu(name="NVIDIA A10", compute_capability="8.6", memory_bytes=24 << 30),),
    engines={"docker": "20.10.24+dfsg1"},
    data_center=True,
)


def refused(data):
    with pytest.raises(UsageError) as caught:
        parse_host_facts(data, file="box.json")
    assert caught.value.hint
    return caught.value.what


def test_what_is_written_is_read_again(tmp_path):
    file = tmp_path / "box.json"
    file.write_bytes(host_record(FACTS))
    assert read_host_facts(file) == FACTS


def test_an_empty_machine_has_a_schema_too():
    assert json.loads(host_record(HostFacts())) == {"schema": 1}
    assert parse_host_facts(host_record(HostFacts()), file="x") == HostFacts()


def test_fields_of_later_versions_are_left_out():
    document = {**json.loads(host_record(FACTS)), "added_later": {"x": 1}}
    assert parse_host_facts(json.dumps(document).encode(), file="x") == FACTS


def test_no_file(tmp_path):
    with pytest.raises(UsageError, match="No such file") as caught:
        read_host_facts(tmp_path / "none.json")
    assert "doctor --record" in caught.value.hint


def test_a_folder(tmp_path):
    with pytest.raises(UsageError, match="Is a directory"):
        read_host_facts(tmp_path)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "names no schema"),
        (b"{}", "names no schema"),
        (b'{"schema": 2}', "schema 2; this version reads schema 1"),
        (b'{"schema": true}', "schema True"),
        (b'{"schema": "1"}', "schema '1'"),
        (b'{"schema": 1, "checks": []}', "report of `doctor --json`"),
        (b'{"schema": 1, "gpus": 3}', "gpus"),
        (b'{"schema": 1, "gpus": [{"name": "x", "vendor": "voodoo"}]}', "vendor"),
        (b'{"schema": 1, "driver_version": "new"}', "driver_version is 'new', which is no version"),
        (b'{"schema": 1, "gpus": [{"name": "x", "compute_capability": "86"}]}', "such as '8.6'"),
        (b'{"schema": 1, "gpus": [{"name": "x", "memory_bytes": -1}]}', "negative"),
        (b'{"schema": 1, "os": "\\u001b[2J"}', "control characters"),
        (b'{"schema": 1, "engines": {"docker": "\\u0007"}}', "control characters"),
        (b" " * (1 << 20) + b"{}", "larger than"),
    ],
)
def test_what_is_refused(data, what):
    assert what in refused(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    try:
        parse_host_facts(data, file="x")
    except UsageError:
        return


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(HostFacts.__struct_fields__)), _JSON))
def test_any_document_is_read_or_refused(fields):
    document = json.dumps({**fields, "schema": 1}).encode()
    try:
        facts = parse_host_facts(document, file="x")
    except UsageError:
        return
    assert parse_host_facts(host_record(facts), file="x") == facts
