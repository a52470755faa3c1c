"""Starting executors with Docker or Podman, word for word as the platform does."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from layerwright.core.errors import EngineError, UsageError
from layerwright.host import process
from layerwright.host.background import Background, background
from layerwright.run.docker import engine_client
from layerwright.workflow.session import Session
from layerwright.ymir.command import Launch, container_argv
from layerwright.ymir.reading import Answer

if TYPE_CHECKING:
    from layerwright.harness.starter import RunningContainer, Starter

__all__ = ["EngineStarter", "find_starter", "need_spec"]

_CAT_SECONDS: Final = 120.0
_REMOVE_SECONDS: Final = 60.0
_ENGINE_FAILED: Final = (125, 126, 127)
"""The engine itself failed, the program cannot be run, the program is not there (docker-run(1), podman-run(1))."""

_END_SECONDS: Final = 30.0


def find_starter(session: Session, image: str, engine: str) -> "Starter":
    """What starts an image: one of the spec, built if it is not up to date, or one that the engine has.

    Args:
        session: surroundings.
        image: an image or cell of the spec, ``docker:NAME``, or a reference.
        engine: ``docker``, ``podman`` or ``native``.

    Raises:
        UsageError: nothing of that name.
        EngineError: the engine does not answer.
    """
    kind, _, rest = image.partition(":")
    reference = rest if kind == "docker" and rest else image if any(mark in image for mark in ":/@") else ""
    if engine == "native":
        if reference:
            raise UsageError(
                f"{image} is an image of an engine, and a native run takes images of the spec",
                hint='say --engine docker, or write a spec: [images.trial] from = "docker:NAME"',
            )
        from layerwright.workflow.executor_native import native_starter  # noqa: PLC0415 - start-up

        need_spec(session)
        return native_starter(session, image)
    if engine == "docker":
        _refuse_elsewhere(session)
    if reference:
        return EngineStarter(session=session, engine=engine, image=reference)
    from layerwright.workflow.engines import ready_image  # noqa: PLC0415 - start-up

    need_spec(session)
    ready = ready_image(session, engine, (image,) if image else (), locked=False)
    return EngineStarter(session=session, engine=engine, image=ready.image)


def need_spec(session: Session, *, option: str = "") -> None:
    """Raise where there is no spec: a person may have an image alone, or be in the wrong folder.

    Args:
        session: surroundings.
        option: that names an image of an engine; empty where it is named as it is.

    Raises:
        UsageError: there is none.
    """
    from layerwright.spec.load import find_spec  # noqa: PLC0415 - start-up

    try:
        find_spec(session.spec_file, session.start)
    except UsageError as error:
        raise UsageError(
            error.what,
            hint="`layerwright executor new NAME` writes a project; "
            f"an image that the engine has is named so: {option}docker:NAME",
        ) from error


def _refuse_elsewhere(session: Session) -> None:
    """Raise for a Docker of another machine, which would mount folders of its own, empty ones."""
    from layerwright.engines.endpoint import find_endpoint  # noqa: PLC0415 - start-up

    endpoint = find_endpoint(session.host)
    if not endpoint.local:
        raise EngineError(
            f"Docker runs on another machine ({endpoint.address}, from {endpoint.source}), and has no work folder",
            hint="run layerwright there, or natively: --engine native",
        )


class EngineStarter(Struct, frozen=True, kw_only=True):
    """Starts containers of an image with Docker or Podman.

    Attributes:
        session: surroundings.
        engine: ``docker`` or ``podman``.
        image: what the engine calls it.
    """

    session: Session
    engine: str
    image: str

    @property
    def read_only_inputs(self) -> bool:
        """Engines mount."""
        return True

    def cat(self, file: str) -> Answer:
        """Run ``cat FILE`` through the image's entrypoint."""
        argv = [str(self._client()), "run", "--rm", self.image, "cat", file]
        try:
            done = process.run(argv, env=self._variables(), timeout=_CAT_SECONDS, check=False)
        except process.ProcessError as error:
            raise EngineError(
                f"the image did not answer `cat {file}`\n{error.output or error.what}",
                hint="the entrypoint must run the arguments it is given: the platform reads /img-man through it",
            ) from error
        if done.status in _ENGINE_FAILED and not done.stdout:
            # The platform would take the error's text for the file's; that helps nobody here.
            raise EngineError(
                f"{self.engine} could not run `cat {file}` in {self.image}\n"
                f"{done.stderr.decode(errors='replace').strip()}",
                hint="name an image of the spec, or one that the engine has; it must have the program `cat`. "
                "`layerwright doctor` judges the engine",
            )
        return Answer(exit_code=done.status, stdout=done.stdout, stderr=done.stderr)

    def command_line(self, launch: Launch) -> Sequence[str]:
        """The client's command line."""
        return container_argv(self.engine, launch, extra=self._extra(launch))

    @contextmanager
    def start(self, launch: Launch, log: Path) -> "Iterator[RunningContainer]":
        """Start the image's own command."""
        client = self._client()
        argv = [str(client), *self.command_line(launch)[1:]]
        with log.open("ab") as output:
            started = background(argv, env=self._variables(), output=output)
            container = _Attached(self, launch.name, started)
            try:
                yield container
            finally:
                container.kill()

    def remove(self, name: str) -> None:
        """``docker rm -f``: SIGKILL at once; Podman would ask politely first."""
        options = ["--force", "--time", "0"] if self.engine == "podman" else ["--force"]
        with suppress(process.ProcessError):
            process.run(
                [str(self._client()), "rm", *options, name],
                env=self._variables(),
                timeout=_REMOVE_SECONDS,
                check=False,
            )

    def _client(self) -> Path:
        return engine_client(self.engine, self.session.host)

    def _variables(self) -> Mapping[str, str]:
        return self.session.host.variables

    def _extra(self, launch: Launch) -> tuple[str, ...]:
        """Podman without root: the ids in the container are the caller's, not one of its subordinate ones."""
        return (
            ("--userns", "keep-id")
            if self.engine == "podman" and self.session.host.uid and launch.user
            else ()
        )


class _Attached:
    """A container whose client runs in the foreground of a process of its own."""

    def __init__(self, starter: EngineStarter, name: str, client: Background) -> None:
        self._starter, self._name, self._client = starter, name, client

    def poll(self) -> int | None:
        return self._client.poll()

    def kill(self) -> None:
        if self._client.poll() is not None:
            return
        self._starter.remove(self._name)
        if self._client.wait(_END_SECONDS) is None:
            self._client.kill()
