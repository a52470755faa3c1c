"""A cell's plan as a Dockerfile for everybody: its context is the project's folder, and nothing of ours is needed.

Pure text, from spec and lock. It is written for BuildKit as it is in Docker 20.10 (no heredocs, no ``COPY --link``, no
``RUN --network``, no ``# syntax=`` line, which would fetch a frontend) and for podman and buildah.

Steps of one kind stand together: first all Debian packages, then the whole Python environment, then files, copies
and commands in the plan's order. In a chain of images a parent's command so finds its child's packages in place.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, assert_never

from msgspec import structs

from layerwright.backends.docker.downloads import file_of, files_stage
from layerwright.backends.docker.environment import (
    environment_stage,
    install_pip,
    needs_git,
    needs_ssh,
)
from layerwright.backends.docker.fragments import (
    Secrets,
    apt_install,
    context_path,
    copy,
    pinned,
    with_ca,
    write_file,
)
from layerwright.backends.docker.heading import heading, left_out_note
from layerwright.backends.docker.parts import Parent, Parts, sort_steps
from layerwright.backends.docker.quoting import argv, comment, health_check, label, paths, word
from layerwright.backends.docker.quoting import sources as plain
from layerwright.backends.docker.trees import copy_tree_of, reached_by_ssh, trees_stages
from layerwright.core.errors import BuildError, UsageError
from layerwright.core.paths import DEFAULT_PATH
from layerwright.facts.components import PYTHON_HOME
from layerwright.guest import CHECK_DEVICE_PATH, ENTRY_PATH, check_device_program, entry_program, test_judge
from layerwright.oci.platform import Platform
from layerwright.plan.steps import (
    FILES_MOUNT,
    BuildWheel,
    CellPlan,
    CopySource,
    CopyTree,
    FetchFile,
    RunCommand,
    RunTests,
    SetConfig,
    WriteFiles,
)
from layerwright.plan.testing import judged_command
from layerwright.spec.model import Index, Secret

__all__ = ["portable_body", "write_portable"]

_JUDGE: Final = "judge"
_JUDGE_PATH: Final = "/opt/judge/run-tests"
_JUDGE_MOUNT: Final = "/dev/layerwright-judge"
_LONGEST_LINE: Final = 65535
"""Bytes; BuildKit reads lines with Go's bufio.Scanner (``frontend/dockerfile/parser``, MaxScanTokenSize)."""

_UNPINNED: Final = (
    "At the versions of the day: the lock does not have them, since it has not looked into the base."
)

# What of a Debian base the spec asked for: Python's own packages, and the time zones.
_ASKED_OF_DEBIAN: Final = re.compile(r"(lib)?python3(\.\d+)?(-(minimal|stdlib|distutils|lib2to3))?|tzdata")


def write_portable(
    cell: CellPlan,
    *,
    indexes: Mapping[str, Index],
    secrets: Mapping[str, Secret],
    root: Path,
    left_out: Sequence[str] = (),
) -> str:
    """Write a cell's plan as a Dockerfile that builds wherever the project's folder is.

    Args:
        cell: what to build, its parents' steps included.
        indexes: the spec's, by name.
        secrets: the spec's, by name.
        root: the project's folder, which will be the build's context.
        left_out: patterns of what layerwright never copies; COPY would, so the text says how to keep it out.

    Raises:
        UsageError: the base, or a file of the build, cannot be had elsewhere.
        BuildError: a value that a Dockerfile cannot hold.
    """
    own = Secrets.beside(secrets)
    body = portable_body(cell, indexes=indexes, own=own, root=root)
    copied = [node.step for node in cell.nodes if isinstance(node.step, CopyTree)]
    built = [node.step for node in cell.nodes if isinstance(node.step, BuildWheel)]
    body += left_out_note(
        [(step.source, step.exclude) for step in copied]
        + [(step.source.source, ()) for step in built if step.source.kind == "path"],
        left_out,
    )
    head = heading(cell, body="\n".join(body), own=own, secrets=secrets, indexes=indexes)
    text = "\n".join([*head, *body]) + "\n"
    for line in text.split("\n"):
        if len(line.encode()) > _LONGEST_LINE:
            raise BuildError(
                f"a line of {cell.cell} is longer than Docker reads ({_LONGEST_LINE:,} bytes): {line[:60]}…",
                hint="put the command's script into a file of the project, and copy that",
            )
    return text


def portable_body(
    cell: CellPlan, *, indexes: Mapping[str, Index], own: Secrets, root: Path, parent: Parent | None = None
) -> list[str]:
    """The instructions of the file, without its heading.

    Args:
        cell: what to build.
        indexes: the spec's, by name.
        own: ids of our own secrets.
        root: the project's folder, which will be the build's context.
        parent: an image to start from; its steps are then left out. None for all steps.

    Raises:
        UsageError, BuildError: as for ``write_portable``.
    """
    parts = sort_steps(cell, parent)
    if parts.python is not None and parts.python.interpreter.startswith(f"{PYTHON_HOME}/"):
        raise UsageError(
            f"the Python of {cell.cell} comes from a component, which a Dockerfile for others has only after packages",
            hint="build it here, with whatever backend; or start from a base that has the Python",
        )
    python = parts.python.interpreter if parts.python is not None else "/usr/bin/python3"
    return [
        *_system(cell, parts, own),
        *_tools(parts, own),
        *_environment(parts, indexes, root, own),
        *files_stage(parts.files, python=python, root=root, secrets=own),
        *trees_stages(parts.trees, secrets=own),
        *_programs(parts),
        *_texts(parts),
        *_image(parts, root),
        *_smoke(parts),
    ]


def _system(cell: CellPlan, parts: Parts, own: Secrets) -> list[str]:
    """The base and its Debian packages."""
    base = parts.base.base
    architecture = Platform.parse(cell.platform).debian
    lines = _base(parts, cell)
    asked = [deb for deb in base.debs if _ASKED_OF_DEBIAN.fullmatch(deb.name)]
    if asked:
        lines += [
            "",
            *comment("What the spec needs of Debian, at the lock's versions. Mirrors drop old versions"),
            *comment("sooner or later: then `layerwright lock --upgrade`, and render again."),
            apt_install(pinned(asked, architecture), own),
        ]
    for step in parts.apt:
        lines += [
            "",
            *comment(f"Debian packages: {' '.join(step.requested)}, with all that they need."),
            *(comment(_UNPINNED) if any(not deb.sha256 for deb in step.debs) else ()),
            apt_install(pinned(step.debs, architecture), own),
        ]
    return lines


def _base(parts: Parts, cell: CellPlan) -> list[str]:
    base = parts.base.base
    match base.kind:
        case "debian":
            name = f"debian:{base.source}-slim"
            told = [
                "The base: Docker's official image of the release. (layerwright makes its own, from locked packages:",
                f"{len(base.debs)} of them. Here only those named below are locked; the others are of the day on which",
                f"that image was made. To fix them too: {name}@sha256:….)",
            ]
        case "registry" if not base.digest:
            name = base.source
            told = [
                "The base, by its name: the lock has no digest of it, since it was made without asking its registry.",
                "What the name stands for may change; `layerwright lock` pins it where the registry can be reached.",
            ]
        case "registry":
            name = f"{base.source.partition('@')[0]}@{base.digest}"
            told = ["The base, by its digest."]
        case "docker":
            name = base.source
            told = [f"The base is an image of the local engine ({base.digest}); it must be there."]
        case "oci" | "archive":
            transport = "oci" if base.kind == "oci" else "docker-archive"
            raise UsageError(
                f"a Dockerfile cannot start from {base.kind}:{base.source}, which is no image of a registry",
                hint=f"copy it to one (skopeo copy {transport}:{base.source} docker://REGISTRY/NAME:TAG) and name "
                "that in `from`; or build with layerwright build --backend docker",
            )
        case "image":
            return [*comment("The parent image."), f"FROM --platform={cell.platform} {base.source} AS system"]
        case _:
            assert_never(base.kind)
    if base.kind != "debian" and (parts.apt or any(isinstance(step, RunCommand) for step in parts.rest)):
        told.append(
            "(If it sets a USER: put `USER root` below this line, and that user at the end of the file.)"
        )
    return [*comment("\n".join(told)), f"FROM --platform={cell.platform} {name} AS system"]


def _tools(parts: Parts, own: Secrets) -> list[str]:
    """What the build needs and the image does not: pip, git, certificates, a program that fetches files."""
    if parts.environment is None and not parts.files and not parts.trees:
        return []
    packages = []
    if parts.python is None:
        packages = ["ca-certificates", "python3"]
    elif parts.python.interpreter.startswith("/usr/bin/"):
        packages = ["ca-certificates", f"python{parts.python.version}-venv"]
    if needs_git(parts.builds) or parts.trees:
        packages += ["ca-certificates", "git"]
    if needs_ssh(parts.builds) or reached_by_ssh(parts.trees):
        packages.append("openssh-client")
    lines = [
        "",
        *comment("Tools of the build. Nothing of this stage reaches the image."),
        "FROM system AS tools",
        "USER root",
        # Bases bring pip settings of their own: NVIDIA's set PIP_CONSTRAINT.
        "ENV PIP_CONFIG_FILE=/dev/null PIP_CONSTRAINT= PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1",
        "ENV PYTHONDONTWRITEBYTECODE=1",
    ]
    if packages:
        lines.append(apt_install(list(dict.fromkeys(packages)), own))
    lines += [
        *comment("`with-ca` runs a program that trusts the certificate authorities given as a secret."),
        with_ca(own),
    ]
    if parts.environment is not None:
        lines += install_pip(parts.environment.python)
    return lines


def _environment(parts: Parts, indexes: Mapping[str, Index], root: Path, own: Secrets) -> list[str]:
    environment = parts.environment
    if environment is None:
        return []
    return [
        "",
        *comment(f"The Python environment, {environment.python.prefix}."),
        "FROM tools AS environment",
        *environment_stage(environment, indexes=indexes, root=root, secrets=own),
    ]


def _programs(parts: Parts) -> list[str]:
    """Programs of ours, which no registry or index has: their text stands in the file."""
    lines = []
    if parts.entry:
        said = (
            "The image's entry program: whoever starts the image is at home in it. See its own first lines."
        )
        lines += _program(said, "entry", ENTRY_PATH, entry_program())
    if parts.check_device is not None:
        said = "The image's check-device: whether a container can compute on its devices."
        text = check_device_program(parts.check_device.accelerator)
        lines += _program(said, "check-device", CHECK_DEVICE_PATH, text)
    if any(isinstance(step, RunTests) for step in parts.rest):
        said = "What runs tests, keeps their output and judges them; it stays out of the image."
        lines += _program(said, _JUDGE, _JUDGE_PATH, test_judge())
    return lines


def _program(said: str, stage: str, path: str, text: str) -> list[str]:
    return [
        "",
        *comment(said),
        f"FROM system AS {stage}",
        "USER root",
        f"RUN mkdir -p {path.rpartition('/')[0]}",
        write_file(text.splitlines(), path, executable=True),
    ]


def _texts(parts: Parts) -> list[str]:
    """Texts that the spec itself holds, as they are to stand in the image."""
    lines = []
    for number, step in enumerate(parts.texts):
        places = {file.path: f"{step.to}/{file.path}" for file in step.files}
        folders = sorted({path.rpartition("/")[0] for path in places.values()})
        lines += [
            "",
            *comment("What the image says about itself to the platform."),
            f"FROM system AS texts-{number}",
            "USER root",
            f"RUN mkdir -p {' '.join(folders)}",
            *(write_file(file.text.splitlines(), places[file.path]) for file in step.files),
        ]
    return lines


def _image(parts: Parts, root: Path) -> list[str]:  # noqa: C901 - one branch a step, closed by mypy
    """The image itself."""
    opened = "FROM system AS image"
    lines = ["", *comment("The image."), opened]
    if parts.environment is not None:
        prefix = parts.environment.python.prefix
        if parts.inherited:
            lines += [
                *comment(
                    "What is new or changed of the environment: COPY would take the parent's part once more."
                ),
                f"RUN --mount=type=bind,from=environment,source={prefix},target=/mnt cp -au /mnt/. {prefix}/",
            ]
        else:
            lines.append(f"COPY --from=environment {prefix} {prefix}")
    if parts.entry:
        lines.append(f"COPY --from=entry {ENTRY_PATH} {ENTRY_PATH}")
    if parts.check_device is not None:
        lines.append(f"COPY --from=check-device {CHECK_DEVICE_PATH} {CHECK_DEVICE_PATH}")
    state = _State()
    if parts.below is not None:
        state = _State(environment=dict(parts.below.env), workdir=parts.below.workdir)
    sources = iter(range(len(parts.trees)))
    tests = iter(range(len(parts.rest)))
    written = iter(range(len(parts.texts)))
    for step in parts.rest:
        match step:
            case FetchFile():
                source = file_of(step.sha256, step.mode)
                lines.append(f"COPY --from=files {paths(source, step.to, what='a path')}")
            case CopyTree():
                inside = context_path(step.source, root, what="what is copied", where=step.location) or "."
                target = step.to.rstrip("/") or "/"
                lines.append(copy(inside, target))
            case WriteFiles():
                lines.append(f"COPY --from=texts-{next(written)} {paths(step.to, step.to, what='a path')}")
            case CopySource():
                lines.append(copy_tree_of(next(sources), step.to))
            case RunCommand():
                lines += _run(step, state, parts.config)
            case RunTests():
                stage, number = _tests(step, next(tests), state, parts.config), lines.index(opened)
                lines[number] = opened.replace(" AS image", f" AS {stage.before}")
                opened = f"FROM {stage.before} AS image"
                lines += [*stage.lines, opened, *stage.copies]
            case _:
                assert_never(step)
    return [*lines, *_config(parts.config, state)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _TestStage:
    """A stage beside the image: what it starts from, its lines, and what the image takes from it."""

    before: str
    lines: list[str]
    copies: list[str]


def _tests(step: RunTests, number: int, state: "_State", config: SetConfig) -> _TestStage:
    before, tested = f"before-tests-{number}", f"tests-{number}"
    words = (f"{_JUDGE_MOUNT}/run-tests", step.log, step.junit, str(len(step.allow)), *step.allow, *step.argv)
    command = structs.replace(judged_command(step), argv=words)
    mount = f"--mount=type=bind,from={_JUDGE},source={_JUDGE_PATH.rpartition('/')[0]},target={_JUDGE_MOUNT} "
    # What the stage sets does not hold for the image, which goes on from before it.
    beside = _State(environment=dict(state.environment), workdir=state.workdir)
    copies = [paths(*plain(path, what="a path"), path, what="a path") for path in step.kept]
    return _TestStage(
        before=before,
        lines=["", f"FROM {before} AS {tested}", *_run(command, beside, config, mounts=mount), ""],
        copies=[f"COPY --from={tested} {files}" for files in copies],
    )


def _smoke(parts: Parts) -> list[str]:
    """Smoke tests, in a stage that a plain build passes over."""
    if not parts.smoke:
        return []
    config = parts.config
    state = _State(environment=dict(config.env), workdir=config.workdir)
    lines = ["", *comment("Smoke tests: build with --target smoke."), "FROM image AS smoke"]
    for step in parts.smoke:
        lines += _run(step, state, config)
    return [*lines, "", *comment("What a plain build makes: the image, without its tests."), "FROM image"]


@dataclass(slots=True, kw_only=True)
class _State:
    """What ENV and WORKDIR have set so far."""

    environment: dict[str, str] = field(default_factory=dict)
    workdir: str = ""

    def env(self, values: Mapping[str, str]) -> list[str]:
        """ENV lines for what is new."""
        new = {name: value for name, value in sorted(values.items()) if self.environment.get(name) != value}
        self.environment.update(new)
        return [f"ENV {name}={_value(name, value)}" for name, value in new.items()]

    def work(self, folder: str) -> list[str]:
        """A WORKDIR line, when it is another."""
        if folder == self.workdir:
            return []
        self.workdir = folder
        return [f"WORKDIR {word(folder, what='the workdir')}"]


def _value(name: str, value: str) -> str:
    text = word(value, what=f"the variable {name}")
    # The step's PATH is what goes before the base's own.
    return text[:-1] + f':${{PATH:-{DEFAULT_PATH}}}"' if name == "PATH" else text


def _run(step: RunCommand, state: _State, config: SetConfig, *, mounts: str = "") -> list[str]:
    """A command; what its variables share with the image's is set for good, the rest for it alone."""
    shared = {name: value for name, value in step.env.items() if config.env.get(name) == value}
    lines = [*state.env(shared), *state.work(step.workdir or "/")]
    special = {
        name: value for name, value in sorted(step.env.items()) if state.environment.get(name) != value
    }
    command = list(step.argv)
    path = special.pop("PATH", "")
    if path:
        command = ["/bin/sh", "-c", 'PATH="$0:$PATH"; export PATH; exec "$@"', path, *command]
    if special:
        command = ["/usr/bin/env", *(f"{name}={value}" for name, value in special.items()), *command]
    mounts += "".join(
        f"--mount=type=secret,id={name},target=/run/secrets/{name},mode=0400,required=true "
        for name in step.secrets
    )
    mounts += "".join(
        f"--mount=type=bind,from=files,source={file_of(file.sha256)},target={FILES_MOUNT}/{file.name} "
        for file in step.files
    )
    script = [f"| {line}" for line in step.script.strip("\n").split("\n")] if step.script.strip() else []
    told = [line for text in script for line in comment(text)]
    return [*lines, *told, f"RUN {mounts}{argv(command, what='a command')}"]


def _config(config: SetConfig, state: _State) -> list[str]:
    lines = state.env(config.env)
    lines += [f"LABEL {label(name, value)}" for name, value in sorted(config.labels.items())]
    if config.workdir:
        lines += state.work(config.workdir)
    if config.entrypoint:
        lines.append(f"ENTRYPOINT {argv(config.entrypoint, what='the entrypoint')}")
    if config.command:
        lines.append(f"CMD {argv(config.command, what='the command')}")
    return lines + health_check(config.health)
