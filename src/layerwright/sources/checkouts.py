"""A folder that the user has cloned already: whether it is what the lock says, without writing to it."""

from pathlib import Path

from layerwright.core.errors import UsageError
from layerwright.core.source import Location
from layerwright.host.environment import HostEnvironment
from layerwright.host.process import ProcessError, quote
from layerwright.plan.steps import CopySource
from layerwright.sources.trees import Git

__all__ = ["check_checkout"]

_MOST_SHOWN = 3
_STATES = {"?": "untracked", "D": "deleted", "A": "added", "U": "unmerged", "R": "renamed"}


def check_checkout(step: CopySource, folder: Path, *, host: HostEnvironment, where: Location | None) -> None:
    """Refuse a checkout that is at another commit, or changed; its submodules count when they are locked.

    Args:
        step: what it must be.
        folder: the checkout, which is only read.
        host: the caller's surroundings.
        where: the key that names it.

    Raises:
        UsageError: it is not what the lock says; with the command that mends it.
    """
    git = Git(host=host, local=True)
    shown = step.checkout
    update = f"{quote(['git', '-C', shown])} submodule update --init --recursive" if step.submodules else ""
    for path, commit in (("", step.commit), *((one.path, one.commit) for one in step.submodules)):
        place, name = folder / path, f"{shown.rstrip('/')}/{path}" if path else shown
        if not (place / ".git").exists():
            raise UsageError(
                f"{step.name}: the submodule {path} of the checkout {shown} is not there",
                where=where,
                hint=update,
            )
        try:
            found = git.ask(place, "rev-parse", "--verify", "HEAD^{commit}").strip()
            changes = git.ask(
                place, "status", "--porcelain=v1", "-z", "--untracked-files=all", "--ignore-submodules=all"
            )
        except ProcessError as error:
            raise UsageError(
                f"{step.name}: git cannot read the checkout {name}\n{error.output}",
                where=where,
                hint="mend it, or remove `checkout`: then it is fetched",
            ) from error
        if found != commit:
            wanted = f"{step.rev} ({commit[:12]})" if not path else commit[:12]
            go = f"{quote(['git', '-C', shown, 'checkout', step.rev])}"
            mend = update if path else f"{go} && {update}" if update else go
            raise UsageError(
                f"{step.name}: the checkout {name} is at {found[:12]}, and the lock has {wanted}",
                where=where,
                hint=f"{mend}; or remove `checkout`: then it is fetched",
            )
        if changes:
            aside = quote(["git", "-C", name, "stash", "--include-untracked"])
            raise UsageError(
                f"{step.name}: the checkout {name} has changes that are in no commit: {_listed(changes)}",
                where=where,
                hint=f"{aside} keeps them aside; to have them in the image, take the folder by `copy` instead",
            )


def _listed(changes: str) -> str:
    records = [record for record in changes.split("\0") if len(record) > len("XY ") and record[2] == " "]
    told = [
        f"{record[3:]} ({next((_STATES[sign] for sign in record[:2] if sign in _STATES), 'modified')})"
        for record in records[:_MOST_SHOWN]
    ]
    more = len(records) - len(told)
    return ", ".join(told) + (f" and {more} more" if more > 0 else "")
