"""Root file systems for tests: a few programs of this machine with the libraries they need."""

import re
import shutil
import subprocess
from pathlib import Path

_PROGRAMS = (
    *("sh", "bash", "cat", "chmod", "date", "id", "kill", "ln", "ls"),
    *("mkdir", "mv", "rm", "setsid", "sleep", "touch", "true"),
)
_FOLDERS = ("bin", "etc", "tmp", "run", "data", "old", "var/log")


def make_root(folder: Path, *, programs: tuple[str, ...] = _PROGRAMS) -> Path:
    """Fill ``folder`` with a tree in which a shell works, and give it back."""
    for name in _FOLDERS:
        (folder / name).mkdir(parents=True)
    for name in programs:
        found = shutil.which(name, path="/usr/bin:/bin:/usr/sbin:/sbin")
        assert found, name
        source = Path(found).resolve()
        shutil.copy(source, folder / "bin" / name)
        for library in _libraries(source):
            place = folder / str(library).lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.exists():
                shutil.copy(library.resolve(), place)
    (folder / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (folder / "data" / "kept").write_text("kept\n")
    (folder / "data" / "gone").write_text("gone\n")
    (folder / "old" / "inside").write_text("inside\n")
    folder.chmod(0o755)
    return folder


def _libraries(program: Path) -> list[Path]:
    done = subprocess.run(["ldd", program], check=False, capture_output=True, text=True)
    return [Path(path) for path in re.findall(r"(?:^\s*|=> )(/\S+) \(0x", done.stdout, re.MULTILINE)]
