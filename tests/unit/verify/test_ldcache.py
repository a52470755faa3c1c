"""``/etc/ld.so.cache`` as ldconfig writes it."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwright.core.errors import IntegrityError
from layerwright.verify.loader.ldcache import CacheEntry, read_cache
from support.loader_cache import make_cache

ROWS = [
    (0x0303, "libz.so.1", "/lib/x86_64-linux-gnu/libz.so.1", -1),
    (0x0303, "liba.so.1", "/lib/liba.so.1", -1),
    (0x0303, "liba.so.1", "/lib/glibc-hwcaps/x86-64-v3/liba.so.1", 0),
    (0x0003, "libz.so.1", "/lib32/libz.so.1", -1),
]


@pytest.mark.parametrize("old", [False, True])
def test_names_of_the_machine_with_better_processors_first(old):
    found = read_cache(make_cache(ROWS, levels=("x86-64-v3",), old=old), "x86_64")
    assert found == {
        "libz.so.1": (CacheEntry(path="/lib/x86_64-linux-gnu/libz.so.1"),),
        "liba.so.1": (
            CacheEntry(path="/lib/glibc-hwcaps/x86-64-v3/liba.so.1", hwcaps="x86-64-v3"),
            CacheEntry(path="/lib/liba.so.1"),
        ),
    }
    assert list(read_cache(make_cache(ROWS), "i386")) == ["libz.so.1"]
    assert read_cache(make_cache(ROWS), "vax") == {}


def test_the_cache_of_this_machine():
    path = Path("/etc/ld.so.cache")
    if not path.exists():
        pytest.skip("this machine is no glibc system")
    found = read_cache(path.read_bytes(), "x86_64") or read_cache(path.read_bytes(), "aarch64")
    assert Path(found["libc.so.6"][0].path).exists()


def test_another_format():
    with pytest.raises(IntegrityError, match="unknown format"):
        read_cache(b"something else entirely" * 4, "x86_64")


@given(st.data())
def test_damage_is_an_error_of_ours(data):
    whole = bytearray(make_cache(ROWS, levels=("x86-64-v3",), old=data.draw(st.booleans())))
    for _ in range(data.draw(st.integers(1, 5))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    length = data.draw(st.integers(0, len(whole)))
    with contextlib.suppress(IntegrityError):
        read_cache(bytes(whole[:length]), "x86_64")
