"""The data set in the forms that training frameworks read (§2.5, §5.8)."""

from ymir_exc.dataset_convert.ymir2coco import convert_ymir_to_coco
from ymir_exc.dataset_convert.ymir2mmseg import (
    convert_rgb_to_label_id,
    convert_ymir_to_mmseg,
    find_blank_area_in_dataset,
    train_with_black_area_or_not,
)
from ymir_exc.dataset_convert.ymir2yolov5 import convert_ymir_to_yolov5

__all__ = [
    "convert_rgb_to_label_id",
    "convert_ymir_to_coco",
    "convert_ymir_to_mmseg",
    "convert_ymir_to_yolov5",
    "find_blank_area_in_dataset",
    "train_with_black_area_or_not",
]
