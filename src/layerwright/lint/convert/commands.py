"""A RUN's commands: what has a word of its own in the spec, and what stays a command."""

import re
from dataclasses import replace
from typing import Final, Literal

from msgspec import structs

from layerwright.lint.convert.model import Context, Draft, PackageDraft, RunDraft
from layerwright.lint.convert.mounts import digests_of, mounts_of
from layerwright.lint.convert.packages import PipCarrier
from layerwright.lint.convert.places import Places
from layerwright.lint.dockerfile import expand
from layerwright.lint.documents import Unit
from layerwright.lint.shell import Chain, Command
from layerwright.lint.tools import apt_call, download_call, git_clone, pip_install

__all__ = ["RunCarrier"]

Fate = Literal["carried", "neutral", "kept"]
"""``carried``: the spec says it. ``neutral``: it matters only for commands that are kept. ``kept``: it stays."""

_NETWORK: Final = frozenset({
    "curl", "wget", "git", "pip", "pip3", "conda", "mamba", "apt-get", "apt", "npm", "yarn", "uv", "cargo", "go",
    "aria2c", "add-apt-repository", "gdown", "huggingface-cli", "hf", "svn", "rsync", "ssh", "scp",
})  # fmt: skip
_PYTHON = re.compile(r"python[23]?(\.\d+)?")
_SHA256 = re.compile(r"\b([0-9a-f]{64})\b")
_ARCHIVE = re.compile(r".+\.(tar(\.\w+)?|tgz|zip|deb|gz|xz|bz2|sh|run)")
_STRONGEST: Final[tuple[Fate, ...]] = ("kept", "neutral", "carried")
_DEBIAN = re.compile(r"[a-z0-9][a-z0-9+.-]+(=[A-Za-z0-9.+:~-]+)?")
_DISPOSABLE = re.compile(r"/var/(lib/apt|cache/(apt|debconf)|log)|/tmp(/|$)|/root/\.cache")
_PARTS: Final = 2
_NEUTRAL: Final = frozenset({"", "export", "set", "true", ":", "umask", "shopt"})
_MOVES: Final = frozenset({"cd", "pushd", "popd"})
_REMOVES: Final = frozenset({"rm", "rmdir"})
_APT: Final = frozenset({"apt-get", "apt", "aptitude"})
_GIT: Final = frozenset({"git"})
_DOWNLOADS: Final = frozenset({"curl", "wget", "wget2", "aria2c"})
_CHMOD: Final = frozenset({"chmod"})
_MKDIR: Final = frozenset({"mkdir"})


class RunCarrier:
    """Takes one RUN apart."""

    def __init__(self, draft: Draft, context: Context, places: Places, unit: Unit) -> None:
        self.draft, self.context, self.places, self.unit = draft, context, places, unit
        self.line = unit.instruction.line if unit.instruction else 0
        self.mounts = mounts_of(unit)
        self.variables = unit.state.variables if unit.state else {}
        self.pips = PipCarrier(draft, context, places, self.line)
        self.digests = digests_of(unit)

    def carry(self) -> None:
        """Distribute its commands; what is kept becomes one command of the spec."""
        home = self.places.folder
        self._bind()
        kept: list[str] = []
        useful = False
        for chain in self._chains():
            for text, fate in self._chain(chain):
                if fate == "kept" and re.search(r"/etc/apt/|add-apt-repository|apt-key", text):
                    self.draft.leave(
                        self.line,
                        text,
                        "packages come from the base's own sources, before any command is run",
                    )
                    continue
                if fate != "carried":
                    kept.append(text)
                useful = useful or fate == "kept"
                if fate == "kept" and any(
                    self.places.folder.startswith(folder) for folder in self.places.cloned
                ):
                    self.draft.leave(self.line, text, "it runs among sources that are not in the image")
        if useful:
            self._keep(kept)
        self.places.folder = home

    def _chains(self) -> list[Chain]:
        return [chain for chain in self.unit.script.chains if chain.depth == 0 and not chain.function]

    def _chain(self, chain: Chain) -> list[tuple[str, Fate]]:
        text = self.unit.script.text
        whole = text[chain.elements[0].start : chain.elements[-1].stop]
        heredoc = any(one.body is not None for command in self._commands(chain) for one in command.redirects)
        if "||" in chain.operators or heredoc:
            stop = len(text) if heredoc else chain.elements[-1].stop
            fate: Fate = "carried" if self._forgiven(chain) else "kept"
            return [(text[chain.elements[0].start : stop] if heredoc else whole, fate)]
        found: list[tuple[str, Fate]] = []
        for element in chain.elements:
            commands = self.unit.commands[element.first : element.last]
            piece = text[element.start : element.stop]
            simple = element.kind in {"command", "declaration_command", "variable_assignment"} and commands
            if simple:
                found.append((piece, self._command(commands[0])))
            elif element.kind == "pipeline":
                found.append((piece, "carried" if self._is_check(commands) else "kept"))
            elif element.kind == "redirected_statement" and len(commands) == 1:
                found.append((piece, self._command(commands[0]) if _is_quiet(commands[0]) else "kept"))
            else:
                found.append((piece, "kept"))
        return found

    def _commands(self, chain: Chain) -> tuple[Command, ...]:
        return self.unit.commands[chain.elements[0].first : chain.elements[-1].last]

    def _forgiven(self, chain: Chain) -> bool:
        """``rm … || true`` and the like of what is not there any more."""
        first = self._commands(chain)[:1]
        return bool(first) and first[0].program == "rm" and self._removal(first[0]) == "carried"

    def _command(self, command: Command) -> Fate:
        if command.program in _NEUTRAL:
            return "neutral"
        for programs, carry in (
            (_MOVES, self._move),
            (_REMOVES, self._removal),
            (_APT, self._apt),
            (_GIT, self._git),
            (_DOWNLOADS, self._download),
            (_CHMOD, self._chmod),
            (_MKDIR, self._mkdir),
        ):
            if command.program in programs:
                return carry(command)
        pip = pip_install(command)
        if pip is not None:
            return self._pip(command)
        if _PYTHON.fullmatch(command.program):
            return self._python(command)
        return "carried" if self._is_time_zone(command) or self._is_python_link(command) else "kept"

    def _move(self, command: Command) -> Fate:
        target = command.texts[0] if command.texts else ("-" if command.program == "popd" else "~")
        self.places.enter("-" if command.program == "popd" else expand(target, self.variables).text)
        return "neutral"

    def _pip(self, command: Command) -> Fate:
        pip = pip_install(command)
        if pip is None:
            return "kept"
        for redirect in command.redirects:
            word = next((word for word in command.arguments if word.stop == redirect.start), None)
            if word is None or redirect.operator not in {">", "<"}:
                continue
            # `Pillow>=10` without quotes: the shell takes the bound for a redirection.
            whole = f"{word.text}{redirect.operator}{redirect.target}"
            self.draft.leave(
                self.line, whole, "it was not quoted, so pip never saw the bound; here it is one"
            )
            meant = structs.replace(word, text=whole)
            words = tuple(meant if one is word else one for one in pip.requirements)
            pip = structs.replace(pip, requirements=words)
        netrc = any("netrc" in target for target in self.mounts.targets)
        return "carried" if self.pips.carry(pip, netrc=netrc) else "kept"

    # -- what has a word of its own

    def _apt(self, command: Command) -> Fate:
        call = apt_call(command)
        if call is None:
            return "kept"
        if call.verb in {"update", "clean", "autoclean", "autoremove", "distclean"}:
            return "carried"
        if call.verb in {"upgrade", "dist-upgrade", "full-upgrade"}:
            self.draft.leave(
                self.line,
                f"{command.program} {call.verb}",
                "the lock holds each package's version; take a newer base",
            )
            return "carried"
        if call.verb != "install":
            return "kept"
        names = [expand(word.text, self.variables) for word in call.packages]
        if any(name.unknown or name.text.startswith(("/", "./")) or "$" in name.text for name in names):
            return "kept"
        if call.parsed.has("-t", "--target-release", "-o", "--option"):
            text = command.piece.text[command.start : command.stop]
            self.draft.leave(self.line, text, "apt's options are not carried over")
        for name in names:
            self._debian(name.text)
        return "carried"

    def _debian(self, name: str) -> None:
        if not _DEBIAN.fullmatch(name):
            self.draft.leave(self.line, name, "not the name of a Debian package")
        elif name not in self.draft.apt and not (name == "tzdata" and self.variables.get("TZ")):
            self.draft.apt.append(name)  # the time zone brings tzdata

    def _git(self, command: Command) -> Fate:
        clone = git_clone(command)
        if clone is not None:
            url, branch = expand(clone.url.text, self.variables), expand(clone.branch, self.variables)
            if url.unknown or branch.unknown:
                return "kept"
            folder = self.places.absolute(expand(clone.folder, self.variables).text)
            if not self._is_installed(folder):
                return "kept"
            self.places.cloned[folder] = PackageDraft(git=url.text, rev=branch.text or "HEAD")
            if not branch.text:
                self.draft.leave(
                    self.line,
                    f"git clone {url.text}",
                    'no revision was named: rev = "HEAD" is the default branch as it is when it is locked',
                )
            return "carried"
        texts = [text for text in command.texts if not text.startswith("-")]
        if texts[:1] in (["checkout"], ["switch"], ["reset"]) and len(texts) > 1:
            for folder, package in self.places.cloned.items():
                if self.places.folder == folder or self.places.folder.startswith(f"{folder}/"):
                    rev = expand(texts[1], self.variables).text
                    self.places.cloned[folder] = PackageDraft(git=package.git, rev=rev)
                    self.draft.left = [
                        note for note in self.draft.left if note.text != f"git clone {package.git}"
                    ]
                    return "carried"
        return "carried" if texts[:1] == ["submodule"] and self.places.project(".") else "kept"

    def _is_installed(self, folder: str) -> bool:
        """A later command of this step installs what stands in the folder, by pip or its setup script."""
        seen = _elsewhere(self.places, self.places.folder)
        for command in self.unit.commands:
            if command.program in {"cd", "pushd"} and command.texts:
                seen.enter(command.texts[0])
            pip = pip_install(command)
            if pip is not None and pip.verb == "install":
                texts = [word.text for word in pip.requirements]
                texts += [option.value for option in pip.parsed.every("-e", "--editable")]
                for text in texts:
                    place = seen.absolute(re.sub(r"\[.*\]$", "", text))
                    if place == folder or place.startswith(f"{folder}/"):
                        return True
            if "setup.py" in command.texts and "install" in command.texts and seen.absolute(".") == folder:
                return True
        return False

    def _python(self, command: Command) -> Fate:
        texts = command.texts
        if texts[:1] == ("-c",) and len(texts) == _PARTS and "$" not in texts[1]:
            if re.match(r"\s*(import|from)\s", texts[1]):
                self.draft.smoke.append(("python", "-c", texts[1]))
                return "carried"
            return "kept"
        if texts[:2] == ("-m", "venv"):
            self.draft.leave(self.line, "python -m venv", "layerwright makes the environment, /opt/venv")
            return "carried"
        if texts and texts[0].rpartition("/")[2] == "setup.py":
            folder = texts[0].rpartition("/")[0] or "."
            package = self.places.project(folder)
            if package is None:
                return "kept"
            if {"install", "develop"} & set(texts):
                self.draft.add_package(package)
            return "carried"  # a wheel that is built is installed by a later command
        return "kept"

    def _download(self, command: Command) -> Fate:
        download = download_call(command)
        if download is None or len(download.urls) != 1 or not download.output:
            return "kept"
        url = expand(download.urls[0].text, self.variables)
        output = expand(download.output, self.variables)
        if url.unknown or output.unknown or "$" in url.text + output.text:
            return "kept"
        name = output.text.rpartition("/")[2]
        sha256 = self.digests.get(name, "")
        others = [
            one
            for one in self.unit.commands
            if one is not command and any(name in text for text in one.texts) and not self._is_check((one,))
            and one.program not in {"chmod", "echo", "printf"}
        ]  # fmt: skip
        if sha256 and not others and not _ARCHIVE.fullmatch(name):
            self.draft.models.append((url.text, sha256, self.places.absolute(output.text)))
            return "carried"
        if not sha256:
            self.draft.leave(
                self.line,
                url.text,
                "fetched by a command, since its sha256 is not known; with it, it can be an entry of `models`",
            )
        return "kept"

    def _is_check(self, commands: tuple[Command, ...]) -> bool:
        """``echo "DIGEST  FILE" | sha256sum --check`` of a file that became a model."""
        checks = any(command.program in {"sha256sum", "shasum"} for command in commands)
        texts = [expand(text, self.variables).text for command in commands for text in command.texts]
        digests = {digest for text in texts for digest in _SHA256.findall(text)}
        return checks and bool(digests) and digests <= {sha256 for _, sha256, _ in self.draft.models}

    def _removal(self, command: Command) -> Fate:
        """What is removed was never there, or has to go; what a step made itself matters while it is kept."""
        fates: set[Fate] = set()
        for word in command.arguments:
            if word.text.startswith("-"):
                continue
            path = self.places.absolute(expand(word.text, self.variables).text)
            whole = path.removesuffix("/*").rstrip("/")
            if any(part == whole or part.startswith(f"{whole}/") for part in self.places.copied):
                self.places.removed.add(whole)
                fates.add("neutral")
            elif _DISPOSABLE.match(path) or self._is_of_clone(whole):
                fates.add("carried")
            else:
                fates.add("kept" if word.text.startswith("/") else "neutral")
        return next((fate for fate in _STRONGEST if fate in fates), "carried")

    def _is_of_clone(self, path: str) -> bool:
        return any(path == folder or path.startswith(f"{folder}/") for folder in self.places.cloned)

    def _is_time_zone(self, command: Command) -> bool:
        zone = self.variables.get("TZ") or ""
        text = " ".join((command.program, *command.texts))
        if command.program == "ln" and "/etc/localtime" in text:
            found = re.search(r"/usr/share/zoneinfo/(\S+)", text)
            name = expand(found[1], self.variables).text if found else zone
            self.draft.timezone = name or self.draft.timezone
            return bool(name)
        if command.program == "dpkg-reconfigure" and "tzdata" in text:
            return True
        return command.program == "echo" and "/etc/timezone" in text

    def _is_python_link(self, command: Command) -> bool:
        return command.program == "ln" and bool(
            re.search(r"python3?(\.\d+)?\s+\S*/python3?$", " ".join(command.texts))
        )

    def _chmod(self, command: Command) -> Fate:
        """Chmod 777 of a cache folder that a variable names: the spec has `writable` for it."""
        words = [text for text in command.texts if not text.startswith("-")]
        if len(words) < _PARTS or not re.fullmatch(r"0?777|a\+rwx?|ugo\+rwx?|1777", words[0]):
            return "kept"
        named = {value: name for name, value in self.variables.items() if value and value.startswith("/")}
        folders = [self.places.absolute(expand(word, self.variables).text) for word in words[1:]]
        if not all(folder in named or folder in self._later() for folder in folders):
            return "kept"
        for folder in folders:
            name = named.get(folder) or self._later()[folder]
            if name not in self.draft.writable:
                self.draft.writable.append(name)
        return "carried"

    def _later(self) -> dict[str, str]:
        """Folders that variables of the finished stage name."""
        end = self.unit.stage.end.env if self.unit.stage else {}
        return {
            value: name for name, value in end.items() if value and value.startswith("/") and name != "PATH"
        }

    def _mkdir(self, command: Command) -> Fate:
        """Folders of cache variables, of clones and of copies come by themselves."""
        later = self._later()
        paths = [
            self.places.absolute(expand(text, self.variables).text)
            for text in command.texts
            if not text.startswith("-")
        ]
        targets = self._folders_of_models()
        runs = self.unit.stage.instructions if self.unit.stage else ()
        opened = " ".join(one.rest.text for one in runs if one.keyword == "RUN" and "777" in one.rest.text)
        caches = [path for path in paths if path in later and (path in opened or later[path] in opened)]
        return "carried" if paths and all(path in caches or path in targets for path in paths) else "kept"

    def _folders_of_models(self) -> set[str]:
        """Folders that this step fetches models into."""
        calls = [call for command in self.unit.commands if (call := download_call(command)) is not None]
        outputs = [expand(call.output, self.variables).text for call in calls if call.output]
        models = [
            path
            for path in outputs
            if path.rpartition("/")[2] in self.digests and not _ARCHIVE.fullmatch(path)
        ]
        return {self.places.absolute(path).rpartition("/")[0] for path in models}

    # -- what stays

    def _bind(self) -> None:
        for source, target in self.mounts.binds:
            self.places.copied[target] = source
            self.places.removed.add(target)

    def _keep(self, texts: list[str]) -> None:
        script = "\n".join(_unfolded(text) for text in texts)
        words = set(re.findall(r"[\w.-]+", script))
        shell = self.unit.state.shell if self.unit.state else ("/bin/sh", "-c")
        bash = "bash" in shell[0]
        for name in self.mounts.secrets:
            self.draft.secrets.setdefault(name, re.sub(r"\W", "_", name).upper())
        for target in self.mounts.targets:
            if target and not target.startswith("/run/secrets/"):
                self.draft.leave(
                    self.line, target, "a secret is always at /run/secrets/NAME while a command runs"
                )
        for source, target in self.mounts.binds:
            self.draft.leave(
                self.line,
                f"--mount=type=bind,source={source},target={target}",
                "commands see no mounts: copy it, or install it as a package",
            )
        for name, value in self.variables.items():
            if value is None and re.search(rf"\$\{{?{name}\b", script):
                self.draft.leave(
                    self.line, name, "an ARG without a value that a command uses: write the value into it"
                )
        args = {
            name: value
            for name, value in self.variables.items()
            if value and re.search(rf"\$\{{?{name}\b", script)
        }
        known = set(self.unit.state.env) if self.unit.state else set()
        script = (
            "".join(f"{name}={_quoted(value)}\n" for name, value in args.items() if name not in known)
            + script
        )
        state, stage = self.unit.state, self.unit.stage
        if state is not None and stage is not None and state.workdir != stage.end.workdir:
            # Commands of a spec run in the finished image's folder; a base's own is "/" nearly always.
            script = f"cd {state.workdir or '/'}\n{script}"
        self.draft.runs.append(
            RunDraft(
                line=self.line,
                script="" if bash else script,
                argv=(shell[0], "-euc", script) if bash else (),
                secrets=tuple(self.mounts.secrets),
                network=bool(words & _NETWORK),
            )
        )


def _is_quiet(command: Command) -> bool:
    """Its redirections keep nothing that anybody wants: output thrown away, or a bound that was not quoted."""
    pip = pip_install(command) is not None
    return all(
        one.target == "/dev/null" or one.operator == ">&" or (pip and re.fullmatch(r"=?[\d.*]+", one.target))
        for one in command.redirects
    )


def _unfolded(text: str) -> str:
    """A command on one line where it was folded; blanks in quotes stay as they are."""
    text = re.sub(r"[ \t]*\\\n[ \t]*", " ", text).strip()
    return text if re.search(r"[\"'\n]", text) else re.sub(r"[ \t]+", " ", text)


def _quoted(value: str) -> str:
    return value if re.fullmatch(r"[\w./:@%+,-]+", value) else "'" + value.replace("'", "'\\''") + "'"


def _elsewhere(places: Places, folder: str) -> Places:
    """The same places, seen from a folder of its own."""
    return replace(places, folder=folder, before=[])
