"""Docker's command-line clients: which there are, which can build with BuildKit, and building with one.

A build needs a client: BuildKit's side of the conversation (contexts, secrets, progress over gRPC) is not in the HTTP
API. Everything else goes through the API.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from layerwright.core.errors import EngineError
from layerwright.engines.endpoint import Endpoint
from layerwright.host.environment import HostEnvironment
from layerwright.host.process import Completed, ProcessError, find_program, run
from layerwright.oci.digest import Digest
from layerwright.registry.docker_config import config_folder

__all__ = ["Build", "Client", "Runner", "build", "client_variables", "find_builder", "find_clients"]

Runner = Callable[..., Completed]
"""``host.process.run``, or a recorder in its place."""

_PLUGIN_FOLDERS: Final = (
    # In the client's own order (cli-plugins/manager/manager_unix.go).
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)
_VERSION = re.compile(r"version (\d+)\.(\d+)\S*")
_BUILT_IN: Final = (18, 9)
_NEEDS_BUILDX: Final = 23
_PROBE_SECONDS: Final = 20.0
_BUILD_SECONDS: Final = 6 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A docker client.

    Attributes:
        program: absolute path.
        version: such as ``(20, 10)``.
        buildkit: it can build with BuildKit.
        reason: why it cannot, for people.
    """

    program: Path
    version: tuple[int, int]
    buildkit: bool
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """A build to be done.

    Attributes:
        context: folder the Dockerfile's sources are relative to.
        dockerfile: file, inside or outside the context.
        references: names the image gets.
        secrets: id to file; the values reach ``RUN --mount=type=secret`` steps and nothing else.
        network: ``default``, ``none`` or ``host``, for all RUN steps (20.10 has no ``RUN --network``).
        platform: ``linux/amd64``, empty for the engine's own.
        target: stage to stop at, empty for the last.
        cache: reuse results of earlier builds.
        masked: texts that may not be shown when a step prints them.
        timeout: seconds.
    """

    context: Path
    dockerfile: Path
    references: Sequence[str] = ()
    secrets: Mapping[str, Path] | None = None
    network: str = "default"
    platform: str = ""
    target: str = ""
    cache: bool = True
    masked: Sequence[str] = ()
    timeout: float = _BUILD_SECONDS


def find_clients(host: HostEnvironment, *, runner: Runner = run) -> Iterator[Client]:
    """The clients on the search path, in its order.

    More than one is common: a distribution's and a vendor's. Client 23 and later builds only through buildx ("buildx
    component is missing"), older ones have BuildKit inside.
    """
    seen: set[Path] = set()
    for folder in host.path.split(":"):
        program = find_program("docker", folder)
        if program is None or (real := program.resolve()) in seen:
            continue
        seen.add(real)
        try:
            shown = runner([str(program), "--version"], env=host.variables, timeout=_PROBE_SECONDS).text
        except ProcessError:
            continue
        found = _VERSION.search(shown)
        if found is None:  # podman-docker calls itself docker
            continue
        version = int(found[1]), int(found[2])
        reason = _cannot_build(host, version)
        yield Client(program=program, version=version, buildkit=not reason, reason=reason)


def find_builder(host: HostEnvironment, *, runner: Runner = run) -> Client:
    """The first client that can build with BuildKit.

    Raises:
        EngineError: there is none; the message says why each cannot.
    """
    refused = []
    for client in find_clients(host, runner=runner):
        if client.buildkit:
            return client
        refused.append(f"{client.program} ({'.'.join(map(str, client.version))}): {client.reason}")
    raise EngineError(
        "no docker client here can build with BuildKit" + "".join(f"\n  {line}" for line in refused),
        hint="install the buildx plugin (package docker-buildx or docker-buildx-plugin)"
        if refused
        else "install a docker client, or build natively",
    )


def build(
    wanted: Build,
    *,
    client: Client,
    endpoint: Endpoint,
    host: HostEnvironment,
    scratch: Path,
    on_line: Callable[[str], None] | None = None,
    runner: Runner = run,
) -> Digest:
    """Build an image with BuildKit.

    Args:
        wanted: what to build.
        client: what builds it.
        endpoint: the engine.
        host: its environment is the client's.
        scratch: folder for the image id.
        on_line: gets the progress, line by line.
        runner: starts the client.

    Returns:
        The image's id.

    Raises:
        EngineError: the build failed; the message has its last lines.
    """
    result, metadata = scratch / "image-id", scratch / "metadata.json"
    argv = [
        str(client.program),
        "build",
        "--progress=plain",
        f"--iidfile={result}",
        f"--file={wanted.dockerfile}",
    ]
    if client.version[0] >= _NEEDS_BUILDX:
        # An index with an attestation is no image to compare or load over.
        argv += ["--provenance=false", f"--metadata-file={metadata}"]
    argv += [f"--network={wanted.network}"] if wanted.network != "default" else []
    argv += [f"--platform={wanted.platform}"] if wanted.platform else []
    argv += [f"--target={wanted.target}"] if wanted.target else []
    argv += [] if wanted.cache else ["--no-cache"]
    argv += [f"--tag={reference}" for reference in wanted.references]
    argv += [f"--secret=id={name},src={file}" for name, file in (wanted.secrets or {}).items()]
    argv.append(str(wanted.context))
    try:
        runner(
            argv,
            env=client_variables(endpoint, host) | {"DOCKER_BUILDKIT": "1"},
            timeout=wanted.timeout,
            on_line=on_line,
            masked=wanted.masked,
        )
    except ProcessError as error:
        raise EngineError(f"docker could not build the image\n{error.what}", hint=error.hint) from error
    identifier = result.read_text(encoding="ascii").strip()
    if metadata.exists():
        # The image id is the config's digest even where the engine knows images by their manifests.
        identifier = json.loads(metadata.read_bytes()).get("containerimage.digest", identifier)
    return Digest.parse(identifier)


def client_variables(endpoint: Endpoint, host: HostEnvironment) -> dict[str, str]:
    """The environment in which a client talks to this very engine; variables that hold a known secret are left out."""
    variables = {
        name: value
        for name, value in host.variables.items()
        if name != "DOCKER_CONTEXT" and not host.seen.stands_in(value)
    }
    variables["DOCKER_HOST"] = endpoint.address
    if endpoint.certificates is not None:
        variables["DOCKER_CERT_PATH"] = str(endpoint.certificates)
        variables["DOCKER_TLS_VERIFY" if endpoint.verify else "DOCKER_TLS"] = "1"
    return variables


def _cannot_build(host: HostEnvironment, version: tuple[int, int]) -> str:
    if version < _BUILT_IN:
        return "too old for BuildKit"
    if version[0] < _NEEDS_BUILDX:
        return ""
    folders = [str(config_folder(host) / "cli-plugins"), *_PLUGIN_FOLDERS]
    if any(find_program("docker-buildx", folder) for folder in folders):
        return ""
    return "its buildx plugin is missing"
