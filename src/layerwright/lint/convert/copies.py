"""COPY and ADD as entries of ``copy`` and ``models``."""

import re
from collections.abc import Iterator
from posixpath import join, normpath

from layerwright.lint.convert.model import Context, Draft
from layerwright.lint.convert.places import Places
from layerwright.lint.dockerfile import Instruction, State, expand, split_words

__all__ = ["Copier"]

_PLAIN_OWNER = frozenset({"0", "0:0", "root", "root:root"})


class Copier:
    """Takes over what COPY and ADD put into the image."""

    def __init__(self, draft: Draft, context: Context, places: Places, escape: str) -> None:
        self._draft, self._context, self._places, self._escape = draft, context, places, escape

    def carry(self, instruction: Instruction, state: State) -> Iterator[tuple[list[str], str, bool]]:
        """Take one instruction over.

        Yields:
            Sources, target, and whether the target is a folder, of what comes from another stage.
        """
        words = list(instruction.words or ())
        if instruction.words is None:
            text = instruction.rest.text
            spans = split_words(text, self._escape)
            words = [expand(text[start:stop], state.variables, self._escape).text for start, stop in spans]
        if instruction.heredocs:
            self._leave(
                instruction, words[0], "a file written in the Dockerfile: put it beside the spec and copy it"
            )
            return
        if len(words) < 2:  # noqa: PLR2004 - a source and a target
            return
        *sources, target = words
        whole = normpath(join(state.workdir or "/", target))
        into = target.endswith(("/", "/.")) or target in {".", "./"} or len(sources) > 1
        if instruction.value("from"):
            yield sources, whole, into
            return
        for name in ("chown", "chmod"):
            value = instruction.value(name)
            if value and not (name == "chown" and value in _PLAIN_OWNER):
                self._leave(
                    instruction,
                    f"--{name}={value}",
                    "files keep the permission bits they have in the project, and belong to root",
                )
        for source in sources:
            self._one(instruction, source, whole, into=into)

    def _leave(self, instruction: Instruction, text: str, why: str) -> None:
        shown = text if text.startswith("--") else f"{instruction.keyword} {text}"
        self._draft.leave(instruction.line, shown, why)

    def _one(self, instruction: Instruction, source: str, target: str, *, into: bool) -> None:
        if re.search(r"\.git(#.*)?$", source) and "://" in source:
            self._leave(instruction, source, "a repository is a package: { git = …, rev = … }")
        elif re.match(r"https?://", source):
            self._address(instruction, source, target, into=into)
        else:
            for name in self._names(instruction, source):
                self._file(instruction, name, target, into=into)

    def _address(self, instruction: Instruction, source: str, target: str, *, into: bool) -> None:
        name = source.partition("?")[0].rpartition("/")[2]
        sha256 = instruction.value("checksum").removeprefix("sha256:")
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            self._leave(instruction, source, "a file by its address needs its sha256: an entry of `models`")
            return
        self._draft.models.append((source, sha256, join(target, name) if into else target))

    def _names(self, instruction: Instruction, source: str) -> list[str]:
        if not re.search(r"[*?\[]", source):
            return [source]
        names = list(self._context.matches(source))
        if not names:
            self._leave(instruction, source, "nothing in the project's folder matches it")
        return names

    def _file(self, instruction: Instruction, name: str, target: str, *, into: bool) -> None:
        path = normpath(name.lstrip("/")) if name.strip("/") else "."
        kind = self._context.kind(path)
        if not kind:
            self._leave(instruction, name, "it is not in the project's folder")
            return
        if kind == "file" and instruction.keyword == "ADD" and re.search(r"\.(tar(\.\w+)?|tgz)$", path):
            self._leave(instruction, name, "ADD unpacks archives; copy the folder that is in it")
            return
        # Docker copies what is in a folder, and a file under its name into a folder.
        place = join(target, path.rpartition("/")[2]) if kind == "file" and into else target
        self._places.copied[place] = path
