import os

import pytest

from layerwright.core.events import SilentReporter
from layerwright.host.environment import HostEnvironment
from layerwright.host.http import HttpClient
from layerwright.lock.model import Deb
from layerwright.oci.platform import Platform
from layerwright.sandbox.model import Capabilities
from layerwright.sandbox.probe import probe
from layerwright.sources.apt import AptContext, fetch_debs, resolve_debian_base
from layerwright.store import Store
from support.mirror import MIRROR


@pytest.fixture(scope="session")
def host() -> HostEnvironment:
    host = HostEnvironment.gather(dict(os.environ))
    if host.uid != 0:
        pytest.skip("Debian bases are built as root here")
    return host


@pytest.fixture(scope="session")
def capabilities(host: HostEnvironment, tmp_path_factory: pytest.TempPathFactory) -> Capabilities:
    return probe(host, tmp_path_factory.mktemp("probe"))


@pytest.fixture(scope="session")
def context(host: HostEnvironment, tmp_path_factory: pytest.TempPathFactory) -> AptContext:
    return AptContext(host=host, cache=tmp_path_factory.mktemp("lists"))


@pytest.fixture(scope="session")
def debs(context: AptContext) -> tuple[Deb, ...]:
    """The packages of a bookworm base."""
    return resolve_debian_base(context, "bookworm", python="3.11", platform=Platform(), mirror=MIRROR)


@pytest.fixture(scope="session")
def store(debs: tuple[Deb, ...], host: HostEnvironment, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with those packages in it."""
    store = Store(tmp_path_factory.mktemp("store") / "root")
    fetch_debs(
        debs, store, http=HttpClient(variables=host.variables), mirror=MIRROR, reporter=SilentReporter()
    )
    return store
