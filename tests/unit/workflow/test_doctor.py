"""What a spec asks of a machine, and the record that doctor writes."""

import json
from pathlib import Path

import pytest

from layerwright.core.errors import SpecError, UsageError
from layerwright.core.events import SilentReporter
from layerwright.doctor import examine, network
from layerwright.doctor.data import mirrors
from layerwright.doctor.examine import Diagnosis
from layerwright.doctor.model import Check
from layerwright.doctor.network import Reached
from layerwright.facts.host_record import read_host_facts
from layerwright.facts.model import HostFacts
from layerwright.host.environment import HostEnvironment
from layerwright.workflow import doctor
from layerwright.workflow.doctor import diagnose, write_record
from layerwright.workflow.session import Session

SPEC = """\
[project]
name = "demo"
[images.base]
from = "debian:bookworm"
role = "base"
[images.infer]
from = "image:base"
role = "inference"
accelerator = "nvidia"
python = "3.11"
packages = ["numpy", { git = "https://example.org/x.git", rev = "0123456789abcdef0123456789abcdef01234567" }]
[images.infer.run]
shm_size = "8g"
[images.tool]
from = "image:base"
[indexes.internal]
url = "https://pypi.example.org/simple"
"""


@pytest.fixture
def seen(monkeypatch):
    """Nothing is looked at; what it would have been judged by is kept."""
    found = []

    def nothing(machine, needs):
        found.append(needs)
        return Diagnosis(sections={}, facts=HostFacts(), seconds=0.0)

    monkeypatch.setattr(examine, "examine_machine", nothing)
    return found


def session(folder: Path, *, spec_file=None, offline=True):
    host = HostEnvironment(
        variables={},
        uid=0,
        gid=0,
        groups=(),
        home=folder,
        cpu_count=1,
        path="/usr/bin",
        python=Path("/usr/bin/python3"),
    )
    return Session(
        host=host,
        reporter=SilentReporter(),
        start=folder,
        spec_file=spec_file,
        store_root=folder / "s",
        offline=offline,
    )


def test_what_a_spec_asks_for(tmp_path, seen):
    (tmp_path / "layerwright.toml").write_text(SPEC, encoding="utf-8")
    diagnose(session(tmp_path))
    (needs,) = seen
    assert needs.purposes == {
        "build": "layerwright.toml",
        "run": "layerwright.toml (infer, tool)",
        "docker": "layerwright.toml (infer)",
        "nvidia": "layerwright.toml (infer)",
    }
    assert needs.debian
    assert needs.git
    assert needs.shared_memory == 8 << 30
    assert needs.addresses == {
        "internal": "https://pypi.example.org/simple",
        "pypi": "https://pypi.org/simple",
    }


def test_no_spec_asks_for_nothing(tmp_path, seen):
    visit = diagnose(session(tmp_path))
    assert not visit.needs.purposes
    assert not visit.note


def test_purposes_take_the_place_of_the_spec(tmp_path, seen):
    (tmp_path / "layerwright.toml").write_text(SPEC, encoding="utf-8")
    visit = diagnose(session(tmp_path), ["mthreads"])
    # A GPU reaches a program through Docker only.
    assert visit.needs.purposes == {"mthreads": "--for mthreads", "docker": "--for mthreads"}


def test_a_spec_with_faults_does_not_stop_the_doctor(tmp_path, seen):
    file = tmp_path / "layerwright.toml"
    file.write_text("[images.x]\nbsae = 1\n", encoding="utf-8")
    visit = diagnose(session(tmp_path))
    assert "has faults" in visit.note
    assert not visit.needs.purposes
    with pytest.raises(SpecError):
        diagnose(session(tmp_path, spec_file=file))
    with pytest.raises(UsageError):
        diagnose(session(tmp_path, spec_file=tmp_path / "none.toml"))


def test_mirrors_only_when_asked_and_allowed(tmp_path, seen, monkeypatch):
    first, second, third = mirrors()
    rows = (
        (first, Reached(seconds=0.1, size=80_000), Reached(error="no")),
        (second, Reached(error="no"), Reached(error="no")),
        (third, Reached(seconds=0.3, size=80_000), Reached(seconds=0.3, size=80_000)),
    )
    monkeypatch.setattr(network, "measure_mirrors", lambda _: rows)
    assert not diagnose(session(tmp_path, offline=False)).diagnosis.checks
    assert not diagnose(session(tmp_path), mirrors=True).diagnosis.checks
    checks = diagnose(session(tmp_path, offline=False), mirrors=True).diagnosis.checks
    assert [check.status for check in checks] == ["ok", "unknown", "ok"]
    assert [len(check.fix) for check in checks] == [1, 0, 1]
    assert checks[0].fix[0].command == f"export LAYERWRIGHT_INDEX_PYPI={first.pypi}"
    assert checks[2].fix[0].command == f"export LAYERWRIGHT_MIRRORS={third.id}"


def test_the_record_is_named_after_its_file(tmp_path):
    check = Check(id="x", status="ok", detail="x")
    diagnosis = Diagnosis(sections={"a": (check,)}, facts=HostFacts(driver_version="525.147.05"), seconds=0.1)
    file = tmp_path / "gpu-box.json"
    write_record(diagnosis, file)
    assert read_host_facts(file) == HostFacts(name="gpu-box", driver_version="525.147.05")
    assert json.loads(file.read_bytes())["schema"] == 1
    with pytest.raises(UsageError, match="cannot write the host record"):
        write_record(diagnosis, tmp_path / "none/x.json")


def test_the_module_starts_fast():
    """What only ``doctor`` needs is imported when it runs."""
    assert not hasattr(doctor, "examine_machine")
