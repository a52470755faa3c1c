"""What the platform removes of a task's folders when it is over (§3.5)."""

import shutil
from collections.abc import Sequence
from pathlib import Path

__all__ = ["clean"]


def clean(folder: Path, *, success: bool) -> Sequence[str]:
    """Remove what the platform removes after a task (§3.5): after a success all but a few files, else only models.

    Returns:
        What was removed, relative to the folder.
    """
    removed = []
    kept_out = {
        "log.txt", "monitor.txt", "monitor-log.txt", "tensorboard", "ymir-executor-out.log", "infer-result.json",
        "result.tsv",
    }  # fmt: skip
    places = [folder / "in" / "models"]
    if success:
        places += [
            one for one in sorted((folder / "in").iterdir()) if one.name not in {"config.yaml", "models"}
        ]
        places += [one for one in sorted((folder / "out").iterdir()) if one.name not in kept_out]
        places.append(folder / "assets")
    for place in places:
        if place.is_symlink() or place.is_file():
            place.unlink()
        elif place.is_dir():
            shutil.rmtree(place)
        else:
            continue
        removed.append(str(place.relative_to(folder)))
    return removed
