"""Lint executors: of a finished image, of a folder with the files of ``/img-man``, of a spec."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from layerwright.core.errors import EngineError, UsageError
from layerwright.core.events import Notice
from layerwright.core.findings import Finding, Place
from layerwright.core.source import Location
from layerwright.guest import ENTRY_PATH
from layerwright.workflow.executor_dockerfile import dockerfile_findings
from layerwright.workflow.session import Session
from layerwright.ymir.image import IMG_MAN, MANIFEST_FILE, image_files
from layerwright.ymir.image_rules import ImageView, Start, judge_image, wanted_files
from layerwright.ymir.parameters import PARAMETERS_FILE
from layerwright.ymir.reading import Answer, read_answer

if TYPE_CHECKING:
    from layerwright.spec.model import Cell, Spec
    from layerwright.verify.contents import Contents
    from layerwright.workflow.verify import OpenedImage

__all__ = ["Linted", "described_findings", "lint_executors"]

_PATHS: Final = ("/", "./", "../", "~")
_TEMPLATES: Final = "*-template.yaml"
_LARGEST: Final = 2**20
_SECONDS: Final = 120.0
_PLATFORM_LIMIT: Final = 64
"""Files of ``/img-man`` that are asked for; there are eleven at most that mean something."""


class Linted(Struct, frozen=True, kw_only=True):
    """What was found in one image or folder.

    Attributes:
        name: of the image or folder.
        asked: its files were read through its entrypoint, too.
    """

    name: str
    findings: tuple[Finding, ...]
    asked: bool = False


def lint_executors(session: Session, subject: str, *, engine: bool = True) -> Iterator[Linted]:
    """Judge what a name stands for.

    Args:
        session: the surroundings.
        subject: a folder, or an image as ``verify`` takes it.
        engine: read files through the entrypoint, too, where the image is one of an engine.

    Raises:
        UsageError: nothing of that name; or a folder has nothing of an executor.
        SpecError: the folder's spec has faults.
        EngineError, NetworkError, IntegrityError: as for ``verify``.
    """
    folder = session.start / Path(subject).expanduser()
    if (
        ":" not in subject
        and folder.is_dir()
        and ("/" in subject or subject in {"", ".", ".."} or _is_own(folder))
    ):
        yield _lint_folder(session, folder, subject or ".")
        return
    if subject.startswith(_PATHS) and not folder.is_dir():
        # No reference begins like this (OCI distribution spec 1.1, pulling manifests): a registry is not asked for it.
        raise UsageError(
            f"there is no folder {subject}",
            hint="name a folder with a layerwright.toml or with img-man, or an image: docker:NAME, oci:DIR",
        )
    kind, _, reference = subject.partition(":")
    if kind == "docker" and reference:
        yield _lint_in_docker(session, subject, reference, ask=engine)
        return
    from layerwright.workflow.verify import opened_images  # noqa: PLC0415 - start-up

    with ExitStack() as stack:
        _, images = stack.enter_context(opened_images(session, subject))
        for opened in images:
            if opened.cell is None or opened.cell.role == "executor" or len(images) == 1:
                yield _lint_image(session, opened)


def _is_own(folder: Path) -> bool:
    """Whether a name without a slash is meant as a folder."""
    return bool(_folder_files(folder)) or (folder / "layerwright.toml").is_file()


# images


def _lint_image(session: Session, opened: "OpenedImage") -> Linted:
    """An image that no engine has: its layers are read, and its entrypoint is judged by its words."""
    from layerwright.verify import read_contents  # noqa: PLC0415 - start-up

    with session.store.scratch() as scratch:
        contents = read_contents(opened.image, opened.blobs, scratch=scratch)
    files, closed, unread = _image_files(contents)
    settings = contents.image.settings
    view = ImageView(
        name=opened.name,
        files=files,
        closed=closed,
        unread=unread,
        start=_start(contents, settings.entrypoint, settings.command),
    )
    return Linted(name=opened.name, findings=judge_image(view))


def _lint_in_docker(session: Session, name: str, reference: str, *, ask: bool) -> Linted:
    """An image of Docker: only the files that matter are read, however large it is."""
    from layerwright.engines.docker import find_docker  # noqa: PLC0415 - start-up

    engine = find_docker(session.host)
    found = engine.inspect(reference)
    if found is None:
        raise UsageError(
            f"Docker has no image {reference}",
            hint=f"docker pull {reference}, or `docker images` lists those it has",
        )
    entrypoint, command = (_argv(found.config.get(key)) for key in ("Entrypoint", "Cmd"))
    with engine.files(reference) as inside:
        tree = {
            path: file for path, file in inside.tree(IMG_MAN).items() if path.endswith((".yaml", ".json"))
        }
        start = _start_by_modes(inside.mode, entrypoint, command)
    files = {path: file.content for path, file in tree.items()}
    view = ImageView(
        name=name,
        files=files,
        closed=tuple(path for path, file in tree.items() if not file.mode & 0o004),
        answers=_answers(session, reference, files) if ask else None,
        start=start,
    )
    return Linted(name=name, findings=judge_image(view), asked=view.answers is not None)


def _argv(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list | tuple) else ()


def _start_by_modes(
    mode: Callable[[str], int | None], entrypoint: tuple[str, ...], command: tuple[str, ...]
) -> Start:
    """How an image starts; ``mode`` gives a path's permission bits, None when nothing is there."""
    script = _script_of(command)
    if not script:
        return Start(entrypoint=entrypoint, command=command)
    own = mode(script)
    if own is None:
        return Start(entrypoint=entrypoint, command=command, script=script, script_state="absent")
    closed = "" if own & 0o004 else script
    for folder in map(str, PurePosixPath(script).parents):
        if not (mode(folder) or 0) & 0o001:
            closed = folder
    return Start(entrypoint=entrypoint, command=command, script=script, script_state="present", closed=closed)


def _image_files(contents: "Contents") -> tuple[dict[str, bytes], tuple[str, ...], tuple[str, ...]]:
    """The files of ``/img-man`` with their bytes; paths of those that others may not read, and of links elsewhere."""
    top = contents.tree.find(IMG_MAN)
    if top is None:
        return {}, (), ()
    files, closed, unread = dict[str, bytes](), list[str](), list[str]()
    for path, _ in contents.tree.walk(top):
        found = contents.tree.find(path)  # through links
        if found is None or found.entry.kind != "file" or not path.endswith((".yaml", ".json")):
            continue
        place = f"{IMG_MAN}{path.removeprefix(top.path)}"
        if found.entry.text is None:
            unread.append(place)
            continue
        files[place] = found.entry.text
        if not found.entry.mode & 0o004:
            closed.append(place)
    return files, tuple(closed), tuple(unread)


def _start(contents: "Contents", entrypoint: tuple[str, ...], command: tuple[str, ...]) -> Start:
    def mode(path: str) -> int | None:
        node = contents.tree.find(path)
        return None if node is None else node.entry.mode

    return _start_by_modes(mode, entrypoint, command)


def _script_of(command: tuple[str, ...]) -> str:
    """The file with the program that the command starts, as an absolute path; empty when it names none."""
    words = [word for word in command if not word.startswith("-")]
    if not words or "-c" in command:
        return ""
    shells = {"bash", "sh", "dash"}
    first = PurePosixPath(words[0]).name
    script = words[1] if first in shells and len(words) > 1 else words[0]
    return script if script.startswith("/") else ""


def _answers(session: Session, reference: str, files: Mapping[str, bytes]) -> dict[str, Answer] | None:
    """What ``cat FILE`` gives through the image's entrypoint; None without a client to ask with."""
    from layerwright.core.errors import RunStartError  # noqa: PLC0415 - start-up
    from layerwright.run.docker import engine_client  # noqa: PLC0415 - start-up

    try:
        client = engine_client("docker", session.host)
    except RunStartError as error:
        session.reporter(Notice(message=f"the entrypoint is judged by its words alone: {error.what}"))
        return None

    def ask(path: str) -> Answer:
        return _cat(session, [str(client), "run", "--rm", "--network=none", reference, "cat", path])

    answers = {MANIFEST_FILE: ask(MANIFEST_FILE)}
    own = [path for path in sorted(files) if path.endswith("-template.yaml")]
    wanted = dict.fromkeys([*wanted_files(read_answer(answers[MANIFEST_FILE])), *own])
    answers.update((path, ask(path)) for path in list(wanted)[:_PLATFORM_LIMIT])
    return answers


def _cat(session: Session, argv: list[str]) -> Answer:
    from layerwright.host.process import ProcessError, run  # noqa: PLC0415 - start-up

    try:
        done = run(argv, env=session.host.variables, timeout=_SECONDS, check=False)
    except ProcessError as error:
        raise EngineError(
            f"the image did not answer `{' '.join(argv[-2:])}`\n{error.output or error.what}",
            hint="look at the files alone: --no-engine",
        ) from error
    return Answer(exit_code=done.status, stdout=done.stdout, stderr=done.stderr)


# folders


def _folder_files(folder: Path) -> dict[str, Path]:
    """Files that go to ``/img-man``, by their path there: those of ``img-man``, else what has their names."""
    for top in (folder / "img-man", folder / "img_man"):
        if top.is_dir():
            found = (
                path
                for path in sorted(top.rglob("*"))
                if path.suffix in {".yaml", ".json"} and path.is_file()
            )
            return {f"{IMG_MAN}/{path.relative_to(top).as_posix()}": path for path in found}
    templates = {f"{IMG_MAN}/{path.name}": path for path in sorted(folder.glob(_TEMPLATES))}
    if templates:
        for path in (MANIFEST_FILE, PARAMETERS_FILE):
            own = folder / PurePosixPath(path).name
            if own.is_file():
                templates[path] = own
    return templates


def _lint_folder(session: Session, folder: Path, name: str) -> Linted:
    findings = list[Finding]()
    looked = False
    if (folder / "layerwright.toml").is_file() or (folder / "pyproject.toml").is_file():
        spec = _own_spec(session, Path(name))
        if spec is not None:
            cells = [cell for cell in spec.cells.values() if cell.role == "executor"]
            looked = bool(cells)
            for cell in cells:
                findings += described_findings(spec, cell)
    paths = _folder_files(folder)
    if paths:
        looked = True
        files = {path: _read(file) for path, file in paths.items()}
        shown = {path: _shown(file, session.start) for path, file in paths.items()}

        def place(path: str, key: str, line: int) -> Place:
            del key
            if path in shown:
                return Place(location=Location(file=shown[path], line=line))
            return Place(location=Location(file=name), path=path)

        findings += judge_image(ImageView(name=name, files=files), place)
        for file in _dockerfiles(folder):
            findings += dockerfile_findings(_read(file).decode(errors="replace"), _shown(file, session.start))
    if not looked:
        raise UsageError(
            f"there is nothing of an executor in {name}: no image with the role executor, no img-man, no {_TEMPLATES}",
            hint="`layerwright executor new NAME` makes a project; for an image, name it: docker:NAME, oci:DIR",
        )
    return Linted(name=name, findings=tuple(findings))


def _dockerfiles(folder: Path) -> list[Path]:
    from layerwright.lint import kind_of_file  # noqa: PLC0415 - start-up

    places = [place for place in (folder, folder / "docker") if place.is_dir()]
    return [
        path
        for place in places
        for path in sorted(place.iterdir())
        if path.is_file() and kind_of_file(path.name) == "dockerfile"
    ]


def _own_spec(session: Session, folder: Path) -> "Spec | None":
    from layerwright.spec.load import find_spec, load_spec  # noqa: PLC0415 - start-up

    try:
        find_spec(folder, session.start)
    except UsageError:
        return None  # a pyproject.toml of something else
    return load_spec(folder, session.start, session.settings)


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(_LARGEST + 1)
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error


def _shown(file: Path, start: Path) -> str:
    try:
        return str(file.resolve().relative_to(start.resolve()))
    except ValueError:
        return str(file)


# specs


def described_findings(spec: "Spec", cell: "Cell") -> tuple[Finding, ...]:
    """What the rules find in the files that an executor's image will have, at the keys that they come from."""
    if cell.role != "executor" or cell.executor is None:
        return ()
    texts = image_files(cell.executor)
    places = {
        one.parameter.name: replace(one.location, key=f"{one.location.key}.name") for one in cell.parameters
    }

    def place(path: str, key: str, line: int) -> Place:
        del line
        if not path:
            return Place(location=cell.location, image=cell.name)
        return Place(
            location=places.get(key, cell.location), image=cell.name, path="" if key in places else path
        )

    view = ImageView(
        name=cell.name,
        files={path: text.encode() for path, text in texts.items()},
        start=_described_start(spec, cell),
    )
    # Templates of several tasks have the same fault of the same parameter.
    return tuple(dict.fromkeys(judge_image(view, place)))


def _described_start(spec: "Spec", cell: "Cell") -> Start:
    """How the image will start, as far as the spec says."""
    entrypoint = (ENTRY_PATH, *cell.entrypoint) if cell.entry_program else cell.entrypoint
    outermost = cell
    while outermost.base.kind == "image":
        outermost = spec.cells[outermost.base.source]
    inherits = "" if entrypoint or outermost.base.kind == "debian" else str(outermost.base)
    script = _script_of(cell.command)
    chain = [cell]
    while chain[-1].base.kind == "image":
        chain.append(spec.cells[chain[-1].base.source])
    known = chain[-1].base.kind == "debian" and not any(one.run for one in chain)
    given = [item.to for one in chain for item in one.copy] + [
        model.to for one in chain for model in one.models
    ]
    folders = [str(parent) for parent in PurePosixPath(script).parents]
    present = script in given or any(folder in given for folder in folders)
    state = "present" if present else "absent" if known else "unknown"
    return Start(
        entrypoint=entrypoint, command=cell.command, inherits=inherits, script=script, script_state=state
    )
