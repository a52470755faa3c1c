"""Named files of a folder or of a tar archive: what layouts and archives are made of, read alike."""

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from layerwright.core.errors import IntegrityError, UsageError

__all__ = ["Files", "FolderFiles", "TarFiles"]

_CHUNK = 1 << 20
_MOST_MEMBERS = 100_000
_MOST_LINKS = 10


class Files(Protocol):
    """Files by their name with ``/`` between the parts."""

    @property
    def what(self) -> str:
        """Where the files are, for messages."""

    def size(self, name: str) -> int:
        """Bytes of the file, -1 when there is none."""

    def read(self, name: str, *, limit: int) -> bytes:
        """The whole file; ``IntegrityError`` when it is missing or longer than ``limit`` bytes."""

    def stream(self, name: str) -> Iterator[bytes]:
        """The file in chunks of at most 1 MiB; ``IntegrityError`` when it is missing or cut short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderFiles:
    """The files below a folder. Names come from digests and constants only, so none can lead outside."""

    folder: Path

    @property
    def what(self) -> str:
        """Where the files are."""
        return str(self.folder)

    def size(self, name: str) -> int:
        """Bytes of the file, -1 when there is none."""
        try:
            state = (self.folder / name).stat()
        except (FileNotFoundError, NotADirectoryError):
            return -1
        except PermissionError as error:
            raise self._closed(name) from error
        return state.st_size if stat.S_ISREG(state.st_mode) else -1

    def read(self, name: str, *, limit: int) -> bytes:
        """The whole file."""
        return _whole(self, name, limit)

    def stream(self, name: str) -> Iterator[bytes]:
        """The file in chunks."""
        if self.size(name) < 0:
            raise IntegrityError(f"{self.what} has no file {name}")
        try:
            file = (self.folder / name).open("rb")
        except PermissionError as error:
            raise self._closed(name) from error
        with file:
            while chunk := file.read(_CHUNK):
                yield chunk

    def _closed(self, name: str) -> UsageError:
        return UsageError(
            f"you may not read {self.folder / name}",
            hint="the folders above it count, too; or take a copy of your own",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TarFiles:
    """The files in an uncompressed tar archive, read where they stand; nothing is unpacked.

    Attributes:
        path: the archive.
        places: offset and size in bytes by name.
    """

    path: Path
    places: Mapping[str, tuple[int, int]]

    @classmethod
    def index(cls, path: Path) -> "TarFiles":
        """Find out where each file of the archive stands; links are followed within the archive.

        Raises:
            IntegrityError: it is no tar archive, or has more members than any image.
        """
        import tarfile  # noqa: PLC0415 - start-up

        places: dict[str, tuple[int, int]] = {}
        links: dict[str, str] = {}
        try:
            with tarfile.open(path, "r:") as archive:
                for number, member in enumerate(archive):
                    if number >= _MOST_MEMBERS:
                        raise IntegrityError(f"{path} has more than {_MOST_MEMBERS:,} members")
                    name = os.path.normpath(member.name)
                    if member.isreg():
                        places[name] = (member.offset_data, member.size)
                    elif member.issym():
                        links[name] = os.path.normpath(f"{os.path.dirname(name)}/{member.linkname}")  # noqa: PTH120
                    elif member.islnk():
                        links[name] = os.path.normpath(member.linkname)
        except tarfile.TarError as error:
            raise IntegrityError(f"{path} is not a tar archive: {error}") from error
        # `docker save` before 25 writes a layer that occurs twice as a link to its first place.
        for name in links:
            target = name
            for _ in range(_MOST_LINKS):
                target = links.get(target, target)
            if target in places:
                places[name] = places[target]
        return cls(path=path, places=places)

    @property
    def what(self) -> str:
        """Where the files are."""
        return str(self.path)

    def size(self, name: str) -> int:
        """Bytes of the file, -1 when there is none."""
        return self.places.get(os.path.normpath(name), (0, -1))[1]

    def read(self, name: str, *, limit: int) -> bytes:
        """The whole file."""
        return _whole(self, name, limit)

    def stream(self, name: str) -> Iterator[bytes]:
        """The file in chunks."""
        left = self.size(name)
        if left < 0:
            raise IntegrityError(f"{self.what} has no file {name[:200]}")
        with self.path.open("rb") as file:
            file.seek(self.places[os.path.normpath(name)][0])
            while left:
                chunk = file.read(min(left, _CHUNK))
                if not chunk:
                    raise IntegrityError(f"{self.what} is cut short within {name[:200]}")
                left -= len(chunk)
                yield chunk


def _whole(files: Files, name: str, limit: int) -> bytes:
    size = files.size(name)
    if size > limit:
        raise IntegrityError(f"{name[:200]} in {files.what} has {size:,} bytes; {limit:,} are allowed")
    return b"".join(files.stream(name))
