"""The config of a cell's image: its variables, how it starts, and its labels."""

from collections.abc import Mapping, Sequence

from layerwright.guest import CHECK_DEVICE_PATH, ENTRY_PATH, WRITABLE, cache_folder
from layerwright.plan.seal import CONSTRAINTS
from layerwright.plan.steps import PREFIX, SetConfig
from layerwright.plan.testing import ALLOWED_LABEL
from layerwright.spec.model import Cell, SourceItem

__all__ = ["config_step", "image_env", "sealed_env"]

_DEFAULT_ENV = {"LANG": "C.UTF-8"}


def image_env(cell: Cell) -> dict[str, str]:
    """The variables the image sets; ``PATH`` holds what goes before the base's own."""
    env = dict(_DEFAULT_ENV)
    if cell.accelerator == "mthreads":
        from layerwright.plan.components import musa_env  # noqa: PLC0415 - start-up

        env.update(musa_env(cell))
    if cell.python:
        env["PATH"] = ":".join(filter(None, (f"{PREFIX}/bin", env.get("PATH", ""))))
        env["VIRTUAL_ENV"] = PREFIX
    if cell.timezone:
        env["TZ"] = cell.timezone
    env.update(cell.env)
    return env


def sealed_env(env: Mapping[str, str], base: str) -> dict[str, str]:
    """Variables of an image whose environment is sealed.

    Args:
        env: those it has without the seal; what is set there stays.
        base: the kind of its base.
    """
    # uv has no settings of an environment.
    added = {"UV_CONSTRAINT": CONSTRAINTS}
    if base != "debian":
        # Bases may set it (NVIDIA's do), and pip takes a variable before its settings.
        added["PIP_CONSTRAINT"] = CONSTRAINTS
    return {**env, **{name: value for name, value in added.items() if name not in env}}


def config_step(
    cell: Cell,
    *,
    env: Mapping[str, str],
    enters: bool,
    allowed: Sequence[str],
    sources: Sequence[SourceItem],
) -> SetConfig:
    """The step that sets the image's config.

    Args:
        cell: the cell.
        env: variables of its image.
        enters: it starts through the entry program.
        allowed: names of tests that may have failed, here or in a parent.
        sources: source trees in the image, its parents' among them.
    """
    told = dict(env)
    entrypoint = cell.entrypoint
    if enters:
        entrypoint = (ENTRY_PATH, *entrypoint)
        if cell.writable:
            told[WRITABLE] = " ".join(f"{name}={cache_folder(name)}" for name in cell.writable)
    return SetConfig(
        env=told,
        workdir=cell.workdir,
        entrypoint=entrypoint,
        command=cell.command,
        labels={**_declared(cell, sources), **_labels(cell, allowed)},
        health=(CHECK_DEVICE_PATH, "--quick") if cell.check_device else (),
    )


def _declared(cell: Cell, sources: Sequence[SourceItem]) -> dict[str, str]:
    """What the image says of its components and source trees, its parents' among them."""
    components = (*cell.inherited_components, *cell.components)
    if not (cell.gpu_arch or components or sources):
        return {}
    from layerwright.plan.labels import declared_labels  # noqa: PLC0415 - start-up

    return declared_labels(cell.gpu_arch, components, sources)


def _labels(cell: Cell, allowed: Sequence[str]) -> dict[str, str]:
    own: dict[str, str] = {"dev.layerwright.accelerator": cell.accelerator, "dev.layerwright.role": cell.role}
    if allowed:
        import json  # noqa: PLC0415 - start-up

        own[ALLOWED_LABEL] = json.dumps(allowed, ensure_ascii=False)
    return {**own, **cell.labels}
