"""Rows F02, F03, F05, F07 to F11, B04, B05: ways of getting it wrong. Each is told by its name, and no engine is asked.

The engine is a stand-in that notes every call: a program ``docker`` on the path, and a socket at ``DOCKER_HOST``.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.command import Command, Done
from support.musa_sources import commit_all, git

TOOLKIT = "https://example.org/qy1/musa_toolkits_dev1.5.1-qy1.tar.gz"
MUDNN = "https://example.org/qy1/mudnn_rtm2.3.0-qy1.tar"
MCCL = "https://example.org/qy1/mccl_dev1.3.0.tar"
TORCH = "https://example.org/torch-2.0.0-cp38-cp38-linux_x86_64.whl"
TORCH_MUSA = "https://example.org/torch_musa-1.1.0-cp38-cp38-linux_x86_64.whl"
DEV = {
    "-n": "dev", "-b": "base:1", "-f": "docker/ubuntu/dockerfile.dev", "-m": TOOLKIT, "--mudnn_url": MUDNN,
    "--mccl_url": MCCL,
}  # fmt: skip
RELEASE = {
    **DEV, "-n": "release", "-b": "ubuntu:20.04", "-f": "dockerfile.release", "-v": "3.8", "--torch_whl_url": TORCH,
    "--torch_musa_whl_url": TORCH_MUSA, "--release": None,
}  # fmt: skip
BASE = {"-n": "base"}
ALL = {
    "-t": "1", "-m": TOOLKIT, "--mudnn_url": MUDNN, "--mccl_url": MCCL, "--whl_url": "https://example.org/wheels",
    "--torch_musa_version": "1.1.0",
}  # fmt: skip
SCRIPTS = {"build-base": BASE, "build": DEV, "release": RELEASE, "build-all": ALL}


@dataclass
class StandIn:
    """An engine that only notes that it was asked."""

    command: Command
    program: Path
    asked: list[str] = field(default_factory=list)

    def __call__(self, *words: str | Path, status: int | None = 2, **variables: str) -> Done:
        return self.command.with_variables(**variables)("musa", *words, status=status)

    def was_asked(self) -> bool:
        return bool(self.asked) or self.program.exists()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[StandIn]:
    for folder in ("bin", "home", "work"):
        (tmp_path / folder).mkdir()
    note = tmp_path / "calls"
    for name in ("docker", "podman"):
        program = tmp_path / "bin" / name
        program.write_text(f'#!/bin/sh\necho "$0 $*" >> {note}\nexit 1\n', encoding="utf-8")
        program.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "engine.sock"))
        listener.listen()
        command = Command(
            folder=tmp_path / "work",
            store=tmp_path / "store",
            home=tmp_path / "home",
            variables={
                "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin",
                "DOCKER_HOST": f"unix://{tmp_path / 'engine.sock'}",
                # Nothing of the network is needed to find a mistake.
                "LAYERWRIGHT_OFFLINE": "1",
            },
        )
        found = StandIn(command=command, program=note)

        def listen() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                found.asked.append("connected")
                connection.close()

        threading.Thread(target=listen, daemon=True).start()
        yield found


def changed(script: str, *, without: tuple[str, ...] = (), **more: str | None) -> list[str]:
    """A right command line with some options taken out or other values; ``mccl_url`` for ``--mccl_url``."""
    options = {name: value for name, value in SCRIPTS[script].items() if name not in without}
    options |= {f"-{name}" if len(name) == 1 else f"--{name}": value for name, value in more.items()}
    words = ["build" if script == "release" else script]
    for name, value in options.items():
        words += [name] if value is None else [name, value]
    return words


Way = tuple[list[str], str, str]
"""A command line, how its error begins, and a part of its hint."""

MISSING: dict[str, Way] = {
    "no name": (changed("build", without=("-n",)), "-n/--name is missing", "-n my_image"),
    "the script's own NULL": (changed("build", n="NULL"), "-n/--name is no name of an image: 'NULL'", "lower case"),
    "a tag in the name": (changed("build", n="dev:1"), "-n/--name holds a tag: dev:1", "-n dev -t 1"),
    "no base": (changed("build", without=("-b",)), "-b/--base_img is missing", "build-base"),
    "an empty base": (changed("build", b=""), "-b/--base_img is empty", "build-base"),
    "a base without a tag": (changed("release", b="ubuntu"), "-b/--base_img is no image to start from", "ubuntu:20.04"),
    "no file": (changed("build", without=("-f",)), "-f/--docker_file is missing", "dockerfile.dev"),
    "a file of one's own": (changed("build", f="my.dockerfile"), "-f/--docker_file names my.dockerfile", "init --from"),
    "a tag that is none": (changed("build", t="a b"), "-t/--tag is no tag: 'a b'", "128"),
}  # fmt: skip
ADDRESSES: dict[str, Way] = {
    "no toolkit": (changed("build", without=("-m",)), "-m/--musa_toolkits_url is missing", "address"),
    "an empty muDNN": (changed("build", mudnn_url=""), "--mudnn_url is empty", "variable that is not set"),
    "no MCCL": (changed("build", without=("--mccl_url",)), "--mccl_url is missing", "--without mccl"),
    "an empty MCCL": (changed("build", mccl_url=""), "--mccl_url is empty", "--without mccl"),
    "an MCCL that was not set, and another option": (
        ["build", "-n", "dev", "--mccl_url", "--torch_whl_url", TORCH],
        "--mccl_url has no value: --torch_whl_url follows it",
        "--without mccl",
    ),
    "MCCL and none": ([*changed("build"), "--without", "mccl"], "--mccl_url is given, and", "leave one"),
    "without the toolkit": (
        [*changed("build", without=("-m",)), "--without", "musa_toolkit"],
        "--without names 'musa_toolkit'",
        "every GPU",
    ),
    "an archive over http": (
        changed("build", mudnn_url="http://example.org/mudnn-qy1.tar"),
        "--mudnn_url would come over http",
        "--insecure_http example.org",
    ),
    "an address without a scheme": (
        changed("build", m="oss.example.org/a/musa_toolkits-qy1.tar.gz"),
        "-m/--musa_toolkits_url has no scheme",
        "https://oss.example.org/a/musa_toolkits-qy1.tar.gz",
    ),
    "addresses that have changed places": (
        changed("build", m=MUDNN),
        "-m/--musa_toolkits_url names mudnn_rtm2.3.0-qy1.tar, which is an archive of muDNN",
        "changed places",
    ),
    "a password in an address": (
        changed("build", mccl_url="https://me:secret@example.org/mccl-qy1.tar"),
        "--mccl_url holds an account: https://****@example.org/mccl-qy1.tar",
        "netrc",
    ),
    "a digest that is none": (changed("build", mccl_url=f"{MCCL}#sha256=12"), "--mccl_url ends in 'sha256=12'", "64"),
    "a blank in an address": (changed("build", mccl_url=f"{MCCL} "), "--mccl_url holds a blank", "take the blank out"),
}  # fmt: skip
WHEELS: dict[str, Way] = {
    "no wheel of torch_musa": (
        changed("release", without=("--torch_musa_whl_url",)), "--torch_musa_whl_url is missing", "wheel",
    ),
    "a wheel for another Python": (
        changed("release", v="3.9"),
        "--torch_whl_url names a wheel for cp38, and -v/--python_version is 3.9",
        "cp39",
    ),
    "a wheel for another machine": (
        changed("release", torch_whl_url="https://example.org/torch-2.0.0-cp38-cp38-win_amd64.whl"),
        "--torch_whl_url names a wheel for win_amd64",
        "linux_x86_64",
    ),
    "a wheel of another package": (
        changed("release", torch_whl_url=TORCH_MUSA), "--torch_whl_url names a wheel of torch-musa", "wheel of torch",
    ),
    "a file that is no wheel": (
        changed("release", torch_whl_url="https://example.org/torch.whl"),
        "--torch_whl_url names torch.whl, which is no wheel",
        "torch-2.0.0-cp38-cp38-linux_x86_64.whl",
    ),
    "wheels in a development image": (
        changed("build", torch_whl_url=TORCH), "--torch_whl_url is for release images", "dockerfile.release",
    ),
}  # fmt: skip
PYTHONS: dict[str, Way] = {
    "a Python that nobody has": (changed("build-base", v="3.7"), "-v/--python_version is 3.7", "give one of these"),
    "a Python without its dot": (changed("build-base", v="310"), "-v/--python_version is no version", "write 3.10"),
    "the slip of the scripts' parsers": (
        [*changed("build-base"), "--python_verison", "3.8"], "--python_verison is a slip", "-v/--python_version",
    ),
}  # fmt: skip
SYSTEMS: dict[str, Way] = {
    "CentOS": (changed("build-base", s="centos:7"), "-s/--sys is centos:7, and only Ubuntu", "ubuntu:20.04"),
    "CentOS below a release image": (changed("release", b="centos:7"), "-b/--base_img is centos:7", "ubuntu:20.04"),
    "an Ubuntu that is not supported": (changed("build-base", s="ubuntu:18.04"), "-s/--sys is ubuntu:18.04", "20.04"),
}  # fmt: skip
SWITCH: dict[str, Way] = {
    "the switch against the file": (
        [*changed("build"), "--release"], "-r/--release contradicts -f/--docker_file", "leave --release out",
    ),
    "the file without the switch": (
        changed("release", without=("--release",)),
        "-f/--docker_file names dockerfile.release, and -r/--release is missing",
        "add --release",
    ),
}  # fmt: skip
PAIRS: dict[str, Way] = {
    "a torchvision for another PyTorch": (
        changed("build", vision_tag="v0.16.0"),
        "--vision_tag is v0.16.0, which needs torch 2.1.0, and --pytorch_tag is v2.0.0",
        "v0.15.2",
    ),
    "another PyTorch than torch_musa's": (
        changed("build", torch_musa_tag="v1.3.0"),
        "--torch_musa_tag is v1.3.0, which is for PyTorch v2.2.0, and --pytorch_tag is v2.0.0",
        "--pytorch_tag v2.2.0",
    ),
    "a torch_musa for another torch": (
        changed("release", torch_musa_whl_url=TORCH_MUSA.replace("1.1.0", "1.3.0")),
        "--torch_musa_whl_url is torch_musa 1.3.0, which was made for torch 2.2.0, and --torch_whl_url is torch 2.0.0",
        "--unpaired",
    ),
}  # fmt: skip
GPUS: dict[str, Way] = {
    "a GPU that nobody knows": (changed("build", gpu_arch="qy9"), "--gpu_arch is 'qy9', which is not known", "doctor"),
    "archives for two GPUs": (
        changed("build", mudnn_url=MUDNN.replace("qy1", "qy2")),
        "--mudnn_url is for qy2, and -m/--musa_toolkits_url is for qy1",
        "archives for one GPU",
    ),
    "archives for another GPU": (
        changed("build", gpu_arch="S4000"), "-m/--musa_toolkits_url is for qy1, and --gpu_arch is qy2", "qy2",
    ),
}  # fmt: skip
ALL_OF_THEM: dict[str, Way] = {
    "a folder of wheels without a scheme": (
        changed("build-all", whl_url="oss.example.org/daily/whl"), "--whl_url has no scheme", "https://oss.example.org",
    ),
    "a Python that torch_musa is not for": (
        changed("build-all", versions="3.12"), "--versions names 3.12, and torch_musa dev1.5.1 is for 3.8", "leave",
    ),
    "no definition": (
        ["build-all", "--definition", "none.toml"], "--definition: there is no file none.toml", "template",
    ),
}  # fmt: skip
WORDS: dict[str, Way] = {
    "an option that there is not": (
        [*changed("build"), "--base_image", "x"], "there is no option --base_image", "--base_img",
    ),
    "a word that nothing takes": ([*changed("build"), "extra"], "nothing takes the word 'extra'", "quote"),
    "a value twice": ([*changed("build"), "-n", "other"], "-n/--name is given twice, as 'dev' and as 'other'", "leave"),
    "an engine that there is not": (changed("build", backend="lxc"), "--backend is 'lxc'", "docker, podman, native"),
}  # fmt: skip


def check(engine: StandIn, way: Way) -> None:
    """One line that names the field, one that says where, one with the mend; nothing was done, and nobody was asked."""
    words, what, mend = way
    done = engine(*words)
    assert done.out == ""
    lines = done.err.splitlines()
    assert lines[0].startswith(f"error: {what}"), done
    assert [line[: line.find(":") + 1] for line in lines[::3]] == ["error:"] * (len(lines) // 3), done
    assert lines[1].startswith("  --> command line ["), done
    assert lines[2].startswith("hint: "), done
    assert mend in lines[2], done
    assert not engine.was_asked()
    assert not (engine.command.folder / "tmp").exists()
    assert "secret" not in done.err


@pytest.mark.parametrize("way", MISSING)
def test_f02_what_is_missing_or_empty_is_named(engine: StandIn, way: str) -> None:
    check(engine, MISSING[way])


@pytest.mark.parametrize("way", ADDRESSES)
def test_f07_addresses_are_looked_at_first(engine: StandIn, way: str) -> None:
    check(engine, ADDRESSES[way])


@pytest.mark.parametrize("way", WHEELS)
def test_f08_names_of_wheels_are_looked_at_first(engine: StandIn, way: str) -> None:
    check(engine, WHEELS[way])


@pytest.mark.parametrize("way", PYTHONS)
def test_f09_pythons_that_are_not_there_are_told(engine: StandIn, way: str) -> None:
    check(engine, PYTHONS[way])


@pytest.mark.parametrize("way", SYSTEMS)
def test_f10_other_systems_are_refused_with_those_that_are_supported(engine: StandIn, way: str) -> None:
    check(engine, SYSTEMS[way])


@pytest.mark.parametrize("way", SWITCH)
def test_f11_the_switch_and_the_file_agree(engine: StandIn, way: str) -> None:
    check(engine, SWITCH[way])


@pytest.mark.parametrize("way", PAIRS)
def test_b04_b05_releases_go_together(engine: StandIn, way: str) -> None:
    check(engine, PAIRS[way])


@pytest.mark.parametrize("way", GPUS)
def test_f18_archives_are_for_the_gpu(engine: StandIn, way: str) -> None:
    check(engine, GPUS[way])


@pytest.mark.parametrize("way", ALL_OF_THEM)
def test_f13_values_of_all_variants_are_looked_at_first(engine: StandIn, way: str) -> None:
    check(engine, ALL_OF_THEM[way])


@pytest.mark.parametrize("way", WORDS)
def test_f01_words_of_a_command_line_are_known(engine: StandIn, way: str) -> None:
    check(engine, WORDS[way])


def test_f02_everything_that_is_missing_is_named_at_once(engine: StandIn) -> None:
    done = engine("build")
    told = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert [line.split()[1] for line in told] == [
        "-n/--name", "-f/--docker_file", "-b/--base_img", "-m/--musa_toolkits_url", "--mudnn_url", "--mccl_url",
    ]  # fmt: skip
    document = engine("build", "--json").json()
    assert [problem["where"]["key"] for problem in document["error"]["problems"]][:2] == [
        "--name",
        "--docker_file",
    ]
    assert not engine.was_asked()


@pytest.mark.parametrize("what", ["changed", "at another commit", "no checkout"])
def test_f03_a_checkout_that_is_not_the_one_is_refused_before_an_engine_is_asked(
    engine: StandIn, tmp_path: Path, what: str
) -> None:
    clone = tmp_path / "roots" / "pytorch"
    clone.mkdir(parents=True)
    makers: dict[str, Callable[[], object]] = {
        "changed": lambda: (clone / "setup.py").write_text("other"),
        "at another commit": lambda: ((clone / "more").write_text("more"), commit_all(clone, "more")),
        "no checkout": lambda: (clone / ".git").rename(tmp_path / "away"),
    }
    git(clone, "init", "--quiet", "--initial-branch=main")
    (clone / "setup.py").write_text("", encoding="utf-8")
    commit_all(clone, "v2.0.0")
    git(clone, "tag", "v2.0.0")
    makers[what]()
    done = engine("build-base", "-n", "base", PYTORCH_REPO_ROOT_PATH=str(tmp_path / "roots"))
    told = {
        "changed": "has changes: setup.py",
        "at another commit": "is at ",
        "no checkout": "is no git checkout",
    }
    assert done.err.startswith(f"error: PYTORCH_REPO_ROOT_PATH: {clone} {told[what]}")
    assert "--> environment [PYTORCH_REPO_ROOT_PATH]" in done.err
    assert "hint: " in done.err
    assert not engine.was_asked()


def test_f05_a_build_folder_that_is_a_file_is_refused(engine: StandIn, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    done = engine("build-base", "-n", "base", DOCKER_BUILD_DIR=str(tmp_path / "file"))
    assert "error: DOCKER_BUILD_DIR names" in done.err
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"
    assert not engine.was_asked()


def test_f14_mistakes_in_a_definition_point_at_their_lines(engine: StandIn) -> None:
    (engine.command.folder / "build_all.toml").write_text(
        f'tag = "1"\nmusa_toolkits_url = "{TOOLKIT}"\nmudnn_url = ""\nmccl_url = "{MCCL}"\n'
        'whl_url = "https://example.org/w"\ntorch_musa_version = "1.1.0"\n',
        encoding="utf-8",
    )
    done = engine("build-all")
    assert done.err.startswith("error: mudnn_url is empty\n  --> build_all.toml:3")
    (engine.command.folder / "build_all.toml").write_text('TAG = "1"\n', encoding="utf-8")
    assert "build-all has no value 'TAG'" in engine("build-all").err
    assert "did you mean 'tag'?" in engine("build-all").err
    assert not engine.was_asked()


def test_the_stand_in_notes_a_right_command_line(engine: StandIn) -> None:
    """What all of the above rests on: where nothing is wrong, the engine is asked."""
    done = engine("build-base", "-n", "base", status=None)
    assert done.status == 5, done
    assert engine.was_asked()
