"""One start of a program as a command line of docker or podman, which share nearly every word.

Both are told everything: nothing depends on what the engine's own configuration would add.
"""

from collections.abc import Container, Mapping, Sequence
from pathlib import Path

from msgspec import Struct, field

from layerwright.run.invocation import Invocation, MountPoint, Resources

__all__ = ["Dialect", "Grant", "bind_option", "engine_argv", "own_variables", "resource_options"]


class Dialect(Struct, frozen=True, kw_only=True):
    """Where engines differ.

    Attributes:
        name: ``docker`` or ``podman``.
        client_variables: variables, and beginnings of names, that the client needs with its own value.
        identity: options that say who the program is, in place of ``--user`` and ``--group-add``; empty for these.
        options: further options for every start.
    """

    name: str
    client_variables: tuple[str, ...]
    identity: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


class Grant(Struct, frozen=True, kw_only=True):
    """Devices handed to a container, or kept from it.

    Attributes:
        options: the engine's options that do it.
        env: variables of the program that do it.
        without: variables that the engine sets by itself, so that an image's value would be in its way.
        off: values of variables that keep devices away, for those of them that the image sets.
    """

    options: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    off: Mapping[str, str] = field(default_factory=dict)

    def applied(self, env: Mapping[str, str], asked: Container[str] = ()) -> dict[str, str]:
        """The program's variables with this grant; what the caller ``asked`` for by name stays."""
        kept = {name: value for name, value in env.items() if name in asked or name not in self.without}
        kept.update({name: value for name, value in self.off.items() if name in kept and name not in asked})
        kept.update({name: value for name, value in self.env.items() if name not in asked})
        return kept


def engine_argv(
    invocation: Invocation,
    image: str,
    *,
    client: Path,
    dialect: Dialect,
    mounts: Sequence[MountPoint],
    options: Sequence[str] = (),
    detached: Sequence[str] = (),
) -> list[str]:
    """The client's command line.

    Values of variables are passed by the client's own environment, where other users cannot read them, but for those
    that the client needs with its own value.

    Args:
        invocation: what to run.
        image: name or id in the engine.
        client: the program.
        dialect: whose words.
        mounts: in mount order.
        options: further options, such as those for devices.
        detached: options of a container that stays, such as its name; empty for one in the foreground that is removed.
    """
    argv = [str(client), "run", *(detached or ("--rm", "--interactive")), "--init"]
    if invocation.terminal:
        argv.append("--tty")
    identity = invocation.identity
    if dialect.identity:
        argv += dialect.identity
    else:
        argv += ["--user", f"{identity.uid}:{identity.gid}"]
        for group in identity.groups:
            argv += ["--group-add", str(group)]
    argv += ["--workdir", invocation.workdir]
    if invocation.resources.network != "host":
        # Beside the machine's own network there is the machine's own name.
        argv += ["--hostname", invocation.hostname]
    argv += [*dialect.options, *resource_options(invocation.resources), *options]
    for mount in mounts:
        argv += ["--mount", bind_option(mount)]
    for name, value in sorted(invocation.env.items()):
        argv += ["--env", f"{name}={value}" if own_variables(dialect, [name]) else name]
    return [*argv, "--entrypoint", invocation.argv[0], image, *invocation.argv[1:]]


def resource_options(resources: Resources) -> list[str]:
    """Options for what a container may use."""
    options = []
    if resources.network != "default":
        options += ["--network", resources.network]
    if resources.ipc == "host":
        options += ["--ipc", "host"]
    elif resources.shm_size:
        options += ["--shm-size", str(resources.shm_size)]
    if resources.cpus:
        options += ["--cpus", resources.cpus]
    if resources.cpu_set:
        options += ["--cpuset-cpus", resources.cpu_set]
    if resources.memory:
        options += ["--memory", str(resources.memory)]
    for name, limit in resources.ulimits.items():
        options += ["--ulimit", f"{name}={limit}"]
    if resources.privileged:
        options.append("--privileged")
    if resources.stop_timeout >= 0:
        options += ["--stop-timeout", str(resources.stop_timeout)]
    return options


def own_variables(dialect: Dialect, names: Sequence[str]) -> list[str]:
    """Those of the names that the client itself reads."""
    return [
        name
        for name in names
        if name in dialect.client_variables
        or any(name.startswith(one[:-1]) for one in dialect.client_variables if one.endswith("*"))
    ]


def bind_option(mount: MountPoint) -> str:
    """``--mount`` takes comma-separated fields, quoted as CSV (docker/cli ``opts/mount.go``, podman likewise)."""
    fields = ["type=bind", f"source={mount.source}", f"target={mount.target}"]
    if mount.read_only:
        fields.append("readonly")
    return ",".join(
        '"' + field.replace('"', '""') + '"' if '"' in field or "," in field else field for field in fields
    )
