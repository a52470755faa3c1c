"""Render nodes and the groups that may open them."""

import os

from layerwright.doctor.devices import KINDS, examine
from layerwright.doctor.model import Needs
from support.machine import check_of, complete, make_machine, statuses

WANTED = Needs(purposes={"mthreads": "--for mthreads"})


def nodes(tmp_path, members="", name="render"):
    node = tmp_path / "dev/dri/renderD128"
    node.parent.mkdir(parents=True, exist_ok=True)
    node.touch()
    node.chmod(0o660)
    return {
        "/etc/group": f"root:x:0:\n{name}:x:{node.stat().st_gid or 109}:{members}\n",
        "/etc/passwd": "alice:x:1000:1000::/home/alice:/bin/sh\n",
    }


def test_no_nodes(tmp_path):
    outcome = examine(make_machine(tmp_path), Needs())
    assert complete(KINDS)(outcome)
    assert set(statuses(outcome).values()) == {"not_needed"}
    assert check_of(examine(make_machine(tmp_path), WANTED), "dri-nodes").status == "error"


def test_somebody_who_may_not_open_them(tmp_path):
    machine = make_machine(tmp_path, files=nodes(tmp_path), uid=1000 + os.getuid())
    check = check_of(examine(machine, WANTED), "dri-groups")
    assert check.status == "error"
    assert "usermod -aG render" in check.fix[0].command
    assert check_of(examine(machine, Needs()), "dri-groups").status == "warning"


def test_somebody_who_joined_after_logging_in(tmp_path):
    files = nodes(tmp_path, members="alice")
    machine = make_machine(tmp_path, files=files, uid=1000)
    check = check_of(examine(machine, WANTED), "dri-groups")
    assert "since your last login" in check.detail
    assert check.fix[0].command == "newgrp render"


def test_somebody_who_may(tmp_path):
    files = nodes(tmp_path)
    group = (tmp_path / "dev/dri/renderD128").stat().st_gid
    machine = make_machine(tmp_path, files=files, uid=1000 + os.getuid(), groups=(group,))
    assert check_of(examine(machine, WANTED), "dri-groups").status == "ok"


def test_the_node_of_a_screen_does_not_matter(tmp_path):
    files = nodes(tmp_path)
    card = tmp_path / "dev/dri/card0"
    card.touch()
    card.chmod(0o600)
    (tmp_path / "dev/dri/renderD128").chmod(0o666)
    machine = make_machine(tmp_path, files=files, uid=1000 + os.getuid())
    assert check_of(examine(machine, WANTED), "dri-groups").status == "ok"
