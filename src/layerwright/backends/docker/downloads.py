"""The stage of the portable Dockerfile that fetches models, with Python's own library and each file's digest."""

from collections.abc import Sequence
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
from layerwright.plan.steps import FetchFile

__all__ = ["file_of", "files_stage"]

_FETCH: Final = "/opt/fetch.py"
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


def file_of(number: int) -> str:
    """Where the stage has the file of a step, by the step's number."""
    return f"/opt/files/{number}"


def files_stage(steps: Sequence[FetchFile], *, python: str, root: Path, secrets: Secrets) -> list[str]:
    """The stage's lines; none when nothing is fetched.

    Args:
        steps: the files.
        python: absolute path of an interpreter in the tools stage.
        root: the project's folder, which is the build's context.
        secrets: ids of certificate authorities and netrc.

    Raises:
        UsageError: a file lies outside of the project's folder.
        BuildError: a value that a Dockerfile cannot hold.
    """
    if not steps:
        return []
    lines = [
        "",
        *comment("Files from elsewhere, each with its sha256."),
        "FROM tools AS files",
        write_file(_FETCH_LINES, _FETCH),
    ]
    for number, step in enumerate(steps):
        inside = context_path(step.url, root, what=f"the file {step.to}", where=step.location)
        url = quoted_address(step.url)
        if inside is not None:
            local = f"/opt/local/{number}"
            lines.append(copy(inside, local))
            url = f"file://{local}"
        lines.append(
            run(
                [
                    f"{WITH_CA} {shell_word(python, what='the interpreter')} {_FETCH}",
                    f"  {shell_word(url, what='an address')}",
                    f"  {step.sha256} {file_of(number)} {step.mode:04o}",
                ],
                mounts=[secrets.ca_mount, secrets.netrc_mount(required=False)],
            )
        )
    return lines
