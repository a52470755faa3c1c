import hashlib
import threading
from pathlib import Path

import pytest

from layerwright.core.errors import IntegrityError
from layerwright.store import Store

DATA = b"a wheel, as it were" * 1000
HEX = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def put(store: Store, data: bytes = DATA) -> str:
    with store.writer("wheels") as writer:
        writer.write(data)
    return writer.hex


def test_what_was_written_stands_under_its_hash(store: Store) -> None:
    with store.writer("wheels", sha256=HEX, size=len(DATA)) as writer:
        for start in range(0, len(DATA), 1000):
            writer.write(memoryview(DATA)[start : start + 1000])
        assert not store.has("wheels", HEX)
    assert (writer.hex, writer.size, writer.path) == (HEX, len(DATA), store.path("wheels", HEX))
    assert store.has("wheels", HEX)
    assert b"".join(store.read("wheels", HEX)) == DATA


def test_asking_makes_nothing(store: Store) -> None:
    assert not store.has("blobs", HEX)
    assert store.tree("x") is None
    assert store.read_record("facts", "x") is None
    assert store.images() == {}
    assert store.info().size == 0
    assert not store.root.exists()


def test_the_root_is_private(store: Store) -> None:
    put(store)
    assert store.root.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("sha256", "size", "words"),
    [("0" * 64, 0, "sha256"), ("", len(DATA) + 1, "announced"), ("", len(DATA) - 1, "more than")],
)
def test_other_bytes_than_announced_leave_nothing(store: Store, sha256: str, size: int, words: str) -> None:
    with (
        pytest.raises(IntegrityError, match=words),
        store.writer("wheels", sha256=sha256, size=size) as writer,
    ):
        writer.write(DATA)
    store.close()
    assert files_below(store.root) == []


def test_a_failed_block_leaves_nothing(store: Store) -> None:
    with pytest.raises(TypeError), store.writer("files") as writer:  # noqa: PT012  (what a failing block leaves)
        writer.write(DATA)
        writer.write("no bytes")  # type: ignore[arg-type]
    assert all(name.endswith((".owner", "gate")) for name in files_below(store.root))


@pytest.mark.parametrize("name", ["../x", "ABC", "", "a" * 63, "a" * 65, "g" * 64, "a" * 63 + "\n"])
def test_only_hashes_are_names(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match="sha256"):
        store.path("wheels", name)


def test_only_known_rooms(store: Store) -> None:
    with pytest.raises(ValueError, match="room"):
        store.path("trees", HEX)  # type: ignore[arg-type]


def test_foreign_files_are_copied_own_files_moved(store: Store, tmp_path: Path) -> None:
    foreign = tmp_path / "numpy.whl"
    foreign.write_bytes(DATA)
    assert store.adopt("wheels", foreign, sha256=HEX) == HEX
    assert foreign.read_bytes() == DATA
    with store.scratch() as folder:
        own = folder / "made.whl"
        own.write_bytes(DATA[:-1])
        digest = store.adopt("wheels", own)
        assert not own.exists()
    assert b"".join(store.read("wheels", digest)) == DATA[:-1]


def test_a_wrong_part_is_not_kept_to_be_resumed(store: Store) -> None:
    part = store.part_path("wheels", HEX)
    assert part.read_bytes() == b""
    part.write_bytes(DATA[:100])
    assert store.part_path("wheels", HEX).read_bytes() == DATA[:100]
    with pytest.raises(IntegrityError):
        store.adopt("wheels", part, sha256=HEX)
    assert not part.exists()
    assert not store.has("wheels", HEX)
    part = store.part_path("wheels", HEX)
    part.write_bytes(DATA)
    store.adopt("wheels", part, sha256=HEX)
    assert store.has("wheels", HEX)


def test_a_foreign_file_with_wrong_bytes_stays_where_it_is(store: Store, tmp_path: Path) -> None:
    foreign = tmp_path / "numpy.whl"
    foreign.write_bytes(DATA)
    with pytest.raises(IntegrityError):
        store.adopt("wheels", foreign, sha256="0" * 64)
    assert foreign.exists()


def test_reading_damaged_content_fails_and_removes_it(store: Store) -> None:
    path = store.path("wheels", put(store))
    path.chmod(0o600)
    path.write_bytes(DATA[:-1] + b"!")
    with pytest.raises(IntegrityError, match="damaged"):
        list(store.read("wheels", HEX))
    assert not store.has("wheels", HEX)
    put(store)
    assert b"".join(store.read("wheels", HEX)) == DATA


def test_reading_what_is_not_there_says_so(store: Store) -> None:
    with pytest.raises(IntegrityError, match="not in the store"):
        list(store.read("debs", HEX))


def test_a_file_emptied_by_a_power_cut_is_not_there(store: Store) -> None:
    path = store.path("wheels", put(store))
    path.chmod(0o600)
    path.write_bytes(b"")
    assert not store.has("wheels", HEX)
    empty = put(store, b"")
    assert store.has("wheels", empty)


def test_writing_again_heals(store: Store) -> None:
    path = store.path("wheels", put(store))
    path.chmod(0o600)
    path.write_bytes(b"x")
    put(store)
    assert path.read_bytes() == DATA


def test_racing_writers_of_the_same_bytes_all_succeed(tmp_path: Path) -> None:
    stores = [Store(tmp_path / "store") for _ in range(4)]
    start = threading.Barrier(8)
    wrong: list[BaseException] = []

    def work(store: Store) -> None:
        try:
            start.wait()
            for number in range(20):
                data = DATA + bytes([number])
                assert put(store, data) == hashlib.sha256(data).hexdigest()
                with store.make_tree(f"tree-{number}") as folder:
                    (folder / "file").write_bytes(data)
                found = store.tree(f"tree-{number}")
                assert found is not None
                assert (found / "file").read_bytes() == data
        except BaseException as error:
            wrong.append(error)
            raise

    threads = [threading.Thread(target=work, args=(store,)) for store in (*stores, *stores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    info = stores[0].info()
    assert (info.rooms["wheels"].count, info.rooms["trees"].count) == (20, 20)
    assert stores[0].verify().problems == ()


def test_a_writer_is_a_file_without_a_way_back(store: Store) -> None:
    with store.writer("blobs") as writer:
        writer.writelines([b"ab", b"cd"])
        writer.flush()
        assert not writer.seekable()
        with pytest.raises(OSError, match="seek"):
            writer.seek(0)
    assert writer.hex == hashlib.sha256(b"abcd").hexdigest()
    assert writer.path.read_bytes() == b"abcd"
