from pathlib import Path

import pytest

from layerwright.core.errors import ResolveError, SpecError, UsageError
from layerwright.core.source import Location
from layerwright.lock import Deb, LockedBase, LockedSource, LockedWheel, outdated_cells
from layerwright.resolve import UPGRADE_ALL, PackageSet, Ports, resolve
from layerwright.spec.model import (
    Base,
    Cell,
    Component,
    GitPackage,
    IndexPackage,
    Model,
    PathPackage,
    Spec,
    UrlPackage,
)
from support.change import replace

HERE = Location(file="layerwright.toml", line=3)


def deb(name, version="1"):
    return Deb(
        name=name, version=version, architecture="amd64", sha256="0" * 64, size=1, path=f"pool/{name}.deb"
    )


def wheel(name, version):
    return LockedWheel(
        name=name,
        version=version,
        file=f"{name}-{version}-py3-none-any.whl",
        sha256="0" * 64,
        size=1,
        index="pypi",
    )


def cell(name, *packages, base=None, **fields):
    base = base or Base(kind="debian", source="bookworm")
    packages = tuple(IndexPackage(requirement=text, location=HERE) for text in packages)
    fields = {"python": "3.11", "packages": packages} | fields
    return Cell(name=name, image=name, base=base, reference_name=name, tags=("1",), location=HERE, **fields)


def child(name, parent, *packages, **fields):
    return cell(name, *packages, base=Base(kind="image", source=parent), **fields)


def spec(*cells):
    return Spec(file="layerwright.toml", root=Path("/project"), project="p", cells={c.name: c for c in cells})


class World:
    """Answers from a table: versions a package has, newest last, and what each needs."""

    def __init__(self, versions, needs=None):
        self.versions = versions
        self.needs = needs or {}
        self.requests = []
        self.apt_requests = []
        self.bases = []
        self.sizes = []
        self.inputs = {}
        self.glibc = "2.36"
        self.interpreter = "/usr/bin/python3.11"
        self.base_debs = (deb("libc6"),)

    def ports(self):
        return Ports(packages=self, apt=self, bases=self, files=self, inputs=self, trees=self)

    def lock_base(self, cell):
        self.bases.append(cell.name)
        python = "3.11.2" if self.interpreter else ""
        return LockedBase(
            kind=cell.base.kind,
            source=cell.base.source,
            debs=self.base_debs,
            python=python,
            interpreter=self.interpreter,
            glibc=self.glibc,
        )

    def resolve_apt(self, request):
        self.apt_requests.append(request)
        return tuple(deb(name) for name in request.names)

    def input_digest(self, path):
        return self.inputs.get(path, "")

    def file_size(self, url):
        self.sizes.append(url)
        return 42

    def resolve_packages(self, request):
        self.requests.append(request)
        bounds = {}
        queue = [
            p.requirement for p in (*request.inherited, *request.packages) if isinstance(p, IndexPackage)
        ]
        while queue:
            name, _, version = queue.pop().partition("==")
            if bounds.get(name, version) != version and bounds[name] and version:
                raise ResolveError(f"no solution\nbecause {name}=={version} and {name}=={bounds[name]}")
            bounds[name] = version or bounds.get(name, "")
            queue += self.needs.get(name, [])
        wheels = []
        for name, version in bounds.items():
            if name not in self.versions:
                raise ResolveError(f"{name} was not found")
            pin = request.pins.get(name)
            if pin and version and pin != version:
                raise ResolveError(f"cannot be\nbecause {name}=={version} and you require {name}=={pin}")
            preferred = request.preferences.get(name)
            chosen = (
                version or pin or (preferred if preferred in self.versions[name] else self.versions[name][-1])
            )
            wheels.append(wheel(name, chosen))
        return PackageSet(wheels=tuple(wheels))


def test_a_cell_is_locked_with_all_its_parts():
    world = World({"numpy": ["1.0", "2.0"], "six": ["1"]})
    model = Model(url="https://h/m", sha256="1" * 64, to="/m", location=HERE)
    lock = resolve(
        spec(cell("infer", "six", "numpy", apt=("ffmpeg", "curl"), models=(model,))), world.ports()
    )
    locked = lock.cells["infer"]
    assert [(w.name, w.version) for w in locked.wheels] == [("numpy", "2.0"), ("six", "1")]
    assert [d.name for d in locked.apt] == ["curl", "ffmpeg"]
    assert locked.base.glibc == "2.36"
    assert locked.platform == "linux/amd64"
    assert [(f.to, f.size) for f in locked.files] == [("/m", 42)]
    assert world.requests[0].glibc == "2.36"
    assert world.apt_requests[0].installed == (deb("libc6"),)


def test_an_unchanged_cell_is_kept_and_nothing_is_asked():
    before = World({"numpy": ["1.0"]})
    described = spec(cell("infer", "numpy"))
    lock = resolve(described, before.ports())
    later = World({"numpy": ["1.0", "2.0"]})
    assert resolve(described, later.ports(), previous=lock) == lock
    assert (later.requests, later.bases) == ([], [])
    assert outdated_cells(described, lock, later.input_digest) == ()


def test_an_edited_cell_keeps_the_versions_and_base_it_can():
    world = World({"numpy": ["1.0", "2.0"], "six": ["1", "2"]})
    lock = resolve(spec(cell("infer", "numpy==1.0")), world.ports())
    edited = spec(cell("infer", "numpy", "six"))
    assert outdated_cells(edited, lock, world.input_digest) == ("infer",)
    again = resolve(edited, world.ports(), previous=lock)
    assert [(w.name, w.version) for w in again.cells["infer"].wheels] == [("numpy", "1.0"), ("six", "2")]
    assert world.requests[-1].sizes == {"0" * 64: 1}
    assert world.bases == ["infer"]


def test_upgrading_one_name_moves_that_name_only():
    old, new = World({"numpy": ["1.0"], "six": ["1"]}), World({"numpy": ["1.0", "2.0"], "six": ["1", "2"]})
    described = spec(cell("infer", "numpy", "six"), cell("other", "six"))
    lock = resolve(described, old.ports())
    again = resolve(described, new.ports(), previous=lock, upgrade=frozenset({"NumPy"}))
    assert [(w.name, w.version) for w in again.cells["infer"].wheels] == [("numpy", "2.0"), ("six", "1")]
    assert again.cells["other"] == lock.cells["other"]
    assert new.bases == []


def test_upgrading_all_asks_for_everything_again():
    old, new = World({"six": ["1"]}), World({"six": ["1", "2"]})
    described = spec(cell("infer", "six"))
    lock = resolve(described, old.ports())
    again = resolve(described, new.ports(), previous=lock, upgrade=UPGRADE_ALL)
    assert again.cells["infer"].wheels[0].version == "2"
    assert new.bases == ["infer"]


def test_a_base_is_upgraded_by_its_name_in_the_spec():
    world = World({"six": ["1"]})
    described = spec(cell("infer", "six"))
    lock = resolve(described, world.ports())
    resolve(described, world.ports(), previous=lock, upgrade=frozenset({"debian:bookworm"}))
    assert world.bases == ["infer", "infer"]


def test_an_unknown_name_to_upgrade_is_refused_with_the_nearest():
    world = World({"numpy": ["1.0"]})
    described = spec(cell("infer", "numpy"))
    lock = resolve(described, world.ports())
    with pytest.raises(UsageError) as raised:
        resolve(described, world.ports(), previous=lock, upgrade=frozenset({"nunpy"}))
    assert "numpy" in raised.value.hint


def test_a_child_holds_only_what_its_parent_lacks_and_keeps_its_versions():
    world = World({"numpy": ["1.0", "2.0"], "onnx": ["5"]}, needs={"onnx": ["numpy"]})
    described = spec(
        cell("base", "numpy==1.0", apt=("curl",)), child("infer", "base", "onnx", apt=("ffmpeg",))
    )
    lock = resolve(described, world.ports())
    assert [(w.name, w.version) for w in lock.cells["infer"].wheels] == [("onnx", "5")]
    request = world.requests[1]
    assert request.pins == {"numpy": "1.0"}
    assert [package.requirement for package in request.inherited] == ["numpy==1.0"]
    base = lock.cells["infer"].base
    assert (base.kind, base.source, base.glibc, base.interpreter) == (
        "image",
        "base",
        "2.36",
        "/usr/bin/python3.11",
    )
    assert world.bases == ["base"]
    assert {d.name for d in world.apt_requests[1].installed} == {"libc6", "curl"}


def test_a_clash_with_the_parent_names_both_and_both_versions():
    world = World({"numpy": ["1.0", "2.0"]})
    described = spec(cell("base", "numpy"), child("infer", "base", "onnx"))
    world.versions["onnx"] = ["5"]
    lock = resolve(spec(cell("base", "numpy==1.0")), world.ports())
    world.needs["onnx"] = ["numpy==2.0"]
    previous = replace(lock)
    with pytest.raises(ResolveError) as raised:
        resolve(described, world.ports(), previous=previous)
    assert "infer clashes with what its parent base has locked" in raised.value.what
    assert "numpy 2.0 (it has 1.0)" in raised.value.what
    assert "because numpy==2.0" in raised.value.what
    assert "--upgrade numpy" in raised.value.hint
    assert raised.value.where == HERE


def test_a_failure_that_is_not_the_parents_keeps_its_own_words():
    world = World({"numpy": ["1.0"]})
    with pytest.raises(ResolveError, match="nothing was not found") as raised:
        resolve(spec(cell("base", "numpy"), child("infer", "base", "nothing")), world.ports())
    assert "clashes" not in raised.value.what


def test_a_child_follows_when_its_parent_changed_even_if_it_was_not_asked_for():
    world = World({"numpy": ["1.0"], "onnx": ["5"]})
    described = spec(cell("base", "numpy"), child("infer", "base", "onnx"))
    lock = resolve(described, world.ports())
    world.versions["numpy"].append("2.0")
    world.requests.clear()
    again = resolve(described, world.ports(), cells=["base"], previous=lock, upgrade=frozenset({"numpy"}))
    assert again.cells["base"].wheels[0].version == "2.0"
    assert [request.pins for request in world.requests] == [{}, {"numpy": "2.0"}]


def test_only_the_asked_cells_are_resolved_and_lost_ones_dropped():
    world = World({"six": ["1"]})
    both = spec(cell("a", "six"), cell("b", "six"))
    lock = resolve(both, world.ports(), cells=["b"])
    assert list(lock.cells) == ["b"]
    assert list(resolve(spec(cell("a", "six")), world.ports(), previous=lock).cells) == ["a"]
    with pytest.raises(UsageError, match="no cell 'c'"):
        resolve(both, world.ports(), cells=["c"])


def test_cells_with_one_base_and_one_apt_set_ask_once():
    world = World({"six": ["1"]})
    resolve(spec(*(cell(name, "six", apt=("curl",)) for name in "abc")), world.ports())
    assert len(world.bases) == 1
    assert len(world.apt_requests) == 1


def test_a_debian_base_is_made_anew_for_another_python_or_the_first_time_zone():
    world = World({"six": ["1"]})
    lock = resolve(spec(cell("a", "six")), world.ports())
    resolve(spec(cell("a", "six", python="3.12")), world.ports(), previous=lock)
    assert world.bases == ["a", "a"]
    world.base_debs = (deb("libc6"), deb("tzdata"))
    zoned = resolve(spec(cell("a", "six", "six", timezone="UTC")), world.ports(), previous=lock)
    assert world.bases == ["a", "a", "a"]
    resolve(spec(cell("a", timezone="Asia/Taipei")), world.ports(), previous=zoned)
    assert world.bases == ["a", "a", "a"]
    resolve(spec(cell("a"), cell("b", timezone="UTC")), world.ports())
    assert world.bases[3:] == ["a", "b"]


def test_local_bases_are_looked_at_again_when_the_cell_is_resolved():
    world = World({"six": ["1"], "numpy": ["1"]})
    base = Base(kind="oci", source="out")
    lock = resolve(spec(cell("a", "six", base=base)), world.ports())
    resolve(spec(cell("a", "numpy", base=base)), world.ports(), previous=lock)
    assert world.bases == ["a", "a"]


def test_a_python_brought_by_apt_becomes_the_interpreter():
    world = World({"six": ["1"]})
    world.interpreter = ""
    lock = resolve(spec(cell("a", "six", apt=("python3.11-minimal",))), world.ports())
    assert lock.cells["a"].base.interpreter == "/usr/bin/python3.11"


def test_credentials_in_addresses_are_refused_before_anything_is_asked():
    world = World({})
    described = cell("a")
    secret = UrlPackage(url="https://me:hunter2@h/x.whl", sha256="0" * 64, location=HERE)
    repository = GitPackage(git="https://ghp_hunter2@h/x.git", rev="main", location=replace(HERE, line=4))
    described = replace(described, packages=(secret, repository))
    with pytest.raises(SpecError) as raised:
        resolve(spec(described, replace(described, name="b")), world.ports())
    assert [problem.where.line for problem in raised.value.problems] == [3, 4]
    assert "hunter2" not in str(raised.value.problems)


def test_a_project_without_a_version_does_not_pin():
    class Projects(World):
        def resolve_packages(self, request):
            found = super().resolve_packages(request)
            source = LockedSource(name="mine", version="", kind="path", source=".", requested=True)
            return replace(found, sources=(source,))

    world = Projects({"six": ["1"]})
    lock = resolve(spec(cell("base", "six"), child("infer", "base", "six")), world.ports())
    assert [source.name for source in lock.cells["base"].sources] == ["mine"]
    assert lock.cells["infer"].sources == ()
    assert world.requests[1].pins == {"six": "1"}


class Workplace(World):
    """A project ``app`` and a packed wheel, beside what an index has; the project needs what ``needs`` says."""

    def resolve_packages(self, request):
        projects = [package for package in request.packages if isinstance(package, PathPackage)]
        texts = [text for package in projects for text in self.needs.get(package.path, [])]
        wanted = tuple(IndexPackage(requirement=text, location=HERE) for text in texts)
        found = super().resolve_packages(replace(request, packages=(*request.packages, *wanted)))
        if any(package.path == "app" for package in projects):
            found = replace(
                found,
                sources=(LockedSource(name="app", version="", kind="path", source="app", requested=True),),
            )
        if any(package.path == "tool.whl" for package in projects):
            packed = replace(wheel("tool", "1"), index="", url="tool.whl", sha256=self.inputs["tool.whl"])
            found = replace(found, wheels=(*found.wheels, packed))
        return found


def test_a_project_that_needs_something_new_is_resolved_again_and_its_children_follow():
    world = Workplace({"six": ["1"], "numpy": ["1", "2"]}, needs={"app": ["numpy==1"]})
    world.inputs["app"] = "1" * 64
    app = PathPackage(path="app", location=HERE)
    described = spec(cell("base", packages=(app,)), child("infer", "base", "six"), cell("other", "six"))
    lock = resolve(described, world.ports())
    assert lock.cells["base"].sources[0].metadata == "1" * 64
    assert outdated_cells(described, lock, world.input_digest) == ()
    world.requests.clear()
    assert resolve(described, world.ports(), previous=lock) == lock
    assert world.requests == []

    world.inputs["app"] = "2" * 64
    world.needs["app"] = ["numpy", "six"]
    assert outdated_cells(described, lock, world.input_digest) == ("base",)
    again = resolve(described, world.ports(), previous=lock)
    assert [(w.name, w.version) for w in again.cells["base"].wheels] == [("numpy", "1"), ("six", "1")]
    assert again.cells["infer"].wheels == ()
    assert again.cells["other"] == lock.cells["other"]
    assert outdated_cells(described, again, world.input_digest) == ()


def test_a_project_edited_while_it_is_resolved_leaves_the_lock_out_of_date():
    class Edited(Workplace):
        def resolve_packages(self, request):
            self.inputs["app"] = "2" * 64
            return super().resolve_packages(request)

    world = Edited({})
    world.inputs["app"] = "1" * 64
    described = spec(cell("a", packages=(PathPackage(path="app", location=HERE),)))
    lock = resolve(described, world.ports())
    assert outdated_cells(described, lock, world.input_digest) == ("a",)


def test_a_packed_wheel_that_was_made_anew_is_locked_again():
    world = Workplace({})
    world.inputs["tool.whl"] = "1" * 64
    described = spec(cell("a", packages=(PathPackage(path="tool.whl", location=HERE),)))
    lock = resolve(described, world.ports())
    world.inputs["tool.whl"] = "2" * 64
    assert outdated_cells(described, lock, world.input_digest) == ("a",)
    again = resolve(described, world.ports(), previous=lock)
    assert again.cells["a"].wheels[0].sha256 == "2" * 64


def test_images_without_packages_and_without_python():
    world = World({})
    world.interpreter = ""
    described = spec(cell("tools", python="", apt=("git",)), cell("bare", python="3.11"))
    lock = resolve(described, world.ports())
    assert [d.name for d in lock.cells["tools"].apt] == ["git"]
    assert (lock.cells["tools"].python, lock.cells["tools"].wheels) == ("", ())
    assert (lock.cells["bare"].python, lock.cells["bare"].wheels) == ("3.11", ())
    assert world.requests == []
    assert resolve(described, world.ports(), previous=lock) == lock


def test_a_model_that_cannot_be_measured_is_told_at_its_line():
    class Nowhere(World):
        def file_size(self, url):
            raise ResolveError(f"there is no file {url}")

    model = Model(url="m.onnx", sha256="1" * 64, to="/m", location=replace(HERE, line=8))
    with pytest.raises(ResolveError) as raised:
        resolve(spec(cell("a", models=(model,))), Nowhere({}).ports())
    assert raised.value.where.line == 8


def component(name, sha="a", url="https://h/a.tar.gz"):
    return Component(name=name, kind="other", url=url, sha256=sha * 64, location=HERE)


def test_components_are_locked_in_their_order_and_measured_once():
    world = World({})
    sdk, other = component("sdk"), component("another", "b", "https://h/b.tar.gz")
    cells = (cell("one", components=(sdk, other)), cell("two", components=(sdk,)))
    lock = resolve(spec(*cells), world.ports())
    assert [(c.name, c.size) for c in lock.cells["one"].components] == [("sdk", 42), ("another", 42)]
    assert world.sizes == ["https://h/a.tar.gz", "https://h/b.tar.gz"]
    # A cell that is new takes the sizes that the lock has for others; other bytes are measured.
    more = cell("three", components=(sdk, component("own", "c", "https://h/c.tar.gz")))
    resolve(spec(*cells, more), world.ports(), previous=lock)
    assert world.sizes[2:] == ["https://h/c.tar.gz"]


@pytest.mark.parametrize("own", ["/usr/bin/python3.11", ""])
def test_a_python_that_is_a_component_goes_before_the_bases_own(own):
    world = World({})
    world.interpreter = own
    python = replace(component("python", "d"), kind="python", version="3.11.7")
    base = cell("base", components=(python,))
    below = replace(child("app", "base"), inherited_components=(python,))
    locked = resolve(spec(base, below), world.ports()).cells
    for name in ("base", "app"):
        assert locked[name].base.interpreter == "/opt/python/bin/python3.11"
        assert locked[name].base.python == "3.11.7"


def test_a_python_of_another_release_is_refused():
    python = replace(component("interpreter", "d"), kind="python", version="3.10.13")
    with pytest.raises(UsageError, match=r"app has Python 3\.11, and component 'interpreter' is 3\.10\.13"):
        resolve(spec(cell("app", components=(python,))), World({}).ports())


def test_a_component_with_a_credential_is_refused_before_anything_is_asked():
    world = World({})
    bad = component("sdk", url="https://user:geheim@h/a.tar.gz")
    with pytest.raises(SpecError) as caught:
        resolve(spec(cell("one", components=(bad,))), world.ports())
    assert "geheim" not in str(caught.value)
    assert world.bases == []
