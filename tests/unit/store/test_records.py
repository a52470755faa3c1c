from pathlib import Path

import pytest

from layerwright.oci.digest import Digest
from layerwright.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def only_file(folder: Path) -> Path:
    (path,) = (path for path in folder.rglob("*") if path.is_file())
    return path


@pytest.mark.parametrize("data", [b"", b"{}", b"\n\n", '{"図": 1}'.encode(), bytes(range(256)) * 300])
def test_records_come_back(store: Store, data: bytes) -> None:
    store.write_record("facts", "k" * 64, b"before")
    store.write_record("facts", "k" * 64, data)
    assert store.read_record("facts", "k" * 64) == data
    assert store.read_record("facts", "l" * 64) is None
    assert store.read_record("other", "k" * 64) is None


def test_every_flipped_bit_is_seen(store: Store) -> None:
    store.write_record("facts", "key", b'{"size": 12}')
    path = only_file(store.root / "records")
    whole = path.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        assert store.read_record("facts", "key") is None
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert store.read_record("facts", "key") is None


def test_a_record_under_another_key_is_not_believed(store: Store) -> None:
    store.write_record("facts", "aa-one", b"{}")
    path = only_file(store.root / "records")
    path.rename(path.with_name("aa-two"))
    assert store.read_record("facts", "aa-two") is None


@pytest.mark.parametrize("key", ["", "../x", "a/b", ".hidden", "x" * 201, "a b", "a\n"])
def test_keys_stay_in_their_folder(store: Store, key: str) -> None:
    with pytest.raises(ValueError, match="name"):
        store.write_record("facts", key, b"")
    with pytest.raises(ValueError, match="name"):
        store.tree(key)


def test_references_hold_while_their_content_is_there(store: Store) -> None:
    def put(data: bytes) -> str:
        with store.writer("blobs") as writer:
            writer.write(data)
        return writer.hex

    manifest, config = put(b"manifest"), put(b"config")
    digest = Digest.from_hex(manifest)
    store.set_image("名前:1", digest, needs=[("blobs", config)])
    store.set_image("b:1", digest)
    assert store.image("名前:1") == digest
    assert store.images() == {"b:1": digest, "名前:1": digest}
    store.path("blobs", config).unlink()
    assert store.image("名前:1") is None
    assert store.images() == {"b:1": digest}
    assert store.image("c:1") is None


def test_a_reference_can_be_moved(store: Store) -> None:
    digests = []
    for data in (b"1", b"2"):
        with store.writer("blobs") as writer:
            writer.write(data)
        digests.append(Digest.from_hex(writer.hex))
        store.set_image("a:1", digests[-1])
    assert store.image("a:1") == digests[1]


def test_a_damaged_reference_is_no_reference(store: Store) -> None:
    with store.writer("blobs") as writer:
        writer.write(b"manifest")
    store.set_image("a:1", Digest.from_hex(writer.hex))
    path = only_file(store.root / "images")
    path.write_bytes(path.read_bytes()[:-1])
    assert store.image("a:1") is None
    assert [problem.removed for problem in store.verify(repair=True).problems] == [True]
    assert store.verify().problems == ()
