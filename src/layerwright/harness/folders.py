"""Inputs → a work folder, as the platform fills it (§2): nothing here starts anything."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from layerwright.core.errors import UsageError
from layerwright.harness.records import DATASET, JOB, STATE, Job, State, write_record, write_text
from layerwright.harness.sources import LoadedData
from layerwright.harness.start_model import StartModel, unpack_model
from layerwright.ymir.codes import (
    INVALID_ARGUMENTS,
    INVALID_MODEL,
    NO_TRAINING_IMAGES,
    NO_VALIDATION_IMAGES,
    Task,
)
from layerwright.ymir.command import Launch, default_shm_size
from layerwright.ymir.configuration import PlatformValues, config_yaml, export_format_of, make_configuration
from layerwright.ymir.dataset import asset_path
from layerwright.ymir.environment import PROTOCOLS, env_yaml, environment
from layerwright.ymir.exports import Form, export_files, parse_form
from layerwright.ymir.monitor import controller_line, first_line
from layerwright.ymir.remarks import Remark

__all__ = ["Inputs", "Prepared", "prepare"]

_SHARED: Final = 0o777


class Inputs(Struct, frozen=True, kw_only=True):
    """All that a job is made of.

    Attributes:
        task: what runs; ``mining`` when both mining and infer do.
        task_id: opaque text without white space.
        image: as the engine calls it.
        image_name: as it was asked for.
        engine: that will run it.
        form: hyper-parameters after the form (``ymir.configuration.fill_form``).
        data: pictures.
        created: when the task was made, Unix seconds.
        also_infer: infer runs beside mining.
        object_type: of the project.
        protocol: version that env.yaml announces.
        gpus: numbers of the host's GPUs.
        topk: how many pictures a mining selects.
        model: that the task starts from; mining and infer need one on the platform.
        user: ids of the program; None to run as root.
        owner: ids that the folders are given to; None leaves them as they are.
        source: where the data came from, for people.
        limit: how many pictures of each part were asked for; 0 for all.
        network: False cuts the executor off.
        memory: bytes it may use; 0 for no limit.
        lenient: start even where the platform refuses (no validation pictures).
        overrides: values of config.yaml that replace those of form and platform, last of all.
        removed: keys that are then taken out of it.
        remarks: on image and data, found before.
    """

    task: Task
    task_id: str
    image: str
    image_name: str
    engine: str
    form: Mapping[str, Any]
    data: LoadedData
    created: float
    also_infer: bool = False
    object_type: int = 2
    protocol: str = PROTOCOLS[0]
    honours_codes: bool = True
    gpus: tuple[int, ...] = ()
    topk: int = 0
    model: StartModel | None = None
    user: tuple[int, int] | None = None
    owner: tuple[int, int] | None = None
    source: str = ""
    limit: int = 0
    network: bool = True
    memory: int = 0
    lenient: bool = False
    overrides: Mapping[str, Any] = {}
    removed: tuple[str, ...] = ()
    remarks: tuple[Remark, ...] = ()


class Prepared(Struct, frozen=True, kw_only=True):
    """A work folder that is ready.

    Attributes:
        folder: absolute.
        job: what stands in it.
        launch: how the container is to be started.
    """

    folder: Path
    job: Job
    launch: Launch


def prepare(folder: Path, inputs: Inputs) -> Prepared:
    """Fill a work folder: ``in``, ``out``, the pictures behind a link, and the records of the harness.

    Args:
        folder: must not exist, or be empty.
        inputs: the job.

    Raises:
        UsageError: the platform would refuse the task before its start, or the folder is in use, or cannot be written.
    """
    try:
        return _fill(folder, inputs)
    except OSError as error:
        raise UsageError(
            f"cannot fill the work folder {folder}: {error.strerror}: {error.filename}",
            hint="name a folder that you can write to, on a disk with room: --work DIR",
        ) from error


def _fill(folder: Path, inputs: Inputs) -> Prepared:
    form = parse_form(export_format_of(inputs.form))
    _refuse(inputs)
    folder = folder.resolve()
    if ":" in str(folder) and inputs.engine != "native":
        raise UsageError(
            f"{folder} has a colon in it, which engines take for the end of a path",
            hint="name another: --work DIR",
        )
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty", hint="name another folder: --work DIR")
    work_in, work_out = folder / "in", folder / "out"
    for made in (work_in / "annotations", work_in / "predictions", work_out, folder / "assets"):
        made.mkdir(parents=True)
    for made in (work_out / "models", folder / "tensorboard"):
        made.mkdir()
        made.chmod(_SHARED)
    # Absolute targets on the host: the container sees them at the same path (§2.1).
    (work_in / "assets").symlink_to(folder / "assets")
    (work_out / "tensorboard").symlink_to(folder / "tensorboard")
    _copy_pictures(folder, inputs.data)
    training = inputs.task == "training"
    exported = export_files(inputs.data.dataset, form.form, training=training, protocol=inputs.protocol)
    for path, data in exported.items():
        write_text(folder / path.removeprefix("/"), data)
    models = unpack_model(work_in / "models", inputs.model) if inputs.model is not None else ()
    (work_in / "models").mkdir(exist_ok=True)
    configuration = make_configuration(
        inputs.task,
        inputs.form,
        PlatformValues(
            task_id=inputs.task_id,
            class_names=_class_names(inputs),
            gpus=len(inputs.gpus),
            object_type=inputs.object_type,
            model_files=models,
            run_mining=inputs.task == "mining",
            run_infer=inputs.task == "infer" or inputs.also_infer,
        ),
    )
    values = {**configuration.values, **inputs.overrides}
    values = {key: value for key, value in values.items() if key not in inputs.removed}
    write_text(work_in / "config.yaml", config_yaml(values).encode())
    document = environment(
        inputs.task_id,
        training=training,
        mining=inputs.task == "mining",
        infer=inputs.task == "infer" or inputs.also_infer,
        protocol=inputs.protocol,
    )
    write_text(work_in / "env.yaml", env_yaml(document).encode())
    monitor = work_out / "monitor.txt"
    monitor.write_text(controller_line(inputs.task_id, inputs.created), encoding="utf-8")
    monitor.write_text(first_line(inputs.task_id, inputs.created), encoding="utf-8")
    (work_out / "ymir-executor-out.log").touch()
    job = Job(
        task=inputs.task,
        also_infer=inputs.also_infer,
        task_id=inputs.task_id,
        image=inputs.image,
        image_name=inputs.image_name,
        engine=inputs.engine,
        object_type=inputs.object_type,
        protocol=inputs.protocol,
        honours_codes=inputs.honours_codes,
        created=inputs.created,
        topk=inputs.topk,
        class_names=_class_names(inputs),
        configuration=values,
        dropped=configuration.dropped,
        model=str(inputs.model.package) if inputs.model else "",
        stage=inputs.model.stage if inputs.model else "",
        data=inputs.source,
        limit=inputs.limit,
        remarks=(
            *inputs.remarks,
            *inputs.data.remarks,
            *_form_remarks(form, training=training),
            *_memory_remarks(values.get("shm_size")),
        ),
    )
    write_text(folder / "task_config.yaml", _task_config(job).encode())
    write_record(folder, DATASET, inputs.data.dataset)
    write_record(folder, JOB, job)
    write_record(folder, STATE, State(phase="prepared", updated=inputs.created))
    _show_all(folder / "in")
    _show_all(folder / "assets")
    if inputs.owner is not None:
        _give(folder, inputs.owner)
    launch = Launch(
        image=inputs.image,
        name=inputs.task_id,
        inputs=str(work_in),
        outputs=str(work_out),
        links=(str(folder / "assets"), str(folder / "tensorboard")),
        user="" if inputs.user is None else f"{inputs.user[0]}:{inputs.user[1]}",
        gpus=inputs.gpus,
        shm_size=default_shm_size(values.get("shm_size"), len(inputs.gpus)),
        network=inputs.network,
        memory=inputs.memory,
    )
    return Prepared(folder=folder, job=job, launch=launch)


def _refuse(inputs: Inputs) -> None:
    """Raise for what the platform refuses before it starts anything (§2.3, §2.4)."""
    dataset = inputs.data.dataset
    names = _class_names(inputs)
    if len(set(names)) != len(names):
        raise UsageError(
            f"a class is named twice: the platform refuses the task ({INVALID_ARGUMENTS}, rule 2.3)"
        )
    if inputs.task == "training":
        if not names:
            raise UsageError(
                f"no class is named: the platform refuses the task ({INVALID_ARGUMENTS}, rule 2.3)",
                hint="a folder of bare pictures has no classes: name them with --classes, or give labels",
            )
        if not dataset.training:
            raise UsageError(f"there are no training pictures ({NO_TRAINING_IMAGES}, rule 2.4)")
        if not dataset.validation and not inputs.lenient:
            raise UsageError(
                f"there are no validation pictures ({NO_VALIDATION_IMAGES}, rule 2.4)",
                hint="name them with --validation, or set some apart with --validation-share",
            )
    elif not dataset.candidates:
        raise UsageError(f"there are no candidates ({INVALID_ARGUMENTS}, rule 2.4)")
    model = inputs.model
    if model is not None and model.info.object_type != inputs.object_type and inputs.task != "training":
        raise UsageError(
            f"the model is of object type {model.info.object_type} and the task of {inputs.object_type}: the platform "
            f"refuses it ({INVALID_MODEL}, rule 2.3)",
            hint=f"say --object-type {model.info.object_type}, or take another model",
        )


def _class_names(inputs: Inputs) -> tuple[str, ...]:
    """A training's are the data's; mining and infer take the model's (§1.4)."""
    if inputs.task != "training" and inputs.model is not None:
        return inputs.model.info.class_names
    return inputs.data.dataset.class_names


def _form_remarks(form: Form, *, training: bool) -> tuple[Remark, ...]:
    if not training:
        return ()
    if not form.known:
        return (
            Remark(
                outcome="lost",
                rule="2.5",
                file="/in/config.yaml",
                field="export_format",
                message=f"the platform does not know the annotation form {form.name!r} and writes no annotations and "
                "empty index files, without a word",
                repair="write ark:raw, voc:raw, seg-coco:raw or coco:raw",
            ),
        )
    return ()


def _memory_remarks(shm_size: object) -> tuple[Remark, ...]:
    text = str(shm_size or "")
    if not text.isdecimal():
        return ()
    return (
        Remark(
            outcome="lost",
            rule="4.1",
            file="/in/config.yaml",
            field="shm_size",
            message=f"{text} has no unit, and the engine gives {text} bytes of shared memory",
            repair=f"write {text}G",
        ),
    )


def _copy_pictures(folder: Path, data: LoadedData) -> None:
    for picture in data.dataset.pictures:
        place = folder / asset_path(picture, "assets")
        place.parent.mkdir(exist_ok=True)
        # A copy: the platform mounts its pictures writable, and the caller's must not be changed.
        shutil.copyfile(data.files[picture.asset_id], place)
        place.chmod(0o644)


def _task_config(job: Job) -> str:
    import yaml  # noqa: PLC0415 - start-up

    context = {
        "executor": job.image_name,
        "task_id": job.task_id,
        "type": job.task,
        "object_type": job.object_type,
    }
    return yaml.safe_dump(
        {"executor_config": dict(job.configuration), "task_context": context},
        sort_keys=True,
        allow_unicode=True,
    )


def _show_all(top: Path) -> None:
    """Let everybody read, whatever the caller's umask says: the executor may run as somebody else."""
    for root, _, files in os.walk(top):
        Path(root).chmod(0o755)
        for name in files:
            Path(root, name).chmod(0o644)


def _give(folder: Path, owner: tuple[int, int]) -> None:
    """Give what the executor may write to the ids it runs as; records stay ours."""
    uid, gid = owner
    for name in ("out", "assets", "tensorboard"):
        for root, folders, files in os.walk(folder / name):
            for each in (".", *folders, *files):
                os.chown(Path(root) / each, uid, gid, follow_symlinks=False)
