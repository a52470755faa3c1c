"""layerwright's side: a project whose pin and source change, and stores in a known state."""

import os
import shutil
import subprocess
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from measure import Command, run

from engine import Engine

SETS = Path(__file__).parent / "sets"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageSet:
    """An environment that is measured.

    Attributes:
        name: folder below ``sets``.
        title: what the table says.
        module: what the program imports to show that it has the pinned package.
        package: the small pinned package.
        versions: what the spec pins, what it is changed to, and what it is changed to with resolution.
        program: Python that shows that the heavy packages work, run once before anything is measured.
    """

    name: str
    title: str
    module: str
    package: str
    versions: tuple[str, str, str]
    program: str


PACKAGE_SETS = {
    one.name: one
    for one in (
        PackageSet(
            name="ocr",
            title="A: OCR inference (examples/ocr)",
            module="yaml",
            package="pyyaml",
            versions=("6.0.3", "6.0.2", "6.0.1"),
            program="import cv2, onnxruntime, rapidocr_onnxruntime",
        ),
        PackageSet(
            name="torch",
            title="C: torch for CPUs (examples/train-digits)",
            module="tqdm",
            package="tqdm",
            versions=("4.67.1", "4.67.0", "4.66.6"),
            program="import torch, sklearn, matplotlib; print(torch.ones(2, 2) @ torch.ones(2, 2))",
        ),
        PackageSet(
            name="gpu",
            title="B: onnxruntime-gpu[cuda,cudnn]",
            module="yaml",
            package="pyyaml",
            versions=("6.0.3", "6.0.2", "6.0.1"),
            program="import onnxruntime; assert 'CUDAExecutionProvider' in onnxruntime.get_available_providers()",
        ),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A locked wheel."""

    name: str
    version: str
    file: str
    sha256: str
    size: int


class Ours:
    """Runs layerwright on one set.

    Stores: ``template`` holds the built and once started base and every wheel, but nothing that is made of wheels;
    each cold measurement gets a copy of it, in hard links. ``wheelhouse`` holds the wheels by file name.
    """

    def __init__(
        self, work: Path, package_set: PackageSet, program: Path, variables: Mapping[str, str]
    ) -> None:
        """Set the project up; ``prepare`` does the rest."""
        self.set = package_set
        self.program = program
        self.work = work / package_set.name
        self.project = self.work / "project"
        self.template = self.work / "template"
        self.variables = {**variables, "UV_CACHE_DIR": str(work / "uv")}
        self.stores = self.work / "stores"
        self.wheelhouse = self.work / "wheelhouse"
        self.count = 0
        self._remove_stores()

    def prepare(self) -> None:
        """Lock each state of the spec, build the base, fetch all wheels."""
        for folder in ("src", "one", "two"):
            (self.project / folder).mkdir(parents=True, exist_ok=True)
            (self.project / folder / "app.py").write_text(f"WORD = {folder!r}\n")
        for number in range(3):
            self.locked(number)
            self.spec(number)
            if not self._lock(number).exists():
                begin = self._lock(number - 1) if number else SETS / self.set.name / "layerwright.lock"
                shutil.copy(begin, self.project / "layerwright.lock")
                run(self.command(self.template, "lock"))
                shutil.copy(self.project / "layerwright.lock", self._lock(number))
        self.state(0)
        run(self.command(self.template, "run", "base", "-c", "pass"))
        missing = {wheel.sha256 for number in range(3) for wheel in self.wheels(number, "")}
        if not all(self._wheel_path(sha256).exists() for sha256 in missing):
            filled = self.store()
            for number in range(3):
                self.state(number)
                images = () if number == 0 else ("plain",)
                run(self.command(filled, "build", *images))
            run(self.command(filled, "run", "app", "-c", self.set.program))
            subprocess.run(["cp", "-al", f"{filled}/wheels", f"{self.template}/"], check=True)
            self.state(0)
        shutil.rmtree(self.wheelhouse, ignore_errors=True)
        self.wheelhouse.mkdir()
        for number in range(3):
            for wheel in self.wheels(number, ""):
                if not (self.wheelhouse / wheel.file).exists():
                    os.link(self._wheel_path(wheel.sha256), self.wheelhouse / wheel.file)

    # The project's states.

    def _lock(self, number: int) -> Path:
        return self.work / f"layerwright.lock.{number}"

    def spec(self, number: int) -> None:
        """Write the spec with one of the versions."""
        text = (SETS / self.set.name / "layerwright.toml").read_text()
        first = f"{self.set.package}=={self.set.versions[0]}"
        if first not in text:
            raise SystemExit(f"{first} is not in the spec of {self.set.name}")
        changed = text.replace(first, f"{self.set.package}=={self.set.versions[number]}")
        (self.project / "layerwright.toml").write_text(changed)

    def locked(self, number: int) -> None:
        """Put the lock of one of the versions in place."""
        if self._lock(number).exists():
            shutil.copy(self._lock(number), self.project / "layerwright.lock")

    def state(self, number: int, word: str = "first") -> None:
        """Spec and lock of one of the versions, and the source."""
        self.spec(number)
        self.locked(number)
        self.source(word)

    def source(self, word: str) -> None:
        """Change the one source file."""
        (self.project / "src" / "app.py").write_text(f"WORD = {word!r}\n")

    def check(self, number: int, word: str = "first") -> tuple[list[str], str]:
        """Arguments of Python that show version and source, and what they print."""
        text = f"import app, {self.set.module} as m; print('ran', m.__version__, app.WORD)"
        return ["-c", text], f"ran {self.set.versions[number]} {word}"

    def wheels(self, number: int, cell: str) -> list[Wheel]:
        """Wheels of a cell, or of all cells."""
        lock = tomllib.loads(self._lock(number).read_text())
        cells = [lock["cells"][cell]] if cell else lock["cells"].values()
        found = {wheel["sha256"]: wheel for one in cells for wheel in one.get("wheels", ())}
        names = ("name", "version", "file", "sha256", "size")
        return [Wheel(**{name: wheel[name] for name in names}) for wheel in found.values()]

    def _wheel_path(self, sha256: str) -> Path:
        return self.template / "wheels" / sha256[:2] / sha256

    # Stores.

    def store(self) -> Path:
        """A new store in the template's state."""
        self.count += 1
        store = self.stores / str(self.count)
        self.stores.mkdir(exist_ok=True)
        if self.template.exists():
            subprocess.run(["cp", "-al", self.template, store], check=True)
        return store

    def _remove_stores(self) -> None:
        if self.stores.exists():
            subprocess.run(["rm", "-rf", self.stores], check=True)

    def forget(self) -> None:
        """Remove the stores that measurements made."""
        self._remove_stores()

    def command(
        self, store: Path, *words: str | Path, engine: Engine | None = None, expect: str = ""
    ) -> Command:
        """A layerwright command; with an engine in its network and for it."""
        argv: Sequence[str | Path] = [self.program, "--store", store, *words]
        env = self.variables if engine is None else {**self.variables, **engine.env}
        return Command(
            argv=argv if engine is None else engine.inside(argv), env=env, cwd=self.project, expect=expect
        )
