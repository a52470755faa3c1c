"""One table of the spec (defaults, image or override) checked and turned into the model's types.

Types that stay inside this room are msgspec Structs: making a frozen dataclass costs a millisecond at start-up.
"""

import os.path
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeVar

from msgspec import UNSET, Struct, UnsetType, field

from layerwright.core.addresses import has_credential
from layerwright.core.source import Location
from layerwright.facts.gpu_architectures import known_architectures, parse_architecture
from layerwright.oci.platform import Platform
from layerwright.spec.base import parse_base
from layerwright.spec.faults import Fault, KeyPath, format_key, parse_key
from layerwright.spec.keys import (
    BuildTestTable,
    CopyTable,
    DefaultsTable,
    ImageTable,
    ModelTable,
    OverrideTable,
    PackageTable,
    RunStep,
    RunTable,
)
from layerwright.spec.model import (
    Base,
    BuildTest,
    CopyItem,
    GitPackage,
    IndexPackage,
    Model,
    Mount,
    Package,
    PathPackage,
    RunItem,
    UrlPackage,
)
from layerwright.spec.requirement import requirement_fault

if TYPE_CHECKING:
    from layerwright.ymir.parameter import Parameter

__all__ = ["Part", "Reader", "split_words", "value_or"]

S = TypeVar("S")
T = TypeVar("T")

_PLAIN_WORDS = re.compile(r"[A-Za-z0-9_./:=,+@% -]+")
_BASE_HINT = (
    "such as: debian:bookworm, image:NAME, oci:DIR, archive:FILE, docker:NAME:TAG, or python:3.11-slim"
)
_ADDRESS_HINT = (
    'such as: { path = "." }, { git = "https://…", rev = "v1.0" } or { url = "https://…", sha256 = "…" }'
)
_WISHES = frozenset({"auto", "detect", "native"})
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://.+")


class Part(Struct, frozen=True, kw_only=True):
    """What one table says, checked; ``None`` where it says nothing.

    Attributes:
        path: the table's place in the spec.
        base: what ``from`` means; ``debian`` may still lack its suite.
        gpu_arch: the architecture's own name; empty where nothing is said.
        table: the table as written, for the values that need no conversion.
    """

    path: KeyPath
    table: DefaultsTable
    base: Base | None = None
    platform: Platform | None = None
    gpu_arch: str = ""
    packages: tuple[Package, ...] = ()
    models: tuple[Model, ...] = ()
    copy: tuple[CopyItem, ...] = ()
    run: tuple[RunItem, ...] = ()
    tests: tuple[BuildTest, ...] = ()
    smoke: tuple[RunItem, ...] = ()
    options: RunTable = field(default_factory=RunTable)
    mounts: tuple[Mount, ...] = ()
    parameters: "tuple[Parameter | None, ...]" = ()

    @property
    def name(self) -> str:
        """The repository name it gives; empty for none."""
        table = self.table
        return value_or(table.name, "") if isinstance(table, ImageTable | OverrideTable) else ""


def value_or(value: T | UnsetType, otherwise: T) -> T:
    """The value, or the other where the key is absent."""
    return otherwise if value is UNSET else value


class Reader:
    """Turns tables into parts and collects their faults.

    Args:
        file: the spec's path as the user gave it.
        root: folder that relative paths start from.
        prefix: where in the file the spec begins.
    """

    def __init__(self, *, file: str, root: Path, prefix: KeyPath) -> None:
        self.faults: list[Fault] = []
        self._file = file
        self._root = root
        self._prefix = prefix

    def location(self, path: KeyPath) -> Location:
        """Location of a key; line and column are looked up only when it is shown (``positions.locate``)."""
        return Location(file=self._file, key=format_key(self._prefix + path))

    def path(self, location: Location) -> KeyPath:
        """The path a location was made of."""
        return parse_key(location.key)[len(self._prefix) :]

    def fault(self, path: KeyPath, what: str, hint: str = "", *, at_key: bool = False) -> None:
        """Note a fault."""
        self.faults.append(Fault(path, what, hint, at_key))

    def part(self, table: DefaultsTable, path: KeyPath) -> Part:
        """Check a table's values; what is faulty is noted and left out."""
        run = table.run
        options = run if isinstance(run, RunTable) else RunTable()
        commands = run.commands if isinstance(run, RunTable) else value_or(run, ())
        run_path = (*path, "run", "commands") if isinstance(run, RunTable) else (*path, "run")
        self._check_requirements(table.constraints, (*path, "constraints"))
        self._check_date(table, path)
        return Part(
            path=path,
            table=table,
            base=self._base(table, path),
            platform=self._platform(table, path),
            gpu_arch=self.architecture(value_or(table.gpu_arch, ""), (*path, "gpu_arch")),
            packages=self._each(table.packages, (*path, "packages"), self._package),
            models=self._each(table.models, (*path, "models"), self._model),
            copy=self._each(table.copy, (*path, "copy"), self._copy),
            run=self._each(commands, run_path, self._run),
            tests=self._each(table.tests, (*path, "tests"), self._test),
            smoke=self._each(table.smoke, (*path, "smoke"), self._smoke),
            options=options,
            mounts=tuple(
                Mount(source=mount.from_, to=mount.to, read_only=mount.read_only) for mount in options.mounts
            ),
            parameters=self._parameters(table, path),
        )

    def _parameters(self, table: DefaultsTable, path: KeyPath) -> "tuple[Parameter | None, ...]":
        if not table.parameters:
            return ()
        from layerwright.spec.executors import read_parameters  # noqa: PLC0415 - start-up

        return read_parameters(table.parameters, (*path, "parameters"), self)

    def check_to(self, to: str, path: KeyPath) -> None:
        """A path in the image has no ``..``."""
        if ".." in PurePosixPath(to).parts:
            self.fault((*path, "to"), f"{to!r} has '..' in it", "write the path it stands for")

    def check_inside(self, source: str, path: KeyPath) -> bool:
        """The path does not leave the project by ``..``; an absolute path is the user's word."""
        if source.startswith("/") or os.path.normpath(source).split("/")[0] != "..":
            return True
        self.fault(
            path,
            f"{source!r} is outside of the project",
            "move it below the spec's folder, or name it by an absolute path",
        )
        return False

    def architecture(self, text: str, path: KeyPath) -> str:
        """The own name of a GPU architecture; empty for none, and after noting a fault."""
        if not text:
            return ""
        known = parse_architecture(text)
        if text.lower() in _WISHES:
            self.fault(
                path,
                "the GPU architecture is not found out: a spec gives the same image on every machine",
                f"name it: {known_architectures()}; `layerwright doctor` says which one this machine's GPUs have",
            )
            return ""
        if known is None:
            self.fault(
                path,
                f"the GPU architecture {text!r} is not known",
                f"known are {known_architectures()}; `layerwright doctor` says which one this machine's GPUs have",
            )
            return ""
        return known.name

    def _each(
        self, items: tuple[S, ...], path: KeyPath, convert: Callable[[S, KeyPath], T | None]
    ) -> tuple[T, ...]:
        converted = (convert(item, (*path, position)) for position, item in enumerate(items))
        return tuple(item for item in converted if item is not None)

    def _base(self, table: DefaultsTable, path: KeyPath) -> Base | None:
        text = value_or(table.from_, "")
        if not text:
            return None
        return self.base(text, (*path, "from"))

    def base(self, text: str, path: KeyPath) -> Base | None:
        """Read one ``from``; None after noting a fault."""
        if has_credential(text):
            self.fault(path, "a base must not hold credentials", "log in with `docker login`")
            return None
        try:
            return parse_base(text)
        except ValueError as error:
            self.fault(path, f"from: {error}", _BASE_HINT)
            return None

    def _platform(self, table: DefaultsTable, path: KeyPath) -> Platform | None:
        platforms = value_or(table.platforms, ())
        if not platforms:
            return None
        if len(platforms) > 1:
            self.fault(
                (*path, "platforms", 1),
                f"an image is built for exactly one platform for now, not {len(platforms)}",
                f'keep one, such as platforms = ["{platforms[0]}"]',
            )
            return None
        try:
            return Platform.parse(platforms[0])
        except ValueError as error:
            self.fault((*path, "platforms", 0), str(error))
            return None

    def _check_requirements(self, requirements: tuple[str, ...], path: KeyPath) -> None:
        for position, text in enumerate(requirements):
            if fault := requirement_fault(text):
                self.fault((*path, position), f"{text!r} is not a constraint: {fault}")

    def _check_date(self, table: DefaultsTable, path: KeyPath) -> None:
        date = value_or(table.exclude_newer, "")
        try:
            if date:
                datetime.fromisoformat(date)
        except ValueError as error:
            self.fault((*path, "exclude-newer"), f"{date!r} is no date: {error}")

    def _package(self, item: str | PackageTable, path: KeyPath) -> Package | None:
        if isinstance(item, str):
            fault = requirement_fault(item)
            if fault:
                hint = _ADDRESS_HINT if "://" in item else "such as: numpy>=2, or torch[opt-einsum]==2.6.0"
                self.fault(path, f"{item!r} is not a requirement: {fault}", hint)
                return None
            return IndexPackage(requirement=item, location=self.location(path))
        return self._package_table(item, path)

    def _package_table(self, item: PackageTable, path: KeyPath) -> Package | None:
        kinds = {"path": item.path, "git": item.git, "url": item.url}
        given = [kind for kind, value in kinds.items() if value is not UNSET]
        if len(given) != 1:
            said = f"not {' and '.join(given)}" if given else "which is missing"
            self.fault(path, f"a package table has exactly one of path, git and url, {said}", _ADDRESS_HINT)
            return None
        kind = given[0]
        where = self.location(path)
        extras = tuple(item.extras)
        goes_with = {"rev": "git", "subdirectory": "git", "sha256": "url"}
        for key, owner in goes_with.items():
            if owner != kind and getattr(item, key) is not UNSET:
                self.fault((*path, key), f"{key!r} goes with {owner!r}, not with {kind!r}", at_key=True)
        if kind == "path":
            source = value_or(item.path, "")
            self._check_project_path(source, (*path, "path"))
            return PathPackage(path=source, extras=extras, location=where)
        if kind == "git":
            source = value_or(item.git, "")
            self._check_address(source, (*path, "git"))
            if item.rev is UNSET:
                self.fault(path, "a git package needs 'rev'", 'add the commit or tag, such as rev = "v1.2.0"')
            return GitPackage(
                git=source,
                rev=value_or(item.rev, ""),
                subdirectory=value_or(item.subdirectory, ""),
                extras=extras,
                location=where,
            )
        source = value_or(item.url, "")
        self._check_url(source, (*path, "url"))
        if item.sha256 is UNSET:
            self.fault(
                path, "a package with an address needs 'sha256'", "the digest of the file that url serves"
            )
        if extras:
            self.fault((*path, "extras"), "'extras' goes with path and git, not with url", at_key=True)
        return UrlPackage(url=source, sha256=value_or(item.sha256, ""), location=where)

    def _model(self, item: ModelTable, path: KeyPath) -> Model:
        if "://" in item.url:
            self._check_url(item.url, (*path, "url"))
        else:
            # it need not be there: the store may have it, as a large model is seldom kept beside the code
            self.check_inside(item.url, (*path, "url"))
        self.check_to(item.to, path)
        if int(item.mode, 8) & 0o022:
            self.fault(
                (*path, "mode"),
                f"{item.mode!r} would let others write to the file",
                'root owns it; "0644" is for everybody to read, "0755" to run',
            )
        return Model(
            url=item.url, sha256=item.sha256, to=item.to, mode=int(item.mode, 8), location=self.location(path)
        )

    def _copy(self, item: CopyTable, path: KeyPath) -> CopyItem:
        self._check_project_path(item.from_, (*path, "from"))
        self.check_to(item.to, path)
        return CopyItem(source=item.from_, to=item.to, exclude=item.exclude, location=self.location(path))

    def _run(self, item: RunStep, path: KeyPath) -> RunItem | None:
        script = value_or(item.script, "")
        argv = value_or(item.argv, ())
        if bool(script) == bool(argv):
            both = "not both" if script else "which is missing"
            self.fault(path, f"a command has exactly one of script and argv, {both}")
            return None
        return RunItem(
            argv=argv or ("/bin/sh", "-euc", script),
            script=script,
            secrets=item.secrets,
            network=item.network,
            env=item.env,
            location=self.location(path),
        )

    def _test(self, item: BuildTestTable, path: KeyPath) -> BuildTest | None:
        command = self._run(item, path)
        junit = value_or(item.junit, "")
        for key, file in (("log", item.log), ("junit", junit)):
            if file and (file.endswith("/") or not PurePosixPath(file).name or ".." in file.split("/")):
                self.fault((*path, key), f"{file!r} is not a file's path", 'such as: "/home/ut_output.txt"')
        for position, name in enumerate(item.allow):
            if "\n" in name:
                self.fault((*path, "allow", position), f"{name!r} is no test's name: it has a line end")
        if junit == item.log:
            self.fault((*path, "junit"), f"log and junit are one file, {junit!r}", "give each its own")
        if command is None:
            return None
        return BuildTest(
            argv=command.argv,
            script=command.script,
            secrets=command.secrets,
            network=command.network,
            env=command.env,
            log=item.log,
            junit=junit,
            allow=item.allow,
            location=command.location,
        )

    def _smoke(self, item: str | tuple[str, ...], path: KeyPath) -> RunItem | None:
        try:
            argv = split_words(item) if isinstance(item, str) else item
        except ValueError as error:
            self.fault(path, f"a shell cannot split {item!r} into words: {error}", "close the quotes")
            return None
        if not argv:
            self.fault(path, "a smoke test needs a program to run")
            return None
        return RunItem(argv=argv, location=self.location(path))

    def _check_project_path(self, source: str, path: KeyPath) -> None:
        """The path exists, and does not leave the project by ``..``."""
        if self.check_inside(source, path) and not os.path.lexists(self._root / source):
            self._missing(source, path)

    def _missing(self, source: str, path: KeyPath) -> None:
        try:
            os.fsencode(source)
        except UnicodeEncodeError:
            self.fault(
                path,
                f"{source!r} cannot be a file name in this locale",
                "use a UTF-8 locale, or set PYTHONUTF8=1",
            )
        else:
            hint = "" if source.startswith("/") else f"looked for {self._root / source}"
            self.fault(path, f"{source!r} does not exist", hint)

    def _check_address(self, address: str, path: KeyPath) -> None:
        if has_credential(address):
            self.fault(
                path,
                "an address must not hold credentials",
                "remove them: the host's netrc or git credential helper gives them",
            )

    def _check_url(self, url: str, path: KeyPath) -> None:
        scheme = _SCHEME.fullmatch(url)
        if not scheme or scheme[1].lower() not in {"http", "https", "file"}:
            self.fault(path, f"{url!r} is not an http, https or file address")
        self._check_address(url, path)


def split_words(text: str) -> tuple[str, ...]:
    """Words of a command line, as a POSIX shell splits them.

    Raises:
        ValueError: a quote is not closed.
    """
    if _PLAIN_WORDS.fullmatch(text):
        return tuple(text.split())
    import shlex  # noqa: PLC0415 - start-up

    return tuple(shlex.split(text))
