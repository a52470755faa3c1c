"""A cell's plan as a Dockerfile for people: ``render dockerfile``. Pure text, to be built where layerwright is not.

It takes its packages from the network with the locked versions and hashes. What a Dockerfile cannot say (the same bytes
of a Debian base, a network for one command alone) stands in comments.
"""

import shlex
from collections.abc import Mapping, Sequence
from typing import Final, assert_never

from layerwright.backends.docker.quoting import argv, paths, word
from layerwright.plan.steps import (
    Base,
    BuildWheel,
    CellPlan,
    CopyTree,
    FetchFile,
    InstallApt,
    InstallPython,
    InstallWheels,
    RunCommand,
    SetConfig,
    WheelInput,
)

__all__ = ["render_dockerfile"]

_UV: Final = "--mount=type=bind,from=ghcr.io/astral-sh/uv:latest,source=/uv,target=/usr/local/bin/uv"
_CACHE: Final = "--mount=type=cache,target=/root/.cache/uv"
_CONTINUED: Final = " \\\n    "

_Quiet = Base | InstallApt | InstallPython | BuildWheel | InstallWheels | FetchFile | CopyTree | SetConfig


_MARK: Final = "\0"
"""Begins the lines of commands, before which the variables stand."""


def render_dockerfile(cell: CellPlan) -> str:
    """Write a cell's plan as a Dockerfile for any BuildKit since Docker 20.10.

    The build context is the folder of the spec. Wheels made from the project's sources are expected in ``dist/``.

    Raises:
        BuildError: a value that a Dockerfile cannot hold.
    """
    settings = [node.step for node in cell.nodes if isinstance(node.step, SetConfig)]
    env = dict(settings[-1].env) if settings else {}
    lines = [f"# {_plain(cell.cell)}, written by layerwright; build it with", f"#   {_command(cell)}"]
    smoke: list[str] = []
    for node in cell.nodes:
        if isinstance(node.step, RunCommand):
            (lines if node.step.keep else smoke).extend(_run(node.step, env))
        elif isinstance(node.step, InstallWheels) and node.step.part == "bytecode":
            line = _compile(node.step)
            lines = [*(one for one in lines if one != line), line]  # once, after the last wheels
        else:
            lines += _lines(node.step)
    first_run = next((index for index, line in enumerate(lines) if line.startswith(_MARK)), len(lines))
    config = [line for step in settings for line in _config(step)]
    lines = [*lines[:first_run], *config, *lines[first_run:]]
    if smoke:
        lines += [
            "",
            "# the smoke tests: docker build --target smoke",
            "FROM image AS smoke",
            *smoke,
            "",
            "FROM image",
        ]
    return "\n".join(line.removeprefix(_MARK) for line in lines) + "\n"


def _lines(step: _Quiet) -> list[str]:
    """The lines of a step that runs nothing of the user's."""
    match step:
        case Base():
            return _base(step)
        case InstallApt():
            return _apt(step)
        case InstallPython():
            venv = f"uv venv --no-project --python {shlex.quote(step.interpreter)} {step.prefix}"
            return ["", f"RUN {_UV}{_CONTINUED}{venv}"]
        case BuildWheel():
            source = step.source.source + (f"@{step.source.commit}" if step.source.commit else "")
            return [
                "",
                f"# {_plain(step.source.name)} is built from {_plain(source)}; put its wheel into dist/",
            ]
        case InstallWheels():
            return _wheels(step)
        case FetchFile():
            return _file(step)
        case CopyTree():
            left_out = f"# left out: {_plain(', '.join(step.exclude))} (put it into .dockerignore)"
            copy = f"COPY {paths(step.source.rstrip('/') or '.', step.to, what='a path')}"
            return ["", *([left_out] if step.exclude else []), copy]
        case SetConfig():
            return []
        case _:
            assert_never(step)


def _compile(step: InstallWheels) -> str:
    packages = f"{step.prefix}/lib/python{step.python}/site-packages"
    options = "-q -j 0 --invalidation-mode unchecked-hash"
    return f"RUN {step.prefix}/bin/python -m compileall {options} {packages} || true"


def _plain(text: str) -> str:
    """Text for a comment."""
    return " ".join(text.split())


def _command(cell: CellPlan) -> str:
    names = " ".join(f"-t {shlex.quote(reference)}" for reference in cell.references)
    secrets = dict.fromkeys(
        name for node in cell.nodes if isinstance(node.step, RunCommand) for name in node.step.secrets
    )
    given = "".join(f" --secret id={name},src=FILE" for name in secrets)
    return f"DOCKER_BUILDKIT=1 docker build{given} {names} -f Dockerfile ."


def _base(step: Base) -> list[str]:
    base = step.base
    match base.kind:
        case "registry":
            name = base.source.partition("@")[0]
            return [f"FROM {name}@{base.digest} AS image" if base.digest else f"FROM {name} AS image"]
        case "debian":
            return [
                f"# layerwright makes this base from {len(base.debs)} locked packages; Docker's own is near to it",
                f"FROM debian:{base.source}-slim AS image",
                *_packages([f"python{base.python.rpartition('.')[0]}"] if base.python else []),
            ]
        case "docker":
            return [f"FROM {base.source} AS image"]
        case _:
            return [
                f"# load it first: skopeo copy {base.kind}:{_plain(base.source)} docker-daemon:layerwright-base:local",
                "FROM layerwright-base:local AS image",
            ]


def _apt(step: InstallApt) -> list[str]:
    return ["", *_packages([f"{deb.name}={deb.version}" for deb in step.debs])]


def _packages(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    parts = [
        "RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends",
        *(shlex.quote(name) for name in names),
        "&& rm -rf /var/lib/apt/lists/*",
    ]
    return [_CONTINUED.join(parts)]


def _wheels(step: InstallWheels) -> list[str]:
    install = f"uv pip install --python {step.prefix}/bin/python --no-deps"
    built = [f"/dist/{wheel.name.replace('-', '_')}-*.whl" for wheel in step.wheels if wheel.built_by]
    named = dict.fromkeys(wheel.index for wheel in step.wheels if wheel.index not in {"", "pypi"})
    lines = [""]
    if built:
        dist = "--mount=type=bind,source=dist,target=/dist"
        lines.append(_CONTINUED.join([f"RUN {_UV} {dist}", f"{install} {' '.join(built)}"]))
    lines += [
        f"# index {_plain(name)} of the spec: give its address with --build-arg UV_INDEX=..."
        for name in named
    ]
    lines += ["ARG UV_INDEX"] if named else []
    locked = [_requirement(wheel) for wheel in step.wheels if not wheel.built_by]
    if locked:
        parts = [
            f"RUN {_UV} {_CACHE}",
            "printf '%s\\n'",
            *(shlex.quote(requirement) for requirement in locked),
            f"| {install} --require-hashes --requirement -",
        ]
        lines.append(_CONTINUED.join(parts))
    return lines


def _requirement(wheel: WheelInput) -> str:
    where = f"{wheel.name} @ {wheel.url}" if wheel.url else f"{wheel.name}=={wheel.version}"
    return f"{where} --hash=sha256:{wheel.sha256}"


def _file(step: FetchFile) -> list[str]:
    name = shlex.quote(step.to)
    check = f"echo {shlex.quote(f'{step.sha256}  {step.to}')} | sha256sum --check --quiet"
    return [
        "",
        f"ADD {paths(step.url, step.to, what='a path')}",
        f"RUN {check} && chmod {step.mode:o} {name}",
    ]


def _run(step: RunCommand, env: Mapping[str, str]) -> list[str]:
    mounts = "".join(f"--mount=type=secret,id={name},required=true " for name in step.secrets)
    own = [f"{name}={value}" for name, value in sorted(step.env.items()) if env.get(name) != value]
    command = ["env", *own, *step.argv] if own else step.argv
    return [
        _MARK,
        f"WORKDIR {word(step.workdir, what='the workdir')}",
        *([] if step.network else ["# needs no network: layerwright runs it without"]),
        f"RUN {mounts}{argv(command, what='a command')}",
    ]


def _config(step: SetConfig) -> list[str]:
    lines = [""]
    for name, value in sorted(step.env.items()):
        text = word(value, what=f"the variable {name}")
        lines.append(f'ENV PATH={text[:-1]}:$PATH"' if name == "PATH" else f"ENV {name}={text}")
    lines += [
        f"LABEL {word(name, what='a label')}={word(value, what=f'the label {name}')}"
        for name, value in sorted(step.labels.items())
    ]
    lines += [f"WORKDIR {word(step.workdir, what='the workdir')}"] if step.workdir else []
    lines += [f"ENTRYPOINT {argv(step.entrypoint, what='the entrypoint')}"] if step.entrypoint else []
    lines += [f"CMD {argv(step.command, what='the command')}"] if step.command else []
    return lines
