"""The way out, with answers that were agreed on before."""

import pytest

from layerwright.core.errors import NetworkError
from layerwright.doctor import network
from layerwright.doctor.model import Needs
from layerwright.doctor.network import KINDS, Reached, examine, measure_mirrors, reach
from layerwright.host.http import Body, HttpClient, HttpStatusError
from support.machine import check_of, complete, make_machine, statuses

BUILD = Needs(purposes={"build": "--for build"}, debian=True)
FAST = Reached(seconds=0.2, size=80_000)


@pytest.fixture
def answers(monkeypatch):
    """Answers by address; what was asked is kept as well."""
    known = {}

    def ask(variables, addresses):
        known.setdefault("asked", []).extend(addresses.values())
        return {name: known.get(url, known.get("*", FAST)) for name, url in addresses.items()}

    monkeypatch.setattr(network, "reach_all", ask)
    return known


def look(tmp_path, needs=BUILD, **options):
    outcome = examine(make_machine(tmp_path, **options), needs)
    assert complete(KINDS)(outcome)
    return outcome


def test_all_is_well(tmp_path, answers):
    found = statuses(look(tmp_path))
    assert found["proxy"] == found["package-index"] == found["debian-mirror"] == "ok"
    assert answers["asked"] == [
        "https://pypi.org/simple/pip/",
        "http://deb.debian.org/debian/dists/stable/Release",
    ]


def test_offline_asks_nobody(tmp_path, answers):
    found = statuses(look(tmp_path, offline=True))
    assert found["package-index"] == found["debian-mirror"] == "not_needed"
    assert "asked" not in answers


@pytest.mark.parametrize(("needs", "status"), [(BUILD, "error"), (Needs(), "warning")])
def test_nobody_answers(tmp_path, answers, needs, status):
    answers["*"] = Reached(error="cannot be reached: no route")
    outcome = look(tmp_path, needs)
    check = check_of(outcome, "package-index")
    assert check.status == status
    assert any("--mirrors" in cure.command for cure in check.fix)
    assert any("--offline" in cure.command for cure in check.fix)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("https://x is not trusted: certificate is not yet valid", "clock"),
        ("https://x is not trusted: self-signed certificate", "SSL_CERT_FILE"),
    ],
)
def test_cures_by_what_the_error_says(tmp_path, answers, error, words):
    answers["*"] = Reached(error=error)
    cure = check_of(look(tmp_path), "package-index").fix[0]
    assert words in cure.text + cure.command


def test_slow_ones_lead_to_mirrors(tmp_path, answers):
    answers["*"] = Reached(seconds=3.0, size=80_000)
    outcome = look(tmp_path)
    assert check_of(outcome, "package-index").status == check_of(outcome, "debian-mirror").status == "warning"
    assert "3.00 s" in check_of(outcome, "package-index").detail


@pytest.mark.parametrize(
    ("reached", "slow"),
    [
        (Reached(seconds=0.1, size=1000), False),
        (Reached(seconds=2.5, size=1000), True),
        (Reached(seconds=1.0, size=60_000), True),
        (Reached(seconds=0.5, size=60_000), False),
        (Reached(seconds=0.0, size=0), False),
    ],
)
def test_what_counts_as_slow(reached, slow):
    assert reached.slow is slow


def test_indexes_of_the_spec_where_this_machine_looks_for_them(tmp_path, answers):
    needs = Needs(addresses={"internal": "https://user:secret@pypi.example.org/simple", "local": "wheels"})
    variables = {"LAYERWRIGHT_INDEX_INTERNAL": "https://mirror.example.org/simple/"}
    check = check_of(look(tmp_path, needs, variables=variables), "package-index")
    assert "https://mirror.example.org/simple/pip/" in answers["asked"]
    assert "local is a folder" in check.detail
    check = check_of(look(tmp_path, needs), "package-index")
    assert "secret" not in check.detail


def test_the_debian_mirror_of_this_machine(tmp_path, answers):
    variables = {
        "LAYERWRIGHT_DEBIAN_MIRROR": "https://deb.example.org/debian/ https://deb.example.org/security"
    }
    look(tmp_path, variables=variables)
    assert "https://deb.example.org/debian/dists/stable/Release" in answers["asked"]


def test_proxies(tmp_path, answers):
    half = {"http_proxy": "http://proxy:3128"}
    check = check_of(look(tmp_path, variables=half), "proxy")
    assert check.status == "warning"
    whole = {"HTTPS_PROXY": "http://user:secret@proxy:3128"}
    check = check_of(look(tmp_path, variables=whole), "proxy")
    assert check.status == "ok"
    assert "secret" not in check.detail
    assert "proxy:3128" in check.detail


def test_certificates(tmp_path, answers):
    pem = b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n" * 3
    files = {"/etc/own.pem": pem, "/etc/empty.pem": b"x"}
    check = check_of(look(tmp_path, files=files, variables={"SSL_CERT_FILE": "/etc/own.pem"}), "certificates")
    assert (check.status, "3 authorities" in check.detail) == ("ok", True)
    for name in ("/etc/empty.pem", "/etc/none.pem"):
        check = check_of(look(tmp_path, files=files, variables={"SSL_CERT_FILE": name}), "certificates")
        assert check.status == "error"


def test_mirrors_are_sorted_and_none_is_taken(tmp_path, answers):
    answers["https://mirrors.ustc.edu.cn/pypi/simple/pip/"] = Reached(seconds=0.01, size=80_000)
    answers["https://pypi.tuna.tsinghua.edu.cn/simple/pip/"] = Reached(error="cannot be reached")
    rows = measure_mirrors(make_machine(tmp_path))
    assert [mirror.id for mirror, _, _ in rows] == ["ustc", "aliyun", "tuna"]


def test_asking_one_address(monkeypatch):
    seen = []

    def get(self, url, *, limit, **options):
        seen.append(url)
        if "missing" in url:
            raise HttpStatusError("status 404", status=404)
        if "broken" in url:
            raise NetworkError("https://broken cannot be reached")
        return Body(data=b"x" * 10, content_type="", url=url)

    monkeypatch.setattr(HttpClient, "get", get)
    assert reach({}, "https://user:secret@pypi.example.org/x").size == 10
    assert seen == ["https://pypi.example.org/x"]
    assert not reach({}, "https://missing").error
    assert "cannot be reached" in reach({}, "https://broken").error
