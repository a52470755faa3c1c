"""What a container shares with the machine is told, and only when the spec names it."""

import pytest
from msgspec import structs

from layerwright.core.source import Location
from layerwright.facts.model import RunFacts
from layerwright.rules import Case, run_rights
from support.clashes import cell


def found(**facts):
    subject = structs.replace(cell("debian:bookworm", accelerator="cpu"), run=RunFacts(**facts))
    return [(one.code, one.level, one.message) for one in run_rights.check(Case(subject))]


def test_c14_nothing_named_is_nothing_to_say():
    assert found() == []
    assert found(shm_size="8g") == []


@pytest.mark.parametrize("key", ["privileged", "network", "ipc"])
def test_c14_each_right_is_a_note(key):
    ((code, level, message),) = found(rights=(key,))
    assert (code, level) == ("LW-RUN-RIGHTS", "note")
    assert f"`{key}`" in message


def test_c14_the_machines_ipc_with_a_size_is_warned_of():
    assert [row[:2] for row in found(rights=("ipc",), shm_size="64g")] == [
        ("LW-RUN-RIGHTS", "note"),
        ("LW-RUN-SHM", "warning"),
    ]


def test_the_place_is_the_run_table():
    where = Location(file="layerwright.toml", key="images.app.run", line=9)
    subject = structs.replace(
        cell("debian:bookworm", accelerator="cpu"), run=RunFacts(rights=("ipc",), location=where)
    )
    (one,) = run_rights.check(Case(subject))
    assert one.where.location == where
