"""Described images whose locks and facts were recorded from PyPI: what ``check`` says of them must not change.

``python tests/golden/check_rows.py`` records anew, with the network: every ``check/*.toml`` gets its lock beside it,
and ``check/facts.jsonl`` the facts of all wheels that the locks name.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import structs

from layerwright.core.errors import ResolveError
from layerwright.core.events import SilentReporter
from layerwright.facts.model import WheelFacts
from layerwright.host.environment import HostEnvironment
from layerwright.lock import Lock, LockedBase, LockedCell, read_lock, write_lock
from layerwright.sources.wheel_facts import _KIND, WheelFactsReader, _key
from layerwright.spec.fingerprint import cell_resolution_digest
from layerwright.spec.load import load_spec
from layerwright.spec.model import Spec
from layerwright.store import Store
from layerwright.workflow.provisional import provisional_lock
from layerwright.workflow.session import Session, read_locked

FOLDER = Path(__file__).parent / "check"
FACTS = FOLDER / "facts.jsonl"
NO_DIGEST = "sha256:" + "0" * 64


def session_for(spec: Path, store: Path, *, offline: bool = True) -> Session:
    """A session on a spec, with nothing of the developer's own but the network's settings."""
    kept = ("PATH", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "LAYERWRIGHT_DEBIAN_MIRROR")
    variables = {name: os.environ[name] for name in kept if name in os.environ}
    return Session(
        host=HostEnvironment.gather(variables | {"HOME": str(store)}),
        reporter=SilentReporter(),
        start=spec.parent,
        spec_file=spec,
        store_root=store,
        offline=offline,
    )


def seed_facts(store: Path) -> None:
    """Put the recorded facts where the reader looks for what it read before."""
    found = Store(store)
    for line in FACTS.read_bytes().splitlines():
        facts = msgspec.json.decode(line, type=WheelFacts)
        found.write_record(_KIND, _key(facts.sha256), msgspec.msgpack.encode(facts))


def record(names: Iterable[str]) -> None:
    """Resolve, read and write."""
    wanted = set(names)
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        if FACTS.exists():
            seed_facts(store)
        facts: dict[str, WheelFacts] = {}
        for path in sorted(FOLDER.glob("*.toml")):
            session = session_for(path, store, offline=False)
            spec = load_spec(path, path.parent)
            if not wanted or path.stem in wanted or read_locked(spec) is None:
                path.with_suffix(".lock").write_text(write_lock(_locked(session, spec)), encoding="utf-8")
            lock = read_lock(path.with_suffix(".lock").read_text(encoding="utf-8"), file=path.name)
            wheels = [wheel for cell in lock.cells.values() for wheel in cell.wheels]
            reader = WheelFactsReader(
                store=session.store,
                host=session.host,
                indexes=spec.indexes,
                root=spec.root,
                reporter=session.reporter,
            )
            found = reader.read(wheels)
            facts |= {digest: one for digest, one in found.items() if isinstance(one, WheelFacts)}
            missing = [wheel.file for wheel in wheels if not isinstance(found[wheel.sha256], WheelFacts)]
            print(path.stem, len(wheels), "wheels", f"not read: {missing}" if missing else "")
        ordered = sorted(facts.values(), key=lambda one: (one.name, one.file))
        FACTS.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in ordered))


def _locked(session: Session, spec: Spec) -> Lock:
    """A lock as pulling the bases would give it; they are taken by their names."""
    names = tuple(spec.cells)
    registry = tuple(cell.base.source for cell in spec.cells.values() if cell.base.kind == "registry")
    try:
        lock = provisional_lock(session, spec, None, names, registry)
    except ResolveError:
        lock = _by_force(session, spec, registry)
    return Lock(cells={name: _with_base(cell) for name, cell in lock.cells.items()})


def _with_base(cell: LockedCell) -> LockedCell:
    base = cell.base
    if base.kind != "registry":
        return cell
    python = f"/usr/bin/python{cell.python}" if cell.python else ""
    found = LockedBase(
        kind="registry", source=base.source, digest=NO_DIGEST, interpreter=python, glibc=base.glibc
    )
    return structs.replace(cell, base=found)


def _by_force(session: Session, spec: Spec, registry: tuple[str, ...]) -> Lock:
    """What no resolver chooses together, such as wheels that were installed without their dependencies."""
    (cell,) = spec.cells.values()
    merged = None
    for package in cell.packages:
        alone = structs.replace(spec, cells={cell.name: structs.replace(cell, packages=(package,))})
        part = provisional_lock(session, alone, None, (cell.name,), registry).cells[cell.name]
        known = {wheel.name for wheel in merged.wheels} if merged else set()
        wheels = (*(merged.wheels if merged else ()), *(one for one in part.wheels if one.name not in known))
        merged = structs.replace(part, wheels=tuple(sorted(wheels, key=lambda one: one.name)))
    assert merged is not None
    digest = cell_resolution_digest(cell, spec)
    return Lock(cells={cell.name: structs.replace(merged, spec_digest=digest)})


def main() -> int:
    """Record the named rows, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*")
    record(parser.parse_args().rows)
    print(json.dumps({"bytes": FACTS.stat().st_size}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
