"""The folder that our Docker build works from: wheels, packages, files and tools out of the store."""

import json
import os
import shutil
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Final

from packaging.utils import canonicalize_name

from layerwright.backends.docker.dockerfile import APT_MOUNT, JUDGE_FILE, Dockerfile
from layerwright.backends.native.apt import SCRUBBED, apt_configuration, install_script
from layerwright.backends.native.blobs import layer_trees
from layerwright.backends.native.debs import local_repository, newest_time
from layerwright.backends.native.realise import direct_url, realise
from layerwright.backends.native.results import read_result, write_result
from layerwright.backends.native.workshop import Workshop
from layerwright.core.errors import BuildError
from layerwright.guest import test_judge
from layerwright.layers import bytecode_script
from layerwright.plan.steps import InstallApt, Node
from layerwright.sources.uv import find_uv

__all__ = ["make_context"]

_APT_FILES: Final = ("repository", "lists/partial", "cache/archives/partial", "log")


def make_context(folder: Path, dockerfile: Dockerfile, nodes: Mapping[str, Node], workshop: Workshop) -> None:
    """Fill an empty folder with what the Dockerfile takes from its context.

    Args:
        folder: on the store's file system, so that big files can be links.
        dockerfile: says what is needed.
        nodes: the cell's, by digest.
        workshop: its store holds the wheels.

    Raises:
        BuildError: a step cannot be prepared.
        EngineError: a program that prepares it is missing.
    """
    for place, digest in dockerfile.trees.items():
        _tree(folder / place, nodes[digest], workshop)
    if dockerfile.wheels:
        wheels = folder / "wheels"
        wheels.mkdir()
        for wheel in dockerfile.wheels:
            _link(workshop.store.path("wheels", wheel.sha256), wheels / wheel.file)
        tools = folder / "tools"
        tools.mkdir()
        _link(find_uv(workshop.host), tools / "uv")
        guest = files("layerwright.backends.docker.guest").joinpath("install_wheels.py")
        (tools / "install_wheels.py").write_bytes(guest.read_bytes())
        (tools / "compile_tree.py").write_text(bytecode_script(), encoding="utf-8")
        for name, group in dockerfile.groups.items():
            particulars = {
                canonicalize_name(wheel.name): {"requested": wheel.requested, "direct_url": direct_url(wheel)}
                for wheel in group
            }
            (tools / name).write_text(json.dumps(particulars, sort_keys=True), encoding="utf-8")
    for place, mounted in dockerfile.files.items():
        (folder / place).mkdir(parents=True)
        for file in mounted:
            _link(workshop.store.path("files", file.sha256), folder / place / file.name)
    if dockerfile.judge:
        (folder / dockerfile.judge).mkdir(parents=True)
        (folder / dockerfile.judge / JUDGE_FILE).write_text(test_judge(), encoding="utf-8")
    for place, digest in dockerfile.apt.items():
        step = nodes[digest].step
        if not isinstance(step, InstallApt):
            raise BuildError(f"{digest} is no step of apt")  # pragma: no cover - the writer says so
        _apt(folder / place, step, workshop)


def _tree(place: Path, node: Node, workshop: Workshop) -> None:
    """The files of a step that only puts files, as they are to stand below the root."""
    result = read_result(workshop.store, node.digest)
    if result is None:
        result = realise(workshop, node, (), {})
        write_result(workshop.store, node.digest, result)
    place.parent.mkdir(exist_ok=True)
    for layer in result.layers:
        for tree in layer_trees(workshop.store, layer, as_root=workshop.host.uid == 0):
            shutil.copytree(tree, place, symlinks=True, copy_function=_copy, dirs_exist_ok=True)


def _copy(source: str, target: str) -> None:
    if os.path.islink(source):  # noqa: PTH114  as shutil gives it
        target_of_link = os.readlink(source)  # noqa: PTH115  as shutil gives it
        os.symlink(target_of_link, target)  # noqa: PTH211  as shutil gives it
    else:
        shutil.copy2(source, target)


def _link(source: Path, target: Path) -> None:
    """A link where the file systems are one, else a copy: the client does not follow links out of the context."""
    try:
        target.hardlink_to(source.resolve())
    except OSError:
        shutil.copy2(source, target)


def _apt(place: Path, step: InstallApt, workshop: Workshop) -> None:
    """The local repository, and the same script that installs from it natively."""
    workshop.fetch_debs(step.debs)
    for name in _APT_FILES:
        (place / name).mkdir(parents=True)
    repository = place / "repository"
    local_repository(step.debs, repository, store=workshop.store, host=workshop.host)
    for one in repository.iterdir():
        if one.is_symlink():
            content = one.resolve()
            one.unlink()
            shutil.copy2(content, one)
    (place / "sources.list").write_text(
        f"deb [trusted=yes] copy:{APT_MOUNT}/repository ./\n", encoding="utf-8"
    )
    (place / "apt.conf").write_text(apt_configuration(APT_MOUNT), encoding="utf-8")
    (place / "install").write_text(install_script(step.debs, step.requested), encoding="utf-8")
    epoch = newest_time(step.debs, workshop.store)
    # What natively is left out of the captured layer; Docker's own mounts (resolv.conf) cannot and need not go.
    traces = " ".join(f"/{pattern}" for pattern in SCRUBBED if pattern not in {"run/*", "etc/resolv.conf"})
    (place / "build").write_text(
        "export HOME=/root LC_ALL=C.UTF-8 TZ=UTC DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true\n"
        f"export APT_CONFIG={APT_MOUNT}/apt.conf SOURCE_DATE_EPOCH={epoch}\n"
        # Traces of the run go; what the base itself has under these names stays.
        f"ls -d {traces} > {APT_MOUNT}/before 2> /dev/null || true\n"
        f"/bin/sh -eu {APT_MOUNT}/install\n"
        f'for trace in {traces}; do grep -qxF "$trace" {APT_MOUNT}/before || rm -rf "$trace"; done\n',
        encoding="utf-8",
    )
