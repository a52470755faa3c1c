"""What is known of packages built from sources: their wheels, once built; else what their pyproject.toml says."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from layerwright.core.errors import LayerwrightError
from layerwright.facts.model import WheelFacts
from layerwright.lock.model import Lock, LockedSource, LockedWheel
from layerwright.spec.model import Spec
from layerwright.workflow.session import Session

__all__ = ["built_wheels", "pure_project"]

_LARGEST: Final = 1 << 20
_PURE_BACKENDS: Final = frozenset(
    {"hatchling.build", "flit_core.buildapi", "uv_build", "poetry.core.masonry.api", "pdm.backend"}
)
"""Back ends that compile nothing unless they are told to. Source: their documentation."""

_HOOKS: Final = (
    ("hatch", "build", "hooks"),
    ("hatch", "build", "targets", "wheel", "hooks"),
    ("poetry", "build"),
    ("pdm", "build", "run-setuptools"),
    ("pdm", "build", "custom-hook"),
    ("setuptools", "ext-modules"),
)
"""Tables of ``[tool]`` by which a build may compile something after all."""

Key = tuple[str, str]
"""Cell and package."""


def built_wheels(session: Session, spec: Spec, lock: Lock, names: Sequence[str]) -> Mapping[Key, LockedWheel]:
    """Wheels that earlier builds made of the cells' sources as they stand now, where they are still in the store."""
    cells = [name for name in names if lock.cells[name].sources]
    if not cells:
        return {}
    from layerwright.backends.native.results import read_result  # noqa: PLC0415 - only with sources
    from layerwright.plan.build import make_plan  # noqa: PLC0415 - only with sources
    from layerwright.plan.steps import BuildWheel  # noqa: PLC0415 - only with sources
    from layerwright.workflow.plan import scan_trees, with_parents  # noqa: PLC0415 - only with sources
    from layerwright.workflow.scans import file_digests  # noqa: PLC0415 - only with sources

    wanted = with_parents(spec, cells)
    try:
        with file_digests(session) as cache:
            trees = scan_trees(spec, lock, wanted, session.host, cache)
        plan = make_plan(spec, lock, trees, cells=wanted)
    except LayerwrightError:
        return {}  # what cannot be planned was not built either
    found: dict[Key, LockedWheel] = {}
    for cell in plan.cells:
        for node in cell.nodes:
            if not isinstance(node.step, BuildWheel):
                continue
            result = read_result(session.store, node.digest)
            if result is not None and result.wheel is not None:
                part = result.wheel
                found[cell.cell, node.step.source.name] = LockedWheel(
                    name=node.step.source.name,
                    version=part.version,
                    file=part.file,
                    sha256=part.sha256,
                    size=session.store.path("wheels", part.sha256).stat().st_size,
                )
    return found


def pure_project(source: LockedSource, root: Path) -> WheelFacts | None:
    """Facts of a project in a folder that compiles nothing, by its pyproject.toml; None when that does not say so."""
    if source.kind != "path":
        return None
    import tomli  # noqa: PLC0415 - only with projects

    folder = root / source.source
    try:
        data = (folder / "pyproject.toml").read_bytes()
        document = tomli.loads(data.decode("utf-8-sig")) if len(data) <= _LARGEST else {}
    except (OSError, UnicodeDecodeError, tomli.TOMLDecodeError):
        return None
    if not _compiles_nothing(document, folder):
        return None
    project = _table(document, "project")
    requires = _texts(project.get("dependencies"))
    for extra, lines in _table(project, "optional-dependencies").items():
        requires += [f"{line} ; extra == '{extra}'" for line in _texts(lines)]
    python = project.get("requires-python")
    return WheelFacts(
        file=f"{source.source}/pyproject.toml",
        sha256="",
        name=source.name,
        version=source.version,
        requires_python=python if isinstance(python, str) else "",
        requires=tuple(requires),
        reach="whole",
    )


def _compiles_nothing(document: Mapping[str, Any], folder: Path) -> bool:
    backend = _table(document, "build-system").get("build-backend", "setuptools.build_meta")
    tool = _table(document, "tool")
    for path in _HOOKS:
        inside: object = tool
        for key in path:
            inside = inside.get(key) if isinstance(inside, dict) else None
        if inside:
            return False
    if backend in _PURE_BACKENDS:
        return True
    return backend == "setuptools.build_meta" and not (folder / "setup.py").exists()


def _table(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = document.get(key)
    return found if isinstance(found, dict) else {}


def _texts(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
