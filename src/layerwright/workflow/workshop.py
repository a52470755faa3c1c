"""Wires what a native build works with."""

from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from layerwright.core.errors import UsageError
from layerwright.core.events import Notice
from layerwright.sources.credentials import in_home
from layerwright.spec.model import Secret, Spec
from layerwright.workflow.leaks import LeakGuard, private_key
from layerwright.workflow.session import Session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from layerwright.backends.native.workshop import Workshop
    from layerwright.resolve import PackageResolver
    from layerwright.sandbox.model import Capabilities
    from layerwright.sources.fetch import Fetcher

_LARGEST_SECRET = 512_000
"""Bytes. BuildKit takes 500 KiB (``MaxSecretSize`` in moby/buildkit, ``session/secrets``): both backends agree."""

_SHORTEST_LINE = 8

__all__ = ["make_workshop", "read_secret", "sandbox_capabilities"]


def make_workshop(session: Session, spec: Spec) -> "Workshop":
    """The parts of a native build; costly ones are made when first asked for."""
    from layerwright.backends.native.workshop import Workshop  # noqa: PLC0415 - start-up
    from layerwright.host.http import HttpClient  # noqa: PLC0415 - start-up
    from layerwright.sources.apt import DebianMirror  # noqa: PLC0415 - start-up
    from layerwright.sources.indexes import index_trust  # noqa: PLC0415 - start-up

    variables = session.host.variables
    trust = index_trust(spec.indexes, session.host, spec.root) if _has_trust(spec) else {}
    http = HttpClient(variables=variables, offline=session.offline, trust=trust)

    @cache
    def fetcher() -> "Fetcher":
        from layerwright.sources.fetch import Fetcher  # noqa: PLC0415 - start-up

        return Fetcher(
            store=session.store,
            host=session.host,
            reporter=session.reporter,
            indexes=spec.indexes,
            root=spec.root,
            http=http,
        )

    @cache
    def resolver() -> "PackageResolver":
        from layerwright.sources.uv import UvResolver  # noqa: PLC0415 - start-up

        return UvResolver(host=session.host, http=http, reporter=session.reporter, key=private_key(session))

    return Workshop(
        store=session.store,
        host=session.host,
        reporter=session.reporter,
        root=spec.root,
        capabilities=cache(lambda: sandbox_capabilities(session)),
        fetcher=fetcher,
        secrets={name: partial(read_secret, session, spec, secret) for name, secret in spec.secrets.items()},
        guard=LeakGuard(session, spec),
        offline=session.offline,
        resolver=resolver,
        indexes=spec.indexes,
        mirror=DebianMirror.parse(
            variables.get("LAYERWRIGHT_DEBIAN_MIRROR", ""),
            snapshot=variables.get("LAYERWRIGHT_DEBIAN_SNAPSHOT", ""),
        ),
        http=http,
    )


def _has_trust(spec: Spec) -> bool:
    return any(index.ca or index.insecure for index in spec.indexes.values())


def read_secret(session: Session, spec: Spec, secret: Secret) -> bytes:
    """The value of a secret, read anew; noted among those that may not be shown. One that may be missing is empty.

    Raises:
        UsageError: it is not there, is empty, or too large to be one.
    """
    value = _secret_in_variable(session, secret) if secret.env else _secret_in_file(session, spec, secret)
    if not value.strip() and secret.required:
        source = f"the variable {secret.env}" if secret.env else secret.file
        raise UsageError(
            f"the secret {secret.name!r} is empty in {source}",
            where=secret.location,
            hint="give it its value, or say that it may be missing: required = false",
        )
    session.host.seen.add(secret.name, value)
    for line in value.splitlines():  # such as of a private key
        if len(line.strip()) >= _SHORTEST_LINE:
            session.host.seen.add(secret.name, line)
    return value


def _secret_in_variable(session: Session, secret: Secret) -> bytes:
    value = session.host.variables.get(secret.env)
    if value is not None or not secret.required:
        return (value or "").encode("utf-8", "surrogateescape")
    raise UsageError(
        f"the secret {secret.name!r} needs the variable {secret.env}, which is not set",
        where=secret.location,
        hint=f"export {secret.env}=… and build again",
    )


def _secret_in_file(session: Session, spec: Spec, secret: Secret) -> bytes:
    path = in_home(secret.file, session.host, spec.root)
    try:
        with path.open("rb") as file:
            value = file.read(_LARGEST_SECRET + 1)
    except FileNotFoundError as error:
        if not secret.required:
            return b""
        raise UsageError(
            f"the secret {secret.name!r} cannot be read from {path}: {error.strerror}",
            where=secret.location,
            hint="paths are relative to the spec's folder, and ~ is your home",
        ) from error
    except OSError as error:
        raise UsageError(
            f"the secret {secret.name!r} cannot be read from {path}: {error.strerror}", where=secret.location
        ) from error
    if len(value) > _LARGEST_SECRET:
        raise UsageError(
            f"the secret {secret.name!r} in {path} is larger than {_LARGEST_SECRET:,} bytes",
            where=secret.location,
            hint="a secret is a token, a password or a key; other files are for copy",
        )
    return value


def sandbox_capabilities(session: Session) -> "Capabilities":
    """What the sandbox can do here, probed once per machine, user and boot, and then remembered in the store."""
    from layerwright.sandbox.model import Capabilities  # noqa: PLC0415 - start-up

    key = _machine_key(session)
    store = session.store
    known = store.read_record("sandbox", key)
    capabilities = None if known is None else Capabilities.from_json(known)
    if capabilities is None:
        from layerwright.sandbox.probe import probe  # noqa: PLC0415 - start-up

        with store.scratch() as scratch:
            capabilities = probe(session.host, scratch)
        store.write_record("sandbox", key, capabilities.to_json())
    if not capabilities.overlay:
        session.reporter(
            Notice(
                message="nothing can be mounted here (an ordinary container?): images are put together from copies "
                "and links, programs run in a chroot, and their mounted folders are copied in and back"
            )
        )
    return capabilities


def _machine_key(session: Session) -> str:
    """Changes when the machine boots, another user asks, or programs are installed where we look for them."""
    import hashlib  # noqa: PLC0415 - start-up

    facts: Mapping[str, object] = {
        "boot": _read("/proc/sys/kernel/random/boot_id"),
        "user": (session.host.caller_uid, session.host.uid, _read("/proc/self/uid_map")),
        "container": str(Path("/proc/self/ns/mnt").readlink()),
        "programs": [(folder, _changed(folder)) for folder in session.host.path.split(":")],
    }
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def _changed(folder: str) -> int:
    """When something was last installed there, nanoseconds; 0 for folders that are not ours to see."""
    try:
        return Path(folder).stat().st_mtime_ns
    except OSError:
        return 0


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except OSError:
        return ""
