"""Command lines of the programs that builds use: pip, apt, git, downloads, docker."""

import re
from typing import Final, Literal

from msgspec import Struct

from layerwright.lint.shell.model import Command, Word
from layerwright.lint.shell.options import Parsed, parse_options

__all__ = [
    "Apt",
    "Docker",
    "Download",
    "GitClone",
    "Pip",
    "apt_call",
    "docker_call",
    "download_call",
    "git_clone",
    "pip_install",
]

_PIP = re.compile(r"pip[23]?(\.\d+)*")
_PYTHON = re.compile(r"(python|pypy)[23]?(\.\d+)*")

PIP_VALUES: Final = frozenset({
    "-r", "--requirement", "-c", "--constraint", "-e", "--editable", "-t", "--target", "--platform", "--python-version",
    "--implementation", "--abi", "--root", "--prefix", "--src", "--upgrade-strategy", "--config-settings", "-C",
    "--config-setting", "--global-option", "--install-option", "--no-binary", "--only-binary", "--progress-bar",
    "--root-user-action", "--report", "-i", "--index-url", "--pypi-url", "--extra-index-url", "-f", "--find-links",
    "--cert", "--client-cert", "--cache-dir", "--proxy", "--retries", "--timeout", "--exists-action", "--trusted-host",
    "--log", "--use-feature", "--use-deprecated", "--python", "-p", "--keyring-provider", "--group", "--index",
    "--default-index", "--torch-backend", "--index-strategy", "--link-mode", "-w", "--wheel-dir", "-d", "--dest",
    "--allow-insecure-host", "--extra", "--override", "--build-constraint", "--exclude-newer", "--prerelease",
})  # fmt: skip
_APT_VALUES = frozenset(
    {"-t", "--target-release", "--default-release", "-o", "--option", "-c", "--config-file"}
)
_GIT_VALUES = frozenset({
    "-b", "--branch", "--depth", "-o", "--origin", "-c", "--config", "--reference", "-j", "--jobs", "-u",
    "--upload-pack", "--separate-git-dir", "--template", "--filter", "--shallow-since", "--shallow-exclude",
    "--revision", "--bundle-uri", "--server-option",
})  # fmt: skip
_CURL_VALUES = frozenset({
    "-o", "--output", "-u", "--user", "-H", "--header", "-d", "--data", "-X", "--request", "-A", "--user-agent", "-e",
    "--referer", "-x", "--proxy", "-m", "--max-time", "--retry", "--retry-delay", "--connect-timeout", "--cacert",
    "--output-dir", "-C", "--continue-at", "-T", "--upload-file", "-F", "--form", "-w", "--write-out", "-E", "--cert",
    "-b", "--cookie", "-c", "--cookie-jar", "--create-file-mode", "-r", "--range", "--resolve", "--url", "-K",
    "--retry-max-time", "--data-binary", "--data-raw", "--proto", "--oauth2-bearer", "-U", "--proxy-user",
})  # fmt: skip
_WGET_VALUES = frozenset({
    "-O", "--output-document", "-P", "--directory-prefix", "-o", "--output-file", "-t", "--tries", "-T", "--timeout",
    "-U", "--user-agent", "-e", "--execute", "-i", "--input-file", "-a", "--append-output", "--header", "--user",
    "--password", "--http-user", "--http-password", "--http-passwd", "--progress", "-w", "--wait", "--limit-rate",
    "-A", "-R", "-D", "-I", "-X", "-l", "--level", "--cut-dirs", "--ca-certificate", "--retry-on-http-error",
    "--waitretry", "--load-cookies", "--post-data",
})  # fmt: skip

RUN_SWITCHES: Final = frozenset({
    "-d", "--detach", "-i", "--interactive", "-t", "--tty", "--rm", "--privileged", "--init", "-P", "--publish-all",
    "--read-only", "--no-healthcheck", "--oom-kill-disable", "--sig-proxy", "--disable-content-trust", "--help", "-q",
    "--quiet", "--replace", "--use-api-socket", "--no-hosts", "--no-hostname", "--rmi", "--env-host", "--http-proxy",
})  # fmt: skip
"""Options of ``docker run`` (28.5) and ``podman run`` (5.6) without a value."""

RUN_VALUES: Final = frozenset({
    "--add-host", "--annotation", "-a", "--attach", "--blkio-weight", "--blkio-weight-device", "--cap-add",
    "--cap-drop", "--cgroup-parent", "--cgroupns", "--cidfile", "--cpu-count", "--cpu-percent", "--cpu-period",
    "--cpu-quota", "--cpu-rt-period", "--cpu-rt-runtime", "-c", "--cpu-shares", "--cpus", "--cpuset-cpus",
    "--cpuset-mems", "--detach-keys", "--device", "--device-cgroup-rule", "--device-read-bps", "--device-read-iops",
    "--device-write-bps", "--device-write-iops", "--dns", "--dns-opt", "--dns-option", "--dns-search", "--domainname",
    "--entrypoint", "-e", "--env", "--env-file", "--expose", "--gpus", "--group-add", "--health-cmd",
    "--health-interval", "--health-retries", "--health-start-interval", "--health-start-period", "--health-timeout",
    "-h", "--hostname", "--io-maxbandwidth", "--io-maxiops", "--ip", "--ip6", "--ipc", "--isolation",
    "--kernel-memory", "-l", "--label", "--label-file", "--link", "--link-local-ip", "--log-driver", "--log-opt",
    "--mac-address", "-m", "--memory", "--memory-reservation", "--memory-swap", "--memory-swappiness", "--mount",
    "--name", "--net", "--net-alias", "--network", "--network-alias", "--oom-score-adj", "--pid", "--pids-limit",
    "--platform", "-p", "--publish", "--pull", "--restart", "--runtime", "--security-opt", "--shm-size",
    "--stop-signal", "--stop-timeout", "--storage-opt", "--sysctl", "--tmpfs", "--ulimit", "-u", "--user", "--userns",
    "--uts", "-v", "--volume", "--volume-driver", "--volumes-from", "-w", "--workdir", "--pod", "--systemd",
    "--secret", "--authfile", "--arch", "--os", "--umask", "--passwd", "--uidmap", "--gidmap", "--subuidname",
    "--tls-verify", "--conmon-pidfile", "--log-level", "--hooks-dir", "--requires", "--rootfs", "--image-volume",
})  # fmt: skip
"""Options of ``docker run`` (28.5) and ``podman run`` (5.6) with a value."""

BUILD_SWITCHES: Final = frozenset({
    "--no-cache", "--pull", "--force-rm", "--rm", "--compress", "--squash", "-q", "--quiet", "--load", "--push",
    "--disable-content-trust", "--check", "-D", "--debug", "--help", "--stream", "--layers", "--squash-all",
})  # fmt: skip
BUILD_VALUES: Final = frozenset({
    "--add-host", "--allow", "--annotation", "--attest", "--build-arg", "--build-context", "--builder", "--cache-from",
    "--cache-to", "--call", "--cgroup-parent", "--cpu-period", "--cpu-quota", "-c", "--cpu-shares", "--cpuset-cpus",
    "--cpuset-mems", "-f", "--file", "--iidfile", "--isolation", "--label", "-m", "--memory", "--memory-swap",
    "--metadata-file", "--network", "--no-cache-filter", "-o", "--output", "--platform", "--policy", "--progress",
    "--provenance", "--sbom", "--secret", "--security-opt", "--shm-size", "--ssh", "-t", "--tag", "--target",
    "--ulimit", "-v", "--volume", "--format", "--jobs", "--authfile", "--tls-verify", "--userns",
})  # fmt: skip
"""Options of ``docker build`` and ``docker buildx build`` (0.29), and of ``podman build``."""

_ENGINES = frozenset({"docker", "podman", "nvidia-docker", "nerdctl", "buildah"})
_ENGINE_VALUES = frozenset(
    {"-H", "--host", "--context", "-c", "--config", "-l", "--log-level", "--root", "--url"}
)


class Pip(Struct, frozen=True, kw_only=True):
    """``pip install``, ``python -m pip install``, ``uv pip install``.

    Attributes:
        tool: ``pip`` or ``uv``.
        requirements: words that name packages, folders, files or addresses.
    """

    command: Command
    tool: Literal["pip", "uv"]
    verb: str
    parsed: Parsed
    requirements: tuple[Word, ...]


class Apt(Struct, frozen=True, kw_only=True):
    """``apt-get VERB`` and ``apt VERB``."""

    command: Command
    verb: str
    verb_word: Word
    parsed: Parsed
    packages: tuple[Word, ...]


class GitClone(Struct, frozen=True, kw_only=True):
    """``git clone``; ``folder`` is where it goes, relative to the current folder, empty when not known."""

    command: Command
    parsed: Parsed
    url: Word
    folder: str
    branch: str


class Download(Struct, frozen=True, kw_only=True):
    """curl, wget or aria2c; ``output`` is the file it writes, empty for standard output."""

    command: Command
    parsed: Parsed
    urls: tuple[Word, ...]
    output: str


class Docker(Struct, frozen=True, kw_only=True):
    """``docker run``, ``build``, ``exec``, ``login`` …; ``operands`` follow the options."""

    command: Command
    verb: str
    parsed: Parsed
    operands: tuple[Word, ...]


def pip_install(command: Command) -> Pip | None:
    """Read a pip command that installs, downloads or builds packages."""
    words = list(command.arguments)
    tool: Literal["pip", "uv"] = "pip"
    if _PYTHON.fullmatch(command.program) or command.program in {"$PYTHON", "${PYTHON}"}:
        while words and words[0].text.startswith("-") and words[0].text != "-m":
            words.pop(0)
        if [word.text for word in words[:2]] != ["-m", "pip"]:
            return None
        words = words[2:]
    elif command.program == "uv":
        tool = "uv"
        if not words or words[0].text != "pip":
            return None
        words = words[1:]
    elif not _PIP.fullmatch(command.program):
        return None
    while words and words[0].text.startswith("-"):
        words.pop(0)
    if not words or words[0].text not in {"install", "download", "wheel"}:
        return None
    parsed = parse_options(words[1:], PIP_VALUES)
    return Pip(command=command, tool=tool, verb=words[0].text, parsed=parsed, requirements=parsed.operands)


def apt_call(command: Command) -> Apt | None:
    """Read an apt command."""
    if command.program not in {"apt-get", "apt", "aptitude"}:
        return None
    parsed = parse_options(command.arguments, _APT_VALUES)
    operands = [word for word in parsed.operands if word.text not in {"$@", "${APT_OPTIONS}"}]
    if not operands:
        return None
    return Apt(
        command=command,
        verb=operands[0].text,
        verb_word=operands[0],
        parsed=parsed,
        packages=tuple(operands[1:]),
    )


def git_clone(command: Command) -> GitClone | None:
    """Read a ``git clone``."""
    if command.program != "git":
        return None
    words = list(command.arguments)
    while words and words[0].text.startswith("-"):
        words = words[2 if words[0].text in {"-c", "-C"} else 1 :]
    if not words or words[0].text != "clone":
        return None
    parsed = parse_options(words[1:], _GIT_VALUES)
    if not parsed.operands:
        return None
    url, *rest = parsed.operands
    name = url.text.rstrip("/").rpartition("/")[2].removesuffix(".git")
    branch = parsed.first("-b", "--branch", "--revision")
    return GitClone(
        command=command,
        parsed=parsed,
        url=url,
        folder=rest[0].text if rest else name,
        branch=branch.value if branch else "",
    )


def download_call(command: Command) -> Download | None:
    """Read a download."""
    if command.program == "curl":
        parsed = parse_options(command.arguments, _CURL_VALUES)
        out = parsed.first("-o", "--output")
        remote = parsed.has("-O", "--remote-name", "-J", "--remote-header-name")
    elif command.program in {"wget", "wget2", "aria2c"}:
        parsed = parse_options(command.arguments, _WGET_VALUES)
        out = parsed.first("-O", "--output-document")
        remote = out is None
    else:
        return None
    urls = [word for word in parsed.operands if _is_url(word)]
    urls += [option.value_word for option in parsed.every("--url") if option.value_word]
    if not urls:
        return None
    output = ""
    if out is not None and out.value not in {"-", "/dev/stdout"}:
        output = out.value
    elif remote and out is None:
        output = urls[0].text.partition("?")[0].rstrip("/").rpartition("/")[2]
        folder = parsed.first("-P", "--directory-prefix", "--output-dir")
        output = f"{folder.value.rstrip('/')}/{output}" if folder else output
    else:
        file = next((one for one in command.redirects if one.operator in {">", ">>", ">|"}), None)
        output = file.target if file and file.target != "/dev/null" else ""
    return Download(command=command, parsed=parsed, urls=tuple(urls), output=output)


def docker_call(command: Command) -> Docker | None:
    """Read a command of a container engine."""
    if command.program not in _ENGINES:
        return None
    outer = parse_options(command.arguments, _ENGINE_VALUES, operand_ends=True)
    words = list(outer.operands)
    if words and words[0].text in {"container", "image", "buildx", "builder"}:
        words.pop(0)
    if not words:
        return None
    verb = words[0].text
    values = BUILD_VALUES if verb in {"build", "bake"} else RUN_VALUES
    if verb == "login":
        values = frozenset({"-u", "--username", "-p", "--password", "--authfile", "--cert-dir"})
    if verb in {"run", "exec", "create"}:
        words = _without_unknown(words)
    parsed = parse_options(words[1:], values, operand_ends=verb in {"run", "exec", "create"})
    return Docker(command=command, verb=verb, parsed=parsed, operands=parsed.operands)


def _without_unknown(words: list[Word]) -> list[Word]:
    """Without arrays and variables that hold options: they stand before another option."""
    kept = []
    for word, following in zip(words, [*words[1:], None], strict=True):
        whole = bool(re.fullmatch(r"\$\{[^}]*\}|\$\w+", word.text))
        if whole and (
            "[@]" in word.text or (not word.quoted and following and following.text.startswith("-"))
        ):
            continue
        kept.append(word)
    return kept


def _is_url(word: Word) -> bool:
    text = word.text
    return "://" in text or text.startswith("$") or ("." in text.partition("/")[0] and "/" in text)
