"""Spec + lock + store → what rules look at."""

import hashlib
import json
from pathlib import Path

import msgspec
import pytest

from layerwright.backends.base import BuiltLayer
from layerwright.backends.native.results import NodeResult, write_result
from layerwright.core.events import SilentReporter
from layerwright.facts.bases import base_facts
from layerwright.facts.model import WheelFacts
from layerwright.host.environment import HostEnvironment
from layerwright.lock.model import Deb, Lock, LockedBase, LockedCell, LockedSource, LockedWheel
from layerwright.oci.digest import Digest
from layerwright.oci.platform import Platform
from layerwright.plan.nodes import make_node
from layerwright.plan.steps import Base
from layerwright.sources.wheel_facts import _KIND, _key
from layerwright.spec.load import load_spec
from layerwright.store import Store
from layerwright.workflow.base_contents import known_contents, with_contents
from layerwright.workflow.session import Session
from layerwright.workflow.subjects import make_subjects
from support.elf_file import Elf

SPEC = """\
[project]
name = "demo"
[defaults]
from = "debian:bookworm"
python = "3.11"
[images.base]
apt = ["libgl1"]
packages = ["below"]
[images.app]
from = "image:base"
role = "training"
accelerator = "nvidia"
env = { A = "1" }
packages = ["top[extra]", { path = "project" }, "sourced"]
"""


def wheel(name: str, *, version: str = "1.0") -> LockedWheel:
    return LockedWheel(
        name=name,
        version=version,
        file=f"{name}-{version}-py3-none-any.whl",
        sha256=hashlib.sha256(name.encode()).hexdigest(),
        size=1,
        index="pypi",
    )


def deb(name: str) -> Deb:
    return Deb(
        name=name, version="1-2", architecture="amd64", sha256="0" * 64, size=1, path=f"pool/{name}.deb"
    )


BASE = LockedBase(
    kind="debian",
    source="bookworm",
    digest="sha256:" + "1" * 64,
    debs=(deb("libc6"),),
    python="3.11.2",
    interpreter="/usr/bin/python3.11",
    glibc="2.36",
)


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """A project, and a store that has the facts of some wheels."""
    root = tmp_path / "work"
    (root / "project").mkdir(parents=True)
    (root / "project" / "pyproject.toml").write_text('[project]\nname = "own"\nversion = "1"\n')
    (root / "layerwright.toml").write_text(SPEC)
    session = Session(
        host=HostEnvironment.gather({"PATH": "/usr/bin", "HOME": str(tmp_path)}),
        reporter=SilentReporter(),
        start=root,
        spec_file=None,
        store_root=tmp_path / "store",
        offline=True,
    )
    requires = {
        "below": (),
        "top": ("middle>=1", 'optional ; extra == "extra"', 'never ; extra == "other"'),
        "middle": ('Deep_Down[fast] (>=2) ; python_version >= "3.8"',),
        "deep-down": ('quick ; extra == "fast"',),
        "optional": (),
        "quick": (),
        "never": (),
    }
    for name, lines in requires.items():
        one = wheel(name)
        facts = WheelFacts(file=one.file, sha256=one.sha256, name=name, version="1.0", requires=lines)
        session.store.write_record(_KIND, _key(one.sha256), msgspec.msgpack.encode(facts))
    return session


def locked(session: Session) -> Lock:
    names = ("top", "middle", "deep-down", "optional", "quick", "never", "unseen")
    sources = (
        LockedSource(name="own", version="1", kind="path", source="project"),
        LockedSource(name="sourced", version="2", kind="sdist", source="sourced-2.tar.gz"),
    )
    cells = {
        "base": LockedCell(
            name="base",
            spec_digest="",
            base=BASE,
            python="3.11",
            platform="linux/amd64",
            apt=(deb("libgl1"), deb("libglx0")),
            wheels=(wheel("below"),),
        ),
        "app": LockedCell(
            name="app",
            spec_digest="",
            base=LockedBase(kind="image", source="base"),
            python="3.11",
            platform="linux/amd64",
            wheels=tuple(wheel(name) for name in names),
            sources=sources,
        ),
    }
    return Lock(cells=cells)


@pytest.fixture
def subject(session: Session):
    spec = load_spec(None, session.start)
    (found,) = make_subjects(session, spec, locked(session), ("app",))
    return found


def test_the_cell_is_as_the_spec_says(subject) -> None:
    assert (subject.cell, subject.role, subject.accelerator, subject.python) == (
        "app",
        "training",
        "nvidia",
        "3.11",
    )
    assert subject.env == {"A": "1"}
    assert subject.location.line == 9


def test_the_base_is_the_chains(subject) -> None:
    assert subject.base.reference == "debian:bookworm"
    assert (subject.base.glibc, subject.base.python, subject.base.cuda) == ("2.36", "3.11.2", "none")
    assert not subject.base.closed


def test_what_all_images_are_told_stands_in_the_defaults(subject) -> None:
    assert subject.base_location.text == 'from = "debian:bookworm"'
    assert subject.base_location.line == 4


def test_debian_packages_of_base_and_chain(subject) -> None:
    assert set(subject.system) == {"libc6", "libgl1", "libglx0"}
    assert subject.system_known
    assert subject.system["libc6"].location is None
    assert subject.system["libgl1"].location.line == 7


def test_packages_of_parents_are_there(subject) -> None:
    below = subject.packages["below"]
    assert below.requested
    assert below.location.line == 8


def test_who_needs_whom(subject) -> None:
    needed = {name: one.required_by for name, one in subject.packages.items()}
    assert needed["middle"] == ("top",)
    assert needed["deep-down"] == ("middle",)
    assert needed["optional"] == ("top",)
    assert needed["quick"] == ("deep-down",)
    assert needed["never"] == ()


def test_what_is_needed_lies_where_the_spec_leads_to_it(subject) -> None:
    assert subject.packages["quick"].location.key == "images.app.packages[0]"
    assert not subject.packages["quick"].requested
    assert subject.packages["never"].location is None


def test_what_was_not_read_says_why(subject) -> None:
    assert subject.packages["top"].facts is not None
    assert "offline" in subject.packages["unseen"].why_not
    assert "sourced-2.tar.gz" in subject.packages["sourced"].why_not


def test_a_project_that_compiles_nothing_is_known_before_it_is_built(session: Session) -> None:
    own = session.start / "project" / "pyproject.toml"
    own.write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n[project]\nname = "own"\n'
        'version = "1"\nrequires-python = ">=3.9"\ndependencies = ["deep-down"]\n'
        '[project.optional-dependencies]\nmore = ["quick"]\n'
    )
    spec = load_spec(None, session.start)
    (subject,) = make_subjects(session, spec, locked(session), ("app",))
    facts = subject.packages["own"].facts
    assert facts is not None
    assert (facts.reach, facts.libraries, facts.requires_python) == ("whole", (), ">=3.9")
    assert subject.packages["deep-down"].required_by == ("middle", "own")
    assert subject.packages["quick"].required_by == ("deep-down",)


@pytest.mark.parametrize(
    ("pyproject", "setup"),
    [
        ('[build-system]\nrequires = []\nbuild-backend = "maturin"\n', False),
        (
            '[build-system]\nrequires = []\nbuild-backend = "hatchling.build"\n[tool.hatch.build.hooks.x]\na = 1\n',
            False,
        ),
        ("[project]\nname = 'own'\n", True),
        ("[tool.setuptools]\next-modules = [{ name = 'x', sources = ['x.c'] }]\n", False),
        ("not toml", False),
    ],
)
def test_a_project_that_may_compile_something_is_not(session: Session, pyproject: str, setup: bool) -> None:
    (session.start / "project" / "pyproject.toml").write_text(pyproject)
    if setup:
        (session.start / "project" / "setup.py").write_text("")
    spec = load_spec(None, session.start)
    (subject,) = make_subjects(session, spec, locked(session), ("app",))
    own = subject.packages["own"]
    assert own.facts is None
    assert own.why_not == "it is built from project at build time"
    assert own.requested


# the base in the store

PLATFORM = Platform.parse("linux/amd64")
REGISTRY = LockedBase(kind="registry", source="registry.example/base:1", digest="sha256:" + "2" * 64)


def put_base(store: Store, *layers: dict[str, bytes | Path], env: tuple[str, ...] = ()) -> None:
    """A base in the store, as a build leaves it: file path to content, or a path that a link leads to."""
    built = []
    for number, files in enumerate(layers):
        digest = Digest.of(f"layer {number}".encode())
        with store.writer("blobs", sha256=digest.hex) as out:
            out.write(f"layer {number}".encode())
        with store.make_tree(digest.hex) as folder:
            for path, content in files.items():
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                if isinstance(content, Path):
                    target.symlink_to(content)
                else:
                    target.write_bytes(content)
        built.append(
            BuiltLayer(diff_id=digest, digest=digest, size=1, tar_size=1, created_by="base", media_type="")
        )
    config = json.dumps({"config": {"Env": list(env)}}).encode()
    digits = hashlib.sha256(config).hexdigest()
    with store.writer("blobs", sha256=digits) as out:
        out.write(config)
    node = make_node(Base(base=REGISTRY, platform=str(PLATFORM)), (), "")
    write_result(store, node.digest, NodeResult(layers=tuple(built), config=digits))


STATUS = b"""\
Package: libc6
Status: install ok installed
Priority: optional
Version: 2.36-9

Package: gone
Status: deinstall ok config-files
Version: 1

Package: libgl1
Status: install ok installed
Version: 1.6.0-1
"""


def test_a_base_in_the_store_is_looked_into(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    multiarch = "usr/lib/x86_64-linux-gnu"
    put_base(
        store,
        {
            "etc/os-release": b'NAME="Debian"\nID=debian\nVERSION_ID="12"\n',
            "var/lib/dpkg/status": STATUS,
            f"{multiarch}/libstdc++.so.6": Path("libstdc++.so.6.0.30"),
            f"{multiarch}/libstdc++.so.6.0.30": bytes(
                Elf(soname="libstdc++.so.6", defines=("GLIBCXX_3.4", "GLIBCXX_3.4.9", "GLIBCXX_3.4.30"))
            ),
            f"{multiarch}/libcudart.so.12": b"",
            f"{multiarch}/readme.txt": b"",
        },
        {f"{multiarch}/libcudnn.so.9": b"", "opt/lib/libextra.so.2": b""},
        env=("PATH=/bin", "LD_LIBRARY_PATH=/opt/lib", "CUDA_VERSION=12.4.1"),
    )
    contents = known_contents(store, REGISTRY, PLATFORM)
    assert contents is not None
    assert contents.os == "debian12"
    assert contents.glibcxx == "3.4.30"
    assert contents.debs == {"libc6": "2.36-9", "libgl1": "1.6.0-1"}
    assert {"libstdc++.so.6", "libcudart.so.12", "libcudnn.so.9", "libextra.so.2"} <= set(contents.sonames)
    assert "readme.txt" not in contents.sonames
    # and the second time from its record
    assert known_contents(store, REGISTRY, PLATFORM) == contents
    facts = with_contents(base_facts("registry", REGISTRY.source), contents)
    assert (facts.known, facts.closed) == (True, True)
    assert (facts.cuda, facts.cudnn) == ("12.4.1", "9")
    assert facts.evidence[0].confidence == "binary"


def test_what_a_base_lacks_is_known_then(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    put_base(store, {"etc/os-release": b"ID=debian\nVERSION_ID=12\n"})
    contents = known_contents(store, REGISTRY, PLATFORM)
    assert contents is not None
    named = base_facts("registry", "nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04")
    facts = with_contents(named, contents)
    assert (facts.cuda, facts.cudnn, facts.os) == ("none", "none", "debian12")


def test_links_cannot_lead_out_of_the_base(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    (tmp_path / "secret").write_text("ID=stolen\n")
    put_base(store, {"etc/os-release": Path("../../../../../../../../../../" + str(tmp_path / "secret")[1:])})
    contents = known_contents(store, REGISTRY, PLATFORM)
    assert contents is not None
    assert contents.os == ""


def test_this_machines_libraries_are_not_the_bases(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    (tmp_path / "host").mkdir()
    (tmp_path / "host" / "libhost.so.1").write_bytes(b"")
    put_base(store, {"usr/lib/liba.so.1": b"", "lib": tmp_path / "host", "lib64": Path("usr/lib")})
    contents = known_contents(store, REGISTRY, PLATFORM)
    assert contents is not None
    assert set(contents.sonames) == {"liba.so.1"}


def test_a_ring_of_links_ends(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    put_base(store, {"etc/os-release": Path("other"), "etc/other": Path("os-release")})
    contents = known_contents(store, REGISTRY, PLATFORM)
    assert contents is not None
    assert contents.os == ""


def test_a_base_that_is_not_there_is_not_known(tmp_path: Path) -> None:
    assert known_contents(Store(tmp_path / "store"), REGISTRY, PLATFORM) is None
