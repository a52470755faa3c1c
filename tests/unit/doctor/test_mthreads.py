"""Moore Threads: a tool that fails in many ways, and what stands around it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwright.doctor import data
from layerwright.doctor.gmi import parse_gmi
from layerwright.doctor.model import Needs
from layerwright.doctor.mthreads import KINDS, examine, product_of
from layerwright.doctor.pci import MTHREADS
from support.machine import DOCKER, check_of, complete, gpu_on_bus, hangs, make_machine, statuses

WANTED = Needs(purposes={"mthreads": "--for mthreads"})
S80 = """\
Mon Nov 11 16:07:07 2024
---------------------------------------------------------------
    mthreads-gmi:1.14.0          Driver Version:2.7.0
---------------------------------------------------------------
ID   Name           |PCIe                |%GPU  Mem
     Device Type    |Pcie Lane Width     |Temp  MPC Capable
                                         |      ECC Mode
+-------------------------------------------------------------+
0    MTT S80        |00000000:04:00.0    |0%    2MiB(16384MiB)
     Physical       |4x(16x)             |49C   YES
                                         |      N/A
---------------------------------------------------------------
Processes:
ID   PID       Process name                         GPU Memory
0    1123      /usr/lib/xorg/Xorg                   660MiB
"""
S5000 = """\
    mthreads-gmi:2.4.1           Driver Version:5.1.0-server
ID   Name                 |PCIe                |%GPU  Mem
0    MTT S5000            |00000000:18:00.0    |0%    0MiB(81920MiB)
1    MTT S5000            |00000000:3a:00.0    |0%    0MiB(81920MiB)
"""
QUERY = "GPU0 00000000:4b:00.0\n    Product Name : MTT S4000\nGPU1 00000000:5c:00.0\n    Product Name : MTT S4000\n"
GPU = gpu_on_bus(MTHREADS)
WELL = {
    **GPU,
    "/proc/modules": "mtgpu 4530176 0 - Live 0x0\n",
    "/dev/mtgpu.0": "",
    "/proc/sys/kernel/osrelease": "5.15.0-105-generic\n",
    "/sys/class/iommu/dmar0/x": "",
    "/var/lib/dpkg/status": "".join(
        f"Package: {name}\nStatus: install ok installed\nVersion: 1.9.0-1\n\n"
        for name in ("musa", "mtml", "sgpu-dkms", "mt-container-toolkit")
    ),
}
RUNTIME = replace(DOCKER, runtimes=("mthreads", "mthreads-experimental", "runc"), default_runtime="mthreads")


def look(tmp_path, needs=WANTED, **options):
    outcome = examine(make_machine(tmp_path, **options), needs)
    assert complete(KINDS)(outcome)
    return outcome


@pytest.mark.parametrize(("needs", "status"), [(WANTED, "unknown"), (Needs(), "not_needed")])
def test_a_bus_that_cannot_be_seen_says_nothing(tmp_path, needs, status):
    assert statuses(look(tmp_path, needs))["mthreads-device"] == status


@pytest.mark.parametrize(("needs", "status"), [(WANTED, "error"), (Needs(), "not_needed")])
def test_no_gpu(tmp_path, needs, status):
    found = statuses(look(tmp_path, needs, files={"/sys/bus/usb/x": ""}))
    assert found.pop("mthreads-device") == status
    assert set(found.values()) == {"not_needed"}


def test_a_machine_that_is_well(tmp_path):
    outcome = look(tmp_path, files=WELL, programs={"mthreads-gmi": S80}, docker=RUNTIME)
    found = statuses(outcome)
    assert found.pop("mthreads-sdk") == "not_needed"
    assert set(found.values()) == {"ok"}
    assert outcome.facts.mthreads_driver_version == "2.7.0"
    (gpu,) = outcome.facts.gpus
    assert (gpu.name, gpu.vendor, gpu.memory_bytes) == ("MTT S80", "mthreads", 16384 << 20)
    assert "architecture qy1, MUSA 21, 16 GiB" in check_of(outcome, "mthreads-gpus").detail
    assert "torch_musa 1.3.0 with driver 2.7.0-rc4-0822" in check_of(outcome, "mthreads-driver").detail


EMPTY = "EMPTY"


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (None, "error", "was not found"),
        (EMPTY, "error", "zero bytes"),
        ("", "error", "prints nothing"),
        ("  \n\n", "error", "prints nothing"),
        ((139, "", ""), "error", "SIGSEGV"),
        ((134, "", "terminate called"), "error", "SIGABRT"),
        ((1, "", "failed to initialise"), "error", "status 1: failed to initialise"),
        ((1, "", ""), "error", "and says nothing"),
        ((127, "", "libsrv_um_MUSA.so: cannot open shared object file"), "error", "container runtime"),
        ((127, "", "libsrv_um_MUSA.so: file too short"), "error", "container runtime"),
        (hangs("mthreads-gmi"), "error", "does not answer within"),
        ("\x00\x01\x02 garbage \x1b[2J", "unknown", "cannot be read"),
        (S80, "ok", "mthreads-gmi 1.14.0"),
    ],
)
def test_the_tool(tmp_path, answer, status, words):
    programs = {} if answer is None else {"mthreads-gmi": "" if answer == EMPTY else answer}
    make_machine(tmp_path, files=WELL, programs=programs)
    if answer == EMPTY:
        (tmp_path / "usr/bin/mthreads-gmi").write_bytes(b"")
        outcome = examine(machine_again(tmp_path), WANTED)
    else:
        outcome = look(tmp_path, files=WELL, programs=programs)
    check = check_of(outcome, "mthreads-tool")
    assert (check.status, words in check.detail) == (status, True), check
    assert check.fix or status == "ok"
    assert check.detail.isprintable()
    if status == "error":
        quiet = check_of(examine(machine_again(tmp_path, programs), Needs()), "mthreads-tool")
        assert quiet.status == "warning"


def machine_again(tmp_path, programs=None):
    """The same folder with its programs as they lie there."""
    machine = make_machine(tmp_path)
    machine.runner.answers = programs or {}
    return machine


def test_a_tool_that_may_not_be_executed(tmp_path):
    machine = make_machine(tmp_path, files={**GPU, "/usr/bin/mthreads-gmi": "x"})
    check = check_of(examine(machine, WANTED), "mthreads-tool")
    assert "may not be executed" in check.detail


def test_in_a_container_the_runtime_is_to_blame(tmp_path):
    files = {**GPU, "/.dockerenv": "", "/usr/bin/mthreads-gmi": b""}
    check = check_of(look(tmp_path, files=files), "mthreads-tool")
    assert "--runtime=mthreads" in check.fix[0].command


def test_no_driver_behind_the_tool(tmp_path):
    text = S80.replace("Driver Version:2.7.0", "Driver Version:N/A")
    check = check_of(look(tmp_path, files=GPU, programs={"mthreads-gmi": text}), "mthreads-driver")
    assert check.status == "error"
    assert "N/A" in check.detail
    assert "modprobe mtgpu" in check.fix[0].command


def test_a_driver_nobody_knows_the_version_of(tmp_path):
    check = check_of(look(tmp_path, files=WELL, programs={"mthreads-gmi": ""}), "mthreads-driver")
    assert check.status == "unknown"


def test_two_gpus_by_the_table(tmp_path):
    outcome = look(tmp_path, files=WELL, programs={"mthreads-gmi": S5000}, docker=RUNTIME)
    assert "2 x MTT S5000 (architecture ph1" in check_of(outcome, "mthreads-gpus").detail
    assert outcome.facts.mthreads_driver_version == "5.1.0-server"


def test_two_gpus_by_the_full_query(tmp_path):
    programs = {
        "mthreads-gmi": "mthreads-gmi:1.13.0   Driver Version:3.3.5-server\n",
        "mthreads-gmi -q": QUERY,
    }
    outcome = look(tmp_path, files=WELL, programs=programs)
    assert "2 x MTT S4000 (architecture qy2, MUSA 22)" in check_of(outcome, "mthreads-gpus").detail


def test_a_product_that_is_not_recorded_is_unknown(tmp_path):
    programs = {"mthreads-gmi": S80.replace("MTT S80  ", "MTT S9999")}
    check = check_of(look(tmp_path, files=WELL, programs=programs), "mthreads-gpus")
    assert check.status == "unknown"
    assert "MTT S9999 is not recorded" in check.detail


@pytest.mark.parametrize(
    ("release", "status"),
    [("5.4.0-42", "ok"), ("5.15.0", "ok"), ("5.3.0", "warning"), ("6.8.0-31", "warning"), ("", "unknown")],
)
def test_kernels(tmp_path, release, status):
    check = check_of(look(tmp_path, files={**GPU, "/proc/sys/kernel/osrelease": release}), "mthreads-kernel")
    assert check.status == status


def test_no_iommu(tmp_path):
    check = check_of(look(tmp_path, files={**GPU, "/sys/class/net/x": ""}), "mthreads-iommu")
    assert check.status == "warning"
    assert "intel_iommu=on" in check.fix[0].text


def test_nodes(tmp_path):
    check = check_of(look(tmp_path, files=GPU), "mthreads-nodes")
    assert check.status == "error"
    look(tmp_path, files={"/dev/mtgpu.0": ""})
    (tmp_path / "dev/mtgpu.0").chmod(0o600)
    check = check_of(look(tmp_path, files=GPU, uid=54321), "mthreads-nodes")
    assert "you may not open /dev/mtgpu.0" in check.detail


def test_a_runtime_that_is_not_bound(tmp_path):
    check = check_of(look(tmp_path, files=GPU, docker=DOCKER), "mthreads-runtime")
    assert check.status == "error"
    assert "dpkg -i mt-container-toolkit" in check.fix[0].command
    files = {**GPU, "/usr/bin/musa/docker": ""}
    check = check_of(look(tmp_path, files=files, docker=DOCKER), "mthreads-runtime")
    assert "the container toolkit is installed, but" in check.detail
    assert "./docker setup $PWD" in check.fix[0].command


def test_packages_that_are_missing(tmp_path):
    status = (
        "Package: mtml\nStatus: install ok installed\nVersion: 1.9.2\n\n"
        "Package: musa\nStatus: deinstall ok config-files\nVersion: 1\n"
    )
    check = check_of(look(tmp_path, files={**GPU, "/var/lib/dpkg/status": status}), "mthreads-packages")
    assert check.status == "warning"
    assert "mtml 1.9.2" in check.detail
    assert "dpkg -i musa_*.deb sgpu-dkms_*.deb" in check.fix[0].command
    (tmp_path / "var/lib/dpkg/status").unlink()
    assert check_of(look(tmp_path, files=GPU), "mthreads-packages").status == "unknown"


def test_an_sdk_with_its_version(tmp_path):
    look(tmp_path, files={**GPU, "/usr/local/musa-3.1.0/lib/x": ""})
    (tmp_path / "usr/local/musa").symlink_to("musa-3.1.0")
    check = check_of(look(tmp_path, files=GPU), "mthreads-sdk")
    assert check.detail == "/usr/local/musa (musa-3.1.0)"
    (tmp_path / "usr/local/musa/version.json").write_text('{"musa_toolkits": {"version": "3.1.0"}}')
    check = check_of(look(tmp_path, files=GPU), "mthreads-sdk")
    assert check.detail == "/usr/local/musa (musa-3.1.0, toolkit 3.1.0)"


def test_b07_a_runtime_that_is_not_the_default(tmp_path):
    known = replace(RUNTIME, default_runtime="runc")
    check = check_of(
        look(tmp_path, files=WELL, programs={"mthreads-gmi": S80}, docker=known), "mthreads-runtime"
    )
    assert check.status == "ok"
    assert "takes runc by default" in check.detail
    assert "--runtime=mthreads" in check.detail


def test_products_by_any_spelling():
    known = data.mthreads()
    assert product_of(known, "MTT S80").musa_arch == "21"
    assert product_of(known, "MTTS80ES").arch == "qy1"
    assert product_of(known, "mtt-s4000").arch == "qy2"
    assert product_of(known, "S80") is None


@given(st.text(max_size=400))
def test_any_text_is_taken(text):
    found = parse_gmi(text)
    assert len(found.devices) <= 64
    assert found.driver_version.isprintable()


@given(st.lists(st.sampled_from(S80.splitlines() + S5000.splitlines() + QUERY.splitlines()), max_size=30))
def test_lines_in_any_order_are_taken(lines):
    for device in parse_gmi("\n".join(lines)).devices:
        assert device.name.startswith("MTT")


def test_a_flood_is_read_in_no_time():
    parse_gmi("0    " + "|" * 200_000)
    parse_gmi("Driver Version" + " " * 200_000)
    parse_gmi(S80 * 10_000)
