"""Which paths of an archive are safe to write below a folder."""

import re

__all__ = ["fault_of_path"]

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DRIVE = re.compile(r"[A-Za-z]:")
_PLAIN = re.compile(r"[\w+@-][\w.+@-]*(?:/[\w+@-][\w.+@-]*)*", re.ASCII)
_PLAIN_LENGTH = 250
_LONGEST_COMPONENT = 255
_LONGEST_PATH = 4000


def fault_of_path(path: str) -> str:  # noqa: C901 - a list of rules
    """Why this relative path must not be used; empty when it is safe.

    Safe is: relative, without empty, ``.`` and ``..`` parts, backslashes, drive letters and control characters,
    short enough for Linux, and UTF-8.
    """
    if len(path) <= _PLAIN_LENGTH and _PLAIN.fullmatch(path):  # nearly every name
        return ""
    if not path:
        return "has no name"
    if _CONTROL.search(path):
        return "has a control character in its name"
    if path.startswith("/"):
        return "is an absolute path"
    if "\\" in path:
        return "has a backslash in its name"
    if _DRIVE.match(path):
        return "begins with a drive letter"
    parts = path.split("/")
    if ".." in parts:
        return "leads out of its folder ('..')"
    if "." in parts or "" in parts:
        return "has an empty or '.' part"
    try:
        sizes = [len(part.encode()) for part in parts]
    except UnicodeEncodeError:
        return "has a name that is no UTF-8"
    if max(sizes) > _LONGEST_COMPONENT or sum(sizes) + len(sizes) > _LONGEST_PATH:
        return "has too long a name"
    return ""
