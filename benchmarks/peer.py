"""The peers: ``docker build`` with BuildKit, packages by uv or by pip, from the same lock and over the same base."""

import os
import shutil
import tomllib
from pathlib import Path

from measure import Command, run
from ours import Ours

from engine import Engine

# The cache mount and the wheels, as a mount too, are what stands in for layerwright's store: nothing is downloaded.
_FROM = "--quiet --no-index --find-links /wheels --no-deps --require-hashes -r {file}"
_INSTALL = {
    "uv": f"uv pip install --offline {_FROM}",
    "uv-bytecode": f"uv pip install --offline --compile-bytecode {_FROM}",
    "pip": f"python -m pip install --root-user-action ignore {_FROM}",
}
_DOCKERFILE = """\
FROM {base}
ENV UV_LINK_MODE=copy
RUN --mount=type=cache,id=bench-uv,target=/root/.cache \\
    --mount=type=bind,from={wheels},target=/wheels \\
    --mount=type=bind,source=requirements-{image}.txt,target=/tmp/requirements.txt \\
    {install}
COPY {source} /opt/app
"""
_BASE = """\
FROM {base}
COPY uv /usr/local/bin/uv
COPY pip /opt/venv/lib/python3.11/site-packages
"""


class Peer:
    """Builds the set's environment with Docker."""

    def __init__(self, ours: Ours, engine: Engine, uv: Path, pip: Path) -> None:
        """Make base, image of wheels and warm caches, outside any clock.

        Args:
            ours: the set, prepared.
            engine: where to; it must have our base.
            uv: uv's program, which goes into the base.
            pip: folder with pip's packages, which go there, too.
        """
        self.ours = ours
        self.engine = engine
        self.uv = uv
        self.turn = 0
        name = ours.set.name
        self.base = f"bench-{name}:base-peer"
        self.wheels = f"bench-{name}:wheels"
        self.context = ours.work / "context"
        shutil.rmtree(self.context, ignore_errors=True)
        self.context.mkdir()
        self._make_base(f"bench-{name}:base", uv, pip)
        self._make_wheels()
        self.source("first")
        for number in (0, 1):
            self.pin(number)
            run(self.build("uv"))  # fills its cache; pip has no use for one when wheels are files

    @property
    def kept(self) -> tuple[str, ...]:
        """Images that stay between turns."""
        return self.base, self.wheels, self.base.removesuffix("-peer")

    def _make_base(self, base: str, uv: Path, pip: Path) -> None:
        shutil.copy(uv, self.context / "uv")
        shutil.copytree(pip, self.context / "pip")
        (self.context / "Dockerfile").write_text(_BASE.format(base=base))
        run(self.engine.docker("build", "--quiet", "--tag", self.base, ".", cwd=self.context))
        shutil.rmtree(self.context / "pip")
        (self.context / "uv").unlink()

    def _make_wheels(self) -> None:
        dockerfile = self.context / "Dockerfile"
        dockerfile.write_text("FROM scratch\nCOPY *.whl /\n")
        words = ("build", "--quiet", "--tag", self.wheels, "--file", dockerfile, self.ours.wheelhouse)
        run(self.engine.docker(*words))

    def pin(self, number: int, image: str = "app", cell: str = "") -> None:
        """Write the hashed requirements of a lock, with a remark that is new every time: no step is ever cached."""
        self.turn += 1
        lines = [
            f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}"
            for wheel in self.ours.wheels(number, cell or image)
        ]
        text = "\n".join([f"# turn {os.getpid()} {self.turn}", *lines])
        (self.context / f"requirements-{image}.txt").write_text(text + "\n")

    def source(self, word: str, folder: str = "src") -> None:
        """Change the source file."""
        (self.context / folder).mkdir(exist_ok=True)
        (self.context / folder / "app.py").write_text(f"WORD = {word!r}\n")

    def reference(self, tool: str, image: str = "app") -> str:
        """The name of the image that a tool makes."""
        return f"bench-{self.ours.set.name}:{tool}-{image}"

    def build(
        self, tool: str, *, image: str = "app", source: str = "src", cold: bool = False, name: str = ""
    ) -> Command:
        """``docker build`` of an image."""
        dockerfile = self.context / f"Dockerfile.{tool}-{image}-{source}"
        dockerfile.write_text(
            _DOCKERFILE.format(
                base=self.base,
                wheels=self.wheels,
                image=image,
                source=source,
                install=_INSTALL[tool].format(file="/tmp/requirements.txt"),
            )
        )
        words = ["build", "--quiet", "--network", "none", "--tag", name or self.reference(tool, image)]
        words += ["--no-cache"] if cold else []
        return self.engine.docker(*words, "--file", dockerfile, ".", cwd=self.context)

    def start_in(self, engine: Engine, reference: str, arguments: list[str], expect: str) -> Command:
        """``docker run`` of an image, with Docker's own default network."""
        return engine.docker("run", "--rm", reference, *arguments, expect=expect)

    def compile(self, number: int) -> Command:
        """``uv pip compile`` of the set's requirements, as somebody would run it before the build."""
        self.ours.spec(number)
        spec = tomllib.loads((self.ours.project / "layerwright.toml").read_text())
        lines = [f"{package}\n" for package in spec["images"]["app"]["packages"]]
        (self.context / "requirements.in").write_text("".join(lines))
        argv = [self.uv, "pip", "compile", "--quiet", "--generate-hashes", "--python-version", "3.11"]
        argv += ["--python-platform", "x86_64-manylinux_2_36", "requirements.in", "-o", "requirements.out"]
        for name, index in spec.get("indexes", {}).items():
            variable = f"LAYERWRIGHT_INDEX_{name.upper().replace('-', '_')}"
            place = self.ours.variables.get(variable, index["url"])
            argv += ["--find-links" if Path(place).is_dir() else "--index", place]
        return Command(argv=argv, env=self.ours.variables, cwd=self.context)
