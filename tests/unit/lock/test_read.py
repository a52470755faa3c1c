import pytest

from layerwright.core.errors import SpecError
from layerwright.lock import (
    Deb,
    Lock,
    LockedBase,
    LockedCell,
    LockedSource,
    LockedWheel,
    read_lock,
    write_lock,
)

NUMPY = LockedWheel(
    name="numpy", version="2.2.0", file="numpy-2.2.0-cp311-cp311-manylinux_2_28_x86_64.whl",
    sha256="a" * 64, size=17_000_000, index="pypi", requested=True,
)  # fmt: skip
BASE = LockedBase(
    kind="debian", source="bookworm", digest="sha256:" + "b" * 64, python="3.11.2",
    interpreter="/usr/bin/python3.11", glibc="2.36",
    debs=(Deb(name="libc6", version="2.36-9", architecture="amd64", sha256="c" * 64, size=2_000_000, path="pool/main/g/glibc/libc6.deb"),),
)  # fmt: skip


def cell(name="infer", **changes):
    fields = {
        "spec_digest": "d" * 64,
        "base": BASE,
        "python": "3.11",
        "platform": "linux/amd64",
        "wheels": (NUMPY,),
    }
    return LockedCell(name=name, **(fields | changes))


def problems(text):
    with pytest.raises(SpecError) as raised:
        read_lock(text)
    return [
        (problem.what, problem.where.line, problem.where.text.strip()) for problem in raised.value.problems
    ]


# the lines of a lock are as long as they are
# ruff: noqa: E501
def test_the_text_is_made_to_be_reviewed():
    lock = Lock(cells={"b": cell("b", wheels=()), "a": cell("a")})
    assert (
        write_lock(lock)
        == f"""\
# The exact inputs of every image, written by `layerwright lock`.
# Commit this file and review its changes; do not edit it by hand.

version = 1

[bases."debian:bookworm/amd64"]
kind = "debian"
source = "bookworm"
digest = "sha256:{"b" * 64}"
python = "3.11.2"
interpreter = "/usr/bin/python3.11"
glibc = "2.36"
debs = [
  {{ name = "libc6", version = "2.36-9", architecture = "amd64", path = "pool/main/g/glibc/libc6.deb", size = 2000000, sha256 = "{"c" * 64}" }},
]

[cells.a]
base = "debian:bookworm/amd64"
platform = "linux/amd64"
python = "3.11"
spec = "{"d" * 64}"
wheels = [
  {{ name = "numpy", version = "2.2.0", file = "numpy-2.2.0-cp311-cp311-manylinux_2_28_x86_64.whl", index = "pypi", requested = true, size = 17000000, sha256 = "{"a" * 64}" }},
]

[cells.b]
base = "debian:bookworm/amd64"
platform = "linux/amd64"
python = "3.11"
spec = "{"d" * 64}"
"""
    )


def test_an_unknown_version_is_refused_with_clear_words():
    [(what, line, text)] = problems("# lock\nversion = 2\n[cells.a]\nfuture = 1\n")
    assert what == "the lock has the unknown version 2: this layerwright reads version 1"
    assert (line, text) == (2, "version = 2")
    [(what, _, _)] = problems("")
    assert "has no version" in what
    [(what, _, _)] = problems("version = true\n")
    assert "unknown version True" in what


def test_keys_of_a_later_writer_are_ignored():
    lock = Lock(cells={"a": cell("a")})
    text = (
        write_lock(lock)
        .replace("[cells.a]", 'later = "x"\n[cells.a]\nnewer = 3')
        .replace("{ name", "{ more = 1, name")
    )
    assert read_lock(text) == lock


def test_every_fault_is_told_with_its_line():
    text = write_lock(Lock(cells={"a": cell("a"), "b": cell("b")}))
    text = text.replace("a" * 64, "zz", 1).replace("size = 17000000", "size = -1", 1)
    text = text.replace('platform = "linux/amd64"', "platform = 3", 1)
    text = text.replace('base = "debian:bookworm/amd64"', 'base = "debian:sid/amd64"', 1)
    found = problems(text)
    assert [what for what, _, _ in found] == [
        "the base 'debian:sid/amd64' is not in the lock",
        "'platform' must be text",
        "'size' must be a number, not negative",
        "'sha256' must be 64 hexadecimal digits",
    ]
    lines = text.splitlines()
    for _, line, content in found:
        assert lines[line - 1].strip() == content
    assert 'name = "numpy"' in found[-1][2]


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('file = "numpy', 'file = "../numpy', "'file' must be a file name without a folder"),
        ('path = "pool', 'path = "../pool', "'path' must stay below its archive"),
        ('path = "pool', 'path = "/pool', "'path' must stay below its archive"),
        ('index = "pypi"', 'url = "https://me:pw@example.org/x.whl"', "'url' holds a credential"),
        ('index = "pypi"', "index = 3", "'index' must be text"),
        ("requested = true", 'requested = "yes"', "'requested' must be true or false"),
        ('version = "2.2.0", ', "", "'version' is missing"),
        ('kind = "debian"', 'kind = "rpm"', "kind is 'rpm': must be one of"),
        ("wheels = [", "wheels = 1 #", "'wheels' must be an array"),
    ],
)
def test_damage_is_named(old, new, what):
    text = write_lock(Lock(cells={"a": cell("a")}))
    assert old in text
    text = text.replace(old, new)
    if "wheels = 1" in text:
        text = text.rpartition("wheels = 1")[0] + "wheels = 1\n"
    [(found, line, _)] = problems(text)
    assert found.startswith(what)
    assert line > 0


def test_duplicates_and_lost_parents_are_faults():
    lock = Lock(
        cells={
            "a": cell("a", wheels=(NUMPY, NUMPY)),
            "b": cell("b", base=LockedBase(kind="image", source="gone")),
        }
    )
    assert [what for what, _, _ in problems(write_lock(lock))] == [
        "'numpy' is listed twice",
        "the parent 'gone' is not in the lock",
    ]


def test_a_merge_conflict_is_recognised():
    text = write_lock(Lock(cells={"a": cell("a")})).replace("[cells.a]", "<<<<<<< HEAD\n[cells.a]")
    [(what, _, line)] = problems(text)
    assert what == "the lock holds an unresolved merge conflict"
    assert line == "<<<<<<< HEAD"


def test_cut_off_text_is_told_with_line_and_column():
    [(what, line, _)] = problems('version = 1\n[cells.a]\nspec = "abc\n')
    assert what.startswith("the lock is no valid TOML: ")
    assert line == 3


def test_sources_keep_their_commit_and_place():
    source = LockedSource(
        name="docaligner", version="1.0", kind="git", source="https://example.org/docaligner.git",
        commit="e" * 40, subdirectory="py", requested=True,
    )  # fmt: skip
    lock = Lock(cells={"a": cell("a", sources=(source,))})
    assert read_lock(write_lock(lock)) == lock


def test_different_bases_of_one_name_stay_apart():
    other = LockedBase(kind="debian", source="bookworm", glibc="2.36")
    lock = Lock(cells={"a": cell("a"), "b": cell("b", base=other), "c": cell("c")})
    text = write_lock(lock)
    assert '[bases."debian:bookworm/amd64#2"]' in text
    assert text.count("libc6.deb") == 1
    assert read_lock(text) == lock
