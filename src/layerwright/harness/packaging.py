"""A training's model package: a gzip tar whose name is the sha1 of its bytes (§3.2)."""

import gzip
import hashlib
import io
import os
import tarfile
from pathlib import Path
from typing import IO, Any

from layerwright.harness.beneath import open_beneath
from layerwright.harness.records import Job, PackageFile
from layerwright.ymir.package import DESCRIPTION, describe_package, package_members
from layerwright.ymir.stages import TrainingResult

__all__ = ["build_package"]

_CHUNK = 1 << 20


def build_package(folder: Path, job: Job, result: TrainingResult) -> PackageFile:
    """Write the package of a training into ``package`` in its work folder.

    The same files and description give the same bytes: times and owners are not those of the files.

    Args:
        folder: the work folder.
        job: what was asked for.
        result: what ``ymir.training_result`` read.
    """
    target = folder / "package"
    target.mkdir(exist_ok=True)
    for old in target.iterdir():
        old.unlink()
    names: list[str] = []
    partial = target / ".partial"
    moment = max((stage.timestamp for stage in result.stages), default=0)
    try:
        with (
            partial.open("wb") as raw,
            # No name and no time in gzip's header, so that the hash is of the contents alone.
            gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            for member in package_members(result):
                with open_beneath(folder / "out", f"models/{member.place}") as stream:
                    archive.addfile(_entry(member.name, os.fstat(stream.fileno()).st_size, moment), stream)
                names.append(member.name)
            description = _description(job, result).encode()
            archive.addfile(_entry(DESCRIPTION, len(description), moment), io.BytesIO(description))
            names.append(DESCRIPTION)
        with partial.open("rb") as stream:
            sha1 = _sha1(stream)
        size = partial.stat().st_size
        partial.rename(target / sha1)
    finally:
        partial.unlink(missing_ok=True)
    return PackageFile(path=str(target / sha1), sha1=sha1, size=size, members=tuple(names))


def _entry(name: str, size: int, moment: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = size, max(moment, 0), 0o644
    return entry


def _sha1(stream: IO[bytes]) -> str:
    digest = hashlib.sha1(usedforsecurity=False)
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _description(job: Job, result: TrainingResult) -> str:
    metric, value = result.top_metric
    context: dict[str, Any] = {
        "src_revs": f"master@{job.task_id}",
        "dst_rev": f"{job.task_id}@{job.task_id}",
        "executor": job.image_name,
        "producer": "ymir",
        "mAP": value if metric == "mAP" else 0.0,
        "type": 1,
        "object_type": job.object_type,
        "available_gpu_id": job.configuration.get("gpu_id", ""),
        "server_runtime": "nvidia" if job.configuration.get("gpu_id") else "runc",
    }
    return describe_package(
        result, configuration=job.configuration, context=context, object_type=job.object_type
    )
