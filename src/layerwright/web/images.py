"""What executors say about themselves, read through their entrypoints as the platform reads it, and kept."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from layerwright.core.errors import LayerwrightError
from layerwright.harness.starter import Starter
from layerwright.web.site import LOCK, Site
from layerwright.workflow.executor_engines import find_starter
from layerwright.ymir.codes import TASKS, ObjectType, Task
from layerwright.ymir.configuration import HIDDEN_KEYS
from layerwright.ymir.image import MANIFEST_FILE
from layerwright.ymir.inspection import object_types, read_mapping, template_place
from layerwright.ymir.parameters import PARAMETERS_FILE, Parameter, Value, read_parameters
from layerwright.ymir.remarks import Remark

__all__ = ["Card", "Cards", "Fields", "parameters_of"]


class Fields(Struct, frozen=True, kw_only=True):
    """The form of one task.

    Attributes:
        parameters: that the form shows, in order.
        others: keys of the template that are no single value; shown, and sent as they are.
        typed: the image says types, ranges and help; otherwise they are guessed from the template.
    """

    parameters: tuple[Parameter, ...]
    others: Mapping[str, Any] = {}
    typed: bool = False


class Card(Struct, frozen=True, kw_only=True):
    """An executor.

    Attributes:
        name: as the site calls it.
        engine: that was asked.
        image: what the engine calls it; empty when it could not be asked.
        object_types: that it serves.
        tasks: forms of the tasks it has a template for.
        remarks: on what it says about itself.
        fault: why it could not be read, with the mend; empty when it could.
    """

    name: str
    engine: str
    image: str = ""
    object_types: tuple[int, ...] = ()
    tasks: Mapping[Task, Fields] = {}
    remarks: tuple[Remark, ...] = ()
    fault: tuple[str, str] = ("", "")

    @property
    def object_names(self) -> tuple[str, ...]:
        """The object types in words."""
        known = {int(one): one.name.lower().replace("_", " ") for one in ObjectType}
        return tuple(known.get(one, str(one)) for one in self.object_types)


class Cards:
    """The executors of a site; each is asked once, and again when somebody says so."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._known: dict[tuple[str, str], Card] = {}

    def known(self, name: str, engine: str) -> Card | None:
        """What is known already."""
        return self._known.get((name, engine))

    def ask(self, name: str, engine: str, *, again: bool = False) -> Card:
        """Ask an image about itself; builds it when it is the spec's and not up to date."""
        key = (name, engine)
        with LOCK:
            if again or key not in self._known:
                self._known[key] = self._ask(name, engine)
            return self._known[key]

    def _ask(self, name: str, engine: str) -> Card:
        try:
            starter = find_starter(self._site.session, name, engine)
            return _read(name, engine, starter)
        except LayerwrightError as error:
            return Card(name=name, engine=engine, fault=(error.what, error.hint))


def _read(name: str, engine: str, starter: Starter) -> Card:
    manifest = read_mapping(MANIFEST_FILE, starter.cat(MANIFEST_FILE))
    remarks = [manifest.remark] if manifest.remark else []
    types = object_types(manifest.values)
    if isinstance(types, Remark):
        return Card(
            name=name,
            engine=engine,
            image=starter.image,
            remarks=(types,),
            fault=(types.message, types.repair),
        )
    served, listed = types
    declared = _declared(starter)
    tasks = dict[Task, Fields]()
    for task in TASKS:
        place = template_place(task, served[0], listed=listed)
        template = read_mapping(place, starter.cat(place))
        if template.remark:
            remarks.append(template.remark)
        if template.values is not None:
            tasks[task] = parameters_of(template.values, declared, task)
    return Card(
        name=name,
        engine=engine,
        image=starter.image,
        object_types=tuple(served),
        tasks=tasks,
        remarks=tuple(remarks),
        fault=("", "")
        if tasks
        else ("it has no template for any task", "`layerwright executor lint` judges its /img-man"),
    )


def _declared(starter: Starter) -> tuple[Parameter, ...]:
    """The typed parameters; none when the image has none, or another kind of them."""
    answer = starter.cat(PARAMETERS_FILE)
    if answer.exit_code != 0:
        return ()
    try:
        return read_parameters(answer.stdout)
    except LayerwrightError:
        return ()


def parameters_of(template: Mapping[str, Any], declared: tuple[Parameter, ...], task: Task) -> Fields:
    """The form of a task.

    Args:
        template: of the task, as the platform reads it.
        declared: the image's typed parameters; where there are some for the task, they say order and types.
        task: whose form it is.
    """
    own = {one.name: one for one in declared if task in one.tasks}
    known = [one for name, one in own.items() if name in template]
    rest = {key: value for key, value in template.items() if key not in own and key not in HIDDEN_KEYS}
    guessed = [
        _guessed(key, value) for key, value in rest.items() if isinstance(value, bool | int | float | str)
    ]
    others = {key: value for key, value in rest.items() if not isinstance(value, bool | int | float | str)}
    return Fields(parameters=(*known, *guessed), others=others, typed=bool(known))


def _guessed(name: str, value: Value) -> Parameter:
    match value:
        case bool():
            return Parameter(name=name, type="bool", default=value)
        case int():
            return Parameter(name=name, type="int", default=value)
        case float():
            return Parameter(name=name, type="float", default=value)
        case str():
            return Parameter(name=name, type="str", default=value)
