"""A Docker with buildx beside this machine's own: ``tools/newer_docker.sh`` fetched it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.own_docker import OwnDocker, own_docker


@contextmanager
def newer_docker(folder: Path, work: Path) -> Iterator[OwnDocker]:
    """Start the daemon of ``folder`` until the block ends; the client has buildx."""
    plugins = work / "config" / "cli-plugins"
    plugins.mkdir(parents=True)
    (plugins / "docker-buildx").symlink_to(folder / "usr/libexec/docker/cli-plugins/docker-buildx")
    with own_docker(work, root=folder) as docker:
        yield docker
