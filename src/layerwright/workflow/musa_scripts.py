"""Scripts with the names of torch_musa's, so that documented command lines can be pasted as they stand."""

from pathlib import Path
from typing import Final

from layerwright.core.errors import UsageError

__all__ = ["write_scripts"]

_SCRIPTS: Final = {"build_base.sh": "build-base", "build.sh": "build", "build_all.sh": "build-all"}
_TEXT: Final = """\
#!/bin/sh
# Written by `layerwright musa scripts`: what torch_musa's {name} is called with, done by layerwright.
exec layerwright musa {verb} "$@"
"""
_EXECUTABLE: Final = 0o755


def write_scripts(folder: Path) -> tuple[Path, ...]:
    """Write the three scripts into a folder; what stands there under these names already is left alone.

    Raises:
        UsageError: one of them is there and another, or nothing can be written there.
    """
    texts = {folder / name: _TEXT.format(name=name, verb=verb) for name, verb in _SCRIPTS.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            if path.exists() and path.read_bytes() != text.encode():
                raise UsageError(f"{path} exists already, and is another script", hint="name another folder")
        for path, text in texts.items():
            path.write_text(text, encoding="utf-8")
            path.chmod(_EXECUTABLE)
    except OSError as error:
        raise UsageError(f"cannot write into {folder}: {error.strerror}") from error
    return tuple(texts)
