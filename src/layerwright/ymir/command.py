"""The command line that the platform starts an executor with (§4.1)."""

from collections.abc import Sequence

from msgspec import Struct

__all__ = ["Launch", "container_argv", "default_shm_size", "gpu_option"]


class Launch(Struct, frozen=True, kw_only=True):
    """One start of an executor, as far as the platform says it.

    Attributes:
        image: name or id in the engine.
        name: of the container, which is the task id.
        inputs: the host's folder behind /in.
        outputs: the host's folder behind /out.
        links: the host's folders behind links in them, seen at the same path, read-write.
        user: ``UID:GID``; empty to run as root.
        gpus: numbers of the host's GPUs.
        shm_size: in Docker's notation.
        network: False cuts the executor off; the platform never does, a robustness run does.
        memory: bytes; 0 for no limit, which is the platform's way.
    """

    image: str
    name: str
    inputs: str
    outputs: str
    links: tuple[str, ...] = ()
    user: str = ""
    gpus: tuple[int, ...] = ()
    shm_size: str = ""
    network: bool = True
    memory: int = 0


def container_argv(program: str, launch: Launch, *, extra: Sequence[str] = ()) -> list[str]:
    """The client's command line, word for word as the platform's.

    Args:
        program: docker, nvidia-docker or podman.
        launch: what is started.
        extra: options that the platform does not give and this engine needs, such as podman's for user namespaces.
    """
    argv = [program, "run", "--rm", f"-v{launch.inputs}:/in:ro", f"-v{launch.outputs}:/out"]
    argv += [f"-v{link}:{link}" for link in launch.links]
    if launch.user:
        argv += ["--user", launch.user]
    if launch.gpus:
        argv += ["--gpus", gpu_option(launch.gpus)]
    argv += [f"--shm-size={launch.shm_size}", "--name", launch.name]
    if not launch.network:
        argv += ["--network", "none"]
    if launch.memory:
        # Swap would make the executor slow in place of ending it.
        argv += ["--memory", str(launch.memory), "--memory-swap", str(launch.memory)]
    return [*argv, *extra, launch.image]


def gpu_option(gpus: Sequence[int]) -> str:
    """The value of --gpus, which keeps its double quotes: the engine splits it at commas otherwise."""
    return f'"device={",".join(str(number) for number in gpus)}"'


def default_shm_size(configured: object, gpus: int) -> str:
    """The value of --shm-size: the configuration's as it is, else 16 GiB for each GPU, at least once."""
    if configured:
        return str(configured)
    return f"{16 * max(1, gpus)}G"
