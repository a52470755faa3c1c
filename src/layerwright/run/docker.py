"""Runs a program in an image with Docker, as the caller."""

from collections.abc import Mapping
from pathlib import Path

from layerwright.core.errors import RunStartError
from layerwright.host.environment import HostEnvironment
from layerwright.host.process import find_program, foreground
from layerwright.run.files import own_mounts
from layerwright.run.invocation import Invocation, MountPoint

__all__ = ["docker_argv", "run_docker"]


def run_docker(invocation: Invocation, reference: str, *, host: HostEnvironment, scratch: Path) -> int:
    """Run the program in the foreground, in a container that is removed afterwards.

    Args:
        invocation: what to run.
        reference: the image in the engine.
        host: where the client is looked for.
        scratch: folder for HOME and the files that name the caller.

    Returns:
        The program's exit status; Docker's own 125, 126 and 127 mean what they mean there.

    Raises:
        RunStartError: there is no client.
    """
    client = find_program("docker", host.path)
    if client is None:
        raise RunStartError(
            "there is no docker client on PATH", hint="install one, or run natively: --engine native"
        )
    mounts = (*own_mounts(invocation, scratch), *invocation.mounts)
    argv = docker_argv(invocation, reference, client=client, mounts=mounts)
    return foreground(argv, env={**host.variables, **invocation.env, **_clients_own(host.variables)})


def _clients_own(variables: Mapping[str, str]) -> dict[str, str]:
    """Variables that the client itself needs: the program's values of these names go onto the command line."""
    return {name: value for name, value in variables.items() if name in _CLIENT or name.startswith("DOCKER_")}


_CLIENT = frozenset({"HOME", "PATH", "USER", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR"})


def docker_argv(
    invocation: Invocation, reference: str, *, client: Path, mounts: tuple[MountPoint, ...]
) -> list[str]:
    """The client's command line.

    Values of variables are passed by the client's own environment, where other users cannot read them, but for those
    that the client needs with its own value.
    """
    identity = invocation.identity
    argv = [str(client), "run", "--rm", "--init", "--interactive"]
    if invocation.terminal:
        argv.append("--tty")
    argv += ["--user", f"{identity.uid}:{identity.gid}"]
    for group in identity.groups:
        argv += ["--group-add", str(group)]
    argv += ["--workdir", invocation.workdir, "--hostname", invocation.hostname]
    if not invocation.network:
        argv += ["--network", "none"]
    if invocation.shm_size:
        argv += ["--shm-size", str(invocation.shm_size)]
    if invocation.gpus != "none":
        # Docker reads the value as CSV, so a list of devices must be one quoted field (docker/cli ``opts/gpus.go``).
        gpus = invocation.gpus
        argv += ["--gpus", f'"{gpus}"' if "," in gpus else gpus]
    for mount in mounts:
        argv += ["--mount", _mount(mount)]
    for name, value in sorted(invocation.env.items()):
        kept = name in _CLIENT or name.startswith("DOCKER_")
        argv += ["--env", f"{name}={value}" if kept else name]
    return [*argv, "--entrypoint", invocation.argv[0], reference, *invocation.argv[1:]]


def _mount(mount: MountPoint) -> str:
    """``--mount`` takes comma-separated fields, quoted as CSV (docker/cli ``opts/mount.go``)."""
    fields = ["type=bind", f"source={mount.source}", f"target={mount.target}"]
    if mount.read_only:
        fields.append("readonly")
    return ",".join(
        '"' + field.replace('"', '""') + '"' if '"' in field or "," in field else field for field in fields
    )
