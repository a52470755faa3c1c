"""Programs and settings that building natively leans on."""

from typing import Final

from layerwright.core.errors import EngineError
from layerwright.core.findings import Kind
from layerwright.doctor.accounts import user_name
from layerwright.doctor.foreign import one_line
from layerwright.doctor.machine import Machine
from layerwright.doctor.model import Check, Cure, Needs, Outcome, absent, broken
from layerwright.sandbox.namespace import subordinate_ids

__all__ = ["KINDS", "examine"]

_KEYRING: Final = "/usr/share/keyrings/debian-archive-keyring.gpg"
_ENOUGH_IDS: Final = 65536
_INSTALL_UIDMAP: Final = Cure(text="install it (as root)", command="apt-get install uidmap")

KINDS: Final = (
    Kind(
        code="uv",
        title="uv, which resolves packages",
        why="Locking asks uv for the set of packages; without it nothing can be locked.",
        evidence="`uv --version` of the uv that came with layerwright, else of the one on the path.",
        repair="Install layerwright with its dependencies, or uv itself.",
    ),
    Kind(
        code="git",
        title="git, for packages from repositories",
        why="Packages given by `git` and `rev` are checked out on this machine.",
        evidence="`git` on the path.",
        repair="Install git.",
    ),
    Kind(
        code="mmdebstrap",
        title="mmdebstrap, for bases made of Debian packages",
        why="A base `debian:SUITE` is put together by mmdebstrap.",
        evidence="`mmdebstrap` on the path.",
        repair="Install mmdebstrap, or start from an image.",
    ),
    Kind(
        code="debian-keyring",
        title="Debian's keys",
        why="Package lists are only taken when Debian's archive keys have signed them.",
        evidence=f"`{_KEYRING}`.",
        repair="Install debian-archive-keyring.",
    ),
    Kind(
        code="subordinate-ids",
        title="subordinate ids, for building as an ordinary user",
        why="An image's files belong to many users. An ordinary user may only own files of others in a user namespace "
        "whose ids are mapped by newuidmap and newgidmap from the ranges in /etc/subuid and /etc/subgid.",
        evidence="`newuidmap`, `newgidmap`, `/etc/subuid`, `/etc/subgid`.",
        repair="Install uidmap and add ranges with usermod.",
    ),
)


def examine(machine: Machine, needs: Needs) -> Outcome:
    """Look for the programs."""
    return Outcome(
        checks=(
            _uv(machine, needs),
            _git(machine, needs),
            _mmdebstrap(machine, needs),
            _keyring(machine, needs),
            _subordinate(machine, needs),
        )
    )


def _uv(machine: Machine, needs: Needs) -> Check:
    from layerwright.sources.uv import find_uv  # noqa: PLC0415 - start-up

    needed = needs.wants("build")
    cure = Cure(text="install it", command="pip install uv")
    try:
        program = find_uv(machine.host)
    except EngineError as error:
        return broken("uv", error.what, (cure,), needed=needed)
    done = machine.start([str(program), "--version"])
    if done.status != 0:
        why = one_line(done.error or done.out) or f"status {done.status}"
        return broken("uv", f"{program} does not run: {why}", (cure,), needed=needed)
    return Check(id="uv", status="ok", detail=f"{one_line(done.out)} ({program})")


def _git(machine: Machine, needs: Needs) -> Check:
    program = machine.program("git")
    if program is None:
        cure = Cure(text="install it (as root)", command="apt-get install git")
        return absent("git", "git was not found", cure, needed=needs.git)
    return Check(id="git", status="ok", detail=str(program))


def _mmdebstrap(machine: Machine, needs: Needs) -> Check:
    program = machine.program("mmdebstrap")
    if program is None:
        return absent(
            "mmdebstrap",
            "mmdebstrap was not found; bases debian:SUITE are built with it",
            Cure(text="install it (as root)", command="apt-get install mmdebstrap"),
            Cure(text="or start from an image: a registry, an OCI layout, an engine's"),
            needed=needs.debian,
        )
    return Check(id="mmdebstrap", status="ok", detail=str(program))


def _keyring(machine: Machine, needs: Needs) -> Check:
    if not machine.path(_KEYRING).is_file():
        return absent(
            "debian-keyring",
            f"{_KEYRING} is not there",
            Cure(text="install it (as root)", command="apt-get install debian-archive-keyring"),
            needed=needs.debian,
        )
    return Check(id="debian-keyring", status="ok", detail=_KEYRING)


def _subordinate(machine: Machine, needs: Needs) -> Check:
    identity = "subordinate-ids"
    if machine.host.caller_uid == 0:
        return Check(id=identity, status="not_needed", detail="root needs none")
    missing = [name for name in ("newuidmap", "newgidmap") if machine.program(name) is None]
    names = (user_name(machine), str(machine.host.caller_uid))
    ranges = {
        file: sum(count for _, count in subordinate_ids(machine.read(file), names))
        for file in ("/etc/subuid", "/etc/subgid")
    }
    few = [f"{file} gives {count} ids" for file, count in ranges.items() if count < _ENOUGH_IDS]
    if not missing and not few:
        return Check(id=identity, status="ok", detail=f"{min(ranges.values())} ids, newuidmap and newgidmap")
    add = Cure(
        text="add ranges that nobody else has (as root), then log in again",
        command="usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER",
    )
    lacks = ", ".join([f"{name} was not found" for name in missing] + few)
    return Check(
        id=identity,
        # Wheels, copies and models work with one id.
        status="error" if needs.debian else "warning",
        detail=f"{lacks}: only files of one user can be made, so no Debian bases and few packages",
        fix=((_INSTALL_UIDMAP,) if missing else ()) + ((add,) if few else ()),
    )
