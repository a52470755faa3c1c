"""Files that are fetched and used as they come."""

import re
from collections.abc import Iterator

from layerwright.core.findings import Finding, Kind
from layerwright.lint.dockerfile import split_words
from layerwright.lint.documents import Document, Unit
from layerwright.lint.found import changed, finding
from layerwright.lint.rules.transport import LOCAL
from layerwright.lint.shell import Command
from layerwright.lint.tools import Download, docker_call, download_call

__all__ = ["KINDS", "find"]

HTTP = Kind(
    code="LW-LINT-HTTP-DOWNLOAD",
    title="a file is fetched over plain http and not checked",
    why="Whoever sits between decides what the build installs.",
    evidence="curl, wget or ADD of an http:// address without a digest that is checked.",
    repair="Use https, and compare the file's sha256 before it is used.",
)

UNVERIFIED = Kind(
    code="LW-LINT-UNVERIFIED-DOWNLOAD",
    title="a file is fetched and used without a digest",
    why="What the address serves can change: the same Dockerfile then builds something else, and nobody is "
    "told.",
    evidence="curl, wget or ADD of a file, and no sha256sum, gpg or `--checksum` in the same step.",
    repair='Check it: `echo "SHA256  FILE" | sha256sum --check`; ADD has `--checksum=sha256:…`; a spec\'s '
    "`models` have `sha256`.",
)

PIPE = Kind(
    code="LW-LINT-PIPE-TO-SHELL",
    title="a download is run as it comes",
    why="Nobody sees what ran, a cut connection runs half a script, and the next build may run another one.",
    evidence="curl or wget piped into a shell or an interpreter.",
    repair="Fetch it to a file, check its sha256, then run it.",
)

KINDS = (HTTP, UNVERIFIED, PIPE)

_CHECKS = r"\b(sha(1|224|256|384|512)sum|shasum|md5sum|gpg|gpgv|cosign|minisign|openssl\s+dgst|b2sum)\b"

_INTERPRETERS = re.compile(r"(ba|da|z|a)?sh|python[23]?(\.\d+)?|perl|node|ruby")


def find(document: Document) -> Iterator[Finding]:
    """Downloads that nobody checks."""
    yield from _add(document)
    for unit, command in document.commands():
        download = download_call(command)
        if download is not None:
            yield from _download(unit, download)


def _download(unit: Unit, download: Download) -> Iterator[Finding]:
    command = download.command
    url = download.urls[0]
    plain = "http://" in url.text and not LOCAL.search(url.text)
    insecure = download.parsed.has("-k", "--insecure", "--no-check-certificate")
    following = _pipe(unit, command)
    shell = next((one for one in following if _INTERPRETERS.fullmatch(one.program)), None)
    if shell is not None:
        yield finding(
            PIPE,
            "error" if plain or insecure else "warning",
            f"{shell.program} runs what {_host(url.text)} serves, unseen and unchecked",
            command.location(),
            fix="fetch it to a file, check its sha256, then run the file",
            edit=_fetched(
                command, max([command.stop, *(one.stop for one in following)]), url.raw, shell.program
            ),
        )
        return
    if unit.script.mentions(_CHECKS) or not (download.output or following):
        return
    if any(one.program in {"jq", "grep", "cut", "head", "sed", "awk"} for one in following[:1]):
        return  # an answer that is read, not installed
    if docker_call(command) is not None or unit.origin == "start":
        return
    output = download.output or url.text.partition("?")[0].rstrip("/").rpartition("/")[2]
    output = "FILE" if not output or ("://" not in url.text and output in url.text) else output
    what = f"what {url.text} names" if "://" not in url.text else f"{url.text[:120]}"
    check = f'&& echo "SHA256  {output}" | sha256sum --check'
    if plain:
        yield finding(
            HTTP,
            "error",
            f"{what} is fetched over plain http and never checked",
            command.location(url),
            fix="use https, and check the file's sha256 before it is used",
            edit=changed(command, url, url.raw.replace("http://", "https://", 1)) + f" {check}",
        )
    elif unit.built:
        yield finding(
            UNVERIFIED,
            "warning",
            f"{what} is fetched without a digest",
            command.location(url),
            fix="check its sha256 before it is used",
            edit=command.piece.edited(command.stop, command.stop, f" {check}"),
        )


def _pipe(unit: Unit, command: Command) -> list[Command]:
    found = unit.script.behind_pipe(command)
    if not found and command.substitution:
        # sh -c "$(curl …)" and bash <(curl …)
        before = unit.script.next_to(command, -1)
        if before is not None and before.start < command.start and before.stop >= command.stop:
            found = [before] if _INTERPRETERS.fullmatch(before.program) else []
    return found


def _host(url: str) -> str:
    found = re.search(r"://([^/\s]+)", url)
    return found[1].rpartition("@")[2] if found else url


def _fetched(command: Command, stop: int, url: str, shell: str) -> str:
    tool = "curl -fsSL -o /tmp/install" if command.program == "curl" else "wget -qO /tmp/install"
    new = f'{tool} {url} && echo "SHA256  /tmp/install" | sha256sum --check && {shell} /tmp/install'
    return command.piece.edited(command.start, stop, new)


def _add(document: Document) -> Iterator[Finding]:
    for _, instruction, _ in document.each("ADD"):
        for start, stop in split_words(instruction.rest.text):
            url = instruction.rest.text[start:stop].strip("[],\"'")
            if (
                not re.match(r"https?://", url)
                or re.search(r"\.git(#|$)", url)
                or instruction.value("checksum")
            ):
                continue
            where = instruction.rest.location(start)
            plain = url.startswith("http://")
            edit = instruction.rest.edited(
                0, stop, f"--checksum=sha256:SHA256 {instruction.rest.text[:stop]}"
            )
            yield finding(
                HTTP if plain else UNVERIFIED,
                "error" if plain else "warning",
                f"ADD fetches {url[:120]} without a digest",
                where,
                fix="name its digest; ADD refuses the file then when it changes",
                edit=edit.replace("http://", "https://", 1) if plain else edit,
            )
