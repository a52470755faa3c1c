"""Code for GPUs, counted while a file passes by; held against the reader that can look at any place."""

import struct

import pytest

from layerwright.facts.access import BytesAccess
from layerwright.facts.fatbin import read_fatbin
from layerwright.verify.gpu_code import GpuCode
from support.elf_file import Elf

NUMBER = struct.pack("<I", 0xBA55ED50)


def entry(kind: int, number: int, flags: int, payload: int) -> bytes:
    head = bytearray(64)
    struct.pack_into("<HHIQ", head, 0, kind, 0x101, 64, payload)
    struct.pack_into("<I", head, 28, number)
    struct.pack_into("<I", head, 40, flags)
    return bytes(head) + b"c" * payload


def container(*entries: bytes) -> bytes:
    body = b"".join(entries)
    return NUMBER + struct.pack("<HHQ", 1, 16, len(body)) + body


def sizes(data: bytes, step: int) -> dict[tuple[str, str], int]:
    code = GpuCode()
    for at in range(0, len(data), step):
        code.feed(data[at : at + step])
    code.close()
    return dict(code.sizes)


@pytest.mark.parametrize("step", [1, 7, 100, 1 << 20])
def test_sizes_by_generation(step):
    data = (
        b"x" * 13
        + container(entry(2, 86, 0, 1000), entry(1, 90, 0, 50))
        + container(entry(2, 86, 0, 200))
        + b"end"
    )
    assert sizes(data, step) == {("8.6", "code"): 1328, ("9.0", "PTX"): 114}


def test_the_same_generations_as_the_other_reader():
    elf = bytes(Elf(soname="libx.so", fatbin=((2, 86, 0), (2, 90, 1 << 20), (2, 103, 1 << 21), (1, 90, 0))))
    cubin, ptx = read_fatbin(BytesAccess(elf), 0, len(elf))
    found = sizes(elf, 4096)
    assert {name for name, kind in found if kind == "code"} == cubin == {"8.6", "9.0a", "10.3f"}
    assert {name for name, kind in found if kind == "PTX"} == ptx == {"9.0"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        NUMBER,
        NUMBER * 20,
        NUMBER + b"\xff" * 60,
        container(entry(7, 86, 0, 10)),
        container(entry(2, 99999, 0, 10)),
        container(entry(2, 86, 0, 1000))[:200],
        NUMBER + struct.pack("<HHQ", 1, 16, 1 << 60) + b"\0" * 100,
    ],
)
def test_what_only_looks_like_it_and_what_is_cut(data):
    assert sizes(data, 9) == {}


def test_after_a_number_that_stood_there_by_chance():
    assert sizes(NUMBER + b"nothing" * 9 + container(entry(2, 75, 0, 4)), 5) == {("7.5", "code"): 68}
