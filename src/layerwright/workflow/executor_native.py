"""Starting executors in a sandbox without an engine, as a container of the platform sees itself."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from layerwright.core.errors import UsageError
from layerwright.core.events import Notice
from layerwright.guest import ENTRY_PATH
from layerwright.harness.starter import RunningContainer
from layerwright.oci.config import Settings
from layerwright.run.invocation import parse_size
from layerwright.sandbox.execute import execute_background, execute_captured
from layerwright.sandbox.model import Bind, Capabilities, Command
from layerwright.sandbox.rootfs import Rootfs, assemble
from layerwright.workflow.session import Session
from layerwright.ymir.command import Launch
from layerwright.ymir.reading import Answer

__all__ = ["NativeStarter", "native_starter"]

_CAT_SECONDS: Final = 120.0
_HOSTNAME: Final = 12
"""Characters; Docker's own are the first twelve of the container's id."""


class NativeStarter(Struct, frozen=True, kw_only=True):
    """Starts an image of the spec in a sandbox, as a container of the platform sees itself.

    Attributes:
        session: surroundings.
        image: the cell's name.
        trees: the image's trees, bottom first, each with whether a program may write through it.
        settings: entrypoint, command, environment and workdir of the image.
        capabilities: of the sandbox.
    """

    session: Session
    image: str
    trees: tuple[tuple[Path, bool], ...]
    settings: Settings
    capabilities: Capabilities
    engine: str = "native"

    @property
    def read_only_inputs(self) -> bool:
        """Copies, where nothing can be mounted, can be written to."""
        return self.capabilities.mount_namespace

    def cat(self, file: str) -> Answer:
        """Run ``cat FILE`` through the image's entrypoint."""
        command = Command(
            argv=(*self._entrypoint(), "cat", file),
            env={"HOME": "/root", **self.settings.env},
            cwd=self.settings.workdir or "/",
        )
        with self.session.store.scratch() as scratch, self._rootfs(scratch) as rootfs:
            done = execute_captured(rootfs, command, capabilities=self.capabilities, timeout=_CAT_SECONDS)
        return Answer(exit_code=done.status, stdout=done.stdout, stderr=done.stderr)

    def command_line(self, launch: Launch) -> Sequence[str]:
        """The image's own program; there is no client."""
        del launch
        return [*self._entrypoint(), *self.settings.command]

    @contextmanager
    def start(self, launch: Launch, log: Path) -> Iterator[RunningContainer]:
        """Start the image's own command."""
        if launch.gpus:
            raise UsageError(
                "a native run cannot hand GPUs to an executor", hint="say --engine docker, or --gpus none"
            )
        if launch.memory:
            raise UsageError("a native run cannot limit memory", hint="say --engine docker")
        argv = tuple(self.command_line(launch))
        if not argv:
            raise UsageError(
                f"{self.image} has neither entrypoint nor command, and the platform gives none (rule 4.1)",
                hint='say command = ["bash", "/usr/bin/start.sh"] in the spec',
            )
        with (
            self.session.store.scratch() as scratch,
            self._rootfs(scratch) as rootfs,
            log.open("ab") as output,
            execute_background(
                rootfs, self._command(argv, launch), capabilities=self.capabilities, output=output
            ) as started,
        ):
            yield started

    def _entrypoint(self) -> tuple[str, ...]:
        """The image's; our own entry program cannot work where there is no /proc to tell it who it runs as."""
        entrypoint = tuple(self.settings.entrypoint)
        bare = self.capabilities.runners[:1] == ("chroot",) and entrypoint[:1] == (ENTRY_PATH,)
        return entrypoint[1:] if bare else entrypoint

    def _rootfs(self, scratch: Path) -> AbstractContextManager[Rootfs]:
        return assemble(
            [path for path, _ in self.trees],
            scratch=scratch,
            capabilities=self.capabilities,
            linkable=[path for path, private in self.trees if not private],
        )

    def _command(self, argv: tuple[str, ...], launch: Launch) -> Command:
        uid, _, gid = launch.user.partition(":")
        binds = (
            Bind(source=Path(launch.inputs), target="/in", read_only=True),
            Bind(source=Path(launch.outputs), target="/out"),
            *(Bind(source=Path(link), target=link) for link in launch.links),
        )
        # As Docker has it: a user without an entry in passwd has / for a home.
        home = {"HOME": "/" if launch.user else "/root"}
        return Command(
            argv=argv,
            env={**home, "HOSTNAME": launch.name[:_HOSTNAME], **self.settings.env},
            cwd=self.settings.workdir or "/",
            uid=int(uid or 0),
            gid=int(gid or 0),
            binds=binds,
            network=launch.network,
            hostname=launch.name[:_HOSTNAME],
            shm_size=parse_size(launch.shm_size),
        )


def native_starter(session: Session, image: str) -> NativeStarter:
    """Build an image of the spec if it is not up to date, and extract it.

    Raises:
        UsageError: the spec has no such image.
        EngineError: nothing here can run a program without an engine.
    """
    from layerwright.workflow.engines import build_one, extracted  # noqa: PLC0415 - start-up
    from layerwright.workflow.workshop import sandbox_capabilities  # noqa: PLC0415 - start-up

    capabilities = sandbox_capabilities(session)
    if not capabilities.mount_namespace:
        session.reporter(
            Notice(
                message="nothing can be mounted here: the executor gets copies, /in too, and its progress is seen only "
                "where it writes into the files that are there"
            )
        )
    _, built = build_one(session, (image,) if image else (), locked=False, whole=False)
    return NativeStarter(
        session=session,
        image=built.cell,
        trees=extracted(session, built),
        settings=built.image.settings,
        capabilities=capabilities,
    )
