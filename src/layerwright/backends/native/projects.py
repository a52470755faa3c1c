"""Builds a wheel from a project's sources with the image's own interpreter, without network."""

import json
from collections.abc import Sequence
from pathlib import Path

from layerwright.backends.base import WheelPart
from layerwright.backends.native.results import NodeResult
from layerwright.backends.native.workshop import Workshop
from layerwright.core.errors import BuildError
from layerwright.core.events import OutputLine
from layerwright.oci.platform import Platform
from layerwright.plan.steps import PREFIX, BuildWheel
from layerwright.sandbox.execute import execute
from layerwright.sandbox.model import Bind, Command
from layerwright.sources.history import takes_version_from_history
from layerwright.sources.projects import (
    BuildTarget,
    build_command,
    build_environment,
    build_requirements,
    fill_wheelhouse,
    prepare_source,
)
from layerwright.sources.uv import find_uv
from layerwright.sources.wheelfile import normalise_wheel

__all__ = ["build_wheel"]

_TIMEOUT = 4 * 3600.0
"""Seconds; frameworks compile for hours."""

_LINES_SHOWN = 30


def build_wheel(
    workshop: Workshop, step: BuildWheel, trees: Sequence[tuple[Path, bool]], task: str
) -> NodeResult:
    """Build the wheel over the image's system layers and take it into the store.

    Raises:
        BuildError: the project's build failed; with its last lines.
    """
    source = step.source
    store = workshop.store
    with store.scratch() as scratch:
        folders = {name: scratch / name for name in ("source", "out", "wheelhouse", "cache", "home")}
        for folder in folders.values():
            folder.mkdir()
        project = prepare_source(
            source,
            into=folders["source"],
            root=workshop.root,
            store=store,
            host=workshop.host,
            fetcher=workshop.fetcher(),
            commit=step.commit,
            offline=workshop.offline,
        )
        fill_wheelhouse(
            build_requirements(project),
            folders["wheelhouse"],
            target=BuildTarget(
                python=step.python,
                full_python=step.full_python,
                platform=Platform.parse(step.platform),
                glibc=step.glibc,
            ),
            name=source.name,
            resolver=workshop.resolver(),
            fetcher=workshop.fetcher(),
            store=store,
            indexes=workshop.indexes,
            root=workshop.root,
            exclude_newer=step.exclude_newer,
        )
        _run(workshop, step, trees, folders=folders, project=project, task=task)
        found = sorted(folders["out"].glob("*.whl"))
        if len(found) != 1:
            raise BuildError(
                f"the build of {source.name} left {len(found)} wheels, not one", where=step.location
            )
        made = scratch / found[0].name
        normalise_wheel(found[0], made)
        size = made.stat().st_size
        part = WheelPart(
            sha256=store.adopt("wheels", made),
            file=found[0].name,
            name=source.name,
            version=found[0].name.split("-")[1],
            requested=source.requested,
            direct_url=_direct_url(step),
        )
    return NodeResult(wheel=part, bytes_written=size)


def _run(
    workshop: Workshop,
    step: BuildWheel,
    trees: Sequence[tuple[Path, bool]],
    *,
    folders: dict[str, Path],
    project: Path,
    task: str,
) -> None:
    binds = [Bind(source=find_uv(workshop.host), target="/run/layerwright/uv", read_only=True)]
    binds += [Bind(source=folder, target=f"/run/layerwright/{name}") for name, folder in folders.items()]
    inside = project.relative_to(folders["source"])
    command = Command(
        argv=build_command(
            uv="/run/layerwright/uv",
            project=f"/run/layerwright/source/{inside}",
            out="/run/layerwright/out",
            python=f"{PREFIX}/bin/python",
            wheelhouse="/run/layerwright/wheelhouse",
        ),
        env=build_environment(
            step.source, cache="/run/layerwright/cache", home="/run/layerwright/home", commit=step.commit
        ),
        binds=tuple(binds),
    )
    lines = list[str]()

    def on_line(line: str) -> None:
        lines.append(line)
        del lines[:-_LINES_SHOWN]
        workshop.reporter(OutputLine(task=task, line=line))

    with workshop.rootfs(trees) as rootfs:
        status = execute(
            rootfs, command, capabilities=workshop.capabilities(), on_line=on_line, timeout=_TIMEOUT
        )
    if status != 0:
        output = "\n".join(f"  | {line}" for line in lines)
        raise BuildError(
            f"{step.source.name} could not be built to a wheel (status {status})\n{output}",
            where=step.location,
            hint=_hint(step, project),
        )


def _hint(step: BuildWheel, project: Path) -> str:
    """What is known to go wrong where no version can be told to the build."""
    source = step.source
    if source.version or step.commit or source.kind != "path" or not takes_version_from_history(project):
        return ""
    return (
        f"the version of {source.name} comes from git, and {source.source} is in no repository with a commit (or git"
        " is not installed): clone it, or give it a version that needs no repository, by `version` in [project]"
        " or by its tool's fallback, such as `fallback_version` in [tool.setuptools_scm]"
    )


def _direct_url(step: BuildWheel) -> str:
    """Text of ``direct_url.json`` (PEP 610); a folder's place on this machine is nobody else's business."""
    source = step.source
    if source.kind != "git":
        return ""
    document: dict[str, object] = {
        "url": source.source,
        "vcs_info": {"commit_id": source.commit, "vcs": "git"},
    }
    if source.subdirectory:
        document["subdirectory"] = source.subdirectory
    return json.dumps(document, sort_keys=True)
