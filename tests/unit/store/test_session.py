import gc
import os
import signal
import threading
from pathlib import Path

import pytest

from layerwright.core.errors import BuildError
from layerwright.store import Store, removal
from support.people import as_nobody, open_to_all


def session_names(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "sessions").iterdir())


def in_a_child(root: Path, *, die: bool) -> int:
    """A child that uses the store, says so and waits (or is killed); its process id."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        store = Store(root)
        with store.scratch() as folder:
            (folder / "left").mkdir()
            (folder / "left" / "over").write_bytes(b"x" * 100)
            os.write(write, b".")
            signal.pause()
        os._exit(0)
    os.read(read, 1)
    os.close(read)
    os.close(write)
    if die:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return child


def test_what_the_dead_left_is_cleared_what_the_living_use_is_not(tmp_path: Path) -> None:
    living = in_a_child(tmp_path, die=False)
    try:
        before = session_names(tmp_path)
        in_a_child(tmp_path, die=True)
        assert len(session_names(tmp_path)) == 4
        store = Store(tmp_path)
        with store.scratch():
            assert set(before) < set(session_names(tmp_path))
            assert len(session_names(tmp_path)) == 4, "two of the living, two of our own"
        assert list((tmp_path / "sessions").glob("*/*/left/over")), "the living one's file"
        store.close()
        assert session_names(tmp_path) == before
    finally:
        os.kill(living, signal.SIGKILL)
        os.waitpid(living, 0)


def test_scratch_is_removed_even_after_an_error(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(FileExistsError), store.scratch() as folder:  # noqa: PT012  (a failing block)
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "a" / "b").mkdir(parents=True)
        folder.mkdir()
    assert not folder.exists()


def test_a_forgotten_store_ends_its_session(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.scratch():
        pass
    assert session_names(tmp_path) != []
    del store
    gc.collect()
    assert session_names(tmp_path) == []


def test_a_closed_store_can_be_used_again(tmp_path: Path) -> None:
    with Store(tmp_path) as store, store.scratch():
        pass
    assert session_names(tmp_path) == []
    with store.scratch() as folder:
        assert folder.is_dir()
    store.close()
    store.close()


def test_a_forked_child_does_not_end_its_parents_session(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.scratch() as folder:
        child = os.fork()
        if child == 0:
            store.close()
            os._exit(0)
        os.waitpid(child, 0)
        assert folder.is_dir()
        Store(tmp_path).prune(keep_size=0)
        assert folder.is_dir()


def test_a_lock_makes_the_root_private_too(tmp_path: Path) -> None:
    with Store(tmp_path / "a" / "store").lock("x"):
        assert (tmp_path / "a" / "store").stat().st_mode & 0o777 == 0o700


def test_locks_exclude_processes_and_threads(tmp_path: Path) -> None:
    store = Store(tmp_path)
    order: list[str] = []
    with store.lock("base/../bookworm 図"):
        other = threading.Thread(target=lambda: _locked(Store(tmp_path), order))
        other.start()
        other.join(0.05)
        order.append("first")
    other.join()
    assert order == ["first", "second"]


def _locked(store: Store, order: list[str]) -> None:
    with store.lock("base/../bookworm 図"):
        order.append("second")


def test_shared_locks_are_shared(tmp_path: Path) -> None:
    with Store(tmp_path).lock("x", shared=True), Store(tmp_path).lock("x", shared=True):
        pass


def test_a_killed_holder_frees_its_lock(tmp_path: Path) -> None:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        with Store(tmp_path).lock("x"):
            os.write(write, b".")
            signal.pause()
    os.read(read, 1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with Store(tmp_path).lock("x"):
        pass
    os.close(read)
    os.close(write)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)

    def work() -> None:
        with (
            pytest.raises(BuildError, match="cannot write to the store") as caught,
            Store(tmp_path).scratch(),
        ):
            pass
        assert str(tmp_path) in caught.value.what

    as_nobody(work)


def test_a_store_that_is_only_readable_can_be_read(tmp_path: Path) -> None:
    open_to_all(tmp_path)
    root = tmp_path / "store"
    with Store(root) as store:
        with store.writer("blobs") as writer:
            writer.write(b"x")
        with store.make_tree("k"):
            pass
        store.write_record("facts", "k", b"{}")
    root.chmod(0o755)

    def work() -> None:
        store = Store(root)
        assert store.has("blobs", writer.hex)
        assert store.tree("k") == root / "trees" / "k" / "root"
        assert store.read_record("facts", "k") == b"{}"

    (root / "trees" / "k").chmod(0o755)
    as_nobody(work)


def test_mounts_left_behind_are_never_removed_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted = tmp_path / "scratch" / "rootfs" / "work"
    mounted.mkdir(parents=True)
    (mounted / "thesis").touch()
    monkeypatch.setattr(removal, "_mount_points", lambda: iter([str(mounted)]))
    with pytest.raises(BuildError, match="still mounted"):
        removal.remove_tree(tmp_path / "scratch")
    assert (mounted / "thesis").exists()
