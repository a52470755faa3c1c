"""Images to drafts: the cells that matrices and overrides make, before it is known what each starts from."""

from collections.abc import Mapping, Sequence

from msgspec import UNSET, Struct

from layerwright.spec.combine import Combined, unique
from layerwright.spec.faults import KeyPath, nearest
from layerwright.spec.keys import ImageTable, OverrideTable, SpecFile
from layerwright.spec.matrix import matches, matrix_axes, matrix_points, point_label, when_axes, when_faults
from layerwright.spec.model import Base, Source
from layerwright.spec.parts import Part, Reader

__all__ = ["Draft", "draft_cells"]


class Draft(Struct, frozen=True, kw_only=True):
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
        """Where its image stands in the file."""
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


def draft_cells(
    file: SpecFile,
    *,
    axis_orders: Mapping[str, Sequence[str]],
    sources: Mapping[str, Source],
    reader: Reader,
) -> dict[str, Draft]:
    """All drafts by name, in the order of the file; arguments as for ``expand``."""
    drafting = _Drafting(file, axis_orders, sources, reader)
    defaults = reader.part(file.defaults, ("defaults",))
    drafting.check_names(defaults)
    for name, image in file.images.items():
        drafting.image(name, image, defaults)
    return drafting.drafts


class _Drafting:
    """Collects drafts image by image."""

    def __init__(
        self,
        file: SpecFile,
        axis_orders: Mapping[str, Sequence[str]],
        sources: Mapping[str, Source],
        reader: Reader,
    ) -> None:
        self._file = file
        self._orders = axis_orders
        self._sources = sources
        self._reader = reader
        self.drafts: dict[str, Draft] = {}

    def image(self, name: str, image: ImageTable, defaults: Part) -> None:
        """Add the cells of an image: one for each point of its matrix."""
        path: KeyPath = ("images", name)
        own = self._reader.part(image, path)
        axes = self._named(matrix_axes(image.matrix, self._orders.get(name, ())), (*path, "matrix"))
        overrides = []
        for position, table in enumerate(image.override):
            place: KeyPath = (*path, "override", position)
            when = self._named(when_axes(table.when), (*place, "when"))
            overrides.append((when, self._reader.part(table, place)))
        for part in (own, *(part for _, part in overrides)):
            self.check_names(part)
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
            self._cell(name, point, Combined(parts), defaults, bases)

    def _named(self, axes: Mapping[str, tuple[str, ...]], path: KeyPath) -> dict[str, tuple[str, ...]]:
        """The axes with GPU architectures by their own names, however they are written."""
        values = axes.get("gpu_arch", ())
        names = tuple(
            self._reader.architecture(text, (*path, "gpu_arch", position)) or text
            for position, text in enumerate(values)
        )
        return {axis: names if axis == "gpu_arch" else said for axis, said in axes.items()}

    def _cell(
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
        if name in self.drafts:
            other = self.drafts[name].image
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
            self.drafts[name] = Draft(
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

    def check_names(self, part: Part) -> None:
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
