"""apt in builds."""

import re
from collections.abc import Iterator

from layerwright.core.findings import Finding, Kind
from layerwright.lint.documents import Document, Unit
from layerwright.lint.found import changed, docs, finding, listed
from layerwright.lint.shell import Command
from layerwright.lint.tools import Apt, apt_call

__all__ = ["KINDS", "find"]

YES = Kind(
    code="LW-LINT-APT-YES",
    title="apt-get asks a question that nobody can answer",
    why="There is no terminal while an image is built: the question is answered with no, and the build "
    "fails.",
    evidence="`apt-get install` and its like without `--yes`.",
    repair="`apt-get install --yes`.",
)
RECOMMENDS = Kind(
    code="LW-LINT-APT-RECOMMENDS",
    title="recommended packages come along",
    why="They make the image larger, often by hundreds of megabytes, and nobody asked for them.",
    evidence="`apt-get install` without `--no-install-recommends`.",
    repair="Add it, and name what is really needed.",
)
LISTS = Kind(
    code="LW-LINT-APT-LISTS",
    title="apt's package lists stay in a layer",
    why="About 40 MB that are stale as soon as they are there.",
    evidence="`apt-get update` in a RUN that does not remove /var/lib/apt/lists, without a cache mount.",
    repair="`rm -rf /var/lib/apt/lists/*` at the end of the same RUN.",
)
APART = Kind(
    code="LW-LINT-APT-UPDATE-APART",
    title="apt's lists and the installation are in different steps",
    why="The step with the update comes from the cache, weeks old, and the installation asks for versions "
    "that the mirror no longer has; or it installs old ones.",
    evidence="`apt-get install` in a RUN without `apt-get update`, or the other way round.",
    repair="`apt-get update && apt-get install …` in one RUN.",
)
UPGRADE = Kind(
    code="LW-LINT-APT-UPGRADE",
    title="the base's packages are upgraded",
    why="Every build gives other versions; with NVIDIA's images, CUDA and cuDNN may move away from what "
    "the tag says.",
    evidence="`apt-get upgrade`, `dist-upgrade` or `full-upgrade`.",
    repair="Take a newer base, named by its digest.",
)
UNPINNED = Kind(
    code="LW-LINT-APT-UNPINNED",
    title="Debian packages are installed without a version",
    why="The same Dockerfile gives other versions later.",
    evidence="`apt-get install` of names without `=version`, from sources that are no snapshot.",
    repair="`name=version`, or a snapshot of the archive (snapshot.debian.org); layerwright.lock holds "
    "version and sha256.",
)
APT = Kind(
    code="LW-LINT-APT-FRONT-END",
    title="apt is meant for people",
    why="Its options and output may change between releases, and it says so in every build's log.",
    evidence="`apt` in place of `apt-get`.",
    repair="`apt-get`.",
)

KINDS = (YES, RECOMMENDS, LISTS, APART, UPGRADE, UNPINNED, APT)

_INSTALLS = frozenset(
    {"install", "upgrade", "dist-upgrade", "full-upgrade", "remove", "purge", "autoremove", "build-dep"}
)
_UPGRADES = frozenset({"upgrade", "dist-upgrade", "full-upgrade", "safe-upgrade"})
_MANUAL = docs("apt's command line is not stable between versions", "manpages.debian.org/apt, SCRIPT USAGE")


def find(document: Document) -> Iterator[Finding]:
    """Faults of apt's calls."""
    for unit in document.units:
        calls = [found for command in unit.commands if (found := apt_call(command)) is not None]
        yield from _front_end(calls)
        for call in calls:
            yield from _call(unit, call)
        if unit.built and calls:
            yield from _step(unit, calls)


def _front_end(calls: list[Apt]) -> Iterator[Finding]:
    """Once for all calls of a step."""
    words = [
        (call.command, word)
        for call in calls
        if call.command.program == "apt"
        for word in call.command.words
        if word.text.rpartition("/")[2] == "apt"
    ]
    if not words:
        return
    first = words[0][0]
    same = [(word.start, word.stop, "apt-get") for command, word in words if command.piece is first.piece]
    yield finding(
        APT,
        "note",
        "apt is for people; its command line may change",
        first.location(words[0][1]),
        fix="use apt-get",
        edit=first.piece.edited_all(same),
        evidence=[_MANUAL],
    )


def _call(unit: Unit, call: Apt) -> Iterator[Finding]:
    command = call.command
    if not (unit.built or unit.origin in {"file", "start"}):
        return
    if call.verb in _UPGRADES:
        yield finding(
            UPGRADE,
            "warning",
            f"{command.program} {call.verb} gives other versions with every build",
            command.location(call.verb_word),
            fix="remove it, and take a newer base",
            edit=_without_command(unit, command),
        )
    if call.verb in _INSTALLS and unit.built and not _answers(call, unit):
        yield finding(
            YES,
            "error",
            f"{command.program} {call.verb} asks for confirmation, and a build has nobody to give it",
            command.location(call.verb_word),
            fix="answer yes in advance",
            edit=changed(command, call.verb_word, f"{call.verb} --yes"),
        )
    if call.verb == "install" and unit.built:
        yield from _install(unit, call)


def _without_command(unit: Unit, command: Command) -> str:
    """The lines without the command and the ``&&`` that joins it."""
    following, before = unit.script.next_to(command), unit.script.next_to(command, -1)
    if command.after == "&&" and following is not None:
        return command.piece.edited(command.start, following.start, "")
    if command.before == "&&" and before is not None:
        return command.piece.edited(before.stop, command.stop, "")
    return command.piece.edited(command.start, command.stop, "true")


def _answers(call: Apt, unit: Unit) -> bool:
    if call.parsed.has(
        "-y", "--yes", "--assume-yes", "--force-yes", "--assume-no", "-s", "--dry-run", "--simulate"
    ):
        return True
    quiet = sum(option.name in {"-q", "--quiet"} for option in call.parsed.options)
    # man apt-get: "Note that quiet level 2 implies -y".
    if quiet > 1 or any("-qq" in option.word.text or option.value == "2" for option in call.parsed.options):
        return True
    settings = " ".join(option.value for option in call.parsed.every("-o", "--option"))
    return "Assume-Yes" in settings or unit.script.mentions("Assume-Yes") or call.command.before == "|"


def _install(unit: Unit, call: Apt) -> Iterator[Finding]:
    command = call.command
    settings = " ".join(option.value for option in call.parsed.every("-o", "--option"))
    if (
        not call.parsed.has("--no-install-recommends")
        and "Install-Recommends" not in settings
        and not unit.script.mentions("Install-Recommends")
    ):
        yield finding(
            RECOMMENDS,
            "note",
            f"{command.program} install brings recommended packages along",
            command.location(call.verb_word),
            fix="leave them out",
            edit=changed(command, call.verb_word, f"{call.verb} --no-install-recommends"),
        )
    loose = [
        word
        for word in call.packages
        if "=" not in word.text and word.literal and not word.text.startswith(("/", "."))
    ]
    if loose and not unit.script.mentions("snapshot"):
        yield finding(
            UNPINNED,
            "note",
            f"{listed(word.text for word in loose)} {'has' if len(loose) == 1 else 'have'} no fixed version",
            command.location(loose[0]),
            fix="name the versions, or install from a snapshot of the archive",
            edit=command.piece.edited_all((word.start, word.stop, f"{word.text}=VERSION") for word in loose),
        )


def _step(unit: Unit, calls: list[Apt]) -> Iterator[Finding]:
    instruction = unit.instruction
    if instruction is None:
        return
    mounts = " ".join(flag.value for flag in instruction.flags if flag.name == "mount")
    text = unit.script.text
    update = next((call for call in calls if call.verb == "update"), None)
    install = next((call for call in calls if call.verb == "install"), None)
    names = (
        [word.text for word in install.packages if not word.text.startswith(("/", "."))] if install else []
    )
    if update is None and install is not None and names and "/var/lib/apt" not in mounts:
        yield finding(
            APART,
            "warning",
            "packages are installed by the lists of an earlier step, which may be old or gone",
            install.command.location(),
            fix="update the lists in the same RUN",
            edit=install.command.piece.edited(
                install.command.start, install.command.start, "apt-get update && "
            ),
        )
    if update is not None and install is None and "/var/lib/apt" not in mounts:
        yield finding(
            APART,
            "warning",
            "the lists are fetched in a step of their own, whose cached result grows old",
            update.command.location(),
            fix="put it into the RUN that installs",
            edit=update.command.piece.edited(
                update.command.stop, update.command.stop, " && apt-get install --yes …"
            ),
        )
    if (
        update is not None
        and "/var/lib/apt" not in mounts
        and not re.search(r"/var/lib/apt/lists|apt-get dist?clean|apt-get distclean", text)
    ):
        last = unit.commands[-1]
        yield finding(
            LISTS,
            "note",
            "apt's package lists stay in this layer",
            update.command.location(),
            fix="remove them at the end of the same RUN",
            edit=last.piece.edited(last.stop, last.stop, " && rm -rf /var/lib/apt/lists/*"),
            at=last.piece.location(max(last.stop - 1, 0)),
        )
