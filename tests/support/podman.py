"""Podman for tests: a configuration that works in containers, and an image's files."""

import io
import subprocess
from pathlib import Path

from support.trees import Tree, tree_of_tar

# What works for Podman on machines of both control group versions, and below the limits of a container.
CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
[engine]
runtime = "{runtime}"
cgroup_manager = "cgroupfs"
"""


def settings_file(folder: Path, runtime: str = "runc") -> Path:
    """For CONTAINERS_CONF."""
    file = folder / f"{runtime}.conf"
    file.write_text(CONTAINERS_CONF.format(runtime=runtime), encoding="utf-8")
    return file


def tree_in_podman(identifier: str, env: dict[str, str]) -> Tree:
    """An image's file system as Podman has it, by way of a container that is never started."""

    def podman(*words: str) -> bytes:
        return subprocess.run(
            ["podman", *words], env=env, check=True, capture_output=True, timeout=120
        ).stdout

    container = podman("create", identifier, "none").decode().strip()
    try:
        return tree_of_tar(io.BytesIO(podman("export", container)))
    finally:
        podman("rm", "--force", container)
