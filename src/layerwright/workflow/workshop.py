"""Wires what a native build works with."""

from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from layerwright.core.events import Notice
from layerwright.spec.model import Spec
from layerwright.workflow.accounts import read_secret
from layerwright.workflow.leaks import LeakGuard, private_key
from layerwright.workflow.session import Session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from layerwright.backends.native.workshop import Workshop
    from layerwright.resolve import PackageResolver
    from layerwright.sandbox.model import Capabilities
    from layerwright.sources.fetch import Fetcher

__all__ = ["make_workshop", "sandbox_capabilities"]


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
            ubuntu=variables.get("LAYERWRIGHT_UBUNTU_MIRROR", ""),
        ),
        http=http,
    )


def _has_trust(spec: Spec) -> bool:
    return any(index.ca or index.insecure for index in spec.indexes.values())


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
