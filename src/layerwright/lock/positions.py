"""Where in a lock's text a key stands. Used only to word an error, so it may be slow."""

import json
import re

__all__ = ["find_line"]

_TABLE = re.compile(r"\[(.+)\]\s*(?:#.*)?$")
_PAIR = re.compile(r"(\"(?:[^\"\\]|\\.)*\"|[A-Za-z0-9_-]+)\s*=")
_PART = re.compile(r"\s*(?:(\"(?:[^\"\\]|\\.)*\")|'([^']*)'|([A-Za-z0-9_-]+))\s*(?:\.|$)")


def find_line(text: str, path: tuple[str | int, ...]) -> tuple[int, str]:
    """Line number (1-based, 0 when not found) and text of the key's line, or of the nearest table around it.

    Args:
        text: a lock with one array item per line, as the writer makes it.
        path: table names, key, and at most one array position.
    """
    best = (0, "")
    depth = -1
    names = tuple(part for part in path if isinstance(part, str))
    position = next((part for part in path if isinstance(part, int)), None)
    table: tuple[str, ...] = ()
    item = -1
    for number, line in enumerate(text.split("\n"), start=1):
        content = line.strip()
        if item >= 0 and content.startswith("{"):
            if item == position:
                return number, line
            item += 1
            continue
        header = _TABLE.match(content)
        if header and content.startswith("["):
            table = _names(header[1])
            item = -1
            reached = table
        else:
            pair = _PAIR.match(content)
            if pair is None:
                continue
            reached = (*table, _plain(pair[1]))
            item = 0 if reached == names and position is not None else -1
        if reached == names[: len(reached)] and len(reached) > depth:
            best, depth = (number, line), len(reached)
    return best


def _names(header: str) -> tuple[str, ...]:
    return tuple(
        _plain(match[1]) if match[1] else match[2] or match[3] or "" for match in _PART.finditer(header)
    )


def _plain(key: str) -> str:
    if not key.startswith('"'):
        return key
    try:
        return str(json.loads(key))
    except ValueError:
        return key[1:-1]
