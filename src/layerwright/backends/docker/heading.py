"""What the portable Dockerfile tells its reader: where it comes from, how it is built, what COPY takes too much."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from posixpath import normpath

from layerwright.backends.docker.fragments import Secrets
from layerwright.backends.docker.quoting import comment
from layerwright.plan.steps import CellPlan
from layerwright.spec.model import Index, Secret

__all__ = ["heading", "ignore_patterns"]


def heading(
    cell: CellPlan,
    *,
    body: str,
    own: Secrets,
    secrets: Mapping[str, Secret],
    indexes: Mapping[str, Index],
) -> list[str]:
    """Comment lines.

    Args:
        cell: what is built.
        body: the rest of the file; an option is told of when the file uses it.
        own: ids of our own secrets.
        secrets: the spec's, by name.
        indexes: the spec's, by name.
    """
    options = list(_options(body, own, secrets, indexes))
    tags = " ".join(f"--tag {reference}" for reference in cell.references)
    # No "name = value" may stand in the first line: BuildKit would take it for a directive.
    text = [
        f"Image {cell.references[0]} for {cell.platform}: {cell.cell} of the spec, with all that the lock pins.",
        f"Written by `layerwright render dockerfile {cell.cell}`: change the spec, lock, and render again.",
        "",
        "Build it in the project's folder with Docker 20.10 or newer (podman build takes the same options):",
        "",
        f"  DOCKER_BUILDKIT=1 docker build {tags} --file Dockerfile .",
    ]
    if options:
        width = max(len(option) for option, _ in options)
        text += ["", "Options:", ""]
        text += [f"  {option:{width}}  {meaning}" for option, meaning in options]
    return [*(line for one in text for line in comment(one)), ""]


def _options(
    body: str, own: Secrets, secrets: Mapping[str, Secret], indexes: Mapping[str, Index]
) -> Iterator[tuple[str, str]]:
    """Options of ``docker build`` with what they are for."""
    if own.ca_mount in body:
        yield (
            f"--secret id={own.ca},src=FILE",
            "the certificate authorities to trust, where a proxy has its own",
        )
    if own.netrc_mount(required=False) in body:
        private = ", ".join(name for name, index in indexes.items() if index.credentials)
        needed = own.netrc_mount(required=True) in body
        yield (
            f"--secret id={own.netrc},src=$HOME/.netrc",
            f"needed: the login for {private}" if needed else "logins by host, where one is asked for",
        )
    for name, secret in secrets.items():
        if f"id={name},target=/run/secrets/{name},mode=0400" in body:
            file = secret.file.replace("~/", "$HOME/", 1) if secret.file.startswith("~/") else secret.file
            value = f"env={secret.env}" if secret.env else f"src={file}"
            option = f"id={name},{value}"
            # $HOME is for the shell; whatever else a path holds is not.
            plain = all(sign.isalnum() or sign in "=,._/$-" for sign in option)
            yield f"--secret {option}" if plain else f'--secret "{option}"', "needed: a command reads it"
    if "--mount=type=ssh" in body:
        yield "--ssh default", "needed: a repository is reached by ssh"
    if "\nFROM image AS smoke\n" in body:
        yield "--target smoke", "run the smoke tests; without --tag"


def left_out_note(sources: Sequence[tuple[str, Sequence[str]]], left_out: Sequence[str]) -> list[str]:
    """Comment lines on files that COPY takes and layerwright does not; none when nothing is copied.

    Args:
        sources: folders and files that are copied, each with the patterns that it is copied without.
        left_out: patterns of what layerwright never copies.
    """
    if not sources:
        return []
    text = [
        "COPY takes what layerwright leaves out: repositories, caches, what looks secret, what the spec excludes.",
        "With these lines in .dockerignore (or Dockerfile.dockerignore) it does not:",
        "",
        *(f"  {pattern}" for pattern in ignore_patterns(sources, left_out)),
    ]
    return ["", *(line for one in text for line in comment(one))]


def ignore_patterns(sources: Iterable[tuple[str, Sequence[str]]], left_out: Sequence[str]) -> tuple[str, ...]:
    """Lines of a .dockerignore that keep from a build what layerwright would not copy.

    Args:
        sources: folders and files of the project, each with its gitignore-style patterns.
        left_out: patterns that hold everywhere.
    """
    lines = dict.fromkeys(f"**/{pattern}" for pattern in left_out)
    for source, patterns in sources:
        folder = normpath(source)
        prefix = "" if folder == "." else f"{folder}/"
        for pattern in patterns:
            bare = pattern.strip()
            if not bare or bare.startswith("#"):
                continue
            negated = "!" if bare.startswith("!") else ""
            name = bare.removeprefix("!").rstrip("/")
            # As in gitignore: a pattern with a slash before its end starts at the folder, another one anywhere below.
            inside = name.removeprefix("/") if "/" in name else f"**/{name}"
            lines[f"{negated}{prefix}{inside}"] = None
    return tuple(lines)
