"""Labelled pictures on disk → a dataset: COCO, VOC, YOLO, or a folder of pictures."""

import hashlib
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from layerwright.core.errors import UsageError
from layerwright.harness.classes import missing_classes
from layerwright.ymir.dataset import Box, Dataset, Picture
from layerwright.ymir.labels import YoloData, read_coco, read_voc, read_yolo, read_yolo_data
from layerwright.ymir.pictures import HEADER_BYTES, read_header
from layerwright.ymir.remarks import Remark

__all__ = ["DataForm", "DataSource", "LoadedData", "load_data"]

DataForm = Literal["auto", "coco", "voc", "yolo", "pictures"]

_SUFFIXES: Final = {".jpg": "jpg", ".jpeg": "jpg", ".png": "png", ".bmp": "bmp"}
_LARGEST_LABELS = 1 << 30
_CHUNK = 1 << 20


class DataSource(Struct, frozen=True, kw_only=True):
    """Where the pictures are.

    Attributes:
        path: a folder, a COCO document, or a ``data.yaml``.
        form: of the labels; ``auto`` looks.
        validation: where those for validation are, when they are apart; of the same form.
        validation_share: share of the pictures that is set apart when the data names none.
        class_names: their order, when it is not the data's own; labels of other classes are left out.
        limit: take the first so many pictures of each part; 0 for all.
    """

    path: Path
    form: DataForm = "auto"
    validation: Path | None = None
    validation_share: float = 0.2
    class_names: tuple[str, ...] = ()
    limit: int = 0


class LoadedData(Struct, frozen=True, kw_only=True):
    """A dataset, and where its bytes are.

    Attributes:
        dataset: pictures by their ids.
        files: by asset id.
        remarks: what was found on the way.
    """

    dataset: Dataset
    files: Mapping[str, Path]
    remarks: tuple[Remark, ...] = ()


class _Part(Struct, frozen=True, kw_only=True):
    """Pictures of one place: the boxes of each by its file, in order, and the part of the data it belongs to."""

    class_names: tuple[str, ...]
    boxes: Mapping[Path, tuple[Box, ...]]
    parts: Mapping[Path, str]


def load_data(source: DataSource, *, training: bool) -> LoadedData:
    """Read labels and pictures.

    Args:
        source: where they are.
        training: split them into training and validation; otherwise all are candidates.

    Raises:
        UsageError: there are none, or labels cannot be read.
    """
    part = _read(source.path, source.form)
    validation = _read(source.validation, source.form) if source.validation is not None else None
    own = _merged(part.class_names, validation.class_names if validation else ())
    names = source.class_names or own
    if training and not names and (below := _labels_below(source)):
        raise UsageError(
            f"there are no labels in {source.path}, and some in {below.name}",
            hint=f"name that folder: --data {shlex.quote(str(below))}",
        )
    reader = _Reader(names)
    reader.remarks.extend(missing_classes(str(source.path), source.class_names, own, training=training))
    groups: dict[str, list[Picture]] = {"train": [], "val": [], "test": [], "": []}
    for file, boxes in part.boxes.items():
        groups[part.parts.get(file, "")].append(reader.picture(file, boxes))
    if validation is not None:
        groups["val"] = [reader.picture(file, boxes) for file, boxes in validation.boxes.items()]
    unique = {name: _once(pictures) for name, pictures in groups.items()}
    if source.limit:
        unique = {name: pictures[: source.limit] for name, pictures in unique.items()}
    dataset = _split(names, unique, source.validation_share) if training else _candidates(names, unique)
    if not dataset.pictures:
        raise UsageError(
            f"there is no picture in {source.path}",
            hint="pictures are files ending in .jpg, .jpeg, .png or .bmp",
        )
    return LoadedData(dataset=dataset, files=reader.files, remarks=tuple(reader.remarks))


def _merged(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))


def _once(pictures: Sequence[Picture]) -> tuple[Picture, ...]:
    """Each asset once: the platform knows pictures by their bytes."""
    found: dict[str, Picture] = {}
    for one in pictures:
        found.setdefault(one.asset_id, one)
    return tuple(found.values())


def _candidates(names: tuple[str, ...], groups: Mapping[str, Sequence[Picture]]) -> Dataset:
    every = _once([one for pictures in groups.values() for one in pictures])
    return Dataset(class_names=names, candidates=every)


def _split(names: tuple[str, ...], groups: Mapping[str, Sequence[Picture]], share: float) -> Dataset:
    training, validation = [*groups["train"], *groups[""]], list(groups["val"])
    if not validation and len(training) > 1:
        # By the bytes of the pictures, so that the same data is always split alike.
        ordered = sorted(one.asset_id for one in training)
        apart = frozenset(ordered[: max(1, round(len(ordered) * share))]) if share > 0 else frozenset[str]()
        validation = [one for one in training if one.asset_id in apart]
        training = [one for one in training if one.asset_id not in apart]
    return Dataset(
        class_names=names,
        training=tuple(training),
        validation=tuple(validation),
        test=tuple(groups["test"]),
    )


class _Reader:
    def __init__(self, class_names: Sequence[str]) -> None:
        self.known = frozenset(class_names)
        self.files: dict[str, Path] = {}
        self.remarks: list[Remark] = []

    def picture(self, file: Path, boxes: Sequence[Box]) -> Picture:
        try:
            identifier, head = _hash(file)
        except OSError as error:
            raise UsageError(
                f"cannot read {file}: {error.strerror}", hint="labels name it; put it there"
            ) from error
        header = read_header(head)
        if header is None:
            self.remarks.append(
                Remark(
                    outcome="fine",
                    rule="2.6",
                    file=str(file),
                    message="it cannot be read as a picture; the platform does not look, and hands it on",
                )
            )
        self.files.setdefault(identifier, file)
        return Picture(
            asset_id=identifier,
            extension=header.extension if header else _SUFFIXES.get(file.suffix.lower(), "jpg"),
            width=header.width if header else 0,
            height=header.height if header else 0,
            depth=header.depth if header else 3,
            boxes=tuple(box for box in boxes if not self.known or box.class_name in self.known),
            source=str(file),
        )


def _hash(file: Path) -> tuple[str, bytes]:
    digest, head = hashlib.sha1(usedforsecurity=False), b""
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            if len(head) < HEADER_BYTES:
                head += chunk[: HEADER_BYTES - len(head)]
    return digest.hexdigest(), head


def _read(path: Path, form: DataForm) -> _Part:
    if not path.exists():
        raise UsageError(
            f"{path} does not exist", hint="--data names a folder, a COCO document or a data.yaml"
        )
    chosen = _look(path) if form == "auto" else form
    match chosen:
        case "coco":
            return _coco(path)
        case "voc":
            return _voc(path)
        case "yolo":
            return _yolo(path)
        case _:
            if not path.is_dir():
                raise UsageError(
                    f"{path} is no folder of pictures", hint="name the folder, or say the --format"
                )
            files = sorted(_pictures(path))
            return _Part(class_names=(), boxes=dict.fromkeys(files, ()), parts={})


def _look(path: Path) -> DataForm:
    """The form of the data by its files."""
    if path.suffix.lower() == ".json":
        return "coco"
    if path.suffix.lower() in {".yaml", ".yml"}:
        return "yolo"
    if _yolo_file(path) is not None or (path / "labels").is_dir() or (path / "classes.txt").is_file():
        return "yolo"
    if (path / "Annotations").is_dir() or any(path.glob("*.xml")):
        return "voc"
    return "coco" if _coco_files(path) else "pictures"


def _labels_below(source: DataSource) -> Path | None:
    """The first folder in the one that was named that has labels; None when it has some itself, or none has."""
    if source.form != "auto" or not source.path.is_dir():
        return None
    folders = (one for one in sorted(source.path.iterdir()) if one.is_dir())
    return next((one for one in folders if _look(one) != "pictures"), None)


def _pictures(folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder, followlinks=True):
        for name in names:
            if Path(name).suffix.lower() in _SUFFIXES:
                yield Path(root) / name


def _text(file: Path) -> bytes:
    try:
        if file.stat().st_size > _LARGEST_LABELS:
            raise UsageError(
                f"{file} is larger than 1 GiB", hint="take a part of the data: small data shows as much"
            )
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error


def _coco_files(folder: Path) -> tuple[Path, ...]:
    """COCO documents of a folder: beside the pictures, or in ``annotations`` as COCO's own archive has them."""
    found = sorted([*folder.glob("*.json"), *folder.glob("annotations/*.json")])
    # COCO's own archive has key points and captions of the same pictures beside them.
    found = [file for file in found if file.name.startswith("instances_")] or found
    return tuple(file for file in found if b'"categories"' in _text(file) and b'"images"' in _text(file))


def _coco(path: Path) -> _Part:
    files = (path,) if path.is_file() else _coco_files(path)
    if not files:
        raise UsageError(f"there is no COCO document in {path}", hint="name the JSON file itself")
    names: tuple[str, ...] = ()
    boxes: dict[Path, tuple[Box, ...]] = {}
    parts: dict[Path, str] = {}
    for file in files:
        labels = read_coco(_text(file), str(file))
        names = _merged(names, labels.class_names)
        folders = _picture_folders(file)
        for name, found in labels.boxes.items():
            place = _find(name, folders)
            if place is None:
                raise UsageError(
                    f"{file} names the picture {name}, which is not in {', '.join(str(one) for one in folders[:4])}",
                    hint="put the pictures beside the document, or into a folder `images` there",
                )
            boxes[place] = found
            parts[place] = _part_of(file.stem) if len(files) > 1 else ""
    return _Part(class_names=names, boxes=boxes, parts=parts)


def _picture_folders(file: Path) -> tuple[Path, ...]:
    root = file.parent
    above = root.parent
    suffix = file.stem.removeprefix("instances_")
    names = ("", "images", suffix, f"images/{suffix}", "JPEGImages")
    return tuple(dict.fromkeys([*(root / name for name in names), *(above / name for name in names)]))


def _find(name: str, folders: Sequence[Path]) -> Path | None:
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def _part_of(name: str) -> str:
    """The part of the data that a name speaks of."""
    words = name.lower().replace("-", "_").split("_")
    for part, known in (
        ("val", ("val", "valid", "validation")),
        ("test", ("test",)),
        ("train", ("train", "training")),
    ):
        if any(word.rstrip("0123456789") in known for word in words):
            return part
    return ""


def _voc(path: Path) -> _Part:
    if not path.is_dir():
        raise UsageError(f"{path} is no folder of VOC files", hint="name the folder that holds Annotations")
    annotations = path / "Annotations" if (path / "Annotations").is_dir() else path
    folders = (path / "JPEGImages", path / "images", path, annotations)
    boxes: dict[Path, tuple[Box, ...]] = {}
    stems: dict[str, Path] = {}
    for file in sorted(annotations.rglob("*.xml")):
        name, found = read_voc(_text(file), str(file))
        candidates = [*([Path(name).name] if name else []), *(f"{file.stem}{suffix}" for suffix in _SUFFIXES)]
        place = next((one for one in (_find(each, folders) for each in candidates) if one is not None), None)
        if place is None:
            raise UsageError(
                f"{file} is of the picture {name or file.stem}, which is not in "
                f"{', '.join(str(one) for one in folders[:3])}",
                hint="put the pictures into JPEGImages",
            )
        boxes[place] = found
        stems[file.stem] = place
    if not boxes:
        raise UsageError(
            f"there is no file of VOC labels in {annotations}: none ends in .xml",
            hint="name the folder that holds Annotations, or another --format",
        )
    parts = {}
    for part in ("train", "val", "test"):
        listed = path / "ImageSets" / "Main" / f"{part}.txt"
        if listed.is_file():
            for line in _text(listed).decode(errors="replace").split():
                if line in stems:
                    parts[stems[line]] = part
    names = sorted({box.class_name for found in boxes.values() for box in found})
    return _Part(class_names=tuple(names), boxes=boxes, parts=parts)


def _yolo_file(folder: Path) -> Path | None:
    for name in ("data.yaml", "data.yml", "dataset.yaml"):
        if (folder / name).is_file():
            return folder / name
    return None


def _yolo(path: Path) -> _Part:
    described = path if path.is_file() else _yolo_file(path)
    if described is not None:
        data = read_yolo_data(_text(described).decode(errors="replace"), str(described))
        root = described.parent
    else:
        data, root = _bare_yolo(path)
    boxes: dict[Path, tuple[Box, ...]] = {}
    parts: dict[Path, str] = {}
    base = (root / data.root) if data.root and (root / data.root).is_dir() else root
    listed = {part: _yolo_pictures(base, text) for part, text in data.parts.items()}
    if not any(listed.values()):
        listed = {"": sorted(_pictures(base))}
    for part, files in listed.items():
        for file in files:
            parts[file] = part
            boxes[file] = _yolo_boxes(file, data.class_names)
    return _Part(class_names=data.class_names, boxes=boxes, parts=parts)


def _bare_yolo(path: Path) -> tuple[YoloData, Path]:
    classes = next(
        (path / name for name in ("classes.txt", "labels/classes.txt") if (path / name).is_file()), None
    )
    if classes is None:
        raise UsageError(
            f"{path} has YOLO labels and nothing names their classes",
            hint="write classes.txt, one name a line, or a data.yaml with `names`",
        )
    names = [line.strip() for line in _text(classes).decode(errors="replace").splitlines() if line.strip()]
    parts = {part: f"images/{part}" for part in ("train", "val", "test") if (path / "images" / part).is_dir()}
    return YoloData(class_names=tuple(names), parts=parts), path


def _yolo_pictures(base: Path, text: str) -> list[Path]:
    place = base / text
    if place.is_dir():
        return sorted(_pictures(place))
    if place.suffix == ".txt" and place.is_file():
        lines = [line.strip() for line in _text(place).decode(errors="replace").splitlines()]
        found = [
            next((one for one in (base / line, place.parent / line) if one.is_file()), base / line)
            for line in lines
            if line
        ]
        return list(dict.fromkeys(found))
    raise UsageError(
        f"{place} is neither a folder of pictures nor a list of them", hint="mend `path` in data.yaml"
    )


def _yolo_boxes(file: Path, class_names: Sequence[str]) -> tuple[Box, ...]:
    """The labels beside a picture, or in ``labels`` where the picture is in ``images``; none for a bare picture."""
    parts = list(file.parts)
    places = [file.with_suffix(".txt")]
    for place in range(len(parts) - 2, -1, -1):
        if parts[place] == "images":
            places.insert(0, Path(*parts[:place], "labels", *parts[place + 1 :]).with_suffix(".txt"))
            break
    labels = next((one for one in places if one.is_file()), None)
    if labels is None:
        return ()
    with file.open("rb") as stream:
        header = read_header(stream.read(HEADER_BYTES))
    if header is None:
        return ()
    return read_yolo(
        _text(labels).decode(errors="replace"),
        str(labels),
        class_names=class_names,
        width=header.width,
        height=header.height,
    )
