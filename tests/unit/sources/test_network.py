import pytest

from layerwright.core.events import SilentReporter
from layerwright.core.source import Location
from layerwright.host.environment import HostEnvironment
from layerwright.host.http import HttpClient
from layerwright.lock import LockedWheel
from layerwright.oci.platform import Platform
from layerwright.resolve import PackageRequest
from layerwright.sources.fetch import Fetcher
from layerwright.sources.uv import UvResolver
from layerwright.spec.model import IndexPackage
from layerwright.store import Store

pytestmark = pytest.mark.network


@pytest.fixture
def machine():
    """This machine as its user has it: mirrors and certificates count."""
    import os

    return HostEnvironment.gather(os.environ)


def test_a_real_set_resolves_on_bookworm(machine, tmp_path):
    resolver = UvResolver(host=machine, http=HttpClient(variables=machine.variables))
    package = IndexPackage(requirement="rapidocr-onnxruntime", location=Location(file="x"))
    found = resolver.resolve_packages(
        PackageRequest(
            cell="ocr", python="3.11", platform=Platform(), glibc="2.36", packages=(package,), root=tmp_path
        )
    )
    assert found.sources == ()
    wheels = {wheel.name: wheel for wheel in found.wheels}
    assert {"rapidocr-onnxruntime", "onnxruntime", "numpy"} <= set(wheels)
    assert wheels["rapidocr-onnxruntime"].requested
    assert all(wheel.size > 0 and len(wheel.sha256) == 64 and wheel.index == "pypi" for wheel in found.wheels)
    assert not any("win" in wheel.file or "macos" in wheel.file for wheel in found.wheels)


def test_a_locked_wheel_is_fetched_from_pypi(machine, tmp_path):
    wheel = LockedWheel(
        name="six",
        version="1.17.0",
        file="six-1.17.0-py2.py3-none-any.whl",
        sha256="4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274",
        size=11050,
        index="pypi",
    )
    with Store(tmp_path / "store") as store:
        fetcher = Fetcher(store=store, host=machine, reporter=SilentReporter(), indexes={}, root=tmp_path)
        fetcher.fetch_wheels([wheel])
        assert store.path("wheels", wheel.sha256).stat().st_size == wheel.size
