"""Bases of registries by their names: what a lock gets without asking a registry, and what is refused."""

from pathlib import Path
from typing import Any, cast

import pytest

from layerwright.core.errors import UsageError
from layerwright.core.source import Location
from layerwright.lock import LockedBase
from layerwright.resolve import AptRequest, Ports, resolve
from layerwright.spec.model import Base, Cell, Spec
from layerwright.workflow.provisional import ports_by_name

HERE = Location(file="layerwright.toml", line=3)
CUDA = "nvcr.io/nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04"
NGC = "nvcr.io/nvidia/pytorch:24.05-py3"


def cell(
    name: str, source: str, *, kind: str = "registry", python: str = "3.10", apt: tuple[str, ...] = ()
) -> Cell:
    return Cell(
        name=name,
        image=name,
        base=Base(kind=cast("Any", kind), source=source),
        reference_name=name,
        tags=("1",),
        python=python,
        apt=apt,
        location=HERE,
    )


class World:
    """Answers as if everything could be asked, and notes what was."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def lock_base(self, one: Cell, /) -> LockedBase:
        self.asked.append(one.name)
        kind = one.base.kind
        return LockedBase(
            kind=kind, source=one.base.source, digest="sha256:1", interpreter="/usr/bin/python3.10"
        )

    def resolve_apt(self, request: AptRequest, /) -> tuple[()]:
        self.asked.append(f"apt of {request.cell.name}")
        return ()

    def ports(self) -> Ports:
        return Ports(
            packages=cast("Any", self),
            apt=self,
            bases=self,
            files=cast("Any", self),
            inputs=cast("Any", self),
            trees=cast("Any", self),
        )


def spec(*cells: Cell) -> Spec:
    return Spec(file="layerwright.toml", root=Path("/p"), project="p", cells={one.name: one for one in cells})


@pytest.mark.parametrize(
    ("source", "apt", "interpreter"),
    [
        (NGC, (), "/usr/bin/python3.10"),
        (CUDA, ("python3-pip",), "/usr/bin/python3.10"),
        (CUDA, ("ed", "python3.10=3.10.12-1"), "/usr/bin/python3.10"),
        ("python:3.10-slim-bookworm", (), "/usr/local/bin/python3.10"),
    ],
)  # fmt: skip
def test_a_name_says_where_python_is(source: str, apt: tuple[str, ...], interpreter: str) -> None:
    world, one = World(), cell("app", source, apt=apt)
    base = ports_by_name(world.ports(), spec(one)).bases.lock_base(one)
    assert (base.interpreter, base.digest, base.source) == (interpreter, "", source)
    assert base.glibc
    assert world.asked == []


@pytest.mark.parametrize(
    ("one", "says", "advice"),
    [
        (cell("app", "registry.example.org/ours:1"), "does not say what system it holds", "can be reached"),
        (
            cell("app", CUDA),
            "nothing says that .* with this `apt` has Python 3.10",
            'add "python3.10" to `apt`',
        ),
        (
            cell("app", CUDA, apt=("python3-pip",), python="3.12"),
            "its system's own is 3.10",
            "can be reached",
        ),
        (cell("app", CUDA, apt=("libpython3.10",)), "has Python 3.10", 'add "python3.10"'),
    ],
)
def test_a_name_that_says_too_little_is_refused(one: Cell, says: str, advice: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        ports_by_name(World().ports(), spec(one)).bases.lock_base(one)
    assert advice in caught.value.hint
    assert caught.value.where == HERE


def test_bases_of_this_machine_are_looked_into_as_ever() -> None:
    world, local = World(), cell("local", "mine:1", kind="docker")
    assert ports_by_name(world.ports(), spec(local)).bases.lock_base(local).digest == "sha256:1"
    assert world.asked == ["local"]


def test_a_lock_by_name_stays_until_the_base_is_asked_for() -> None:
    world = World()
    described = spec(cell("app", NGC, apt=("ed",)), cell("other", CUDA, apt=("python3",)))
    ports = world.ports()
    named = resolve(described, ports_by_name(ports, described), by_name=True)
    assert [deb.name for deb in named.cells["app"].apt] == ["ed"]
    assert world.asked == []
    again = resolve(described, ports_by_name(ports, described), by_name=True, previous=named)
    assert again == named
    pinned = resolve(described, ports, previous=named)
    assert world.asked == ["app", "apt of app", "other", "apt of other"]
    assert {one.base.digest for one in pinned.cells.values()} == {"sha256:1"}
    # What is pinned is not given up for a name.
    assert resolve(described, ports_by_name(ports, described), by_name=True, previous=pinned) == pinned
