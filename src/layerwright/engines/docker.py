"""What can be asked of a Docker engine: versions, images, load, pull, tags.

Written against Engine API 1.41 (Docker 20.10) and what later ones keep. Quirks are told where they are met, with the
version they were seen in.
"""

import contextlib
import io
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

from layerwright.core.errors import EngineError
from layerwright.engines.connection import Answer, Connection, Transport
from layerwright.engines.endpoint import Endpoint, find_endpoint
from layerwright.engines.model import EngineVersion, LocalImage
from layerwright.host.environment import HostEnvironment
from layerwright.oci.digest import Digest
from layerwright.oci.platform import architecture_of

if TYPE_CHECKING:
    from layerwright.core.events import BytesMoved, Reporter
    from layerwright.engines.files import ImageFiles
    from layerwright.oci.blobs import BlobSource
    from layerwright.oci.image import Image

__all__ = ["DockerEngine", "find_docker"]

_WANTED_API: Final = (1, 41)
"""Docker 20.10's. An engine of 2025 and later refuses it (29: at least 1.44), then its least is used."""

_LAST_WITH_WANTED: Final = (1, 51)
"""Docker 28.3's, the last that takes the wanted one for certain."""

_READ_BYTES: Final = 4 << 20
"""Of a file of an image."""


def find_docker(host: HostEnvironment) -> "DockerEngine":
    """Reach the engine that Docker's own client would use.

    Raises:
        EngineError: none answers.
    """
    endpoint = find_endpoint(host)
    return DockerEngine(Connection(endpoint), endpoint)


class DockerEngine:
    """One Docker engine; asks it when a method is called and remembers only what it is.

    Attributes:
        endpoint: where it listens.
        version: what it is.
    """

    def __init__(self, transport: Transport, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._transport = transport
        self.version = _ask_version(transport)

    def images(self) -> Iterator[LocalImage]:
        """All images, newest first; one that vanishes meanwhile is left out.

        Raises:
            EngineError: the engine fails.
        """
        for row in _rows(self._ask("GET", "/images/json").json()):
            image = self.inspect(str(row.get("Id", "")))
            if image is not None:
                yield image

    def inspect(self, reference: str) -> LocalImage | None:
        """An image by name or id, or None when the engine does not have it.

        Raises:
            EngineError: the engine fails.
        """
        answer = self._transport.request(
            "GET", f"{self.version.api}/images/{quote(reference, safe='/:@')}/json"
        )
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.status != HTTPStatus.OK:
            raise EngineError(f"Docker cannot inspect image {reference}: {answer.message}")
        document = answer.json()
        if isinstance(document, dict):
            with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
                return LocalImage(
                    identifier=Digest.parse(document["Id"]),
                    references=tuple(document.get("RepoTags") or ()),
                    layers=tuple(Digest.parse(text) for text in document["RootFS"].get("Layers") or ()),
                    config=document.get("Config") or {},
                )
        raise EngineError(f"Docker's description of image {reference} cannot be read")

    def identifier_of(self, image: "Image") -> Digest:
        """What this engine calls an image of ours once it has it."""
        return image.digest if self.version.containerd_store else image.config_digest

    def leading_layers(self, diff_ids: Sequence[Digest], *, likely: Sequence[str] = ()) -> int:
        """How many layers from the bottom the engine already has, in this order.

        Docker keeps a layer by the chain of everything below it, so only a common beginning counts. Leading layers
        that only a build cache or a running container holds are not seen. With the containerd store it is always 0:
        there a layer is known by its blob, and what blobs an image has is not told.

        Args:
            diff_ids: bottom first.
            likely: references to look at first.

        Raises:
            EngineError: the engine fails.
        """
        best = 0
        for image in () if self.version.containerd_store else self._candidates(likely):
            same = 0
            for ours, theirs in zip(diff_ids, image.layers, strict=False):
                if ours != theirs:
                    break
                same += 1
            best = max(best, same)
            if best == len(diff_ids):
                break
        return best

    def load(
        self,
        image: "Image",
        blobs: "BlobSource",
        references: Sequence[str],
        *,
        omit: int = 0,
        reporter: "Reporter | None" = None,
        task: str = "load",
    ) -> None:
        """Load an image as a stream, all layers or those above the ``omit`` lowest.

        The graph-driver store gets a docker archive of plain tars; that it takes one without the layers it has is
        not documented, but how it works (``image/tarexport/load.go``: a layer is only opened when its chain is
        unknown). The containerd store gets an OCI archive with the blobs as they are, so that it knows the image by our
        manifest's digest; a docker archive would be given a new manifest.

        Args:
            image: what to load.
            blobs: gives its layers.
            references: ``name:tag`` for each name the image gets.
            omit: layers from the bottom that the engine has.
            reporter: gets ``BytesMoved`` events as layers are registered.
            task: id of the started task these belong to.

        Raises:
            EngineError: the engine refuses, or dies.
            IntegrityError: the bytes of a layer are not those of its digest.
        """
        if self.version.containerd_store:
            from layerwright.oci.archive import oci_archive  # noqa: PLC0415 - start-up
            from layerwright.oci.reference import Reference  # noqa: PLC0415 - start-up

            names = [(str(Reference.parse(reference)), image) for reference in references]
            # Never without a layer: 28 takes an archive that lacks a blob and finds out when the image is used.
            body = oci_archive(names or [("", image)], blobs)
        else:
            # Docker hashes every layer itself and refuses one that is not what the config says.
            from layerwright.oci.archive import docker_archive  # noqa: PLC0415 - start-up

            body = docker_archive([(references, image)], blobs, omit=omit, check=False)
        for record in self._records(
            "POST", "/images/load?quiet=0", body, {"Content-Type": "application/x-tar"}
        ):
            if reporter is not None and (amount := record.moved):
                reporter(_moved(task, amount))

    def pull(self, reference: str, *, reporter: "Reporter | None" = None, task: str = "pull") -> None:
        """Pull an image by ``name:tag`` or ``name@digest``; no credentials are sent.

        Raises:
            EngineError: the engine or the registry refuses.
        """
        name, at, digest = reference.partition("@")
        if at:
            query = {"fromImage": name, "tag": digest}
        else:
            name, _, tag = reference.rpartition(":")
            query = {"fromImage": name, "tag": tag}
        for record in self._records("POST", f"/images/create?{urlencode(query)}", (), {}):
            if reporter is not None and record.status == "Extracting" and (amount := record.moved):
                reporter(_moved(task, amount))

    def save(self, reference: str) -> Iterator[bytes]:
        """The image as a docker archive, in pieces of at most 1 MiB.

        Raises:
            EngineError: there is no such image, or the engine fails.
        """
        return self._transport.stream(f"{self.version.api}/images/{quote(reference, safe='/:@')}/get")

    def read(self, reference: str, path: str) -> bytes:
        """The end of a file of an image, 4 MiB at most; empty when there is no such file.

        Raises:
            EngineError: there is no such image, or the engine fails.
        """
        # Containers have files, images have not; one that is never started costs nothing but its name.
        answer = self._transport.request(
            "POST",
            f"{self.version.api}/containers/create",
            body=json.dumps({"Image": reference, "Cmd": ["-"], "Entrypoint": []}).encode(),
            headers={"Content-Type": "application/json"},
        )
        document = answer.json()
        if answer.status != HTTPStatus.CREATED or not isinstance(document, dict):
            raise EngineError(f"Docker cannot look into image {reference}: {answer.message}")
        place = f"{self.version.api}/containers/{document['Id']}"
        try:
            query = urlencode({"path": path})
            if self._transport.request("HEAD", f"{place}/archive?{query}").status == HTTPStatus.NOT_FOUND:
                return b""
            return _end_of_file(self._transport.stream(f"{place}/archive?{query}"))
        finally:
            self._transport.request("DELETE", f"{place}?force=true&v=true")

    def files(self, reference: str) -> "ImageFiles":
        """Some files of an image, to be read while it is open; much cheaper than ``save`` when few are wanted."""
        from layerwright.engines.files import ImageFiles  # noqa: PLC0415 - start-up

        return ImageFiles(self._transport, self.version.api, reference)

    def tag(self, identifier: str, reference: str) -> None:
        """Give an image a further ``name:tag``.

        Raises:
            EngineError: the engine refuses.
        """
        name, _, tag = reference.rpartition(":")
        query = urlencode({"repo": name, "tag": tag})
        self._ask("POST", f"/images/{quote(identifier, safe='/:@')}/tag?{query}")

    def remove(self, reference: str) -> None:
        """Remove a name, and the image when it was its last one; no name and no image is no error.

        Raises:
            EngineError: a container uses it, or the engine fails.
        """
        path = f"{self.version.api}/images/{quote(reference, safe='/:@')}?noprune=true"
        answer = self._transport.request("DELETE", path)
        if answer.status not in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}:
            raise EngineError(f"Docker cannot remove image {reference}: {answer.message}")

    def forget_build_steps(self, commands: Collection[str]) -> None:
        """Drop the cached results of RUN steps; layers of images stay, since those hold them too.

        Results that others stand on stay as well. Found by their descriptions, removed by their ids: that is the
        one filter of ``/build/prune`` that works on 20.10 (a description there is never matched).

        Args:
            commands: each step's program and arguments, joined by blanks, as BuildKit describes a result.

        Raises:
            EngineError: the engine refuses.
        """
        wanted = {f"mount / from exec {command}" for command in commands}
        # From API 1.42 on the question can be for the build cache alone; before, it costs what all of "df" costs.
        usage = self._ask("GET", "/system/df?type=build-cache").json()
        rows = _rows(usage.get("BuildCache") if isinstance(usage, dict) else None)
        found = {
            str(row["ID"]): str(row.get("Parent", "")) for row in rows if row.get("Description") in wanted
        }
        # Top first: a result goes only when nothing stands on it.
        while tops := [one for one in found if one not in found.values()]:
            for one in tops:
                filters = urlencode({"all": "true", "filters": json.dumps({"id": {one: True}})})
                self._ask("POST", f"/build/prune?{filters}")
                del found[one]

    def _candidates(self, likely: Sequence[str]) -> Iterator[LocalImage]:
        for reference in likely:
            if (image := self.inspect(reference)) is not None:
                yield image
        yield from self.images()

    def _ask(self, method: str, path: str) -> Answer:
        answer = self._transport.request(method, self.version.api + path)
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise EngineError(f"Docker refused {method} {path.partition('?')[0]}: {answer.message}")
        return answer

    def _records(
        self, method: str, path: str, body: Iterator[bytes] | tuple[()], headers: Mapping[str, str]
    ) -> Iterator["_Record"]:
        done: dict[tuple[str, str], int] = {}
        for line in self._transport.lines(
            method, self.version.api + path, body=body or None, headers=headers
        ):
            try:
                document = json.loads(line)
            except ValueError:
                continue
            if message := document.get("error", ""):
                # The status line was sent before the failure, so a failure comes as a record.
                raise EngineError(
                    f"Docker cannot {'load' if 'load' in path else 'pull'} the image: {message}"
                )
            status = str(document.get("status", ""))
            key = (str(document.get("id", "")), status)
            current = int((document.get("progressDetail") or {}).get("current", 0))
            moved = max(0, current - done.get(key, 0))
            done[key] = max(current, done.get(key, 0))
            yield _Record(status=status, moved=moved)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """A line of progress: ``moved`` bytes since the last one about the same thing."""

    status: str
    moved: int


def _rows(document: object) -> list[Mapping[str, object]]:
    if not isinstance(document, list):
        raise EngineError("Docker's answer cannot be read: a list was expected")
    return [row for row in document if isinstance(row, dict)]


def _end_of_file(archive: Iterator[bytes]) -> bytes:
    """The last bytes of the first file of a tar."""
    import tarfile  # noqa: PLC0415 - start-up

    from layerwright.engines.files import Pieces  # noqa: PLC0415 - start-up

    end = b""
    with tarfile.open(fileobj=io.BufferedReader(Pieces(archive)), mode="r|") as tar:
        member = tar.next()
        file = tar.extractfile(member) if member is not None else None
        while file is not None and (data := file.read(_READ_BYTES)):
            end = (end + data)[-_READ_BYTES:]
    return end


def _moved(task: str, amount: int) -> "BytesMoved":
    from layerwright.core.events import BytesMoved  # noqa: PLC0415 - start-up

    return BytesMoved(task=task, amount=amount)


def _ask_version(transport: Transport) -> EngineVersion:
    """Ask without a version in the path, which every engine answers.

    Engines write the newest API they speak above every answer; up to Docker 28 that is all there is to know, since
    the one wanted here is among those they speak.
    """
    answer = transport.request("GET", "/info")
    info = answer.json()
    newest, least = _numbers(answer.headers.get("api-version")), (0, 0)
    if newest == (0, 0) or newest > _LAST_WITH_WANTED:
        version = transport.request("GET", "/version").json()
        if not isinstance(version, dict) or "ApiVersion" not in version:
            raise EngineError("what answers at the Docker socket is no Docker engine")
        newest, least = (_numbers(version.get(key)) for key in ("ApiVersion", "MinAPIVersion"))
    if not isinstance(info, dict) or "Driver" not in info:
        raise EngineError("what answers at the Docker socket is no Docker engine")
    api = max(min(_WANTED_API, newest), least)
    driver, release = str(info["Driver"]), str(info.get("ServerVersion", ""))
    # With the containerd store "DriverStatus" has the row ["driver-type", "io.containerd.snapshotter.v1"].
    rows = info.get("DriverStatus") or []
    containerd = any("io.containerd.snapshotter" in str(row) for row in rows)
    security = {str(row).partition(",")[0] for row in info.get("SecurityOptions") or ()}
    machine = str(info.get("Architecture", ""))
    return EngineVersion(
        version=release,
        api=f"/v{api[0]}.{api[1]}",
        identity=f"{info.get('ID', '')} {release} {driver} {containerd}",
        storage=driver,
        containerd_store=containerd,
        platform=f"{info.get('OSType', 'linux')}/{architecture_of(machine)}",
        rootless="name=rootless" in security,
        remapped="name=userns" in security,
        runtimes=tuple(str(name) for name in _mapping(info.get("Runtimes"))),
        cdi_folders=tuple(str(folder) for folder in info.get("CDISpecDirs") or ()),
        processors=int(info.get("NCPU") or 0),
    )


def _mapping(document: object) -> Mapping[str, object]:
    return document if isinstance(document, dict) else {}


def _numbers(text: object) -> tuple[int, int]:
    major, _, minor = str(text or "0.0").partition(".")
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else (0, 0)
