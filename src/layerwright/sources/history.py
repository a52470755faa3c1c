"""Versions that come from a repository's history, for projects that are built without it.

setuptools-scm, and hatch-vcs which stands on it, read a description of the commit from a ``.git_archival.txt``, as
git writes one into archives (https://setuptools-scm.readthedocs.io, "Git archives"), and apply the project's own
settings to it. Other tools take a finished version from a variable.
"""

import re
from pathlib import Path
from typing import Final

from layerwright.core.errors import BuildError
from layerwright.host.environment import HostEnvironment
from layerwright.sources.local import read_metadata

__all__ = [
    "VERSION_VARIABLES",
    "describe_commit",
    "takes_version_from_history",
    "version_variables",
    "write_description",
]

_SECONDS: Final = 60.0
_DIGITS: Final = 9
"""Of a commit's name in a version: fixed, as git's own choice grows with the repository."""

_ARCHIVAL: Final = ".git_archival.txt"
_NOTES: Final = ("scm_version.json", "scm_file_list.json")
_PLACEHOLDER: Final = b"$Format:"
_TOOLS: Final = re.compile(
    rb"setuptools[-_]scm|hatch[-_]vcs|\bpbr\b|dynamic[-_]versioning|versioneer|versioningit|dunamai"
    rb"|use_scm_version|source\s*=\s*[\"']scm"
)
_DESCRIPTION: Final = re.compile(r"(?P<tag>.+)-(?P<distance>\d+)-(?P<node>g[0-9a-f]+)")
# setuptools-scm's own default for what of a tag is the version
_TAG: Final = re.compile(r"(?:[\w-]+-)?[vV]?(?P<version>\d+(?:\.\d+){0,2}[^+]*)(?:\+.*)?")
VERSION_VARIABLES: Final = (
    "PDM_BUILD_SCM_VERSION",
    "PBR_VERSION",
    "POETRY_DYNAMIC_VERSIONING_BYPASS",
    "UV_DYNAMIC_VERSIONING_BYPASS",
)
"""Where other tools than setuptools-scm take a finished version from."""


def takes_version_from_history(project: Path) -> bool:
    """Whether a project's metadata names a tool that does so; the name alone, as each is configured its own way."""
    return any(_TOOLS.search(data) for data in read_metadata(project).values())


def describe_commit(folder: Path, host: HostEnvironment) -> str:
    """What a project's version may depend on besides its files: ``<last tag>-<commits since>-g<commit>``.

    Changes that are not committed are left out of account: tools mark them with the day's date, and the same files
    would give another image tomorrow.

    Args:
        folder: the project.
        host: the caller's surroundings.

    Returns:
        The description, ``0.0-<all commits>-g<commit>`` where no tag looks like a version, and an empty text where
        it does not matter, or there is no repository, no commit or no git.
    """
    if not takes_version_from_history(folder):
        return ""
    from layerwright.host.process import find_program, run  # noqa: PLC0415  # start-up

    git = find_program("git", host.path)
    if git is None:
        return ""
    # a repository of another user's is looked at too: nothing of it is run, and the build runs its project anyway
    prefix = (str(git), "-C", str(folder), "-c", "safe.directory=*")
    env = {"HOME": str(host.home), "PATH": host.path, "LC_ALL": "C.UTF-8", "GIT_OPTIONAL_LOCKS": "0"}

    def ask(*argv: str) -> str:
        done = run((*prefix, *argv), env=env, timeout=_SECONDS, check=False)
        return done.stdout.decode(errors="replace").strip() if done.status == 0 else ""

    described = ask("describe", "--tags", "--long", f"--abbrev={_DIGITS}", "--match", "*[0-9]*")
    if described:
        return described
    commit = ask("rev-parse", "--verify", "--quiet", f"--short={_DIGITS}", "HEAD")
    return f"0.0-{ask('rev-list', '--count', 'HEAD')}-g{commit}" if commit else ""


def write_description(project: Path, description: str) -> None:
    """Put the description where setuptools-scm finds it; one that an archive really brought is kept.

    Notes that setuptools-scm left beside the project, when it was last resolved or built, are taken away: it trusts
    them more, and they are of that day's commit.

    Args:
        project: a copy of the project.
        description: of ``describe_commit``; empty for none.
    """
    file = project / _ARCHIVAL
    found = _DESCRIPTION.fullmatch(description)
    if found is None or (file.is_file() and _PLACEHOLDER not in file.read_bytes()):
        return
    if file.is_symlink():
        raise BuildError(f"{_ARCHIVAL} of {project.name} is a link", hint="make it a file")
    for name in _NOTES:
        for note in (*project.glob(f"*.egg-info/{name}"), *project.glob(f"*/*.egg-info/{name}")):
            note.unlink()
    node = found["node"].removeprefix("g")
    file.write_text(f"node: {node}\ndescribe-name: {description}\n", encoding="utf-8")


def version_variables(description: str) -> dict[str, str]:
    """Variables for the tools that want a finished version: the next one's development version, or a tag's own.

    ``v1.2.0-3-g0123456`` gives ``1.2.1.dev3+g0123456`` and ``v1.2.0-0-g0123456`` gives ``1.2.0``, as
    setuptools-scm does; empty when the tag holds no version.
    """
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415  # start-up

    found = _DESCRIPTION.fullmatch(description)
    tag = _TAG.fullmatch(found["tag"]) if found else None
    if found is None or tag is None:
        return {}
    try:
        version = str(Version(tag["version"]))
        if found["distance"] != "0":
            version = str(Version(f"{_next(version)}.dev{found['distance']}+{found['node']}"))
    except InvalidVersion:
        return {}
    return dict.fromkeys(VERSION_VARIABLES, version)


def _next(version: str) -> str:
    """The version after this one: its last number raised, of a development version the one it leads to."""
    released, dev, _ = version.partition(".dev")
    return released if dev else re.sub(r"\d+$", lambda last: str(int(last[0]) + 1), version)
