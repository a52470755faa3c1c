"""Which Python a cell's environment runs on."""

from msgspec import structs

from layerwright.core.errors import UsageError
from layerwright.facts.components import PYTHON_HOME
from layerwright.lock.model import Deb, LockedBase
from layerwright.spec.model import Cell

__all__ = ["with_interpreter"]


def with_interpreter(cell: Cell, base: LockedBase, apt: tuple[Deb, ...]) -> LockedBase:
    """The base, with the Python of a component, or of Debian packages when it has none of its own.

    Args:
        cell: the cell.
        base: what it starts from.
        apt: Debian packages it adds.

    Raises:
        UsageError: the component's Python is of another release than the cell's.
    """
    if not cell.python:
        return base
    for component in (*cell.inherited_components, *cell.components):
        if component.kind == "python":
            if component.version and ".".join(component.version.split(".")[:2]) != cell.python:
                raise UsageError(
                    f"{cell.name} has Python {cell.python}, and component {component.name!r} is {component.version}",
                    where=component.location,
                    hint=f"take the archive of a Python {cell.python}",
                )
            interpreter = f"{PYTHON_HOME}/bin/python{cell.python}"
            return structs.replace(base, python=component.version, interpreter=interpreter)
    if base.interpreter:
        return base
    for deb in (*apt, *base.debs):
        if deb.name == f"python{cell.python}-minimal":
            # 3.11.2-6+deb12u4, 1:3.9.1-1: epoch and revision are Debian's
            version = deb.version.rpartition(":")[2].partition("-")[0].partition("+")[0]
            return structs.replace(base, python=version, interpreter=f"/usr/bin/python{cell.python}")
    return base
