"""What a workflow works on: a spec, a store and a host. Parts are made when first asked for."""

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from layerwright.core.errors import UsageError
from layerwright.core.events import Reporter
from layerwright.host.environment import HostEnvironment
from layerwright.spec.model import Spec

if TYPE_CHECKING:
    from layerwright.host.outside import Outside
    from layerwright.lock.model import Lock
    from layerwright.store import Store

__all__ = ["Session", "lock_beside", "lock_path", "read_locked", "read_spec", "select_cells", "short_list"]

LOCK_NAME = "layerwright.lock"
_DEFAULT_SPECS = ("layerwright.toml", "pyproject.toml")
_SHOWN = 3
_DAMAGED = "restore it from version control, or remove it and run `layerwright lock`"


class Session(Struct, frozen=True, kw_only=True, dict=True):
    """One command's surroundings.

    Attributes:
        host: environment, identity and home of the caller.
        reporter: takes events.
        start: folder the search for the spec starts from.
        spec_file: the spec when it was named, else None.
        settings: ``KEY=VALUE`` that take the place of what the spec says.
        store_root: folder of the store.
        offline: nothing may be asked of the network.
        outside: starts programs outside of the user namespace that this process has entered; None when it has not,
            or nothing is to be started there.
    """

    host: HostEnvironment
    reporter: Reporter
    start: Path
    spec_file: Path | None
    store_root: Path
    offline: bool
    settings: tuple[str, ...] = ()
    outside: "Outside | None" = None

    @cached_property
    def store(self) -> "Store":
        """The store; what this process uses of it is not pruned by others while it lives."""
        from layerwright.store import Store  # noqa: PLC0415 - start-up

        return Store(self.store_root)


def read_spec(session: Session) -> Spec:
    """Find, read and check the spec.

    Raises:
        SpecError: with every problem at once.
        UsageError: there is no spec.
    """
    from layerwright.spec.load import load_spec  # noqa: PLC0415 - start-up

    return load_spec(session.spec_file, session.start, session.settings)


def lock_beside(spec_file: Path) -> Path:
    """Where the lock of a spec stands: ``layerwright.lock``, or ``NAME.lock`` beside another ``NAME.toml``."""
    return spec_file.with_name(LOCK_NAME if spec_file.name in _DEFAULT_SPECS else f"{spec_file.stem}.lock")


def lock_path(spec: Spec) -> Path:
    """The lock stands beside the spec."""
    return lock_beside(spec.root / Path(spec.file).name)


def read_locked(spec: Spec) -> "Lock | None":
    """The lock, or None when there is none yet.

    Raises:
        SpecError: the file is damaged or of an unknown version.
        UsageError: it cannot be read.
    """
    from layerwright.lock import read_lock  # noqa: PLC0415 - start-up

    path = lock_path(spec)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text", hint=_DAMAGED) from error
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    return read_lock(text, file=str(path))


def short_list(names: Iterable[str]) -> str:
    """Names for one line: at most three, and how many more there are."""
    known = list(names)
    return ", ".join(known[:_SHOWN]) + (f" and {len(known) - _SHOWN} more" if known[_SHOWN:] else "")


def select_cells(spec: Spec, names: Iterable[str]) -> tuple[str, ...]:
    """Cells meant by the names: a cell, an image (all its cells), or nothing for every cell.

    Raises:
        UsageError: a name is neither; it lists what there is.
    """
    wanted = list(names)
    if not wanted:
        return tuple(spec.cells)
    chosen = dict[str, None]()
    for name in wanted:
        matches = [cell.name for cell in spec.cells.values() if name in {cell.name, cell.image}]
        if not matches:
            import difflib  # noqa: PLC0415 - only on error

            known = sorted({cell.image for cell in spec.cells.values()} | set(spec.cells))
            near = difflib.get_close_matches(name, known, n=1)
            raise UsageError(
                f"{spec.file} describes no image {name!r}",
                hint=f"did you mean {near[0]!r}?" if near else f"it describes {', '.join(known)}",
            )
        chosen.update(dict.fromkeys(matches))
    return tuple(chosen)
