"""Texts through a real Dockerfile parser."""

import json
import os
import random
from pathlib import Path

import pytest

from layerwright.backends.docker.quoting import argv, label, paths, word
from layerwright.core.errors import BuildError, EngineError
from layerwright.engines.client import Build, build, find_builder
from layerwright.engines.docker import find_docker
from layerwright.host.environment import HostEnvironment
from support.trees import tree_in_docker

pytestmark = [pytest.mark.engine, pytest.mark.property]

SIGNS = [
    *"\\\"'$`#{}()[]%&|;<>*?!~^=,:@ab1 \t",
    *("中", "é", "\u2028", "\x7f", "\x01", "😀", "$HOME", "${X:-y}", "\\\\", "<<EOF"),
]


def texts(count: int, *, seed: int) -> list[str]:
    generator = random.Random(seed)
    made = ["".join(generator.choices(SIGNS, k=generator.randrange(12))) for _ in range(count)]
    return [*made, *SIGNS, "", " ", "\\", "'", '"', "a\\", "# no comment", "--flag", "[", '["x"]', "x" * 5000]


def test_any_text_survives(tmp_path: Path) -> None:
    host = HostEnvironment.gather(os.environ)
    try:
        engine, client = find_docker(host), find_builder(host)
    except EngineError as error:
        pytest.skip(str(error))
    values = texts(150, seed=7)
    names = {f"k{index} {value.replace('=', '')}": value for index, value in enumerate(values)}
    lines = ["FROM scratch"]
    lines += [f"ENV V{index}={word(value, what='a test')}" for index, value in enumerate(values)]
    lines += [f"LABEL {label(name, value)}" for name, value in names.items()]
    source = "a '$x\" [b]"
    target = "/x y/$HOME \"q\" 'r' \\s/中.txt"
    context = tmp_path / "context"
    context.mkdir()
    (context / "plain").write_text(source)
    workdir = "/w $HOME \\"
    lines.append(f"COPY {paths('plain', target, what='a test')}")
    lines.append(f"WORKDIR {word(workdir, what='a test')}")
    command = [*values, "a\nb", "\r"]
    lines.append(f"ENTRYPOINT {argv(values, what='a test')}")
    lines.append(f"CMD {argv(command, what='a test')}")
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("\n".join(lines) + "\n", encoding="utf-8")
    made = build(
        Build(context=context, dockerfile=dockerfile),
        client=client,
        endpoint=engine.endpoint,
        host=host,
        scratch=tmp_path,
    )
    try:
        image = engine.inspect(made)
        assert image is not None
        env = dict(one.split("=", 1) for one in image.config["Env"])
        assert {f"V{index}": value for index, value in enumerate(values)}.items() <= env.items()
        assert image.config["Labels"] == names
        assert image.config["WorkingDir"] == workdir
        assert image.config["Entrypoint"] == values
        assert image.config["Cmd"] == command
        assert target.lstrip("/") in tree_in_docker(engine, made)
    finally:
        engine.remove(made)


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "\0"])
def test_what_a_dockerfile_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(BuildError, match="which a Dockerfile cannot express"):
        word(text, what="a test")


def test_a_label_is_not_cut_in_its_name() -> None:
    with pytest.raises(BuildError, match="'='"):
        label("a=b", "c")


def test_argv_is_json_on_one_line() -> None:
    assert json.loads(argv(["a\nb", "中"], what="a test")) == ["a\nb", "中"]
    assert "\n" not in argv(["a\nb\u2028"], what="a test")
