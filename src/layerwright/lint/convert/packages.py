"""pip's command lines as entries of ``packages``, ``constraints`` and ``indexes``."""

import re
import shlex
from collections.abc import Iterable, Iterator
from posixpath import join, normpath
from urllib.parse import urlsplit

from layerwright.lint.convert.model import Context, Draft, IndexDraft, PackageDraft
from layerwright.lint.convert.places import Places
from layerwright.lint.shell import Word
from layerwright.lint.shell.options import Option
from layerwright.lint.tools import Pip
from layerwright.spec.requirement import normalize_name, requirement_fault, requirement_name

__all__ = ["PipCarrier"]

_TOOLS = frozenset({"pip", "setuptools", "wheel"})
_BUILT = re.compile(r"(?P<folder>.*?)/?(dist|wheels?|build)/[^/\[]*\*[^/\[]*(?:\[(?P<extras>[^\]]*)\])?")
_EXTRAS = re.compile(r"(?P<path>.*?)(?:\[(?P<extras>[^\]]*)\])?")
_GIT = re.compile(
    r"(?:(?P<name>[\w.-]+)(?:\[(?P<extras>[^\]]*)\])?\s*@\s*)?git\+(?P<url>[a-z+]+://[^\s@#]+(?:@[^/\s@#]+[^\s@#]*)?)"
    r"(?:@(?P<rev>[^\s#]+))?(?:#(?P<fragment>\S+))?"
)
_DROPPED = frozenset({
    "-U", "--upgrade", "--no-cache-dir", "--cache-dir", "-q", "--quiet", "-v", "--verbose",
    "--disable-pip-version-check", "--no-input", "--progress-bar", "--root-user-action",
    "--break-system-packages", "--default-timeout", "--timeout", "--retries", "--no-warn-script-location",
    "--prefer-binary", "--user", "--system", "--require-hashes", "-I", "--ignore-installed",
    "--force-reinstall", "--upgrade-strategy", "--no-compile", "--use-pep517", "--no-build-isolation",
    "--no-python-version-warning", "--only-binary", "--isolated", "--compile", "--target", "-t", "--prefix",
    "--root", "-w", "--wheel-dir", "--link-mode", "--python", "-p", "-y",
})  # fmt: skip
"""Options that the spec needs no word for: layerwright locks wheels by digest and installs them into /opt/venv."""


_INDEXES = frozenset({
    "-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--no-index", "--index", "--default-index",
})  # fmt: skip
_SAID = {
    "--no-deps": "layerwright resolves all packages of an image together, with what they need",
    "--trusted-host": "plain http and unchecked certificates are refused; the index needs https",
    "--pre": 'say prereleases = "allow" if they are wanted',
    "--no-binary": "wheels are taken where there are some",
}
"""Options that mean something else here."""


class PipCarrier:
    """Turns pip calls of one RUN into entries of a draft."""

    def __init__(self, draft: Draft, context: Context, places: Places, line: int) -> None:
        self._draft, self._context, self._places, self._line = draft, context, places, line
        self._netrc = False

    def carry(self, pip: Pip, *, netrc: bool) -> bool:
        """Take over what a call installs; False when the command has to stay as it is."""
        self._netrc = netrc
        if pip.verb == "wheel":
            # The wheels are installed by a later call.
            return all(self._places.project(word.text) is not None for word in pip.requirements)
        if pip.verb != "install":
            return False
        before = len(self._draft.packages)
        names = [word.text for word in pip.requirements]
        for option in pip.parsed.options:
            self._option(option)
        done = [self._requirement(word) for word in pip.requirements]
        if not all(done):
            bad = next(word.text for word, good in zip(pip.requirements, done, strict=True) if not good)
            self._leave(bad, "pip's argument is not understood; the packages beside it were taken over")
        self._indexes(pip, names, before)
        return True

    def _leave(self, text: str, why: str) -> None:
        self._draft.leave(self._line, text, why)

    def _option(self, option: Option) -> None:
        name = option.name
        if name in {"-r", "--requirement", "-c", "--constraint"}:
            self._file(option.value, constraint=name in {"-c", "--constraint"})
        elif name in {"-e", "--editable"}:
            good = option.value_word is not None and self._requirement(option.value_word)
            why = (
                "installed as a wheel, not as editable"
                if good
                else "not in the project's folder, so not installed"
            )
            self._leave(option.value, why)
        elif name in _SAID:
            self._leave(f"{name} {option.value}".rstrip(), _SAID[name])
        elif name not in _DROPPED | _INDEXES:
            self._leave(name, "an option of pip that the spec has no word for")

    def _file(self, path: str, *, constraint: bool) -> None:
        """Requirements of a file of the project, by its place in the image."""
        source = self._places.source(path)
        if source is None:
            self._missing(path)
        else:
            self._lines(source, constraint=constraint, seen=())

    def _missing(self, path: str) -> None:
        self._leave(
            path, "a requirements file that is not in the project's folder: its packages are missing here"
        )

    def _lines(self, source: str, *, constraint: bool, seen: tuple[str, ...]) -> None:
        text = None if source in seen else self._context.text(source)
        if text is None:
            self._missing(source)
            return
        for line in _logical_lines(text):
            if line.startswith("-"):
                self._file_option(line, source, constraint=constraint, seen=(*seen, source))
                continue
            requirement = re.sub(r"\s+--hash[= ]\S+", "", line).strip()
            if not constraint:
                if not self._text(requirement):
                    self._leave(requirement, f"a line of {source} that is not understood")
            elif requirement_fault(requirement):
                self._leave(requirement, "a constraint that is not understood")
            elif requirement not in self._draft.constraints:
                self._draft.constraints.append(requirement)

    def _file_option(self, line: str, source: str, *, constraint: bool, seen: tuple[str, ...]) -> None:
        try:
            words = shlex.split(line, comments=True, posix=True)
        except ValueError:
            words = line.split()
        name, _, value = words[0].partition("=")
        value = value or (words[1] if len(words) > 1 else "")
        beside = normpath(join(source.rpartition("/")[0], value))
        if name in {"-r", "--requirement", "-c", "--constraint"}:
            limits = constraint or name in {"-c", "--constraint"}
            self._lines(beside, constraint=limits, seen=seen)
        elif name in {"-e", "--editable"} and self._context.kind(beside) == "folder":
            self._draft.add_package(PackageDraft(path=beside))
        elif name in {"-i", "--index-url", "--extra-index-url", "-f", "--find-links"}:
            flat = name in {"-f", "--find-links"}
            self._index(value, (), flat=flat, default=name in {"-i", "--index-url"})
        elif name not in _DROPPED:
            self._leave(line, "an option of a requirements file that the spec has no word for")

    def _requirement(self, word: Word) -> bool:
        text = word.text
        found = _BUILT.fullmatch(text)
        if found:
            # `pip install dist/*.whl`: the project that was built in this folder.
            package = self._places.project(found["folder"] or ".")
            if package is not None:
                self._draft.add_package(_with_extras(package, found["extras"]))
                return True
        return (word.literal or "$" not in text) and self._text(text)

    def _text(self, text: str) -> bool:
        """Add what a requirement's text means."""
        git = _GIT.fullmatch(text)
        if git:
            return self._git(git)
        if "://" in text:
            return self._address(text)
        if (
            text.startswith((".", "/"))
            or ("/" in text.partition("[")[0] and not requirement_name(text))
            or text.endswith(".whl")
        ):
            return self._path(text)
        if requirement_fault(text):
            return self._path(text)
        if requirement_name(text) in _TOOLS:
            return True  # uv makes the environment; these are not part of it
        self._draft.add_package(PackageDraft(requirement=text))
        return True

    def _git(self, found: re.Match[str]) -> bool:
        url, rev = found["url"], found["rev"] or ""
        at = re.fullmatch(r"(.*://(?:[^/@]+@)?[^@]+)@([^/@]+)", url)
        if not rev and at:
            url, rev = at[1], at[2]
        fragment = dict(part.partition("=")[::2] for part in (found["fragment"] or "").split("&"))
        if not rev:
            rev = "HEAD"
            self._leave(
                url, 'no revision was named: rev = "HEAD" is the default branch as it is when it is locked'
            )
        extras = found["extras"] or ""
        self._draft.add_package(
            PackageDraft(
                git=url, rev=rev, subdirectory=fragment.get("subdirectory", ""), extras=_extras(extras)
            )
        )
        return True

    def _address(self, text: str) -> bool:
        found = re.fullmatch(
            r"(?:[\w.-]+(?:\[[^\]]*\])?\s*@\s*)?(?P<url>\S+?)(?:#sha256=(?P<sha256>[0-9a-f]{64}))?", text
        )
        if found is None:
            return False
        if not found["sha256"]:
            self._leave(found["url"], "a package by its address needs its sha256: { url = …, sha256 = … }")
            return True
        self._draft.add_package(PackageDraft(url=found["url"], sha256=found["sha256"]))
        return True

    def _path(self, text: str) -> bool:
        found = _EXTRAS.fullmatch(text)
        path = found["path"] if found else text
        package = self._places.project(path)
        if package is None:
            return False
        self._draft.add_package(_with_extras(package, found["extras"] if found else ""))
        return True

    def _indexes(self, pip: Pip, names: list[str], before: int) -> None:
        added = [one for one in self._draft.packages[before:] if one.requirement]
        wanted = tuple(dict.fromkeys(requirement_name(one.requirement) for one in added))
        if not wanted:
            wanted = tuple(
                normalize_name(name) for name in names if requirement_name(name) == normalize_name(name)
            )
        alone = pip.parsed.has("--no-index")
        for option in pip.parsed.every(
            "-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--index"
        ):
            flat = option.name in {"-f", "--find-links"}
            self._index(option.value, wanted, flat=flat, default=alone and flat)

    def _index(self, url: str, wanted: tuple[str, ...], *, flat: bool, default: bool) -> None:
        if "$" in url.partition("@")[2] or (url.startswith("$") and "@" not in url):
            self._leave(url, "an index whose address is a variable: write it into [indexes]")
            return
        address = urlsplit(url)
        if address.hostname in {"pypi.org", "pypi.python.org"}:
            return
        credentials = "netrc" if "@" in address.netloc or self._netrc else ""
        if "@" in address.netloc:
            self._leave(
                f"{address.scheme}://{_host(url)}",
                'the login is not carried over: credentials = "netrc" reads ~/.netrc of the host',
            )
            url = url.replace(address.netloc, _host(url), 1)
        if url.startswith("http://") and (address.hostname or "") not in {"localhost", "127.0.0.1", "::1"}:
            self._leave(url, "plain http is refused, so the index is written with https")
            url = url.replace("http://", "https://", 1)
        if "://" not in url:
            source = self._places.source(url)
            if source is None:
                self._leave(url, "a folder of wheels that is not in the project's folder")
                return
            url = source
        name = re.sub(r"[^a-z0-9]+", "-", (_host(url) if "://" in url else url).lower()).strip("-") or "index"
        name = re.sub(r"-\d+$", "", name) or name
        index = IndexDraft(
            name=name,
            url=url,
            flat=flat,
            credentials=credentials,
            default=default,
            packages=() if default else wanted,
        )
        for position, known in enumerate(self._draft.indexes):
            if known.url == url:
                packages = tuple(dict.fromkeys((*known.packages, *index.packages)))
                self._draft.indexes[position] = IndexDraft(
                    name=known.name, url=url, flat=known.flat, credentials=known.credentials or credentials,
                    default=known.default or default, packages=() if known.default or default else packages,
                )  # fmt: skip
                return
        while any(known.name == index.name for known in self._draft.indexes):
            index = IndexDraft(
                name=f"{index.name}-2", url=url, flat=flat, credentials=credentials, default=default,
                packages=index.packages,
            )  # fmt: skip
        self._draft.indexes.append(index)


def _logical_lines(text: str) -> Iterator[str]:
    """Lines of a requirements file: continuations joined, comments and blanks left out."""
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        bare = re.sub(r"(^|\s)#.*$", "", line).strip()
        if bare:
            yield " ".join(bare.split())


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


def _extras(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def _with_extras(package: PackageDraft, extras: str | None) -> PackageDraft:
    names: Iterable[str] = dict.fromkeys((*package.extras, *_extras(extras)))
    return PackageDraft(
        path=package.path,
        git=package.git,
        rev=package.rev,
        subdirectory=package.subdirectory,
        extras=tuple(names),
    )
