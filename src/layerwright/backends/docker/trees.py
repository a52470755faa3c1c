"""Stages of the portable Dockerfile that fetch source trees, each at its commit and without its history."""

from collections.abc import Iterator, Sequence
from typing import Final

from layerwright.backends.docker.environment import git_address
from layerwright.backends.docker.fragments import WITH_CA, Secrets, quoted_address, run
from layerwright.backends.docker.quoting import comment, paths, shell_word
from layerwright.core.errors import UsageError
from layerwright.plan.steps import CopySource

__all__ = ["copy_tree_of", "reached_by_ssh", "trees_stages"]

_FOLDER: Final = "/opt/tree"
_FETCH: Final = (
    # a folder, an address, a commit
    "fetch() {",
    '  git init --quiet --template= "$1"; git -C "$1" remote add origin "$2";',
    f'  {WITH_CA} git -C "$1" fetch --quiet --depth=1 --no-tags origin "$3"',
    f'    || {WITH_CA} git -C "$1" fetch --quiet --tags origin "+refs/heads/*:refs/remotes/origin/*";',
    '  git -C "$1" -c advice.detachedHead=false checkout --quiet --detach "$3"; };',
)
_SSH: Final = "--mount=type=ssh"


def copy_tree_of(number: int, to: str) -> str:
    """Copy the tree of a stage.

    Raises:
        BuildError: a path that a Dockerfile cannot hold.
    """
    return f"COPY --from=tree-{number} {paths(_FOLDER, to, what='a path')}"


def reached_by_ssh(steps: Sequence[CopySource]) -> bool:
    """Whether a repository is."""
    return any(address.startswith("ssh:") for step in steps for _, address, _ in _repositories(step))


def trees_stages(steps: Sequence[CopySource], *, secrets: Secrets) -> list[str]:
    """The stages' lines, a stage for each tree.

    Args:
        steps: the trees.
        secrets: ids of certificate authorities and netrc.

    Raises:
        UsageError: a repository is on this machine alone.
        BuildError: a value that a Dockerfile cannot hold.
    """
    return [line for number, step in enumerate(steps) for line in _stage(number, step, secrets)]


def _stage(number: int, step: CopySource, secrets: Secrets) -> Iterator[str]:
    repositories = list(_repositories(step))
    ssh = reached_by_ssh([step])
    commands = ["set -eu;"]
    if ssh:
        commands.append('export GIT_SSH_COMMAND="ssh -o StrictHostKeyChecking=accept-new";')
    commands += _FETCH
    for folder, address, commit in repositories:
        place = shell_word(folder, what="a submodule's folder")
        commands.append(f"fetch {place} {shell_word(quoted_address(address), what='an address')} {commit};")
    if step.history:
        commands += _history(step, repositories)
    else:
        folders = [shell_word(f"{folder}/.git", what="a folder") for folder, _, _ in repositories]
        commands += ["rm -rf", *(f"  {folder}" for folder in folders)]
    yield ""
    more = f", and its {len(step.submodules)} submodules" if step.submodules else ""
    yield from comment(f"Sources of {step.name}, {step.rev} at the locked commit{more}.")
    yield f"FROM tools AS tree-{number}"
    mounts = [secrets.ca_mount, secrets.netrc_mount(required=False), *([_SSH] if ssh else [])]
    yield run(commands, mounts=mounts)


def _history(step: CopySource, repositories: Sequence[tuple[str, str, str]]) -> list[str]:
    """Leave ``.git`` as a build finds it after a clone of this one commit."""
    commands = []
    if step.rev != step.commit and not step.rev.startswith("refs/"):
        reference = shell_word(f"+refs/tags/{step.rev}:refs/tags/{step.rev}", what="a tag")
        commands.append(
            f"{WITH_CA} git -C {_FOLDER} fetch --quiet --depth=1 --no-tags origin {reference} || true;"
        )
    if step.submodules:
        for folder, _, _ in repositories:
            place = shell_word(folder, what="a folder")
            commands.append(f"if [ -f {place}/.gitmodules ]; then git -C {place} submodule --quiet init; fi;")
        commands.append(f"git -C {_FOLDER} submodule --quiet absorbgitdirs;")
    return [*commands, f"find {_FOLDER}/.git -name logs -prune -exec rm -rf {{}} +"]


def _repositories(step: CopySource) -> Iterator[tuple[str, str, str]]:
    """Folder in the stage, address and commit of the tree and its submodules."""
    for path, given, commit in (
        ("", step.git, step.commit),
        *((one.path, one.git, one.commit) for one in step.submodules),
    ):
        address = git_address(given)
        if "://" not in address or address.startswith("file:"):
            raise UsageError(
                f"{step.name} comes from a repository of this machine, which other machines do not have: {address}",
                where=step.location,
                hint="name it by its address, or build with layerwright build --backend docker",
            )
        yield (f"{_FOLDER}/{path}" if path else _FOLDER), address, commit
