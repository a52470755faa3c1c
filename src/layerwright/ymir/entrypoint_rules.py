"""How an executor's image starts, and how it answers when the platform reads its files. Pure."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from layerwright.core.findings import Finding, Level
from layerwright.core.text import visible
from layerwright.ymir import image_kinds as kinds
from layerwright.ymir.image_case import Case, Start, shown_lines

__all__ = ["COMMAND_KEY", "ENTRYPOINT_KEY", "check_answers", "check_start"]

ENTRYPOINT_KEY: Final = "entrypoint"
COMMAND_KEY: Final = "command"
"""What findings about the image's config say that they are about; their path is empty, or the script's."""

_QUIET: Final = frozenset({"entry", "tini", "dumb-init", "catatonit", "env", "nice", "setpriv"})
"""Programs that run what follows and print nothing."""

_INTERPRETERS: Final = ("python", "bash", "sh", "dash", "zsh", "node", "perl", "ruby", "java")
_SHELLS: Final = frozenset({"sh", "bash", "dash", "zsh"})
_VENDOR: Final = "nvidia_entrypoint.sh"

_SILENT_BASES: Final = re.compile(
    r"(?:docker\.io/)?(?:library/)?(?:debian|ubuntu|python|alpine|fedora|rockylinux|almalinux)(?:[:@].*)?|scratch"
)
"""Docker's official images without an entrypoint. Source: their Dockerfiles, github.com/docker-library."""

_NVIDIA_BASES: Final = re.compile(r"nvcr\.io/nvidia/|(?:docker\.io/)?nvidia/(?:cuda|cudagl)[:@]")
"""Source: gitlab.com/nvidia/container-images/cuda, ``entrypoint.d``."""


def check_start(case: Case) -> Iterator[Finding]:
    """Judge entrypoint, command and the script that it names."""
    start = case.view.start
    if start is None:
        return
    yield from _entrypoint(case, start)
    if not start.command and not start.entrypoint and not start.inherits:
        yield case.finding(
            kinds.COMMAND,
            "error",
            "the image has neither entrypoint nor command, and the platform gives none: nothing would run",
            "",
            key=COMMAND_KEY,
            fix='CMD ["bash", "/usr/bin/start.sh"]; in layerwright.toml role = "executor" sets it',
        )
    elif start.inherits and not start.command:
        yield case.finding(
            kinds.COMMAND,
            "warning",
            f"nothing says what to run, so that the command of {visible(start.inherits)[:120]} does",
            "",
            key=COMMAND_KEY,
            fix='CMD ["bash", "/usr/bin/start.sh"]',
        )
    elif start.script and start.script_state == "absent":
        yield case.finding(
            kinds.COMMAND,
            "error",
            f"the image runs {_words(start.command)}, and there is no {start.script}",
            start.script,
            key=COMMAND_KEY,
            fix=f"copy the program that starts the executor to {start.script}",
        )
    if start.closed:
        yield case.finding(
            kinds.READABLE,
            "error",
            f"others may not read {start.closed}, and the platform starts containers with a user of its own",
            start.closed,
            fix="chmod a+rX",
        )


def _entrypoint(case: Case, start: Start) -> Iterator[Finding]:
    """Judge the entrypoint by its words, where it was not asked."""
    if case.view.answers is not None:
        return
    fix = "ENTRYPOINT []; in layerwright.toml leave `entrypoint` and `entry_program` out"
    level, what = _inherited(start.inherits) if start.inherits else _by_words(start.entrypoint)
    if level == "unknown":
        fix = "look with an engine: layerwright executor lint docker:NAME"
    if what:
        yield case.finding(kinds.ENTRYPOINT, level, what, "", key=ENTRYPOINT_KEY, fix=fix)


def _inherited(base: str) -> tuple[Level, str]:
    """What is known of the entrypoint of a base, by its name."""
    if _SILENT_BASES.fullmatch(base):
        return "note", ""
    if _NVIDIA_BASES.match(base):
        return (
            "warning",
            f"the entrypoint is that of {visible(base)[:120]}; most of NVIDIA's print a banner before what they run",
        )
    return (
        "unknown",
        f"whether the entrypoint of {visible(base)[:120]} prints something of its own is not known",
    )


def _by_words(entrypoint: Sequence[str]) -> tuple[Level, str]:
    words = _words(entrypoint)
    names = [word.rpartition("/")[2] for word in entrypoint if not word.startswith("-")]
    first, last = names[0] if names else "", names[-1] if names else ""
    if all(name in _QUIET for name in names):
        return "note", ""
    shell = first in _SHELLS and any(re.fullmatch("-[a-z]*c[a-z]*", word) for word in entrypoint)
    if shell and not any("$@" in word or "$*" in word for word in entrypoint):
        return "error", f"the entrypoint is {words}: a shell's command takes no `cat FILE`"
    if _VENDOR in names:
        return "error", f"the entrypoint is {words}, which prints a banner before what `cat` prints"
    if not shell and (last.rstrip("0123456789.") in _INTERPRETERS or last.endswith((".py", ".jar", ".js"))):
        return (
            "error",
            f"the entrypoint is {words}, which does not run `cat FILE` but reads it as its own arguments",
        )
    return (
        "unknown",
        f"whether the entrypoint {words} runs `cat FILE` and prints nothing of its own is not known",
    )


def check_answers(case: Case) -> Iterator[Finding]:
    """Compare what the entrypoint let through with the files themselves."""
    files = case.view.files
    banners = dict[bytes, list[str]]()
    for path, answer in (case.view.answers or {}).items():
        told = answer.stderr.decode(errors="replace").strip().splitlines()
        if answer.exit_code == 0:
            content = files.get(path, b"")
            if answer.stdout != content:
                said = answer.stdout.removesuffix(content) if content else answer.stdout
                banners.setdefault(said, []).append(path)
            continue
        taken = case.seen(path).state == "mapping"
        if path not in files and not taken:
            continue  # cat found no file, and nothing looks like one
        fix = 'let the entrypoint run its arguments: exec "$@" at its end, or ENTRYPOINT []'
        ended = f"`cat {path}` through the entrypoint ended with {answer.exit_code}"
        if taken:
            what = f"{ended}, and the platform takes the text of the error for the file"
            yield case.finding(kinds.STANDARD_ERROR, "error", what, path, fix=fix, evidence=shown_lines(told))
        else:
            what = f"{ended}, so that the platform does not see the file"
            yield case.finding(kinds.ENTRYPOINT, "error", what, path, fix=fix, evidence=shown_lines(told))
    for said, paths in banners.items():
        yield _banner(case, said, paths)


def _banner(case: Case, said: bytes, paths: Sequence[str]) -> Finding:
    """Text of the entrypoint's own, with the files that it stands before."""
    first = paths[0]
    content = case.view.files.get(first)
    more = len(paths) - 1
    named = f"{first} and {more} more file{'' if more == 1 else 's'}" if more else first
    if content is None:
        what = (
            f"the entrypoint answers `cat {first}` with {len(said)} bytes of its own: there is no such file"
        )
    elif said != (case.view.answers or {})[first].stdout:
        what = f"{len(said)} bytes come before {named} when read through the entrypoint"
    else:
        what = f"`cat {first}` through the entrypoint gives other bytes than the file has"
    seen = case.seen(first)
    if seen.state == "mapping":
        own = case.document(first).values
        taken = [visible(str(key))[:50] for key in seen.values if key not in own]
        what += f", and the platform takes them for parameters: {', '.join(taken[:6])}" if taken else ""
    else:
        what += ", so that the platform does not see the file"
    lines = said.decode(errors="replace").strip().splitlines()
    fix = "end with an entrypoint that prints nothing: ENTRYPOINT []"
    return case.finding(kinds.BANNER, "error", what, first, fix=fix, evidence=shown_lines(lines))


def _words(argv: Sequence[str]) -> str:
    return visible(" ".join(argv))[:80]
