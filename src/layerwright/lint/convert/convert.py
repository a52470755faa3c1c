"""A Dockerfile's stages as images of a spec."""

import re
from posixpath import join, normpath
from typing import Final

from layerwright.core.errors import UsageError
from layerwright.facts.bases import reference_facts
from layerwright.lint.convert.commands import RunCarrier
from layerwright.lint.convert.copies import Copier
from layerwright.lint.convert.model import Context, Conversion, Draft
from layerwright.lint.convert.places import Places
from layerwright.lint.convert.write import write_spec
from layerwright.lint.dockerfile import Instruction, Stage, State, expand, name_values
from layerwright.lint.dockerfile.stages import find_stage
from layerwright.lint.documents import Document, Unit, read_document
from layerwright.lint.secret_names import is_secret_name
from layerwright.lint.source import Source
from layerwright.oci.reference import Reference

__all__ = ["convert"]

_ENVIRONMENT: Final = re.compile(
    r"(site|dist)-packages|venv|virtualenv|conda|wheels?(/|$)|^/usr/local(/lib|/bin)?/?$|/install/?$|^/root/\.local"
)
_BUILD_ONLY: Final = frozenset(
    {"DEBIAN_FRONTEND", "DEBCONF_NONINTERACTIVE_SEEN", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}
)
_OWN_KINDS: Final = frozenset(
    {"debian", "image", "oci", "archive", "docker-archive", "oci-archive", "docker"}
)
"""What ``from`` of a spec has words for, which are names of images too."""

_LEFT: Final = {
    "EXPOSE": "images publish no ports by themselves; say it where the container starts",
    "VOLUME": "a mount of `run` takes its place: [images.NAME.run] mounts",
    "USER": "`layerwright run` runs programs as the caller; give other engines their --user",
    "STOPSIGNAL": "the spec has no word for it",
    "HEALTHCHECK": "the spec has no word for it; `smoke` tests an image while it is built",
    "ONBUILD": "put it into the image that starts from this one",
}


def convert(source: Source, context: Context, *, project: str, target: str = "") -> Conversion:
    """Write the spec that a Dockerfile stands for.

    Args:
        source: the Dockerfile.
        context: the folder that it is built in.
        project: name of the project.
        target: the stage to convert; empty for the last.

    Raises:
        UsageError: there is no such stage, or no stage at all.
    """
    (document,) = read_document(source, "dockerfile")
    stage = _target(document, target)
    maker = _Maker(document, context)
    drafts = maker.lineage(stage)
    for fault in document.dockerfile.faults if document.dockerfile else ():
        drafts[-1].leave(
            source.line_of(fault.start),
            fault.text,
            "Docker does not understand this either; see `layerwright lint`",
        )
    left = tuple(sorted((note for draft in drafts for note in draft.left), key=lambda note: note.line))
    text = write_spec(drafts, left, project=project, file=source.file)
    return Conversion(text=text, image=drafts[-1].name, left=left)


def _target(document: Document, name: str) -> Stage:
    if not document.stages:
        raise UsageError(f"{document.source.file} has no FROM: there is nothing to convert")
    if not name:
        return document.stages[-1]
    index = find_stage(document.stages, name)
    if index < 0:
        names = ", ".join(stage.name for stage in document.stages if stage.name) or "none has a name"
        raise UsageError(f"{document.source.file} has no stage {name!r}", hint=f"its stages: {names}")
    return document.stages[index]


class _Maker:
    """Makes drafts of stages."""

    def __init__(self, document: Document, context: Context) -> None:
        self.document, self.context = document, context
        self.units = {id(unit.instruction): unit for unit in document.units if unit.built}
        self.names: set[str] = set()

    def lineage(self, stage: Stage) -> list[Draft]:
        """Drafts of a stage and of those it starts from, the first first."""
        chain = [stage]
        while chain[0].parent >= 0:
            chain.insert(0, self.document.stages[chain[0].parent])
        drafts: list[Draft] = []
        for one in chain:
            fallback = "app" if one is stage else "base"
            draft = self._draft(one, fallback)
            if drafts:
                draft.base = f"image:{drafts[-1].name}"
                draft.python = draft.python if draft.python != drafts[-1].python else ""
                if draft.accelerator == drafts[-1].accelerator:
                    draft.accelerator = ""
                drafts[-1].role = "base"
            drafts.append(draft)
        if any(one.packages for one in drafts) and not drafts[0].python:
            self._choose_python(drafts, chain)
        return drafts

    def _draft(self, stage: Stage, fallback: str) -> Draft:
        draft = Draft(name=self._name(stage.name, fallback), line=stage.begin.line)
        self._base(draft, stage)
        inherited = self.document.stages[stage.parent].end.workdir if stage.parent >= 0 else ""
        places = Places(folder=inherited or "/")
        for instruction, state in zip(stage.instructions, stage.states, strict=False):
            places.folder = state.workdir or "/"
            self._instruction(draft, stage, instruction, state, places)
        self._copies(draft, places)
        if stage.end.workdir and stage.end.workdir != inherited:
            draft.workdir = stage.end.workdir
        elif not stage.end.workdir and stage.parent < 0:
            draft.workdir = "/"
        self._start(draft, stage)
        draft.role = draft.role or _role(draft)
        return draft

    def _name(self, name: str, fallback: str) -> str:
        base = re.sub(r"[^a-z0-9-]+", "-", (name or fallback).lower()).strip("-") or fallback
        base = base if base[0].isalpha() else f"{fallback}-{base}"
        chosen, number = base, 2
        while chosen in self.names:
            chosen, number = f"{base}-{number}", number + 1
        self.names.add(chosen)
        return chosen

    def _base(self, draft: Draft, stage: Stage) -> None:
        platform = stage.platform
        if platform and "$" not in platform:
            draft.platform = platform
        if stage.parent >= 0:
            return
        text = stage.base.text
        if stage.base.unknown or not text:
            draft.base = "docker.io/library/debian:bookworm"
            draft.leave(
                stage.begin.line,
                stage.begin.rest.text,
                "an ARG without a value names the base: write it into `from`",
            )
            return
        if text == "scratch":
            draft.base = "docker.io/library/debian:bookworm"
            draft.leave(stage.begin.line, "FROM scratch", "the spec has no empty base; choose one for `from`")
            return
        draft.base = _reference(text)
        if draft.base.endswith(":latest") and not text.endswith(":latest"):
            draft.leave(stage.begin.line, text, "it has no tag, which means latest; name a version")
        facts = reference_facts(text)
        draft.python = facts.python
        if facts.cuda not in {"", "none"}:
            draft.accelerator = "nvidia"
        if facts.torch:
            draft.role = "training"

    def _choose_python(self, drafts: list[Draft], chain: list[Stage]) -> None:
        """The Python that apt installs, or the one that the base's system has; else a question."""
        for draft in drafts:
            for name in draft.apt:
                found = re.match(r"python(3\.\d+)", name)
                if found:
                    drafts[0].python = found[1]
                    return
        drafts[0].python = "3.11"
        drafts[0].leave(
            chain[0].begin.line, drafts[0].base, "which Python the base has is not known here: set `python`"
        )

    def _instruction(  # noqa: C901 - one case an instruction
        self, draft: Draft, stage: Stage, instruction: Instruction, state: State, places: Places
    ) -> None:
        line, text = instruction.line, instruction.rest.text
        match instruction.keyword:
            case "RUN":
                unit = self.units.get(id(instruction))
                if unit is not None:
                    RunCarrier(draft, self.context, places, unit).carry()
                elif instruction.words:
                    self._exec(draft, instruction)
                else:
                    draft.leave(line, f"RUN {text}", "not a script of a POSIX shell")
            case "COPY" | "ADD":
                copier = Copier(draft, self.context, places, self.document.escape)
                for names, target, into in copier.carry(instruction, state):
                    self._from_stage(draft, stage, instruction, names, target, into=into)
            case "ENV":
                self._env(draft, stage, instruction, state)
            case "LABEL":
                for pair in name_values("LABEL", text, self.document.escape):
                    if pair.name.strip():
                        draft.labels[pair.name] = expand(pair.value or "", state.variables).text
            case "MAINTAINER":
                draft.labels["org.opencontainers.image.authors"] = text
            case "ENTRYPOINT":
                draft.entrypoint = (
                    instruction.words if instruction.words is not None else ("/bin/sh", "-c", text)
                )
                draft.command = ()
            case "CMD":
                draft.command = (
                    instruction.words if instruction.words is not None else ("/bin/sh", "-c", text)
                )
            case "ARG":
                for pair in name_values("ARG", text, self.document.escape):
                    if is_secret_name(pair.name):
                        draft.leave(
                            line,
                            f"ARG {pair.name}",
                            'a secret is no build argument: [secrets.NAME], and secrets = ["NAME"] where it is used',
                        )
            case "SHELL" | "WORKDIR":
                pass
            case "USER" if text in {"root", "0", "0:0", "root:root"}:
                pass
            case keyword if keyword in _LEFT:
                draft.leave(line, f"{keyword} {text}", _LEFT[keyword])
            case _:
                pass

    def _exec(self, draft: Draft, instruction: Instruction) -> None:
        from layerwright.lint.convert.model import RunDraft  # noqa: PLC0415

        draft.runs.append(RunDraft(line=instruction.line, argv=instruction.words or ()))

    def _env(self, draft: Draft, stage: Stage, instruction: Instruction, state: State) -> None:
        for pair in name_values("ENV", instruction.rest.text, self.document.escape):
            value = expand(
                pair.value or "",
                {name: state.variables.get(name) for name in _names(pair.value or "")} | state.variables,
            )
            name = pair.name
            if name.upper() in _BUILD_ONLY:
                draft.leave(
                    instruction.line,
                    f"ENV {name}",
                    "it is for the build; apt is told so without it",
                )
            elif name == "TZ" and value.text:
                draft.timezone = value.text
            elif is_secret_name(name):
                draft.leave(
                    instruction.line,
                    f"ENV {name}",
                    "a secret is not part of an image: give it where the container starts",
                )
            elif name in {"PATH", "LD_LIBRARY_PATH", "PYTHONPATH"} and re.search(
                rf"\$\{{?{name}\b", pair.value or ""
            ):
                self._path(draft, stage, instruction, name, pair.value or "", state)
            elif value.unknown:
                draft.leave(
                    instruction.line, f"ENV {name}={pair.value}", f"{value.unknown[0]} has no value here"
                )
            elif re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                draft.env[name] = value.text
            else:
                draft.leave(instruction.line, f"ENV {name}", "not the name of a variable")

    def _path(
        self, draft: Draft, stage: Stage, instruction: Instruction, name: str, raw: str, state: State
    ) -> None:
        """A list that is joined to the base's own: the base's part is known only where the file sets it."""
        known = state.env.get(name)
        rest = re.sub(rf":?\$\{{?{name}(:\+[^}}]*)?\}}?:?", ":", raw.strip("\"'")).strip(":")
        value = expand(rest, state.variables).text
        if name == "PATH":
            venv = bool(re.search(r"venv|conda|/opt/[^/]+/bin|/usr/local/bin", value))
            if not venv:
                draft.leave(
                    instruction.line,
                    f"ENV PATH={raw}",
                    "the base's PATH is not known here: write the whole list into `env`",
                )
            return
        if known is None and reference_facts(self.document.root_base(stage)).family in {
            "nvidia-cuda",
            "ngc-pytorch",
        }:
            draft.leave(
                instruction.line,
                f"ENV {name}={raw}",
                "the base sets this list too: write the whole of it into `env`",
            )
            return
        draft.env[name] = ":".join(part for part in (value, known or "") if part)

    def _from_stage(
        self,
        draft: Draft,
        stage: Stage,
        instruction: Instruction,
        sources: list[str],
        target: str,
        *,
        into: bool,
    ) -> None:
        """What another stage made: its packages, its files and copies have words of their own."""
        name = instruction.value("from")
        index = find_stage(self.document.stages[: stage.index], name)
        shown = f"COPY --from={name} {' '.join(sources)}"
        if index < 0:
            draft.leave(
                instruction.line,
                shown,
                "files of another image: start from it, or copy them into the project",
            )
            return
        names = set(self.names)
        others = self.lineage(self.document.stages[index])
        self.names = names
        for source in sources:
            path = normpath(source)
            place = join(target, path.rpartition("/")[2]) if into else target
            if not self._take(draft, others, path, place):
                draft.leave(
                    instruction.line,
                    shown,
                    f"stage {name} is not an image of its own here; its commands made this",
                )

    def _take(self, draft: Draft, others: list[Draft], path: str, place: str) -> bool:
        models = [model for other in others for model in other.models if model[2] == path]
        if models:
            draft.models += [(url, sha256, place) for url, sha256, _ in models]
            return True
        copies = [copy for other in others for copy in other.copies if copy[1] == path]
        if copies:
            draft.copies += [(source, place) for source, _ in copies]
            return True
        packages = [package for other in others for package in other.packages]
        if not packages or not _ENVIRONMENT.search(path):
            return False
        for other in others:
            for package in other.packages:
                draft.add_package(package)
            draft.constraints += [one for one in other.constraints if one not in draft.constraints]
            draft.indexes += [one for one in other.indexes if one not in draft.indexes]
            draft.left += [note for note in other.left if note not in draft.left]
            draft.python = draft.python or other.python
        return True

    def _copies(self, draft: Draft, places: Places) -> None:
        """Copies that are still there at the end."""
        for target, source in places.copied.items():
            gone = any(target == one or target.startswith(f"{one}/") for one in places.removed)
            if not gone and (source, target) not in draft.copies:
                draft.copies.append((source, target))

    def _start(self, draft: Draft, stage: Stage) -> None:
        """A start script that maps USER_ID and GROUP_ID with gosu is what our own start does: it is left out."""
        for unit in self.document.units:
            named = unit.path and unit.path in draft.entrypoint
            if unit.origin != "start" or not named or not re.search(r"\b(gosu|su-exec)\b", unit.script.text):
                continue
            draft.entrypoint = _program(unit)
            draft.leave(
                unit.script.piece.location(0).line,
                unit.path,
                "layerwright's own start gives the process USER_ID and GROUP_ID, so the script is left out",
            )
            draft.apt = [name for name in draft.apt if name not in {"gosu", "su-exec"}]
            draft.runs = [
                run
                for run in draft.runs
                if unit.path not in expand(run.script + " ".join(run.argv), stage.end.variables, "").text
            ]
            return


def _program(unit: Unit) -> tuple[str, ...]:
    """What the start script runs with its arguments."""
    for command in unit.commands:
        if command.program in {"gosu", "su-exec"} and command.texts[-1:] == ("$@",):
            return command.texts[1:-1]
    return ()


def _reference(text: str) -> str:
    """A reference that the spec does not take for one of its own kinds of base, and with a tag."""
    tag = text.partition("@")[0].rpartition("/")[2].partition(":")[2]
    named = text if tag or "@" in text else f"{text}:latest"
    if named.partition(":")[0] not in _OWN_KINDS:
        return named
    try:
        return str(Reference.parse(named))
    except ValueError:
        return named


def _names(value: str) -> list[str]:
    return re.findall(r"\$\{?([A-Za-z_]\w*)", value)


def _role(draft: Draft) -> str:
    names = " ".join(package.requirement for package in draft.packages)
    return "training" if re.search(r"\b(torch|tensorflow|jax|lightning)\b", names) else "inference"
