"""Downloads that anybody on the way can change."""

import re
from collections.abc import Iterator
from typing import Final

from layerwright.core.findings import Finding, Kind
from layerwright.core.source import Location
from layerwright.lint.dockerfile import name_values
from layerwright.lint.documents import Document
from layerwright.lint.found import changed, docs, finding, without
from layerwright.lint.shell import Command, Word
from layerwright.lint.tools import apt_call, pip_install

__all__ = ["KINDS", "LOCAL", "find"]

TRUSTED_HOST = Kind(
    code="LW-LINT-TRUSTED-HOST",
    title="pip is told not to check a server's certificate",
    why="Packages run code when they are installed and imported; whoever sits between can hand out his own.",
    evidence="`--trusted-host`, `PIP_TRUSTED_HOST` or `pip config set global.trusted-host`.",
    repair="Serve the index over https, and give pip the certificate authority of the house with `--cert` or "
    "`PIP_CERT`; in a spec, see the how-to on private indexes.",
)

HTTP_INDEX = Kind(
    code="LW-LINT-HTTP-INDEX",
    title="a package index is reached over plain http",
    why="Names, logins and packages go over the line in the clear and can be swapped on the way.",
    evidence="An `--index-url`, `--extra-index-url`, `--find-links` or their variables with http://.",
    repair="Use https; a server without a certificate can be put behind a proxy that has one.",
)

TLS_OFF = Kind(
    code="LW-LINT-TLS-OFF",
    title="a certificate check is switched off",
    why="The program then accepts any server, so https protects nothing.",
    evidence="`curl --insecure`, `wget --no-check-certificate`, `GIT_SSL_NO_VERIFY`, `http.sslVerify=false`, "
    "conda's `ssl_verify false`, apt's `Verify-Peer=false` and their like.",
    repair="Install ca-certificates, or give the program the authority of the house (`--cacert`, "
    "`SSL_CERT_FILE`).",
)

UNSIGNED = Kind(
    code="LW-LINT-APT-UNSIGNED",
    title="apt is told to take packages without a signature",
    why="The signature is all that protects a Debian package, since mirrors are reached over http.",
    evidence="`--allow-unauthenticated`, `--allow-insecure-repositories`, `--force-yes`, `[trusted=yes]`.",
    repair="Install the archive's key below /etc/apt/keyrings and name it with `signed-by=`.",
)

MIRROR = Kind(
    code="LW-LINT-HTTP-MIRROR",
    title="an apt mirror is reached over plain http",
    why="apt's signatures catch a changed package, but not a mirror that is held back, and everybody on "
    "the way sees what is installed.",
    evidence="An http:// address of a mirror other than Debian's and Ubuntu's own that is written into apt's "
    "sources.",
    repair="Use the mirror's https address; ca-certificates must be there first.",
)

KINDS = (TRUSTED_HOST, HTTP_INDEX, TLS_OFF, UNSIGNED, MIRROR)

LOCAL = re.compile(r"http://(localhost|127\.0\.0\.1|\[::1\]|host\.docker\.internal)([:/]|$)")

_OWN_MIRRORS = re.compile(r"http://([a-z0-9.-]+\.)?(debian\.org|ubuntu\.com|archive\.canonical\.com)\b")

_SWITCHES: Final = {
    "curl": ("-k", "--insecure", "--proxy-insecure"),
    "wget": ("--no-check-certificate",),
    "wget2": ("--no-check-certificate",),
    "aria2c": ("--check-certificate=false",),
}

_TEXTS: Final = (
    re.compile(r"http\.sslverify[= ](false|0)", re.IGNORECASE),
    re.compile(r"strict-ssl[= ]false", re.IGNORECASE),
    re.compile(r"ssl_verify[= :]+(false|no|0)", re.IGNORECASE),
    re.compile(r"Verify-(Peer|Host)\"?[= ]+\"?(false|0)", re.IGNORECASE),
)

_VARIABLES: Final = {
    "GIT_SSL_NO_VERIFY": re.compile(r"1|true|yes", re.IGNORECASE),
    "PYTHONHTTPSVERIFY": re.compile(r"0"),
    "NODE_TLS_REJECT_UNAUTHORIZED": re.compile(r"0"),
    "CONDA_SSL_VERIFY": re.compile(r"false|0|no", re.IGNORECASE),
}

_UNSIGNED = re.compile(
    r"--allow-unauthenticated|--allow-insecure-repositories|--force-yes|AllowUnauthenticated=(true|1)"
    r"|AllowInsecureRepositories=(true|1)|AllowWeakRepositories=(true|1)"
)

_INDEX_OPTIONS: Final = (
    "-i",
    "--index-url",
    "--pypi-url",
    "--extra-index-url",
    "-f",
    "--find-links",
    "--index",
    "--default-index",
)


def find(document: Document) -> Iterator[Finding]:
    """Checks that are switched off, and lines that are not closed."""
    yield from _env(document)
    for _, command in document.commands():
        yield from _pip(command)
        yield from _uploads(command)
        yield from _switched_off(command)
        yield from _apt(command)
        yield from _sources(command)


def _env(document: Document) -> Iterator[Finding]:
    escape = document.dockerfile.escape if document.dockerfile else "\\"
    for _, instruction, _ in document.each("ENV", "ARG"):
        for pair in name_values(instruction.keyword, instruction.rest.text, escape):
            value = (pair.value or "").strip("\"'")
            where = instruction.rest.location(pair.start)
            if pair.name == "PIP_TRUSTED_HOST" and value:
                yield finding(
                    TRUSTED_HOST,
                    "error",
                    f"pip does not check the certificate of {value}",
                    where,
                    fix="serve the index over https and name the certificate authority",
                    edit=f"{instruction.keyword} PIP_CERT=/etc/ssl/certs/ca-certificates.crt",
                )
            elif pair.name in {"PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX"}:
                if value.startswith("http://") and not LOCAL.match(value):
                    yield _http_index(
                        instruction.rest.edited(
                            pair.start, pair.stop, f"{pair.name}={value.replace('http:', 'https:', 1)}"
                        ),
                        where,
                    )
            elif pair.name in _VARIABLES and _VARIABLES[pair.name].fullmatch(value):
                yield finding(
                    TLS_OFF,
                    "error",
                    f"{pair.name}={value} switches certificate checks off for the image's whole life",
                    where,
                    fix="remove it; name the certificate authority instead",
                    edit=f"{instruction.keyword} SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
                )


def _http_index(edit: str, where: Location) -> Finding:
    return finding(
        HTTP_INDEX,
        "error",
        "a package index is reached over plain http",
        where,
        fix="use https",
        edit=edit,
    )


def _pip(command: Command) -> Iterator[Finding]:
    pip = pip_install(command)
    if pip is not None:
        for option in pip.parsed.every("--trusted-host", "--allow-insecure-host"):
            yield finding(
                TRUSTED_HOST,
                "error",
                f"pip does not check the certificate of {option.value or 'a host'}",
                command.location(option.word),
                fix="serve the index over https; a private authority is named with --cert FILE",
                edit=without(command.piece, option.word, option.value_word),
                evidence=[
                    docs(
                        "--trusted-host: trusted even though it has no valid or any HTTPS",
                        "pip.pypa.io/en/stable/cli/pip",
                    )
                ],
            )
        for option in pip.parsed.every(*_INDEX_OPTIONS):
            word = option.value_word
            if word is not None and "http://" in word.text and not LOCAL.search(word.text):
                yield _http_index(
                    changed(command, word, word.raw.replace("http://", "https://", 1)), command.location(word)
                )
    elif re.fullmatch(r"pip[23]?", command.program) and command.texts[:2] == ("config", "set"):
        setting, *value = command.texts[2:]
        if setting.endswith("trusted-host"):
            yield finding(
                TRUSTED_HOST,
                "error",
                f"pip does not check the certificate of {' '.join(value)}",
                command.location(),
                fix="serve the index over https; a private authority is named with global.cert",
                edit=command.piece.edited(
                    command.arguments[2].start, command.stop, "global.cert /etc/ssl/certs/ca-certificates.crt"
                ),
            )
        elif (
            setting.endswith("index-url")
            and value
            and value[0].startswith("http://")
            and not LOCAL.match(value[0])
        ):
            word = command.arguments[3]
            yield _http_index(
                changed(command, word, word.raw.replace("http://", "https://", 1)), command.location(word)
            )


def _uploads(command: Command) -> Iterator[Finding]:
    if command.program in {"twine", "flit", "poetry", "uv", "hatch"} and pip_install(command) is None:
        for word in command.arguments:
            if "http://" in word.text and not LOCAL.search(word.text):
                edit = changed(command, word, word.raw.replace("http://", "https://", 1))
                yield _http_index(edit, command.location(word))


def _switched_off(command: Command) -> Iterator[Finding]:
    switches = _SWITCHES.get(command.program, ())
    for word in command.arguments:
        text = word.text
        bundle = command.program == "curl" and re.fullmatch(r"-[a-zA-Z]*k[a-zA-Z]*", text)
        if text in switches or bundle:
            new = text.replace("k", "", 1) if bundle else ""
            new = "" if new == "-" else new
            yield finding(
                TLS_OFF,
                "error",
                f"{command.program} does not check the server's certificate",
                command.location(word),
                fix=f"remove {text}; install ca-certificates, or name the authority",
                edit=changed(command, word, new) if new else without(command.piece, word),
            )
    names = [command.program, *command.texts]
    text = " ".join(names)
    if command.program in {"git", "npm", "yarn", "conda", "mamba", "apt-get", "apt", "echo", "printf"}:
        for pattern in _TEXTS:
            found = pattern.search(text)
            if found:
                word = next(
                    (one for one in command.arguments if found[0].split()[0] in one.text), command.words[0]
                )
                yield finding(
                    TLS_OFF,
                    "error",
                    f"{found[0]} switches certificate checks off",
                    command.location(word),
                    fix="remove it; install ca-certificates, or name the authority",
                    edit=without(command.piece, *_with_switch(command, word)),
                )
    for name, word in command.assignments:
        if name in _VARIABLES and _VARIABLES[name].fullmatch(word.text):
            yield finding(
                TLS_OFF,
                "error",
                f"{name}={word.text} switches certificate checks off",
                command.location(),
                fix="remove it; name the certificate authority instead",
                edit=command.piece.edited(
                    word.start - len(name) - 1, word.stop, "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"
                ),
            )


def _with_switch(command: Command, word: Word) -> tuple[Word, Word]:
    """The word, and the ``-c`` or ``-o`` that it belongs to."""
    index = command.words.index(word)
    before = command.words[index - 1]
    return (before if before.text in {"-c", "-o", "--config"} else word), word


def _apt(command: Command) -> Iterator[Finding]:
    if apt_call(command) is None:
        return
    for word in command.arguments:
        if _UNSIGNED.search(word.text):
            yield finding(
                UNSIGNED,
                "error",
                f"{word.text} lets apt install packages that nobody signed",
                command.location(word),
                fix="remove it, and install the archive's key with signed-by= in its source line",
                edit=without(command.piece, word),
            )


def _sources(command: Command) -> Iterator[Finding]:
    targets = " ".join([one.target for one in command.redirects] + list(command.texts))
    if "/etc/apt" not in targets and "sources.list" not in targets:
        return
    for word in command.arguments:
        if "[trusted=yes]" in word.text or "trusted=yes" in word.text:
            yield finding(
                UNSIGNED,
                "error",
                "[trusted=yes] lets apt install packages that nobody signed",
                command.location(word),
                fix="name the archive's key",
                edit=changed(
                    command, word, word.raw.replace("trusted=yes", "signed-by=/etc/apt/keyrings/NAME.gpg")
                ),
            )
        # Of `s|old|new|` the new address counts.
        parts = re.findall(r"http://[^\s|'\"/]+", word.text)
        found = next(
            (part for part in reversed(parts) if not _OWN_MIRRORS.match(part) and not LOCAL.match(part)), ""
        )
        if found and "$" not in found:
            yield finding(
                MIRROR,
                "warning",
                f"the apt mirror {found.removeprefix('http://')} is reached over plain http",
                command.location(word),
                fix="use its https address",
                edit=changed(command, word, word.raw.replace(found, found.replace("http:", "https:", 1))),
            )
