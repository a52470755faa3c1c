"""What is wrong with what an executor's image says about itself, by the contract with YMIR 2.0 to 2.5. Pure.

One set of rules for an image, for a folder with the files of ``/img-man``, and for a spec whose files are not written
yet: each is an ``ImageView``.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Final

from msgspec import Struct

from layerwright.core.errors import UsageError
from layerwright.core.findings import Evidence, Finding, Fix, Kind, Level, Place
from layerwright.core.text import visible
from layerwright.ymir import image_kinds as kinds
from layerwright.ymir.image import IMG_MAN, MANIFEST_FILE, OBJECT_TYPES, template_path
from layerwright.ymir.image_kinds import KINDS
from layerwright.ymir.parameter import TASKS, Parameter
from layerwright.ymir.parameters import PARAMETERS_FILE, read_parameters
from layerwright.ymir.reading import Answer, Document, read_answer
from layerwright.ymir.template_rules import Remark, check_template

__all__ = ["KINDS", "ImageView", "Start", "judge_image", "template_folders", "wanted_files"]

_FOLDERS: Final = {kind.code: kind.folder for kind in OBJECT_TYPES.values()}
_CODE_ACCESS: Final = f"{IMG_MAN}/code-access.yaml"
_MANIFEST_KEYS: Final = frozenset({"object_type", "enable_livecode", "is_official"})
_CLASSIFICATION: Final = 1
_QUIET: Final = frozenset({"entry", "tini", "dumb-init", "catatonit", "env", "nice", "setpriv"})
"""Programs that run what follows and print nothing."""

_INTERPRETERS: Final = ("python", "bash", "sh", "dash", "zsh", "node", "perl", "ruby", "java")
_VENDOR: Final = "nvidia_entrypoint.sh"

Placer = Callable[[str, str, int], Place]


class Start(Struct, frozen=True, kw_only=True):
    """How the image starts.

    Attributes:
        entrypoint, command: as in its config.
        script: the file that the command names, when it names one that can be looked for.
        script_state: what is known of it.
        closed: the path, of the script or a folder above it, that others may not read; empty when all may.
    """

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    script: str = ""
    script_state: str = "unknown"
    closed: str = ""


class ImageView(Struct, frozen=True, kw_only=True):
    """What is known of an image.

    Attributes:
        name: for messages.
        files: those of ``/img-man`` by absolute path, as they stand in the image.
        closed: paths of those that others may not read.
        answers: what ``cat FILE`` gave through the entrypoint; None when no engine was asked.
        start: None when it is not known, as for a folder.
    """

    name: str
    files: Mapping[str, bytes]
    closed: tuple[str, ...] = ()
    answers: Mapping[str, Answer] | None = None
    start: Start | None = None


def template_folders(manifest: Document) -> tuple[str, ...]:
    """Folders below ``/img-man`` where the platform looks for templates; ``""`` is ``/img-man`` itself."""
    types = manifest.values.get("object_type") if manifest.state == "mapping" else None
    if not isinstance(types, list):
        return ("",)
    return tuple(
        dict.fromkeys(_FOLDERS[code] for code in types if isinstance(code, int) and code in _FOLDERS)
    )


def wanted_files(manifest: Document) -> tuple[str, ...]:
    """The templates that the platform reads after the manifest, in its order."""
    return tuple(template_path(task, folder) for folder in template_folders(manifest) for task in TASKS)


def judge_image(view: ImageView, place: Placer | None = None) -> tuple[Finding, ...]:
    """Everything that is wrong, in the platform's order of reading.

    Args:
        view: what is known.
        place: gives the place of a path, key and line (0 for none); the path in the image when absent.
    """
    return tuple(_Judge(view, place or _in_image(view)).findings())


def _in_image(view: ImageView) -> Placer:
    def place(path: str, key: str, line: int) -> Place:
        del key, line
        return Place(image=view.name, path=path)

    return place


class _Judge:
    def __init__(self, view: ImageView, place: Placer) -> None:
        self._view = view
        self._place = place
        self._documents = dict[str, Document]()
        self._parameters: tuple[Parameter, ...] | None = None

    def findings(self) -> Iterator[Finding]:
        yield from self._start()
        yield from self._answers()
        yield from self._manifest()
        yield from self._read_parameters()
        yield from self._templates()
        yield from self._misplaced()
        for path in self._view.closed:
            yield self._finding(
                kinds.READABLE,
                "warning",
                f"others may not read {path}: a container of another user cannot",
                path,
                fix="chmod a+r",
            )

    def _seen(self, path: str) -> Document:
        """What the platform makes of a file: of the answer where there is one, else of the file itself."""
        answer = (self._view.answers or {}).get(path)
        if answer is None or answer.stdout == self._view.files.get(path):
            return self._document(path)
        return read_answer(answer)

    def _document(self, path: str) -> Document:
        """What the file itself says."""
        if path not in self._documents:
            content = self._view.files.get(path)
            absent = Answer(exit_code=1)
            self._documents[path] = read_answer(absent if content is None else Answer(stdout=content))
        return self._documents[path]

    def _finding(
        self,
        kind: Kind,
        level: Level,
        message: str,
        path: str,
        *,
        key: str = "",
        line: int = 0,
        fix: str = "",
        edit: str = "",
        evidence: Sequence[str] = (),
    ) -> Finding:
        where = self._place(path, key, line)
        source = f"{path}:{line}" if path and line else path or "the image's config"
        return Finding(
            code=kind.code,
            level=level,
            message=message,
            where=where,
            evidence=tuple(Evidence(text=text, source=source, confidence="metadata") for text in evidence),
            fix=(Fix(text=fix, edit=edit, cost=2),) if fix else (),
        )

    def _remark(self, path: str, remark: Remark) -> Finding:
        return self._finding(
            remark.kind,
            remark.level,
            remark.message,
            path,
            key=remark.key,
            line=remark.line,
            fix=remark.fix,
            edit=remark.edit,
        )

    # how it starts, and how it answers

    def _start(self) -> Iterator[Finding]:
        start = self._view.start
        if start is None:
            return
        yield from self._entrypoint(start)
        if not start.command and not start.entrypoint:
            yield self._finding(
                kinds.COMMAND,
                "error",
                "the image has neither entrypoint nor command, and the platform gives none: nothing would run",
                "",
                fix='CMD ["bash", "/usr/bin/start.sh"]; in layerwright.toml role = "executor" sets it',
            )
        elif start.script and start.script_state == "absent":
            yield self._finding(
                kinds.COMMAND,
                "error",
                f"the image runs {_words(start.command)}, and there is no {start.script}",
                start.script,
                fix=f"copy the program that starts the executor to {start.script}",
            )
        if start.closed:
            yield self._finding(
                kinds.READABLE,
                "error",
                f"others may not read {start.closed}, and the platform starts containers with a user of its own",
                start.closed,
                fix="chmod a+rX",
            )

    def _entrypoint(self, start: Start) -> Iterator[Finding]:
        """Judge the entrypoint by its words, where it was not asked."""
        if self._view.answers is not None or not start.entrypoint:
            return
        fix = "ENTRYPOINT []; in layerwright.toml leave `entrypoint` out"
        words = _words(start.entrypoint)
        names = [word.rpartition("/")[2] for word in start.entrypoint if not word.startswith("-")]
        first, last = names[0] if names else "", names[-1] if names else ""
        if all(name in _QUIET for name in names):
            return
        if first in {"sh", "bash"} and len(start.entrypoint) > 1 and start.entrypoint[1].startswith("-"):
            what = f"the entrypoint is {words}: a shell's command takes no `cat FILE`"
            yield self._finding(kinds.ENTRYPOINT, "error", what, "", fix=fix)
        elif _VENDOR in names:
            what = f"the entrypoint is {words}, which prints a banner before what `cat` prints"
            yield self._finding(kinds.ENTRYPOINT, "error", what, "", fix=fix)
        elif last.rstrip("0123456789.") in _INTERPRETERS or last.endswith((".py", ".jar", ".js")):
            what = (
                f"the entrypoint is {words}, which does not run `cat FILE` but reads it as its own arguments"
            )
            yield self._finding(kinds.ENTRYPOINT, "error", what, "", fix=fix)
        else:
            what = (
                f"whether the entrypoint {words} runs `cat FILE` and prints nothing of its own is not known"
            )
            hint = "look with an engine: layerwright executor lint docker:NAME"
            yield self._finding(kinds.ENTRYPOINT, "unknown", what, "", fix=hint)

    def _answers(self) -> Iterator[Finding]:
        files = self._view.files
        banners = dict[bytes, list[str]]()
        for path, answer in (self._view.answers or {}).items():
            told = answer.stderr.decode(errors="replace").strip().splitlines()
            if answer.exit_code == 0:
                content = files.get(path, b"")
                if answer.stdout != content:
                    said = answer.stdout.removesuffix(content) if content else answer.stdout
                    banners.setdefault(said, []).append(path)
                continue
            taken = self._seen(path).state == "mapping"
            if path not in files and not taken:
                continue  # cat found no file, and nothing looks like one
            fix = 'let the entrypoint run its arguments: exec "$@" at its end, or ENTRYPOINT []'
            ended = f"`cat {path}` through the entrypoint ended with {answer.exit_code}"
            if taken:
                what = f"{ended}, and the platform takes the text of the error for the file"
                yield self._finding(kinds.STANDARD_ERROR, "error", what, path, fix=fix, evidence=_shown(told))
            else:
                what = f"{ended}, so that the platform does not see the file"
                yield self._finding(kinds.ENTRYPOINT, "error", what, path, fix=fix, evidence=_shown(told))
        for said, paths in banners.items():
            yield self._banner(said, paths)

    def _banner(self, said: bytes, paths: Sequence[str]) -> Finding:
        """Text of the entrypoint's own, with the files that it stands before."""
        first = paths[0]
        content = self._view.files.get(first)
        named = first if len(paths) == 1 else f"{first} and {len(paths) - 1} more files"
        if content is None:
            what = f"the entrypoint answers `cat {first}` with {len(said)} bytes of its own: there is no such file"
        elif said != (self._view.answers or {})[first].stdout:
            what = f"{len(said)} bytes come before {named} when read through the entrypoint"
        else:
            what = f"`cat {first}` through the entrypoint gives other bytes than the file has"
        seen = self._seen(first)
        if seen.state == "mapping":
            own = self._document(first).values
            more = [visible(str(key))[:50] for key in seen.values if key not in own]
            what += f", and the platform takes them for parameters: {', '.join(more[:6])}" if more else ""
        else:
            what += ", so that the platform does not see the file"
        lines = said.decode(errors="replace").strip().splitlines()
        fix = "end with an entrypoint that prints nothing: ENTRYPOINT []"
        return self._finding(kinds.BANNER, "error", what, first, fix=fix, evidence=_shown(lines))

    # what it says

    def _manifest(self) -> Iterator[Finding]:
        document = self._document(MANIFEST_FILE)
        if MANIFEST_FILE not in self._view.files and document.state != "mapping":
            yield self._finding(
                kinds.MANIFEST,
                "note",
                "there is no /img-man/manifest.yaml: the image counts as one for detection, without live code",
                MANIFEST_FILE,
                fix="write one",
                edit="object_type: 2",
            )
        elif document.state != "mapping":
            level: Level = "error" if document.state == "failed" else "warning"
            yield self._finding(
                kinds.MANIFEST,
                level,
                f"the manifest counts as absent: {visible(document.why)}; the image is one for detection then"
                if level == "warning"
                else f"the platform fails on the manifest: {visible(document.why)}",
                MANIFEST_FILE,
                line=document.line,
                fix="write `key: value` lines",
            )
        else:
            yield from self._object_type(document)
            yield from self._flags(document)
        if _CODE_ACCESS in self._view.files and not document.values.get("enable_livecode"):
            yield self._finding(
                kinds.MANIFEST,
                "warning",
                "code-access.yaml switches live code on in releases 2.0.x alone; later ones ask the manifest",
                _CODE_ACCESS,
                fix="write enable_livecode into the manifest",
                edit="enable_livecode: true",
            )

    def _object_type(self, document: Document) -> Iterator[Finding]:
        if "object_type" not in document.values:
            return
        value = document.values["object_type"]
        line = next((one.line for one in document.entries if one.key == "object_type"), 0)
        level, what = _object_type_fault(value)
        if what:
            known = ", ".join(f"{kind.code} {name}" for name, kind in OBJECT_TYPES.items())
            yield self._finding(
                kinds.OBJECT_TYPE,
                level,
                f"object_type is {visible(repr(value))[:60]}: {what}",
                MANIFEST_FILE,
                key="object_type",
                line=line,
                fix=f"one of {known}; or a list of them",
            )

    def _flags(self, document: Document) -> Iterator[Finding]:
        for entry in document.entries:
            if entry.key in {"enable_livecode", "is_official"} and not isinstance(entry.value, bool):
                truth = "true" if entry.value else "false"
                yield self._finding(
                    kinds.FLAG,
                    "error" if isinstance(entry.value, str) and entry.value else "warning",
                    f"{entry.key} is {visible(repr(entry.value))[:60]}, which counts as {truth}",
                    MANIFEST_FILE,
                    key=entry.key,
                    line=entry.line,
                    fix="write true or false, without quotes",
                )
            elif entry.key not in _MANIFEST_KEYS:
                yield self._finding(
                    kinds.MANIFEST,
                    "note",
                    f"{visible(entry.key)[:50]} is no key that the platform reads from the manifest",
                    MANIFEST_FILE,
                    key=entry.key,
                    line=entry.line,
                    fix=f"known keys: {', '.join(sorted(_MANIFEST_KEYS))}",
                )

    def _read_parameters(self) -> Iterator[Finding]:
        text = self._view.files.get(PARAMETERS_FILE)
        if text is None:
            return
        try:
            self._parameters = read_parameters(text)
        except UsageError as error:
            yield self._finding(
                kinds.PARAMETERS,
                "error",
                visible(error.what),
                PARAMETERS_FILE,
                fix=error.hint or "write it from [[images.NAME.parameters]]",
            )

    def _templates(self) -> Iterator[Finding]:
        manifest = self._document(MANIFEST_FILE)
        found = False
        for folder in template_folders(manifest):
            for task in TASKS:
                path = template_path(task, folder)
                document = self._document(path)
                # One that the platform fails on ends the request before it would miss the others.
                found = found or self._seen(path).state != "absent"
                if document.state == "mapping" or document.json_path:
                    for remark in check_template(document, task, self._parameters):
                        yield self._remark(path, remark)
                if path in self._view.files and document.state != "mapping":
                    yield from self._unreadable(path, document)
        wanted = wanted_files(manifest)
        if not found and wanted:
            yield self._finding(
                kinds.NO_TEMPLATE,
                "error",
                f"none of {', '.join(wanted)} is a mapping: the platform answers 130401",
                wanted[0],
                fix="write one for each task, {} when there is nothing to set",
            )

    def _unreadable(self, path: str, document: Document) -> Iterator[Finding]:
        if any(isinstance(one.value, date) for one in document.entries):
            return  # dates have a finding of their own
        if document.state == "failed":
            what = f"the platform fails on {path}: {visible(document.why)}"
        else:
            what = f"{path} counts as absent: {visible(document.why)}"
        yield self._finding(
            kinds.TEMPLATE,
            "error",
            what,
            path,
            line=document.line,
            fix="write `key: value` lines, or {} when there is nothing to set",
        )

    def _misplaced(self) -> Iterator[Finding]:
        manifest = self._document(MANIFEST_FILE)
        folders = template_folders(manifest)
        several = isinstance(manifest.values.get("object_type"), list)
        for folder in ("", *_FOLDERS.values()):
            if folder in folders:
                continue
            for task in TASKS:
                path = template_path(task, folder)
                if path in self._view.files:
                    what = (
                        f"object_type is a list, so the platform reads only {', '.join(folders)}"
                        if several
                        else "object_type is one number, so the platform reads /img-man itself"
                    )
                    yield self._finding(
                        kinds.FOLDER,
                        "warning",
                        f"{path} is never read: {what}",
                        path,
                        fix="move the template, or change object_type",
                    )
        for folder in folders if several else ():
            paths = [template_path(task, folder) for task in TASKS]
            if not any(self._seen(path).state == "mapping" for path in paths):
                yield self._finding(
                    kinds.FOLDER,
                    "error",
                    f"the manifest names an object type whose templates, in {IMG_MAN}/{folder}, are not there",
                    paths[0],
                    fix="write them, or leave the type out of object_type",
                )


def _object_type_fault(value: object) -> tuple[Level, str]:
    match value:
        case bool():
            return "error", f"it counts as {int(value)}, which no project has"
        case int() if value in _FOLDERS:
            return "note", ""
        case int() if value == _CLASSIFICATION:
            return "warning", "classification is declared, and no release of the platform has it"
        case int():
            return "warning", "it is taken, and no project has it"
        case list() if not value:
            return "error", "an empty list is refused with 130401"
        case list():
            wrong = [
                one
                for one in value
                if not isinstance(one, int) or isinstance(one, bool) or one not in _FOLDERS
            ]
            if wrong:
                return "error", f"{visible(repr(wrong[0]))[:40]} in a list makes the platform's request fail"
            return "note", ""
        case str() if value.strip().isdigit():
            return "error", "text is refused with 130401 from release 2.4 on"
        case _:
            return "error", "it is refused with 130401, invalid object types"


def _words(argv: Sequence[str]) -> str:
    return visible(" ".join(argv))[:80]


def _shown(lines: Sequence[str]) -> list[str]:
    most = 3
    return [visible(line)[:120] for line in lines if line.strip()][:most]
