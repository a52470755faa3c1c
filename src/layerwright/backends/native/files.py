"""Steps that only put files into the image: the environment skeleton, models, the project's own files."""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from layerwright.backends.base import BuiltLayer
from layerwright.backends.native.results import NodeResult
from layerwright.backends.native.workshop import Workshop
from layerwright.core.errors import BuildError
from layerwright.guest import CHECK_DEVICE_PATH, ENTRY_PATH, check_device_program, entry_program
from layerwright.layers import LayerDigests, scan_tree, tree_layer
from layerwright.oci.layer import GZIP_LAYER
from layerwright.plan.seal import seal_files
from layerwright.plan.steps import (
    CopyTree,
    FetchFile,
    InstallCheckDevice,
    InstallPython,
    InstallSeal,
    WriteFiles,
)

__all__ = [
    "copy_tree",
    "fetch_file",
    "install_check_device",
    "install_entry",
    "install_python",
    "install_seal",
    "write_blob",
    "write_files",
]


def write_blob(
    workshop: Workshop, created_by: str, write: Callable[[BinaryIO], LayerDigests], *, private: bool = True
) -> NodeResult:
    """Write a layer's blob to the store.

    Args:
        workshop: where to.
        created_by: one line for the image's history.
        write: writes the blob and returns its digests.
        private: see ``BuiltLayer``.
    """
    with workshop.store.writer("blobs") as out:
        digests = write(out)
    layer = BuiltLayer(
        diff_id=digests.diff_id,
        digest=digests.digest,
        size=digests.size,
        tar_size=digests.tar_size,
        created_by=created_by,
        media_type=GZIP_LAYER,
        private=private,
    )
    return NodeResult(layers=(layer,), bytes_written=digests.size)


def install_python(workshop: Workshop, step: InstallPython) -> NodeResult:
    """The environment skeleton, as ``python -m venv --without-pip`` lays it out."""
    with workshop.store.scratch() as scratch:
        root = scratch / "environment"
        write_environment(root, step)
        scan = scan_tree(root, own=True)
        return write_blob(
            workshop,
            f"layerwright: python {step.version}",
            lambda out: tree_layer(scan, to=step.prefix, out=out),
        )


def write_environment(root: Path, step: InstallPython) -> None:
    """Write the skeleton into an absent folder."""
    binaries = root / "bin"
    site_packages = root / "lib" / f"python{step.version}" / "site-packages"
    binaries.mkdir(parents=True)
    site_packages.mkdir(parents=True)
    version = f"version = {step.full_version}\n" if step.full_version else ""
    home = step.interpreter.rpartition("/")[0]
    (root / "pyvenv.cfg").write_text(
        f"home = {home}\ninclude-system-site-packages = false\n{version}", encoding="utf-8"
    )
    (binaries / "python").symlink_to(step.interpreter)
    (binaries / "python3").symlink_to("python")
    (binaries / f"python{step.version}").symlink_to("python")


def install_entry(workshop: Workshop) -> NodeResult:
    """The entry program."""
    return _program(workshop, entry_program(), to=ENTRY_PATH, created_by="layerwright: entry program")


def install_check_device(workshop: Workshop, step: InstallCheckDevice) -> NodeResult:
    """The program that tells whether a container can compute on its devices."""
    text = check_device_program(step.accelerator)
    return _program(workshop, text, to=CHECK_DEVICE_PATH, created_by="layerwright: check-device")


def _program(workshop: Workshop, text: str, *, to: str, created_by: str) -> NodeResult:
    with workshop.store.scratch() as scratch:
        program = scratch / "program"
        program.write_text(text, encoding="utf-8")
        scan = scan_tree(program, own=True)
        return write_blob(
            workshop,
            created_by,
            lambda out: tree_layer(scan, to=to, out=out, mode=0o755),
            private=False,
        )


def install_seal(workshop: Workshop, step: InstallSeal) -> NodeResult:
    """What tells pip and ``verify`` inside of the image what was locked."""
    with workshop.store.scratch() as scratch:
        root = scratch / "seal"
        for path, text in seal_files(step).items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        scan = scan_tree(root, own=True)
        return write_blob(
            workshop,
            "layerwright: seal of the environment",
            lambda out: tree_layer(scan, to=step.prefix, out=out),
        )


def fetch_file(workshop: Workshop, step: FetchFile) -> NodeResult:
    """A model, fetched and checked before."""
    scan = scan_tree(workshop.store.path("files", step.sha256), own=True)
    return write_blob(
        workshop,
        f"layerwright: file {step.to}",
        lambda out: tree_layer(scan, to=step.to, out=out, mode=step.mode),
    )


def write_files(workshop: Workshop, step: WriteFiles) -> NodeResult:
    """Texts that the plan holds; everybody may read them."""
    with workshop.store.scratch() as scratch:
        root = scratch / "texts"
        for one in step.files:
            file = root / one.path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(one.text, encoding="utf-8")
        scan = scan_tree(root, own=True)
        return write_blob(
            workshop,
            f"layerwright: texts of {step.to}",
            lambda out: tree_layer(scan, to=step.to, out=out),
        )


def copy_tree(workshop: Workshop, step: CopyTree) -> NodeResult:
    """The project's own files; refused when they changed since the plan was made."""
    scan = scan_tree(workshop.root / step.source, exclude=step.exclude)
    if scan.digest != step.tree_digest:
        raise BuildError(
            f"{step.source} changed while the build was running", where=step.location, hint="build again"
        )
    for left in scan.left_out:
        # Caches and repositories are left out everywhere; the rest may be missed.
        if left.path.rpartition("/")[2] not in {".git", "__pycache__"} and not left.path.endswith(".pyc"):
            workshop.warn_once(f"{step.source}: {left.path} {left.reason}, and is not copied")
    files = f"{scan.count} {'file' if scan.count == 1 else 'files'}"
    with workshop.task(
        f"copy:{step.source}:{step.to}", f"{step.source} to {step.to}, {files}", "copy", total_bytes=scan.size
    ):
        return write_blob(
            workshop,
            f"layerwright: copy {step.source} {step.to}",
            lambda out: tree_layer(scan, to=step.to, out=out),
        )
