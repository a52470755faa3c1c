"""Which files belong to a stage, and how they come to the top of the models' folder (§5.7)."""

from __future__ import annotations

import os
import re
import warnings
from typing import Any

from ymir_exc import _files, _shapes

__all__ = ["filter_saved_files", "format_saved_files"]


def filter_saved_files(cfg: Any, files: Any) -> list[str]:
    """The files to keep, relative to the models' folder where they are given as absolute paths.

    Without files, all that lie directly in that folder; and where ``param.ymir_saved_file_patterns`` (regular
    expressions with commas between) is set, those whose name has a part that fits one.

    Args:
        cfg: what ``util.get_merged_config`` gave.
        files: names or paths; empty for all.

    """
    folder = cfg.ymir.output.models_dir
    names = _shapes.names_of(files) if files else []
    if not names:
        names = sorted(
            name
            for name in os.listdir(folder)
            if os.path.isfile(os.path.join(folder, name)) and not name.endswith(_files.TEMPORARY_SUFFIX)
        )
    names = [os.path.relpath(name, folder) if os.path.isabs(name) else name for name in names]
    told = str(cfg.param.get("ymir_saved_file_patterns") or "").strip()
    if not told:
        return names
    patterns = [found for each in told.split(",") if each.strip() for found in _pattern(each.strip())]
    return [name for name in names if any(pattern.search(name) for pattern in patterns)]


def format_saved_files(cfg: Any, files: Any) -> list[str]:
    """The files' base names, once each of them is at the top of the models' folder.

    Files from elsewhere and from sub-folders are copied there; links that are given by an absolute path are followed.

    Args:
        cfg: what ``util.get_merged_config`` gave.
        files: names relative to the models' folder, or absolute paths.

    Raises:
        AssertionError: there is no such file.
        ValueError: two files have the same base name, and one copy would replace the other.

    """
    folder = cfg.ymir.output.models_dir
    chosen: dict[str, str] = {}
    for name in _shapes.names_of(files):
        path = os.path.realpath(name) if os.path.isabs(name) else os.path.join(folder, name)
        if not os.path.isfile(path):
            msg = f"{name} is not there, or is a folder (looked for {path})"
            raise AssertionError(msg)
        base = os.path.basename(path)
        other = chosen.setdefault(base, path)
        if not os.path.samefile(other, path):
            msg = f"{other} and {path} have the same base name, and the model has one folder; rename one of them"
            raise ValueError(msg)
    for base, path in chosen.items():
        target = os.path.join(folder, base)
        if not (os.path.exists(target) and os.path.samefile(target, path)):
            _files.copy_file(path, target)
    return list(chosen)


def _pattern(text: str) -> list[re.Pattern[str]]:
    """The pattern of a text; none, with a warning, when it is a bad one."""
    try:
        return [re.compile(text)]
    except re.error as error:
        warnings.warn(
            f"ymir_saved_file_patterns: {text!r} is no regular expression ({error}) and is left out",
            stacklevel=3,
        )
        return []
