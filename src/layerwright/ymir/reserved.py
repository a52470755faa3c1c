"""Keys of a configuration that mean something to the platform (YMIR 2.0 to 2.5)."""

import re
from typing import Final

__all__ = ["ANNOTATIONS", "PLATFORM_KEYS", "platform_key", "shape_fault"]

PLATFORM_KEYS: Final = {
    "gpu_id": "the platform sets it to the numbers of the GPUs that the container sees",
    "gpu_count": "the form asks for it on its own",
    "task_id": "the platform sets it",
    "class_names": "the platform sets it from the project or the model",
    "object_type": "the platform sets it to the project's",
    "pretrained_model_params": "the platform sets it to the files of the start model, or takes it away",
    "model_params_path": "the platform sets it to the files of the model",
    "run_infer": "the platform sets it",
    "run_mining": "the platform sets it",
    "git_url": "the form of images with live code sets it",
    "git_branch": "the form of images with live code sets it",
    "code_config": "the form of images with live code sets it",
    "prompt": "the inference form of release 2.5 sets it",
    "text_prompt": "the web hides it",
}
"""Key → who sets it."""

ANNOTATIONS: Final = ("ark", "det-ark", "voc", "det-voc", "seg-coco", "coco", "none")
"""Annotation parts of ``export_format`` that YMIR 2.5 writes."""

_SIZE: Final = re.compile(r"[1-9][0-9]*[bkmgBKMG]")


def platform_key(key: str) -> str:
    """Who sets the key, when the platform does; else empty."""
    if key.startswith("openpai_"):
        return "the platform and its form set it"
    return PLATFORM_KEYS.get(key, "")


def shape_fault(key: str, value: object) -> tuple[str, str]:
    """What is wrong with the value of a key that an image may set but the platform reads, and how to mend it."""
    match key, value:
        case "shm_size", str() if _SIZE.fullmatch(value.strip()):
            return "", ""
        case "shm_size", _:
            what = f"{value!r} is no size with a unit; Docker takes a bare number for bytes"
            return what, "write it with a unit, such as 16G"
        case "export_format", "" | None:
            return "", ""
        case "export_format", str():
            annotation, colon, asset = value.lower().partition(":")
            if not colon or ":" in asset:
                return (
                    f"{value!r} is not ANNOTATION:ASSET, and the task ends with 169999",
                    'such as "ark:raw"',
                )
            if asset != "raw":
                return f"its asset part {asset!r} is none that the platform writes", f'"{annotation}:raw"'
            if annotation not in ANNOTATIONS:
                what = f"its annotation part {annotation!r} is not known: all index files will be empty"
                return what, f"one of {', '.join(ANNOTATIONS)}"
            return "", ""
        case "export_format", _:
            return f"{value!r} is not ANNOTATION:ASSET", 'such as "ark:raw"'
        case _:
            return "", ""
