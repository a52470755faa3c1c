"""The work itself: `python work.py training`, `mining` or `infer`; start.py says which."""

import random
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from digits.dataset import DatasetError, read_examples
from digits.detector import DigitDetector, read_picture
from digits.evaluation import encode
from digits.training import Example, measure, train
from ymir_exc import dataset_reader, failures, mining, parameters, result_writer, settings, util
from ymir_exc.code import ExecutorReturnCode
from ymir_exc.env import DatasetType
from ymir_exc.result_writer import Annotation, Box
from ymir_exc.util import YmirStage

DETECTION, INSTANCES = 2, 4
IOU = 0.5


class TaskError(ValueError):
    """The task asks for what this executor does not do."""

    return_code = ExecutorReturnCode.RC_EXEC_OBJECT_TYPE_ERROR


class ModelError(ValueError):
    """There is no model, or one of another kind."""

    return_code = ExecutorReturnCode.RC_EXEC_MODEL_ERROR


def object_type(cfg: Any) -> int:
    """What is to be found: 2 boxes, 4 boxes with masks. Platforms before 2.4 do not say: boxes."""
    value = int(cfg.param.get("object_type") or DETECTION)
    if value not in (DETECTION, INSTANCES):
        raise TaskError(
            f"object_type is {value}: this executor does detection (2) and instance segmentation (4)"
        )
    return value


def seed_all(seed: int) -> None:
    """The same run twice gives the same model on the same machine."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - what libraries draw from
    torch.manual_seed(seed)


def start_model(cfg: Any, names: list[str], masks: bool) -> DigitDetector:
    """A new network, with the weights of the start model where they fit."""
    detector = DigitDetector.new(names, cfg.param.image_size, cfg.param.width, masks)
    for path in util.get_weight_files(cfg, ".pt"):
        old = DigitDetector.load(Path(path))
        mine = detector.net.state_dict()
        fitting = {
            name: value
            for name, value in old.net.state_dict().items()
            if name in mine
            and mine[name].shape == value.shape
            and (name[:8] != "classify" or old.names == detector.names)
        }
        detector.net.load_state_dict({**mine, **fitting})
        print(f"{len(fitting)} of {len(mine)} weights from {path}", flush=True)
        break
    return detector


def examples_of(cfg: Any, names: list[str], masks: bool) -> tuple[list[Example], list[Example]]:
    """What to train on and what to measure with."""
    form = str(cfg.param.get("export_format") or "")
    if masks and "coco" not in form.lower():
        raise parameters.ParameterError(f"export_format is {form!r}: masks need seg-coco:raw")
    training = read_examples(DatasetType.TRAINING, form, names)
    if not training:
        raise DatasetError("there is no training picture that can be read")
    validation = read_examples(DatasetType.VALIDATION, form, names) if cfg.ymir.input.val_index_file else []
    if not validation:
        validation = training[::10]
        kept = [example for number, example in enumerate(training) if number % 10]
        training = kept or training
        print(
            f"no validation picture: {len(validation)} of the training set are measured with instead",
            flush=True,
        )
    return training, validation


def run_training(cfg: Any) -> None:
    """Train; after each epoch write scalars, weights and result.yaml, so that a stop loses one epoch at most."""
    from torch.utils.tensorboard import SummaryWriter

    names = [str(name) for name in cfg.param.get("class_names") or []]
    if not names:
        raise DatasetError("class_names is empty")
    masks = object_type(cfg) == INSTANCES
    training, validation = examples_of(cfg, names, masks)
    detector = start_model(cfg, names, masks)
    util.write_ymir_monitor_process(cfg, "training", 1.0, YmirStage.PREPROCESS)
    print(f"{len(training)} pictures to train on, {len(validation)} to measure with", flush=True)

    models = Path(cfg.ymir.output.models_dir)
    models.mkdir(parents=True, exist_ok=True)
    main, best = ("mask_ap50", -1.0) if masks else ("ap50", -1.0)

    def progress(share: float) -> None:
        util.write_ymir_monitor_process(cfg, "training", min(1.0, share), YmirStage.TASK)

    with SummaryWriter(cfg.ymir.output.tensorboard_dir) as log:
        for epoch in train(
            detector,
            training,
            cfg.param.epochs,
            cfg.param.batch_size,
            cfg.param.learning_rate,
            cfg.param.seed,
            step_done=progress,
        ):
            quality = measure(detector, validation)
            for name, value in epoch.losses.items():
                log.add_scalar(f"loss/{name}", value, epoch.number)
            for name, value in quality.items():
                log.add_scalar(f"quality/{name}", value, epoch.number)
            log.add_scalar("learning rate", epoch.learning_rate, epoch.number)
            log.flush()
            metrics = {"mAP": quality["ap50"], "mAR": quality["recall"]}
            if masks:
                metrics = {"maskAP": quality.get("mask_ap50", 0.0), "boxAP": quality["ap50"]}
            now = int(time.time())
            # Of two stages with the same quality the newer one counts as the best.
            stages = {"last": now - 1}
            if quality.get(main, 0.0) > best:
                best = quality.get(main, 0.0)
                stages["best"] = now
            for stage, moment in stages.items():
                save(detector, models / f"{stage}.pt")
                result_writer.write_model_stage(
                    stage,
                    [f"{stage}.pt"],
                    metrics,
                    timestamp=moment,
                    evaluate_config={"iou_thr": IOU, "conf_thr": detector.threshold},
                )
            loss = sum(epoch.losses.values())
            told = "  ".join(f"{name} {value:.3f}" for name, value in quality.items())
            print(f"epoch {epoch.number:3d}  loss {loss:.4f}  {told}", flush=True)


def save(detector: DigitDetector, path: Path) -> None:
    """Write a model as a whole or not at all."""
    part = path.with_suffix(".part")
    detector.save(part)
    part.replace(path)


def load_model(cfg: Any, masks: bool) -> DigitDetector:
    """The model of a mining or infer task."""
    files = util.get_weight_files(cfg, ".pt") if cfg.param.get("model_params_path") else []
    if not files:
        raise ModelError("model_params_path names no .pt file that is there")
    detector = DigitDetector.load(Path(min(files)))
    if masks and not detector.net.masks:
        raise ModelError(f"{files[0]} was trained for detection and has no masks")
    detector.threshold = cfg.param.conf_thres
    return detector


def candidates() -> list[str]:
    """The pictures of a mining or infer task."""
    return [asset for asset, _ in dataset_reader.item_paths(DatasetType.CANDIDATE) if asset]


def numbers(text: str) -> tuple[float, ...]:
    """Numbers from `1.0, 2.5`."""
    try:
        return tuple(float(part) for part in str(text).replace(";", ",").split(",") if part.strip())
    except ValueError:
        raise parameters.ParameterError(
            f"class_distribution_scores is {text!r}, and numbers with commas are wanted"
        ) from None


def run_mining(cfg: Any) -> None:
    """Rank the candidates."""
    algorithm = cfg.param.mining_algorithm
    detector = load_model(cfg, masks=False)
    options = mining.Options(
        seed=cfg.param.seed,
        order=cfg.param.cald_order,
        without=cfg.param.cald_without,
        # A mirrored digit is another sign, or none.
        changes=("cut-out", "rotate", "resize"),
        class_weights=numbers(cfg.param.class_distribution_scores),
    )

    def progress(share: float) -> None:
        util.write_ymir_monitor_process(cfg, "mining", share, YmirStage.TASK)

    ranking = mining.mine(
        candidates(), read_picture, detector, algorithm, options, cfg.param.batch_size, progress
    )
    mining.write(ranking)
    print(f"{len(ranking)} pictures ranked by {algorithm}", flush=True)
    util.write_ymir_monitor_process(cfg, "mining", 1.0, YmirStage.POSTPROCESS)


def box_of(box: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, width and height in whole pixels; at least one wide and high."""
    x1, y1, x2, y2 = (round(float(value)) for value in box)
    return x1, y1, max(1, x2 - x1), max(1, y2 - y1)


def run_infer(cfg: Any) -> None:
    """Find digits on the candidates."""
    masks = object_type(cfg) == INSTANCES
    detector = load_model(cfg, masks)
    paths = candidates()
    boxes: dict[str, list[Annotation]] = {}
    document: dict[str, list[dict[str, Any]]] = {
        "images": [],
        "categories": [{"id": index, "name": name} for index, name in enumerate(detector.names)],
        "annotations": [],
    }
    step = cfg.param.batch_size
    for at in range(0, len(paths), step):
        pictures = [(path, read_picture(path)) for path in paths[at : at + step]]
        for path, picture in pictures:
            if picture is None:
                print(f"broken picture, nothing found on it: {path}", flush=True)
                boxes[path] = []
        good = [(path, picture) for path, picture in pictures if picture is not None]
        if good and masks:
            for (path, picture), (found, inks) in zip(
                good, detector.segment([picture for _, picture in good]), strict=True
            ):
                add_instances(document, Path(path).name, picture.shape, found, inks)
        elif good:
            for (path, _), found in zip(good, detector.detect([picture for _, picture in good]), strict=True):
                boxes[path] = [
                    Annotation(
                        class_name=detector.names[int(row.argmax())],
                        score=float(score),
                        box=Box(**dict(zip("xywh", box_of(box), strict=True))),
                    )
                    for box, score, row in zip(found.boxes, found.scores, found.probabilities, strict=True)
                ]
        util.write_ymir_monitor_process(cfg, "infer", min(1.0, (at + step) / len(paths)), YmirStage.TASK)
    if masks:
        result_writer.write_infer_result(document, algorithm="segmentation")
    else:
        result_writer.write_infer_result(boxes)
    print(f"{len(paths)} pictures done", flush=True)
    util.write_ymir_monitor_process(cfg, "infer", 1.0, YmirStage.POSTPROCESS)


def add_instances(
    document: dict[str, list[dict[str, Any]]],
    name: str,
    size: tuple[int, int],
    found: mining.Detections,
    inks: np.ndarray,
) -> None:
    """Add an image and its digits to a COCO document."""
    image = len(document["images"]) + 1
    document["images"].append({"id": image, "file_name": name, "height": int(size[0]), "width": int(size[1])})
    for box, score, row, ink in zip(found.boxes, found.scores, found.probabilities, inks, strict=True):
        if not ink.any():
            continue
        document["annotations"].append(
            {
                "id": len(document["annotations"]) + 1,
                "image_id": image,
                "category_id": int(row.argmax()),
                "bbox": list(box_of(box)),
                "area": int(ink.sum()),
                "segmentation": encode(ink),
                "iscrowd": 0,
                "confidence": float(score),
            }
        )


@failures.reporting()
def main() -> None:
    """Do one task."""
    settings.MONITOR_MONOTONIC = True
    settings.MONITOR_MIN_SECONDS = settings.MONITOR_MIN_SECONDS or 0.5
    cfg = parameters.get_typed_config()
    torch.set_num_threads(1)  # the network is so small that a second thread costs more than it brings
    seed_all(cfg.param.seed)
    {"training": run_training, "mining": run_mining, "infer": run_infer}[sys.argv[1]](cfg)


if __name__ == "__main__":
    main()
