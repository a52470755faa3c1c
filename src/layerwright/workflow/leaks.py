"""The search for leaked secrets at the end of every build; a leak fails the build and nothing of it is kept.

Only what the build itself made is searched, and only what is new: what was found clean is remembered by its digest and
by fingerprints of the values that were looked for, made with a key that never leaves the store. Wheels, models, Debian
packages and bases are others' bytes under a digest that the lock or the spec names; ``verify`` searches those, too.
"""

import hashlib
import hmac
import json
import secrets
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, assert_never

from msgspec import Struct

from layerwright import __version__
from layerwright.core.errors import BuildError
from layerwright.core.events import Warned
from layerwright.plan.steps import (
    Base,
    BuildWheel,
    CellPlan,
    CopySource,
    CopyTree,
    FetchFile,
    InstallApt,
    InstallCheckDevice,
    InstallEntry,
    InstallPython,
    InstallSeal,
    InstallWheels,
    Node,
    RunCommand,
    RunTests,
    SetConfig,
    WriteFiles,
)
from layerwright.workflow.accounts import note_secrets
from layerwright.workflow.session import Session, lock_path

if TYPE_CHECKING:
    from layerwright.backends.native.results import NodeResult
    from layerwright.oci.blobs import BlobSource
    from layerwright.oci.image import Image
    from layerwright.oci.layer import Layer
    from layerwright.spec.model import Spec
    from layerwright.verify.secrets import Hit, SecretScanner

__all__ = ["LeakError", "LeakGuard", "private_key"]

_RECORDS: Final = "leaks-1"
_KEY: Final = "key"
_KEY_BYTES: Final = 32
_CHUNK: Final = 1 << 20
_PUBLIC: Final = frozenset({"https", "http", "git"})
_SHOWN: Final = 8
_NAMED: Final = 3
_EVERYBODY: Final = stat.S_IWOTH


class LeakError(BuildError):
    """The build put a secret where others can read it. It fails as a build does: every digest is what it should be."""


class _Unit(Struct, frozen=True, kw_only=True):
    """Bytes to be searched.

    Attributes:
        key: what the outcome is remembered by, 64 hexadecimal digits.
        rules: whether shapes of unknown secrets count, too.
        layer: a layer above others, in the store or elsewhere.
        wheel: sha256 of a wheel that was built here.
        file: the wheel's name.
        node: what made it.
    """

    key: str
    rules: bool
    layer: "Layer | None" = None
    wheel: str = ""
    file: str = ""
    node: Node | None = None


class LeakGuard:
    """Searches what a build made, before the image gets its names.

    Args:
        session: surroundings.
        spec: whose secrets and indexes are looked for.
    """

    def __init__(self, session: Session, spec: "Spec") -> None:
        self._session = session
        self._spec = spec
        self._told: set[str] = set()
        self._fingerprint_key = b""

    def __call__(self, cell: CellPlan, image: "Image", made: "Sequence[tuple[Node, NodeResult]]") -> None:
        """Judge an image that was built natively.

        Raises:
            LeakError: with the places; what holds the secret is no longer in the store.
        """
        known = self.known()
        self._judge_texts(cell, known, image)
        self.judge_steps(cell, made, known)

    def judge_steps(
        self, cell: CellPlan, made: "Sequence[tuple[Node, NodeResult]]", known: Mapping[str, bytes]
    ) -> None:
        """Judge what steps left in the store, as far as it was made here.

        Raises:
            LeakError: with the places.
        """
        from layerwright.backends.native.blobs import StoreBlobs  # noqa: PLC0415 - start-up
        from layerwright.backends.native.results import forget_result  # noqa: PLC0415 - start-up

        store = self._session.store
        leaky: list[Node] = []
        hits: list[Hit] = []
        for node, result in made:
            units = [unit for unit in _units(node, result) if unit.rules or known]
            if found := self._search(units, StoreBlobs(store, result.layers), known):
                leaky.append(node)
                hits += found
        if leaky:
            gone = {node.digest for node in leaky}
            for node, result in made:
                if node.digest in gone or not gone.isdisjoint(node.inputs):
                    gone.add(node.digest)
                    forget_result(store, node.digest, result)
            raise self._error(cell.cell, hits, leaky[0])

    def judge_layers(
        self, cell: CellPlan, image: "Image", blobs: "BlobSource", above: int, known: Mapping[str, bytes]
    ) -> None:
        """Judge an image that an engine built, for values that are known.

        Args:
            cell: what was built.
            image: as the engine has it.
            blobs: gives its layers.
            above: how many layers the base has; they are not searched.
            known: what to look for.

        Raises:
            LeakError: with the places.
        """
        self._judge_texts(cell, known, image)
        layers = image.layers[above:]
        units = [_Unit(key=layer.diff_id.hex, rules=False, layer=layer) for layer in layers]
        if hits := self._search(units, blobs, known):
            raise self._error(cell.cell, hits, None)

    def is_clean(self, diff_ids: Iterable[str], known: Mapping[str, bytes]) -> bool:
        """Whether all these layers were searched for these values before; their digits, without ``sha256:``."""
        prints = set(self._fingerprints(known).values())
        return all(prints <= self._searched(key)[0] for key in diff_ids)

    def known(self) -> Mapping[str, bytes]:
        """What may be in no image: the spec's secrets and accounts at hand, and all that was read for the build."""
        from layerwright.verify.secrets import fault_of_secret  # noqa: PLC0415 - start-up

        note_secrets(self._session, self._spec)
        found = {}
        for name, value in self._session.host.seen.values().items():
            fault = fault_of_secret(value)
            if not fault:
                found[name] = value
            elif name not in self._told:
                self._told.add(name)
                self._session.reporter(
                    Warned(
                        message=f"the secret {name!r} {fault}: the build cannot be searched for it",
                        hint="change it to a longer one: it would be guessed as easily",
                    )
                )
        return found

    def judge_spec(self, cell: CellPlan) -> None:
        """Judge what the spec says in so many words, and the lock.

        Raises:
            LeakError: with the places.
        """
        self._judge_texts(cell, self.known(), None)

    def _judge_texts(self, cell: CellPlan, known: Mapping[str, bytes], image: "Image | None") -> None:
        """Judge what the spec says in the image by rules, and all of config, history and lock for known values."""
        own, told = _own_texts(cell), self._told_texts(image) if known else []
        key = hashlib.sha256(json.dumps([own, told]).encode()).hexdigest()
        if self._is_done(key, known, rules=True):
            return
        scanner, plain = self._scanner(known), self._scanner(known, rules=False)
        hits = [hit for where, text in own for hit in scanner.scan_text(where, text)]
        hits += [hit for where, text in told for hit in plain.scan_text(where, text)]
        failing = self._failing(_once(hits))
        if failing:
            raise self._error(cell.cell, failing, None)
        self._remember(key, known, rules=True)

    def _told_texts(self, image: "Image | None") -> list[tuple[str, str]]:
        """Every text of the config, that of the base too, and the lock."""
        from layerwright.verify.contents import config_texts  # noqa: PLC0415 - start-up

        texts = list(config_texts(image)) if image is not None else []
        lock = lock_path(self._spec)
        with suppress(OSError):
            texts.append((lock.name, lock.read_text(encoding="utf-8", errors="surrogateescape")))
        return texts

    def _search(
        self, units: "Iterable[_Unit]", blobs: "BlobSource", known: Mapping[str, bytes]
    ) -> "list[Hit]":
        """Failing hits of what was not searched before."""
        failing: list[Hit] = []
        for unit in units:
            if self._is_done(unit.key, known, rules=unit.rules):
                continue
            _, ruled = self._searched(unit.key)
            scanner = self._scanner(self._new(unit.key, known), rules=unit.rules and not ruled)
            found = self._failing(self._hits(unit, blobs, scanner))
            if not found:
                self._remember(unit.key, known, rules=unit.rules)
            failing += found
        return failing

    def _hits(self, unit: _Unit, blobs: "BlobSource", scanner: "SecretScanner") -> "Iterator[Hit]":
        if unit.layer is None:
            with self._session.store.path("wheels", unit.wheel).open("rb") as file:
                yield from scanner.scan_file(
                    unit.file, iter(lambda: file.read(_CHUNK), b""), layer=unit.wheel
                )
            return
        from layerwright.verify.tarstream import read_tar  # noqa: PLC0415 - start-up

        layer = str(unit.layer.diff_id)
        names, writable = list[str](), list[str]()
        for member, content in read_tar(blobs.open_tar(unit.layer)):
            names.append(f"{member.path} {member.target}")
            if (
                member.kind in {"file", "folder"}
                and member.mode & _EVERYBODY
                and not member.mode & stat.S_ISVTX
            ):
                writable.append(f"/{member.path}")
            if member.kind == "file":
                yield from scanner.scan_file(f"/{member.path}", content, layer=layer)
        if writable and unit.node is not None:
            more = f" and {len(writable) - _NAMED} more" if writable[_NAMED:] else ""
            self._warn(
                f"{unit.node.title}: everybody in the container can write to {', '.join(writable[:_NAMED])}{more}",
                'caches of the caller\'s own need no chmod: writable = ["HF_HOME"]',
            )
        if scanner.known:
            text = "\n".join(names).encode("utf-8", "surrogateescape")
            yield from scanner.scan_file("the names of the files", [text], layer=layer)

    def _failing(self, hits: "Iterable[Hit]") -> "list[Hit]":
        """The hits that end the build; of the rest the warnings are told."""
        from layerwright.verify.secrets import secret_findings  # noqa: PLC0415 - start-up

        failing = []
        for hit in hits:
            if hit.kind == "LW-SECRET-RULE" and self._is_allowed(hit):
                continue
            if hit.level == "error":
                failing.append(hit)
            elif hit.level == "warning":
                (finding,) = secret_findings([hit])
                self._warn(finding.message)
        return failing

    def _is_allowed(self, hit: "Hit") -> bool:
        path = f"{hit.where}/{hit.member}" if hit.member else hit.where
        pattern = next((glob for glob in self._spec.leaks_allow if fnmatchcase(path, glob)), "")
        if pattern:
            self._warn(f"{hit.title} in {path}: allowed by {pattern!r} of [leaks]")
        return bool(pattern)

    def _warn(self, message: str, hint: str = "") -> None:
        if message not in self._told:
            self._told.add(message)
            self._session.reporter(Warned(message=message, hint=hint))

    def _error(self, cell: str, hits: "Sequence[Hit]", node: Node | None) -> LeakError:
        from layerwright.verify.secrets import secret_findings  # noqa: PLC0415 - start-up

        findings = [finding for finding in secret_findings(hits) if finding.level == "error"]
        lines = [f"  {finding.message}" for finding in findings[:_SHOWN]]
        if findings[_SHOWN:]:
            lines.append(f"  and {len(findings) - _SHOWN} more")
        ruled = all(hit.kind == "LW-SECRET-RULE" for hit in hits)
        return LeakError(
            "\n".join([f"{cell} would give a secret away; the image is not kept", *lines]),
            where=getattr(node.step, "location", None) if node is not None else None,
            hint="leave it out of the image, and change it if it is real; if it is none, say so: "
            f'[leaks] allow = ["{hits[0].where}"]'
            if ruled
            else "a secret is the file /run/secrets/NAME while its run step runs: use it there, copy it nowhere",
        )

    def _scanner(self, known: Mapping[str, bytes], *, rules: bool = True) -> "SecretScanner":
        from layerwright.verify.secrets import SecretScanner  # noqa: PLC0415 - start-up

        return SecretScanner(known, rules=rules)

    def _fingerprints(self, known: Mapping[str, bytes]) -> Mapping[str, str]:
        """Name to what stands for the value in the store's records: nothing can be told from it without the key."""
        if not known:
            return {}
        if not self._fingerprint_key:
            self._fingerprint_key = private_key(self._session)
        return {
            name: hmac.new(self._fingerprint_key, value, hashlib.sha256).hexdigest()
            for name, value in known.items()
        }

    def _searched(self, key: str) -> tuple[set[str], bool]:
        """Fingerprints of what was looked for, and whether the rules of this version were."""
        data = self._session.store.read_record(_RECORDS, key)
        if data is None:
            return set(), False
        record = json.loads(data)
        return set(record["known"]), record["rules"] == __version__

    def _new(self, key: str, known: Mapping[str, bytes]) -> Mapping[str, bytes]:
        done, _ = self._searched(key)
        prints = self._fingerprints(known)
        return {name: value for name, value in known.items() if prints[name] not in done}

    def _is_done(self, key: str, known: Mapping[str, bytes], *, rules: bool) -> bool:
        done, ruled = self._searched(key)
        return (ruled or not rules) and done.issuperset(self._fingerprints(known).values())

    def _remember(self, key: str, known: Mapping[str, bytes], *, rules: bool) -> None:
        done, ruled = self._searched(key)
        record = {
            "known": sorted(done | set(self._fingerprints(known).values())),
            "rules": __version__ if rules or ruled else "",
        }
        self._session.store.write_record(_RECORDS, key, json.dumps(record).encode())


def private_key(session: Session) -> bytes:
    """Random bytes that stay with the store, which its user alone can read."""
    key = session.store.read_record(_RECORDS, _KEY)
    if key is None:
        session.store.write_record(_RECORDS, _KEY, secrets.token_bytes(_KEY_BYTES))
        key = session.store.read_record(_RECORDS, _KEY) or b""  # another build may have been faster
    return key


def _units(node: Node, result: "NodeResult") -> Iterator[_Unit]:
    """What of a node was made here."""
    step = node.step
    match step:
        case CopyTree() | WriteFiles() | RunTests():
            rules = True
        case CopySource():
            # What stands on a public server is published, keys of tests with it; folders and ssh are the user's own.
            rules = step.git.partition("://")[0].removeprefix("git+") not in _PUBLIC
        case RunCommand(files=files):
            rules = not files  # what somebody else's installer brings is not the spec's
        case InstallPython() | InstallEntry() | InstallCheckDevice() | InstallSeal() | InstallApt():
            rules = False
        case BuildWheel():
            if result.wheel is not None:
                own = step.source.kind != "sdist"
                yield _Unit(
                    key=result.wheel.sha256,
                    rules=own,
                    wheel=result.wheel.sha256,
                    file=result.wheel.file,
                    node=node,
                )
            return
        case Base() | InstallWheels() | FetchFile() | SetConfig():
            return
        case _:
            assert_never(step)
    for layer in result.layers:
        yield _Unit(key=layer.diff_id.hex, rules=rules, layer=layer.plain, node=node)


def _own_texts(cell: CellPlan) -> list[tuple[str, str]]:
    """What the spec says in so many words and images then say to everybody."""
    texts = [("reference", reference) for reference in cell.references]
    for node in cell.nodes:
        step = node.step
        match step:
            case SetConfig():
                texts += [(f"env {name}", f"{name}={value}") for name, value in step.env.items()]
                texts += [(f"label {name}", f"{name}={value}") for name, value in step.labels.items()]
                texts += [("entrypoint", part) for part in step.entrypoint]
                texts += [("cmd", part) for part in step.command]
            case RunCommand(keep=True):
                texts.append(("the command of a run step", step.script or " ".join(step.argv)))
            case RunTests():
                texts.append(("the command of tests", step.script or " ".join(step.argv)))
            case InstallWheels(part="files"):
                texts += [
                    (f"direct_url.json of {wheel.name}", wheel.url) for wheel in step.wheels if wheel.url
                ]
            case _:
                pass
    return texts


def _once(hits: "Iterable[Hit]") -> "list[Hit]":
    """Without those that say the same: what the spec says stands in the config, too."""
    found = {(hit.kind, hit.name, hit.where): hit for hit in hits}
    return list(found.values())
