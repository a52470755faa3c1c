"""What can be asked of Podman: whether it has an image, a pull, names; and what kind of Podman it is.

By its command line: there is no daemon to talk to, and the API service would have to be started first. A call takes
20 to 50 ms.
"""

import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from layerwright.core.errors import EngineError
from layerwright.engines.model import LocalImage
from layerwright.host.environment import HostEnvironment
from layerwright.host.process import Completed, ProcessError, find_program, run
from layerwright.oci.digest import Digest
from layerwright.oci.platform import architecture_of

if TYPE_CHECKING:
    from layerwright.core.events import Reporter
    from layerwright.engines.client import Build
    from layerwright.oci.blobs import BlobSource
    from layerwright.oci.image import Image

__all__ = ["Podman", "Runner", "find_podman"]

Runner = Callable[..., Completed]
"""``host.process.run``, or a recorder in its place."""

_QUICK: Final = 60.0
_PULL_SECONDS: Final = 3600.0
_ABSENT: Final = 1
_MOST_LEFT: Final = 20
_USED_BY: Final = re.compile(r"used by ([0-9a-f]{64})")
_READ_BYTES: Final = 4 << 20
"""Of a file of an image."""
# Static programs, so that they run in any image (Debian's plain ``tini`` is not one). Unlike Podman's own catatonit,
# which ends with 1 (0.1.7, seen), they end with 127 when the image has no such program, as Docker does.
_INITS: Final = ("tini-static", "docker-init")
# Where podman looks by itself (containers-common, ``init_path``; distributions put the program elsewhere).
_OWN_INITS: Final = (
    "/usr/libexec/podman/catatonit",
    "/usr/lib/podman/catatonit",
    "/usr/local/libexec/podman/catatonit",
    "/usr/local/lib/podman/catatonit",
)


class Podman(Struct, frozen=True, kw_only=True):
    """A Podman on this machine, used by the caller.

    Attributes:
        program: absolute path.
        host: its environment is the client's.
        rootless: it runs without root, in the caller's user namespace.
        runtime: ``runc`` or ``crun``; empty when it was not asked.
        init: the program that is to be PID 1; empty for Podman's own.
    """

    program: Path
    host: HostEnvironment
    rootless: bool
    runtime: str = ""
    init: str = ""
    runner: Runner = run

    @property
    def keeps_groups(self) -> bool:
        """Whether the caller's groups can stay in force without root; crun alone can."""
        return self.runtime == "crun"

    @property
    def platform(self) -> str:
        """``linux/amd64``: that of this machine."""
        return f"linux/{architecture_of(os.uname().machine)}"

    def has(self, identifier: Digest) -> bool:
        """Whether there is an image of this id, which is its config's digest.

        Raises:
            EngineError: Podman fails.
        """
        done = self._ask(["image", "exists", identifier.hex], check=False)
        if done.status not in {0, _ABSENT}:
            raise EngineError(f"podman does not work here\n{done.stderr.decode(errors='replace').strip()}")
        return done.status == 0

    def bring(
        self,
        image: "Image",
        blobs: "BlobSource",
        references: Sequence[str],
        *,
        reporter: "Reporter | None" = None,
        task: str = "load",
    ) -> None:
        """Bring an image in: Podman pulls from a registry of this process the layers that it lacks.

        Layers go as plain tars: the config, and so the image's id, is the same, and nothing is compressed for a way
        of no length.

        Args:
            image: what to bring.
            blobs: gives its layers.
            references: ``name:tag`` for each name it gets.
            reporter: gets ``BytesMoved`` when it is there.
            task: the started task these belong to.

        Raises:
            EngineError: Podman refuses, or has another image afterwards.
            IntegrityError: the bytes of a layer are not those of its digest.
        """
        from layerwright.core.events import BytesMoved  # noqa: PLC0415 - start-up
        from layerwright.engines.loopback import serve  # noqa: PLC0415 - start-up

        if not self.has(image.config_digest):
            with serve(image, blobs, layers="tar") as served:
                try:
                    self.pull(served.reference)
                except EngineError:
                    if served.failures:  # the true reason; Podman only saw a broken download
                        raise served.failures[0] from None
                    raise
        if not self.has(image.config_digest):
            raise EngineError(f"podman has another image than {image.config_digest} after its pull")
        if reporter is not None:
            reporter(BytesMoved(task=task, amount=sum(layer.tar_size for layer in image.layers)))
        self.name(image.config_digest, references)

    def pull(self, reference: str) -> None:
        """Pull from a loopback address, without credentials or TLS.

        Raises:
            EngineError: Podman or the registry refuses.
        """
        self._ask(["pull", "--quiet", "--tls-verify=false", reference], timeout=_PULL_SECONDS)

    def name(self, identifier: Digest, references: Sequence[str]) -> None:
        """Give an image names.

        Raises:
            EngineError: Podman refuses.
        """
        self._ask(["tag", identifier.hex, *references])

    def inspect(self, identifier: Digest) -> LocalImage | None:
        """An image by its id, or None when Podman does not have it.

        Raises:
            EngineError: Podman fails.
        """
        if not self.has(identifier):
            return None
        shown = self._ask(["image", "inspect", identifier.hex]).stdout
        try:
            (document,) = json.loads(shown)
            return LocalImage(
                identifier=Digest.parse(f"sha256:{document['Id']}"),
                references=tuple(document.get("RepoTags") or ()),
                layers=tuple(Digest.parse(text) for text in document["RootFS"].get("Layers") or ()),
                config=document.get("Config") or {},
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise EngineError(f"Podman's description of image {identifier.short} cannot be read") from error

    def save(self, identifier: Digest, file: Path) -> None:
        """Write an image as a docker archive.

        Raises:
            EngineError: Podman refuses.
        """
        words = ["save", "--quiet", "--format=docker-archive", f"--output={file}", identifier.hex]
        self._ask(words, timeout=_PULL_SECONDS)

    def read(self, identifier: Digest, path: str, *, scratch: Path) -> bytes:
        """The end of a file of an image, 4 MiB at most; empty when there is no such file.

        Raises:
            EngineError: Podman refuses.
        """
        # Containers have files, images have not; this one is never started.
        words = ["create", "--quiet", "--pull=never", "--entrypoint=", identifier.hex, "-"]
        container = self._ask(words).text.split()[-1]
        copy = scratch / "read"
        try:
            if self._ask(["cp", f"{container}:{path}", str(copy)], check=False).status != 0:
                return b""
            with copy.open("rb") as file:
                file.seek(max(0, copy.stat().st_size - _READ_BYTES))
                return file.read()
        finally:
            copy.unlink(missing_ok=True)
            self._ask(["rm", "--force", container])

    def remove(self, identifier: Digest, *, steps: bool) -> None:
        """Remove an image; no image is no error.

        Args:
            identifier: the image.
            steps: also the images without a name below and above it, which are the build cache's; without, they
                stay for the next build.

        Raises:
            EngineError: a container uses it.
        """
        if not steps:
            if self.has(identifier):
                self._ask(["image", "rm", "--no-prune", identifier.hex])
            return
        for one in (*self._tops(identifier), identifier):
            if self.has(one):  # each takes those below it along that nothing else stands on
                self._take(one)

    def _take(self, identifier: Digest) -> None:
        """Remove an image, and what builds that were broken off left upon it or below: containers without a name.

        Podman lists those with ``--external`` only, and ``container exists`` does not know them.

        Raises:
            EngineError: a container of somebody's uses it.
        """
        words = ""
        for _ in range(_MOST_LEFT):
            done = self._ask(["image", "rm", identifier.hex], check=False)
            if done.status == 0 or not self.has(identifier):
                return
            words = done.stderr.decode(errors="replace").strip()
            left = [
                one
                for one in _USED_BY.findall(words)
                if self._ask(["container", "exists", one], check=False).status
            ]
            if not left:
                break
            self._ask(["rm", "--force", *left])
        raise EngineError(f"podman could not remove the image {identifier.short}\n{words}")

    def _tops(self, identifier: Digest) -> tuple[Digest, ...]:
        """The images without a name that stand on this one and have none upon them."""
        known = self._ask(["images", "--all", "--quiet", "--no-trunc"]).text.split()
        form = "{{.Id}} {{len .RepoTags}} {{.Parent}}"
        rows = self._ask(["image", "inspect", "--format", form, *dict.fromkeys(known)], check=False).text
        parents = {}
        for row in rows.splitlines():
            name, names, parent = (*row.split(), "", "")[:3]
            if names == "0":
                parents[name] = parent
        above = {identifier.hex}
        while more := {name for name, parent in parents.items() if parent in above} - above:
            above |= more
        tops = above - set(parents.values()) - {identifier.hex}
        return tuple(Digest.parse(f"sha256:{name}") for name in sorted(tops))

    def build(
        self, wanted: "Build", *, scratch: Path, on_line: Callable[[str], None] | None = None
    ) -> Digest:
        """Build an image; returns its id.

        Args:
            wanted: what to build; its bases must be here under names with a host.
            scratch: folder for the image id.
            on_line: gets the progress, line by line.

        Raises:
            EngineError: the build failed; the message has its last lines.
        """
        result = scratch / "image-id"
        argv = [
            str(self.program),
            "build",
            "--pull=never",
            "--format=oci",
            # Labels and variables are those of the plan and no other.
            "--identity-label=false",
            "--http-proxy=false",
            f"--iidfile={result}",
            f"--file={wanted.dockerfile}",
        ]
        argv += [f"--network={wanted.network}"] if wanted.network != "default" else []
        argv += [f"--platform={wanted.platform}"] if wanted.platform else []
        argv += [f"--target={wanted.target}"] if wanted.target else []
        argv += ["--layers"] if wanted.cache else ["--no-cache"]
        argv += [f"--tag={reference}" for reference in wanted.references]
        argv += [f"--secret=id={name},src={file}" for name, file in (wanted.secrets or {}).items()]
        argv.append(str(wanted.context))
        try:
            self.runner(
                argv,
                env={
                    name: value
                    for name, value in self.host.variables.items()
                    if not self.host.seen.stands_in(value)
                },
                timeout=wanted.timeout,
                on_line=on_line,
                masked=wanted.masked,
            )
        except ProcessError as error:
            raise EngineError(f"podman could not build the image\n{error.what}", hint=error.hint) from error
        return Digest.parse(result.read_text(encoding="ascii").strip())

    def ask_runtime(self) -> str:
        """The name of its OCI runtime: ``runc``, ``crun``. Takes 0.1 to 0.2 s.

        Raises:
            EngineError: Podman fails.
        """
        try:
            return self.runner(
                [str(self.program), "info", "--format", "{{.Host.OCIRuntime.Name}}"],
                env=self.host.variables,
                timeout=_QUICK,
            ).text.strip()
        except ProcessError as error:
            raise EngineError(f"podman does not work here\n{error.what}") from error

    def _ask(self, words: Sequence[str], *, check: bool = True, timeout: float = _QUICK) -> Completed:
        try:
            return self.runner(
                [str(self.program), *words], env=self.host.variables, timeout=timeout, check=check
            )
        except ProcessError as error:
            raise EngineError(f"podman could not {words[0]} the image\n{error.what}") from error


def find_podman(host: HostEnvironment, *, runner: Runner = run) -> Podman:
    """Find the caller's Podman.

    Raises:
        EngineError: there is none.
    """
    program = find_program("podman", host.path)
    if program is None:
        raise EngineError("there is no podman on PATH", hint="as root: apt-get install podman")
    return Podman(program=program, host=host, rootless=host.uid != 0, init=_init(host), runner=runner)


def _init(host: HostEnvironment) -> str:
    for name in _INITS:
        program = find_program(name, host.path)
        if program is not None:
            return str(program)
    if any(os.access(path, os.X_OK) for path in _OWN_INITS):
        return ""
    return str(find_program("catatonit", host.path) or "")
