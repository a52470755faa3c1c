"""Drafts to cells: what an image says, over its finished parent or over the defaults."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import UNSET

from layerwright.facts.components import KindName
from layerwright.oci.platform import Platform
from layerwright.spec.base import debian_base
from layerwright.spec.combine import Combined, unique
from layerwright.spec.components import ComponentSet, Wish, choose_components
from layerwright.spec.devices import accelerator_of, check_system, checks_device, gpu_arch_of, gpu_arch_path
from layerwright.spec.drafts import Draft
from layerwright.spec.keys import ProjectTable
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
from layerwright.spec.parents import Built, check_parent
from layerwright.spec.parts import Reader, value_or
from layerwright.spec.references import reference_name, reference_tags

if TYPE_CHECKING:
    from layerwright.ymir.image import Executor

__all__ = ["Finisher"]


class Finisher:
    """Makes cells of drafts.

    Args:
        project: what the images belong to.
        components: by name.
        sources: source trees, by name.
        reader: takes the faults.
    """

    def __init__(
        self,
        project: ProjectTable,
        components: Mapping[str, Component],
        sources: Mapping[str, Source],
        reader: Reader,
    ) -> None:
        self._project = project
        self._components = components
        self._sources = sources
        self._reader = reader

    def finish(self, draft: Draft, parent: Built | None) -> Built:
        """The cell, over its parent's finished cell if it has one."""
        above = parent.cell if parent else None
        # What a parent holds is in the layers below; so are the defaults' packages, copies and commands.
        adds = draft.own if above else draft.whole
        python = draft.said("python") or (above.python if above else draft.default("python"))
        platform = next((part.platform for part in reversed(adds.parts) if part.platform), None)
        below = above.run_options if above else RunOptions()
        packages = adds.every(lambda part: part.packages)
        accelerator = accelerator_of(draft, above)
        base = self._base(draft, python, parent)
        check_parent(draft, python, platform, parent, self._reader)
        self._check_places(draft, adds)
        check_system(draft, parent.root if parent else base, accelerator, self._reader)
        if packages and not python:
            self._reader.fault(
                draft.path, f"image {draft.image!r} has packages but no Python", 'such as: python = "3.11"'
            )
        gpu_arch = gpu_arch_of(draft, above, accelerator, self._reader)
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
            reference_name=reference_name(draft, self._project, self._reader),
            tags=reference_tags(draft, self._project, self._reader),
            python=python,
            packages=packages,
            constraints=unique(draft.whole.every(lambda part: part.table.constraints)),
            prereleases=draft.whole.last(lambda table: table.prereleases, "if-necessary-or-explicit"),
            exclude_newer=draft.whole.last(lambda table: table.exclude_newer, ""),
            apt=unique(adds.every(lambda part: part.table.apt)),
            components=chosen.own,
            inherited_components=chosen.inherited,
            without=_without(draft, above),
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
            command=adds.last(lambda table: table.command, _command(draft, above)),
            bytecode=draft.whole.last(lambda table: table.bytecode, otherwise=True),
            sealed=draft.whole.last(lambda table: table.sealed, otherwise=True),
            entry_program=draft.whole.last(lambda table: table.entry_program, otherwise=True),
            check_device=checks_device(draft, accelerator, above, self._reader),
            run_options=adds.run_options(below),
            executor=executor,
            parameters=parameters,
            location=self._reader.location(draft.path),
        )
        has_packages = bool(packages) or bool(parent and parent.has_packages)
        return Built(cell=cell, root=parent.root if parent else base, has_packages=has_packages)

    def _executor(
        self, draft: Draft, adds: Combined, above: Cell | None
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

    def _base(self, draft: Draft, python: str, parent: Built | None) -> Base:
        if parent:
            return Base(kind="image", source=parent.cell.name)
        if draft.base.kind != "debian":
            return draft.base
        try:
            return debian_base(draft.base, python)
        except ValueError as error:
            self._reader.fault(draft.from_path, str(error))
            return draft.base

    def _check_places(self, draft: Draft, adds: Combined) -> None:
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

    def _choose_components(
        self,
        draft: Draft,
        parent: Built | None,
        adds: Combined,
        accelerator: Accelerator,
        gpu_arch: str,
        packages: tuple[Package, ...],
    ) -> ComponentSet:
        above = parent.cell if parent else None
        wish = Wish(
            cell=draft.name,
            path=draft.path,
            gpu_arch_path=gpu_arch_path(draft),
            names=[
                ((*part.path, "components", position), name)
                for part in adds.parts
                for position, name in enumerate(part.table.components)
            ],
            without=_without(draft, above),
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


def _command(draft: Draft, above: Cell | None) -> tuple[str, ...]:
    """What runs when nothing is said: the parent's, or what an executor's image runs by convention."""
    if above and above.command:
        return above.command
    if draft.whole.last(lambda table: table.role, "inference") != "executor":
        return ()
    from layerwright.ymir.image import START_COMMAND  # noqa: PLC0415 - start-up

    return START_COMMAND


def _without(draft: Draft, above: Cell | None) -> tuple[KindName, ...]:
    return unique((*(above.without if above else ()), *draft.whole.every(lambda part: part.table.without)))
