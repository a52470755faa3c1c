"""NVIDIA's driver and GPUs in their many states."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwright.doctor.model import Needs
from layerwright.doctor.nvidia import KINDS, driver_version, examine
from layerwright.doctor.nvidia_gpus import data_center, greatest_cuda
from layerwright.doctor.nvml import NvmlDevice, parse_nvml
from layerwright.doctor.pci import NVIDIA
from support.machine import check_of, complete, gpu_on_bus, hangs, make_machine, statuses

WANTED = Needs(purposes={"nvidia": "--for nvidia"})
PROC = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  525.147.05  Wed Oct 25 20:27:35 UTC 2023\nGCC version: gcc 11\n"
OPEN = (
    "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  560.35.03  Release Build  (dvs-builder@U16)\n"
)
A10 = {
    "name": "NVIDIA A10", "compute_capability": "8.6", "memory_bytes": 24 << 30, "mig": None, "persistence": True,
    "brand": 14,
}  # fmt: skip
NODES = {"/dev/nvidiactl": "", "/dev/nvidia-uvm": "", "/dev/nvidia0": ""}
LOADED = {"/proc/driver/nvidia/version": PROC, **gpu_on_bus(NVIDIA), **NODES}


def nvml(**changes):
    return {"loaded": True, "driver": "525.147.05", "cuda": "12.0", "devices": [A10], "lost": [], **changes}


def look(tmp_path, needs=WANTED, answer=None, **options):
    """Look at a machine whose NVML says this; None stands for no library."""
    if answer is None:
        answer = {"loaded": False, "error": "libnvidia-ml.so.1: cannot open shared object file"}
    if isinstance(answer, dict):
        answer = json.dumps(answer)
    machine = make_machine(tmp_path, **options)
    machine.runner.answers = dict.fromkeys(
        ("python -I", "python3 -I", "python3.11 -I", "python3.12 -I", "python3.13 -I"), answer
    )
    outcome = examine(machine, needs)
    assert complete(KINDS)(outcome)
    return outcome


@pytest.mark.parametrize(("needs", "status"), [(WANTED, "unknown"), (Needs(), "not_needed")])
def test_a_bus_that_cannot_be_seen_says_nothing(tmp_path, needs, status):
    assert statuses(look(tmp_path, needs))["nvidia-device"] == status


@pytest.mark.parametrize(("needs", "status"), [(WANTED, "error"), (Needs(), "not_needed")])
def test_no_gpu(tmp_path, needs, status):
    found = statuses(look(tmp_path, needs, files={"/sys/bus/usb/x": ""}))
    assert found.pop("nvidia-device") == status
    assert set(found.values()) == {"not_needed"}


def test_a_machine_that_is_well(tmp_path):
    outcome = look(tmp_path, answer=nvml(), files=LOADED)
    assert set(statuses(outcome).values()) == {"ok"}
    assert outcome.facts.driver_version == "525.147.05"
    assert outcome.facts.driver_cuda == "12.0"
    assert outcome.facts.data_center is True
    (gpu,) = outcome.facts.gpus
    assert (gpu.name, gpu.compute_capability, gpu.memory_bytes) == ("NVIDIA A10", "8.6", 24 << 30)
    detail = check_of(outcome, "nvidia-cuda").detail
    assert "CUDA 11.x and 12.x run on it" in detail
    assert "cuda-compat" in detail


def test_a_gpu_and_no_driver(tmp_path):
    check = check_of(look(tmp_path, files=gpu_on_bus(NVIDIA)), "nvidia-driver")
    assert check.status == "error"
    assert check.fix
    assert check_of(look(tmp_path, Needs(), files=gpu_on_bus(NVIDIA)), "nvidia-driver").status == "warning"


def test_nouveau_holds_the_gpu(tmp_path):
    files = {
        **gpu_on_bus(NVIDIA),
        "/proc/modules": "nouveau 2334720 1 - Live 0x0\ndrm 1 1 nouveau, Live 0x0\n",
    }
    check = check_of(look(tmp_path, files=files), "nvidia-driver")
    assert check.status == "error"
    assert "nouveau" in check.detail
    assert any("blacklist nouveau" in cure.command for cure in check.fix)


def test_the_gpu_is_passed_through(tmp_path):
    machine_files = gpu_on_bus(NVIDIA)
    look(tmp_path, files=machine_files)
    (tmp_path / "sys/bus/pci/devices/0000:00:00.0/driver").symlink_to("../../../bus/pci/drivers/vfio-pci")
    check = check_of(look(tmp_path, files=machine_files), "nvidia-driver")
    assert "vfio-pci" in check.detail


@pytest.mark.parametrize(
    "answer",
    [
        {"loaded": True, "error": "Driver/library version mismatch", "code": 18},
        nvml(driver="535.54.03"),
    ],
)
def test_module_and_libraries_of_two_drivers(tmp_path, answer):
    check = check_of(look(tmp_path, answer=answer, files=LOADED), "nvidia-driver")
    assert check.status == "error"
    assert "525.147.05" in check.detail
    assert check.fix[0].command == "reboot"


def test_libraries_and_no_module(tmp_path):
    answer = {"loaded": True, "error": "Driver Not Loaded", "code": 9}
    files = {**gpu_on_bus(NVIDIA)}
    check = check_of(look(tmp_path, answer=answer, files=files), "nvidia-driver")
    assert "the kernel module is not loaded (Driver Not Loaded)" in check.detail
    assert not any("Secure Boot" in cure.text for cure in check.fix)
    secure = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
    check = check_of(look(tmp_path, answer=answer, files={**files, secure: b"\x06\0\0\0\1"}), "nvidia-driver")
    assert any("Secure Boot" in cure.text for cure in check.fix)


def test_a_module_and_no_libraries(tmp_path):
    check = check_of(look(tmp_path, files=LOADED), "nvidia-driver")
    assert "libnvidia-ml.so.1 cannot be opened" in check.detail
    assert "libnvidia-compute-525" in check.fix[0].command


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (hangs("python"), "did not answer"),
        ((139, "", ""), "SIGSEGV"),
        ((134, "", "terminate called"), "SIGABRT"),
        ((3, "", ""), "status 3"),
        ("\x00\x01 nonsense", "cannot be read"),
        ("[]", "cannot be read"),
    ],
)
def test_a_library_that_goes_wrong(tmp_path, answer, words):
    outcome = look(tmp_path, answer=answer, files=LOADED)
    check = check_of(outcome, "nvidia-driver")
    assert check.status == "error"
    assert words in check.detail
    # What the kernel module says still goes into the record, and the CUDA it stands for is on record.
    assert outcome.facts.driver_version == "525.147.05"
    assert outcome.facts.driver_cuda == "12.0"


def test_a_gpu_that_is_lost(tmp_path):
    check = check_of(look(tmp_path, answer=nvml(lost=["GPU 1: GPU is lost"]), files=LOADED), "nvidia-driver")
    assert "GPU 1: GPU is lost" in check.detail


def test_nodes_that_are_missing(tmp_path):
    files = {name: text for name, text in LOADED.items() if name != "/dev/nvidia-uvm"}
    check = check_of(look(tmp_path, answer=nvml(), files=files), "nvidia-nodes")
    assert check.status == "error"
    assert "/dev/nvidia-uvm" in check.detail
    assert check.fix[0].command == "nvidia-modprobe -u -c=0"


def test_nodes_that_are_closed(tmp_path):
    look(tmp_path, answer=nvml(), files=LOADED)
    for name in NODES:
        (tmp_path / name.lstrip("/")).chmod(0o600)
    check = check_of(look(tmp_path, answer=nvml(), uid=54321), "nvidia-nodes")
    assert check.status == "error"
    assert "you may not open /dev/nvidiactl" in check.detail


def test_several_gpus_with_instances(tmp_path):
    split = {**A10, "name": "NVIDIA A100-SXM4-80GB", "mig": True, "persistence": False}
    outcome = look(tmp_path, answer=nvml(devices=[split, split]), files=LOADED)
    assert "2 x NVIDIA A100-SXM4-80GB (" in check_of(outcome, "nvidia-gpus").detail
    assert "MIG" in check_of(outcome, "nvidia-gpus").detail
    assert check_of(outcome, "nvidia-persistence").status == "warning"


def test_a_library_of_another_driver_on_the_path(tmp_path):
    variables = {"LD_LIBRARY_PATH": "/opt/x:/usr/local/cuda-12.8/compat"}
    check = check_of(look(tmp_path, answer=nvml(), files=LOADED, variables=variables), "nvidia-cuda")
    assert check.status == "error"
    assert "/usr/local/cuda-12.8/compat" in check.detail


def test_a_driver_of_long_ago(tmp_path):
    files = {**LOADED, "/proc/driver/nvidia/version": PROC.replace("525.147.05", "390.157")}
    check = check_of(look(tmp_path, answer=nvml(driver="390.157", cuda="9.1"), files=files), "nvidia-cuda")
    assert check.status == "error"
    assert "too old for CUDA 11" in check.detail


def test_windows_subsystem(tmp_path):
    files = {"/dev/dxg": "", "/usr/lib/wsl/lib/libcuda.so.1": ""}
    outcome = look(tmp_path, answer=nvml(), files=files)
    assert statuses(outcome)["nvidia-device"] == statuses(outcome)["nvidia-nodes"] == "ok"


def test_versions_of_both_kinds_of_modules():
    assert driver_version(PROC) == "525.147.05"
    assert driver_version(OPEN) == "560.35.03"
    assert driver_version("") == driver_version("something 525.147.05") == ""


@pytest.mark.parametrize(
    ("driver", "cuda"),
    [("525.147.05", "12.0"), ("550.54.15", "12.4"), ("580.65.06", "13.0"), ("1.0", ""), ("", "")],
)
def test_the_greatest_cuda_on_record(driver, cuda):
    assert greatest_cuda(driver) == cuda


@pytest.mark.parametrize(
    ("devices", "verdict"),
    [
        ([("NVIDIA A100-SXM4-80GB", 14)], True),
        ([("Tesla T4", 2)], True),
        ([("NVIDIA H100 PCIe", 14)], True),
        ([("NVIDIA GeForce RTX 4090", 5)], False),
        ([("NVIDIA GeForce RTX 3060", 14)], False),
        ([("NVIDIA RTX A6000", 13)], None),
        ([("NVIDIA Something New", 14)], None),
        ([("NVIDIA A10", 14), ("NVIDIA GeForce RTX 4090", 5)], False),
        ([("NVIDIA A10", 14), ("NVIDIA Something New", 14)], None),
        ([], None),
    ],
)
def test_data_centre_gpus(devices, verdict):
    assert data_center([NvmlDevice(name=name, brand=brand) for name, brand in devices]) is verdict


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["driver", "cuda", "devices", "lost", "error", "code"]), _JSON))
def test_any_answer_of_the_library_is_taken(fields):
    found = parse_nvml(json.dumps({"loaded": True, **fields}))
    assert found.loaded
    assert replace(found, devices=()) is not None


@given(
    st.dictionaries(st.sampled_from(["name", "compute_capability", "memory_bytes", "mig", "brand"]), _JSON)
)
def test_any_device_is_taken(fields):
    (device,) = parse_nvml(json.dumps({"loaded": True, "devices": [fields]})).devices
    assert device.memory_bytes >= 0


@given(st.text(max_size=200))
def test_any_text_is_taken(text):
    parse_nvml(text)
    driver_version(text)
