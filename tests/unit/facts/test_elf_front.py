"""What fronts of libraries prove: never more than the whole says."""

import struct
from dataclasses import replace

import pytest

from layerwright.facts.access import PrefixAccess, access_to
from layerwright.facts.elf import ElfError, read_library
from layerwright.facts.elf_front import read_front
from support.elf_file import Elf, version_hash

FIELDS = ["needed", "rpath", "runpath", "soname", "versions_defined", "versions_needed"]
PROVIDER = Elf(
    soname="libprovider.so",
    needed=("libcublas.so.12", "libcudnn.so.9", "libdl.so.2", "libc.so.6"),
    runpath="$ORIGIN",
    versions={"libc.so.6": ("GLIBC_2.14", "GLIBC_2.28"), "libcublas.so.12": ("libcublas.so.12",)},
    defines=("VERS_1.0",),
    padding=1 << 16,
)


def front(elf, size, path="pkg/libprovider.so"):
    data = bytes(elf)
    return read_front(data[:size], len(data), path=path)


@pytest.mark.parametrize("strings_last", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("wide", [True, False])
def test_the_names_are_proven_by_their_hashes(wide, order, strings_last):
    elf = replace(PROVIDER, wide=wide, order=order, strings_last=strings_last)
    found, useful = front(elf, 1 << 13)
    assert useful == 0
    assert found.needed == PROVIDER.needed
    assert found.versions_needed == PROVIDER.versions
    assert found.versions_defined == ("VERS_1.0",)
    assert found.unread == ("rpath", "runpath", "soname")
    assert not found.whole


@pytest.mark.parametrize(
    ("soname", "defines", "file", "expected"),
    [
        ("libx.so.1", (), "libx.so.1", "libx.so.1"),
        ("libx.so.1", (), "libx.so.1.2.3", "libx.so.1"),
        ("libx.so.1", ("X_1",), "libx.so.1.2.3", "libx.so.1"),
        ("libx.so.1", ("X_1",), "libx.so.1", ""),  # the table may have it from the file
        ("libx.so.1", ("libx.so.1.2",), "libx.so.1.2.3", "libx.so.1"),
        ("", ("X_1",), "own", ""),
        ("", (), "libx.so.1", ""),
        ("libx.so.1", (), "liby.so.1", ""),
    ],
)
def test_an_own_name_is_claimed_where_nothing_else_explains_it(soname, defines, file, expected):
    elf = replace(PROVIDER, soname=soname, defines=defines)
    found, _ = front(elf, 1 << 13, path=f"pkg/{file}")
    assert found.soname == expected
    assert ("soname" in found.unread) is not bool(expected)
    assert set(found.needed) <= set(PROVIDER.needed)


def test_with_the_dynamic_section_everything_but_the_contents_is_known():
    data = bytes(PROVIDER)
    found, useful = read_front(data[:-8], len(data), path="pkg/libprovider.so")
    assert (found.runpath, found.unread, found.whole, useful) == (("$ORIGIN",), (), False, 0)


def test_the_whole_file_is_no_front():
    data = bytes(PROVIDER)
    found, useful = read_front(data, len(data), path="x")
    assert found == read_library(data, path="x")
    assert useful == 0


def test_before_the_names_only_the_machine_is_known():
    found, useful = front(PROVIDER, 300)
    assert found.machine == "x86_64"
    assert sorted(found.unread) == FIELDS
    assert useful == len(bytes(PROVIDER))


def test_within_the_header_not_even_that():
    found, useful = front(PROVIDER, 40)
    assert (found.machine, useful > 40) == ("", True)


def test_names_that_patchelf_moved_are_not_sought_further():
    elf = Elf(needed=("libc.so.6",), versions={"libc.so.6": ("GLIBC_2.17",)}, moved=True, padding=1 << 16)
    found, useful = front(elf, 1 << 13)
    assert sorted(found.unread) == FIELDS
    assert found.needed == ()
    assert useful == 0


def test_an_own_name_unlike_the_files_is_not_taken_for_a_need():
    elf = Elf(
        soname="libother.so.3",
        needed=("libfoo.so.1", "libc.so.6"),
        versions={"libc.so.6": ("GLIBC_2.17",)},
        padding=1 << 16,
    )
    found, _ = front(elf, 1 << 13, path="pkg/libprovider-0a1b2c3d.so.3")
    assert found.needed == ("libfoo.so.1", "libc.so.6")
    assert "needed" in found.unread
    assert "soname" in found.unread


def test_one_name_within_another_leaves_doubt():
    elf = Elf(
        needed=("libmylibfoo.so.1", "libc.so.6"), versions={"libc.so.6": ("GLIBC_2.17",)}, padding=1 << 16
    )
    found, _ = front(elf, 1 << 13)
    assert "needed" in found.unread


def test_without_a_symbol_version_nothing_is_proven():
    elf = Elf(needed=("libcudnn.so.9", "libc.musl-x86_64.so.1"), padding=1 << 16)
    found, _ = front(elf, 1 << 13)
    assert found.needed == ()
    assert "needed" in found.unread


def test_a_name_of_a_version_without_its_hash_proves_nothing():
    data = bytearray(bytes(PROVIDER))
    at = data.find(b"GLIBC_2.28")
    data[at : at + 10] = b"GLIBC_2.29"
    found, _ = read_front(bytes(data[: 1 << 13]), len(data), path="pkg/libprovider.so")
    assert found.needed == ()


def test_what_is_no_elf_file_and_what_is_damaged():
    assert read_front(b"PK\x03\x04", 100) is None
    assert read_front(b"", 100) is None
    with pytest.raises(ElfError):
        read_front(b"\x7fELF\x09" + bytes(100), 1000)


def test_every_front_agrees_with_the_whole():
    data = bytes(PROVIDER)
    whole = read_library(data, path="pkg/libprovider.so", contents=False)
    for size in range(4, len(data), 97):
        found, _ = read_front(data[:size], len(data), path="pkg/libprovider.so")
        for name in FIELDS:
            if name not in found.unread:
                assert getattr(found, name) == getattr(whole, name), (size, name)
        assert set(found.needed) <= set(whole.needed)


def test_an_access_is_taken_as_it_is():
    access = PrefixAccess(b"abc", 10)
    assert access_to(access) is access


def test_a_file_made_to_take_time_gets_little_of_it():
    row = struct.pack("<IHHII", version_hash("GLIBC_2.17"), 0, 0, 1, 16)
    entry = struct.pack("<HHIII", 1, 255, 1, 16, 0)
    data = bytearray(bytes(PROVIDER)[:300] + b"\0\0GLIBC_2.17\0\0\0\0" + (entry + row * 254) * 2000)
    struct.pack_into("<Q", data, 64 + 32, 1 << 30)  # the first segment is said to be large
    found = read_front(bytes(data), 1 << 30, path="libx.so")
    assert found.library.needed == ()
