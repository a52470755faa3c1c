"""Resolution by uv: one ``uv pip compile`` per cell, its answer and its explanations kept.

uv runs in a folder of its own with a configuration of its own: nothing of the user's uv or pip settings
takes part, so that the spec alone decides. Accounts of indexes never reach it (``gateway``).
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_bytes
from typing import Final

from layerwright.core.errors import EngineError, LayerwrightError, ResolveError
from layerwright.core.events import Notice, Reporter, SilentReporter, TaskEnded, TaskStarted, Warned
from layerwright.host.environment import HostEnvironment
from layerwright.host.http import HttpClient, ca_bundle
from layerwright.host.process import find_program, run
from layerwright.resolve.ports import PackageRequest, PackageSet
from layerwright.sources.choose import make_set
from layerwright.sources.explanations import explain, mentions, warnings_of
from layerwright.sources.gateway import Gateway, open_gateway
from layerwright.sources.indexes import IndexReader, Site, index_sites
from layerwright.sources.pylock import Answer, read_pylock
from layerwright.sources.requirements import package_name, requirement_line
from layerwright.sources.tags import uv_platform
from layerwright.spec.model import GitPackage, PathPackage

__all__ = ["UvResolver", "find_uv", "uv_environment"]

_SECONDS: Final = 1800.0
_MOST_ROUNDS: Final = 12

_DEFAULT_PRERELEASES: Final = "if-necessary-or-explicit"
# uv's own default under its older name: uv 0.13 warns when it is named, so it is not

_PASSED: Final = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSL_CAINFO",
    "NETRC",
    "SSH_AGENT_PID",
    "SSH_AUTH_SOCK",
    "TMPDIR",
    "USER",
    "UV_CACHE_DIR",
    "UV_HTTP_RETRIES",
    "UV_HTTP_TIMEOUT",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
)


def find_uv(host: HostEnvironment) -> Path:
    """The uv program: of the ``uv`` distribution we depend on, else on the caller's path.

    Raises:
        EngineError: there is none.
    """
    try:
        from uv import find_uv_bin  # noqa: PLC0415  # start-up

        return Path(find_uv_bin())
    except (ImportError, FileNotFoundError):
        found = find_program("uv", host.path)
    if found is None:
        raise EngineError("the program `uv` is missing", hint="pip install uv")
    return found


def uv_environment(host: HostEnvironment) -> dict[str, str]:
    """The environment uv runs in: what it needs to reach the network, none of its settings."""
    variables = {name: host.variables[name] for name in _PASSED if host.variables.get(name)}
    bundle = ca_bundle(host.variables)
    if bundle:
        variables["SSL_CERT_FILE"] = bundle
    for name in ("no_proxy", "NO_PROXY"):
        # what is asked of this machine (``gateway``) is never asked of a proxy
        variables[name] = ",".join(filter(None, (variables.get(name, ""), "127.0.0.1")))
    return variables | {
        "HOME": str(host.home),
        "PATH": host.path,
        "LC_ALL": "C.UTF-8",
        "GIT_TERMINAL_PROMPT": "0",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
    }


@dataclass(slots=True, kw_only=True)
class UvResolver:
    """Resolves packages with uv; satisfies ``resolve.PackageResolver``.

    Attributes:
        host: the caller's surroundings.
        http: asks indexes for sizes and for who serves a file.
        reporter: gets progress and warnings.
        key: makes addresses that only uv and we know (``gateway``); the same each time, uv's cache serves.
    """

    host: HostEnvironment
    http: HttpClient
    reporter: Reporter = field(default_factory=SilentReporter)
    key: bytes = field(default_factory=lambda: token_bytes(32), repr=False)
    _reader: IndexReader | None = field(default=None, init=False)

    def resolve_packages(self, request: PackageRequest) -> PackageSet:
        """Choose one version and one file of everything that is needed.

        Raises:
            ResolveError: nothing fits; uv's explanation is kept.
            NetworkError: an index cannot be asked, or ``--offline`` forbids it.
            UsageError: credentials are missing.
        """
        if self._reader is None:
            self._reader = IndexReader(self.http)
        task = f"resolve:{request.cell}"
        self.reporter(TaskStarted(task=task, title="packages", kind="resolve", cell=request.cell))
        if not request.glibc:
            message = (
                f"{request.cell}: the base's glibc is not known, so only wheels for glibc 2.17 (manylinux2014)"
                " or older are taken"
            )
            self.reporter(Notice(message=message))
        try:
            found = self._rounds(request, self._reader)
        except BaseException:
            self.reporter(TaskEnded(task=task, failed=True))
            raise
        count = len(found.wheels) + len(found.sources)
        self.reporter(TaskEnded(task=task, detail=f"{count} package{'' if count == 1 else 's'}"))
        return found

    def _rounds(self, request: PackageRequest, reader: IndexReader) -> PackageSet:
        """Ask until nothing is left to be told.

        uv binds a package to an index only where it stands as a requirement itself, so a bound package that
        another one brings becomes a requirement in a second round. Likewise extras of a project whose name
        only its metadata tells.
        """
        sites = index_sites(request.indexes, self.host, request.root)
        bound = {name: site for site in sites for name in site.packages}
        forced: frozenset[str] = frozenset()
        names: dict[int, str] = {}
        for _ in range(_MOST_ROUNDS):
            with tempfile.TemporaryDirectory(prefix="layerwright-") as temporary:
                # resolved: uv writes paths relative to the real one
                folder = Path(temporary).resolve()
                text, failure = self._compile(folder, request, sites, forced, names)
                if not text:
                    told = frozenset(name for name in bound if mentions(failure, name)) - forced
                    if not told:
                        raise self._error(failure, request, sites)
                    forced |= told
                    continue
                answers = read_pylock(text, folder, request, sites, reader)
                strays = _strays(answers, bound) - forced
                learned = _learned(answers, request, names)
                if not strays and not learned:
                    self._warn(failure, request, sites)
                    return make_set(answers, folder, request, reader, self.host)
                forced |= strays
                names |= learned
        raise ResolveError(f"{request.cell}: the packages bound to indexes do not settle")

    def _compile(
        self,
        folder: Path,
        request: PackageRequest,
        sites: Sequence[Site],
        forced: frozenset[str],
        names: Mapping[int, str],
    ) -> tuple[str, str]:
        """Run uv once; its answer (empty when it failed) and what it printed on standard error."""
        with open_gateway(sites, self.http, key=self.key) as gateway:
            return self._run(folder, request, gateway, sites, forced, names)

    def _run(
        self,
        folder: Path,
        request: PackageRequest,
        gateway: Gateway,
        asked: Sequence[Site],
        forced: frozenset[str],
        names: Mapping[int, str],
    ) -> tuple[str, str]:
        sites = gateway.sites
        packages = (*request.inherited, *request.packages)
        lines = [
            requirement_line(package, request.root, name=names.get(id(package), "")) for package in packages
        ]
        (folder / "requirements.in").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        pins = [f"{name}=={version}" for name, version in request.pins.items()]
        constraints = "".join(f"{line}\n" for line in (*request.constraints, *pins))
        (folder / "uv.toml").write_text(_configuration(sites, "index"), encoding="utf-8")
        answer = folder / "pylock.toml"
        if request.preferences:
            # what an output file holds already is what uv prefers
            answer.write_text(_preferences(request.preferences), encoding="utf-8")
        argv = [str(find_uv(self.host)), "pip", "compile", "--config-file", "uv.toml"]
        argv += ["--format", "pylock.toml", "--output-file", "pylock.toml", "--no-header", "--color", "never"]
        argv += ["--python", str(self.host.python), "--python-version", request.full_python or request.python]
        argv += ["--python-platform", uv_platform(request.platform, request.glibc)]
        if request.prereleases != _DEFAULT_PRERELEASES:
            argv += ["--prerelease", request.prereleases]
        if constraints:
            (folder / "constraints.txt").write_text(constraints, encoding="utf-8")
            argv += ["-c", "constraints.txt"]
        if request.exclude_newer:
            argv += ["--exclude-newer", request.exclude_newer]
        if self.http.offline:
            argv.append("--offline")
        argv.append("requirements.in")
        bound = {name: site for site in sites for name in site.packages}
        named = forced | {
            name for name in bound if name in {package_name(item, request.root) for item in packages}
        }
        if named:
            text = _binding_project({name: bound[name] for name in sorted(named)}, sites)
            (folder / "pyproject.toml").write_text(text, encoding="utf-8")
            argv.append("pyproject.toml")
        done = run(
            argv,
            env=uv_environment(self.host),
            cwd=folder,
            timeout=_SECONDS,
            check=False,
            masked=_secrets(asked),
        )
        printed = gateway.restored(done.stderr.decode(errors="replace"))
        if done.status != 0:
            troubles = "\n".join(dict.fromkeys(gateway.troubles))
            return "", "\n".join(filter(None, (printed or f"uv ended with status {done.status}", troubles)))
        return gateway.restored(answer.read_text(encoding="utf-8")), printed

    def _error(self, failure: str, request: PackageRequest, sites: Sequence[Site]) -> LayerwrightError:
        return explain(failure, request, secrets=_secrets(sites))

    def _warn(self, printed: str, request: PackageRequest, sites: Sequence[Site]) -> None:
        for message in warnings_of(printed, _secrets(sites)):
            self.reporter(Warned(message=f"{request.cell}: {message}"))


def _alias(number: int) -> str:
    """What uv knows an index by: its names are narrower than ours."""
    return f"lw{number}"


def _secrets(sites: Sequence[Site]) -> tuple[str, ...]:
    return tuple(site.credentials[1] for site in sites if site.credentials)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _configuration(sites: Sequence[Site], table: str) -> str:
    """The indexes as uv's configuration has them, without credentials."""
    parts = []
    for number, site in enumerate(sites):
        parts.append(f"[[{table}]]\nname = {_text(_alias(number))}\n")
        parts.append(f"url = {_text(str(site.folder) if site.folder else site.url)}\n")
        if site.format == "flat":
            parts.append('format = "flat"\n')
        if site.default:
            parts.append("default = true\n")
        if site.explicit:
            parts.append("explicit = true\n")
    return "".join(parts)


def _binding_project(bound: Mapping[str, Site], sites: Sequence[Site]) -> str:
    """A project that requires the bound packages, each from its index: the only place where uv binds them."""
    aliases = {site.name: _alias(number) for number, site in enumerate(sites)}
    lines = ["[project]", 'name = "layerwright-indexes"', 'version = "0"']
    lines.append(f"dependencies = [{', '.join(_text(name) for name in bound)}]")
    lines.append("[tool.uv.sources]")
    lines += [f"{_text(name)} = {{ index = {_text(aliases[site.name])} }}" for name, site in bound.items()]
    return "\n".join(lines) + "\n" + _configuration(sites, "tool.uv.index")


def _preferences(versions: Mapping[str, str]) -> str:
    lines = ['lock-version = "1.0"', 'created-by = "layerwright"']
    for name, version in sorted(versions.items()):
        lines += ["[[packages]]", f"name = {_text(name)}", f"version = {_text(version)}"]
    return "\n".join(lines) + "\n"


def _strays(answers: Sequence[Answer], bound: Mapping[str, Site]) -> frozenset[str]:
    """Bound packages that came from another index than theirs."""
    found = set()
    for answer in answers:
        name = str(answer.entry.name)
        if name in bound and answer.site is not None and answer.site.name != bound[name].name:
            found.add(name)
    return frozenset(found)


def _learned(answers: Sequence[Answer], request: PackageRequest, names: Mapping[int, str]) -> dict[int, str]:
    """Names of projects that have extras and did not tell their name before."""
    learned = {}
    for answer in answers:
        package = answer.package
        if not isinstance(package, GitPackage | PathPackage) or not package.extras or id(package) in names:
            continue
        if not package_name(package, request.root):
            learned[id(package)] = str(answer.entry.name)
    return learned
