"""Where things stand in the image while a Dockerfile runs, and where they came from."""

from dataclasses import dataclass, field
from posixpath import join, normpath, relpath

from layerwright.lint.convert.model import PackageDraft

__all__ = ["Places"]


@dataclass(slots=True)
class Places:
    """Paths of the image that come from the project or from repositories.

    Attributes:
        folder: the current folder of the commands.
        copied: path in the image to path in the project, as COPY put them there.
        cloned: path in the image to a repository.
        removed: copied paths that a later command removes.
    """

    folder: str = "/"
    copied: dict[str, str] = field(default_factory=dict)
    cloned: dict[str, PackageDraft] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    before: list[str] = field(default_factory=list)

    def absolute(self, path: str) -> str:
        """A path of the image as the current folder makes it."""
        path = "/root" if path in {"~", "$HOME", "${HOME}"} else path
        return normpath(join(self.folder or "/", path))

    def source(self, path: str) -> str | None:
        """Where in the project a path of the image was copied from; None for elsewhere."""
        whole = self.absolute(path)
        for target, source in reversed(self.copied.items()):
            if whole == target:
                return source
            if whole.startswith(f"{target.rstrip('/')}/"):
                return normpath(join(source, relpath(whole, target)))
        return None

    def project(self, path: str) -> PackageDraft | None:
        """The project or repository in a folder of the image."""
        whole = self.absolute(path)
        for target, package in self.cloned.items():
            if whole == target:
                return package
            if whole.startswith(f"{target}/"):
                return PackageDraft(
                    git=package.git,
                    rev=package.rev,
                    subdirectory=relpath(whole, target),
                    extras=package.extras,
                )
        source = self.source(path)
        return None if source is None else PackageDraft(path=source)

    def enter(self, path: str) -> None:
        """``cd``."""
        here = self.folder
        self.folder = self.before.pop() if path == "-" and self.before else self.absolute(path)
        self.before.append(here)
