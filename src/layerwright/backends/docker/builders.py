"""What runs our Dockerfiles: Docker by its client and engine, Podman by itself; and what both are asked besides."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from layerwright.core.events import Reporter
from layerwright.engines.client import Build, Client, build
from layerwright.engines.delivery import deliver
from layerwright.engines.docker import DockerEngine
from layerwright.engines.model import LocalImage
from layerwright.engines.podman import Podman
from layerwright.host.environment import HostEnvironment
from layerwright.oci.blobs import BlobSource
from layerwright.oci.digest import Digest
from layerwright.oci.image import Image

__all__ = ["Builder", "DockerBuilder", "PodmanBuilder"]

_BASE: Final = "layerwright-base"


class Builder(Protocol):
    """An engine with what builds in it."""

    @property
    def name(self) -> str:
        """As people write it."""

    @property
    def platform(self) -> str:
        """Of the images it builds, such as ``linux/amd64``."""

    @property
    def cache_hint(self) -> str:
        """What removes a step from the engine's build cache, for an error's hint; empty when it is removed."""

    def bring(self, image: Image, blobs: BlobSource, reporter: Reporter) -> str:
        """Make the engine have a base; returns a name of it that FROM takes, and which stays for the next build."""

    def build(self, wanted: Build, *, scratch: Path, on_line: Callable[[str], None]) -> Digest:
        """Build; returns the image's id. Raises EngineError with the last lines."""

    def inspect(self, identifier: Digest) -> LocalImage | None:
        """An image by its id."""

    def save(self, identifier: Digest, file: Path) -> None:
        """Write the image as a docker archive."""

    def read(self, identifier: Digest, path: str, *, scratch: Path) -> bytes:
        """The end of a file of the image, some MiB at most; empty when there is no such file."""

    def tag(self, identifier: Digest, reference: str) -> None:
        """Give the image a further name."""

    def remove(self, identifier: Digest, *, steps: bool) -> None:
        """Remove an image without a name; ``steps``: and what the engine holds of its steps, where it can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerBuilder:
    """A Docker engine, and the client that talks BuildKit to it."""

    engine: DockerEngine
    client: Client
    host: HostEnvironment
    name: str = "Docker"
    cache_hint: str = "Docker's build cache may still hold the step: docker builder prune"

    @property
    def platform(self) -> str:
        """The engine's own."""
        return self.engine.version.platform

    def bring(self, image: Image, blobs: BlobSource, reporter: Reporter) -> str:
        """Load what the engine lacks."""
        name = _base_name(image)
        deliver(self.engine, image, blobs, [name], reporter=reporter)
        return name

    def build(self, wanted: Build, *, scratch: Path, on_line: Callable[[str], None]) -> Digest:
        """With BuildKit."""
        return build(
            wanted,
            client=self.client,
            endpoint=self.engine.endpoint,
            host=self.host,
            scratch=scratch,
            on_line=on_line,
        )

    def inspect(self, identifier: Digest) -> LocalImage | None:
        """Ask the engine."""
        return self.engine.inspect(str(identifier))

    def save(self, identifier: Digest, file: Path) -> None:
        """The engine gives layers away only with all of the image."""
        with file.open("wb") as out:
            for chunk in self.engine.save(str(identifier)):
                out.write(chunk)

    def read(self, identifier: Digest, path: str, *, scratch: Path) -> bytes:  # noqa: ARG002 - read as a stream
        """Ask the engine, by a container that is never started."""
        return self.engine.read(str(identifier), path)

    def tag(self, identifier: Digest, reference: str) -> None:
        """Ask the engine."""
        self.engine.tag(str(identifier), reference)

    def remove(self, identifier: Digest, *, steps: bool) -> None:  # noqa: ARG002 - BuildKit's cache stands apart
        """Ask the engine; its build cache is not ours to remove."""
        self.engine.remove(str(identifier))


@dataclass(frozen=True, slots=True, kw_only=True)
class PodmanBuilder:
    """The caller's Podman, which builds without a daemon."""

    podman: Podman
    name: str = "Podman"
    cache_hint: str = ""

    @property
    def platform(self) -> str:
        """The machine's own: there is no engine elsewhere."""
        return self.podman.platform

    def bring(self, image: Image, blobs: BlobSource, reporter: Reporter) -> str:
        """Have Podman pull what it lacks."""
        # With the host that Podman gives local names; without it a short name could be looked up elsewhere.
        name = f"localhost/{_base_name(image)}"
        self.podman.bring(image, blobs, [name], reporter=reporter)
        return name

    def build(self, wanted: Build, *, scratch: Path, on_line: Callable[[str], None]) -> Digest:
        """With the buildah that is in Podman."""
        return self.podman.build(wanted, scratch=scratch, on_line=on_line)

    def inspect(self, identifier: Digest) -> LocalImage | None:
        """Ask Podman."""
        return self.podman.inspect(identifier)

    def read(self, identifier: Digest, path: str, *, scratch: Path) -> bytes:
        """Podman copies it out of a container that is never started."""
        return self.podman.read(identifier, path, scratch=scratch)

    def save(self, identifier: Digest, file: Path) -> None:
        """Podman writes the file by itself."""
        self.podman.save(identifier, file)

    def tag(self, identifier: Digest, reference: str) -> None:
        """Ask Podman."""
        self.podman.name(identifier, [reference])

    def remove(self, identifier: Digest, *, steps: bool) -> None:
        """Podman's build cache is images without a name, so that it can go, too."""
        self.podman.remove(identifier, steps=steps)


def _base_name(image: Image) -> str:
    return f"{_BASE}:{image.config_digest.hex[:32]}"
