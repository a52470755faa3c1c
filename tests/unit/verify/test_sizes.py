"""Where the bytes of an image are, and what could go."""

import os

import pytest

from layerwright.verify import Inspection, read_contents
from layerwright.verify.measure import MeasuredBlobs
from layerwright.verify.mentions import Mentions
from layerwright.verify.owners import debian_packages
from layerwright.verify.shipped import shipped_files
from layerwright.verify.size_kinds import KINDS, kind_of
from layerwright.verify.sizes import SizeReport, measure_image
from layerwright.workflow.size_tree import size_tree
from support.elf_file import Elf
from support.made_image import LIB, SITE, Content, Link, Put, debian, dist, make_image

MIB = 1 << 20
NOISE = os.urandom(3 * MIB)  # does not compress
STATUS = b"""\
Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9

Package: gone
Status: deinstall ok config-files
Version: 1
"""


def read(tmp_path, *layers, **options):
    image, blobs = make_image(*layers, **options)
    measured = MeasuredBlobs(blobs)
    contents = read_contents(image, measured, scratch=tmp_path)
    return Inspection(name="made:1", contents=contents), measured.measured


@pytest.fixture
def report(tmp_path):
    number = 0

    def make(*layers: dict[str, Content], **options) -> SizeReport:
        nonlocal number
        number += 1
        folder = tmp_path / str(number)
        folder.mkdir()
        return measure_image(*read(folder, *layers, **options))

    return make


def savings(found: SizeReport) -> dict[str, int]:
    return {one.title.partition(":")[0]: one.bytes for one in found.savings}


def padded(size=2 * MIB, **fields) -> Elf:
    return Elf(padding=size, **fields)


def test_the_sums_are_right(report):
    found = report(
        debian(),
        {"opt/a": NOISE[:MIB], "opt/b": b"b" * MIB},
        {"opt/a": NOISE[MIB:], "opt/.wh.b": b""},
        history=["base", "RUN  one", "RUN two"],
    )
    assert found.bytes == sum(layer.bytes for layer in found.layers) == found.visible + 2 * MIB
    assert found.compressed == sum(layer.compressed for layer in found.layers)
    assert found.packed
    one, two = found.layers[1:]
    assert (one.number, one.created_by, one.bytes, one.hidden, one.files) == (
        2,
        "RUN one",
        2 * MIB,
        2 * MIB,
        2,
    )
    assert (two.bytes, two.hidden) == (2 * MIB, 0)
    for parts in (found.kinds, found.folders, found.largest):
        assert sum(part.bytes for part in parts) == found.visible
        assert [part.bytes for part in parts] == sorted((part.bytes for part in parts), reverse=True)
    assert savings(found) == {"files that a later layer deletes or replaces": 2 * MIB}
    assert found.savings[0].sure


def test_compressed_sizes_are_the_blobs_own(tmp_path):
    image, measured = read(
        tmp_path, {"a": NOISE[:MIB], "b": b"b" * MIB, "c": NOISE[MIB : 2 * MIB], "d": b"d"}
    )
    (layer,) = image.contents.image.layers
    found = {one.path: one.compressed for one in shipped_files(image, measured)}
    assert abs(found["a"] - MIB) < 70_000
    assert abs(found["c"] - MIB) < 70_000
    assert found["b"] < 40_000
    assert layer.size - 40_000 < sum(found.values()) <= layer.size


def test_packages_python_and_debian(report):
    demo = dist("demo", "2.0", files={"demo/big.py": b"#" * MIB})
    cache = {f"{SITE}/demo/__pycache__/big.cpython-311.pyc": b"c" * MIB}
    base = debian(
        **{
            "var/lib/dpkg/status": STATUS,
            "var/lib/dpkg/info/libc6:amd64.list": b"/.\n/lib\n/lib/x86_64-linux-gnu/libc.so.6\n/%s/libm.so.6\n"
            % LIB.encode(),
            "var/lib/dpkg/info/gone.list": b"/etc/os-release\n",
        }
    )
    found = report(base, demo, cache)
    sizes = {part.name: (part.bytes > 2 * MIB, part.files) for part in found.packages}
    assert sizes == {"demo 2.0": (True, 5), "libc6 2.36-9 (deb)": (False, 2)}


def test_debian_packages_of_images_without_dpkg(tmp_path):
    image, _ = read(tmp_path, {"var/lib/dpkg/status.d/base": b"Package: base-files\nVersion: 12.4\n"})
    assert debian_packages(image) == {"base-files": "12.4"}


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("root/.cache/pip/x.whl", "caches and package lists"),
        ("var/lib/apt/lists/deb.debian.org_Packages", "caches and package lists"),
        (f"{SITE}/x/__pycache__/y.cpython-311.pyc", "bytecode"),
        (f"{SITE}/x/y.py", "Python source"),
        (f"{SITE}/x/tests/y.py", "tests and documentation"),
        ("usr/share/doc/x/changelog.gz", "tests and documentation"),
        (f"{SITE}/torch/include/a.h", "headers and static libraries"),
        ("usr/lib/libx.a", "headers and static libraries"),
        ("models/m.onnx", "models and data sets"),
        ("opt/x.tar.gz", "archives and packages"),
        ("etc/passwd", "other"),
    ],
)
def test_kinds(tmp_path, path, kind):
    image, _ = read(tmp_path, {path: b"x"})
    assert kind_of(path, image.tree.find(path).entry) == kind
    assert kind in KINDS


def test_programs_and_libraries(report):
    kinds = {part.name: part.files for part in report(debian()).kinds}
    assert kinds["shared libraries"] == 4
    assert kinds["programs"] == 1


def test_copies_and_hard_links(report):
    found = report(debian(), {"a/one": NOISE, "b/two": NOISE, "c/three": Link(target="a/one", hard=True)})
    (saving,) = found.savings
    assert saving.title.startswith("copies")
    assert saving.bytes == len(NOISE)
    assert saving.examples == (("/b/two", len(NOISE)),)
    assert saving.compressed > 0.9 * len(NOISE)


def test_a_library_of_the_base_and_of_a_package(report):
    library = padded(soname="libcudnn.so.9", defines=("A_1",))
    own = dist("nvidia-cudnn", files={"nvidia/cudnn/lib/libcudnn.so.9": library})
    user = dist("user", files={"user/_c.abi3.so": Elf(needed=("libcudnn.so.9",))})
    base = debian(**{f"{LIB}/libcudnn.so.9": padded(soname="libcudnn.so.9")})
    found = report(base, own, user)
    assert "libraries that are there twice, in different builds" in savings(found)


def test_libraries_that_nothing_names(report):
    def lib(name: str, text: bytes = b"") -> Elf:
        return padded(soname=name, constants=text)

    files: dict[str, Content] = {
        "pack/_c.abi3.so": Elf(needed=("libc.so.6",), constants=b"\0libopened.so.1\0"),
        "pack/load.py": b"ctypes.CDLL('libfrompython.so.2')\n",
        "pack/lib/libopened.so.1": lib("libopened.so.1", b"\0libnext.so\0"),
        "pack/lib/libnext.so.9": lib("libnext.so.9"),
        "pack/lib/libfrompython.so.2": lib("libfrompython.so.2"),
        "pack/lib/libidle.so.3": lib("libidle.so.3", b"\0libidle.so.3\0"),
    }
    found = report(debian(), dist("pack", files=files))
    (saving,) = [
        one for one in found.savings if one.title == "libraries that nothing in the image needs or names"
    ]
    assert [path.rpartition("/")[2] for path, _ in saving.examples] == ["libidle.so.3"]
    assert not saving.sure


def test_code_for_gpus(report):
    fatbin = ((2, 86, 0), (2, 90, 0), (1, 90, 0))
    found = report(debian(), {f"{LIB}/libgpu.so.1": padded(soname="libgpu.so.1", fatbin=fatbin)})
    assert {part.name for part in found.gpu} == {
        "compute capability 8.6",
        "compute capability 9.0",
        "compute capability 9.0, PTX",
    }
    assert all(part.files == 1 and part.bytes > 0 for part in found.gpu)


def test_names_over_the_borders_of_pieces():
    data = b"\0".join(
        [b"x" * 500, b"libfirst.so.1", b"y" * 900, b"dir/libsecond.so", b"z" * 300, b".so", b"lib.sox"]
    )
    for step in (1, 50, 10_000):
        mentions = Mentions(Mentions.search())
        for at in range(0, len(data), step):
            mentions.feed(data[at : at + step])
        mentions.close()
        assert mentions.names == {"libfirst.so.1", "libsecond.so", "lib.so"}


def test_the_tree_adds_up(tmp_path):
    image, measured = read(
        tmp_path,
        debian(),
        dist("demo", files={"demo/a/b.py": b"x" * MIB}),
        {"opt/x": NOISE},
        {"opt/.wh.x": b""},
    )
    tree = size_tree(image, measured)
    assert tree.bytes == measure_image(image, measured).bytes
    assert [layer.kind for layer in tree.children] == ["layer"] * 4
    (package,) = tree.children[1].children
    assert (package.name, package.kind) == ("demo 1.0", "package")
    (opt,) = tree.children[2].children
    assert (opt.name, opt.children[0].name, opt.children[0].note) == ("/opt", "x", "hidden by a later layer")

    def sound(node) -> bool:
        parts = node.children
        return not parts or (node.bytes == sum(one.bytes for one in parts) and all(map(sound, parts)))

    assert sound(tree)


def test_what_was_not_measured_is_estimated(tmp_path):
    image, _ = read(tmp_path, {"a": b"x" * 100, "b": Put(data=b"y" * 300, mode=0o600)})
    found = {one.path: one.compressed for one in shipped_files(image, {})}
    (layer,) = image.contents.image.layers
    assert found["b"] == pytest.approx(3 * found["a"], abs=2)
    assert sum(found.values()) == pytest.approx(layer.size, abs=2)
