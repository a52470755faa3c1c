import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from layerwright.host.environment import HostEnvironment
from layerwright.sandbox.model import Capabilities
from layerwright.sandbox.probe import probe
from layerwright.sandbox.rootfs import Rootfs, assemble
from support.change import replace
from support.roots import make_root


@pytest.fixture(scope="session")
def host() -> HostEnvironment:
    return HostEnvironment.gather(dict(os.environ))


@pytest.fixture(scope="session")
def found(host: HostEnvironment, tmp_path_factory: pytest.TempPathFactory) -> Capabilities:
    """What this machine can do; these tests are about a machine that can do everything."""
    if host.uid != 0:
        pytest.skip("these tests make mounts and users: run them as root")
    capabilities = probe(host, tmp_path_factory.mktemp("probe"))
    assert "namespaces" in capabilities.runners, capabilities.reasons
    assert capabilities.overlay, capabilities.reasons
    return capabilities


def only_chroot(capabilities: Capabilities) -> Capabilities:
    """The same machine as an ordinary container shows it."""
    return replace(
        capabilities, overlay=False, mount_namespace=False, network_namespace=False, runners=("chroot",)
    )


@pytest.fixture(scope="session")
def lower(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_root(tmp_path_factory.mktemp("root") / "lower")


@pytest.fixture(params=["namespaces", "runc", "chroot"])
def capabilities(request: pytest.FixtureRequest, found: Capabilities) -> Capabilities:
    """Each way of running a program that this machine has."""
    if request.param == "chroot":
        return only_chroot(found)
    if request.param not in found.runners:
        pytest.skip(f"{request.param} does not work here: {found.reasons}")
    return replace(found, runners=(request.param,))


@pytest.fixture
def rootfs(lower: Path, capabilities: Capabilities, tmp_path: Path) -> Iterator[Rootfs]:
    with assemble([lower], scratch=tmp_path, capabilities=capabilities) as root:
        yield root
