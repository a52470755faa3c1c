"""Installed packages have the files that their RECORD lists, as it lists them, and share none."""

import re
from collections.abc import Iterator
from typing import Final

from layerwright.core.findings import Evidence, Finding, Fix, Kind, Level
from layerwright.rules.opencv_variants import TWO
from layerwright.rules.opencv_variants import VARIANTS as OPENCV
from layerwright.rules.ort_packages import BOTH
from layerwright.rules.ort_packages import VARIANTS as ORT
from layerwright.verify.inspection import Inspection
from layerwright.verify.python.dists import Dist, RecordRow
from layerwright.verify.python.environments import Environment
from layerwright.verify.words import listed, plural, short

__all__ = ["KINDS", "check"]

_EVIDENCE: Final = (
    "RECORD of every distribution, with the sizes and sha256 digests of the files in the image."
)

GONE = Kind(
    code="LW-RECORD-MISSING",
    title="Files of an installed package are not there",
    why="Imports fail when they come to the missing module or library. Mostly a later step deleted them to save "
    "space, which saves nothing: the layer below still has them.",
    evidence=_EVIDENCE,
    repair="Install the package anew, or leave its files alone.",
)
CHANGED = Kind(
    code="LW-RECORD-CHANGED",
    title="Files of an installed package were changed",
    why="What runs is not the release that its name and version say, and the change is lost with the next "
    "installation.",
    evidence=_EVIDENCE,
    repair="Build a wheel of the changed package with a version of its own (`1.2.3+local`), and install that.",
)
SHARED = Kind(
    code="LW-RECORD-SHARED",
    title="Two packages installed different files at one path",
    why="What was installed last won. Removing or upgrading either breaks the other.",
    evidence=_EVIDENCE,
    repair="Keep one of the two.",
)
KINDS = (GONE, CHANGED, SHARED, TWO, BOTH)

_NEGLIGIBLE: Final = re.compile(
    r"/(tests?|testing|docs?|examples?|benchmarks?|share|man|licenses?)/|\.(pyi|md|rst|txt|h|hpp)$"
)
"""Parts of packages that people delete from images on purpose, and that nothing imports."""

_CODE: Final = re.compile(r"\.(py|so(\.[0-9.]+)?)$")
_GENERATED: Final = ("/__pycache__/", ".pyc", ".pyo")
_SHOWN: Final = 5


def check(image: Inspection) -> Iterator[Finding]:
    """Compare every file of every distribution."""
    seen: set[str] = set()
    for environment in image.environments:
        for dist in (*environment.dists.values(), *environment.shadowed):
            if dist.info not in seen:
                seen.add(dist.info)
                yield from _files(image, environment, dist)
        yield from _shared(image, environment)


def _files(image: Inspection, environment: Environment, dist: Dist) -> Iterator[Finding]:
    gone: list[str] = []
    changed: list[tuple[str, str]] = []
    for row in dist.rows():
        if any(mark in row.path for mark in _GENERATED) or _is_dpkgs(dist, row.path):
            continue
        node = image.tree.find(row.path)
        if node is None:
            gone.append(row.path)
        elif node.entry.kind == "file":
            difference = _difference(row, node.entry.size, node.entry.sha256)
            if difference and not _others(environment, dist, row, node.entry.sha256):
                changed.append((row.path, difference))
    if gone:
        yield _gone(image, dist, gone)
    if changed:
        yield _changed(image, dist, changed)


def _is_dpkgs(dist: Dist, path: str) -> bool:
    """Whether the file is a script that Debian's packages put elsewhere, which RECORD lists at its old place."""
    return dist.folder == "/usr/lib/python3/dist-packages" and not path.startswith(dist.folder)


def _difference(row: RecordRow, size: int, sha256: bytes) -> str:
    if row.size >= 0 and row.size != size:
        return f"has {size:,} bytes, not {row.size:,}"
    if row.sha256 and sha256 and row.sha256 != sha256:
        return f"has sha256 {sha256.hex()[:12]}…, not {row.sha256.hex()[:12]}…"
    return ""


def _others(environment: Environment, dist: Dist, row: RecordRow, sha256: bytes) -> bool:
    """Whether the file is as another distribution lists it, which is told as such."""
    return any(
        other is not dist and other_row.sha256 == sha256
        for other, other_row in environment.shared.get(row.path, ())
    )


def _gone(image: Inspection, dist: Dist, paths: list[str]) -> Finding:
    code = [path for path in paths if _CODE.search(path) and not _NEGLIGIBLE.search(path)]
    level: Level = "error" if code else "note"
    shown = code or paths
    evidence = [
        Evidence(
            text=f"RECORD lists {path}, which is not there",
            source=f"{dist.info}/RECORD",
            confidence="metadata",
        )
        for path in shown[:_SHOWN]
    ]
    deleted = {f"/{path}": index.number for index in image.contents.layers for path in index.whiteouts}
    for path in shown[:_SHOWN]:
        parts = path.split("/")
        for length in range(len(parts), 1, -1):
            above = "/".join(parts[:length])
            if above in deleted:
                number = deleted[above]
                evidence.append(
                    Evidence(
                        text=f"{image.layer_title(number)} deletes {above}",
                        source=image.layer_digest(number),
                        confidence="binary",
                    )
                )
                break
    return image.finding(
        GONE,
        level,
        f"{plural(len(paths), 'file')} of {dist.label} {'is' if len(paths) == 1 else 'are'} not there: "
        f"{listed([short(path) for path in shown])}",
        path=dist.info,
        evidence=evidence,
        fix=[
            Fix(
                text=f"install {dist.name} anew",
                command=f"pip install --force-reinstall --no-deps {dist.name}=={dist.version}",
                cost=5,
            )
        ],
    )


def _changed(image: Inspection, dist: Dist, changed: list[tuple[str, str]]) -> Finding:
    code = [path for path, _ in changed if _CODE.search(path)]
    level: Level = "warning" if code else "note"
    paths = [short(path) for path, _ in changed]
    first = changed[0][0]
    return image.finding(
        CHANGED,
        level,
        f"{plural(len(changed), 'file')} of {dist.label} {'is' if len(changed) == 1 else 'are'} not as installed: "
        f"{listed(paths)}",
        path=first,
        evidence=[
            Evidence(
                text=f"{path} {difference}; it came with {image.layer_title(image.layer_of(path))}",
                source=f"{dist.info}/RECORD",
                confidence="binary",
            )
            for path, difference in changed[:_SHOWN]
        ],
        fix=[
            Fix(
                text=f"install {dist.name} as it was released",
                command=f"pip install --force-reinstall --no-deps {dist.name}=={dist.version}",
                cost=8,
            ),
            Fix(text="build a wheel of the changed package with a local version of its own", cost=15),
        ],
    )


def _shared(image: Inspection, environment: Environment) -> Iterator[Finding]:
    pairs: dict[tuple[str, ...], list[str]] = {}
    for path, owners in environment.shared.items():
        rows = {row.sha256 for _, row in owners if row.sha256}
        if len(rows) > 1:
            pairs.setdefault(tuple(sorted(dist.name for dist, _ in owners)), []).append(path)
    told: set[str] = set()
    for kind, variants, module in ((TWO, OPENCV, "cv2"), (BOTH, ORT, "onnxruntime")):
        found = [environment.dists[name] for name in variants if name in environment.dists]
        if len(found) > 1:
            told.update(dist.name for dist in found)
            yield image.finding(
                kind,
                "error",
                f"{listed([dist.label for dist in found])} install the same module {module}: one overwrote "
                "the other",
                path=found[-1].info,
                evidence=[
                    Evidence(
                        text=f"{dist.label} came with {image.layer_title(dist.layer)}",
                        source=dist.info,
                        confidence="metadata",
                    )
                    for dist in found
                ],
                fix=[
                    Fix(
                        text=f"keep {found[0].name} alone",
                        command=f"pip uninstall -y {' '.join(dist.name for dist in found)} && "
                        f"pip install --no-deps {found[0].name}=={found[0].version}",
                        cost=5,
                    )
                ],
                members=[image.wheel(dist) for dist in found],
            )
    for names, paths in pairs.items():
        if set(names) <= told:
            continue
        dists = [environment.dists[name] for name in names]
        code = [path for path in paths if _CODE.search(path) and not _NEGLIGIBLE.search(path)]
        yield image.finding(
            SHARED,
            "warning" if code else "note",
            f"{listed([dist.label for dist in dists])} both installed "
            f"{listed([short(path) for path in code or paths])}, "
            "with different content",
            path=(code or paths)[0],
            evidence=[
                Evidence(
                    text=f"RECORD lists {short(path)}", source=f"{dist.info}/RECORD", confidence="metadata"
                )
                for dist in dists
                for path in (code or paths)[:2]
            ],
            fix=[Fix(text=f"keep one of {listed([dist.name for dist in dists])}", cost=10)],
            members=[image.wheel(dist) for dist in dists],
        )
