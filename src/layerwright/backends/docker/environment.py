"""The stage of the portable Dockerfile that makes the Python environment, with pip and the lock's digests."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from layerwright.backends.docker.fragments import (
    WITH_CA,
    Secrets,
    context_path,
    copy,
    quoted_address,
    run,
    write_file,
)
from layerwright.backends.docker.quoting import comment, shell_word
from layerwright.core.addresses import scp_as_url
from layerwright.core.errors import UsageError
from layerwright.core.source import Location
from layerwright.lock.model import LockedSource
from layerwright.plan.seal import seal_files
from layerwright.plan.steps import BuildWheel, InstallPython, InstallSeal, WheelInput
from layerwright.spec.model import Index

__all__ = ["PIP", "Environment", "environment_stage", "git_address", "install_pip", "needs_git", "needs_ssh"]

PIP: Final = "/opt/pip"
"""Where the tools stage has a pip of its own; nothing of it reaches the environment."""

_INSTALL: Final = "install-packages"
_OPTIONS: Final = "--no-deps --no-compile --ignore-installed"
_BUILD: Final = "--use-pep517"
"""pip before 22 otherwise has an old project install itself, which leaves no list of its files."""

_CACHE: Final = "--mount=type=cache,target=/root/.cache/pip"
_SSH: Final = "--mount=type=ssh"
_PYPI: Final = "https://pypi.org/simple"
_DESCRIPTION: Final = re.compile(r".+-\d+-g(?P<node>[0-9a-f]+)")
_LOCK: Final = Location(file="layerwright.lock", key="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What the environment is made of.

    Attributes:
        python: the interpreter and the prefix.
        wheels: to be fetched; none of them is built.
        builds: packages to be built from sources.
        bytecode: compile it.
        inherited: the parent image has it already; this adds to it.
        seal: tells pip inside of the image what was locked.
    """

    python: InstallPython
    wheels: tuple[WheelInput, ...]
    builds: tuple[BuildWheel, ...]
    bytecode: bool
    inherited: bool = False
    seal: InstallSeal | None = None


def install_pip(step: InstallPython) -> list[str]:
    """Give the tools stage a pip for the environment to be."""
    packages = f"{PIP}/lib/python{step.version}/site-packages"
    return [
        *comment("pip, in an environment of its own; `install-packages` has it work on the image's."),
        run([f"{shell_word(step.interpreter, what='the interpreter')} -m venv {PIP}"]),
        write_file(
            [
                "#!/bin/sh",
                f"export PYTHONPATH={packages}",
                f'exec {WITH_CA} {step.prefix}/bin/python -m pip install {_OPTIONS} "$@"',
            ],
            f"/usr/local/bin/{_INSTALL}",
            executable=True,
        ),
    ]


def environment_stage(
    environment: Environment, *, indexes: Mapping[str, Index], root: Path, secrets: Secrets
) -> list[str]:
    """Lines of the stage, after its FROM.

    Args:
        environment: what to make.
        indexes: the spec's, by name.
        root: the project's folder, which is the build's context.
        secrets: ids of certificate authorities and netrc.

    Raises:
        UsageError: something is to come from outside of the project's folder.
        BuildError: a value that a Dockerfile cannot hold.
    """
    writer = _Writer(indexes, root, secrets)
    python = environment.python
    if not environment.inherited:
        interpreter = shell_word(python.interpreter, what="the interpreter")
        writer.lines.append(run([f"{interpreter} -m venv --without-pip {python.prefix}"]))
    writer.wheels(environment.wheels)
    for step in environment.builds:
        writer.build(step)
    if environment.bytecode and (environment.wheels or environment.builds):
        writer.lines += [
            "",
            *comment(
                "Bytecode that no file's time can make stale. Files for another Python do not compile; pip too"
            ),
            *comment("passes them over."),
            run(
                [
                    f"PYTHONHASHSEED=0 {python.prefix}/bin/python -m compileall -qq -j 0",
                    f"  --invalidation-mode unchecked-hash {python.prefix}/lib || true",
                ]
            ),
        ]
    if environment.seal is not None:
        writer.seal(environment.seal)
    return writer.lines


def needs_git(builds: Iterable[BuildWheel]) -> bool:
    """Whether a package is built from a repository."""
    return any(step.source.kind == "git" for step in builds)


def needs_ssh(builds: Iterable[BuildWheel]) -> bool:
    """Whether a repository is reached by ssh."""
    return any(
        step.source.kind == "git" and git_address(step.source.source).startswith(("ssh:", "git+ssh:"))
        for step in builds
    )


def git_address(text: str) -> str:
    """A repository as an address, ``git@host:path`` as ssh; a folder's path stays one."""
    text = text.removeprefix("git+")
    if "://" in text or text.startswith("file:"):
        return text
    return scp_as_url(text) or text


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where pip looks: an index's address or a page or folder of links, either empty; shell words.

    Attributes:
        credentials: it wants some.
    """

    index: str = ""
    links: str = ""
    credentials: bool = False

    @property
    def flags(self) -> list[str]:
        """Options of pip, for nothing but this place."""
        if self.links:
            return [f"--no-index --find-links {self.links}"]
        return [f"--index-url {self.index}"]

    def flags_over(self, default: "_Place") -> list[str]:
        """The same with the default index beside it, for what a build needs."""
        if self == default or not default.index:
            return self.flags
        more = f"--find-links {self.links}" if self.links else f"--extra-index-url {self.index}"
        return [f"--index-url {default.index} {more}"]


class _Writer:
    """Lines so far, and how many things were copied from the context."""

    def __init__(self, indexes: Mapping[str, Index], root: Path, secrets: Secrets) -> None:
        self.lines: list[str] = []
        self._indexes = indexes
        self._root = root
        self._secrets = secrets
        self._folders: dict[str, str] = {}
        self._lists = 0

    def wheels(self, wheels: Sequence[WheelInput]) -> None:
        """Install wheels, each index's by themselves, so that no index is asked for another one's packages."""
        by_index: dict[str, list[WheelInput]] = {}
        for wheel in wheels:
            by_index.setdefault(wheel.index, []).append(wheel)
        for name, group in sorted(by_index.items()):
            group.sort(key=lambda wheel: wheel.name)
            if name:
                self._section(f"Wheels of the index {name}: these files and no others.")
                place = self._place(name)
                lines = [f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}" for wheel in group]
                self._install(
                    lines, flags=[*place.flags, "--only-binary :all:"], netrc=place.credentials or None
                )
            else:
                self._named_wheels(group)

    def _named_wheels(self, wheels: Sequence[WheelInput]) -> None:
        """Wheels that the spec names by address or path."""
        remote, local = [], []
        for wheel in wheels:
            inside = context_path(wheel.url, self._root, what=wheel.file, where=_LOCK)
            if inside is None:
                remote.append(f"{wheel.name} @ {quoted_address(wheel.url)} --hash=sha256:{wheel.sha256}")
            else:
                local.append((wheel, inside))
        if remote:
            self._section("Wheels that the spec names by their address.")
            self._install(remote, flags=["--no-index --only-binary :all:"], netrc=False)
        if local:
            self._section("Wheels that the spec names by their path.")
            self.lines += [copy(inside, f"/opt/wheels/{wheel.file}") for wheel, inside in local]
            self._install(
                [f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}" for wheel, _ in local],
                flags=["--no-index --find-links /opt/wheels --only-binary :all:"],
            )

    def seal(self, step: InstallSeal) -> None:
        """Write down what was locked, where pip inside of the image keeps to it."""
        self._section(
            "What was locked: pip in the image keeps to these versions, and `verify` compares with them."
        )
        texts = seal_files(step)
        folders = sorted({f"{step.prefix}/{path.rpartition('/')[0]}" for path in texts if "/" in path})
        self.lines.append(run([f"mkdir -p {' '.join(folders)}"]))
        self.lines += [write_file(text.splitlines(), f"{step.prefix}/{path}") for path, text in texts.items()]

    def build(self, step: BuildWheel) -> None:
        """Build one package from its sources; what its build needs comes from the default index."""
        source = step.source
        match source.kind:
            case "path":
                place = "own folder" if source.source.rstrip("/") in {"", "."} else source.source
                self._section(f"{source.name}, built from the project's {place}.")
                self._project(step)
            case "git":
                self._section(f"{source.name}, built from a repository at the locked commit.")
                self._repository(source)
            case "sdist":
                self._section(f"{source.name} {source.version}, built from its source distribution.")
                self._sdist(source)

    def _project(self, step: BuildWheel) -> None:
        source = step.source
        inside = (
            context_path(source.source, self._root, what=f"the project {source.name}", where=_LOCK) or "."
        )
        folder = self._folder(inside)
        place = self._place("")
        self._pip(
            [
                # As layerwright builds it: without the repository, whose commit is told instead.
                f"rm -rf {folder}/.git &&",
                *_description(step.commit, folder),
                *_versions(source.version, step.commit),
                f"{_INSTALL} {' '.join([*place.flags, _BUILD, folder])}",
            ],
            netrc=place.credentials,
        )

    def _repository(self, source: LockedSource) -> None:
        address = git_address(source.source)
        if "://" not in address or address.startswith("file:"):
            raise UsageError(
                f"{source.name} comes from a repository of this machine, which other machines do not have: {address}",
                hint="name it by its address, or take the folder: { path = … }",
            )
        fragment = f"#subdirectory={quote(source.subdirectory)}" if source.subdirectory else ""
        requirement = f"{source.name} @ git+{quoted_address(address)}@{source.commit}{fragment}"
        place = self._place("")
        ssh = address.startswith("ssh:")
        self._pip(
            [
                *(['GIT_SSH_COMMAND="ssh -o StrictHostKeyChecking=accept-new"'] if ssh else []),
                f"{_INSTALL} {' '.join([*place.flags, _BUILD])}",
                f"  {shell_word(requirement, what=source.name)}",
            ],
            mounts=[_SSH] if ssh else [],
            netrc=place.credentials,
            offered=True,
        )

    def _sdist(self, source: LockedSource) -> None:
        inside = (
            None
            if source.index
            else context_path(source.url, self._root, what=f"the sources of {source.name}", where=_LOCK)
        )
        default = self._place("")
        place = self._place(source.index) if source.index else default
        fragment = f"#subdirectory={quote(source.subdirectory)}" if source.subdirectory else ""
        if inside is not None:
            file = f"/opt/sdists/{source.source}"
            self.lines.append(copy(inside, file))
            requirement = f"{source.name} @ file://{quote(file)}{fragment}"
        elif source.index:
            requirement = f"{source.name}=={source.version}"
        else:
            requirement = f"{source.name} @ {quoted_address(source.url)}{fragment}"
        self._install(
            [f"{requirement} --hash=sha256:{source.sha256}"],
            flags=[*place.flags_over(default), f"{_BUILD} --no-binary {source.name}"],
            netrc=place.credentials or default.credentials or (False if source.url else None),
        )

    def _place(self, name: str) -> _Place:
        """Where an index is, the default one for no name."""
        wanted = [
            index for index in self._indexes.values() if (index.name == name if name else index.default)
        ]
        if not wanted:
            return _Place(index=_PYPI)
        (index,) = wanted
        flat = index.format == "flat"
        if flat or index.url.startswith("file:"):
            inside = context_path(index.url, self._root, what=f"the index {index.name}", where=index.location)
            if inside is not None:
                return _Place(links=self._folder(inside))
        address = shell_word(index.url, what=f"the address of {index.name}")
        credentials = bool(index.credentials)
        if flat:
            return _Place(links=address, credentials=credentials)
        return _Place(index=address, credentials=credentials)

    def _folder(self, inside: str) -> str:
        """A folder of the context in this stage, where builds may write to it."""
        if inside not in self._folders:
            self._folders[inside] = f"/opt/sources/{len(self._folders)}"
            self.lines.append(copy(inside, self._folders[inside]))
        return self._folders[inside]

    def _install(
        self, requirements: Sequence[str], *, flags: Sequence[str], netrc: bool | None = None
    ) -> None:
        """Install what a list with digests names; pip takes digests from a file alone."""
        file = f"/opt/requirements-{self._lists}.txt"
        self._lists += 1
        self.lines.append(write_file(requirements, file))
        self._pip(
            [f"{_INSTALL} {' '.join(flags)}", f"  --require-hashes --requirement {file}"],
            netrc=bool(netrc),
            offered=netrc is not None,
        )

    def _pip(
        self, commands: Sequence[str], *, netrc: bool, mounts: Sequence[str] = (), offered: bool = False
    ) -> None:
        """Run pip.

        Args:
            commands: the pieces of the command.
            netrc: an index wants credentials.
            mounts: further mounts.
            offered: credentials are used where they are given.
        """
        needed = [self._secrets.ca_mount, _CACHE, *mounts]
        if netrc or offered:
            needed.append(self._secrets.netrc_mount(required=netrc))
        self.lines.append(run(commands, mounts=needed))

    def _section(self, text: str) -> None:
        self.lines += ["", *comment(text)]


def _description(commit: str, folder: str) -> list[str]:
    """Put the commit's description where setuptools-scm finds it, unless an archive brought one."""
    found = _DESCRIPTION.fullmatch(commit)
    if found is None:
        return []
    file = f"{folder}/.git_archival.txt"
    node, name = (
        shell_word(text, what="a tag") for text in (f"node: {found['node']}", f"describe-name: {commit}")
    )
    return [
        f"if [ ! -f {file} ] || grep -qF '$Format:' {file}; then printf '%s\\n' {node} {name} > {file}; fi &&"
    ]


def _versions(version: str, commit: str) -> list[str]:
    """Variables for build tools that would ask the repository for the version."""
    from layerwright.sources.history import VERSION_VARIABLES, version_variables  # noqa: PLC0415 - start-up

    variables = version_variables(commit)
    if version:
        variables = dict.fromkeys(("SETUPTOOLS_SCM_PRETEND_VERSION", *VERSION_VARIABLES), version)
    return [f"{name}={shell_word(value, what='a version')}" for name, value in sorted(variables.items())]
