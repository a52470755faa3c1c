"""Write a new executor's project: texts from the scaffold, and the wheel of ``ymir_exc``."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import layerwright.ymir
from layerwright.core.errors import EngineError, UsageError
from layerwright.workflow.session import Session
from layerwright.ymir.parameter import Task
from layerwright.ymir.project import project_files
from layerwright.ymir.samples import sample_pictures

__all__ = ["sdk_wheel", "write_project"]

_VENDOR: Final = "vendor"
_DATA: Final = "data"
_SECONDS: Final = 300.0


def write_project(
    session: Session, folder: Path, *, tasks: Sequence[Task], segmentation: bool = False
) -> tuple[str, ...]:
    """Write a project into a new or empty folder.

    Args:
        session: the surroundings.
        folder: relative to where the command was started; its name is the project's.
        tasks: that the executor does, at least one.
        segmentation: it finds masks, not boxes.

    Returns:
        The files' paths in the folder, in order.

    Raises:
        UsageError: the folder is not empty, or cannot be written to.
        EngineError: there is no wheel of ``ymir_exc``, and none can be built.
    """
    target = (session.start / folder.expanduser()).resolve()
    try:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise UsageError(f"{folder} is there and not empty", hint="name a folder that is not there yet")
    except OSError as error:
        raise UsageError(f"cannot read {folder}: {error.strerror}") from error
    with sdk_wheel(session) as wheel:
        place = f"{_VENDOR}/{wheel.name}"
        pictures = {f"{_DATA}/{name}": content for name, content in sample_pictures().items()}
        texts = project_files(_name(target), tasks=tasks, segmentation=segmentation, wheel=place)
        try:
            for path, content in {
                **{path: text.encode() for path, text in texts.items()},
                **pictures,
            }.items():
                file = target / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            (target / _VENDOR).mkdir()
            shutil.copyfile(wheel, target / place)
        except OSError as error:
            raise UsageError(f"cannot write to {folder}: {error.strerror}") from error
    return tuple(sorted([*texts, *pictures, place]))


def _name(target: Path) -> str:
    """The project's name: the folder's, or a plain one where no image could have it."""
    name = target.name
    return (
        name if name.isascii() and any(one.isalnum() for one in name) and name.isprintable() else "executor"
    )


@contextmanager
def sdk_wheel(session: Session) -> Iterator[Path]:
    """The wheel of ``ymir_exc``: of this installation; in a checkout, built from the sources beside it.

    Raises:
        EngineError: neither is there, or the build failed.
    """
    own = Path(layerwright.ymir.__file__).with_name("wheels")
    shipped = sorted(own.glob("*.whl"))
    if shipped:
        yield shipped[-1]
        return
    sources = Path(layerwright.ymir.__file__).parents[3] / "packages" / "ymir-exc"
    if not (sources / "pyproject.toml").is_file():
        raise EngineError(
            f"this installation of layerwright has no wheel of ymir_exc in {own}",
            hint="install layerwright from its wheel: pip install --force-reinstall layerwright",
        )
    from layerwright.host.process import ProcessError, run  # noqa: PLC0415 - start-up
    from layerwright.sources.uv import find_uv  # noqa: PLC0415 - start-up

    with session.store.scratch() as scratch:
        # A copy: build tools write beside the sources.
        copy = scratch / "ymir-exc"
        shutil.copytree(sources, copy, ignore=shutil.ignore_patterns("tests", "__pycache__", "dist"))
        uv = find_uv(session.host)
        offline = ["--offline"] if session.offline else []
        argv = [
            str(uv),
            "build",
            "--wheel",
            "--quiet",
            *offline,
            "--out-dir",
            str(scratch / "dist"),
            str(copy),
        ]
        try:
            run(argv, env=session.host.variables, timeout=_SECONDS)
        except ProcessError as error:
            raise EngineError(
                f"the wheel of ymir_exc could not be built from {sources}\n{error.output or error.what}",
                hint="its build needs hatchling from an index; an installed layerwright brings the wheel",
            ) from error
        yield next((scratch / "dist").glob("*.whl"))
