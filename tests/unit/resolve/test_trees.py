"""Source trees are locked once for all cells, and keep their commits until asked to move."""

from pathlib import Path
from typing import Any, cast

import pytest

from layerwright.core.errors import NetworkError, UsageError
from layerwright.lock.model import Lock, LockedBase, LockedTree
from layerwright.resolve import Ports, resolve
from layerwright.spec.model import Cell, Source, Spec
from support.spec import spec_of

SPEC = """
[sources.pytorch]
git = "https://example.org/pytorch"
rev = "v2.0.0"
[sources.vision]
git = "https://example.org/vision"
rev = "main"
[images.base]
from = "debian:bookworm"
sources = [{ source = "vision", to = "/home/vision" }, { source = "pytorch", to = "/home/pytorch" }]
[images.other]
from = "debian:bookworm"
sources = [{ source = "pytorch", to = "/a" }, { source = "pytorch", to = "/b", git = true }]
[images.child]
from = "image:base"
"""


class World:
    """Repositories whose commits are counted up."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.commit = 1

    def resolve_tree(self, source: Source, /) -> tuple[LockedTree, ...]:
        self.asked.append(source.name)
        commit = f"{self.commit:040x}"
        tree = LockedTree(name=source.name, git=source.git, rev=source.rev, commit=commit)
        below = LockedTree(name=source.name, submodule="x", git="https://example.org/x", commit=commit)
        return (tree, below) if source.submodules else (tree,)

    def lock_base(self, one: Cell, /) -> LockedBase:
        return LockedBase(kind=one.base.kind, source=one.base.source)

    def input_digest(self, path: str, /) -> str:
        return ""

    def lock(self, spec: Spec, previous: Lock | None = None, **options: Any) -> Lock:
        ports = Ports(
            packages=cast("Any", self),
            apt=cast("Any", self),
            bases=self,
            files=cast("Any", self),
            inputs=self,
            trees=self,
        )
        return resolve(spec, ports, previous=previous, **options)


def spec(text: str = SPEC) -> Spec:
    return spec_of(text, Path("/p"))


def commits(lock: Lock, cell: str) -> dict[str, str]:
    return {f"{tree.name}/{tree.submodule}": tree.commit.lstrip("0") for tree in lock.cells[cell].trees}


def test_each_is_asked_for_once() -> None:
    world = World()
    lock = world.lock(spec())
    assert sorted(world.asked) == ["pytorch", "vision"]
    assert list(commits(lock, "base")) == ["pytorch/", "pytorch/x", "vision/", "vision/x"]
    assert list(commits(lock, "other")) == ["pytorch/", "pytorch/x"]
    assert lock.cells["child"].trees == ()  # its parent has them


def test_a_branch_stays_at_its_commit_while_the_spec_says_the_same() -> None:
    world = World()
    first = world.lock(spec())
    world.commit = 2
    assert world.lock(spec(), first) == first
    # other changes to the cell leave it alone, too
    changed = world.lock(spec(SPEC + 'tags = ["x"]\napt = []\n'), first)
    assert commits(changed, "base") == commits(first, "base")
    assert world.asked == ["vision", "pytorch"]


@pytest.mark.parametrize(
    ("old", "new", "moved"),
    [
        ('"v2.0.0"', '"v2.0.1"', {"pytorch"}),
        ("https://example.org/vision", "https://example.org/fork", {"vision"}),
        ('rev = "main"', 'rev = "main"\nsubmodules = false', {"vision"}),
    ],
)
def test_another_revision_is_asked_for(old: str, new: str, moved: set[str]) -> None:
    world = World()
    first = world.lock(spec())
    world.commit, world.asked = 2, []
    second = world.lock(spec(SPEC.replace(old, new)), first)
    assert set(world.asked) == moved
    found = commits(second, "base")
    assert {name.partition("/")[0] for name, commit in found.items() if commit == "2"} == moved


def test_one_moves_by_name_alone() -> None:
    world = World()
    first = world.lock(spec())
    world.commit = 2
    second = world.lock(spec(), first, upgrade=frozenset({"vision"}))
    assert commits(second, "base") == {"pytorch/": "1", "pytorch/x": "1", "vision/": "2", "vision/x": "2"}
    with pytest.raises(UsageError, match="nothing in the lock is called 'visoin'") as caught:
        world.lock(spec(), first, upgrade=frozenset({"visoin"}))
    assert caught.value.hint == "did you mean 'vision'?"


def test_what_cannot_be_had_is_told_at_its_table() -> None:
    class Gone(World):
        def resolve_tree(self, source: Source, /) -> tuple[LockedTree, ...]:
            raise NetworkError(f"{source.git} cannot be had")

    with pytest.raises(NetworkError) as caught:
        Gone().lock(spec())
    assert caught.value.where is not None
    assert caught.value.where.key == "sources.vision"
