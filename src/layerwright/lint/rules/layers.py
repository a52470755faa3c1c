"""What stays in the layers, and what the build is sent."""

import re
from collections.abc import Iterator
from posixpath import join, normpath

from layerwright.core.findings import Finding, Kind
from layerwright.lint.dockerfile import Instruction, Stage, expand, split_words
from layerwright.lint.documents import Document, Unit
from layerwright.lint.found import docs, finding, without
from layerwright.lint.tools import docker_call, download_call, git_clone

__all__ = ["KINDS", "find"]

DELETED = Kind(
    code="LW-LINT-DELETED-LATER",
    title="a file is deleted in another layer than it was made in",
    why="A layer cannot take bytes out of the one below: the image is as large as before, and whoever has "
    "it can read the file.",
    evidence="rm of a path that an earlier COPY, ADD or RUN of the same image made.",
    repair="Build in a stage of its own and copy the result, or mount the source: `RUN "
    "--mount=type=bind,target=/src …`.",
)
CLONE = Kind(
    code="LW-LINT-CLONE-KEPT",
    title="a repository stays in the image",
    why="Sources and history are in a layer for ever, though only the installed package is needed.",
    evidence="`git clone` in a RUN of the image that does not remove the folder.",
    repair="Install from the address (`pip install git+https://…@COMMIT`), or clone in a stage of its own.",
)
ARCHIVE = Kind(
    code="LW-LINT-ARCHIVE-KEPT",
    title="a downloaded archive stays in the image",
    why="It is in the image twice: packed and unpacked.",
    evidence="curl, wget or ADD of an archive in a step that does not remove it.",
    repair="Remove it in the same RUN, or fetch it in a stage of its own.",
)
IGNORE = Kind(
    code="LW-LINT-NO-DOCKERIGNORE",
    title="the whole folder is sent to the build",
    why="Repository, data sets and files with secrets go to the daemon, and with `COPY .` into the image; "
    "every change of any file rebuilds the step.",
    evidence="COPY or ADD of the whole context, and no .dockerignore.",
    repair="A .dockerignore that begins with `*` and names what is needed with `!`; `layerwright` sends no "
    "context.",
)
NO_CACHE = Kind(
    code="LW-LINT-NO-CACHE",
    title="every build starts from nothing",
    why="Each change costs the whole build, so people stop rebuilding.",
    evidence="`--no-cache` in a build script.",
    repair="Pin what is installed, so that the cache is right, and leave it out.",
)

KINDS = (DELETED, CLONE, ARCHIVE, IGNORE, NO_CACHE)

_ARCHIVES = re.compile(
    r".+\.(tar(\.\w+)?|tgz|tbz2|txz|zip|whl|deb|run|rpm|7z|gz|xz|bz2)|.+(installer|Miniconda|Miniforge|Anaconda).*\.sh"
)
_LAYERS = docs(
    "deleting a file hides it; the lower layer keeps it", "docs.docker.com/build/building/best-practices"
)


class _Made:
    """A path of the image and the step that made it."""

    def __init__(self, path: str, keyword: str, line: int, *, heavy: bool) -> None:
        self.path, self.keyword, self.line, self.heavy = path.rstrip("/"), keyword, line, heavy


def find(document: Document) -> Iterator[Finding]:
    """Waste in layers and contexts."""
    for stage in document.stages:
        if stage.index in document.lineage:
            yield from _stage(document, stage)
    yield from _context(document)
    for unit, command in document.commands("file", "block"):
        docker = docker_call(command)
        if docker is None or docker.verb != "build":
            continue
        for option in docker.parsed.every("--no-cache"):
            yield finding(
                NO_CACHE,
                "note",
                "--no-cache builds every step anew, each time",
                command.location(option.word),
                fix="leave it out",
                edit=without(command.piece, option.word),
            )
        del unit


def _stage(document: Document, stage: Stage) -> Iterator[Finding]:
    made: list[_Made] = []
    units = {id(unit.instruction): unit for unit in document.units if unit.built}
    for instruction, state in zip(stage.instructions, stage.states, strict=False):
        if instruction.keyword in {"COPY", "ADD"} and instruction.rest.text:
            made += _copied(
                instruction.rest.text, instruction.keyword, instruction.line, state.workdir, state.variables
            )
            if instruction.keyword == "ADD":
                yield from _added(document, instruction)
        elif instruction.keyword == "RUN" and id(instruction) in units:
            unit = units[id(instruction)]
            mounts = " ".join(flag.value for flag in instruction.flags if flag.name == "mount")
            yield from _removed(unit, made, state.workdir)
            yield from _kept(unit, mounts)
            made += _fetched(unit, state.workdir, instruction.line)


def _copied(
    text: str, keyword: str, line: int, workdir: str, variables: dict[str, str | None]
) -> Iterator[_Made]:
    words = [text[start:stop].strip("[],\"'") for start, stop in split_words(text)]
    if len(words) < 2:  # noqa: PLR2004 - a source and a target
        return
    *sources, target = [expand(word, variables).text for word in words]
    target = _absolute(target, workdir)
    if len(sources) == 1 and not target.endswith("/"):
        yield _Made(target, keyword, line, heavy=True)
        return
    for source in sources:
        name = source.rstrip("/").rpartition("/")[2]
        whole = source.endswith("/") or name in {".", ""}
        yield _Made(target if whole else f"{target.rstrip('/')}/{name}", keyword, line, heavy=True)


def _fetched(unit: Unit, workdir: str, line: int) -> Iterator[_Made]:
    folder = workdir
    for command in unit.commands:
        if command.program == "cd" and command.texts:
            folder = _absolute(command.texts[0], folder)
        clone, download = git_clone(command), download_call(command)
        if clone is not None:
            yield _Made(_absolute(clone.folder, folder), "RUN", line, heavy=True)
        elif download is not None and download.output:
            yield _Made(_absolute(download.output, folder), "RUN", line, heavy=True)


def _removed(unit: Unit, made: list[_Made], workdir: str) -> Iterator[Finding]:
    folder = workdir
    for command in unit.commands:
        if command.program == "cd" and command.texts:
            folder = _absolute(command.texts[0], folder)
        if command.program != "rm":
            continue
        for word in command.arguments:
            if word.text.startswith("-"):
                continue
            path = _absolute(expand(word.text, unit.state.variables if unit.state else {}).text, folder)
            path = path.removesuffix("/*").rstrip("/")
            found = next(
                (one for one in made if path and (one.path == path or one.path.startswith(f"{path}/"))), None
            )
            if found is None or path in {"", "/"}:
                continue
            how = (
                "mount it for this step instead of copying it"
                if found.keyword != "RUN"
                else "remove it in the RUN that makes it, or use a stage of its own"
            )
            edit = (
                f"RUN --mount=type=bind,target={found.path} …"
                if found.keyword != "RUN"
                else f"# in line {found.line}: … && rm -rf {word.text}"
            )
            yield finding(
                DELETED,
                "warning",
                f"{word.text} is removed here, but stays in the layer of the {found.keyword} in line {found.line}",
                command.location(word),
                fix=how,
                edit=edit,
                evidence=[_LAYERS],
            )


def _kept(unit: Unit, mounts: str) -> Iterator[Finding]:
    gone = [
        word.text.rstrip("/*").rpartition("/")[2]
        for command in unit.commands
        if command.program in {"rm", "mv"}
        for word in command.arguments
        if not word.text.startswith("-")
    ]
    wild = any(
        "*" in word.text for command in unit.commands if command.program == "rm" for word in command.arguments
    )
    for command in unit.commands:
        clone = git_clone(command)
        if clone is not None:
            name = clone.folder.rstrip("/").rpartition("/")[2]
            if name in gone or clone.folder in {".", "$PWD"} or _in_temporary(clone.folder, mounts):
                continue
            yield finding(
                CLONE,
                "warning",
                f"the clone {clone.folder} stays in this layer, with its history",
                command.location(clone.url),
                fix="remove it in the same RUN, or clone in a stage of its own",
                edit=command.piece.edited(
                    len(command.piece.text), len(command.piece.text), f" && rm -rf {clone.folder}"
                ),
                at=command.piece.location(max(len(command.piece.text) - 1, 0)),
            )
        download = download_call(command)
        if download is not None and _ARCHIVES.fullmatch(download.output.rpartition("/")[2]):
            name = download.output.rpartition("/")[2]
            if name in gone or wild or _in_temporary(download.output, mounts):
                continue
            yield finding(
                ARCHIVE,
                "warning",
                f"the archive {name} stays in this layer",
                command.location(),
                fix="remove it in the same RUN",
                edit=command.piece.edited(
                    len(command.piece.text), len(command.piece.text), f" && rm {download.output}"
                ),
                at=command.piece.location(max(len(command.piece.text) - 1, 0)),
            )


def _in_temporary(path: str, mounts: str) -> bool:
    """The path lies on a cache or tmpfs mount of the step."""
    targets = re.findall(r"(?:target|dst|destination)=([^,\s]+)", mounts)
    return any(path.startswith(target) for target in targets if target)


def _added(document: Document, instruction: Instruction) -> Iterator[Finding]:
    words = [instruction.rest.text[start:stop] for start, stop in split_words(instruction.rest.text)]
    for word in words[:-1]:
        if re.match(r"https?://", word) and _ARCHIVES.fullmatch(word.rpartition("/")[2]):
            yield finding(
                ARCHIVE,
                "warning",
                f"ADD keeps the archive {word.rpartition('/')[2]} in a layer of its own, and does not unpack it",
                document.source.location(instruction.start),
                fix="fetch, unpack and remove it in one RUN, or in a stage of its own",
                edit=f'RUN curl -fsSL -o /tmp/a {word} && echo "SHA256  /tmp/a" | sha256sum --check \\\n'
                f"    && tar -xf /tmp/a -C {words[-1]} && rm /tmp/a",
            )


def _context(document: Document) -> Iterator[Finding]:
    if document.has_ignore_file is not False:
        return
    for _, instruction, _ in document.each("COPY", "ADD"):
        if instruction.value("from"):
            continue
        words = [
            instruction.rest.text[start:stop].strip("[],\"'")
            for start, stop in split_words(instruction.rest.text)
        ]
        if any(word in {".", "./", "./*", "*"} for word in words[:-1]):
            yield finding(
                IGNORE,
                "warning",
                f"{instruction.keyword} {words[0]} takes the whole folder, .git and all, and no .dockerignore keeps "
                "anything out",
                document.source.location(instruction.start),
                fix="write a .dockerignore that lets in what is needed",
                edit=f"{instruction.keyword} src pyproject.toml {words[-1].rstrip('/')}/",
                command="printf '%s\\n' '*' '!src' '!pyproject.toml' > .dockerignore",
            )
            return


def _absolute(path: str, workdir: str) -> str:
    path = path.strip("\"'")
    if path.startswith(("$", "~")):
        return path
    whole = normpath(join(workdir or "/", path))
    return f"{whole.rstrip('/')}/" if path.endswith("/") else whole
