"""Repositories at a commit, with their submodules and without their history."""

import shutil
from pathlib import Path
from typing import Final

from layerwright.core.errors import BuildError, NetworkError
from layerwright.host.environment import HostEnvironment
from layerwright.host.process import ProcessError, find_program, run
from layerwright.sources.requirements import git_address
from layerwright.sources.uv import uv_environment
from layerwright.spec.model import GitPackage

__all__ = ["check_out"]

_SECONDS: Final = 1800.0
_QUIET: Final = (
    "-c",
    "advice.detachedHead=false",
    "-c",
    "core.autocrlf=false",
    "-c",
    "init.defaultBranch=main",
)


def check_out(package: GitPackage, commit: str, into: Path, *, host: HostEnvironment, root: Path) -> None:
    """Put the files of a commit and of its submodules into an empty folder, without any ``.git``.

    The caller's own git configuration takes part, so that its credential helpers and keys serve.

    Args:
        package: the repository.
        commit: the full commit.
        into: an empty folder.
        host: the caller's surroundings.
        root: folder that relative paths start from.

    Raises:
        BuildError: git is not installed.
        NetworkError: the repository or the commit cannot be had.
    """
    git = find_program("git", host.path)
    if git is None:
        raise BuildError("the program `git` is missing", where=package.location, hint="apt install git")
    address = git_address(package, root)
    # git refuses submodules on this machine's own disk, lest a foreign repository reads it; ours is no foreign one
    local = ("-c", "protocol.file.allow=always") if address.startswith("file:") else ()
    prefix = (str(git), *_QUIET, *local)
    env = uv_environment(host)

    def ask(*argv: str) -> None:
        run((*prefix, *argv), cwd=into, env=env, timeout=_SECONDS)

    try:
        ask("init", "--quiet")
        ask("remote", "add", "origin", address)
        try:
            ask("fetch", "--quiet", "--depth", "1", "origin", commit)
        except ProcessError:
            # a server that does not give single commits: everything, then
            ask("fetch", "--quiet", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*")
        ask("checkout", "--quiet", "--detach", commit)
        if (into / ".gitmodules").exists():
            ask("submodule", "--quiet", "update", "--init", "--recursive")
    except ProcessError as error:
        raise NetworkError(
            f"{package.git} at {commit[:12]} cannot be checked out\n{error.output}", where=package.location
        ) from error
    for found in sorted(into.rglob(".git"), reverse=True):
        if found.is_dir() and not found.is_symlink():
            shutil.rmtree(found)
        else:
            found.unlink()
