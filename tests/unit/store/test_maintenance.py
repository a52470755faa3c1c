import os
from pathlib import Path

import pytest

from layerwright.oci.digest import Digest
from layerwright.store import Room, Store


def put(store: Store, data: bytes, *, age: int, room: Room = "blobs") -> str:
    """Keep the bytes, last used ``age`` seconds after the beginning of time."""
    with store.writer(room) as writer:
        writer.write(data)
    os.utime(writer.path, (age, age))
    return writer.hex


def put_tree(store: Store, key: str, *, size: int, age: int) -> None:
    with store.make_tree(key) as folder:
        (folder / "file").write_bytes(os.urandom(size))
    os.utime(store.root / "trees" / key / "about", (age, age))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


def test_info_counts_what_is_there(root: Path) -> None:
    with Store(root) as store:
        one = put(store, bytes(10_000), age=1)
        put(store, bytes(20_000), age=1, room="wheels")
        put_tree(store, "t", size=9000, age=1)
        store.write_record("facts", "k", b"{}")
        store.part_path("wheels", "0" * 64).write_bytes(bytes(5000))
        store.set_image("a:1", Digest.from_hex(one))
        info = store.info()
        assert info.temporary > 0
    assert {kind: room.count for kind, room in info.rooms.items()} == {
        "wheels": 1,
        "debs": 0,
        "files": 0,
        "blobs": 1,
        "sdists": 0,
        "trees": 1,
        "records": 1,
        "partial": 1,
    }
    assert info.rooms["blobs"].size == store.path("blobs", one).stat().st_blocks * 512
    assert info.rooms["trees"].size >= 9000
    assert info.size == sum(room.size for room in info.rooms.values())
    assert [image.reference for image in info.images] == ["a:1"]


def test_hard_links_count_once(root: Path) -> None:
    with Store(root) as store, store.make_tree("a") as folder:
        (folder / "one").write_bytes(os.urandom(1 << 20))
        os.link(folder / "one", folder / "two")
        os.link(folder / "one", root / "outside")
    with Store(root) as store:
        with store.make_tree("b") as folder:
            os.link(root / "trees" / "a" / "root" / "one", folder / "three")
        size = store.info().rooms["trees"].size
        assert 1 << 20 <= size < 2 << 20
    report = Store(root).prune(keep_size=1 << 19)
    assert report.removed["trees"].count == 2, "the first alone frees nothing"
    assert report.freed == size
    assert report.size == 0


def test_prune_takes_the_least_recently_used_first(root: Path) -> None:
    with Store(root) as store:
        digests = [put(store, os.urandom(100_000), age=age) for age in (30, 10, 20)]
        put_tree(store, "t", size=100_000, age=5)
        store.write_record("facts", "k", b"{}")
        os.utime(root / "records" / "facts" / "k" / "k", (1, 1))
    store = Store(root)
    total = store.info().size
    report = store.prune(keep_size=total - 150_000)
    assert {kind: room.count for kind, room in report.removed.items()} == {"trees": 1, "blobs": 1}
    assert [store.path("blobs", digest).exists() for digest in digests] == [True, False, True]
    assert store.read_record("facts", "k") == b"{}", "records go last, however old"
    assert report.size == store.info().size <= total - 150_000
    assert store.prune(keep_size=total).removed == {}


def test_using_makes_recent(root: Path) -> None:
    with Store(root) as store:
        old, older = (put(store, os.urandom(50_000), age=age) for age in (20, 10))
    with Store(root) as store:
        assert store.has("blobs", older)
    Store(root).prune(keep_size=60_000)
    assert store.path("blobs", older).exists()
    assert not store.path("blobs", old).exists()


def test_what_is_in_use_stays(root: Path) -> None:
    with Store(root) as maker:
        kept, gone = (put(maker, os.urandom(5000), age=age) for age in (1, 2))
        put_tree(maker, "t", size=5000, age=1)
    user = Store(root)
    assert user.has("blobs", kept)
    assert user.tree("t") is not None
    part = user.part_path("wheels", "0" * 64)
    pruner = Store(root)
    report = pruner.prune(keep_size=0)
    assert pruner.path("blobs", kept).exists()
    assert not pruner.path("blobs", gone).exists()
    assert part.exists()
    assert set(report.in_use) == {f"blobs/{kept}", "trees/t", f"partial/{part.name}"}
    user.close()
    assert pruner.prune(keep_size=0).in_use == ()
    assert pruner.info().size == 0


def test_ones_own_use_counts_too(root: Path) -> None:
    store = Store(root)
    digest = put(store, b"x", age=1)
    store.prune(keep_size=0)
    assert store.has("blobs", digest)


def test_references_go_with_what_they_stand_on(root: Path) -> None:
    with Store(root) as store:
        manifest, other, config = (put(store, os.urandom(5000), age=age) for age in (100, 101, 1))
        store.set_image("a:1", Digest.from_hex(manifest), needs=[("blobs", config)])
        store.set_image("b:1", Digest.from_hex(other))
    store = Store(root)
    report = store.prune(keep_size=store.info().size - 1)
    assert report.images == ("a:1",)
    assert list(store.images()) == ["b:1"]
    assert store.verify().problems == ()


def test_unused_locks_are_cleared_held_ones_not(root: Path) -> None:
    store = Store(root)
    with store.lock("held"):
        with store.lock("free"):
            pass
        store.prune(keep_size=0)
        assert len(list((root / "locks").iterdir())) == 1


def test_verify_finds_damage_and_repair_removes_it(root: Path) -> None:
    with Store(root) as store:
        bad, good = (put(store, os.urandom(5000), age=1) for _ in range(2))
        store.set_image("a:1", Digest.from_hex(bad))
        put_tree(store, "bad", size=5000, age=1)
        put_tree(store, "good", size=5000, age=1)
        store.write_record("facts", "bad", b"{}")
        store.write_record("facts", "good", b"{}")
    path = store.path("blobs", bad)
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    data[4000] ^= 4
    path.write_bytes(data)
    (root / "trees" / "bad" / "root" / "file").write_bytes(bytes(5000))
    record = root / "records" / "facts" / "ba" / "bad"
    record.write_bytes(record.read_bytes().replace(b"{}", b"[]"))
    (root / "wheels" / "zz").mkdir(parents=True)
    (root / "wheels" / "zz" / "numpy.whl").touch()
    expected = {f"blobs/{bad}", "trees/bad", "records/facts/bad", "wheels/zz/numpy.whl"}
    moved: list[int] = []
    report = store.verify(progress=moved.append)
    assert {problem.item for problem in report.problems} == expected
    assert not any(problem.removed for problem in report.problems)
    assert report.checked == 6
    assert sum(moved) == report.size
    assert path.exists()
    report = store.verify(repair=True)
    assert {problem.item for problem in report.problems if problem.removed} == {
        *(expected - {"wheels/zz/numpy.whl"}),
        "image a:1",
    }
    assert {problem.item for problem in store.verify().problems} == {"wheels/zz/numpy.whl"}, (
        "not ours to remove"
    )
    assert store.has("blobs", good)
    assert store.tree("good") is not None
    assert store.tree("bad") is None
