"""The files of a development container, for editors that work inside of an image (containers.dev)."""

import json
import posixpath
from pathlib import Path
from typing import Any, Final

from layerwright.core.errors import UsageError
from layerwright.run.accelerators import device_numbers, docker_gpus
from layerwright.run.caches import cache_variables
from layerwright.run.command_line import resource_options
from layerwright.spec.model import Cell, Mount
from layerwright.workflow.script import resources_of
from layerwright.workflow.session import Session, read_spec, select_cells

__all__ = ["DevContainer", "devcontainer_of", "render_devcontainer", "write_devcontainer"]

DevContainer = dict[str, str]
"""Text of each file, by its name in the folder."""

_USER: Final = "dev"
_HOME: Final = f"/home/{_USER}"
_SPEC_FILE: Final = "devcontainer.json"

# Editors give a *named* account of the image the caller's uid and gid (``updateRemoteUserUID``), so that files stay the
# caller's; an account that has the uid already, as Ubuntu 24.04's "ubuntu" does, would keep them from it.
_DOCKERFILE: Final = f"""\
# The image with an account for people in it. Editors give that account your own uid and gid.
FROM {{image}}
USER root
RUN set -eu; \\
    for file in passwd group; do \\
      while IFS=: read -r name word number rest; do \\
        if [ "$number" != 1000 ] && [ "$name" != {_USER} ]; then echo "$name:$word:$number:$rest"; fi; \\
      done < "/etc/$file" > "/tmp/$file"; \\
    done; \\
    echo "{_USER}:x:1000:1000:{_USER}:{_HOME}:$(command -v bash || echo /bin/sh)" >> /tmp/passwd; \\
    echo "{_USER}:x:1000:" >> /tmp/group; \\
    cat /tmp/passwd > /etc/passwd; cat /tmp/group > /etc/group; rm /tmp/passwd /tmp/group; \\
    mkdir -p {_HOME}/.cache; chown -R 1000:1000 {_HOME}
USER {_USER}
"""


def render_devcontainer(session: Session, image: str) -> tuple[Path, DevContainer]:
    """The files of an image's development container, from the spec alone, and the folder they belong into.

    Args:
        session: surroundings; neither network nor engine is used.
        image: an image or cell; empty when the spec has only one.

    Raises:
        UsageError: not exactly one cell is meant.
    """
    spec = read_spec(session)
    names = select_cells(spec, [image] if image else [])
    if len(names) != 1:
        raise UsageError(
            f"{image or 'the spec'} stands for {len(names)} images, and a development container is one",
            hint=f"name one of {', '.join(names)}",
        )
    return spec.root / ".devcontainer", devcontainer_of(spec.cells[names[0]], project=spec.project)


def devcontainer_of(cell: Cell, *, project: str) -> DevContainer:
    """The text of each file.

    Args:
        cell: which image.
        project: the project's name, for people.
    """
    workdir = cell.workdir if posixpath.normpath(cell.workdir) != "/" else "/workspace"
    document: dict[str, Any] = {
        "name": f"{project}: {cell.name}",
        "build": {"dockerfile": "Dockerfile"},
        "workspaceFolder": workdir,
        "workspaceMount": f"source=${{localWorkspaceFolder}},target={workdir},type=bind",
        "remoteUser": _USER,
        "updateRemoteUserUID": True,
        # The editor keeps the container up with a command of its own, and starts programs in it.
        "overrideCommand": True,
        "init": True,
        "containerEnv": cache_variables(_HOME, declared=cell.writable, known=cell.env),
    }
    if cell.run_options.mounts:
        document["mounts"] = [_mount(mount) for mount in cell.run_options.mounts]
    options = [*resource_options(resources_of(cell)), *_devices(cell)]
    for group in cell.run_options.groups:
        options += ["--group-add", group]
    if options:
        document["runArgs"] = options
    document["customizations"] = {"layerwright": {"image": cell.references[0]}}
    return {
        _SPEC_FILE: json.dumps(document, indent=2, ensure_ascii=False) + "\n",
        "Dockerfile": _DOCKERFILE.format(image=cell.references[0]),
    }


def write_devcontainer(folder: Path, files: DevContainer) -> None:
    """Write the files; those that somebody else wrote stay.

    Raises:
        UsageError: the folder has a development container of somebody else's, or cannot be written.
    """
    try:
        if (folder / _SPEC_FILE).exists() and not _is_ours(folder / _SPEC_FILE):
            raise UsageError(
                f"{folder / _SPEC_FILE} is not layerwright's and stays as it is",
                hint="name another folder: --out .devcontainer/NAME",
            )
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {folder}: {error.strerror}") from error


def _is_ours(file: Path) -> bool:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        return False  # with comments, which ours has not
    return isinstance(document, dict) and "layerwright" in document.get("customizations", {})


def _mount(mount: Mount) -> str:
    source = mount.source
    if source.startswith("~/"):
        source = "${localEnv:HOME}/" + source[2:]
    elif not source.startswith("/"):
        source = "${localWorkspaceFolder}/" + source
    return f"source={source},target={mount.to},type=bind{',readonly' if mount.read_only else ''}"


def _devices(cell: Cell) -> list[str]:
    gpus = cell.run_options.gpus or "none"
    if gpus == "none":
        return []
    if cell.accelerator == "mthreads":
        numbers = ",".join(device_numbers(gpus))
        return ["--runtime", "mthreads", "--env", f"MTHREADS_VISIBLE_DEVICES={numbers}"]
    return ["--gpus", docker_gpus(gpus)]
