"""The machine itself, on machines that are folders."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwright.doctor.model import Needs
from layerwright.doctor.system import KINDS, examine, kernel_version, memory_bytes, os_release
from support.machine import check_of, complete, make_machine

FILES = {
    "/etc/os-release": 'PRETTY_NAME="Ubuntu 22.04.4 LTS"\nID=ubuntu\n',
    "/proc/sys/kernel/osrelease": "5.15.0-105-generic\n",
    "/proc/meminfo": "MemTotal:       16000000 kB\nMemFree: 1 kB\nMemAvailable:   12000000 kB\n",
    "/dev/shm/.keep": "",
}


def test_a_usual_machine(tmp_path):
    outcome = examine(make_machine(tmp_path, files=FILES), Needs())
    assert complete(KINDS)(outcome)
    assert {check.status for check in outcome.checks} == {"ok"}
    assert outcome.facts.os == "Ubuntu 22.04.4 LTS"
    assert outcome.facts.kernel == "5.15.0-105-generic"
    assert outcome.facts.architecture == "amd64"


def test_nothing_is_there(tmp_path):
    outcome = examine(make_machine(tmp_path), Needs())
    assert complete(KINDS)(outcome)
    for identity in ("kernel", "memory", "shm"):
        assert check_of(outcome, identity).status == "unknown"


def test_an_architecture_without_images(tmp_path):
    check = check_of(examine(make_machine(tmp_path, files=FILES, architecture="riscv64"), Needs()), "system")
    assert check.status == "warning"
    assert "riscv64" in check.detail


@pytest.mark.parametrize(("uid", "status"), [(0, "ok"), (1000, "warning")])
def test_overlays_of_ordinary_users_need_5_11(tmp_path, uid, status):
    files = {**FILES, "/proc/sys/kernel/osrelease": "5.4.0-42-generic"}
    check = check_of(examine(make_machine(tmp_path, files=files, uid=uid), Needs()), "kernel")
    assert check.status == status


def test_a_limit_of_the_control_group(tmp_path):
    files = {**FILES, "/sys/fs/cgroup/memory.max": f"{1 << 30}\n"}
    check = check_of(examine(make_machine(tmp_path, files=files), Needs()), "memory")
    assert check.status == "warning"
    assert "1.0 GiB" in check.detail
    files["/sys/fs/cgroup/memory.max"] = "max\n"
    assert check_of(examine(make_machine(tmp_path, files=files), Needs()), "memory").status == "ok"


def test_the_spec_asks_for_more_shared_memory_than_there_is(tmp_path):
    machine = make_machine(tmp_path, files=FILES)
    huge = check_of(examine(machine, Needs(shared_memory=1 << 60)), "shm")
    assert huge.status == "warning"
    assert any("remount,size=1073741824G" in cure.command for cure in huge.fix)


def test_more_shared_memory_than_memory(tmp_path):
    files = {**FILES, "/proc/meminfo": "MemTotal: 1048576 kB\nMemAvailable: 1048576 kB\n"}
    check = check_of(examine(make_machine(tmp_path, files=files), Needs(shared_memory=3 << 30)), "shm")
    assert check.status == "warning"
    assert "this machine has 1.0 GiB of memory" in check.detail


def test_a_clock_that_is_behind(tmp_path):
    check = check_of(examine(make_machine(tmp_path, files=FILES, now=lambda: 86400.0), Needs()), "clock")
    assert check.status == "error"
    assert "1970-01-02" in check.detail
    assert check.fix[0].command


@given(st.text(max_size=300))
def test_any_text_is_taken(text):
    assert os_release(text) is not None
    kernel_version(text)
    assert memory_bytes(text, "MemTotal") >= 0
