"""The place of the store."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwright.doctor import storage
from layerwright.doctor.model import Needs
from layerwright.doctor.storage import KINDS, Mounted, examine, mounted_at, parse_mounts
from support.machine import check_of, complete, make_machine

BUILD = Needs(purposes={"build": "--for build"})


def mountinfo(point, kind, options="rw,relatime"):
    return f"22 1 254:0 / / rw - ext4 /dev/vda rw\n36 22 0:31 / {point} {options} shared:1 - {kind} none rw\n"


def test_a_store_that_is_not_there_yet(tmp_path):
    outcome = examine(make_machine(tmp_path), BUILD)
    assert complete(KINDS)(outcome)
    assert check_of(outcome, "store").status == "ok"
    assert "not there yet" in check_of(outcome, "store").detail


@pytest.mark.parametrize(
    ("kind", "options", "status", "words"),
    [
        ("ext4", "rw", "ok", "ext4"),
        ("xfs", "rw,relatime", "ok", "xfs"),
        ("nfs4", "rw", "warning", "not reliable"),
        ("fuse.sshfs", "rw", "warning", "not reliable"),
        ("tmpfs", "rw", "warning", "in memory"),
        ("overlay", "rw", "warning", "container"),
        ("ext4", "rw,noexec", "warning", "noexec"),
    ],
)
def test_file_systems(tmp_path, kind, options, status, words):
    files = {"/proc/self/mountinfo": mountinfo(tmp_path, kind, options)}
    check = check_of(examine(make_machine(tmp_path, files=files), BUILD), "store-file-system")
    assert check.status == status
    assert words in check.detail
    assert bool(check.fix) == (status != "ok")


def test_no_mounts_are_told(tmp_path):
    assert check_of(examine(make_machine(tmp_path), BUILD), "store-file-system").status == "unknown"


@pytest.mark.parametrize(
    ("free", "inodes", "needs", "status"),
    [
        (500 * 10**6, 10**6, BUILD, "error"),
        (500 * 10**6, 10**6, Needs(), "warning"),
        (5 * 10**9, 10**6, BUILD, "warning"),
        (50 * 10**9, 1000, BUILD, "warning"),
        (50 * 10**9, 10**6, BUILD, "ok"),
    ],
)
def test_room(tmp_path, monkeypatch, free, inodes, needs, status):
    result = os.statvfs_result((4096, 1, free, free, free, 10**7, inodes, inodes, 0, 255))
    monkeypatch.setattr(storage.os, "statvfs", lambda _path: result)
    assert check_of(examine(make_machine(tmp_path), needs), "store-space").status == status


def test_the_file_system_of_a_path():
    mounts = (
        Mounted(point="/", kind="ext4"),
        Mounted(point="/data", kind="xfs"),
        Mounted(point="/data", kind="nfs"),
    )
    assert mounted_at(mounts, storage.Path("/data/x")).kind == "nfs"
    assert mounted_at(mounts, storage.Path("/database")).kind == "ext4"
    assert mounted_at((), storage.Path("/x")) is None


def test_blanks_in_mount_points():
    (_, found) = parse_mounts(mountinfo("/mnt/a\\040b", "ext4"))
    assert found.point == "/mnt/a b"


@given(st.text(max_size=300))
def test_any_text_is_taken(text):
    for mount in parse_mounts(text):
        assert mount.kind
