"""Docker: what is said of clients and engines."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwright.core.errors import EngineError
from layerwright.doctor.docker import KINDS, examine, numbers
from layerwright.doctor.engine_info import read_docker
from layerwright.doctor.model import Needs
from layerwright.engines.connection import Answer
from layerwright.engines.endpoint import Endpoint
from support.machine import DOCKER, check_of, complete, make_machine, statuses

WANTED = Needs(purposes={"docker": "--for docker"})
CLIENT = {"docker": "Docker version 20.10.24+dfsg1, build 297e128"}


def look(tmp_path, needs=WANTED, **options):
    outcome = examine(make_machine(tmp_path, **options), needs)
    assert complete(KINDS)(outcome)
    return outcome


@pytest.mark.parametrize(("needs", "status"), [(WANTED, "error"), (Needs(), "not_needed")])
def test_nothing_is_there(tmp_path, needs, status):
    found = statuses(look(tmp_path, needs))
    assert found["docker-client"] == found["docker-engine"] == status
    assert {found[name] for name in found if name not in {"docker-client", "docker-engine"}} == {"not_needed"}


def test_a_client_without_its_engine(tmp_path):
    check = check_of(look(tmp_path, programs=CLIENT), "docker-engine")
    assert check.status == "error"
    assert check.fix[0].command == "systemctl start docker"
    assert check_of(look(tmp_path, Needs(), programs=CLIENT), "docker-engine").status == "warning"


def test_an_engine_that_answers(tmp_path):
    outcome = look(tmp_path, programs=CLIENT, docker=DOCKER)
    found = statuses(outcome)
    assert (
        found["docker-client"]
        == found["docker-engine"]
        == found["docker-access"]
        == found["docker-storage"]
        == "ok"
    )
    assert "Docker 28.5.2, API 1.24 to 1.51, linux/amd64" in check_of(outcome, "docker-engine").detail
    assert outcome.facts.engines == {"docker": "28.5.2"}


def test_a_client_without_buildx(tmp_path):
    new = {"docker": "Docker version 28.2.2, build e6534b4"}
    check = check_of(look(tmp_path, programs=new, docker=DOCKER), "docker-buildx")
    assert check.status in {"ok", "warning"}  # a plugin may lie in the system's own folders
    old = check_of(look(tmp_path, programs=CLIENT, docker=DOCKER), "docker-buildx")
    assert old.status == "ok"


@pytest.mark.parametrize(
    ("members", "words", "command"),
    [
        ("", "which you are not in", "usermod -aG docker $USER"),
        ("alice", "since your last login", "newgrp docker"),
    ],
)
def test_a_socket_that_is_closed(tmp_path, members, words, command):
    socket = tmp_path / "docker.sock"
    socket.touch()
    denied = replace(
        DOCKER,
        answers=False,
        denied=True,
        error="permission denied",
        endpoint=Endpoint(address=f"unix://{socket}"),
    )
    files = {
        "/etc/group": f"docker:x:{socket.stat().st_gid}:{members}\n",
        "/etc/passwd": "alice:x:1000:1000::/home/alice:/bin/sh\n",
    }
    outcome = look(tmp_path, programs=CLIENT, docker=denied, files=files, uid=1000)
    check = check_of(outcome, "docker-access")
    assert check.status == "error"
    assert words in check.detail
    assert check.fix[0].command == command
    assert check_of(outcome, "docker-engine").status == "error"


@pytest.mark.parametrize(
    ("version", "status", "words"),
    [
        ("19.03.15", "warning", "older than 20.10"),
        ("20.10.24+dfsg1", "ok", "heredocs"),
        ("26.1.5", "ok", "features.cdi"),
        ("28.5.2", "ok", "nothing is known"),
        ("29.0.1", "ok", "containerd"),
        ("garbage", "ok", "nothing is known"),
    ],
)
def test_what_versions_are_known_for(tmp_path, version, status, words):
    check = check_of(look(tmp_path, docker=replace(DOCKER, version=version)), "docker-limits")
    assert check.status == status
    assert words in check.detail


def test_a_slow_store(tmp_path):
    check = check_of(look(tmp_path, docker=replace(DOCKER, storage="vfs")), "docker-storage")
    assert check.status == "warning"
    assert "overlay2" in check.fix[0].text


def test_a_proxy_that_the_engine_does_not_know(tmp_path):
    mine = {"https_proxy": "http://user:secret@proxy:3128"}
    check = check_of(look(tmp_path, docker=DOCKER, variables=mine), "docker-proxy")
    assert check.status == "warning"
    assert "secret" not in check.detail
    known = replace(DOCKER, proxy=True)
    assert check_of(look(tmp_path, docker=known, variables=mine), "docker-proxy").status == "ok"


def test_podman_in_dockers_place(tmp_path):
    outcome = look(tmp_path, docker=replace(DOCKER, podman=True, version="4.3.1"))
    assert "Podman, answering in Docker's place" in check_of(outcome, "docker-engine").detail
    assert outcome.facts.engines == {"podman (docker API)": "4.3.1"}


class Engine:
    """Answers with what it was given."""

    def __init__(self, version, info, error=None):
        self.bodies = {"/version": version, "/info": info}
        self.error = error

    def request(self, method, path, **options):
        if self.error:
            raise self.error
        return Answer(status=200, body=self.bodies[path])


ENDPOINT = Endpoint(address="unix:///x")


def test_what_an_engine_says():
    version = {
        "Version": "28.5.2",
        "ApiVersion": "1.51",
        "MinAPIVersion": "1.24",
        "Os": "linux",
        "Arch": "amd64",
    }
    info = {
        "Driver": "overlayfs",
        "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]],
        "SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"],
        "Runtimes": {"runc": {}, "nvidia": {}},
        "DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=0"}],
        "HttpsProxy": "http://proxy",
    }
    found = read_docker(Engine(json.dumps(version).encode(), json.dumps(info).encode()), ENDPOINT)
    assert found.answers
    assert found.containerd_store
    assert found.rootless
    assert found.proxy
    assert found.runtimes == ("nvidia", "runc")
    assert found.devices == ("nvidia.com/gpu=0",)


def test_an_engine_that_says_nothing():
    found = read_docker(Engine(b"", b"", EngineError("it broke off")), ENDPOINT)
    assert not found.answers
    assert found.error == "it broke off"
    assert "no Docker engine" in read_docker(Engine(b"<html>", b"{}"), ENDPOINT).error
    assert "no Docker engine" in read_docker(Engine(b'{"message":"no"}', b"{}"), ENDPOINT).error


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_FIELDS = st.sampled_from(
    ["Driver", "DriverStatus", "SecurityOptions", "Runtimes", "DiscoveredDevices", "CDISpecDirs", "Warnings",
     "DockerRootDir", "Components", "HttpProxy"]
)  # fmt: skip


@given(st.dictionaries(_FIELDS, _JSON))
def test_any_info_is_taken(fields):
    version = json.dumps({"Version": "1", **fields}).encode()
    assert read_docker(Engine(version, json.dumps(fields).encode()), ENDPOINT).answers


@given(st.text(max_size=20))
def test_any_version_is_taken(text):
    assert all(isinstance(number, int) for number in numbers(text))
