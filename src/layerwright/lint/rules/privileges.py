"""Containers that are given the host."""

import re
from collections.abc import Iterator

from layerwright.core.findings import Finding, Kind
from layerwright.lint.documents import Document, Unit
from layerwright.lint.found import docs, finding, without
from layerwright.lint.shell import Command
from layerwright.lint.tools import Docker, docker_call

__all__ = ["KINDS", "find"]

PRIVILEGED = Kind(
    code="LW-LINT-PRIVILEGED",
    title="a container has all rights of the host",
    why="Whoever gets into it is root on the machine. GPUs do not need it.",
    evidence="`--privileged`, `--cap-add=ALL` or SYS_ADMIN, `RUN --security=insecure`.",
    repair="Name what is needed: `--gpus`, `--device`, `--group-add render`, a single capability.",
)
NAMESPACE = Kind(
    code="LW-LINT-HOST-NAMESPACE",
    title="a container shares a namespace of the host",
    why="With the host's network it reaches every service that listens on this machine only; with its IPC, "
    "the shared memory of all processes; with its process ids, the processes themselves.",
    evidence="`--network=host`, `--ipc=host`, `--pid=host`, `--userns=host`, of run or build.",
    repair="Publish ports (`--publish`), give shared memory (`--shm-size=8g`), leave the rest out.",
)
SOCKET = Kind(
    code="LW-LINT-DOCKER-SOCKET",
    title="a container is given the engine's socket",
    why="It can start a privileged container, so it is root on the machine.",
    evidence="A mount of /var/run/docker.sock.",
    repair="Let the host start the other container; or use a rootless engine for it.",
)
SUDO = Kind(
    code="LW-LINT-SUDO",
    title="sudo without need",
    why="In a build everything is root already; in a script, what is made belongs to root, and a mistake "
    "(an empty variable in rm -rf) is one of root's.",
    evidence="sudo in a RUN, or in front of docker, rm, mkdir or cp in a script.",
    repair="Leave it out; make users members of the docker group, or use a rootless engine.",
)
CPUS = Kind(
    code="LW-LINT-CPU-SET",
    title="CPUs are named by number",
    why="The container does not start on a machine with fewer CPUs.",
    evidence="`--cpuset-cpus` with a list.",
    repair="`--cpus=N` for a share, or leave it out.",
)

KINDS = (PRIVILEGED, NAMESPACE, SOCKET, SUDO, CPUS)

_SUDO = docs(
    "RUN commands run as root unless USER says otherwise", "docs.docker.com/reference/dockerfile/#user"
)


def find(document: Document) -> Iterator[Finding]:
    """More rights than needed."""
    for _, instruction, _ in document.each("RUN"):
        for name, value in (("security", "insecure"), ("network", "host")):
            flag = instruction.flag(name)
            if flag is not None and flag.value == value:
                kind = PRIVILEGED if name == "security" else NAMESPACE
                yield finding(
                    kind,
                    "error" if kind is PRIVILEGED else "warning",
                    f"RUN --{name}={value} gives this step the host's {'rights' if name == 'security' else 'network'}",
                    instruction.piece.location(flag.start),
                    fix="remove it",
                    edit=instruction.piece.edited(flag.start, flag.stop + 1, ""),
                )
    for unit, command in document.commands():
        docker = docker_call(command)
        if docker is not None and docker.verb in {"run", "create", "build", "exec"}:
            yield from _docker(docker)
        yield from _sudo(unit, command)


def _docker(docker: Docker) -> Iterator[Finding]:
    command, parsed = docker.command, docker.parsed
    for option in parsed.every("--privileged"):
        if option.value != "false":
            yield finding(
                PRIVILEGED,
                "error",
                "--privileged makes the container's root the host's root",
                command.location(option.word),
                fix="remove it; a GPU needs --gpus all, or its runtime and --group-add render",
                edit=without(command.piece, option.word, option.value_word),
                evidence=[
                    docs(
                        "--privileged gives all capabilities and all devices",
                        "docs.docker.com/engine/containers/run",
                    )
                ],
            )
    for option in parsed.every("--cap-add"):
        if option.value.upper().removeprefix("CAP_") in {"ALL", "SYS_ADMIN"}:
            yield finding(
                PRIVILEGED,
                "error",
                f"--cap-add {option.value} comes close to root on the host",
                command.location(option.word),
                fix="name the one capability that is needed, or none",
                edit=without(command.piece, option.word, option.value_word),
            )
    shared = [
        option
        for option in parsed.every("--network", "--net", "--ipc", "--pid", "--userns", "--uts")
        if option.value == "host"
    ]
    sized = parsed.first("--shm-size")
    for option in shared:
        what = {
            "--net": "network",
            "--network": "network",
            "--ipc": "shared memory",
            "--pid": "processes",
        }.get(option.name, option.name.lstrip("-"))
        more = (
            f", and makes {sized.word.text} meaningless"
            if option.name == "--ipc" and sized is not None
            else ""
        )
        instead = "--shm-size=8g" if option.name == "--ipc" and sized is None else ""
        last = option.value_word or option.word
        yield finding(
            NAMESPACE,
            "warning",
            f"{option.name}=host gives the container the host's {what}{more}",
            command.location(option.word),
            fix="remove it" if not instead else "give it shared memory of its own",
            edit=command.piece.edited(option.word.start, last.stop, instead)
            if instead
            else without(command.piece, option.word, last),
        )
    for option in parsed.every("-v", "--volume", "--mount"):
        if "docker.sock" in option.value:
            yield finding(
                SOCKET,
                "error",
                "the container is given the engine's socket, and with it the host",
                command.location(option.word),
                fix="remove the mount",
                edit=without(command.piece, option.word, option.value_word),
            )
    for option in parsed.every("--cpuset-cpus"):
        if re.fullmatch(r"[\d,-]+", option.value):
            last = option.value_word or option.word
            yield finding(
                CPUS,
                "warning",
                f"--cpuset-cpus {option.value} is refused on a machine with fewer CPUs",
                command.location(option.word),
                fix="say how many, not which",
                edit=command.piece.edited(option.word.start, last.stop, f"--cpus={_count(option.value)}"),
            )


def _count(value: str) -> int:
    count = 0
    for part in value.split(","):
        first, _, last = part.partition("-")
        if first.isdecimal():
            count += max(1, int(last[:6]) - int(first[:6]) + 1) if last.isdecimal() else 1
    return max(count, 1)


def _sudo(unit: Unit, command: Command) -> Iterator[Finding]:
    if "sudo" not in command.wrappers or unit.origin == "block":
        return
    word = next(one for one in command.words if one.text == "sudo")
    if unit.built:
        user = unit.state.user if unit.state else ""
        if user and user not in {"root", "0"}:
            return
        why = "a build step is root already"
    elif command.program in {"docker", "podman", "rm", "mkdir", "cp", "mv", "chown", "chmod", "tar"}:
        why = f"{command.program} as root leaves files that are root's, and mistakes are root's"
    else:
        return
    yield finding(
        SUDO,
        "note" if unit.built else "warning",
        f"sudo {command.program}: {why}",
        command.location(word),
        fix="leave sudo out",
        edit=command.piece.edited(word.start, command.words[command.words.index(word) + 1].start, ""),
        evidence=[_SUDO] if unit.built else (),
    )
