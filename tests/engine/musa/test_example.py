"""examples/musa as it stands, but for what this machine cannot have: its development image, from stand-ins.

Replaced are the system (Debian for Ubuntu, with a compiler in place of the documented toolchain), addresses, tags of
the small repositories, and the packages of requirements.txt. Sources, components, commands, tests, places stay.
"""

import re
from pathlib import Path

import pytest

from support import musa
from support.index import Index
from support.musa_sources import BASE, Workplace

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

EXAMPLE = Path(__file__).parents[3] / "examples" / "musa" / "layerwright.toml"
TAGS = {"v2.2.0": "v2.0.0", "v0.17.2": "v0.15.2", "v2.2.2": "v2.0.1", "v1.3.0": "v1.2.1"}


@pytest.fixture
def example(compiling: Workplace, index: Index) -> Workplace:
    text = EXAMPLE.read_text(encoding="utf-8")
    text = text[: text.index("[images.release]")]
    text = text.replace('from = "ubuntu:22.04"', 'from = "debian:bookworm"')
    text = text.replace('python = "3.10"', 'python = "3.11"').replace('timezone = "Asia/Shanghai"\n', "")
    (apt,) = re.findall(r"^apt = .*$", BASE, re.MULTILINE)
    text, count = re.subn(r"apt = \[\n.*?\n\]", apt, text, flags=re.DOTALL)
    assert count == 1
    text, count = re.subn(r"^packages = \[.*?\]\n", "", text, flags=re.DOTALL | re.MULTILINE)
    assert count == 2
    for name in ("pytorch", "vision", "audio", "torch_musa"):
        text, count = re.subn(
            rf'(\[sources\.{name}\]\ngit = )"[^"]+"', rf'\1"{compiling.repositories.path(name)}"', text
        )
        assert count == 1
    for documented, tag in TAGS.items():
        assert text.count(f'rev = "{documented}"') == 1
        text = text.replace(f'rev = "{documented}"', f'rev = "{tag}"')
    for name, archive in {
        "musa_toolkit": musa.toolkit(arch="qy2"),
        "mudnn": musa.mudnn(arch="qy2"),
        "mccl": musa.mccl(arch="qy2"),
    }.items():
        table = archive.table(name, archive.serve(index), arch=["qy2"])
        text, count = re.subn(rf"\[components\.{name}\]\n.*?\n\n", f"{table}\n", text, flags=re.DOTALL)
        assert count == 1
    assert "set-this.invalid" not in text.split("[project]")[1]
    compiling.lock.write_text(compiling.head_lock, encoding="utf-8")
    (compiling.folder / "layerwright.toml").write_text(text, encoding="utf-8")
    return compiling


def test_f15_the_documented_images_are_built_from_the_example(example: Workplace) -> None:
    refused = example("build", "dev", status=4)
    assert "failed: test_operators.TestOperators.test_conv3d" in refused.err, refused.err
    spec = example.folder / "layerwright.toml"
    text = spec.read_text(encoding="utf-8")
    spec.write_text(text.replace("allow = []", 'allow = ["test_conv3d"]'), encoding="utf-8")
    done = example("build", "dev", "--json")
    assert [test["failed"] for test in done.image["tests"]] == [
        ["test_operators.TestOperators.test_conv3d"],
        [],
    ]
    look = (
        "ls /home; head -c 16 /home/pytorch/.git/HEAD >/dev/null; ls /usr/local/musa/lib; getent group render"
    )
    seen = example("run", "--workdir", "/work", "--gpus", "none", "dev", "sh", "-c", look).out.split()
    places = ["audio", "integration_test_output.txt", "pytorch", "torch_musa", "ut_output.txt", "vision"]
    assert seen[: len(places)] == places
    assert {"libmudnn.so.1", "libmccl.so.1", "libmusart.so.4"} <= set(seen)
    assert seen[-1] == "render:x:109:"
    code = "import torch, torchvision, torchaudio, torch_musa; print(torch_musa.add(2, 3), torch.HOOKS)"
    done = example("run", "--workdir", "/work", "--gpus", "none", "dev", "python", "-c", code)
    assert done.out == "5 ['privateuseone']\n"
