"""Source trees in a lock: written, read, compared."""

import pytest

from layerwright.core.errors import SpecError
from layerwright.lock import Lock, LockedBase, LockedCell, LockedTree, describe, diff, read_lock, write_lock
from support.change import replace

TREES = (
    LockedTree(name="pytorch", git="https://example.org/pytorch", rev="v2.0.0", commit="a" * 40),
    LockedTree(name="pytorch", submodule="third_party/x", git="https://example.org/x", commit="b" * 40),
    LockedTree(name="vision", git="../vision.git", rev="c" * 40, commit="c" * 40),
)
CELL = LockedCell(
    name="dev",
    spec_digest="d" * 64,
    base=LockedBase(kind="docker", source="x"),
    python="",
    platform="linux/amd64",
    trees=TREES,
)


def lock(cell: LockedCell = CELL) -> Lock:
    return Lock(cells={"dev": cell})


def test_what_is_written_is_read() -> None:
    text = write_lock(lock())
    assert (
        f'  {{ name = "pytorch", git = "https://example.org/pytorch", rev = "v2.0.0", commit = "{"a" * 40}" }},\n'
        in text
    )
    assert '{ name = "pytorch", submodule = "third_party/x", git' in text
    assert read_lock(text) == lock()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("a" * 40, "a" * 39, "'commit' must be a full commit"),
        ("a" * 40, "A" * 40, "'commit' must be a full commit"),
        ("third_party/x", "../x", "'submodule' must stay below its archive"),
        ("https://example.org/x", "https://u:p@example.org/x", "'git' holds a credential"),
        (
            '{ name = "vision"',
            '{ name = "pytorch", submodule = "third_party/x"',
            "'pytorch' is listed twice",
        ),
        ('name = "vision", ', "", "'name' is missing"),
    ],
)
def test_damage_is_told_with_its_line(old: str, new: str, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_lock(write_lock(lock()).replace(old, new, 1))
    assert caught.value.problems[0].what == said
    assert caught.value.problems[0].where.line > 0


def test_a_credential_never_gets_in() -> None:
    tree = replace(TREES[0], git="https://user:word@example.org/x")
    with pytest.raises(ValueError, match="credential"):
        write_lock(lock(replace(CELL, trees=(tree,))))


@pytest.mark.parametrize(
    ("new", "told"),
    [
        ((), ["sources of pytorch v2.0.0 at aaaaaaaaaaaa removed", "sources of vision cccccccccccc removed"]),
        (TREES, []),
        (
            (replace(TREES[0], commit="e" * 40), *TREES[1:]),
            [
                "sources of pytorch v2.0.0 at aaaaaaaaaaaa → v2.0.0 at eeeeeeeeeeee (https://example.org/pytorch)"
            ],
        ),
        (
            (TREES[0], replace(TREES[1], commit="e" * 40), TREES[2]),
            ["sources of pytorch v2.0.0 at aaaaaaaaaaaa, other submodules (https://example.org/pytorch)"],
        ),
    ],
)
def test_changes_are_told(new: tuple[LockedTree, ...], told: list[str]) -> None:
    changes = diff(lock(), lock(replace(CELL, trees=new)))
    assert [describe(change).removeprefix("dev: ") for change in changes] == told
