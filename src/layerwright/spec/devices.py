"""What a cell computes on: its accelerator, its GPU architecture, and whether there are devices to check."""

from msgspec import convert

from layerwright.spec.drafts import Draft
from layerwright.spec.faults import KeyPath
from layerwright.spec.model import Accelerator, Base, Cell
from layerwright.spec.parts import Reader
from layerwright.spec.systems import refused_system

__all__ = ["accelerator_of", "check_system", "checks_device", "gpu_arch_of", "gpu_arch_path"]


def accelerator_of(draft: Draft, above: Cell | None) -> Accelerator:
    """The accelerator that the cell says, its parent's (``above``), or that of the defaults."""
    said = draft.said("accelerator") or (above.accelerator if above else draft.default("accelerator"))
    accelerator: Accelerator = convert(said or "cpu", Accelerator)
    return accelerator


def gpu_arch_of(draft: Draft, above: Cell | None, accelerator: Accelerator, reader: Reader) -> str:
    """The GPU architecture's own name; empty for none, and where the accelerator has none to say."""
    said = draft.said("gpu_arch")
    if accelerator == "mthreads":
        return said or (above.gpu_arch if above else draft.default("gpu_arch"))
    if said:
        reader.fault(
            gpu_arch_path(draft),
            f"{draft.name!r} has the GPU architecture {said}, and accelerator {accelerator!r}",
            'set accelerator = "mthreads": the architectures are those of Moore Threads\' GPUs',
        )
    return ""


def gpu_arch_path(draft: Draft) -> KeyPath:
    """Where the architecture is said."""
    if "gpu_arch" in draft.axes:
        return (*draft.path, "matrix", "gpu_arch")
    return draft.whole.place(lambda part: part.gpu_arch, "gpu_arch")


def checks_device(draft: Draft, accelerator: Accelerator, above: Cell | None, reader: Reader) -> bool:
    """Whether there are devices to check; an image that asks for it and can never have any is at fault."""
    inherited = above.check_device if above else False
    asked = (draft.own if above else draft.whole).last(lambda table: table.check_device, inherited)
    said = draft.own.last(lambda table: table.check_device, otherwise=False)
    if said and accelerator == "cpu" and "accelerator" not in draft.axes:
        reader.fault(
            draft.own.place(lambda part: part.table.check_device, "check_device"),
            f"image {draft.image!r} computes on the CPU: check-device has no device to look at",
            'say accelerator = "mthreads" or "nvidia", or leave `check_device` out',
        )
    return asked and accelerator != "cpu"


def check_system(draft: Draft, root: Base, accelerator: Accelerator, reader: Reader) -> None:
    """What the cell starts from in the end is a system that the accelerator's software is for."""
    what, hint = refused_system(accelerator, root)
    if what:
        reader.fault(draft.from_path, f"{draft.name!r} is for accelerator {accelerator!r}, and {what}", hint)
