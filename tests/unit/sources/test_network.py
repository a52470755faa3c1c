import zipfile
from pathlib import Path

import pytest

from layerwright.core.events import SilentReporter
from layerwright.core.source import Location
from layerwright.facts.model import WheelFacts
from layerwright.host.environment import HostEnvironment
from layerwright.host.http import HttpClient
from layerwright.lock import LockedWheel
from layerwright.oci.platform import Platform
from layerwright.resolve import PackageRequest
from layerwright.sources.fetch import Fetcher
from layerwright.sources.indexes import IndexReader, index_sites
from layerwright.sources.uv import UvResolver
from layerwright.sources.wheel_facts import WheelFactsReader
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


@pytest.mark.parametrize(
    ("name", "version", "part"),
    [
        ("numpy", "2.1.0", "cp311-manylinux_2_17_x86_64"),
        ("onnxruntime", "1.20.1", "cp311-manylinux_2_27_x86_64"),
    ],
)
def test_every_library_of_a_real_wheel_is_read_as_pyelftools_reads_it(machine, tmp_path, name, version, part):
    from layerwright.facts.wheels import read_wheel_file
    from support.elf_oracle import oracle

    http = HttpClient(variables=machine.variables)
    site = index_sites({}, machine, tmp_path)[0]
    file = next(
        file
        for file in IndexReader(http).files(site, name)
        if f"-{version}-" in file.file and part in file.file
    )
    path = tmp_path / file.file
    http.download(file.url, path, size=file.size)
    facts = read_wheel_file(path, sha256=file.sha256, scratch=tmp_path)
    assert len(facts.libraries) > 2
    with zipfile.ZipFile(path) as archive:
        for library in facts.libraries:
            member = Path(archive.extract(library.path, tmp_path / "out"))
            expected = oracle(member)
            assert {name: getattr(library, name) for name in expected} == expected, library.path
            assert library.whole


def test_the_need_for_cudnn_costs_less_than_three_percent_of_the_wheel(machine, tmp_path):
    wheel = LockedWheel(
        name="onnxruntime-gpu",
        version="1.26.0",
        file="onnxruntime_gpu-1.26.0-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
        sha256="4fa231294c2643911d2a7d16469c4808b0bdcdc4b5f4063d3a53744ce25b683a",
        size=276956564,
        index="pypi",
    )
    with Store(tmp_path / "store") as store:
        reader = WheelFactsReader(
            store=store, host=machine, indexes={}, root=tmp_path, reporter=SilentReporter()
        )
        facts = reader.read([wheel])[wheel.sha256]
    assert isinstance(facts, WheelFacts)
    provider = next(item for item in facts.libraries if item.path.endswith("_providers_cuda.so"))
    assert {"libcudart.so.12", "libcudnn.so.9", "libcublasLt.so.12"} <= set(provider.needed)
    assert facts.bytes_read < wheel.size * 0.03
