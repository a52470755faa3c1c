"""How a GPU reaches a container: toolkit, runtime, device specifications."""

from dataclasses import replace

import pytest

from layerwright.doctor.model import Needs
from layerwright.doctor.nvidia_container import KINDS, examine
from support.machine import DOCKER, NO_DOCKER, check_of, complete, hangs, make_machine, statuses

WANTED = Needs(purposes={"nvidia": "--for nvidia"})
PROC = {"/proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54.03  Tue\n"}
TOOLKIT = {
    "nvidia-ctk": "NVIDIA Container Toolkit CLI version 1.14.3\ncommit: 53b24618a542025b108239fe602e66e912b7d6e2\n",
    "nvidia-container-runtime-hook": "",
    "nvidia-container-cli": "",
}
SPEC = """\
cdiVersion: 0.5.0
kind: nvidia.com/gpu
devices:
- name: "0"
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
- name: all
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
containerEdits:
  deviceNodes:
  - path: /dev/nvidiactl
  mounts:
  - containerPath: /usr/lib/x86_64-linux-gnu/libcuda.so.535.54.03
    hostPath: /usr/lib/x86_64-linux-gnu/libcuda.so.535.54.03
    options: [ro, nosuid, nodev, bind]
  hooks:
  - hookName: createContainer
    path: /usr/bin/nvidia-ctk
"""
THERE = {
    "/etc/cdi/nvidia.yaml": SPEC, "/dev/nvidia0": "", "/dev/nvidiactl": "", "/usr/bin/nvidia-ctk": "",
    "/usr/lib/x86_64-linux-gnu/libcuda.so.535.54.03": "",
}  # fmt: skip


def look(tmp_path, needs=WANTED, **options):
    outcome = examine(make_machine(tmp_path, **options), needs)
    assert complete(KINDS)(outcome)
    return outcome


def test_nothing_is_there(tmp_path):
    assert set(statuses(look(tmp_path, Needs())).values()) == {"not_needed"}
    found = statuses(look(tmp_path))
    assert found["nvidia-toolkit"] == found["nvidia-runtime"] == "error"
    assert found["nvidia-cdi"] == "not_needed"


def test_a_driver_and_no_toolkit(tmp_path):
    found = statuses(look(tmp_path, Needs(), files=PROC, docker=DOCKER))
    assert found["nvidia-toolkit"] == found["nvidia-runtime"] == "warning"


def test_all_is_well(tmp_path):
    docker = replace(DOCKER, runtimes=("nvidia", "runc"))
    outcome = look(tmp_path, files={**PROC, **THERE}, programs=TOOLKIT, docker=docker)
    assert set(statuses(outcome).values()) == {"ok"}
    assert "nvidia-ctk 1.14.3" in check_of(outcome, "nvidia-toolkit").detail
    assert check_of(outcome, "nvidia-cdi").detail == "/etc/cdi/nvidia.yaml: 0, all"


def test_a_hook_without_its_other_half(tmp_path):
    programs = {name: text for name, text in TOOLKIT.items() if name != "nvidia-container-cli"}
    check = check_of(look(tmp_path, programs=programs, docker=DOCKER), "nvidia-toolkit")
    assert check.status == "error"
    assert "libnvidia-container-tools" in check.fix[0].command


@pytest.mark.parametrize("answer", [hangs("nvidia-ctk"), (127, "", "cannot open shared object file")])
def test_a_toolkit_that_does_not_run(tmp_path, answer):
    check = check_of(look(tmp_path, programs={**TOOLKIT, "nvidia-ctk": answer}), "nvidia-toolkit")
    assert check.status == "error"


def test_a_runtime_that_docker_has_not_read_yet(tmp_path):
    files = {"/etc/docker/daemon.json": '{"runtimes": {"nvidia": {"path": "nvidia-container-runtime"}}}'}
    check = check_of(look(tmp_path, files=files, docker=DOCKER), "nvidia-runtime")
    assert check.status == "error"
    assert check.fix[0].command == "systemctl restart docker"


@pytest.mark.parametrize("text", ["{", "[]", '{"runtimes": {}} trailing', "[" * 100_000])
def test_a_configuration_that_cannot_be_read(tmp_path, text):
    check = check_of(look(tmp_path, files={"/etc/docker/daemon.json": text}, docker=DOCKER), "nvidia-runtime")
    assert check.status == "error"
    assert "/etc/docker/daemon.json cannot be read" in check.detail


def test_a_rootless_engine_wants_no_control_groups(tmp_path):
    rootless = replace(DOCKER, rootless=True, runtimes=("nvidia",))
    check = check_of(look(tmp_path, programs=TOOLKIT, docker=rootless), "nvidia-runtime")
    assert check.status == "error"
    assert "no-cgroups" in check.detail
    files = {"/etc/nvidia-container-runtime/config.toml": "[nvidia-container-cli]\nno-cgroups = true\n"}
    check = check_of(look(tmp_path, programs=TOOLKIT, docker=rootless, files=files), "nvidia-runtime")
    assert check.status == "ok"
    commented = {"/etc/nvidia-container-runtime/config.toml": "#no-cgroups = true\n"}
    check = check_of(look(tmp_path, programs=TOOLKIT, docker=rootless, files=commented), "nvidia-runtime")
    assert check.status == "error"


def test_devices_by_cdi_alone(tmp_path):
    docker = replace(DOCKER, devices=("nvidia.com/gpu=0", "nvidia.com/gpu=all"))
    check = check_of(
        look(tmp_path, programs={"nvidia-ctk": TOOLKIT["nvidia-ctk"]}, docker=docker), "nvidia-runtime"
    )
    assert check.status == "ok"
    assert "CDI" in check.detail


def test_a_default_runtime_is_told(tmp_path):
    docker = replace(DOCKER, runtimes=("nvidia",), default_runtime="nvidia")
    check = check_of(look(tmp_path, programs=TOOLKIT, docker=docker), "nvidia-runtime")
    assert "every container" in check.detail


def test_no_engine(tmp_path):
    check = check_of(look(tmp_path, programs=TOOLKIT, docker=NO_DOCKER), "nvidia-runtime")
    assert check.status == "error"
    assert "docker-engine" in check.detail


def test_a_specification_of_the_driver_before(tmp_path):
    files = {
        **THERE,
        "/proc/driver/nvidia/version": PROC["/proc/driver/nvidia/version"].replace("535.54.03", "550.54.15"),
    }
    check = check_of(look(tmp_path, files=files), "nvidia-cdi")
    assert check.status == "error"
    assert "written for driver 535.54.03, and 550.54.15 is loaded" in check.detail
    assert "nvidia-ctk cdi generate" in check.fix[0].command


def test_a_specification_of_what_is_gone(tmp_path):
    files = {name: text for name, text in {**PROC, **THERE}.items() if name != "/dev/nvidia0"}
    check = check_of(look(tmp_path, files=files), "nvidia-cdi")
    assert check.status == "error"
    assert "/dev/nvidia0" in check.detail


def test_a_device_listed_twice(tmp_path):
    twice = {**PROC, **THERE, "/etc/cdi/other.yaml": SPEC}
    check = check_of(look(tmp_path, files=twice), "nvidia-cdi")
    assert check.status == "error"
    assert "both list nvidia.com/gpu=0" in check.detail


def test_the_same_device_in_both_folders_is_allowed(tmp_path):
    both = {**PROC, **THERE, "/var/run/cdi/nvidia.yaml": SPEC}
    assert check_of(look(tmp_path, files=both), "nvidia-cdi").status == "ok"


def test_specifications_of_others_and_broken_ones(tmp_path):
    files = {"/etc/cdi/vendor.json": '{"cdiVersion": "0.5.0", "kind": "vendor.example/nic", "devices": []}'}
    assert check_of(look(tmp_path, files=files), "nvidia-cdi").status == "not_needed"
    check = check_of(look(tmp_path, files={"/etc/cdi/nvidia.yaml": "a: [b"}), "nvidia-cdi")
    assert check.status == "warning"
    assert "cannot be read" in check.detail


def test_podman_has_no_other_way(tmp_path):
    needs = Needs(purposes={"nvidia": "--for nvidia", "podman": "--for podman"})
    assert check_of(look(tmp_path, needs), "nvidia-cdi").status == "error"
