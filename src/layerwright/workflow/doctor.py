"""Looking at this machine: what it is wanted for comes from the spec, when there is one."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from layerwright.core.errors import SpecError, UsageError
from layerwright.doctor.model import Check, Cure, Needs, Purpose
from layerwright.workflow.session import Session, read_spec, short_list

if TYPE_CHECKING:
    from layerwright.doctor.data import Mirror
    from layerwright.doctor.examine import Diagnosis
    from layerwright.doctor.network import Reached
    from layerwright.spec.model import Cell, Spec

__all__ = ["Visit", "diagnose", "needs_of_spec", "write_record"]

_MIRRORS = "mirrors"
_GPUS: Mapping[str, Purpose] = {"nvidia": "nvidia", "mthreads": "mthreads"}


class Visit(Struct, frozen=True, kw_only=True):
    """What came out of looking.

    Attributes:
        diagnosis: what was found.
        needs: what it was judged by.
        note: why the spec had no say; empty when it had, or there is none.
    """

    diagnosis: "Diagnosis"
    needs: Needs
    note: str = ""


def diagnose(session: Session, purposes: Iterable[Purpose] = (), *, mirrors: bool = False) -> Visit:
    """Look at this machine. No container is started, and nothing is changed.

    Args:
        session: the caller's surroundings.
        purposes: what it is wanted for; nothing leaves that to the spec, if there is one.
        mirrors: measure known mirrors too, which asks servers that nobody has named.

    Raises:
        UsageError, SpecError: a spec was named and there is none, or it has faults.
    """
    from layerwright.doctor.examine import examine_machine  # noqa: PLC0415 - start-up
    from layerwright.doctor.machine import Machine  # noqa: PLC0415 - start-up

    needs, note = _needs(session, tuple(purposes))
    machine = Machine(host=session.host, store=session.store_root, offline=session.offline)
    diagnosis = examine_machine(machine, needs)
    if mirrors and not session.offline:
        from layerwright.doctor.network import measure_mirrors  # noqa: PLC0415 - start-up

        rows = tuple(_mirror_check(*row) for row in measure_mirrors(machine))
        diagnosis = replace(diagnosis, sections={**diagnosis.sections, _MIRRORS: rows})
    return Visit(diagnosis=diagnosis, needs=needs, note=note)


def write_record(diagnosis: "Diagnosis", path: Path) -> None:
    """Write what was learned for ``check --host``. It is named after the file, and holds no host name, user or serial.

    Raises:
        UsageError: the file cannot be written.
    """
    from layerwright.facts.host_record import host_record  # noqa: PLC0415 - start-up

    try:
        path.write_bytes(host_record(replace(diagnosis.facts, name=path.stem)))
    except OSError as error:
        raise UsageError(f"cannot write the host record {path}: {error.strerror}") from error


def needs_of_spec(spec: "Spec") -> Needs:
    """What the images of a spec ask of the machine that builds and runs them."""
    cells = tuple(spec.cells.values())
    file = Path(spec.file).name
    purposes: dict[str, str] = {"build": file}

    def ask(purpose: Purpose, wanting: "list[Cell]") -> None:
        if wanting:
            purposes[purpose] = f"{file} ({short_list(cell.name for cell in wanting)})"

    ask("run", [cell for cell in cells if cell.role != "base"])
    gpus = [cell for cell in cells if cell.accelerator in _GPUS and cell.role != "base"]
    # A native run cannot hand GPUs to a program.
    ask("docker", [cell for cell in cells if cell.base.kind == "docker"] + gpus)
    for accelerator, purpose in _GPUS.items():
        ask(purpose, [cell for cell in gpus if cell.accelerator == accelerator])
    from layerwright.spec.model import GitPackage  # noqa: PLC0415 - start-up

    return Needs(
        purposes=purposes,
        debian=any(cell.base.kind == "debian" for cell in cells),
        git=any(isinstance(package, GitPackage) for cell in cells for package in cell.packages),
        shared_memory=max((_size(cell.run_options.shm_size) for cell in cells), default=0),
        addresses=_addresses(spec),
    )


def _needs(session: Session, purposes: tuple[Purpose, ...]) -> tuple[Needs, str]:
    """What the machine is wanted for, and why a spec had no say in it."""
    if purposes:
        wanted: dict[str, str] = {purpose: f"--for {purpose}" for purpose in purposes}
        for purpose in purposes:
            if purpose in _GPUS:
                wanted.setdefault("docker", f"--for {purpose}")
        return Needs(purposes=wanted, debian="build" in purposes), ""
    try:
        return needs_of_spec(read_spec(session)), ""
    except SpecError as error:
        if session.spec_file is not None:
            raise
        return Needs(), f"what the spec asks for is not known, it has faults: {error.what}"
    except UsageError:
        if session.spec_file is not None:
            raise
        return Needs(), ""


def _addresses(spec: "Spec") -> dict[str, str]:
    """Indexes that the spec names, and PyPI where none takes its place; nothing stands for PyPI alone."""
    from layerwright.doctor.network import PYPI_URL  # noqa: PLC0415 - start-up
    from layerwright.sources.indexes import PYPI  # noqa: PLC0415 - start-up

    found = {name: index.url for name, index in spec.indexes.items()}
    if found and not any(index.default for index in spec.indexes.values()):
        found[PYPI] = PYPI_URL
    return found


def _size(text: str) -> int:
    if not text:
        return 0
    from layerwright.run.invocation import parse_size  # noqa: PLC0415 - start-up

    return parse_size(text)


def _mirror_check(mirror: "Mirror", index: "Reached", debian: "Reached") -> Check:
    from layerwright.sources.indexes import PYPI, variable_name  # noqa: PLC0415 - start-up
    from layerwright.workflow.mirrors import MIRRORS  # noqa: PLC0415 - start-up

    identity = f"mirror-{mirror.id}"
    name = f"{mirror.title} ({mirror.region})"
    if index.error and debian.error:
        return Check(id=identity, status="unknown", detail=f"{name}: {index.error}")
    shown = [
        f"{what} {f'fail: {reached.error}' if reached.error else f'in {reached.text}'}"
        for what, reached in (("packages", index), ("Debian packages", debian))
    ]
    fix = []
    if not (index.error or debian.error):
        fix.append(
            Cure(
                text="use it for all, on this machine only; spec and lock stay as they are",
                command=f"export {MIRRORS}={mirror.id}",
            )
        )
    elif not index.error:
        fix.append(
            Cure(
                text="use it for packages, on this machine only; spec and lock stay as they are",
                command=f"export {variable_name(PYPI)}={mirror.pypi}",
            )
        )
    elif not debian.error:
        fix.append(
            Cure(
                text="use it for Debian packages",
                command=f'export LAYERWRIGHT_DEBIAN_MIRROR="{mirror.debian} {mirror.debian_security}"',
            )
        )
    return Check(id=identity, status="ok", detail=f"{name}: {'; '.join(shown)}", fix=tuple(fix))
