import gzip
import io
import os
import string
import subprocess
import sys
import tarfile
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from layerwright.core.errors import BuildError, IntegrityError
from layerwright.layers import emit_blob, emit_tar, extract_layer, wheel_layer
from layerwright.layers import tar as tar_module
from layerwright.layers.archive import WheelArchive
from layerwright.layers.deflate import encode_literal, gzip_literal
from layerwright.layers.names import fault_of_path
from layerwright.layers.tar import END_OF_ARCHIVE, TarEntry, header, padding
from layerwright.oci.digest import Digest
from support.wheels import Entry, make_wheel, write_zip

pytestmark = pytest.mark.property

WHERE = {"prefix": "/opt/venv", "python": "3.11"}
stretches = st.lists(
    st.one_of(
        st.binary(max_size=200),
        st.integers(0, 1200).map(bytes),
        st.integers(65_000, 140_000).map(bytes),
        st.integers(65_000, 140_000).map(lambda size: b"\x01\x02\x03" * (size // 3)),
    ),
    max_size=6,
).map(b"".join)
names = st.text(
    st.one_of(st.sampled_from("./\\:\0\n ~"), st.sampled_from(string.ascii_letters), st.characters()),
    min_size=1,
    max_size=40,
)
long_names = st.lists(st.text("abc-é", min_size=1, max_size=120), min_size=1, max_size=6).map("/".join)


@given(stretches)
def test_literals_come_back_through_zlib_and_gzip(data):
    assert zlib.decompress(encode_literal(data), -15) == data
    assert gzip.decompress(gzip_literal(data)) == data
    assert len(encode_literal(data)) <= len(data) + 5 * (len(data) // 32 + 2)


@given(
    st.one_of(names, long_names),
    st.sampled_from([tar_module.FILE, tar_module.DIRECTORY]),
    st.binary(max_size=600),
)
@example("a" * 100, tar_module.DIRECTORY, b"")
def test_any_name_is_refused_or_comes_back_from_the_tar(name, kind, content):
    if fault_of_path(name):
        return
    assert not name.startswith("/")
    assert ".." not in name.split("/")
    content = content if kind == tar_module.FILE else b""
    data = (
        header(TarEntry(path=name, type=kind, size=len(content)))
        + content
        + padding(len(content))
        + END_OF_ARCHIVE
    )
    with tarfile.open(fileobj=io.BytesIO(data), errors="strict") as archive:
        (member,) = archive.getmembers()
        assert member.name == name
        assert member.isdir() == (kind == tar_module.DIRECTORY)
        if member.isreg():
            assert archive.extractfile(member).read() == content


@given(names)
def test_any_member_name_is_refused_or_read_as_it_was_written(name):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "x.whl"
        try:
            write_zip(path, [(name, Entry(data=b"1"))])
        except UnicodeEncodeError:  # no zip file can hold it
            return
        with suppress(IntegrityError), WheelArchive(path, "x.whl") as archive:
            assert set(archive.members) == {zipfile.ZipInfo(name).filename}  # which ends at a NUL byte


contents = st.one_of(st.binary(max_size=3000), st.integers(0, 200_000).map(bytes))
entries = st.builds(Entry, data=contents, stored=st.booleans(), streamed=st.booleans(), zip64=st.booleans())
modules = st.dictionaries(
    st.text(string.ascii_lowercase + "é", min_size=1, max_size=8).map("pkg/{}.bin".format),
    entries,
    max_size=6,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(modules, min_size=1, max_size=3), st.randoms())
def test_the_layer_holds_the_wheels_whatever_their_order(packages, random):
    with TemporaryDirectory() as folder:
        wheels = [
            make_wheel(
                Path(folder),
                f"demo{number}",
                files={f"d{number}/{path}": entry for path, entry in files.items()},
            )
            for number, files in enumerate(packages)
        ]
        digests = wheel_layer(wheels, **WHERE)
        random.shuffle(wheels)
        assert wheel_layer(wheels, **WHERE) == digests
        blob = b"".join(emit_blob(wheels, **WHERE, expected=digests.digest))
        tar = b"".join(emit_tar(wheels, **WHERE, expected=digests.diff_id))
        assert gzip.decompress(blob) == tar
        assert (Digest.of(blob), Digest.of(tar)) == (digests.digest, digests.diff_id)
        with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
            found = {member.name: archive.extractfile(member).read() for member in archive if member.isreg()}
        for number, files in enumerate(packages):
            for path, entry in files.items():
                assert found[f"opt/venv/lib/python3.11/site-packages/d{number}/{path}"] == entry.data


member_kinds = st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE])
paths = st.lists(
    st.sampled_from(["a", "b", "..", ".", "", ".wh.a", ".wh..wh..opq"]), min_size=1, max_size=4
).map("/".join)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(member_kinds, paths, paths), max_size=8))
def test_no_tar_writes_outside_its_folder(members):
    with TemporaryDirectory() as folder:
        into = Path(folder) / "x/y/into"
        into.mkdir(parents=True)
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as archive:
            for kind, name, target in members:
                member = tarfile.TarInfo(name or "a")
                member.type, member.linkname, member.mode = kind, target, 0o755
                archive.addfile(member)
        with suppress(IntegrityError, BuildError):  # told, not crashed
            extract_layer([out.getvalue()], into, as_root=False)
        below = {path for path in Path(folder).rglob("*") if into not in path.parents}
        assert below == {Path(folder) / "x", Path(folder) / "x/y", into}


PROGRAM = """
import os, sys
os.umask(int(sys.argv[1], 8))
from pathlib import Path
from layerwright.layers import WheelFile, scan_tree, tree_layer, wheel_layer
folder = Path(sys.argv[2])
def wheel(path):
    return WheelFile(path=path, sha256=path.stem[:1] * 64, file=path.name, name=path.name.split("-")[0],
                     version="1.0", requested=True)
wheels = [wheel(path) for path in folder.glob("*.whl")]
print(wheel_layer(wheels, prefix="/opt/venv", python="3.11"))
scan = scan_tree(folder)
print(scan.digest, tree_layer(scan, to="/code"))
"""


def test_nothing_of_the_host_enters_a_layer(tmp_path):
    make_wheel(tmp_path, "one", files={"one/資料.txt": "中文".encode(), "one/big.bin": bytes(9_000_000)})
    make_wheel(tmp_path, "two", entry_points="[console_scripts]\ntwo = two:main\nb = two:b\n")
    (tmp_path / "中文.txt").write_text("x", encoding="utf-8")
    found = set()
    for umask, zone, locale, seed in (
        ("022", "UTC", "C.UTF-8", "0"),
        ("077", "Asia/Taipei", "C", "1"),
        ("000", "America/Los_Angeles", "POSIX", "77"),
    ):
        environment = {"TZ": zone, "LC_ALL": locale, "PYTHONHASHSEED": seed, "PATH": os.environ["PATH"]}
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM, umask, tmp_path], env=environment, capture_output=True, check=True
        )
        found.add(run.stdout)
    assert len(found) == 1


def test_gzip_and_gnu_tar_read_what_we_write(tmp_path):
    files = {
        f"demo/{'n' * 120}.txt": b"long",
        "demo/資料.txt": b"1",
        "demo/z.bin": bytes(100_000),
        "demo/empty": b"",
    }
    wheel = make_wheel(tmp_path, files=files | {"demo/s.bin": Entry(data=b"stored" * 50_000, stored=True)})
    blob = tmp_path / "layer.tar.gz"
    blob.write_bytes(b"".join(emit_blob([wheel], **WHERE)))
    subprocess.run(["gzip", "--test", blob], check=True, capture_output=True)
    unpacked = subprocess.run(["gzip", "-dc", blob], check=True, capture_output=True)
    assert unpacked.stdout == b"".join(emit_tar([wheel], **WHERE))
    (tmp_path / "out").mkdir()
    told = subprocess.run(
        ["tar", "-C", tmp_path / "out", "-xzf", blob, "--no-same-owner"], check=True, capture_output=True
    )
    assert told.stderr == b""
    site = tmp_path / "out/opt/venv/lib/python3.11/site-packages"
    for name, content in files.items():
        assert (site / name).read_bytes() == content
    assert (site / "demo/s.bin").read_bytes() == b"stored" * 50_000
