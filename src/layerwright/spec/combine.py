"""Parts put one above the other: defaults, then the image, then its overrides.

A single value is the last one said. Lists of things to do (packages, apt, copies, …) are appended, tables
(env, labels) merged key by key. Lists that are one value (tags, platforms, entrypoint, command) are replaced.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from msgspec import UNSET, UnsetType

from layerwright.spec.faults import KeyPath
from layerwright.spec.keys import DefaultsTable, RunTable
from layerwright.spec.model import Mount, RunOptions
from layerwright.spec.parts import Part, value_or

__all__ = ["Combined", "unique"]

T = TypeVar("T")


class Combined:
    """What several parts say together.

    Args:
        parts: lowest first.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = tuple(parts)

    def last(self, get: Callable[[DefaultsTable], T | UnsetType], otherwise: T) -> T:
        """The last value said of a key."""
        for part in reversed(self.parts):
            value = get(part.table)
            if value is not UNSET:
                return value
        return otherwise

    def place(self, get: Callable[[Part], object], key: str) -> KeyPath:
        """Where a key was said last; the topmost part that is not an override when nowhere."""
        for part in reversed(self.parts):
            if get(part) not in (UNSET, None, "", ()):
                return (*part.path, key)
        return self.parts[-1].path

    @property
    def gpu_arch(self) -> str:
        """The last GPU architecture said, by its own name; empty for none."""
        return next((part.gpu_arch for part in reversed(self.parts) if part.gpu_arch), "")

    def every(self, get: Callable[[Part], Iterable[T]]) -> tuple[T, ...]:
        """The entries of all parts, lowest first."""
        return tuple(item for part in self.parts for item in get(part))

    def merged(self, get: Callable[[DefaultsTable], dict[str, str]]) -> dict[str, str]:
        """The tables of all parts as one; later entries win."""
        return {key: value for part in self.parts for key, value in get(part.table).items()}

    def run_options(self, below: RunOptions) -> RunOptions:
        """How ``run`` starts the image, over what its parent says."""

        def last(get: Callable[[RunTable], T | UnsetType], otherwise: T) -> T:
            for part in self.parts:
                otherwise = value_or(get(part.options), otherwise)
            return otherwise

        mounts: dict[str, Mount] = {mount.to: mount for mount in below.mounts}
        mounts.update({mount.to: mount for part in self.parts for mount in part.mounts})
        return RunOptions(
            gpus=last(lambda options: options.gpus, below.gpus),
            shm_size=last(lambda options: options.shm_size, below.shm_size),
            ipc=last(lambda options: options.ipc, below.ipc),
            network=last(lambda options: options.network, below.network),
            cpus=last(lambda options: options.cpus, below.cpus),
            cpu_set=last(lambda options: options.cpu_set, below.cpu_set),
            memory=last(lambda options: options.memory, below.memory),
            ulimits={
                **below.ulimits,
                **{name: value for part in self.parts for name, value in part.options.ulimits.items()},
            },
            privileged=last(lambda options: options.privileged, below.privileged),
            groups=unique((*below.groups, *self.every(lambda part: part.options.groups))),
            mounts=tuple(mounts.values()),
            keep_home=last(lambda options: options.keep_home, below.keep_home),
            stop_timeout=last(lambda options: options.stop_timeout, below.stop_timeout),
        )


def unique(items: Iterable[T]) -> tuple[T, ...]:
    """The items without repetitions, in order."""
    return tuple(dict.fromkeys(items))
