"""result.tsv as the platform reads it (§3.4)."""

from __future__ import annotations

import os


def select(content: bytes, topk: int) -> list[str]:
    """The asset ids of the first lines, in the order of the file; the score is not looked at."""
    lines = [line for line in content.decode("utf-8").split("\n") if line]
    return [os.path.splitext(os.path.basename(line.split("\t")[0]))[0] for line in lines[:topk]]
