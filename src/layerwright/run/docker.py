"""Runs a program in an image with Docker, as the caller."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from layerwright.core.errors import RunStartError
from layerwright.host.environment import HostEnvironment
from layerwright.host.foreground import foreground
from layerwright.host.process import find_program
from layerwright.run.command_line import Dialect, engine_argv, own_variables
from layerwright.run.files import own_mounts
from layerwright.run.invocation import Invocation

if TYPE_CHECKING:
    from layerwright.engines.model import EngineVersion

__all__ = ["docker_dialect", "engine_client", "run_in_engine"]

_CLIENT: Final = ("HOME", "PATH", "USER", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR", "DOCKER_*")


def docker_dialect(version: "EngineVersion") -> Dialect:
    """How this Docker is asked.

    An engine that runs without root maps its container's root to the caller, so root is who the program must be there;
    one that maps ids (``userns-remap``) is asked not to, since files would belong to ids nobody has.
    """
    return Dialect(
        name="docker",
        client_variables=_CLIENT,
        identity=("--user", "0:0") if version.rootless else (),
        options=("--userns", "host") if version.remapped else (),
    )


def engine_client(name: str, host: HostEnvironment) -> Path:
    """The client on the search path.

    Raises:
        RunStartError: there is none.
    """
    client = find_program(name, host.path)
    if client is None:
        raise RunStartError(
            f"there is no {name} client on PATH", hint="install one, or run natively: --engine native"
        )
    return client


def run_in_engine(
    invocation: Invocation,
    image: str,
    *,
    dialect: Dialect,
    options: Sequence[str],
    host: HostEnvironment,
    scratch: Path,
    detached: Sequence[str] = (),
) -> int:
    """Run the program in a container: in the foreground, removed afterwards, or one that stays.

    Args:
        invocation: what to run.
        image: name or id in the engine.
        dialect: the engine's words.
        options: further options, such as those for devices.
        host: where the client is looked for, and its environment.
        scratch: folder for HOME and the files that name the caller; it must live as long as the container.
        detached: options of a container that stays.

    Returns:
        The program's exit status; the engine's own 125, 126 and 127 mean what they mean there.

    Raises:
        RunStartError: there is no client.
    """
    client = engine_client(dialect.name, host)
    mounts = (*own_mounts(invocation, scratch), *invocation.mounts)
    argv = engine_argv(
        invocation, image, client=client, dialect=dialect, mounts=mounts, options=options, detached=detached
    )
    own = own_variables(dialect, tuple(invocation.env))
    theirs = {name: value for name, value in invocation.env.items() if name not in own}
    return foreground(argv, env={**host.variables, **theirs})
