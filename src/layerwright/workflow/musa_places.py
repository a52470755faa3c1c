"""Folders that the environment names for the container scripts: checkouts, and where a build keeps what it needs."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from layerwright.core.errors import Problem, SpecError, UsageError
from layerwright.core.events import Notice
from layerwright.core.source import Location
from layerwright.host.process import ProcessError
from layerwright.workflow.session import Session

if TYPE_CHECKING:
    from layerwright.sources.trees import Git

__all__ = ["BUILD_DIR", "Checkout", "build_folder", "find_checkout", "make_checkout"]

BUILD_DIR: Final = "DOCKER_BUILD_DIR"
_ENVIRONMENT: Final = "environment"
_CLONE_SECONDS: Final = 4 * 3600.0


class Checkout(Struct, frozen=True, kw_only=True):
    """A clone that stands, or is to stand, in a folder.

    Attributes:
        variable: what names the folder above it; ``PYTORCH_REPO_ROOT_PATH``.
        folder: the clone's own.
        named: the variable is set; otherwise the folder is only what the scripts look at then.
    """

    variable: str
    folder: Path
    named: bool

    @property
    def there(self) -> bool:
        """Whether something stands there already."""
        return self.folder.exists()


def find_checkout(session: Session, variable: str, name: str) -> Checkout:
    """Where a clone is looked for: below the folder that the variable names, else below the caller's home."""
    value = session.host.variables.get(variable, "")
    root = session.start.absolute() / Path(value).expanduser() if value else session.host.home
    return Checkout(variable=variable, folder=root / name, named=bool(value))


def build_folder(session: Session, *, make: bool = True) -> Path:
    """The folder of the build: ``DOCKER_BUILD_DIR``, else ``tmp`` of the current folder. Nothing in it is ever removed.

    Raises:
        SpecError: it cannot be a folder.
    """
    value = session.host.variables.get(BUILD_DIR, "")
    folder = session.start.absolute() / Path(value or "tmp").expanduser()
    if not make and not folder.exists():
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise _wrong(BUILD_DIR, f"{BUILD_DIR} names {folder}, which is no folder", "name a folder") from error
    except OSError as error:
        raise _wrong(
            BUILD_DIR, f"{BUILD_DIR}: cannot make {folder}: {error.strerror}", "name a folder of your own"
        ) from error
    return folder


def make_checkout(session: Session, checkout: Checkout, *, git: str, tag: str) -> str:
    """Have a checkout at a tag: one that is there is looked at, and never changed; else it is cloned there.

    Returns:
        The folder, absolute; empty when none is to be used.

    Raises:
        SpecError: the folder that the variable names is at something else, or was changed.
        NetworkError: it cannot be cloned.
    """
    if not checkout.there:
        if checkout.named:
            _clone(session, checkout, git, tag)
            return str(checkout.folder)
        return ""
    fault = _fault_of(session, checkout.folder, tag)
    if fault is None:
        return str(checkout.folder)
    what, hint = fault
    if checkout.named:
        raise _wrong(checkout.variable, f"{checkout.variable}: {checkout.folder} {what}", hint)
    session.reporter(Notice(message=f"{checkout.folder} {what}: it is left alone, and {tag} is fetched"))
    return ""


def _fault_of(session: Session, folder: Path, tag: str) -> tuple[str, str] | None:
    """Why a folder is not the checkout of a tag, and how to mend it; None when it is."""
    from layerwright.sources.trees import Git  # noqa: PLC0415 - start-up

    if not (folder / ".git").exists():
        return "is no git checkout", "name the folder above a clone, or one where there is none yet"
    git = Git(host=session.host, local=True)
    try:
        head = git.ask(folder, "rev-parse", "HEAD").strip()
        wanted = _commit(git, folder, tag)
        changes = git.ask(folder, "status", "--porcelain", "--ignore-submodules=none").splitlines()
    except ProcessError as error:
        last = error.output.strip().splitlines()
        return f"cannot be read by git: {last[-1] if last else error.what}", "mend it, or name another folder"
    if not wanted:
        return f"does not know {tag}", f"git -C {folder} fetch origin tag {tag}"
    if head != wanted:
        return (
            f"is at {head[:12]}, and {tag} is {wanted[:12]}",
            f"git -C {folder} checkout {tag} && git -C {folder} submodule update --init --recursive",
        )
    if changes:
        more = f" and {len(changes) - 1} more" if changes[1:] else ""
        return (
            f"has changes: {changes[0][3:]}{more}",
            "commit them to a tag of your own, or put them away: git stash -u",
        )
    return None


def _commit(git: "Git", folder: Path, tag: str) -> str:
    """The commit that a tag, branch or commit means in a clone; empty when it does not know it."""
    for name in (f"refs/tags/{tag}", f"refs/remotes/origin/{tag}", f"refs/heads/{tag}", tag):
        try:
            return git.ask(folder, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").strip()
        except ProcessError:
            continue
    return ""


def _clone(session: Session, checkout: Checkout, git: str, tag: str) -> None:
    from layerwright.core.errors import NetworkError  # noqa: PLC0415 - start-up
    from layerwright.core.events import TaskEnded, TaskStarted  # noqa: PLC0415 - start-up
    from layerwright.sources.trees import Git  # noqa: PLC0415 - start-up

    if session.offline:
        raise NetworkError(f"{checkout.folder} is not there, and --offline forbids to clone it")
    root = checkout.folder.parent
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{checkout.variable}: cannot make {root}: {error.strerror}") from error
    task = f"clone:{checkout.folder.name}"
    session.reporter(TaskStarted(task=task, title=f"{checkout.folder.name} {tag}", kind="fetch"))
    try:
        Git(host=session.host).ask(
            root, "clone", "--quiet", "--branch", tag, "--depth=1", "--recurse-submodules", "--shallow-submodules",
            "--", git, checkout.folder.name, timeout=_CLONE_SECONDS,
        )  # fmt: skip
    except ProcessError as error:
        session.reporter(TaskEnded(task=task, failed=True))
        told = "\n".join(f"  | {line}" for line in error.output.splitlines() if line.strip())
        raise NetworkError(
            f"{checkout.variable}: {git} at {tag} cannot be cloned to {checkout.folder}\n{told}"
        ) from error
    except BaseException:
        session.reporter(TaskEnded(task=task, failed=True))
        raise
    session.reporter(TaskEnded(task=task))


def _wrong(variable: str, what: str, hint: str) -> SpecError:
    return SpecError([Problem(what=what, where=Location(file=_ENVIRONMENT, key=variable), hint=hint)])
