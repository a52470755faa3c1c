"""An executor that is a script of Python steps: one runs at each moment of a clock that costs no time."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from layerwright.harness.folders import Inputs
from layerwright.harness.sources import LoadedData
from layerwright.harness.watch import Clock
from layerwright.ymir.command import Launch, container_argv
from layerwright.ymir.dataset import Box, Dataset, Picture
from layerwright.ymir.reading import Answer

Step = Callable[["Work"], int | None]
"""What happens in a moment; a number is the exit status, and the end."""


@dataclass
class FakeTime:
    now: float = 1_000_000.0

    def clock(self) -> Clock:
        return Clock(now=lambda: self.now, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Work:
    """The container's side of the folders."""

    launch: Launch
    time: FakeTime
    log: Path

    @property
    def inputs(self) -> Path:
        return Path(self.launch.inputs)

    @property
    def outputs(self) -> Path:
        return Path(self.launch.outputs)

    def report(
        self, percent: float | str, state: int = 2, code: int = 0, *, time: float | None = None
    ) -> None:
        moment = self.time.now if time is None else time
        self.write("monitor.txt", f"{self.launch.name}\t{moment!r}\t{percent}\t{state}\t{code}\n")

    def write(self, name: str, text: str) -> None:
        file = self.outputs / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def curve(self) -> None:
        # One record, of an event with the scalar "a" (tests/unit/ymir/test_events.py says how it is made).
        value = b"\x0a\x01a\x15\x00\x00\x00\x3f"
        event = b"\x2a" + bytes([len(value) + 2]) + b"\x0a" + bytes([len(value)]) + value
        file = self.outputs / "tensorboard" / "events.out.tfevents.1"
        file.write_bytes(len(event).to_bytes(8, "little") + bytes(4) + event + bytes(4))

    def result(self, metric: Any = 0.5, *, files: Sequence[str] = ("a.pt",), **more: Any) -> None:
        self.write("models/a.pt", "weights")
        stage = {"stage_name": "s", "files": list(files), "timestamp": 5, "mAP": metric}
        document = {"model_stages": {"s": stage}, "best_stage_name": "s", **more}
        self.write("models/result.yaml", json.dumps(document))

    def say(self, text: str) -> None:
        with self.log.open("a", encoding="utf-8") as file:
            file.write(text)


@dataclass
class _Container:
    work: Work
    steps: Iterator[Step]
    status: int | None = None
    last: float = -1.0

    def poll(self) -> int | None:
        if self.status is None and self.work.time.now != self.last:
            self.last = self.work.time.now
            step = next(self.steps, None)
            self.status = 0 if step is None else step(self.work)
        return self.status

    def kill(self) -> None:
        self.status = 137 if self.status is None else self.status


@dataclass
class ScriptedStarter:
    """Starts the script; ``files`` are those of the image."""

    steps: Callable[[], Sequence[Step]]
    time: FakeTime
    files: Mapping[str, str] = field(default_factory=dict)
    engine: str = "docker"
    image: str = "app:1"
    read_only_inputs: bool = True
    launches: list[Launch] = field(default_factory=list)

    def cat(self, file: str) -> Answer:
        if file in self.files:
            return Answer(stdout=self.files[file].encode())
        return Answer(exit_code=1, stderr=f"cat: {file}: No such file or directory\n".encode())

    def command_line(self, launch: Launch) -> Sequence[str]:
        return container_argv(self.engine, launch)

    @contextmanager
    def start(self, launch: Launch, log: Path) -> Iterator[_Container]:
        self.launches.append(launch)
        yield _Container(Work(launch, self.time, log), iter(self.steps()))


def wait(moments: int) -> list[Step]:
    """Nothing happens for this many tenths of a second."""

    def nothing(_: Work) -> None:
        return None

    return [nothing] * moments


def picture(number: int, folder: Path) -> tuple[Picture, Path]:
    file = folder / f"{number}.jpg"
    folder.mkdir(parents=True, exist_ok=True)
    file.write_bytes(f"picture {number}".encode())
    import hashlib

    return (
        Picture(
            asset_id=hashlib.sha1(file.read_bytes()).hexdigest(),
            extension="jpg",
            width=8,
            height=8,
            boxes=(Box(class_name="cat", x=1, y=1, w=2, h=2),),
        ),
        file,
    )


def small_data(folder: Path, *, training: bool = True, count: int = 4) -> LoadedData:
    made = [picture(number, folder) for number in range(count)]
    pictures = tuple(one for one, _ in made)
    dataset = (
        Dataset(class_names=("cat",), training=pictures[1:], validation=pictures[:1])
        if training
        else Dataset(class_names=("cat",), candidates=pictures)
    )
    return LoadedData(dataset=dataset, files={one.asset_id: file for one, file in made})


def inputs(data: LoadedData, **changes: Any) -> Inputs:
    values: dict[str, Any] = {
        "task": "training",
        "task_id": "t0000001000002ebb7f11653630774",
        "image": "app:1",
        "image_name": "app",
        "engine": "docker",
        "form": {"export_format": "ark:raw", "epochs": 3, "lazy": False},
        "data": data,
        "created": 999_000.0,
        "user": (1000, 1000),
        **changes,
    }
    return Inputs(**values)
