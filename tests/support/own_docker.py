"""A Docker daemon of a test's own, beside this machine's: with what settings and runtimes the test wants."""

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from support.command import mounts_below


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnDocker:
    """A daemon with a network of its own, and its client.

    Attributes:
        environment: what makes clients find the daemon and its plugins.
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
def own_docker(work: Path, *, root: Path = Path("/"), arguments: Sequence[str] = ()) -> Iterator[OwnDocker]:
    """Start the daemon whose programs stand below ``root`` until the block ends.

    In a network namespace of its own: two daemons in one take each other's bridge. ``nsenter`` rather than
    ``ip netns exec``, which mounts /sys anew, where the daemon then finds no control groups.

    Args:
        work: folder for its socket (whose path must be short), data and log.
        root: where its programs stand.
        arguments: further ones of dockerd.
    """
    name = f"lw{quote(work.name)[-8:]}{os.getpid() % 10000}"
    socket = work / "d.sock"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        inside = ["nsenter", f"--net=/run/netns/{name}"]
        subprocess.run([*inside, "ip", "link", "set", "lo", "up"], check=True)
        path = f"{root / 'usr/sbin'}:{root / 'usr/bin'}:{os.environ['PATH']}"
        with (work / "log").open("wb") as log:
            daemon = subprocess.Popen(
                [*inside, root / "usr/sbin/dockerd", f"--data-root={work / 'data'}", f"--exec-root={work / 'exec'}",
                 f"--pidfile={work / 'pid'}", f"--host=unix://{socket}", *arguments],
                stdout=log, stderr=log, env={**os.environ, "PATH": path}, start_new_session=True,
            )  # fmt: skip
        docker = OwnDocker(
            program=root / "usr/bin/docker",
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
            for mounted in reversed(mounts_below(work)):
                subprocess.run(["umount", "--lazy", mounted], check=False)
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=False)
