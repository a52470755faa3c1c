"""Podman: control groups, limits, storage, and being asked only where that changes nothing."""

import json

from layerwright.doctor.model import Needs
from layerwright.doctor.podman import KINDS, examine
from support.machine import check_of, complete, hangs, make_machine, statuses

WANTED = Needs(purposes={"podman": "--for podman"})
VERSION = {"podman --version": "podman version 4.3.1\n", "crun": "", "runc": ""}
HYBRID = (
    "30 25 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
    "31 25 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
)
USED = {"/var/lib/containers/storage/.keep": ""}


def info(driver="overlay", runtime="crun"):
    return json.dumps({"store": {"graphDriverName": driver}, "host": {"ociRuntime": {"name": runtime}}})


def look(tmp_path, needs=Needs(), programs=None, **options):  # noqa: B008 - frozen
    machine = make_machine(tmp_path, programs={**VERSION, **(programs or {})}, **options)
    outcome = examine(machine, needs)
    assert complete(KINDS)(outcome)
    return machine, outcome


def test_no_podman(tmp_path):
    for needs, status in ((WANTED, "error"), (Needs(), "not_needed")):
        assert statuses(examine(make_machine(tmp_path), needs))["podman"] == status


def test_it_is_not_asked_when_it_is_not_used(tmp_path):
    machine, outcome = look(tmp_path, uid=1000)
    assert statuses(outcome)["podman"] == "ok"
    assert statuses(outcome)["podman-storage"] == "not_needed"
    assert [argv[1:] for argv in machine.runner.started] == [("--version",)]
    assert outcome.facts.engines == {"podman": "4.3.1"}


def test_it_is_asked_when_it_is_asked_for(tmp_path):
    machine, outcome = look(tmp_path, WANTED, {"podman info": info(driver="vfs")}, uid=1000)
    assert ("info", "--format", "json") in [argv[1:] for argv in machine.runner.started]
    check = check_of(outcome, "podman-storage")
    assert check.status == "warning"
    assert "~/.config/containers/storage.conf" in check.fix[0].text


def test_rootless_podman_is_asked_while_its_own_process_lives(tmp_path):
    files = {"/run/user/1000/libpod/tmp/pause.pid": "4711", "/proc/4711/status": ""}
    machine, _ = look(
        tmp_path,
        files=files,
        uid=1000,
        variables={"XDG_RUNTIME_DIR": "/run/user/1000"},
        programs={"podman info": info()},
    )
    assert len(machine.runner.started) == 2


def test_crun_and_control_groups_of_both_versions(tmp_path):
    files = {"/proc/self/mountinfo": HYBRID}
    _, outcome = look(tmp_path, files={**files, **USED}, programs={"podman info": info()})
    check = check_of(outcome, "podman-runtime")
    assert check.status == "warning"
    assert 'runtime = "runc"' in check.fix[0].text
    _, outcome = look(tmp_path, files={**files, **USED}, programs={"podman info": info(runtime="runc")})
    assert check_of(outcome, "podman-runtime").status == "ok"
    files["/etc/containers/containers.conf"] = '[engine]\n  runtime = "runc"\n'
    _, outcome = look(tmp_path, files=files, uid=1000)
    assert check_of(outcome, "podman-runtime").status == "ok"


def test_limits_that_may_not_be_raised(tmp_path):
    files = {
        "/proc/self/limits": "Limit        Soft Limit   Hard Limit   Units\nMax open files   1024   20000   files\n",
        "/proc/self/status": "CapEff:\t00000000a80425fb\n",
    }
    _, outcome = look(tmp_path, files=files)
    check = check_of(outcome, "podman-limits")
    assert check.status == "warning"
    assert "nofile=20000:20000" in check.fix[0].text
    files["/etc/containers/containers.conf"] = (
        '#default_ulimits = []\ndefault_ulimits=["nofile=20000:20000"]\n'
    )
    _, outcome = look(tmp_path, files=files)
    assert check_of(outcome, "podman-limits").status == "ok"
    files["/proc/self/status"] = "CapEff:\t000001ffffffffff\n"
    del files["/etc/containers/containers.conf"]
    (tmp_path / "etc/containers/containers.conf").unlink()
    _, outcome = look(tmp_path, files=files)
    assert check_of(outcome, "podman-limits").status == "ok"


def test_an_old_podman(tmp_path):
    _, outcome = look(tmp_path, programs={"podman --version": "podman version 3.4.4"}, uid=1000)
    check = check_of(outcome, "podman-limits")
    assert check.status == "warning"
    assert "4.1" in check.fix[0].text


def test_a_podman_that_hangs_or_babbles(tmp_path):
    for answer in (hangs("podman"), (125, "", "Error: cannot connect"), "no JSON", "[]"):
        _, outcome = look(tmp_path, WANTED, {"podman info": answer})
        assert check_of(outcome, "podman").status == "error"
        assert check_of(outcome, "podman-storage").status == "unknown"
    _, outcome = look(tmp_path, WANTED, {"podman --version": (139, "", "")})
    assert check_of(outcome, "podman").status == "error"
