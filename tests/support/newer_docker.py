"""A Docker with buildx beside this machine's own: ``tools/newer_docker.sh`` fetched it."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote


@dataclass(frozen=True, slots=True, kw_only=True)
class NewerDocker:
    """A daemon with a network of its own, and the client with buildx.

    Attributes:
        environment: what makes clients find the daemon and the plugin.
    """

    program: Path
    environment: dict[str, str]

    def __call__(
        self, *arguments: str, folder: Path | None = None, **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [self.program, *arguments],
            cwd=folder,
            env={**os.environ, **self.environment, **variables},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


@contextmanager
def newer_docker(folder: Path, work: Path) -> Iterator[NewerDocker]:
    """Start the daemon of ``folder`` until the block ends.

    In a network namespace of its own: two daemons in one take each other's bridge. ``nsenter`` rather than
    ``ip netns exec``, which mounts /sys anew, where the daemon then finds no control groups.
    """
    name = f"lw{quote(work.name)[-8:]}{os.getpid() % 10000}"
    plugins = work / "config" / "cli-plugins"
    plugins.mkdir(parents=True)
    (plugins / "docker-buildx").symlink_to(folder / "usr/libexec/docker/cli-plugins/docker-buildx")
    socket = work / "d.sock"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        inside = ["nsenter", f"--net=/run/netns/{name}"]
        subprocess.run([*inside, "ip", "link", "set", "lo", "up"], check=True)
        path = f"{folder}/usr/sbin:{folder}/usr/bin:{os.environ['PATH']}"
        with (work / "log").open("wb") as log:
            daemon = subprocess.Popen(
                [*inside, folder / "usr/sbin/dockerd", f"--data-root={work / 'data'}", f"--exec-root={work / 'exec'}",
                 f"--pidfile={work / 'pid'}", f"--host=unix://{socket}"],
                stdout=log, stderr=log, env={**os.environ, "PATH": path}, start_new_session=True,
            )  # fmt: skip
        docker = NewerDocker(
            program=folder / "usr/bin/docker",
            environment={"DOCKER_HOST": f"unix://{socket}", "DOCKER_CONFIG": str(work / "config")},
        )
        try:
            end = time.monotonic() + 60
            while docker("version").returncode:
                assert daemon.poll() is None, (work / "log").read_text()[-2000:]
                assert time.monotonic() < end, (work / "log").read_text()[-2000:]
                time.sleep(0.2)
            yield docker
        finally:
            daemon.terminate()
            daemon.wait(timeout=60)
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=False)
