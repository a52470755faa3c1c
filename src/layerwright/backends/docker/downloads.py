"""The stage of the portable Dockerfile that fetches models, with Python's own library and each file's digest."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from layerwright.backends.docker.fragments import (
    WITH_CA,
    Secrets,
    context_path,
    copy,
    quoted_address,
    run,
    write_file,
)
from layerwright.backends.docker.quoting import comment, shell_word
from layerwright.core.source import Location
from layerwright.plan.steps import FetchFile, RunCommand, Step

__all__ = ["Download", "downloads_of", "file_of", "files_stage"]

_FETCH: Final = "/opt/fetch.py"
_MOUNTED_MODE: Final = 0o644
_DIGITS: Final = 32
_FETCH_LINES: Final = (
    "import base64, hashlib, netrc, os, sys, urllib.parse, urllib.request",
    "url, sha256, path, mode = sys.argv[1:]",
    "request = urllib.request.Request(url)",
    'if os.path.exists("/root/.netrc"):',
    '    login = netrc.netrc("/root/.netrc").authenticators(urllib.parse.urlsplit(url).hostname or "")',
    "    if login:",
    '        words = base64.b64encode((login[0] + ":" + login[2]).encode()).decode()',
    '        request.add_unredirected_header("Authorization", "Basic " + words)',
    "digest = hashlib.sha256()",
    "os.makedirs(os.path.dirname(path), exist_ok=True)",
    'with urllib.request.urlopen(request) as source, open(path, "wb") as target:',
    '    for piece in iter(lambda: source.read(2**20), b""):',
    "        digest.update(piece)",
    "        target.write(piece)",
    "if digest.hexdigest() != sha256:",
    '    sys.exit(url + " has the sha256 " + digest.hexdigest() + ", not " + sha256)',
    "os.chmod(path, int(mode, 8))",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file from elsewhere; ``what`` and ``where`` are for messages."""

    url: str
    sha256: str
    mode: int
    what: str
    where: Location | None


def downloads_of(steps: Iterable[Step]) -> tuple[Download, ...]:
    """What the steps take from elsewhere, in their order, each file once."""
    found: dict[tuple[str, int], Download] = {}
    for step in steps:
        match step:
            case FetchFile():
                one = Download(
                    url=step.url,
                    sha256=step.sha256,
                    mode=step.mode,
                    what=f"the file {step.to}",
                    where=step.location,
                )
                found.setdefault((step.sha256, step.mode), one)
            case RunCommand():
                for file in step.files:
                    one = Download(
                        url=file.url,
                        sha256=file.sha256,
                        mode=_MOUNTED_MODE,
                        what=f"the archive {file.name}",
                        where=step.location,
                    )
                    found.setdefault((file.sha256, _MOUNTED_MODE), one)
            case _:
                pass
    return tuple(found.values())


def file_of(sha256: str, mode: int = _MOUNTED_MODE) -> str:
    """Where the stage has a file.

    Named by its content: Podman (buildah 1.28) takes a step from its cache by the step's text alone, whatever its
    mounts hold.
    """
    return f"/opt/files/{sha256[:_DIGITS]}-{mode:04o}"


def files_stage(downloads: Sequence[Download], *, python: str, root: Path, secrets: Secrets) -> list[str]:
    """The stage's lines; none when nothing is fetched.

    Args:
        downloads: the files.
        python: absolute path of an interpreter in the tools stage.
        root: the project's folder, which is the build's context.
        secrets: ids of certificate authorities and netrc.

    Raises:
        UsageError: a file lies outside of the project's folder.
        BuildError: a value that a Dockerfile cannot hold.
    """
    if not downloads:
        return []
    lines = [
        "",
        *comment("Files from elsewhere, each with its sha256."),
        "FROM tools AS files",
        write_file(_FETCH_LINES, _FETCH),
    ]
    for number, one in enumerate(downloads):
        inside = context_path(one.url, root, what=one.what, where=one.where)
        url = quoted_address(one.url)
        if inside is not None:
            local = f"/opt/local/{number}"
            lines.append(copy(inside, local))
            url = f"file://{local}"
        lines.append(
            run(
                [
                    f"{WITH_CA} {shell_word(python, what='the interpreter')} {_FETCH}",
                    f"  {shell_word(url, what='an address')}",
                    f"  {one.sha256} {file_of(one.sha256, one.mode)} {one.mode:04o}",
                ],
                mounts=[secrets.ca_mount, secrets.netrc_mount(required=False)],
            )
        )
    return lines
