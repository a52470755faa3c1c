"""A process that is killed at any moment leaves nothing that a later one would trust."""

import os
import random
import signal
import time
from pathlib import Path

from layerwright.oci.digest import Digest
from layerwright.store import Store

ROUNDS = 20


def build_for_ever(root: Path, seed: int, done: int) -> None:
    """Do all that writes, again and again; tells through the pipe what it has finished."""
    chance = random.Random(seed)
    while True:
        store = Store(root)
        data = chance.randbytes(chance.randrange(1, 300_000))
        with store.writer("blobs", size=len(data)) as writer:
            for start in range(0, len(data), 10_000):
                writer.write(data[start : start + 10_000])
        store.set_image(f"image:{chance.randrange(5)}", Digest.from_hex(writer.hex))
        key = f"tree-{chance.randrange(30)}"
        with store.make_tree(key) as folder:
            for number in range(20):
                (folder / f"folder{number}").mkdir(mode=0)
                (folder / f"file{number}").write_bytes(key.encode() * 50)
        store.write_record("facts", key, key.encode() * 100)
        with store.scratch() as scratch:
            (scratch / "part").write_bytes(data[:1000])
            store.adopt("files", scratch / "part")
        os.write(done, f"{writer.hex} {key}\n".encode())
        if chance.random() < 0.2:
            store.close()
            store.prune(keep_size=1_000_000)


def test_kill_at_any_moment(tmp_path: Path) -> None:
    chance = random.Random(1)
    for number in range(ROUNDS):
        read, write = os.pipe()
        children = []
        for worker in range(2):
            child = os.fork()
            if child == 0:
                os.close(read)
                build_for_ever(tmp_path, 2 * number + worker, write)
            children.append(child)
        os.close(write)
        told = b""
        while told.count(b"\n") < number % 4:  # a slow machine gets somewhere, too
            told += os.read(read, 4096)
        time.sleep(chance.uniform(0, 0.03))
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        os.close(read)
        with Store(tmp_path) as store:
            with store.scratch():
                pass  # the next user clears what the dead left
            assert len(list((tmp_path / "sessions").iterdir())) == 2, "only our own"
            report = store.verify()
            assert [problem for problem in report.problems if not problem.item.startswith("image ")] == []
            for name in store.images():
                assert store.image(name) is not None
            for number_of_tree in range(30):
                key = f"tree-{number_of_tree}"
                data = store.read_record("facts", key)
                assert data is None or data == key.encode() * 100
                tree = store.tree(key)
                if tree is not None:
                    assert len(list(tree.iterdir())) == 40
                    assert {path.read_bytes() for path in tree.glob("file*")} == {key.encode() * 50}
    store = Store(tmp_path)
    store.prune(keep_size=0)
    assert store.info().size == 0
    assert list((tmp_path / "sessions").iterdir()) == []
    assert list((tmp_path / "trees").iterdir()) == []
