import os
import stat
from pathlib import Path

import pytest

from layerwright.store import Store
from layerwright.store import trees as trees_module
from layerwright.store.removal import remove_tree
from support.people import as_nobody, open_to_all


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def make(store: Store, key: str = "k") -> Path:
    with store.make_tree(key) as folder:
        (folder / "opt").mkdir()
        (folder / "opt" / "file").write_bytes(b"x" * 5000)
        (folder / "opt" / "link").symlink_to("/nowhere")
    found = store.tree(key)
    assert found is not None
    return found


def test_a_tree_is_there_when_its_block_has_ended(store: Store) -> None:
    with store.make_tree("k") as folder:
        (folder / "file").touch()
        assert store.tree("k") is None
        assert folder.stat().st_mode & 0o777 == 0o755
    found = store.tree("k")
    assert found is not None
    assert [path.name for path in found.iterdir()] == ["file"]


def test_a_failed_tree_is_not_there(store: Store) -> None:
    with pytest.raises(FileExistsError), store.make_tree("k") as folder:  # noqa: PT012  (a failing block)
        (folder / "file").mkdir()
        (folder / "file").mkdir()
    assert store.tree("k") is None
    assert not any((store.root / "sessions").glob("*/*"))


def test_the_first_to_finish_wins(store: Store) -> None:
    with store.make_tree("k") as late:
        (late / "who").write_text("late", encoding="ascii")
        with Store(store.root).make_tree("k") as first:
            (first / "who").write_text("first", encoding="ascii")
    found = store.tree("k")
    assert found is not None
    assert (found / "who").read_text(encoding="ascii") == "first"
    assert not any((store.root / "sessions").glob("*/*"))


def test_a_tree_with_a_damaged_note_makes_way(store: Store) -> None:
    found = make(store)
    (found.parent / "about").write_bytes(b"nonsense")
    assert store.tree("k") is None
    assert not found.exists()
    assert make(store).exists()


def test_after_a_restart_of_the_machine_a_shortened_file_is_noticed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(store, "whole")
    make(store, "cut")
    os.truncate(store.root / "trees" / "cut" / "root" / "opt" / "file", 0)
    assert store.tree("cut") is not None, "within one life of the kernel a finished tree is trusted"
    monkeypatch.setattr(trees_module, "_boot", lambda: "another")
    assert store.tree("cut") is None
    assert store.tree("whole") is not None
    (store.root / "trees" / "whole" / "root" / "opt" / "file").unlink()
    assert store.tree("whole") is not None, "it was compared once and noted as seen"


@pytest.mark.parametrize("whose", ["root", "nobody"])
def test_trees_of_any_mode_can_be_removed(tmp_path: Path, whose: str) -> None:
    open_to_all(tmp_path)
    tmp_path.chmod(0o777)

    def work() -> None:
        store = Store(tmp_path / "store")
        with store.make_tree("k") as folder:
            deep = folder / "a" / "b"
            deep.mkdir(parents=True)
            (deep / "file").write_bytes(b"x")
            (deep / "file").chmod(0)
            (folder / "pipe").touch()
            (folder / "pipe").unlink()
            os.mkfifo(folder / "pipe")
            deep.chmod(0)
            (folder / "a").chmod(0o500)
            folder.chmod(0)
        store.close()
        assert store.info().rooms["trees"].count == 1
        report = store.prune(keep_size=0)
        assert (report.left, report.removed["trees"].count) == ((), 1)
        assert list((tmp_path / "store" / "trees").iterdir()) == []

    if whose == "root":
        work()
    else:
        as_nobody(work)


@pytest.mark.skipif(os.getuid() != 0, reason="only root makes devices and gives files away")
def test_whiteouts_and_other_owners_can_be_removed(store: Store) -> None:
    with store.make_tree("k") as folder:
        os.mknod(folder / "gone", stat.S_IFCHR | 0o000, os.makedev(0, 0))
        (folder / "theirs").mkdir()
        os.chown(folder / "theirs", 12345, 12345)
        os.chown(folder, 12345, 12345)
    store.close()
    assert store.prune(keep_size=0).removed["trees"].count == 1


def test_links_out_of_a_tree_are_not_followed(store: Store, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis").touch()
    with store.make_tree("k") as folder:
        (folder / "link").symlink_to(precious)
    store.close()
    store.prune(keep_size=0)
    (tmp_path / "itself").symlink_to(precious)
    remove_tree(tmp_path / "itself")
    assert [path.name for path in precious.iterdir()] == ["thesis"]
    assert not (tmp_path / "itself").is_symlink()


def test_removing_nothing_is_fine(tmp_path: Path) -> None:
    remove_tree(tmp_path / "absent")
