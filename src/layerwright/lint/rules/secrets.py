"""Passwords and tokens that a build or a script gives away."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from layerwright.core.findings import Finding, Kind
from layerwright.lint.dockerfile import name_values, split_words
from layerwright.lint.documents import Document, Unit
from layerwright.lint.found import docs, finding
from layerwright.lint.secret_names import LOGIN, PASSWORD_OPTIONS, PASSWORD_SWITCHES, is_secret_name
from layerwright.lint.shell import Command
from layerwright.lint.tools import docker_call, download_call, pip_install

__all__ = ["KINDS", "find"]

_DOCKER = docs(
    "build arguments and environment variables stay in the image's history and configuration",
    "docs.docker.com/build/building/secrets",
)

ARG = Kind(
    code="LW-LINT-SECRET-ARG",
    title="a secret is a build argument",
    why="Whoever has the image reads the value: `docker history --no-trunc` and `docker inspect` print it, "
    "and so does the log of the build.",
    evidence="An ARG whose name says that it holds a password, token or key.",
    repair="Give it to the one command that needs it with `RUN --mount=type=secret`, and to the build with "
    '`--secret id=NAME,env=NAME`; in a spec, `[secrets.NAME]` and `secrets = ["NAME"]`.',
)

ENV = Kind(
    code="LW-LINT-SECRET-ENV",
    title="a secret is an environment variable of the image",
    why="It is part of the image's configuration: everybody who pulls the image has it, and every process "
    "in every container sees it.",
    evidence="An ENV whose name says that it holds a password, token or key, with a value.",
    repair="Leave it out of the image and give it to the container when it starts (`docker run --env NAME`), "
    "or to one build command with `RUN --mount=type=secret`.",
)

BUILD_ARG = Kind(
    code="LW-LINT-SECRET-BUILD-ARG",
    title="a secret is passed with --build-arg",
    why="It ends up in the image's history, in the shell's history and in the process list.",
    evidence="A `--build-arg` of docker, podman or buildah whose name says that it holds a password, token or "
    "key.",
    repair="`--secret id=NAME,env=NAME`, read in the Dockerfile with `RUN --mount=type=secret,id=NAME`.",
)

URL = Kind(
    code="LW-LINT-SECRET-URL",
    title="an address holds a user and a password",
    why="Addresses are printed in logs and error messages, kept in the image's history and in pip's and "
    "git's configuration, and seen in the process list.",
    evidence="An address of the form `scheme://user:password@host`, with values or with variables.",
    repair="Keep the login in a netrc file that the command is given as a secret: `RUN "
    "--mount=type=secret,id=netrc,target=/root/.netrc …`; in a spec, `[indexes.NAME]` with "
    "`credentials`.",
)

TEXT = Kind(
    code="LW-LINT-SECRET-CUT",
    title="a password is cut out of a configuration file by text tools",
    why="pip.conf is an INI file: comments, `extra-index-url`, a port, `@` or `:` in the password and "
    "percent encoding all give the wrong words, and the wrong words are then used as the password, in "
    "the open.",
    evidence="cut, sed, awk, grep or parameter expansion over pip.conf, .pypirc, .netrc or an index address.",
    repair="Give the whole file to the command as a secret; pip reads it itself.",
)

COPY = Kind(
    code="LW-LINT-SECRET-COPY",
    title="a file with credentials is copied into the image",
    why="A file that one layer holds can be taken out of the image even when a later step deletes it.",
    evidence="COPY or ADD of .netrc, .pypirc, .git-credentials, SSH keys, cloud credentials or .env.",
    repair="Mount it for the one command that needs it: `RUN --mount=type=secret,id=NAME,target=PATH …`.",
)

ARGUMENT = Kind(
    code="LW-LINT-SECRET-ARGUMENT",
    title="a password stands on a command line",
    why="Every user of the machine sees it in the process list, and it stays in the shell's history and in "
    "CI logs.",
    evidence="`docker login --password`, `curl --user name:password`, `twine --password` and their like.",
    repair="Give it on standard input or through a credential helper.",
)

KINDS = (ARG, ENV, BUILD_ARG, URL, TEXT, COPY, ARGUMENT)

_CONFIG = re.compile(r"pip\.(conf|ini)|\.pypirc|\.?netrc|index-url|index_url|\.docker/config\.json")

_CUTTERS: Final = frozenset({"cut", "sed", "awk", "gawk", "mawk", "grep", "egrep", "tr", "perl"})

_FILES = re.compile(
    r"(^|/)(\.netrc|\.pypirc|\.git-credentials|\.npmrc|id_(rsa|dsa|ecdsa|ed25519)|\.ssh|\.aws|\.env|\.kube|\.htpasswd"
    r"|\.docker/config\.json|credentials\.json|service[-_]account.*\.json)(/|$)"
)


def find(document: Document) -> Iterator[Finding]:
    """Secrets in instructions and commands."""
    yield from _variables(document)
    yield from _copies(document)
    yield from _addresses(document)
    for unit, command in document.commands():
        yield from _build_args(command)
        yield from _arguments(command)
        yield from _cut(unit, command)


def _variables(document: Document) -> Iterator[Finding]:
    if document.dockerfile is None:
        return
    escape = document.dockerfile.escape
    for instruction in document.dockerfile.instructions:
        if instruction.keyword not in {"ARG", "ENV"}:
            continue
        for pair in name_values(instruction.keyword, instruction.rest.text, escape):
            empty = pair.value is None or not pair.value.strip("\"'")
            if not is_secret_name(pair.name) or (instruction.keyword == "ENV" and empty):
                continue
            where = instruction.rest.location(pair.start)
            secret = pair.name.lower().replace("_", "-")
            mount = f"RUN --mount=type=secret,id={secret},env={pair.name}"
            if instruction.keyword == "ARG":
                yield finding(
                    ARG,
                    "error",
                    f"the build argument {pair.name} puts a secret into the image's history",
                    where,
                    fix=f"remove this line and mount the secret where it is used: {mount} …",
                    edit=f"{mount} …",
                    command=f"docker build --secret id={secret},env={pair.name} …",
                    evidence=[_DOCKER],
                )
            else:
                yield finding(
                    ENV,
                    "error",
                    f"the variable {pair.name} makes a secret part of the image",
                    where,
                    fix="remove this line, and give the value to the container when it starts",
                    edit=f"# {pair.name} is given at run time: docker run --env {pair.name} …",
                    evidence=[_DOCKER],
                )


def _copies(document: Document) -> Iterator[Finding]:
    for _, instruction, _ in document.each("COPY", "ADD"):
        if instruction.value("from"):
            continue
        words = [
            (start, instruction.rest.text[start:stop].strip("[],\"'"))
            for start, stop in split_words(instruction.rest.text)
        ]
        for start, word in words[:-1]:
            if not _FILES.search(word) or word.endswith((".example", ".sample", ".template")):
                continue
            target = words[-1][1]
            target = target + PurePosixPath(word).name if target.endswith("/") else target
            name = PurePosixPath(word).name.lstrip(".").replace("_", "-") or "file"
            yield finding(
                COPY,
                "error",
                f"{instruction.keyword} puts {word}, which holds credentials, into a layer of the image",
                instruction.rest.location(start),
                fix="mount it for the command that needs it instead of copying it",
                edit=f"RUN --mount=type=secret,id={name},target={target} …",
                command=f"docker build --secret id={name},src={word} …",
            )


def _addresses(document: Document) -> Iterator[Finding]:
    """Logins in addresses, once a place: in instructions' own words and in scripts."""
    text = document.text.text
    seen: set[int] = set()
    for found in LOGIN.finditer(text):
        place = document.text.at(found.start())
        line = document.source.line_text(document.source.line_of(place))
        if line.lstrip().startswith("#") or place in seen:
            continue
        if document.kind == "markdown" and not document.units and document.dockerfile is None:
            continue
        seen.add(place)
        user, password = found["user"], found["password"]
        if user == "git" or _is_placeholder(user, password):
            continue
        shown = "variables that hold a user and a password" if "$" in password else "a user and a password"
        edit = document.source.replaced(
            place, document.source.text.index("@", place + len(found["scheme"])) + 1, found["scheme"]
        )
        if document.kind == "dockerfile":
            edit = re.sub(
                r"^(\s*RUN\s+)(?!--mount)",
                r"\1--mount=type=secret,id=netrc,target=/root/.netrc ",
                edit,
                count=1,
            )
        yield finding(
            URL,
            "error",
            f"an address holds {shown}",
            document.source.location(place),
            fix="keep the login in a netrc file, given as a secret to this command alone",
            edit=edit,
            command="docker build --secret id=netrc,src=$HOME/.netrc …"
            if document.kind == "dockerfile"
            else "",
        )


def _is_placeholder(user: str, password: str) -> bool:
    return bool(re.fullmatch(r"<.*>|x+|\*+|\.+", password)) or (user, password) == ("user", "password")


def _build_args(command: Command) -> Iterator[Finding]:
    docker = docker_call(command)
    if docker is None or docker.verb not in {"build", "bud"}:
        return
    for option in docker.parsed.every("--build-arg"):
        name = option.value.partition("=")[0]
        if option.value_word is None or not is_secret_name(name):
            continue
        secret = name.lower().replace("_", "-")
        start, stop = option.word.start, option.value_word.stop
        yield finding(
            BUILD_ARG,
            "error",
            f"--build-arg {name} puts a secret into the image's history",
            command.location(option.word),
            fix="pass it as a build secret",
            edit=command.piece.edited(start, stop, f"--secret id={secret},env={name}"),
            evidence=[_DOCKER],
        )


def _arguments(command: Command) -> Iterator[Finding]:
    docker = docker_call(command)
    if docker is not None and docker.verb == "login":
        option = docker.parsed.first("-p", "--password")
        if option is not None and option.value_word is not None:
            value = option.value_word.raw if option.value_word is not option.word else f'"{option.value}"'
            piped = command.piece.edited(option.word.start, option.value_word.stop, "--password-stdin")
            yield finding(
                ARGUMENT,
                "error",
                f"{command.program} login is given its password on the command line",
                command.location(option.word),
                fix="give it on standard input, or set up a credential helper",
                edit=_fed(command, piped, value),
                evidence=[
                    docs(
                        "--password-stdin keeps it out of history and logs",
                        "docs.docker.com/reference/cli/docker/login",
                    )
                ],
            )
        return
    download = download_call(command)
    if download is not None:
        option = download.parsed.first(
            "-u", "--user", "--password", "--http-password", "--http-passwd", "--proxy-user"
        )
        if (
            option is not None
            and option.value_word is not None
            and (":" in option.value or "pass" in option.name)
        ):
            new = "--netrc" if command.program == "curl" else ""
            yield finding(
                ARGUMENT,
                "error",
                f"{command.program} is given a password on the command line",
                command.location(option.word),
                fix="keep the login in ~/.netrc, which both curl --netrc and wget read",
                edit=command.piece.edited(option.word.start, option.value_word.stop, new),
            )
        return
    yield from _other_arguments(command)


def _other_arguments(command: Command) -> Iterator[Finding]:
    """``--password VALUE`` of any program, and ``-p`` of those where it means that."""
    if pip_install(command) or command.program in {
        "echo",
        "printf",
        "useradd",
        "getopt",
        "read",
        "docker",
        "podman",
    }:
        return
    arguments = command.arguments
    for index, word in enumerate(arguments):
        name, sign, value = word.text.partition("=")
        following = arguments[index + 1] if index + 1 < len(arguments) else None
        is_password = name in PASSWORD_OPTIONS or (name == "-p" and command.program in PASSWORD_SWITCHES)
        if not is_password or (not sign and (following is None or following.text.startswith("-"))):
            continue
        last = word if sign else following
        if last is None or (sign and not value):
            continue
        what = (
            "a variable for it (TWINE_PASSWORD)" if command.program == "twine" else "standard input or a file"
        )
        yield finding(
            ARGUMENT,
            "error",
            f"{command.program} is given a password on the command line",
            command.location(word),
            fix=f"give it through {what}",
            edit=command.piece.edited(
                word.start, last.stop, "" if command.program == "twine" else "--password-stdin"
            ),
        )


def _fed(command: Command, line: str, value: str) -> str:
    """The line with the password piped into the command."""
    first = command.words[0]
    raw = command.piece.source.line_text(command.piece.source.line_of(command.piece.at(first.start)))
    name = raw[command.location(first).column - 1 :].split(" ")[0] if raw else first.text
    return line.replace(name, f"printf %s {value} | {name}", 1)


def _cut(unit: Unit, command: Command) -> Iterator[Finding]:
    """The file may stand in the same command, or in the command that the pipe begins with."""
    if command.program not in _CUTTERS or command.before == "|":
        return
    pipeline = [command, *unit.script.behind_pipe(command)]
    if command.program in {"grep", "egrep"} and len(pipeline) == 1:
        return
    names = " ".join(text for one in pipeline for text in one.texts)
    if not _CONFIG.search(names) or not any(one.program in _CUTTERS - {"grep", "egrep"} for one in pipeline):
        return
    if any(
        "-i" in one.texts or any(text.startswith("-i") for text in one.texts)
        for one in pipeline
        if one.program == "sed"
    ):
        return  # an edit in place
    yield finding(
        TEXT,
        "warning",
        f"{command.program} cuts a login out of {_named(names)} as if it were plain text",
        command.location(),
        fix="give the whole file to the build as a secret and let pip read it",
        edit="RUN --mount=type=secret,id=pip-conf,target=/etc/pip.conf pip install …",
        command="docker build --secret id=pip-conf,src=$HOME/.config/pip/pip.conf …",
    )


def _named(names: str) -> str:
    found = _CONFIG.search(names)
    return (
        {"index-url": "pip's configuration", "index_url": "pip's configuration"}.get(found[0], found[0])
        if found
        else ""
    )
