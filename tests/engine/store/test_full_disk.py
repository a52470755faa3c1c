"""The store on a file system that is really full."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from layerwright.core.errors import BuildError
from layerwright.store import Store

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(os.getuid() != 0 or not shutil.which("mount"), reason="mounts a tmpfs: needs root"),
]

SIZE = 1 << 20


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", disk], check=True, timeout=10)
    try:
        found = Store(disk / "store")
        yield found
        found.close()
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True, timeout=10)


def left_over(store: Store) -> list[Path]:
    return list((store.root / "sessions").glob("*/*"))


def test_writing_says_what_is_needed_and_leaves_nothing(store: Store) -> None:
    needed = 3 * SIZE
    with pytest.raises(BuildError) as caught, store.writer("wheels", size=needed) as writer:  # noqa: PT012
        for _ in range(48):
            writer.write(os.urandom(1 << 16))
    assert str(store.root) in caught.value.what
    assert f"{needed:,} bytes are needed" in caught.value.what
    assert "prune" in caught.value.hint
    assert left_over(store) == []
    assert store.info().rooms["wheels"].count == 0


def test_adopting_a_file_that_is_too_large(store: Store, tmp_path: Path) -> None:
    (tmp_path / "large.whl").write_bytes(os.urandom(2 * SIZE))
    with pytest.raises(BuildError, match="no space left in the store"):
        store.adopt("wheels", tmp_path / "large.whl")
    assert left_over(store) == []


def test_a_tree_that_does_not_fit(store: Store) -> None:
    with (  # noqa: PT012
        pytest.raises(BuildError, match="no space left in the store") as caught,
        store.make_tree("k", size=2 * SIZE) as folder,
    ):
        for number in range(100):
            (folder / str(number)).write_bytes(bytes(1 << 16))
    assert f"{2 * SIZE:,}" in caught.value.what
    assert left_over(store) == []
    assert store.tree("k") is None


def test_room_can_be_made_on_a_disk_that_is_full_to_the_last_byte(store: Store) -> None:
    with store.writer("blobs") as writer:
        writer.write(bytes(SIZE // 4))
    with store.make_tree("k") as folder:
        (folder / "file").write_bytes(bytes(SIZE // 4))
    store.close()
    filler = store.root.parent / "filler"
    with pytest.raises(OSError, match="No space left"), filler.open("wb", buffering=0) as file:  # noqa: PT012
        while True:
            file.write(bytes(4096))
    with pytest.raises(BuildError, match="no space left in the store"):
        store.write_record("facts", "key", bytes(100_000))
    store.close()
    report = Store(store.root).prune(keep_size=0)
    assert {kind: room.count for kind, room in report.removed.items()} == {"blobs": 1, "trees": 1}
    store.write_record("facts", "key", bytes(100_000))
    assert store.read_record("facts", "key") == bytes(100_000)
