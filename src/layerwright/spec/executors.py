"""Executors as tables of the spec: parameters checked, put one above the other, and cut to the image's tasks."""

from collections.abc import Sequence

from msgspec.structs import replace

from layerwright.spec.combine import Combined
from layerwright.spec.faults import KeyPath
from layerwright.spec.keys import ParameterTable
from layerwright.spec.model import Cell, DeclaredParameter
from layerwright.spec.parts import Reader, value_or
from layerwright.ymir.image import Executor
from layerwright.ymir.parameter import Parameter, ParameterType, typed
from layerwright.ymir.parameters import TASKS, faults

__all__ = ["check_tasks", "declared_parameters", "executor_of", "read_parameters"]


def read_parameters(
    tables: Sequence[ParameterTable], path: KeyPath, reader: Reader
) -> tuple[Parameter | None, ...]:
    """The parameters of one table, in order; None in the place of a faulty one, which is noted."""
    read = list[Parameter | None]()
    seen = dict[tuple[str, str], int]()
    for position, table in enumerate(tables):
        here = (*path, position)
        parameter = Parameter(
            name=table.name,
            type=_type(table),
            default=table.default,
            minimum=value_or(table.minimum, None),
            maximum=value_or(table.maximum, None),
            choices=table.choices,
            unit=table.unit,
            help=table.help,
            tasks=tuple(task for task in TASKS if task in value_or(table.task, TASKS)),
        )
        found = faults(parameter)
        for fault in found:
            reader.fault((*here, fault.field), f"{table.name[:50]}: {fault.what}", fault.hint)
        for task in parameter.tasks:
            if (table.name, task) in seen:
                reader.fault(
                    (*here, "name"),
                    f"{table.name!r} is declared twice for {task}",
                    "keep one, or give each a `task` of its own",
                )
                break
            seen[table.name, task] = position
        read.append(None if found else replace(parameter, default=typed(parameter, parameter.default)))
    return tuple(read)


def _type(table: ParameterTable) -> ParameterType:
    """The type that is said, or the one that the choices or the default have."""
    said: ParameterType | None = value_or(table.type, None)
    if said is not None:
        return said
    if table.choices:
        return "choice"
    match table.default:
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "float"
        case str():
            return "str"


def declared_parameters(adds: Combined, above: Cell | None, reader: Reader) -> tuple[DeclaredParameter, ...]:
    """What a cell declares, over what its parent does: a later declaration takes an earlier one's tasks from it."""
    found = list(above.parameters if above else ())
    for part in adds.parts:
        for position, parameter in enumerate(part.parameters):
            if parameter is None:
                continue
            where = reader.location((*part.path, "parameters", position))
            new = DeclaredParameter(parameter=parameter, location=where)
            found = _declared(found, new)
    return tuple(found)


def _declared(found: Sequence[DeclaredParameter], new: DeclaredParameter) -> list[DeclaredParameter]:
    result = list[DeclaredParameter]()
    placed = False
    for old in found:
        if old.parameter.name != new.parameter.name:
            result.append(old)
            continue
        if not placed:
            result.append(new)
            placed = True
        left = tuple(task for task in old.parameter.tasks if task not in new.parameter.tasks)
        if left:
            result.append(replace(old, parameter=replace(old.parameter, tasks=left)))
    return result if placed else [*result, new]


def check_tasks(own: Combined, executor: Executor, reader: Reader) -> None:
    """A parameter that an image itself declares for a task is for one that it does."""
    for part in own.parts:
        for position, table in enumerate(part.table.parameters):
            for task in value_or(table.task, ()):
                if task not in executor.tasks:
                    reader.fault(
                        (*part.path, "parameters", position, "task"),
                        f"{table.name!r} is for {task}, which the image does not do",
                        f"its tasks are {', '.join(executor.tasks)}; name it in `executor.tasks`, or leave it out here",
                    )


def executor_of(adds: Combined, above: Cell | None, parameters: Sequence[DeclaredParameter]) -> Executor:
    """The executor that a cell's tables describe, over its parent's."""
    below = (above.executor if above else None) or Executor()
    tasks, types, live = below.tasks, below.object_types, below.live_code
    for part in adds.parts:
        said = value_or(part.table.executor, None)
        if said is None:
            continue
        tasks = value_or(said.tasks, tasks)
        types = value_or(said.object_types, types)
        live = value_or(said.live_code, live)
    ordered = tuple(task for task in TASKS if task in tasks)
    cut = (
        replace(one.parameter, tasks=tuple(task for task in one.parameter.tasks if task in ordered))
        for one in parameters
    )
    return Executor(
        tasks=ordered,
        object_types=tuple(dict.fromkeys(types)),
        live_code=live,
        parameters=tuple(parameter for parameter in cut if parameter.tasks),
    )
