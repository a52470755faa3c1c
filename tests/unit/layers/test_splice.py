import gzip
import hashlib
import io
import os
import stat
import tarfile
import threading
import zipfile
import zlib
from dataclasses import replace

import pytest

from layerwright.core.errors import BuildError, IntegrityError
from layerwright.layers import emit_blob, emit_tar, wheel_layer
from layerwright.layers import inflate as inflate_module
from layerwright.layers.tar import MTIME
from layerwright.oci.digest import Digest
from support.wheels import Entry, executable, make_wheel, patch_member, record_hash, write_zip

WHERE = {"prefix": "/opt/venv", "python": "3.11"}
SITE = "opt/venv/lib/python3.11/site-packages"
NOISE = bytes((i * 7919 + (i >> 8) * 31) % 251 for i in range(300_000))


def various(tmp_path, name="demo", **options):
    files = {
        f"{name}/__init__.py": b"X = 1\n",
        f"{name}/empty.py": b"",
        f"{name}/empty.bin": Entry(data=b"", stored=True),
        f"{name}/tool": executable(b"#!/bin/sh\n"),
        f"{name}/noise.bin": Entry(data=NOISE * 5, stored=True),
        f"{name}/zeros.bin": bytes(9_000_000),
        f"{name}/text.txt": Entry(data=NOISE, streamed=True),
        f"{name}/long/{'n' * 120}.txt": b"long",
        f"{name}/資料.txt": "中文".encode(),
    }
    return make_wheel(tmp_path, name, files=files, **options)


def members_of(tar):
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        return {
            member.name: (member, archive.extractfile(member).read() if member.isreg() else b"")
            for member in archive.getmembers()
        }


def test_blob_and_tar_are_what_the_digests_say(tmp_path):
    wheel = various(tmp_path)
    digests = wheel_layer([wheel], **WHERE)
    blob = b"".join(emit_blob([wheel], **WHERE))
    tar = b"".join(emit_tar([wheel], **WHERE))
    assert Digest.of(blob) == digests.digest
    assert Digest.of(tar) == digests.diff_id
    assert (len(blob), len(tar)) == (digests.size, digests.tar_size)
    assert gzip.decompress(blob) == tar
    assert b"".join(emit_blob([wheel], **WHERE, expected=digests.digest)) == blob
    assert b"".join(emit_tar([wheel], **WHERE, expected=digests.diff_id)) == tar
    for piece in (*emit_blob([wheel], **WHERE), *emit_tar([wheel], **WHERE)):
        assert len(piece) < 2 << 20


def test_tar_from_an_extracted_tree_is_the_same_tar(tmp_path):
    wheel = various(tmp_path)
    tree = tmp_path / "tree"
    tree.mkdir()
    digests = wheel_layer([wheel], **WHERE, trees={wheel.sha256: tree})
    options = {**WHERE, "expected": digests.diff_id, "trees": {wheel.sha256: tree}}
    assert Digest.of(b"".join(emit_tar([wheel], **options))) == digests.diff_id
    noise = tree / SITE / "demo" / "noise.bin"
    noise.write_bytes(b"x" + noise.read_bytes()[1:])
    with pytest.raises(IntegrityError):
        list(emit_tar([wheel], **options))
    noise.unlink()
    with pytest.raises(IntegrityError, match="cannot be read"):
        list(emit_tar([wheel], **options))


def test_the_wheel_s_own_streams_stand_in_the_blob(tmp_path):
    wheel = various(tmp_path)
    blob = b"".join(emit_blob([wheel], **WHERE))
    raw = zlib.compressobj(6, zlib.DEFLATED, -15)
    stream = raw.compress(bytes(9_000_000)) + raw.flush()
    assert stream in blob
    assert stream in wheel.path.read_bytes()


def test_the_tar_of_a_layer(tmp_path):
    members = members_of(b"".join(emit_tar([various(tmp_path)], **WHERE)))
    names = list(members)
    assert names[:3] == ["opt", "opt/venv", "opt/venv/lib"]
    assert len(names) == len(set(names))
    assert members[f"{SITE}/demo/noise.bin"][1] == NOISE * 5
    assert members[f"{SITE}/demo/資料.txt"][1] == "中文".encode()
    for name, (member, _) in members.items():
        assert (member.uid, member.gid, member.mtime) == (0, 0, MTIME)
        permissions = 0o755 if member.isdir() or name.endswith("/tool") else 0o644
        assert member.mode & 0o7777 == permissions


def test_the_tree_is_the_tar_and_knows_no_umask(tmp_path):
    wheel = various(tmp_path)
    tree = tmp_path / "tree"
    tree.mkdir()
    before = os.umask(0o077)
    try:
        with_tree = wheel_layer([wheel], **WHERE, trees={wheel.sha256: tree})
    finally:
        os.umask(before)
    assert with_tree == wheel_layer([wheel], **WHERE)
    members = members_of(b"".join(emit_tar([wheel], **WHERE)))
    found = {str(path.relative_to(tree)): path for path in tree.rglob("*")}
    assert found.keys() == members.keys()
    for name, (member, content) in members.items():
        status = found[name].stat()
        assert stat.S_IMODE(status.st_mode) == member.mode & 0o7777
        assert status.st_mtime == MTIME
        if member.isreg():
            assert found[name].read_bytes() == content


def test_several_wheels_share_a_layer_whatever_their_order(tmp_path):
    wheels = [make_wheel(tmp_path, name) for name in ("one", "two", "three")]
    digests = wheel_layer(wheels, **WHERE)
    assert wheel_layer(wheels[::-1], **WHERE) == digests
    tar = b"".join(emit_tar(wheels, **WHERE))
    assert Digest.of(tar) == digests.diff_id
    assert b"".join(emit_tar(wheels[1:] + wheels[:1], **WHERE)) == tar
    names = list(members_of(tar))
    assert len(names) == len(set(names))
    assert {f"{SITE}/{name}/__init__.py" for name in ("one", "two", "three")} < set(names)


def test_each_wheel_of_a_group_gets_its_own_tree(tmp_path):
    shared = {"shared/__init__.py": b"same", "big.bin": NOISE}
    wheels = [make_wheel(tmp_path, name, files=shared) for name in ("one", "two")]
    trees = {}
    for wheel in wheels:
        trees[wheel.sha256] = tmp_path / wheel.name
        trees[wheel.sha256].mkdir()
    wheel_layer(wheels, **WHERE, trees=trees)
    for wheel in wheels:
        site = trees[wheel.sha256] / SITE
        assert (site / "shared/__init__.py").read_bytes() == b"same"
        assert (site / "big.bin").read_bytes() == NOISE
        assert [path.name for path in site.glob("*.dist-info")] == [f"{wheel.name}-1.0.dist-info"]


def test_different_bytes_at_one_path_are_refused(tmp_path):
    one = make_wheel(tmp_path, "one", files={"cv2/__init__.py": b"one"})
    two = make_wheel(tmp_path, "two", files={"cv2/__init__.py": b"two"})
    with pytest.raises(BuildError, match=r"cv2/__init__\.py") as caught:
        wheel_layer([one, two], **WHERE)
    assert one.file in caught.value.what
    assert two.file in caught.value.what
    file = make_wheel(tmp_path, "three", files={"cv2": b""})
    with pytest.raises(BuildError, match="site-packages/cv2"):
        wheel_layer([one, file], **WHERE)


def test_the_second_owner_of_a_path_is_checked_too(tmp_path):
    def lie(rows):
        return [[row[0], record_hash(b"same"), row[2]] if row[0] == "shared.py" else row for row in rows]

    good = make_wheel(tmp_path, "one", files={"shared.py": b"same"})
    for number in range(3):  # either may come first: the order is that of the sha256
        liar = make_wheel(tmp_path, f"two{number}", files={"shared.py": b"fake"}, change_record=lie)
        with pytest.raises(IntegrityError, match="digest that RECORD gives"):
            wheel_layer([good, liar], **WHERE)


def test_the_requested_mark_and_prefix_are_part_of_the_layer(tmp_path):
    wheel = make_wheel(tmp_path)
    base = wheel_layer([wheel], **WHERE)
    others = [
        wheel_layer([replace(wheel, requested=True)], **WHERE),
        wheel_layer([replace(wheel, direct_url="{}")], **WHERE),
        wheel_layer([wheel], prefix="/opt/other", python="3.11"),
        wheel_layer([wheel], prefix="/opt/venv", python="3.12"),
    ]
    assert len({base.diff_id, *(other.diff_id for other in others)}) == 5


def test_the_bytes_of_the_first_published_layer_never_move(tmp_path):
    """A change here changes every digest that anybody has: raise LAYER_FORMAT and say why in the ADR."""
    entry = Entry(data=b"print('hello')\n" * 10, stored=True)
    # every member stored, so that the wheel's own bytes do not depend on this machine's zlib
    wheel = make_wheel(tmp_path, files={"demo.py": entry, "zeros.bin": Entry(data=bytes(1000), stored=True)})
    wheel = restore(wheel)
    digests = wheel_layer([wheel], **WHERE)
    assert digests.tar_size == 10752
    assert digests.diff_id.short == "42b048e9895c"
    assert digests.digest.short == "639e2158e03e"


def restore(wheel):
    """The same wheel with every member stored."""
    with zipfile.ZipFile(wheel.path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    write_zip(wheel.path, [(name, Entry(data=data, stored=True)) for name, data in contents.items()])
    return replace(wheel, sha256=hashlib.sha256(wheel.path.read_bytes()).hexdigest())


def test_isal_and_zlib_make_the_same_layer(tmp_path, monkeypatch):
    wheel = various(tmp_path)
    digests = wheel_layer([wheel], **WHERE)
    monkeypatch.setattr(inflate_module, "codec", zlib)
    assert wheel_layer([wheel], **WHERE) == digests


def test_many_threads_make_the_same_layers(tmp_path):
    wheels = [various(tmp_path, name) for name in ("one", "two", "three", "four")]
    alone = [wheel_layer([wheel], **WHERE) for wheel in wheels]
    together = [None] * len(wheels)

    def work(number):
        together[number] = wheel_layer([wheels[number]], **WHERE)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(wheels))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


def test_progress_ends_at_the_members_compressed_bytes(tmp_path):
    wheel = various(tmp_path)
    amounts = []
    wheel_layer([wheel], **WHERE, progress=amounts.append)
    assert 0.9 * wheel.path.stat().st_size < sum(amounts) <= wheel.path.stat().st_size


def flip(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def test_wheel_bytes_that_changed_are_noticed_on_every_way_out(tmp_path):
    wheel = various(tmp_path)
    digests = wheel_layer([wheel], **WHERE)
    where = wheel.path.read_bytes().index(NOISE[:64]) + 1000
    patch_member(wheel, lambda data: flip(data, where))
    with pytest.raises(IntegrityError, match=r"noise\.bin"):
        wheel_layer([wheel], **WHERE)
    for emit in (emit_blob, emit_tar):
        with pytest.raises(IntegrityError, match=r"noise\.bin"):
            list(emit([wheel], **WHERE))
    given = []
    with pytest.raises(IntegrityError, match="a wheel's bytes changed"):
        given.extend(emit_blob([wheel], **WHERE, expected=digests.digest))
    assert sum(map(len, given)) < digests.size  # the end was held back


def test_an_error_of_the_hashing_thread_stops_the_work(tmp_path):
    def lie(rows):
        return [[row[0], record_hash(b"?"), row[2]] if row[0].endswith("zeros.bin") else row for row in rows]

    wheel = various(tmp_path, change_record=lie)
    before = threading.active_count()
    with pytest.raises(IntegrityError, match=r"zeros\.bin"):
        wheel_layer([wheel], **WHERE)
    assert threading.active_count() == before


def test_a_tree_that_is_not_empty_is_left_alone(tmp_path):
    wheel = make_wheel(tmp_path)
    tree = tmp_path / "tree"
    (tree / "opt").mkdir(parents=True)
    with pytest.raises(FileExistsError):
        wheel_layer([wheel], **WHERE, trees={wheel.sha256: tree})


def test_no_wheel_is_an_empty_layer():
    digests = wheel_layer([], **WHERE)
    assert digests.tar_size == 1024
