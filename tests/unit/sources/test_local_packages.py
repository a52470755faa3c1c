"""Wheels and sdists that stand on this machine: from the spec's table to the store."""

import hashlib

import pytest

from layerwright.core.errors import IntegrityError
from layerwright.core.events import SilentReporter
from layerwright.host.http import HttpClient
from layerwright.lock import Lock, LockedBase, LockedCell, inputs_stand, outdated_cells, read_lock, write_lock
from layerwright.oci.platform import Platform
from layerwright.plan.build import make_plan
from layerwright.plan.steps import BuildWheel, InstallWheels
from layerwright.resolve import PackageRequest
from layerwright.sources.fetch import Fetcher
from layerwright.sources.local import LocalInputs
from layerwright.sources.projects import prepare_source
from layerwright.sources.uv import UvResolver
from layerwright.spec.fingerprint import cell_resolution_digest
from layerwright.store import Store
from layerwright.workflow.plan import scan_trees
from support.change import replace
from support.packages import make_sdist, make_wheel
from support.spec import spec_of

BASE = LockedBase(
    kind="debian",
    source="bookworm",
    digest="sha256:" + "1" * 64,
    python="3.11.2",
    interpreter="/usr/bin/python3.11",
    glibc="2.36",
)


@pytest.fixture
def place(tmp_path, host):
    """Resolve, lock, read back and fetch the packages of one image, all without a network."""

    class Place:
        root = tmp_path / "work"
        http = HttpClient(variables={}, offline=True)
        spec = None

        def put(self, folder, packed):
            file, data = packed
            (self.root / folder).mkdir(exist_ok=True, parents=True)
            (self.root / folder / file).write_bytes(data)
            return f"{folder}/{file}"

        def lock(self, packages):
            text = f'[images.infer]\nfrom = "debian:bookworm"\npython = "3.11"\npackages = [{packages}]'
            self.spec = spec_of(text, self.root)
            cell = self.spec.cells["infer"]
            request = PackageRequest(
                cell="infer",
                python="3.11",
                full_python="3.11.2",
                platform=Platform(),
                glibc="2.36",
                packages=cell.packages,
                root=self.root,
            )
            found = UvResolver(host=host, http=self.http).resolve_packages(request)
            locked = LockedCell(
                name="infer",
                spec_digest=cell_resolution_digest(cell, self.spec),
                base=BASE,
                python="3.11",
                platform="linux/amd64",
                wheels=found.wheels,
                sources=found.sources,
            )
            return read_lock(write_lock(Lock(cells={"infer": locked})))

        def fetcher(self, store):
            return Fetcher(
                store=store, host=host, reporter=SilentReporter(), indexes={}, root=self.root, http=self.http
            )

    Place.root.mkdir()
    with Store(tmp_path / "store") as store:
        place = Place()
        place.store = store
        place.host = host
        yield place


def test_a_wheel_by_path(place):
    path = place.put("dist", make_wheel("tool"))
    lock = place.lock(f'{{ path = "{path}" }}')
    [wheel] = lock.cells["infer"].wheels
    data = (place.root / path).read_bytes()
    assert (wheel.url, wheel.file, wheel.size) == (path, "tool-1.0-py3-none-any.whl", len(data))
    assert wheel.sha256 == hashlib.sha256(data).hexdigest()
    assert str(place.root) not in write_lock(lock)
    plan = make_plan(place.spec, lock, scan_trees(place.spec, lock, ["infer"], place.host))
    assert any(isinstance(node.step, InstallWheels) for node in plan.cells[0].nodes)
    place.fetcher(place.store).fetch_wheels([wheel])
    assert place.store.path("wheels", wheel.sha256).read_bytes() == data
    assert (place.root / path).exists()


def test_a_wheel_by_path_that_changed_is_out_of_date_and_never_taken_for_the_old_one(place):
    path = place.put("dist", make_wheel("tool"))
    lock = place.lock(f'{{ path = "./{path}" }}')
    inputs = LocalInputs(root=place.root)
    assert outdated_cells(place.spec, lock, inputs.input_digest) == ()
    place.put("dist", ("tool-1.0-py3-none-any.whl", make_wheel("tool", files={"tool.py": b""})[1]))
    assert outdated_cells(place.spec, lock, inputs.input_digest) == ("infer",)
    with pytest.raises(IntegrityError, match="is not what the lock says"):
        place.fetcher(place.store).fetch_wheels(lock.cells["infer"].wheels)


def test_an_sdist_by_path(place, tmp_path):
    path = place.put("dist", make_sdist("tool"))
    lock = place.lock(f'{{ path = "{path}" }}')
    [source] = lock.cells["infer"].sources
    assert (source.kind, source.url, source.source) == ("sdist", path, "tool-1.0.tar.gz")
    assert inputs_stand(lock.cells["infer"], LocalInputs(root=place.root).input_digest)
    plan = make_plan(place.spec, lock, scan_trees(place.spec, lock, ["infer"], place.host))
    [step] = [node.step for node in plan.cells[0].nodes if isinstance(node.step, BuildWheel)]
    into = tmp_path / "into"
    into.mkdir()
    project = prepare_source(
        step.source,
        into=into,
        root=place.root,
        store=place.store,
        host=place.host,
        fetcher=place.fetcher(place.store),
        offline=True,
    )
    assert (project / "pyproject.toml").is_file()


def test_a_wheel_by_a_file_address(place):
    path = place.put("dist", make_wheel("tool"))
    address, data = (place.root / path).as_uri(), (place.root / path).read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    lock = place.lock(f'{{ url = "{address}", sha256 = "{digest}" }}')
    [wheel] = lock.cells["infer"].wheels
    assert (wheel.url, wheel.sha256, wheel.size) == (address, digest, len(data))
    assert wheel.requested
    place.fetcher(place.store).fetch_wheels([wheel])
    assert place.store.has("wheels", digest)
    with pytest.raises(IntegrityError, match=f"{digest}"):
        place.fetcher(place.store).fetch_wheels([replace(wheel, sha256="0" * 64)])


def test_a_file_address_with_another_digest_than_the_spec_says(place):
    path = place.put("dist", make_wheel("tool"))
    address = (place.root / path).as_uri()
    with pytest.raises(IntegrityError, match=f"expected sha256 {'0' * 64}, got [0-9a-f]{{64}}") as raised:
        place.lock(f'{{ url = "{address}", sha256 = "{"0" * 64}" }}')
    assert raised.value.where.key == "images.infer.packages[0]"


def test_a_file_whose_name_needs_quoting(place):
    path = place.put("dist folder", make_wheel("tool", tag="py3-none-any"))
    [wheel] = place.lock(f'{{ path = "{path}" }}').cells["infer"].wheels
    assert wheel.url == path
    place.fetcher(place.store).fetch_wheels([wheel])
    assert place.store.has("wheels", wheel.sha256)
