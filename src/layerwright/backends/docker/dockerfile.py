"""A cell's plan as the Dockerfile of our own Docker build. Pure text; ``context.py`` makes the folder that it needs.

Written for BuildKit as it is in Docker 20.10: no heredocs, no ``COPY --link``, no ``RUN --network``, no
``# syntax=`` line (that one would fetch a frontend from Docker Hub). Mounts stand below /dev, a file system of its own
in a container, so that no mount point is left in a layer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, assert_never

from layerwright.backends.docker.quoting import argv, health_check, label, paths, sources, word
from layerwright.plan.steps import (
    FILES_MOUNT,
    Base,
    BuildWheel,
    CellPlan,
    CopySource,
    CopyTree,
    FetchFile,
    InstallApt,
    InstallCheckDevice,
    InstallEntry,
    InstallPython,
    InstallSeal,
    InstallWheels,
    MountedFile,
    RunCommand,
    RunTests,
    SetConfig,
    Step,
    WheelInput,
    WriteFiles,
)
from layerwright.plan.testing import judged_command

__all__ = [
    "APT_MOUNT",
    "IMAGE_STAGE",
    "JUDGE_FILE",
    "SMOKE_STAGE",
    "Dockerfile",
    "write_dockerfile",
]

APT_MOUNT: Final = "/dev/layerwright-apt"
IMAGE_STAGE: Final = "image"
SMOKE_STAGE: Final = "smoke"
_WHEELS: Final = "/dev/layerwright-wheels"
_TOOLS: Final = "/dev/layerwright-tools"
JUDGE_FILE: Final = "run-tests"
_JUDGE: Final = "/dev/layerwright-judge"
_TREE: Final = "/dev/layerwright-tree"
_FILES: Final = "files"
_SHORT: Final = 16
_SECRETS: Final = "/run/secrets"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dockerfile:
    """A Dockerfile and what its context must hold.

    Attributes:
        text: the file.
        trees: folder of the context to the digest of the node whose files it must hold, as they are to stand in /.
        wheels: wheels that must stand in ``wheels/`` under their file names.
        groups: file of ``tools/`` to the wheels that one step installs, whose particulars it must hold.
        files: folder of the context to the files that a command sees, under their names.
        apt: folder of the context to the digest of the ``InstallApt`` node it serves.
        secrets: names of secrets that RUN steps mount.
        network: ``none``, or ``default`` when a command asks for the network: 20.10 has one network for all steps.
        smoke: whether there is a stage of smoke tests.
        judge: folder of the context that must hold what judges tests, as ``JUDGE_FILE``; empty when none are run.
    """

    text: str
    trees: Mapping[str, str] = field(default_factory=dict)
    wheels: tuple[WheelInput, ...] = ()
    groups: Mapping[str, tuple[WheelInput, ...]] = field(default_factory=dict)
    files: Mapping[str, tuple[MountedFile, ...]] = field(default_factory=dict)
    apt: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    network: str = "none"
    smoke: bool = False
    judge: str = ""


def write_dockerfile(
    cell: CellPlan, *, base: str, environment: Mapping[str, str], built: Mapping[str, WheelInput]
) -> Dockerfile:
    """Write a cell's plan as a Dockerfile.

    Args:
        cell: what to build.
        base: name of the base in the engine.
        environment: the image's variables with the base's merged in.
        built: wheels that were made from sources, by the digest of their node, with file name and sha256.

    Raises:
        BuildError: a value that a Dockerfile cannot hold.
    """
    writer = _Writer(cell, environment, built)
    writer.begin(base)
    for node in cell.nodes:
        writer.step(node.digest, node.step)
    return writer.finish()


class _Writer:
    """Lines so far, and what they need."""

    def __init__(
        self, cell: CellPlan, environment: Mapping[str, str], built: Mapping[str, WheelInput]
    ) -> None:
        self.lines: list[str] = []
        self._smoke: list[str] = []
        self._environment = environment
        self._built = built
        self._trees: dict[str, str] = {}
        self._apt: dict[str, str] = {}
        self._wheels: dict[str, WheelInput] = {}
        self._groups: dict[str, tuple[WheelInput, ...]] = {}
        self._files: dict[str, tuple[MountedFile, ...]] = {}
        self._secrets: dict[str, None] = {}
        self._network = "none"
        self._opened = (0, "", "")  # line of the stage's FROM, what it begins with, its name
        self._tests = 0
        self._judge = ""
        bytecode = [
            node.digest
            for node in cell.nodes
            if isinstance(node.step, InstallWheels) and node.step.part == "bytecode"
        ]
        self._last_bytecode = bytecode[-1] if bytecode else ""

    def begin(self, base: str) -> None:
        """The first stage; with bytecode there is a second one, which sees the first one's files."""
        self._open(base, _FILES if self._last_bytecode else IMAGE_STAGE)

    def _open(self, base: str, stage: str) -> None:
        """Begin a stage; whether the name will be its own, tests that follow decide."""
        self._opened = (len(self.lines), base, stage)
        self.lines.append(f"FROM {base} AS {stage}")

    def step(self, digest: str, step: Step) -> None:  # noqa: C901 - one branch a step, closed by mypy
        """Write one step."""
        match step:
            case Base() | BuildWheel():
                pass  # FROM; and wheels are made before, away from the image
            case InstallApt():
                self._install_apt(digest)
            case (
                InstallPython()
                | InstallEntry()
                | InstallCheckDevice()
                | InstallSeal()
                | FetchFile()
                | CopyTree()
                | CopySource()
                | WriteFiles()
            ):
                folder = f"trees/{len(self._trees)}"
                self._trees[folder] = digest
                self.lines.append(f"COPY {paths(f'{folder}/', '/', what='a path')}")
            case InstallWheels(part="files"):
                self._install_wheels(digest, step)
            case InstallWheels():
                if digest == self._last_bytecode:
                    self._compile(step)
            case RunTests():
                self._run_tests(step)
            case RunCommand(keep=True):
                self.lines += self._run(step)
            case RunCommand():
                self._smoke += self._run(step)
            case SetConfig():
                self.lines += self._config(step)
            case _:
                assert_never(step)

    def finish(self) -> Dockerfile:
        """The file; smoke tests stand in a stage of their own, which leaves nothing in the image."""
        lines = list(self.lines)
        if self._smoke:
            lines += [f"FROM {IMAGE_STAGE} AS {SMOKE_STAGE}", *self._smoke]
        return Dockerfile(
            text="\n".join(lines) + "\n",
            trees=self._trees,
            wheels=tuple(self._wheels.values()),
            groups=self._groups,
            files=self._files,
            apt=self._apt,
            secrets=tuple(self._secrets),
            network=self._network,
            smoke=bool(self._smoke),
            judge=self._judge,
        )

    def _install_apt(self, digest: str) -> None:
        folder = f"apt/{_short(digest)}"
        self._apt[folder] = digest
        self.lines.append(
            f"RUN --mount=type=bind,source={folder},target={APT_MOUNT},rw "
            + argv(["/bin/sh", "-eu", f"{APT_MOUNT}/build"], what="a path")
        )

    def _install_wheels(self, digest: str, step: InstallWheels) -> None:
        wheels = tuple(self._built[wheel.built_by] if wheel.built_by else wheel for wheel in step.wheels)
        self._wheels.update((wheel.file, wheel) for wheel in wheels)
        group = f"wheels-{_short(digest)}.json"
        self._groups[group] = wheels
        python = f"{step.prefix}/bin/python"
        packages = f"{step.prefix}/lib/python{step.python}/site-packages"
        install = [python, "-IB", f"{_TOOLS}/install_wheels.py", packages, f"{_TOOLS}/{group}"]
        install += [f"{_TOOLS}/uv", "pip", "install", "--quiet", "--offline", "--no-cache", "--no-config"]
        install += [
            "--no-deps",
            "--no-index",
            "--link-mode=copy",
            f"--find-links={_WHEELS}",
            f"--python={python}",
        ]
        # By name and version rather than by file, since files leave a direct_url.json behind.
        install += [f"{wheel.name}=={wheel.version}" for wheel in wheels]
        self.lines.append(
            f"RUN --mount=type=bind,source=wheels,target={_WHEELS}"
            f" --mount=type=bind,source=tools,target={_TOOLS} " + argv(install, what="a wheel's name")
        )

    def _compile(self, step: InstallWheels) -> None:
        """One step for all wheels: the program that compiles natively, from the files so far into the image."""
        python = f"{step.prefix}/bin/python"
        command = [python, "-I", "-S", f"{_TOOLS}/compile_tree.py", _TREE, "/"]
        self._open(_FILES, IMAGE_STAGE)
        self.lines += [
            # What is compiled is seen where it was before the step, so that tracebacks and bytecode name its place.
            f"RUN --mount=type=bind,from={_FILES},source={step.prefix},target={_TREE}{step.prefix}"
            f" --mount=type=bind,source=tools,target={_TOOLS} "
            + argv(["/usr/bin/env", "PYTHONHASHSEED=0", "LC_ALL=C.UTF-8", *command], what="a path"),
        ]

    def _run_tests(self, step: RunTests) -> None:
        """In a stage beside the image, which gets nothing but what is kept of them."""
        command = judged_command(step, f"{_JUDGE}/{JUDGE_FILE}")
        self._judge = f"judge/{step.judge[:_SHORT]}"
        mount = f"--mount=type=bind,source={self._judge},target={_JUDGE} "
        line, base, stage = self._opened
        before, tested = f"before-tests-{self._tests}", f"tests-{self._tests}"
        self._tests += 1
        self.lines[line] = f"FROM {base} AS {before}"
        self.lines += [f"FROM {before} AS {tested}", *self._run(command, mounts=mount)]
        self._open(before, stage)
        self.lines += [
            f"COPY --from={tested} {paths(*sources(path, what='a path'), path, what='a path')}"
            for path in step.kept
        ]

    def _run(self, step: RunCommand, *, mounts: str = "") -> list[str]:
        mounts += "".join(
            f"--mount=type=secret,id={name},target={_SECRETS}/{name},mode=0400,required=true "
            for name in step.secrets
        )
        if step.files:
            folder = f"files/{'-'.join(file.sha256[:_SHORT] for file in step.files)}"
            self._files[folder] = step.files
            mounts += f"--mount=type=bind,source={folder},target={FILES_MOUNT} "
        self._secrets.update(dict.fromkeys(step.secrets))
        if step.network:
            self._network = "default"
        values = {**self._environment, "HOME": "/root", **_without_path(step.env)}
        # The same variables as natively, and no other: Docker adds HOSTNAME and the build's proxies.
        clean = ["/usr/bin/env", "-i", *(f"{name}={value}" for name, value in sorted(values.items()))]
        return [
            f"WORKDIR {word(step.workdir or '/', what='the workdir')}",
            f"RUN {mounts}{argv([*clean, *step.argv], what='a command')}",
        ]

    def _config(self, step: SetConfig) -> list[str]:
        lines = [
            f"ENV {name}={word(value, what=f'the variable {name}')}"
            for name, value in sorted({**dict(self._environment), **_without_path(step.env)}.items())
        ]
        lines += [f"LABEL {label(name, value)}" for name, value in sorted(step.labels.items())]
        if step.workdir:
            lines.append(f"WORKDIR {word(step.workdir, what='the workdir')}")
        if step.entrypoint:
            lines.append(f"ENTRYPOINT {argv(step.entrypoint, what='the entrypoint')}")
        if step.command:
            lines.append(f"CMD {argv(step.command, what='the command')}")
        lines += health_check(step.health)
        return lines


def _short(digest: str) -> str:
    """A name for what a step mounts, by its content: buildah 1.28 takes a RUN from its cache by its text alone."""
    return digest.removeprefix("sha256:")[:_SHORT]


def _without_path(env: Mapping[str, str]) -> dict[str, str]:
    """The step's PATH is only what goes before the base's; the merged one stands in the environment."""
    return {name: value for name, value in env.items() if name != "PATH"}
