"""Names that mean something else next month: tags, versions, branches, addresses."""

import re
from collections.abc import Iterator
from typing import Final

from layerwright.core.findings import Finding, Kind
from layerwright.lint.dockerfile import split_words
from layerwright.lint.documents import Document, Unit
from layerwright.lint.found import changed, docs, finding, listed
from layerwright.lint.shell import Command, Word
from layerwright.lint.tools import GitClone, Pip, docker_call, download_call, git_clone, pip_install

__all__ = ["KINDS", "find", "is_package"]

TAG = Kind(
    code="LW-LINT-IMAGE-TAG",
    title="an image has no tag, or one that moves",
    why="`latest` is whatever was pushed last: the build changes or breaks on another day, and two people "
    "have two images of one name.",
    evidence="FROM, `docker build --tag` or `docker run` with a name that has no tag, or the tag latest.",
    repair="Name a version, and better its digest; layerwright's lock does both.",
)
DIGEST = Kind(
    code="LW-LINT-IMAGE-DIGEST",
    title="a base image is named by a tag alone",
    why="Tags are pushed again, with security fixes and without notice: the same Dockerfile builds another "
    "image.",
    evidence="FROM of an image with a tag and no digest.",
    repair="`FROM name:tag@sha256:…`; `docker buildx imagetools inspect name:tag` prints the digest.",
)
SYNTAX = Kind(
    code="LW-LINT-SYNTAX-FLOATING",
    title="the Dockerfile's front end is a moving tag",
    why="Each build fetches whatever front end the tag names that day; `experimental` and `master` are no "
    "longer kept.",
    evidence="A `# syntax=` line without a version.",
    repair="`# syntax=docker/dockerfile:1`, or a minor version; or no line at all.",
)
PIP = Kind(
    code="LW-LINT-PIP-UNPINNED",
    title="Python packages are installed without a version",
    why="The newest release of the day is installed, with whatever CUDA, NumPy or Python it now needs.",
    evidence="`pip install` of a name without `==`, or with `--upgrade`, and no constraints file.",
    repair="Pin them, or install from a lock; layerwright.lock pins each wheel by its sha256.",
)
HASHES = Kind(
    code="LW-LINT-PIP-HASHES",
    title="Python packages are installed without hashes",
    why="A version says which file was meant, a hash says which file came: without it an index can serve "
    "another one, and what the named packages need is not pinned at all.",
    evidence="`pip install` of pinned names or of a requirements file, without `--require-hashes`.",
    repair="`pip install --require-hashes --requirement requirements.txt`, written by `uv pip compile "
    "--generate-hashes`; `layerwright export pylock` writes one too.",
)
GIT = Kind(
    code="LW-LINT-GIT-UNPINNED",
    title="a repository is taken at its default branch",
    why="The build gets what was pushed last, and nobody can say afterwards what that was.",
    evidence="`git clone`, `git+https://…` or ADD of a repository without a commit or tag.",
    repair='Name the commit; in a spec, `{ git = "…", rev = "…" }`, and the lock holds the commit.',
)
LATEST = Kind(
    code="LW-LINT-LATEST-DOWNLOAD",
    title="a download's address means the newest version",
    why="The address serves another file after the next release.",
    evidence="An address with latest, newest, nightly, master or main in its path.",
    repair="Name the version's own address, and check its sha256.",
)

KINDS = (TAG, DIGEST, SYNTAX, PIP, HASHES, GIT, LATEST)

_LATEST = re.compile(r"(?i)(?<![a-z])(latest|newest|nightly)(?![a-z])|/(master|main|HEAD)/")
_COMMIT = re.compile(r"[0-9a-f]{7,40}")
_BRANCHES: Final = frozenset(
    {"main", "master", "develop", "dev", "trunk", "HEAD", "stable", "latest", "nightly"}
)
_PINNED_TAG = re.compile(r"(?i).*\d.*")
_FLOATING: Final = frozenset(
    {"latest", "main", "master", "edge", "nightly", "stable", "dev", "devel", "experimental", "labs"}
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[^\]]*\])?")
_TOOLS: Final = frozenset({"pip", "setuptools", "wheel"})


def find(document: Document) -> Iterator[Finding]:
    """What is not pinned."""
    yield from _syntax(document)
    yield from _bases(document)
    yield from _add(document)
    for unit, command in document.commands():
        yield from _docker(command)
        pip = pip_install(command)
        if pip is not None and (unit.built or unit.origin in {"file", "start"}):
            yield from _pip(unit, pip)
        clone = git_clone(command)
        if clone is not None:
            yield from _clone(unit, clone)
        download = download_call(command)
        if download is not None:
            yield from _latest(command, download.urls)


def _syntax(document: Document) -> Iterator[Finding]:
    if document.dockerfile is None or "syntax" not in document.dockerfile.directives:
        return
    value, start = document.dockerfile.directives["syntax"]
    name, _, tag = value.partition("@")[0].partition(":")
    if "@" in value or (tag and tag not in _FLOATING and tag.partition("-")[0] not in _FLOATING):
        return
    shown = f"the tag {tag}" if tag else "no tag"
    yield finding(
        SYNTAX,
        "warning",
        f"the front end {name} is named with {shown}: each build may be read by another one",
        document.source.location(start),
        fix="name its stable version",
        edit="# syntax=docker/dockerfile:1",
        evidence=[
            docs(
                "docker/dockerfile:1 is kept up to date with stable releases",
                "docs.docker.com/build/buildkit/frontend",
            )
        ],
    )


def _bases(document: Document) -> Iterator[Finding]:
    seen: set[str] = set()
    for stage in document.stages:
        text = stage.base.text
        if (
            stage.parent >= 0
            or not text
            or text == "scratch"
            or stage.base.unknown
            or stage.index not in document.needed
        ):
            continue
        if text in seen or "@sha256:" in text:
            continue
        seen.add(text)
        word = next(iter(split_words(stage.begin.rest.text)), (0, 0))
        where = stage.begin.rest.location(word[0])
        tag = text.rpartition("/")[2].partition(":")[2]
        if not tag or tag == "latest":
            name = text.removesuffix(":latest")
            yield finding(
                TAG,
                "warning",
                f"{text} is whatever was pushed last: it has {'the tag latest' if tag else 'no tag'}",
                where,
                fix="name a version",
                edit=stage.begin.rest.edited(*word, f"{name}:VERSION"),
            )
        else:
            yield finding(
                DIGEST,
                "note",
                f"{text} is named by its tag alone, which can be pushed again",
                where,
                fix="add the digest",
                edit=stage.begin.rest.edited(*word, f"{text}@sha256:DIGEST"),
                command=f"docker buildx imagetools inspect {text}",
            )


def _add(document: Document) -> Iterator[Finding]:
    for _, instruction, _ in document.each("ADD"):
        for start, stop in split_words(instruction.rest.text):
            url = instruction.rest.text[start:stop]
            if not re.match(r"(https?://|git@).*\.git(#.*)?$", url):
                continue
            revision = url.partition("#")[2].partition(":")[0]
            if not _is_pinned(revision):
                yield finding(
                    GIT,
                    "warning",
                    f"ADD takes {url} at {revision or 'its default branch'}",
                    instruction.rest.location(start),
                    fix="name the commit",
                    edit=instruction.rest.edited(start, stop, f"{url.partition('#')[0]}#COMMIT"),
                )


def _is_pinned(revision: str) -> bool:
    return (
        bool(revision)
        and revision not in _BRANCHES
        and bool(_COMMIT.fullmatch(revision) or _PINNED_TAG.fullmatch(revision) or "$" in revision)
    )


def _docker(command: Command) -> Iterator[Finding]:
    docker = docker_call(command)
    if docker is None:
        return
    words: list[Word] = []
    if docker.verb in {"build", "bud"}:
        words = [option.value_word for option in docker.parsed.every("-t", "--tag") if option.value_word]
    elif docker.verb in {"run", "create", "pull", "push"} and docker.operands:
        words = [docker.operands[0]]
    for word in words:
        name = word.text.partition("=")[2] if word.text.startswith("--tag=") else word.text
        if "@" in name or "$" in name or not re.fullmatch(r"[a-z0-9][\w./:-]*", name):
            continue
        tag = name.rpartition("/")[2].partition(":")[2]
        if tag and tag != "latest":
            continue
        built = docker.verb in {"build", "bud"}
        why = (
            "every build takes the name away from the last one" if built else "it is whatever was pushed last"
        )
        yield finding(
            TAG,
            "warning" if built else "note",
            f"the image {name} has {'the tag latest' if tag else 'no tag, so it is latest'}: {why}",
            command.location(word),
            fix="name a version",
            edit=changed(command, word, word.text.removesuffix(":latest") + ":VERSION"),
        )


def is_package(word: Word) -> bool:
    """A requirement that an index meets: not a folder, file or address."""
    text = word.text
    return not (
        text.startswith((".", "/", "$", "~", "git+", "http://", "https://", "file:"))
        or "/" in text.partition("[")[0].partition("@")[0].partition(";")[0]
        or text.endswith((".whl", ".tar.gz", ".zip", ".txt"))
        or "://" in text
    )


def _pip(unit: Unit, pip: Pip) -> Iterator[Finding]:
    constrained = pip.parsed.has("-c", "--constraint", "--override", "--require-hashes") or (
        unit.state is not None and bool({"PIP_CONSTRAINT", "PIP_REQUIRE_HASHES"} & set(unit.state.variables))
    )
    packages = [word for word in pip.requirements if is_package(word) and _NAME.match(word.text)]
    loose = [word for word in packages if not re.search(r"===?[^*]*$|@", word.text) and word.literal]
    upgrade = pip.parsed.first("-U", "--upgrade")
    where = pip.command.location(loose[0] if loose else None)
    yield from _from_git(pip)
    if loose and not constrained:
        names = [word.text for word in loose]
        tools = {re.split(r"[\[<>=!~ ;]", name)[0].lower() for name in names} <= _TOOLS
        also = " (and --upgrade takes the newest)" if upgrade is not None else ""
        yield finding(
            PIP,
            "note" if tools else "warning",
            f"{listed(names)} {'has' if len(names) == 1 else 'have'} no fixed version{also}",
            where,
            fix="pin each one, or install from a file that a lock wrote",
            edit=pip.command.piece.edited_all(
                (
                    word.start,
                    _end(pip.command, word),
                    f"{_quoted(re.split(r'[<>=!~ ;]', word.text)[0])}==VERSION",
                )
                for word in loose
            ),
        )
        return
    files = list(pip.parsed.every("-r", "--requirement"))
    hashed = pip.parsed.has("--require-hashes") or "--hash=" in pip.command.piece.text
    if (
        (files or packages)
        and not hashed
        and not (unit.state and "PIP_REQUIRE_HASHES" in unit.state.variables)
    ):
        word = files[0].word if files else packages[0]
        verb = next((one for one in pip.command.arguments if one.text == pip.verb), pip.command.words[0])
        what = f"{files[0].value}" if files else listed(one.text for one in packages)
        yield finding(
            HASHES,
            "note",
            f"{what}: installed without hashes, and what it needs is not pinned",
            pip.command.location(word),
            fix="install from a file with hashes",
            edit=changed(pip.command, verb, f"{pip.verb} --require-hashes")
            if files
            else changed(pip.command, packages[0], "--require-hashes --requirement requirements.txt"),
            command="uv pip compile --generate-hashes requirements.in --output-file requirements.txt",
        )


def _end(command: Command, word: Word) -> int:
    """Where a requirement ends, with what the shell takes for a redirection."""
    return next((one.stop for one in command.redirects if one.start == word.stop), word.stop)


def _quoted(text: str) -> str:
    return f"'{text}'" if re.search(r"[\[\]<>*?]", text) else text


def _from_git(pip: Pip) -> Iterator[Finding]:
    words = [
        *pip.requirements,
        *(option.value_word for option in pip.parsed.every("-e", "--editable") if option.value_word),
    ]
    for word in words:
        found = re.search(r"git\+[a-z]+://[^\s#]+", word.text)
        if found is None:
            continue
        path = found[0].partition("://")[2].partition("/")[2]
        revision = path.partition("@")[2]
        if not _is_pinned(revision):
            new = word.raw.replace(
                found[0], f"{found[0].removesuffix('@' + revision) if revision else found[0]}@COMMIT", 1
            )
            yield finding(
                GIT,
                "warning",
                f"pip takes {found[0]} at {revision or 'its default branch'}",
                pip.command.location(word),
                fix="name the commit",
                edit=changed(pip.command, word, new),
            )


def _clone(unit: Unit, clone: GitClone) -> Iterator[Finding]:
    if clone.branch and (_is_pinned(clone.branch) or clone.branch.startswith("$")):
        return
    for command in unit.commands:
        if command.program == "git" and command.start > clone.command.start:
            texts = [text for text in command.texts if not text.startswith("-")]
            verbs = {"checkout", "reset", "switch", "fetch"}
            if verbs & set(texts) and any(_is_pinned(text) and text not in verbs for text in texts):
                return
    shown = f"its branch {clone.branch}" if clone.branch else "its default branch"
    yield finding(
        GIT,
        "warning",
        f"{clone.url.text} is taken at {shown}, which moves",
        clone.command.location(clone.url),
        fix="check out the commit that was tried",
        edit=clone.command.piece.edited(
            clone.command.stop, clone.command.stop, f" && git -C {clone.folder} checkout --detach COMMIT"
        ),
    )


def _latest(command: Command, urls: tuple[Word, ...]) -> Iterator[Finding]:
    for word in urls:
        path = word.text.partition("://")[2].partition("/")[2]
        found = _LATEST.search("/" + path)
        if found:
            yield finding(
                LATEST,
                "warning",
                f"{word.text[:120]} is another file after the next release",
                command.location(word),
                fix="name the version's own address",
                edit=changed(
                    command,
                    word,
                    re.sub(
                        _LATEST, lambda one: one[0].replace(one[1] or one[2], "VERSION"), word.raw, count=1
                    ),
                ),
            )
