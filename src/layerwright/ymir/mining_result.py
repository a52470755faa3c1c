"""result.tsv of a mining as the platform reads it, and what it loses on the way (§3.4)."""

import math
import posixpath
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from msgspec import Struct

from layerwright.ymir.codes import NO_RESULT
from layerwright.ymir.remarks import MISSING, Collector, Remark
from layerwright.ymir.verdict import ResultState

__all__ = ["MINING_FILE", "MiningCheck", "Ranked", "check_mining"]

MINING_FILE: Final = "/out/result.tsv"


class Ranked(Struct, frozen=True, kw_only=True):
    """A picture that was ranked: its asset id, and its score as far as it is a number."""

    asset_id: str
    score: float | None


class MiningCheck(Struct, frozen=True, kw_only=True):
    """A judged result file.

    Attributes:
        ranked: every line with a picture that was given, in file order.
        selected: asset ids that the platform selects: of the first ``topk`` lines.
        state: for the verdict.
        remarks: worst first.
    """

    ranked: tuple[Ranked, ...]
    selected: tuple[str, ...]
    state: ResultState
    remarks: tuple[Remark, ...]


def check_mining(text: bytes | None, *, candidates: Sequence[str], topk: int) -> MiningCheck:
    """Judge the result of a mining.

    Args:
        text: the file; None when it is missing.
        candidates: asset ids of the pictures that were given.
        topk: how many are asked for.
    """
    found = Collector(MINING_FILE)
    if text is None:
        found.add(
            "rejected",
            "3.4",
            "",
            MISSING,
            "write it with ymir_exc.result_writer.write_mining_result",
            code=NO_RESULT,
        )
        why = "result.tsv is missing"
        return MiningCheck(
            ranked=(),
            selected=(),
            state=ResultState(valid=False, code=NO_RESULT, why=why),
            remarks=found.done(),
        )
    known = frozenset(candidates)
    lines = [line for line in text.decode("utf-8", errors="replace").splitlines() if line.strip()]
    assets = [_asset(line) for line in lines]
    seen: set[str] = set()
    ranked: list[Ranked] = []
    for number, (line, asset) in enumerate(zip(lines, assets, strict=True), start=1):
        where = f"line {number}"
        if "\t" not in line:
            found.add(
                "lost",
                "3.4",
                where,
                f"no tab stands between path and score, so the picture's id becomes {asset!r:.60}",
                "put a tab between them",
                kind="no tab",
            )
        elif asset not in known:
            found.add(
                "lost",
                "3.4",
                where,
                f"{asset!r:.60} is none of the pictures that were given, and takes a place",
                "write the paths of the candidate index",
                kind="foreign picture",
            )
        if asset in seen:
            found.add(
                "lost",
                "3.4",
                where,
                f"{asset} is listed twice and uses up two of the {topk} places",
                "list each picture once",
                kind="twice",
            )
        seen.add(asset)
        score = _score(line)
        if score is None or math.isnan(score):
            found.add(
                "lost",
                "3.4",
                where,
                f"the score {line.partition(chr(9))[2]!r:.40} is no number; the order of lines alone counts",
                "write float(score), and rank what cannot be scored last",
                kind="no number",
            )
        if asset in known:
            ranked.append(Ranked(asset_id=asset, score=score))
    _check_order(found, lines)
    missing = len(known - seen)
    if not lines:
        found.add("lost", "3.4", "", "the file is empty, and nothing is selected", "rank every candidate")
    elif missing:
        found.add(
            "lost",
            "3.4",
            "",
            f"{missing} of {len(known)} pictures are not ranked and can never be selected",
            "rank every candidate, those without detections too",
        )
    return MiningCheck(
        ranked=tuple(ranked),
        selected=tuple(assets[:topk]),
        state=ResultState(valid=True),
        remarks=found.done(),
    )


def _check_order(found: Collector, lines: Sequence[str]) -> None:
    scores = [_score(line) for line in lines]
    for number, (before, after) in enumerate(pairwise(scores), start=2):
        if before is not None and after is not None and after > before:
            found.add(
                "lost",
                "3.4",
                f"line {number}",
                f"the score {after:g} stands below {before:g}; the platform never sorts and takes the first lines",
                "sort by score, highest first",
                kind="order",
            )


def _asset(line: str) -> str:
    """The id as the platform makes it: the base name of the first column without its last extension."""
    return posixpath.splitext(posixpath.basename(line.split("\t", maxsplit=1)[0].strip()))[0]


def _score(line: str) -> float | None:
    try:
        return float(line.split("\t")[1])
    except (IndexError, ValueError):
        return None
