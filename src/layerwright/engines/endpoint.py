"""Where a Docker engine listens, found as Docker's own client finds it."""

import json
from dataclasses import dataclass
from pathlib import Path

from layerwright.core.errors import EngineError
from layerwright.host.environment import HostEnvironment

__all__ = ["Endpoint", "find_endpoint"]

_DEFAULT_SOCKET = "/var/run/docker.sock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where an engine listens.

    Attributes:
        address: ``unix:///path``, or ``tcp://host:port``.
        certificates: folder with ``ca.pem``, ``cert.pem`` and ``key.pem`` for TLS; None without TLS.
        verify: check the engine's certificate.
        source: what named it, for people.
    """

    address: str
    certificates: Path | None = None
    verify: bool = True
    source: str = "default"

    @property
    def local(self) -> bool:
        """Whether the engine is reached through a socket of this machine."""
        return self.address.startswith("unix://")


def find_endpoint(host: HostEnvironment) -> Endpoint:
    """Find the engine as Docker's own client does: ``DOCKER_HOST``, then the context, then the usual sockets.

    Raises:
        EngineError: the address is of a kind that is not supported, or the context is unknown.
    """
    variables = host.variables
    if address := variables.get("DOCKER_HOST", ""):
        certificates = None
        if variables.get("DOCKER_TLS_VERIFY") or variables.get("DOCKER_TLS"):
            folder = variables.get("DOCKER_CERT_PATH", "") or str(_client_folder(host))
            certificates = Path(folder)
        return _checked(
            Endpoint(
                address=address,
                certificates=certificates,
                verify=bool(variables.get("DOCKER_TLS_VERIFY")),
                source="DOCKER_HOST",
            )
        )
    context = variables.get("DOCKER_CONTEXT", "") or _current_context(host)
    if context and context != "default":
        return _checked(_context_endpoint(host, context))
    candidates = [_DEFAULT_SOCKET]
    if runtime := variables.get("XDG_RUNTIME_DIR", ""):
        candidates.append(f"{runtime}/docker.sock")  # a rootless engine
    for path in candidates:
        if Path(path).is_socket():
            return Endpoint(address=f"unix://{path}")
    return Endpoint(address=f"unix://{_DEFAULT_SOCKET}")


def _client_folder(host: HostEnvironment) -> Path:
    """Folder of Docker's client configuration; as ``registry.docker_config`` has it, without that room's cost."""
    return Path(host.variables.get("DOCKER_CONFIG", "") or host.home / ".docker")


def _current_context(host: HostEnvironment) -> str:
    if not (_client_folder(host) / "config.json").exists():
        return ""
    from layerwright.registry.docker_config import read_config  # noqa: PLC0415 - start-up

    return str(read_config(host).get("currentContext", ""))


def _context_endpoint(host: HostEnvironment, name: str) -> Endpoint:
    """Read a context as ``docker context`` stores it: a folder named by the sha256 of the name."""
    import hashlib  # noqa: PLC0415  start-up

    digits = hashlib.sha256(name.encode()).hexdigest()
    contexts = _client_folder(host) / "contexts"
    try:
        document = json.loads((contexts / "meta" / digits / "meta.json").read_bytes())
        settings = document["Endpoints"]["docker"]
        address = str(settings["Host"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(
            f"the Docker context {name!r} cannot be read from {contexts}",
            hint="docker context ls shows what there is; DOCKER_CONTEXT=default uses the local engine",
        ) from error
    tls = contexts / "tls" / digits / "docker"
    return Endpoint(
        address=address,
        certificates=tls if tls.is_dir() else None,
        verify=not settings.get("SkipTLSVerify", False),
        source=f"context {name}",
    )


def _checked(endpoint: Endpoint) -> Endpoint:
    scheme, separator, rest = endpoint.address.partition("://")
    if separator and rest and scheme in {"unix", "tcp"}:
        return endpoint
    raise EngineError(
        f"Docker engines at {endpoint.address!r} ({endpoint.source}) are not supported",
        hint="give unix:///path/of/docker.sock or tcp://host:port; for ssh, forward the socket: "
        "ssh -NL /tmp/docker.sock:/var/run/docker.sock HOST",
    )
