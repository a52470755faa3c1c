"""Some files of an image of Docker, read without saving the image."""

import base64
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlencode

from msgspec import Struct

from layerwright.core.errors import EngineError
from layerwright.engines.connection import Transport

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["FoundFile", "ImageFiles", "Pieces"]

_STAT: Final = "x-docker-container-path-stat"
_MOST_HOPS: Final = 40  # as Linux follows links
_PERMISSIONS: Final = 0o777
_LARGEST: Final = 1 << 20
_MOST: Final = 1000


class FoundFile(Struct, frozen=True, kw_only=True):
    """A file of an image.

    Attributes:
        mode: permission bits.
        content: of at most 1 MiB; cut there.
    """

    mode: int
    content: bytes


class ImageFiles:
    """Looks into an image while it is open: a container is made that is never started, and removed at the end.

    Args:
        transport: to the engine.
        api: path prefix of its API.
        reference: the image's name or id.
    """

    def __init__(self, transport: Transport, api: str, reference: str) -> None:
        self._transport = transport
        self._api = api
        self._reference = reference
        self._place = ""

    def __enter__(self) -> Self:
        """Make the container.

        Raises:
            EngineError: there is no such image, or the engine fails.
        """
        answer = self._transport.request(
            "POST",
            f"{self._api}/containers/create",
            body=json.dumps({"Image": self._reference, "Cmd": ["-"], "Entrypoint": []}).encode(),
            headers={"Content-Type": "application/json"},
        )
        document = answer.json()
        if answer.status != HTTPStatus.CREATED or not isinstance(document, dict):
            raise EngineError(f"Docker cannot look into image {self._reference}: {answer.message}")
        self._place = f"{self._api}/containers/{document['Id']}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the container."""
        del kind, error, trace
        self._transport.request("DELETE", f"{self._place}?force=true&v=true")

    def mode(self, path: str) -> int | None:
        """Permission bits of what stands at the path, links followed; None when nothing does."""
        found = self._follow(path)
        return None if found is None else found[1]

    def tree(self, path: str) -> Mapping[str, FoundFile]:
        """The files at or below the path, by absolute path; of links, what they lead to.

        Raises:
            EngineError: the engine fails, or there are more than a thousand.
        """
        found = self._follow(path)
        if found is None:
            return {}
        files = dict[str, FoundFile]()
        links = list[str]()
        for name, member, content in self._members(found[0]):
            place = path + name
            if member.isfile():
                files[place] = FoundFile(mode=member.mode & _PERMISSIONS, content=content)
            elif member.issym() or member.islnk():
                links.append(place)
            if len(files) + len(links) > _MOST:
                raise EngineError(f"{path} of {self._reference} holds more than {_MOST} files")
        for place in links:
            target = self._follow(place)
            if target is None:
                continue
            for name, member, content in self._members(target[0]):
                if not name and member.isfile():
                    files[place] = FoundFile(mode=member.mode & _PERMISSIONS, content=content)
        return files

    def _members(self, path: str) -> Iterator[tuple[str, tarfile.TarInfo, bytes]]:
        """What an archive of the path holds: the path below it, the member, and the first bytes of a file."""
        pieces = self._transport.stream(f"{self._place}/archive?{urlencode({'path': path})}")
        with tarfile.open(fileobj=io.BufferedReader(Pieces(pieces)), mode="r|") as tar:
            for member in tar:
                _, slash, below = member.name.partition("/")
                file = tar.extractfile(member) if member.isfile() else None
                yield slash + below, member, file.read(_LARGEST) if file is not None else b""

    def _follow(self, path: str) -> tuple[str, int] | None:
        """Where a path leads, and its permission bits."""
        for _ in range(_MOST_HOPS):
            answer = self._transport.request("HEAD", f"{self._place}/archive?{urlencode({'path': path})}")
            if answer.status == HTTPStatus.NOT_FOUND:
                return None
            try:
                stat = json.loads(base64.b64decode(answer.headers[_STAT]))
                target, mode = str(stat["linkTarget"]), int(stat["mode"])
            except (KeyError, TypeError, ValueError) as error:
                raise EngineError(
                    f"Docker's answer about {path} of {self._reference} cannot be read"
                ) from error
            if not target or target == path:
                return path, mode & _PERMISSIONS
            path = target
        return None


class Pieces(io.RawIOBase):
    """Pieces of a stream as a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = b""

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: "Buffer") -> int:
        """The next bytes, as many as are at hand."""
        view = memoryview(buffer)
        if not self._left:
            self._left = next(self._pieces, b"")
        amount = min(len(view), len(self._left))
        view[:amount] = self._left[:amount]
        self._left = self._left[amount:]
        return amount
