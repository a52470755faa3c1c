"""Images to cells: matrix, overrides, parents. Every fault is noted; what can go on does."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import UNSET, Struct, convert

from layerwright.facts.components import KindName
from layerwright.oci.platform import Platform
from layerwright.spec.base import debian_base
from layerwright.spec.combine import Combined, unique
from layerwright.spec.components import ComponentSet, Wish, choose_components
from layerwright.spec.faults import KeyPath, nearest
from layerwright.spec.keys import ImageTable, OverrideTable, SpecFile
from layerwright.spec.matrix import matches, matrix_axes, matrix_points, point_label, when_axes, when_faults
from layerwright.spec.model import (
    Accelerator,
    Base,
    Cell,
    Component,
    DeclaredParameter,
    Package,
    RunOptions,
    Source,
    SourceItem,
)
from layerwright.spec.parts import Part, Reader, value_or
from layerwright.spec.systems import refused_system

if TYPE_CHECKING:
    from layerwright.ymir.image import Executor

__all__ = ["FALLBACK_TAG", "expand"]

FALLBACK_TAG = "local"
"""Tag of images without ``tags`` in a project without a version."""

_LONGEST_TAG = 128


class _Draft(Struct, frozen=True, kw_only=True):
    """A cell before its parent is known.

    Attributes:
        own: what its image and overrides say.
        whole: the same over the defaults.
        base: what it starts from; for ``image`` the source is as written.
        from_path: where that is said.
    """

    name: str
    image: str
    axes: Mapping[str, str]
    own: Combined
    whole: Combined
    base: Base
    from_path: KeyPath

    @property
    def path(self) -> KeyPath:
        return ("images", self.image)

    def said(self, axis: str) -> str:
        """The value that the cell itself has on an axis, without the defaults; empty for none."""
        if axis in self.axes:
            return self.axes[axis]
        if axis == "python":
            return self.own.last(lambda table: table.python, "")
        if axis == "accelerator":
            return self.own.last(lambda table: table.accelerator, "")
        if axis == "gpu_arch":
            return self.own.gpu_arch
        return ""

    def default(self, axis: str) -> str:
        """The value that the defaults have on an axis; empty for none."""
        if axis == "python":
            return self.whole.last(lambda table: table.python, "")
        if axis == "accelerator":
            return self.whole.last(lambda table: table.accelerator, "")
        if axis == "gpu_arch":
            return self.whole.gpu_arch
        return ""


class _Built(Struct, frozen=True, kw_only=True):
    """A finished cell and what its children have to know.

    Attributes:
        root: what the chain of parents starts from.
        has_packages: the cell or a parent has Python packages.
    """

    cell: Cell
    root: Base
    has_packages: bool


def expand(
    file: SpecFile,
    *,
    axis_orders: Mapping[str, Sequence[str]],
    components: Mapping[str, Component],
    sources: Mapping[str, Source],
    reader: Reader,
) -> dict[str, Cell]:
    """All cells by name, parents before their children; faults are noted in the reader.

    Args:
        file: the spec's tables.
        axis_orders: per image, the keys of its matrix as they stand in the file.
        components: by name.
        sources: source trees, by name.
        reader: turns tables into parts and takes the faults.
    """
    return _Expansion(file, axis_orders, components, sources, reader).cells()


class _Expansion:
    def __init__(
        self,
        file: SpecFile,
        axis_orders: Mapping[str, Sequence[str]],
        components: Mapping[str, Component],
        sources: Mapping[str, Source],
        reader: Reader,
    ) -> None:
        self._file = file
        self._orders = axis_orders
        self._components = components
        self._sources = sources
        self._reader = reader
        self._drafts: dict[str, _Draft] = {}
        self._built: dict[str, _Built | None] = {}

    def cells(self) -> dict[str, Cell]:
        defaults = self._reader.part(self._file.defaults, ("defaults",))
        self._check_names(defaults)
        for name, image in self._file.images.items():
            self._draft_image(name, image, defaults)
        for draft in self._drafts.values():
            self._build(draft, ())
        cells = {name: built.cell for name, built in self._built.items() if built}
        self._check_references(cells)
        return cells

    def _draft_image(self, name: str, image: ImageTable, defaults: Part) -> None:
        path: KeyPath = ("images", name)
        own = self._reader.part(image, path)
        axes = self._named(matrix_axes(image.matrix, self._orders.get(name, ())), (*path, "matrix"))
        overrides = []
        for position, table in enumerate(image.override):
            place: KeyPath = (*path, "override", position)
            when = self._named(when_axes(table.when), (*place, "when"))
            overrides.append((when, self._reader.part(table, place)))
        for part in (own, *(part for _, part in overrides)):
            self._check_names(part)
        for (when, part), table in zip(overrides, image.override, strict=True):
            self._check_override(when, axes, part, table)
        for axis, values in axes.items():
            for position, value in enumerate(values):
                if value in values[:position]:
                    self._reader.fault((*path, "matrix", axis, position), f"{value!r} is in the axis twice")
        bases = {
            text: self._reader.base(text, (*path, "matrix", "from", position))
            for position, text in enumerate(axes.get("from", ()))
        }
        for point in matrix_points({axis: unique(values) for axis, values in axes.items()}):
            parts = [own, *(part for when, part in overrides if matches(when, point))]
            self._draft_cell(name, point, Combined(parts), defaults, bases)

    def _named(self, axes: Mapping[str, tuple[str, ...]], path: KeyPath) -> dict[str, tuple[str, ...]]:
        """The axes with GPU architectures by their own names, however they are written."""
        values = axes.get("gpu_arch", ())
        names = tuple(
            self._reader.architecture(text, (*path, "gpu_arch", position)) or text
            for position, text in enumerate(values)
        )
        return {axis: names if axis == "gpu_arch" else said for axis, said in axes.items()}

    def _draft_cell(
        self,
        image: str,
        point: Mapping[str, str],
        own: Combined,
        defaults: Part,
        bases: Mapping[str, Base | None],
    ) -> None:
        path: KeyPath = ("images", image)
        whole = Combined([defaults, *own.parts])
        label = point_label(point)
        name = f"{image}-{label}" if label else image
        if name in self._drafts:
            other = self._drafts[name].image
            self._reader.fault(
                path, f"two cells are named {name!r}: of images {other!r} and {image!r}", "rename one"
            )
            return
        if "from" in point:
            base = bases[point["from"]]
            position = list(bases).index(point["from"])
            from_path: KeyPath = (*path, "matrix", "from", position)
        else:
            base = next((part.base for part in reversed(whole.parts) if part.base), None)
            from_path = whole.place(lambda part: part.table.from_, "from")
            if base is None and whole.last(lambda table: table.from_, "") == "":
                self._reader.fault(
                    path,
                    f"image {image!r} does not say what it starts from",
                    'such as: from = "debian:bookworm"',
                )
        if base is not None:
            self._drafts[name] = _Draft(
                name=name, image=image, axes=point, own=own, whole=whole, base=base, from_path=from_path
            )

    def _check_override(
        self,
        when: Mapping[str, Sequence[str]],
        axes: Mapping[str, Sequence[str]],
        part: Part,
        table: OverrideTable,
    ) -> None:
        for axis, what, hint in when_faults(when, axes):
            self._reader.fault((*part.path, "when", axis) if axis else (*part.path, "when"), what, hint)
        said = {
            "python": table.python,
            "accelerator": table.accelerator,
            "gpu_arch": table.gpu_arch,
            "from": table.from_,
        }
        for key, value in said.items():
            if key in axes and value is not UNSET:
                self._reader.fault(
                    (*part.path, key),
                    f"{key!r} is an axis of the matrix: an override cannot set it",
                    at_key=True,
                )

    def _build(self, draft: _Draft, below: tuple[_Draft, ...]) -> _Built | None:
        """Finish a cell, its parents first; None when a fault prevents it."""
        if draft.name in self._built:
            return self._built[draft.name]
        if any(child.name == draft.name for child in below):
            self._report_cycle(draft, below)
            return None
        built = None
        if draft.base.kind == "image":
            parent = self._choose_parent(draft)
            if parent and (grown := self._build(parent, (*below, draft))):
                built = self._finish(draft, grown)
        else:
            built = self._finish(draft, None)
        self._built[draft.name] = built
        return built

    def _report_cycle(self, draft: _Draft, below: tuple[_Draft, ...]) -> None:
        loop = [*below[[child.name for child in below].index(draft.name) :], draft]
        images = [member.image for member in loop]
        names = images if len(set(images)) == len(images) - 1 else [member.name for member in loop]
        self._reader.fault(
            loop[0].from_path,
            f"images start from each other: {' → '.join(names)}",
            "let one start from something else",
        )

    def _choose_parent(self, draft: _Draft) -> _Draft | None:
        """The cell that a cell starts from: the one named, or the image's cell with the same values."""
        wanted = draft.base.source
        if wanted in self._drafts and wanted not in self._file.images:
            return self._drafts[wanted]
        cells = [other for other in self._drafts.values() if other.image == wanted]
        if not cells:
            if wanted not in self._file.images:
                known = [*self._file.images, *self._drafts]
                near = nearest(wanted, known)
                hint = f"did you mean 'image:{near}'?" if near else f"images: {', '.join(self._file.images)}"
                self._reader.fault(draft.from_path, f"there is no image {wanted!r}", hint)
            return None
        same = [cell for cell in cells if _agrees(cell.axes, draft.said)]
        if len(same) > 1:
            same = [cell for cell in same if _agrees(cell.axes, draft.default)] or same
        if len(same) == 1:
            return same[0]
        asked = ", ".join(f"{axis} {draft.said(axis)}" for axis in cells[0].axes if draft.said(axis))
        if not same:
            self._reader.fault(
                draft.from_path,
                f"{draft.name!r} starts from 'image:{wanted}', which has no cell with {asked}",
                f"its cells are {_listed(cells)}",
            )
        else:
            self._reader.fault(
                draft.from_path,
                f"{draft.name!r} could start from several cells of 'image:{wanted}'",
                f"name one: {_listed(same, 'image:')}",
            )
        return None

    def _finish(self, draft: _Draft, parent: _Built | None) -> _Built | None:
        """The cell, over its parent's finished cell if it has one."""
        above = parent.cell if parent else None
        # What a parent holds is in the layers below; so are the defaults' packages, copies and commands.
        adds = draft.own if above else draft.whole
        python = draft.said("python") or (above.python if above else draft.default("python"))
        platform = next((part.platform for part in reversed(adds.parts) if part.platform), None)
        below = above.run_options if above else RunOptions()
        packages = adds.every(lambda part: part.packages)
        base = self._base(draft, python, parent)
        self._check_parent(draft, python, platform, parent)
        self._check_places(draft, adds)
        self._check_system(draft, parent.root if parent else base, self._accelerator(draft, above))
        if packages and not python:
            self._reader.fault(
                draft.path, f"image {draft.image!r} has packages but no Python", 'such as: python = "3.11"'
            )
        accelerator = self._accelerator(draft, above)
        gpu_arch = self._gpu_arch(draft, above, accelerator)
        chosen = self._choose_components(draft, parent, adds, accelerator, gpu_arch, packages)
        executor, parameters = self._executor(draft, adds, above)
        cell = Cell(
            name=draft.name,
            image=draft.image,
            axes=draft.axes,
            base=base,
            role=draft.whole.last(lambda table: table.role, "inference"),
            accelerator=accelerator,
            gpu_arch=gpu_arch,
            platform=platform or (above.platform if above else Platform()),
            reference_name=self._reference_name(draft),
            tags=self._tags(draft),
            python=python,
            packages=packages,
            constraints=unique(draft.whole.every(lambda part: part.table.constraints)),
            prereleases=draft.whole.last(lambda table: table.prereleases, "if-necessary-or-explicit"),
            exclude_newer=draft.whole.last(lambda table: table.exclude_newer, ""),
            apt=unique(adds.every(lambda part: part.table.apt)),
            components=chosen.own,
            inherited_components=chosen.inherited,
            without=self._without(draft, above),
            timezone=adds.last(lambda table: table.timezone, above.timezone if above else ""),
            env={**(above.env if above else {}), **adds.merged(lambda table: table.env)},
            labels={**(above.labels if above else {}), **adds.merged(lambda table: table.labels)},
            writable=unique(
                (*(above.writable if above else ()), *adds.every(lambda part: part.table.writable))
            ),
            models=adds.every(lambda part: part.models),
            sources=self._source_items(adds),
            copy=adds.every(lambda part: part.copy),
            run=adds.every(lambda part: part.run),
            tests=adds.every(lambda part: part.tests),
            smoke=draft.whole.every(lambda part: part.smoke),
            workdir=adds.last(lambda table: table.workdir, above.workdir if above else "/code"),
            entrypoint=adds.last(lambda table: table.entrypoint, above.entrypoint if above else ()),
            command=adds.last(lambda table: table.command, self._command(draft, above)),
            bytecode=draft.whole.last(lambda table: table.bytecode, otherwise=True),
            sealed=draft.whole.last(lambda table: table.sealed, otherwise=True),
            entry_program=draft.whole.last(lambda table: table.entry_program, otherwise=True),
            check_device=self._check_device(draft, accelerator, above),
            run_options=adds.run_options(below),
            executor=executor,
            parameters=parameters,
            location=self._reader.location(draft.path),
        )
        has_packages = bool(packages) or bool(parent and parent.has_packages)
        return _Built(cell=cell, root=parent.root if parent else base, has_packages=has_packages)

    def _command(self, draft: _Draft, above: Cell | None) -> tuple[str, ...]:
        """What runs when nothing is said: the parent's, or what an executor's image runs by convention."""
        if above and above.command:
            return above.command
        if draft.whole.last(lambda table: table.role, "inference") != "executor":
            return ()
        from layerwright.ymir.image import START_COMMAND  # noqa: PLC0415 - start-up

        return START_COMMAND

    def _executor(
        self, draft: _Draft, adds: Combined, above: Cell | None
    ) -> "tuple[Executor | None, tuple[DeclaredParameter, ...]]":
        """What the cell declares as an executor, over its parent's."""
        role = draft.whole.last(lambda table: table.role, "inference")
        said = any(part.table.parameters or part.table.executor is not UNSET for part in adds.parts)
        if not said and role != "executor":
            return (above.executor, above.parameters) if above else (None, ())
        from layerwright.spec.executors import (  # noqa: PLC0415 - start-up
            check_tasks,
            declared_parameters,
            executor_of,
        )

        if role not in {"executor", "base"}:
            for part in draft.own.parts:
                for key in ("executor", "parameters"):
                    if getattr(part.table, key) not in (UNSET, ()):
                        self._reader.fault(
                            (*part.path, key),
                            f"{key!r} is for executors, and the role of {draft.image!r} is {role}",
                            'set role = "executor", or "base" for an image that executors start from',
                            at_key=True,
                        )
        parameters = declared_parameters(adds, above, self._reader)
        executor = executor_of(adds, above, parameters)
        if role == "executor":
            check_tasks(draft.own, executor, self._reader)
        return executor, parameters

    def _base(self, draft: _Draft, python: str, parent: _Built | None) -> Base:
        if parent:
            return Base(kind="image", source=parent.cell.name)
        if draft.base.kind != "debian":
            return draft.base
        try:
            return debian_base(draft.base, python)
        except ValueError as error:
            self._reader.fault(draft.from_path, str(error))
            return draft.base

    def _check_parent(
        self, draft: _Draft, python: str, platform: Platform | None, parent: _Built | None
    ) -> None:
        """A child has its parent's Python, where that is settled, and its platform."""
        if not parent:
            return
        above = parent.cell
        place = draft.own.place(lambda part: part.table.python, "python")
        if "python" in draft.axes:
            place = (*draft.path, "matrix", "python")
        if parent.has_packages and python != above.python:
            self._reader.fault(
                place,
                f"{draft.name!r} has Python {python}, but its parent {above.name!r} has packages for {above.python}",
                "give the parent the same Python, or the same axis",
            )
        elif parent.root.kind == "debian":
            try:
                debian_base(parent.root, python)
            except ValueError as error:
                self._reader.fault(
                    place, f"{draft.name!r}: {error}", f"its parent {above.name!r} is {parent.root}"
                )
        if platform and platform != above.platform:
            self._reader.fault(
                draft.own.place(lambda part: part.platform, "platforms"),
                f"{draft.name!r} is for {platform}, but its parent {above.name!r} for {above.platform}",
            )

    def _check_places(self, draft: _Draft, adds: Combined) -> None:
        """Nothing that an image is given twice may go to one place."""
        trees = [
            (use.to.rstrip("/"), (*part.path, "sources", place, "to"))
            for part in adds.parts
            for place, use in enumerate(part.table.sources)
        ]
        logs = [
            (file, (*part.path, "tests", place, key))
            for part in adds.parts
            for place, test in enumerate(part.table.tests)
            for key, file in (("log", test.log), ("junit", value_or(test.junit, "")))
            if file and (key == "log" or file != test.log)  # one that is both is told by itself
        ]
        for what, found in (("source trees go", trees), ("tests write", logs)):
            seen = set[str]()
            for place, path in found:
                if place in seen:
                    self._reader.fault(
                        path, f"{draft.name!r}: two {what} to {place}", "give each its own place"
                    )
                seen.add(place)

    def _check_system(self, draft: _Draft, root: Base, accelerator: Accelerator) -> None:
        what, hint = refused_system(accelerator, root)
        if what:
            self._reader.fault(
                draft.from_path, f"{draft.name!r} is for accelerator {accelerator!r}, and {what}", hint
            )

    def _source_items(self, adds: Combined) -> tuple[SourceItem, ...]:
        return tuple(
            SourceItem(
                source=self._sources[use.source],
                to=use.to,
                git=use.git,
                location=self._reader.location((*part.path, "sources", place)),
            )
            for part in adds.parts
            for place, use in enumerate(part.table.sources)
            if use.source in self._sources
        )

    def _accelerator(self, draft: _Draft, above: Cell | None) -> Accelerator:
        said = draft.said("accelerator") or (above.accelerator if above else draft.default("accelerator"))
        accelerator: Accelerator = convert(said or "cpu", Accelerator)
        return accelerator

    def _gpu_arch(self, draft: _Draft, above: Cell | None, accelerator: Accelerator) -> str:
        said = draft.said("gpu_arch")
        if accelerator == "mthreads":
            return said or (above.gpu_arch if above else draft.default("gpu_arch"))
        if said:
            self._reader.fault(
                self._gpu_arch_path(draft),
                f"{draft.name!r} has the GPU architecture {said}, and accelerator {accelerator!r}",
                'set accelerator = "mthreads": the architectures are those of Moore Threads\' GPUs',
            )
        return ""

    def _gpu_arch_path(self, draft: _Draft) -> KeyPath:
        if "gpu_arch" in draft.axes:
            return (*draft.path, "matrix", "gpu_arch")
        return draft.whole.place(lambda part: part.gpu_arch, "gpu_arch")

    def _without(self, draft: _Draft, above: Cell | None) -> tuple[KindName, ...]:
        return unique(
            (*(above.without if above else ()), *draft.whole.every(lambda part: part.table.without))
        )

    def _choose_components(
        self,
        draft: _Draft,
        parent: _Built | None,
        adds: Combined,
        accelerator: Accelerator,
        gpu_arch: str,
        packages: tuple[Package, ...],
    ) -> ComponentSet:
        above = parent.cell if parent else None
        wish = Wish(
            cell=draft.name,
            path=draft.path,
            gpu_arch_path=self._gpu_arch_path(draft),
            names=[
                ((*part.path, "components", position), name)
                for part in adds.parts
                for position, name in enumerate(part.table.components)
            ],
            without=self._without(draft, above),
            accelerator=accelerator,
            gpu_arch=gpu_arch,
            packages=packages,
            trees=[
                self._sources[use.source].git
                for part in adds.parts
                for use in part.table.sources
                if use.source in self._sources
            ],
            starts_empty=(parent.root if parent else draft.base).kind == "debian",
        )
        return choose_components(wish, self._components, above, self._reader)

    def _check_device(self, draft: _Draft, accelerator: Accelerator, above: Cell | None) -> bool:
        """Whether there are devices to check; an image that asks for it and can never have any is at fault."""
        inherited = above.check_device if above else False
        asked = (draft.own if above else draft.whole).last(lambda table: table.check_device, inherited)
        said = draft.own.last(lambda table: table.check_device, otherwise=False)
        if said and accelerator == "cpu" and "accelerator" not in draft.axes:
            self._reader.fault(
                draft.own.place(lambda part: part.table.check_device, "check_device"),
                f"image {draft.image!r} computes on the CPU: check-device has no device to look at",
                'say accelerator = "mthreads" or "nvidia", or leave `check_device` out',
            )
        return asked and accelerator != "cpu"

    def _reference_name(self, draft: _Draft) -> str:
        for part in reversed(draft.own.parts):
            if part.name:
                return part.name
        text = f"{self._file.project.name}-{draft.image}"
        name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
        if not text.isascii() or not name:
            self._reader.fault(
                draft.path,
                f"no repository name can be made of {text!r}",
                "set `name`, in lower case letters of ASCII",
            )
        return name

    def _tags(self, draft: _Draft) -> tuple[str, ...]:
        version: tuple[str, ...] = (value_or(self._file.project.version, FALLBACK_TAG),)
        label = point_label(draft.axes)
        tags = tuple(
            f"{tag}-{label}" if label else tag for tag in draft.whole.last(lambda table: table.tags, version)
        )
        for tag in tags:
            if len(tag) > _LONGEST_TAG:
                self._reader.fault(
                    draft.whole.place(lambda part: part.table.tags, "tags"),
                    f"the tag {tag!r} is longer than {_LONGEST_TAG} characters",
                )
        return unique(tags)

    def _check_names(self, part: Part) -> None:
        """Secrets and source trees that a part names are there."""
        for place, use in enumerate(part.table.sources):
            self._reader.check_to(use.to, (*part.path, "sources", place))
            if use.source not in self._sources:
                near = nearest(use.source, self._sources)
                hint = f"did you mean {near!r}?" if near else f"declare it under [sources.{use.source}]"
                path = (*part.path, "sources", place, "source")
                self._reader.fault(path, f"there is no source tree {use.source!r}", hint)
        for item in (*part.run, *part.tests):
            for position, name in enumerate(item.secrets):
                if name not in self._file.secrets:
                    near = nearest(name, self._file.secrets)
                    hint = f"did you mean {near!r}?" if near else f"declare it under [secrets.{name}]"
                    path = (*self._reader.path(item.location), "secrets", position)
                    self._reader.fault(path, f"there is no secret {name!r}", hint)

    def _check_references(self, cells: Mapping[str, Cell]) -> None:
        """No two cells have one reference."""
        owners: dict[str, Cell] = {}
        for cell in cells.values():
            for reference in cell.references:
                owner = owners.setdefault(reference, cell)
                if owner is not cell:
                    draft = self._drafts[cell.name]
                    self._reader.fault(
                        draft.own.place(lambda part: part.name, "name"),
                        f"{owner.name!r} and {cell.name!r} have the same reference {reference!r}",
                        "give one another name or tag",
                    )


def _agrees(axes: Mapping[str, str], value_of: Callable[[str], str]) -> bool:
    """True when no axis has another value than the one asked for; an axis not asked for agrees."""
    return all(value_of(axis) in {"", value} for axis, value in axes.items() if axis != "from")


def _listed(cells: Iterable[_Draft], prefix: str = "") -> str:
    return ", ".join(f"{prefix}{cell.name}" for cell in cells)
