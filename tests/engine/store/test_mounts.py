"""A killed run may leave mounts in its scratch folder; what they show belongs to somebody."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from layerwright.store import Store

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(os.getuid() != 0 or not shutil.which("mount"), reason="mounts folders: needs root"),
]


def test_what_a_left_over_mount_shows_is_not_removed(tmp_path: Path) -> None:
    precious = tmp_path / "pre cious"
    precious.mkdir()
    (precious / "thesis").write_bytes(b"x")
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        with Store(tmp_path / "store").scratch() as folder:
            for name in ("work", "work", "deep er"):
                (folder / name).mkdir(exist_ok=True)
                subprocess.run(["mount", "--bind", precious, folder / name], check=True, timeout=10)
            os.write(write, str(folder).encode())
            signal.pause()
        os._exit(0)
    folder = Path(os.read(read, 4096).decode())
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(read)
    os.close(write)
    assert (folder / "work" / "thesis").exists()
    with Store(tmp_path / "store") as store, store.scratch():
        assert not folder.exists()
    assert (precious / "thesis").read_bytes() == b"x"
    assert str(folder) not in Path("/proc/self/mountinfo").read_text(encoding="utf-8").replace("\\040", " ")
