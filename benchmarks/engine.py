"""Docker engines and registries of the benchmark's own, in network namespaces of their own.

Nothing of the machine's engine is touched: no image of it can make a row faster, and none is removed. Needs root.
"""

import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from measure import Command, run

from layerwright.engines.client import find_builder
from layerwright.host.environment import HostEnvironment

_START_SECONDS = 60.0
_REGISTRY = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {root}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


class Engine:
    """One dockerd."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        """Start it; its images of an earlier run are still there."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.socket = folder / "docker.sock"
        self.env = {
            **variables,
            "DOCKER_HOST": f"unix://{self.socket}",
            "DOCKER_CONFIG": str(folder / "client"),
            "DOCKER_BUILDKIT": "1",
        }
        # A docker client from 23 on builds with buildx only; take one that can build at all.
        self.client = find_builder(HostEnvironment.gather(self.env)).program
        words = f"--data-root {folder}/data --exec-root {folder}/exec --pidfile {folder}/pid --host unix://{self.socket}"
        (folder / "pid").unlink(missing_ok=True)
        with (folder / "log").open("wb") as log:
            # unshare and sh each become the next program, so this is dockerd's own process.
            self.process = subprocess.Popen(
                ["unshare", "--net", "sh", "-c", f"ip link set lo up; exec dockerd {words}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.port = 5000
        for left in folder.glob("registry-*"):
            shutil.rmtree(left)
        deadline = time.monotonic() + _START_SECONDS
        while subprocess.run(
            self._words("version"), env=self.env, capture_output=True, check=False
        ).returncode:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"dockerd does not start: see {folder}/log")
            time.sleep(0.1)

    def stop(self) -> None:
        """End it and wait."""
        self.process.terminate()
        self.process.wait(60)

    def _words(self, *words: str | Path) -> list[str]:
        return [str(self.client), *map(str, words)]

    def docker(self, *words: str | Path, cwd: Path | None = None, expect: str = "") -> Command:
        """A docker command."""
        return Command(argv=self._words(*words), env=self.env, cwd=cwd or self.folder, expect=expect)

    def inside(self, argv: Sequence[str | Path]) -> list[str | Path]:
        """The command line in the engine's network, whose loopback the engine shares; costs 2 ms."""
        return ["nsenter", f"--net=/proc/{self.process.pid}/ns/net", "--", *argv]

    def has(self, name: str) -> bool:
        """Whether there is such an image."""
        words = self._words("image", "inspect", name)
        return subprocess.run(words, env=self.env, capture_output=True, check=False).returncode == 0

    def forget(self, keep: Sequence[str]) -> None:
        """Remove all images but these, and results of builds; cache mounts stay."""
        listed = run(self.docker("images", "--format", "{{.Repository}}:{{.Tag}}")).split()
        gone = [name for name in listed if name not in keep and not name.startswith("<none>")]
        if gone:
            run(self.docker("rmi", "--force", *gone))
        run(self.docker("image", "prune", "--force"))
        for kind in ("regular", "source.local", "internal"):
            run(self.docker("builder", "prune", "--all", "--force", "--filter", f"type={kind}"))

    @contextmanager
    def registry(self) -> Iterator[tuple[str, Path]]:
        """An empty registry, its address and its folder; each at another port, as dockerd remembers what it sent."""
        self.port += 1
        root = self.folder / f"registry-{self.port}"
        root.mkdir()
        config = self.folder / "registry.yml"
        config.write_text(_REGISTRY.format(root=root, port=self.port))
        address = f"127.0.0.1:{self.port}"
        process = subprocess.Popen(
            self.inside(["docker-registry", "serve", str(config)]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            probe = self.inside(["bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{self.port}"])
            while subprocess.run(probe, capture_output=True, check=False).returncode:
                if process.poll() is not None:
                    raise SystemExit("docker-registry does not start")
                time.sleep(0.05)
            yield address, root
        finally:
            process.terminate()
            process.wait(10)
            shutil.rmtree(root)


def folder_size(folder: Path) -> int:
    """Bytes of the files below."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
