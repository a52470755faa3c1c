"""What is known of an executor's image, and how findings about it are made. Pure."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

from msgspec import Struct

from layerwright.core.findings import Evidence, Finding, Fix, Kind, Level, Place
from layerwright.core.text import visible
from layerwright.ymir.image import MANIFEST_FILE, OBJECT_TYPES, template_path
from layerwright.ymir.parameter import TASKS
from layerwright.ymir.reading import Answer, Document, read_answer
from layerwright.ymir.template_rules import Remark

__all__ = [
    "FOLDERS",
    "Case",
    "ImageView",
    "Placer",
    "Start",
    "shown_lines",
    "template_folders",
    "wanted_files",
]

FOLDERS = {kind.code: kind.folder for kind in OBJECT_TYPES.values()}
"""Code of an object type to the folder of its templates."""

Placer = Callable[[str, str, int], Place]
"""From path, key and line (0 for none) to the place that a finding names."""


class Start(Struct, frozen=True, kw_only=True):
    """How the image starts.

    Attributes:
        entrypoint, command: as in its config.
        inherits: the base whose entrypoint it has, where that is not known; empty when ``entrypoint`` says it all.
        script: the file that the command names, when it names one that can be looked for.
        script_state: what is known of it.
        closed: the path, of the script or a folder above it, that others may not read; empty when all may.
    """

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    inherits: str = ""
    script: str = ""
    script_state: str = "unknown"
    closed: str = ""


class ImageView(Struct, frozen=True, kw_only=True):
    """What is known of an image.

    Attributes:
        name: for messages.
        files: those of ``/img-man`` by absolute path, as they stand in the image.
        closed: paths of those that others may not read.
        unread: paths of further ones that are links to files whose content is not known.
        answers: what ``cat FILE`` gave through the entrypoint; None when no engine was asked.
        start: None when it is not known, as for a folder.
    """

    name: str
    files: Mapping[str, bytes]
    closed: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    answers: Mapping[str, Answer] | None = None
    start: Start | None = None


def template_folders(manifest: Document) -> tuple[str, ...]:
    """Folders below ``/img-man`` where the platform looks for templates; ``""`` is ``/img-man`` itself."""
    types = manifest.values.get("object_type") if manifest.state == "mapping" else None
    if not isinstance(types, list):
        return ("",)
    return tuple(dict.fromkeys(FOLDERS[code] for code in types if isinstance(code, int) and code in FOLDERS))


def wanted_files(manifest: Document) -> tuple[str, ...]:
    """The templates that the platform reads after the manifest, in its order."""
    return tuple(template_path(task, folder) for folder in template_folders(manifest) for task in TASKS)


class Case:
    """One image under judgement.

    Args:
        view: what is known.
        place: gives places; the path in the image when absent.
    """

    def __init__(self, view: ImageView, place: Placer | None = None) -> None:
        self.view = view
        self._place = place or self._in_image
        self._documents = dict[str, Document]()

    def _in_image(self, path: str, key: str, line: int) -> Place:
        del key, line
        return Place(image=self.view.name, path=path)

    @cached_property
    def manifest(self) -> Document:
        """What the manifest itself says."""
        return self.document(MANIFEST_FILE)

    def seen(self, path: str) -> Document:
        """What the platform makes of a file: of the answer where there is one, else of the file itself."""
        answer = (self.view.answers or {}).get(path)
        if answer is None or (answer.exit_code == 0 and answer.stdout == self.view.files.get(path)):
            return self.document(path)
        return read_answer(answer)

    def document(self, path: str) -> Document:
        """What the file itself says."""
        if path not in self._documents:
            content = self.view.files.get(path)
            absent = Answer(exit_code=1)
            self._documents[path] = read_answer(absent if content is None else Answer(stdout=content))
        return self._documents[path]

    def finding(
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
        """A finding about a file (empty: the image's config), with its one repair and the lines that show it."""
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

    def remark(self, path: str, remark: Remark) -> Finding:
        """A remark on a template as a finding."""
        return self.finding(
            remark.kind,
            remark.level,
            remark.message,
            path,
            key=remark.key,
            line=remark.line,
            fix=remark.fix,
            edit=remark.edit,
        )


def shown_lines(lines: Sequence[str]) -> list[str]:
    """The first lines that say something, fit to be shown."""
    most = 3
    return [visible(line)[:120] for line in lines if line.strip()][:most]
