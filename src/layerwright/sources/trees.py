"""Source trees: commits of repositories and their submodules, and their files at those commits.

git is asked for each repository by itself, with the addresses and commits that the lock holds, so that what stands in
an image is what was locked, and a folder that the user has cloned already can stand in for any of them.
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from layerwright.core.addresses import has_credential, mask_credentials
from layerwright.core.errors import BuildError, NetworkError, ResolveError
from layerwright.core.source import Location
from layerwright.host.environment import HostEnvironment
from layerwright.host.process import ProcessError, find_program, run
from layerwright.lock.model import LockedTree
from layerwright.plan.steps import CopySource
from layerwright.sources.requirements import git_address
from layerwright.sources.uv import uv_environment
from layerwright.spec.model import GitPackage, Source

__all__ = ["Git", "GitTrees", "address_of", "checkout_of", "is_commit", "put_tree"]

_SECONDS: Final = 3600.0
_QUICK: Final = 120.0
_COMMIT_DIGITS: Final = (40, 64)
_MOST_NESTED: Final = 20
_SETTINGS: Final = (
    "advice.detachedHead=false",
    "core.autocrlf=false",
    "core.fsmonitor=false",  # a program of the repository's own choice
    "core.hooksPath=/dev/null",
    "core.logAllRefUpdates=false",  # names the caller
    "init.defaultBranch=main",
    "protocol.ext.allow=never",
)
_BRANCHES: Final = "+refs/heads/*:refs/remotes/origin/*"
_CALLERS: Final = ("FETCH_HEAD", "ORIG_HEAD", "description", "hooks", "logs")
"""What git writes beside a commit of when and by whom it was fetched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """The program, as the caller has it set up: credential helpers and keys serve; nothing is ever asked.

    Attributes:
        host: the caller's surroundings.
        local: repositories of this machine's own disk may be read; git refuses them as submodules, lest a foreign
            repository names them.
    """

    host: HostEnvironment
    local: bool = False

    def ask(self, folder: Path, *words: str, timeout: float = _QUICK) -> str:
        """Run git in a folder; returns its standard output.

        Raises:
            BuildError: git is not installed.
            ProcessError: it failed.
        """
        program = find_program("git", self.host.path)
        if program is None:
            raise BuildError("the program `git` is missing", hint="apt install git")
        settings = (*_SETTINGS, f"protocol.file.allow={'always' if self.local else 'user'}")
        argv = [str(program), *(word for setting in settings for word in ("-c", setting)), *words]
        env = uv_environment(self.host) | {"GIT_OPTIONAL_LOCKS": "0", "GIT_PROTOCOL_FROM_USER": "0"}
        if self.local:
            env.pop("GIT_PROTOCOL_FROM_USER")
        if "SUDO_UID" in self.host.variables:  # whose folders git lets root read
            env["SUDO_UID"] = self.host.variables["SUDO_UID"]
        return run(argv, cwd=folder, env=env, timeout=timeout).text

    def fetch(self, folder: Path, commit: str, *options: str) -> None:
        """Bring a commit into a repository: alone where the server gives that, else with all of its branches.

        Raises:
            ProcessError: it cannot be had.
        """
        try:
            words = ("--quiet", "--depth=1", "--no-tags", *options, "origin", commit)
            self.ask(folder, "fetch", *words, timeout=_SECONDS)
        except ProcessError as error:
            try:
                self.ask(
                    folder, "fetch", "--quiet", "--tags", *options, "origin", _BRANCHES, timeout=_SECONDS
                )
                self.ask(folder, "cat-file", "-e", f"{commit}^{{commit}}")
            except ProcessError:
                raise error from None


def is_commit(rev: str) -> bool:
    """Whether a revision is a full commit."""
    return len(rev) in _COMMIT_DIGITS and not set(rev) - set("0123456789abcdef")


@dataclass(frozen=True, slots=True, kw_only=True)
class GitTrees:
    """Finds commits with git; satisfies ``resolve.TreeResolver``.

    Only names and lists of files are fetched, where servers give them apart from the files.

    Attributes:
        host: the caller's surroundings.
        root: folder that relative paths start from.
        offline: nothing may be asked of the network.
    """

    host: HostEnvironment
    root: Path
    offline: bool = False

    def resolve_tree(self, source: Source, /) -> tuple[LockedTree, ...]:
        """The commit of a source tree, and of its submodules by folder after it.

        Raises:
            ResolveError: the repository has no such revision, or a submodule that cannot be locked.
            NetworkError: it cannot be asked.
        """
        address = address_of(source.git, self.root)
        git = Git(host=self.host, local=address.startswith("file:"))
        checkout = checkout_of(source.checkout, self.root)
        commit = source.rev if is_commit(source.rev) else self._commit(git, source, address, checkout)
        tree = LockedTree(name=source.name, git=source.git, rev=source.rev, commit=commit)
        if not source.submodules:
            return (tree,)
        below = sorted(
            self._submodules(git, source, address, commit, checkout=checkout), key=lambda one: one.submodule
        )
        return (tree, *below)

    def _commit(self, git: Git, source: Source, address: str, checkout: Path | None) -> str:
        """What a revision means to the repository; offline, to the user's clone of it."""
        rev = source.rev
        if self.offline and not git.local:
            if checkout is None:
                raise NetworkError(
                    f"{source.name}: {source.git} must be asked what {rev} is, but --offline forbids the network",
                    where=source.location,
                    hint="lock once with the network, or name a clone of it: checkout = …",
                )
            address = checkout.as_uri()
            git = Git(host=self.host, local=True)
        names = (rev,) if rev.startswith("refs/") else (f"refs/tags/{rev}", f"refs/heads/{rev}")
        asked = [name for one in names for name in (f"{one}^{{}}", one)]  # what an annotated tag means, first
        try:
            answer = git.ask(self.root, "ls-remote", "--quiet", "--", address, *asked, timeout=_SECONDS)
        except ProcessError as error:
            raise _unreachable(source.git, error, source.location) from error
        found = {}
        for line in answer.splitlines():
            commit, _, name = line.partition("\t")
            found[name] = commit
        for name in asked:
            if is_commit(found.get(name, "")):
                return found[name]
        raise ResolveError(
            f"{source.name}: {mask_credentials(source.git)} has neither a tag nor a branch {rev!r}",
            where=source.location,
            hint=f"what it has: git ls-remote --tags {mask_credentials(source.git)}",
        )

    def _submodules(
        self,
        git: Git,
        source: Source,
        address: str,
        commit: str,
        *,
        checkout: Path | None,
        prefix: str = "",
        depth: int = 0,
    ) -> Iterator[LockedTree]:
        """Submodules of a repository at a commit, and theirs."""
        if depth > _MOST_NESTED:
            raise ResolveError(
                f"{source.name}: submodules are nested without end at {prefix}", where=source.location
            )
        with tempfile.TemporaryDirectory(prefix="layerwright-") as temporary:
            place = checkout
            if place is None or not _has_commit(git, place, commit):
                place = Path(temporary)
                self._fetch_lists(git, source, place, address, commit)
            try:
                found = list(_links(git, place, commit))
            except ProcessError as error:
                raise ResolveError(
                    f"{source.name}: the submodules of {mask_credentials(address)} cannot be read\n{error.output}",
                    where=source.location,
                ) from error
        for path, url, linked in found:
            if has_credential(url) or url.startswith("-") or not _is_plain(path):
                raise ResolveError(
                    f"{source.name}: the submodule {path!r} has an address that cannot be locked: "
                    f"{mask_credentials(url)}",
                    where=source.location,
                    hint="leave submodules out: submodules = false",
                )
            whole = joined(address, url)
            yield LockedTree(name=source.name, submodule=prefix + path, git=whole, commit=linked)
            yield from self._submodules(
                git,
                source,
                whole,
                linked,
                checkout=checkout / path if checkout is not None else None,
                prefix=f"{prefix}{path}/",
                depth=depth + 1,
            )

    def _fetch_lists(self, git: Git, source: Source, folder: Path, address: str, commit: str) -> None:
        if self.offline and not address.startswith("file:"):
            raise NetworkError(
                f"{source.name}: {address} must be asked for its submodules, but --offline forbids the network",
                where=source.location,
                hint="lock once with the network, or make the checkout complete: git submodule update --init "
                "--recursive",
            )
        try:
            git.ask(folder, "init", "--quiet", "--bare", "--template=")
            git.ask(folder, "remote", "add", "origin", address)
            git.fetch(folder, commit, "--filter=blob:none")
        except ProcessError as error:
            raise _unreachable(f"{address} at {commit[:12]}", error, source.location) from error


def _links(git: Git, folder: Path, commit: str) -> Iterator[tuple[str, str, str]]:
    """Folder, address and commit of each submodule of a commit; those that git itself would not take are left out."""
    if not git.ask(folder, "ls-tree", commit, "--", ".gitmodules"):
        return
    told: dict[str, dict[str, str]] = {}
    for record in git.ask(folder, "config", f"--blob={commit}:.gitmodules", "-z", "--list").split("\0"):
        key, _, value = record.partition("\n")
        section, _, rest = key.partition(".")
        name, _, word = rest.rpartition(".")
        if section == "submodule" and name:
            told.setdefault(name, {})[word] = value
    wanted = {one["path"]: one["url"] for one in told.values() if one.get("path") and one.get("url")}
    left_out = {one["path"] for one in told.values() if one.get("path") and one.get("update") == "none"}
    paths = sorted(wanted.keys() - left_out)
    if not paths:
        return
    for record in git.ask(folder, "--literal-pathspecs", "ls-tree", "-z", commit, "--", *paths).split("\0"):
        description, _, path = record.partition("\t")
        words = description.split(" ")
        if words[:2] == ["160000", "commit"] and path in wanted:
            yield path, wanted[path], words[2]


def put_tree(
    step: CopySource, into: Path, *, host: HostEnvironment, root: Path, checkout: Path | None = None
) -> None:
    """Put the files of a source tree and its submodules, at their locked commits, into an empty folder.

    Args:
        step: which, and whether ``.git`` comes with it.
        into: the folder.
        host: the caller's surroundings.
        root: folder that relative paths start from.
        checkout: a folder that has all of it; it is read, and never written to.

    Raises:
        NetworkError: a repository or a commit cannot be had.
    """
    address = address_of(step.git, root)
    git = Git(host=host, local=checkout is not None or address.startswith("file:"))
    trees = [("", address, step.commit), *((one.path, one.git, one.commit) for one in step.submodules)]
    for path, whole, commit in trees:
        target = into / path
        target.mkdir(parents=True, exist_ok=True)
        source = (checkout / path).resolve().as_uri() if checkout is not None else whole
        try:
            git.ask(target, "init", "--quiet", "--template=")
            git.ask(target, "remote", "add", "origin", source)
            git.fetch(target, commit)
            if step.history and not path:
                _bring_tag(git, target, step)
            git.ask(target, "checkout", "--quiet", "--detach", commit, timeout=_SECONDS)
            git.ask(target, "remote", "set-url", "origin", whole)
        except ProcessError as error:
            raise _unreachable(f"{source} at {commit[:12]}", error, step.location) from error
    if step.history:
        _settle(git, into, step)
        for folder in (into / ".git", *_modules(into / ".git" / "modules")):
            _forget_caller(folder)
    else:
        for path, _, _ in trees:
            shutil.rmtree(into / path / ".git")


def _bring_tag(git: Git, folder: Path, step: CopySource) -> None:
    """The tag with the commit, for builds that check it out; one that means something else by now is left out."""
    reference = f"refs/tags/{step.rev}"
    if is_commit(step.rev) or step.rev.startswith("refs/"):
        return
    try:
        git.ask(folder, "fetch", "--quiet", "--depth=1", "--no-tags", "origin", f"+{reference}:{reference}")
        means = git.ask(folder, "rev-parse", "--verify", "--quiet", f"{reference}^{{commit}}").strip()
    except ProcessError:
        return  # a branch
    if means != step.commit:
        git.ask(folder, "update-ref", "-d", reference)


def _settle(git: Git, into: Path, step: CopySource) -> None:
    """Make the submodules ones that git knows, as ``git submodule update --init`` leaves them."""
    try:
        for path in ("", *(one.path for one in step.submodules)):  # each may have some of its own
            if (into / path / ".gitmodules").exists() and step.submodules:
                git.ask(into / path, "submodule", "--quiet", "init")
        if step.submodules:
            git.ask(into, "submodule", "--quiet", "absorbgitdirs")
    except ProcessError as error:
        raise BuildError(
            f"the submodules of {step.name} cannot be set up\n{error.output}", where=step.location
        ) from error


def _modules(folder: Path) -> list[Path]:
    """Repositories of submodules below ``.git/modules``, nested ones too."""
    found = folder.rglob("HEAD") if folder.is_dir() else ()
    return [head.parent for head in found if (head.parent / "objects").is_dir()]


def _forget_caller(folder: Path) -> None:
    for name in _CALLERS:
        found = folder / name
        if found.is_dir():
            shutil.rmtree(found)
        else:
            found.unlink(missing_ok=True)


def checkout_of(text: str, root: Path) -> Path | None:
    """The folder that a spec names as a checkout; None when it names none or none is there.

    Args:
        text: as the spec has it; empty for none.
        root: folder that relative paths start from.
    """
    if not text:
        return None
    folder = root / Path(text).expanduser()
    return folder.resolve() if (folder / ".git").exists() else None


def address_of(text: str, root: Path) -> str:
    """A repository's address as a URL; a folder becomes ``file``."""
    return git_address(GitPackage(git=text, rev="", location=Location(file="")), root)


def joined(address: str, url: str) -> str:
    """The address of a submodule whose own is relative to its parent's, as git joins them."""
    if not url.startswith(("./", "../")):
        return url
    base = address.rstrip("/")
    rest = url
    while rest.startswith(("./", "../")):
        if rest.startswith("../"):
            base = base.rpartition("/")[0]
        rest = rest.partition("/")[2]
    return f"{base}/{quote(rest) if address.startswith('file:') else rest}"


def _has_commit(git: Git, folder: Path, commit: str) -> bool:
    if not (folder / ".git").exists():  # an empty folder of a submodule would answer for its parent
        return False
    try:
        git.ask(folder, "cat-file", "-e", f"{commit}^{{commit}}")
    except ProcessError:
        return False
    return True


def _is_plain(path: str) -> bool:
    """Whether a submodule's folder is one below its parent, and nothing of git's own."""
    parts = path.split("/")
    return not path.startswith("-") and not any(
        part in {"", ".", ".."} or part.lower() == ".git" for part in parts
    )


def _unreachable(what: str, error: ProcessError, where: Location | None) -> NetworkError:
    lines: Sequence[str] = [line for line in error.output.splitlines() if line.strip()]
    told = "\n".join(f"  | {line}" for line in lines)
    return NetworkError(f"{mask_credentials(what)} cannot be had\n{mask_credentials(told)}", where=where)
