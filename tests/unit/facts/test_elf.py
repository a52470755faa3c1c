"""The reader of ELF files, against files made to order and against pyelftools on real ones."""

import io
import mmap
import struct
import sysconfig
from pathlib import Path

import pytest

from layerwright.core.errors import IntegrityError
from layerwright.facts.access import BytesAccess, FileAccess
from layerwright.facts.elf import ElfError, read_library
from layerwright.facts.model import Library
from support.elf_file import Elf
from support.elf_oracle import oracle

CUDA_USER = Elf(
    soname="libdemo.so.1",
    needed=("libcudart.so.12", "libc.so.6"),
    runpath="$ORIGIN:$ORIGIN/../nvidia/cuda_runtime/lib",
    versions={
        "libc.so.6": ("GLIBC_2.2.5", "GLIBC_2.28", "GLIBC_2.34!"),
        "libcudart.so.12": ("libcudart.so.12",),
    },
    defines=("DEMO_1.0", "DEMO_1.1"),
    constants=b"\0libcudnn.so.9\0cannot open libnvrtc.so.12: %s\0/opt/x/libfoo.so\0numpy.core._multiarray_umath\0",
    fatbin=((2, 86, 0), (2, 90, 1 << 20), (2, 103, 1 << 21), (1, 90, 0)),
)


def library_files():
    """Shared objects of this environment's packages, and the C and C++ libraries of this machine."""
    found = sorted(Path(sysconfig.get_path("platlib")).rglob("*.so*"))
    for folder in (
        "/lib/x86_64-linux-gnu",
        "/usr/lib/x86_64-linux-gnu",
        "/lib64",
        "/usr/lib/aarch64-linux-gnu",
    ):
        for name in ("libc.so.6", "libstdc++.so.6", "libm.so.6", "libgcc_s.so.1", "libz.so.1", "libssl.so.3"):
            path = Path(folder) / name
            if path.is_file():
                found.append(path)
    return [path for path in found if begins_as_elf(path)]


def begins_as_elf(path):
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def test_pyelftools_reads_the_same_in_every_library_of_this_machine():
    files = library_files()
    assert len(files) > 10
    for path in files:
        with path.open("rb") as file:
            found = read_library(file, path=str(path), contents=False)
        expected = oracle(path)
        assert {name: getattr(found, name) for name in expected} == expected, path


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("order", ["<", ">"])
def test_both_word_sizes_and_byte_orders(wide, order):
    elf = Elf(
        soname="libdemo.so.1",
        needed=("libm.so.6", "libc.so.6"),
        rpath="$ORIGIN/lib:/opt/lib",
        versions={"libc.so.6": ("GLIBC_2.17",)},
        defines=("DEMO_1",),
        wide=wide,
        order=order,
        machine=21,
    )
    found = read_library(bytes(elf), path="libdemo.so.1")
    assert found == Library(
        path="libdemo.so.1",
        machine="ppc64le" if order == "<" else "ppc64",
        soname="libdemo.so.1",
        needed=("libm.so.6", "libc.so.6"),
        rpath=("$ORIGIN/lib", "/opt/lib"),
        versions_needed={"libc.so.6": ("GLIBC_2.17",)},
        versions_defined=("DEMO_1",),
    )


def test_everything_a_library_may_say():
    found = read_library(bytes(CUDA_USER), path="pkg/libdemo.so.1")
    assert found.needed == ("libcudart.so.12", "libc.so.6")
    assert found.runpath == ("$ORIGIN", "$ORIGIN/../nvidia/cuda_runtime/lib")
    assert found.rpath == ()
    assert found.versions_defined == ("DEMO_1.0", "DEMO_1.1")
    assert found.opens == ("libcudnn.so.9", "libfoo.so", "libnvrtc.so.12")
    assert found.sm == ("8.6", "9.0a", "10.3f")
    assert found.ptx == ("9.0",)
    assert found.numpy_api == 1
    assert found.whole


def test_a_weak_version_is_not_wanted_by_the_loader():
    found = read_library(bytes(CUDA_USER))
    assert found.versions_needed["libc.so.6"] == ("GLIBC_2.2.5", "GLIBC_2.28")


@pytest.mark.parametrize(
    ("constants", "expected"),
    [
        (b"\0numpy._core._multiarray_umath\0numpy.core._multiarray_umath\0", 2),
        (b"\0numpy.core._multiarray_umath\0", 1),
        (b"\0numpy.core\0", 0),
    ],
)
def test_which_numpy_it_was_built_with(constants, expected):
    assert read_library(bytes(Elf(constants=constants))).numpy_api == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"libcuda.so.1", ("libcuda.so.1",)),
        (b"needs libcuda.so.1.", ("libcuda.so.1",)),
        (b"libnpp.so.source", ()),
        (b"libx.something", ()),
        (b"%slib%s.so", ()),
        (b"mylibfoo.so.2", ()),
        (b"lib" + b"a" * 200 + b".so", ()),
        (b"'libnvJitLink.so.12'", ("libnvJitLink.so.12",)),
    ],
)
def test_names_that_stand_in_text(text, expected):
    assert read_library(bytes(Elf(constants=b"\0" + text + b"\0"))).opens == expected


def test_names_in_code_and_in_the_own_tables_are_not_opened():
    elf = Elf(soname="libdemo.so", needed=("libc.so.6",), constants=b"\0libdemo.so\0libc.so.6\0")
    assert read_library(bytes(elf)).opens == ()


def test_without_section_headers_the_segments_are_searched():
    elf = Elf(constants=b"\0libcudnn.so.9\0", fatbin=((2, 75, 0),), sections=False)
    found = read_library(bytes(elf))
    assert found.opens == ("libcudnn.so.9",)
    assert found.sm == ("7.5",)


def test_files_maps_and_bytes_say_the_same(tmp_path):
    path = tmp_path / "libdemo.so"
    path.write_bytes(bytes(CUDA_USER))
    expected = read_library(bytes(CUDA_USER))
    with path.open("rb") as file:
        assert read_library(file) == expected
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            assert read_library(mapped) == expected
    with path.open("rb", buffering=0) as raw:
        assert read_library(raw) == expected
    assert read_library(io.BytesIO(bytes(CUDA_USER))) == expected


class Counting(BytesAccess):
    """Counts the bytes that are read."""

    taken = 0

    def read(self, offset, size):
        piece = super().read(offset, size)
        self.taken += len(piece)
        return piece


def test_of_a_large_file_only_the_named_places_are_read():
    access = Counting(bytes(Elf(needed=("libc.so.6",), padding=8 << 20)))
    assert read_library(access, contents=False).needed == ("libc.so.6",)
    assert access.taken < 8192


def test_what_is_no_elf_file():
    assert read_library(b"") is None
    assert read_library(b"\x7fEL") is None
    assert read_library(b"#!/bin/sh\n") is None
    assert read_library(b"!<arch>\n") is None


def test_programs_without_a_dynamic_section_need_nothing():
    data = bytearray(bytes(Elf(needed=("libc.so.6",))))
    place = 64 + 56 * 2
    struct.pack_into("<I", data, place, 4)  # PT_DYNAMIC becomes a note
    assert read_library(bytes(data)).needed == ()


def test_a_debug_file_points_at_a_dynamic_section_that_was_left_out():
    elf = bytearray(bytes(Elf(needed=("libc.so.6",))))
    at = struct.unpack_from("<Q", elf, 40)[0] + 64 * 4  # .dynamic's section header
    assert struct.unpack_from("<I", elf, at + 4)[0] == 6
    struct.pack_into("<I", elf, at + 4, 8)
    assert read_library(bytes(elf)).needed == ()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda data: data[:40], "its header is cut short"),
        (lambda data: data[:100], "program headers lie beyond its end"),
        (lambda data: data[:4] + b"\x07" + data[5:], "its class is 7"),
        (lambda data: data[: len(data) // 3], "its dynamic section lies beyond its end"),
    ],
)
def test_damaged_files_are_named(change, told):
    data = bytes(Elf(needed=("libc.so.6",), padding=4096))
    with pytest.raises(ElfError, match=told) as caught:
        read_library(change(data), path="pkg/libdemo.so")
    assert "pkg/libdemo.so is damaged" in caught.value.what
    assert isinstance(caught.value, IntegrityError)


def test_an_endless_chain_of_versions_ends():
    data = bytearray(bytes(Elf(needed=("libc.so.6",), versions={"libc.so.6": ("GLIBC_2.2.5",)})))
    # every entry of the chain claims 65535 versions
    start = next(
        place
        for place in range(0, len(data) - 16, 4)
        if struct.unpack_from("<HH", data, place) == (1, 1)
        and struct.unpack_from("<I", data, place + 8)[0] == 16
    )
    struct.pack_into("<H", data, start + 2, 0xFFFF)
    struct.pack_into("<I", data, start + 16 + 12, 0xFFFFFFF0)
    with pytest.raises(ElfError):
        read_library(bytes(data))


def test_a_file_is_searched_across_the_pieces_it_is_read_in():
    data = b"a" * ((1 << 20) - 3) + b"needle" + b"b" * 100
    access = FileAccess(io.BytesIO(data))
    assert access.find(b"needle", 0, len(data)) == (1 << 20) - 3
    assert access.find(b"needle", 0, (1 << 20)) == -1
    assert access.find(b"none", 0, len(data)) == -1


def test_names_without_measure_are_refused():
    elf = Elf(needed=tuple(f"lib{'a' * 16000}{number}.so" for number in range(300)))
    with pytest.raises(ElfError, match="longer than those of any library"):
        read_library(bytes(elf))


def test_section_headers_that_make_no_sense_are_done_without():
    data = bytearray(bytes(Elf(needed=("libc.so.6",), constants=b"\0libcudnn.so.9\0")))
    struct.pack_into("<Q", data, 40, len(data) - 10)
    found = read_library(bytes(data))
    assert (found.needed, found.opens) == (("libc.so.6",), ("libcudnn.so.9",))
