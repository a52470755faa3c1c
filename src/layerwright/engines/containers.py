"""Containers that stay, by the clients of docker and podman, whose words are the same here."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, field

from layerwright.core.errors import EngineError
from layerwright.host.environment import HostEnvironment
from layerwright.host.process import Completed, ProcessError, run

__all__ = ["Container", "Containers", "Runner"]

Runner = Callable[..., Completed]
"""``host.process.run``, or a recorder in its place."""

_QUICK: Final = 60.0


class Container(Struct, frozen=True, kw_only=True):
    """A container that the engine has.

    Attributes:
        name: without the slash that Docker puts before it.
        running: its program runs.
        status: exit status of the program, when it does not.
        labels: by name.
    """

    name: str
    running: bool
    status: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)


class Containers:
    """The containers of one engine.

    Args:
        client: the docker or podman program.
        host: its environment is the client's.
        runner: starts the client.
    """

    def __init__(self, client: Path, host: HostEnvironment, *, runner: Runner = run) -> None:
        self.client = client
        self._host = host
        self._runner = runner

    def labelled(self, labels: Mapping[str, str]) -> tuple[Container, ...]:
        """Those that have all of these labels, running or not, by name.

        Raises:
            EngineError: the engine does not answer.
        """
        filters = [word for name, value in labels.items() for word in ("--filter", f"label={name}={value}")]
        names = self._ask("list", ["ps", "--all", *filters, "--format", "{{.Names}}"]).text.split()
        if not names:
            return ()
        # One that goes meanwhile fails the question for all, though the others are told; so the answer counts.
        told = self._ask("inspect", ["inspect", "--type", "container", *sorted(names)], check=False)
        try:
            rows = json.loads(told.stdout or b"[]")
            return tuple(_container(row) for row in rows)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise EngineError(f"{self.client.name}'s description of its containers cannot be read") from error

    def run(self, argv: Sequence[str], *, env: Mapping[str, str]) -> None:
        """Start a detached container with this command line, which ``run.command_line`` makes.

        Raises:
            EngineError: the engine refuses.
        """
        try:
            self._runner(argv, env=env, timeout=_QUICK)
        except ProcessError as error:
            raise EngineError(
                f"{self.client.name} could not start the container\n{error.output or error.what}"
            ) from error

    def start(self, name: str) -> None:
        """Start a container that has ended.

        Raises:
            EngineError: the engine refuses.
        """
        self._ask("start", ["start", name])

    def stop(self, name: str, *, seconds: int) -> None:
        """End its program: politely, and after ``seconds`` by force; -1 for the container's own time.

        Raises:
            EngineError: the engine refuses.
        """
        time = ["--time", str(seconds)] if seconds >= 0 else []
        self._ask("stop", ["stop", *time, name], timeout=_QUICK + max(seconds, 24 * 3600))

    def remove(self, name: str) -> None:
        """Remove it; it must have ended.

        Raises:
            EngineError: the engine refuses.
        """
        self._ask("remove", ["rm", name])

    def last_lines(self, name: str) -> str:
        """What its program printed last; empty when that cannot be had."""
        done = self._ask("read the log of", ["logs", "--tail", "20", name], check=False)
        return (done.stdout + done.stderr).decode(errors="replace").strip()

    def _ask(
        self, verb: str, words: Sequence[str], *, check: bool = True, timeout: float = _QUICK
    ) -> Completed:
        try:
            return self._runner(
                [str(self.client), *words], env=self._host.variables, timeout=timeout, check=check
            )
        except ProcessError as error:
            raise EngineError(
                f"{self.client.name} could not {verb} containers\n{error.output or error.what}",
                hint="`layerwright doctor` looks at the engine",
            ) from error


def _container(row: Mapping[str, Any]) -> Container:
    state = row["State"]
    return Container(
        name=str(row["Name"]).lstrip("/"),
        running=bool(state["Running"]),
        status=int(state.get("ExitCode") or 0),
        labels={str(name): str(value) for name, value in (row["Config"].get("Labels") or {}).items()},
    )
