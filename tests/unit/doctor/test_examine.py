"""All checks together: bounded in time, never a crash, facts put together."""

import time

from layerwright.cli.commands.doctor import _PURPOSES
from layerwright.doctor import data
from layerwright.doctor.bounded import Once, run_bounded
from layerwright.doctor.examine import FAMILIES, examine_machine
from layerwright.doctor.foreign import one_line
from layerwright.doctor.machine import Attempt, read_bytes
from layerwright.doctor.model import PURPOSES, STATUSES, Check, Family, Kind, Needs, Outcome
from layerwright.doctor.sandbox import judge
from layerwright.facts.model import Gpu, HostFacts
from support.machine import make_machine

ONE = Kind(code="one", title="one", why="w", evidence="e", repair="r")


def family(name, examine):
    return Family(name=name, title=name, kinds=(ONE,), examine=examine)


def test_what_hangs_and_what_breaks_becomes_unknown(tmp_path):
    def hang(machine, needs):
        time.sleep(30)

    def fail(machine, needs):
        raise ZeroDivisionError("by nothing")

    def good(machine, needs):
        return Outcome(checks=(Check(id="one", status="ok", detail="fine"),))

    begun = time.monotonic()
    found = examine_machine(
        make_machine(tmp_path),
        Needs(),
        families=(family("a", hang), family("b", fail), family("c", good)),
        seconds=0.2,
    )
    assert time.monotonic() - begun < 5
    assert [check.status for check in found.checks] == ["unknown", "unknown", "ok"]
    assert "hangs" in found.checks[0].detail
    assert "ZeroDivisionError: by nothing" in found.checks[1].detail
    assert not found.failed
    assert found.summary == {"ok": 1, "warning": 0, "error": 0, "unknown": 2, "not_needed": 0}


def test_facts_of_all_families_are_put_together(tmp_path):
    parts = [
        HostFacts(os="Debian", engines={"docker": "20.10"}),
        HostFacts(driver_version="525.147.05", gpus=(Gpu(name="A10"),)),
        HostFacts(
            engines={"podman": "4.3"}, gpus=(Gpu(name="MTT S80", vendor="mthreads"),), data_center=False
        ),
    ]

    def telling(part):
        return lambda *_: Outcome(checks=(), facts=part)

    families = tuple(family(str(number), telling(part)) for number, part in enumerate(parts))
    facts = examine_machine(make_machine(tmp_path), Needs(), families=families).facts
    assert facts == HostFacts(
        os="Debian",
        engines={"docker": "20.10", "podman": "4.3"},
        driver_version="525.147.05",
        gpus=(Gpu(name="A10"), Gpu(name="MTT S80", vendor="mthreads")),
        data_center=False,
    )


def test_an_empty_machine_breaks_nothing(tmp_path):
    """Every family on a folder without a single file, for every purpose."""
    needs = Needs(purposes=dict.fromkeys(PURPOSES, "x"), debian=True, git=True, shared_memory=1 << 30)
    found = examine_machine(make_machine(tmp_path, offline=True), needs)
    assert len(found.checks) == sum(len(family.kinds) for family in FAMILIES)
    assert not any("fault of its own" in check.detail for check in found.checks), found.checks
    assert found.failed
    for check in found.checks:
        assert check.status in STATUSES
        assert check.fix or check.status != "error", check


def test_every_check_is_described_once():
    kinds = [kind for family in FAMILIES for kind in family.kinds]
    assert len({kind.code for kind in kinds}) == len(kinds)
    for kind in kinds:
        assert kind.why
        assert kind.evidence
        assert kind.repair
        assert not kind.title.endswith(".")


def test_the_command_knows_every_purpose():
    assert _PURPOSES == PURPOSES


def test_data_files_are_sound():
    assert {mirror.region for mirror in data.mirrors()}
    for mirror in data.mirrors():
        addresses = (mirror.pypi, mirror.debian, mirror.debian_security, mirror.conda, mirror.source)
        assert all(address.startswith("https://") for address in addresses)
        assert not any(address.endswith("/") for address in addresses[:4])
    assert {product.arch for product in data.mthreads().product} <= {"", "qy1", "qy2", "ph1"}
    assert data.quirks("docker", (20, 10, 24))
    assert data.quirks("podman", (4, 3, 1))
    assert "T4" in data.nvidia().data_center


def test_capabilities_in_words():
    good = {
        "runners": ["namespaces", "runc"],
        "overlay": True,
        "overlay_options": ["userxattr"],
        "network_namespace": True,
    }
    assert [check.status for check in judge(good, Needs())] == ["ok", "ok", "ok"]
    container = {
        "runners": ["chroot"],
        "overlay": False,
        "network_namespace": False,
        "reasons": ["no mounts"],
    }
    assert [check.status for check in judge(container, Needs())] == ["warning", "warning", "warning"]
    nothing = {"runners": [], "reasons": ["user namespaces are closed"]}
    checks = judge(nothing, Needs(purposes={"run": "x"}))
    assert checks[0].status == "error"
    assert "user namespaces are closed" in checks[0].detail
    assert judge({"reasons": [3], "runners": [7]}, Needs())[0].status == "warning"


def test_several_things_at_once():
    def wait():
        time.sleep(30)

    found = run_bounded({"a": lambda: 1, "b": wait, "c": lambda: 1 // 0}, seconds=0.2)
    assert found["a"] == 1
    assert found["b"] is None
    assert isinstance(found["c"], ZeroDivisionError)


def test_once_is_once():
    calls = []
    ask = Once(lambda: calls.append(1) or len(calls))
    assert run_bounded({"a": ask, "b": ask, "c": ask}, seconds=5) == {"a": 1, "b": 1, "c": 1}


def test_files_are_read_with_care(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe")
    assert read_bytes(tmp_path / "pipe") == b""
    assert read_bytes(tmp_path) == b""
    assert read_bytes(tmp_path / "none") == b""
    (tmp_path / "file").write_bytes(b"x" * 100)
    assert read_bytes(tmp_path / "file", limit=10) == b"x" * 10


def test_foreign_text_becomes_one_line():
    assert one_line("a\n\tb\x1b[2J") == "a b?[2J"
    assert len(one_line("x" * 1000)) == 301


def test_signals_by_name():
    assert Attempt(status=139).signal == "SIGSEGV"
    assert Attempt(status=143, timed_out=True).signal == ""
    assert Attempt(status=255).signal == ""
    assert Attempt(status=1).signal == ""
