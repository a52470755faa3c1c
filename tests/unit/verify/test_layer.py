"""What is learnt of contents while they pass by."""

import hashlib

import pytest

from layerwright.core.errors import IntegrityError
from layerwright.verify import layer as layer_module
from layerwright.verify import read_contents
from layerwright.verify.secrets import SecretScanner
from support.elf_file import Elf
from support.made_image import LIB, SITE, Link, Put, dist, inspect_image, make_image


def test_elf_files_whether_in_memory_or_on_disk(tmp_path, monkeypatch):
    small = Elf(
        soname="libsmall.so.1",
        needed=("libc.so.6",),
        runpath="$ORIGIN/x",
        versions={"libc.so.6": ("GLIBC_2.28",)},
    )
    large = Elf(soname="liblarge.so.1", needed=("libm.so.6",), rpath="/a:/b", padding=9000, defines=("L_1",))
    second = Elf(soname="libsecond.so.1", padding=8000)
    monkeypatch.setattr(layer_module, "_IN_MEMORY", 8000)
    image = inspect_image(tmp_path, {"a/s.so": small, "a/l.so": large, "a/2.so": second})
    found = {path: node.entry.library for path, node in image.tree.walk() if node.entry.kind == "file"}
    assert found["/a/s.so"].needed == ("libc.so.6",)
    assert found["/a/s.so"].runpath == ("$ORIGIN/x",)
    assert found["/a/s.so"].versions_needed == {"libc.so.6": ("GLIBC_2.28",)}
    assert (found["/a/l.so"].rpath, found["/a/l.so"].versions_defined) == (("/a", "/b"), ("L_1",))
    assert found["/a/2.so"].soname == "libsecond.so.1"
    assert found["/a/l.so"].path == "/a/l.so"
    assert not list(tmp_path.rglob("elf"))


def test_what_is_no_elf_file_or_a_damaged_one(tmp_path):
    image = inspect_image(
        tmp_path,
        {
            "a.so": b"\x7fELF",
            "b.so": b"/* GNU ld script */",
            "c.so": bytes(Elf(soname="x"))[:100],
            "d": b"\x7f",
            "e": b"",
        },
    )
    assert [node.entry.library for _, node in image.tree.walk()] == [None] * 5


def test_digests_and_kept_texts(tmp_path):
    files = dist("demo", "2.0", files={"demo/data.bin": b"d" * 100})
    image = inspect_image(tmp_path, {**files, "etc/os-release": b"ID=debian\n", "home/notes": b"not kept"})
    node = image.tree.find(f"/{SITE}/demo/data.bin")
    assert node.entry.sha256 == hashlib.sha256(b"d" * 100).digest()
    assert node.entry.text is None
    assert image.tree.text("/etc/os-release") == "ID=debian\n"
    assert image.tree.text("/home/notes") is None
    assert "Name: demo" in image.tree.text(f"/{SITE}/demo-2.0.dist-info/METADATA")


def test_hard_links_share_what_was_learnt(tmp_path):
    elf = Elf(soname="liba.so.1")
    image = inspect_image(
        tmp_path, {f"{LIB}/liba.so.1": elf, f"{LIB}/copy.so": Link(target=f"{LIB}/liba.so.1", hard=True)}
    )
    first, second = (image.tree.find(f"/{LIB}/{name}").entry for name in ("liba.so.1", "copy.so"))
    assert first.library is second.library


def test_a_layer_that_occurs_twice_is_read_once(tmp_path):
    image, blobs = make_image({"a": b"1"}, {"a": b"2"}, {"a": b"1"})
    contents = read_contents(image, blobs, scratch=tmp_path)
    assert blobs.opened.count(image.layers[0].diff_id) == 1
    assert contents.tree.find("/a").entry.layer == 2


def test_secrets_of_every_layer_and_of_the_config(tmp_path):
    password = b"correct-horse-battery-staple"
    scanner = SecretScanner({"password": password})
    image = inspect_image(
        tmp_path,
        {"root/.netrc": b"machine x login me password " + password + b"\n"},
        {"root/.wh..netrc": b""},
        env={"URL": "https://me:correct-horse-battery-staple@pypi.example.org/"},
        scanner=scanner,
    )
    (hit,) = image.contents.layers[0].secrets
    assert (hit.where, hit.layer) == ("/root/.netrc", str(image.contents.image.layers[0].diff_id))
    assert image.contents.layers[1].secrets == ()
    assert {hit.where for hit in image.contents.config_secrets} >= {"env URL"}


def test_what_is_not_the_tar_of_its_digest(tmp_path):
    image, blobs = make_image({"a": b"1"}, {"b": b"2"})
    first, second = image.layers
    blobs.tars[first.diff_id] = blobs.tars[second.diff_id] + b"x"
    with pytest.raises(IntegrityError):
        read_contents(image, _Verified(blobs), scratch=tmp_path)


class _Verified:
    def __init__(self, blobs):
        self._blobs = blobs

    def open_tar(self, layer):
        from layerwright.oci.blobs import verified

        return verified(self._blobs.open_tar(layer), layer.diff_id, what="a tar")


def test_a_damaged_tar_names_its_layer(tmp_path):
    image, blobs = make_image({"a": b"1"}, {"b": b"2" * 600})
    second = image.layers[1]
    blobs.tars[second.diff_id] = blobs.tars[second.diff_id][:700]
    with pytest.raises(
        IntegrityError, match=r"layer .* \(number 2 from the bottom\): a layer is no sound tar"
    ):
        read_contents(image, blobs, scratch=tmp_path)


def test_modes_and_owners(tmp_path):
    image = inspect_image(
        tmp_path, {"bin/su": Put(mode=0o4755, uid=0, gid=5), "bin/ping": Put(capability=b"\x01")}
    )
    assert image.tree.find("/bin/su").entry.mode == 0o4755
    assert image.tree.find("/bin/su").entry.gid == 5
