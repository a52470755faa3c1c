"""Outside bytes in the readers of ELF files and wheels: an answer or our errors, soon; fronts never contradict."""

import contextlib
import io
import random
import time
import zipfile

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from layerwright.facts.access import BytesAccess
from layerwright.facts.elf import ElfError, read_library
from layerwright.facts.elf_front import read_front
from layerwright.facts.wheels import WheelError, read_wheel
from layerwright.sources.remote_wheel import read_remote_wheel
from support.elf_file import Elf

pytestmark = pytest.mark.property

FIELDS = ("soname", "needed", "rpath", "runpath", "versions_needed", "versions_defined")
SECONDS = 5.0

names = st.from_regex(r"lib[a-zA-Z][a-zA-Z0-9_+-]{0,8}\.so(\.[0-9]{1,2}){0,2}", fullmatch=True)
versions = st.from_regex(r"(GLIBC|GLIBCXX|LIBX)_[0-9]\.[0-9]{1,2}", fullmatch=True)


@st.composite
def elves(draw):
    needed = draw(st.lists(names, unique=True, max_size=6))
    wanted = draw(
        st.dictionaries(
            st.sampled_from(needed),
            st.lists(versions, min_size=1, max_size=4, unique=True).map(tuple),
            max_size=4,
        )
        if needed
        else st.just({})
    )
    return Elf(
        soname=draw(st.one_of(st.just(""), names)),
        needed=tuple(needed),
        rpath=draw(st.sampled_from(["", "$ORIGIN", "/a:/b"])),
        runpath=draw(st.sampled_from(["", "$ORIGIN/..", ":/c"])),
        versions=wanted,
        defines=tuple(draw(st.lists(versions, unique=True, max_size=3))),
        constants=draw(st.binary(max_size=64)),
        wide=draw(st.booleans()),
        order=draw(st.sampled_from("<>")),
        padding=draw(st.integers(0, 300)),
        sections=draw(st.booleans()),
        strings_last=draw(st.booleans()),
        moved=draw(st.booleans()),
    )


@given(elves())
def test_what_was_written_is_read(elf):
    found = read_library(bytes(elf), path="libthis.so")
    assert found.needed == elf.needed
    assert found.soname == elf.soname
    assert found.rpath == (tuple(elf.rpath.split(":")) if elf.rpath else ())
    assert found.runpath == (tuple(elf.runpath.split(":")) if elf.runpath else ())
    assert found.versions_needed == elf.versions
    assert found.versions_defined == elf.defines


@given(elves(), st.integers(0, 1 << 16), names)
def test_a_front_never_contradicts_the_whole(elf, size, file):
    # no library needs itself
    assume(elf.soname not in elf.needed)
    assume(not any(f"{file}.".startswith(f"{name}.") for name in elf.needed))
    data = bytes(elf)
    whole = read_library(data, path=file, contents=False)
    front = read_front(data[: size % (len(data) + 1)], len(data), path=file)
    if front is None:
        return
    found = front.library
    assert set(found.needed) <= set(whole.needed)
    assert found.soname in ("", whole.soname)
    for library, wanted in found.versions_needed.items():
        assert set(wanted) <= set(whole.versions_needed[library])
    assert set(found.versions_defined) <= set(whole.versions_defined)
    for name in FIELDS:
        if name not in found.unread:
            seen, true = getattr(found, name), getattr(whole, name)
            assert (set(seen) == set(true)) if name == "needed" else (seen == true), name


CORPUS = [
    bytes(
        Elf(
            soname="libx.so.1",
            needed=("libc.so.6", "libcudart.so.12"),
            versions={"libc.so.6": ("GLIBC_2.17", "GLIBC_2.28")},
            defines=("X_1",),
            constants=b"\0libcudnn.so.9\0",
            fatbin=((2, 80, 0), (1, 90, 1 << 20)),
            wide=wide,
            padding=200,
        )
    )
    for wide in (True, False)
]


@given(
    st.sampled_from(CORPUS), st.lists(st.tuples(st.integers(0, 1 << 14), st.integers(0, 255)), max_size=12)
)
def test_damage_gives_an_answer_or_our_error_soon(data, changes):
    damaged = bytearray(data)
    for place, value in changes:
        damaged[place % len(damaged)] = value
    began = time.monotonic()
    for size in (len(damaged), len(damaged) // 2):
        for read in (
            lambda piece: read_library(piece, path="libx.so.1"),
            lambda piece: read_front(piece, len(damaged), path="libx.so.1"),
        ):
            with contextlib.suppress(ElfError):
                read(bytes(damaged[:size]))
    assert time.monotonic() - began < SECONDS


@given(st.binary(max_size=400))
def test_any_bytes_behind_the_magic(rest):
    for data in (rest, b"\x7fELF\x02\x01\x01" + rest):
        with contextlib.suppress(ElfError):
            read_library(data)
        with contextlib.suppress(ElfError):
            read_front(data, len(data) + 100)


def wheel_bytes(*, stored=False):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/libx.so.1", CORPUS[0] + random.Random(1).randbytes(3000))
        archive.writestr("x/__init__.py", "")
        archive.writestr("x-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: x\nVersion: 1\n")
    return out.getvalue()


WHEELS = [wheel_bytes(), wheel_bytes(stored=True)]


@given(st.sampled_from(WHEELS), st.lists(st.tuples(st.integers(0, 1 << 13), st.integers(0, 255)), max_size=8))
def test_damaged_wheels_near_and_far(data, changes):
    damaged = bytearray(data)
    for place, value in changes:
        damaged[-1 - place % len(damaged)] = value
    whole = bytes(damaged)
    began = time.monotonic()
    with contextlib.suppress(WheelError):
        read_wheel(BytesAccess(whole), file="x-1-py3-none-any.whl")
    with contextlib.suppress(WheelError):
        read_remote_wheel(
            lambda begin, size: whole[begin : begin + size], file="x.whl", sha256="0" * 64, size=len(whole)
        )
    assert time.monotonic() - began < SECONDS


def test_the_far_reading_of_a_sound_wheel_is_the_near_one():
    for data in WHEELS:
        near = read_wheel(BytesAccess(data), file="x.whl", sha256="0" * 64)
        far = read_remote_wheel(
            lambda begin, size, data=data: data[begin : begin + size],
            file="x.whl",
            sha256="0" * 64,
            size=len(data),
        )
        assert far.libraries == near.libraries
        assert far.paths == near.paths
