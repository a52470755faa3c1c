"""Programs that building natively leans on."""

from layerwright.doctor.model import Needs
from layerwright.doctor.programs import KINDS, examine
from support.machine import check_of, complete, make_machine, statuses

BASES = Needs(purposes={"build": "x"}, debian=True, git=True)
KEYRING = {"/usr/share/keyrings/debian-archive-keyring.gpg": b"key"}


def test_everything_is_there(tmp_path):
    machine = make_machine(tmp_path, files=KEYRING, programs={"git": "", "mmdebstrap": "", "uv": "uv 0.9.1"})
    outcome = examine(machine, BASES)
    assert complete(KINDS)(outcome)
    assert statuses(outcome) == {
        "uv": "ok", "git": "ok", "mmdebstrap": "ok", "debian-keyring": "ok", "subordinate-ids": "not_needed",
    }  # fmt: skip


def test_nothing_is_there(tmp_path):
    outcome = examine(make_machine(tmp_path), BASES)
    found = statuses(outcome)
    assert found["git"] == found["mmdebstrap"] == found["debian-keyring"] == "error"
    assert "apt-get install mmdebstrap" in check_of(outcome, "mmdebstrap").fix[0].command
    found = statuses(examine(make_machine(tmp_path), Needs()))
    assert found["git"] == found["mmdebstrap"] == found["debian-keyring"] == "not_needed"


def test_a_uv_that_does_not_run(tmp_path):
    machine = make_machine(tmp_path, programs={"uv": (127, "", "libc.so.6: version `GLIBC_2.28' not found")})
    check = check_of(examine(machine, BASES), "uv")
    assert check.status == "error"
    assert "GLIBC_2.28" in check.detail


def test_an_ordinary_user(tmp_path):
    accounts = {"/etc/passwd": "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n"}
    bare = examine(make_machine(tmp_path / "a", files=accounts, uid=1000), Needs())
    check = check_of(bare, "subordinate-ids")
    assert check.status == "warning"
    assert "newuidmap was not found" in check.detail
    assert [cure.command.split()[0] for cure in check.fix] == ["apt-get", "usermod"]
    assert (
        check_of(examine(make_machine(tmp_path / "a", uid=1000), BASES), "subordinate-ids").status == "error"
    )
    ranges = {**accounts, "/etc/subuid": "alice:100000:65536\n", "/etc/subgid": "1000:100000:65536\n"}
    machine = make_machine(
        tmp_path / "b", files=ranges, programs={"newuidmap": "", "newgidmap": ""}, uid=1000
    )
    assert check_of(examine(machine, BASES), "subordinate-ids").status == "ok"


def test_ranges_of_somebody_else(tmp_path):
    files = {"/etc/subuid": "bob:100000:65536\n", "/etc/subgid": "alice:1:x\n"}
    machine = make_machine(tmp_path, files=files, programs={"newuidmap": "", "newgidmap": ""}, uid=1000)
    check = check_of(examine(machine, Needs()), "subordinate-ids")
    assert check.status == "warning"
    assert "/etc/subuid gives 0 ids" in check.detail
