"""The development container: what editors read, and that nothing of somebody else's is written over."""

import json
from pathlib import Path

import jsonschema
import pytest

from layerwright.core.errors import UsageError
from layerwright.spec.parse import parse_spec
from layerwright.workflow.devcontainer import devcontainer_of, write_devcontainer

TEXTS = {"type": "array", "items": {"type": "string"}}
# Names and types of containers.dev/implementors/json_reference, as far as we use them; nothing else may stand there.
SCHEMA = {
    "type": "object",
    "required": ["name", "build", "workspaceFolder", "workspaceMount"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string"},
        "build": {
            "type": "object",
            "required": ["dockerfile"],
            "additionalProperties": False,
            "properties": {"dockerfile": {"type": "string"}},
        },
        "workspaceFolder": {"type": "string", "pattern": "^/"},
        "workspaceMount": {"type": "string"},
        "remoteUser": {"type": "string"},
        "updateRemoteUserUID": {"type": "boolean"},
        "overrideCommand": {"type": "boolean"},
        "init": {"type": "boolean"},
        "containerEnv": {"type": "object", "additionalProperties": {"type": "string"}},
        "mounts": TEXTS,
        "runArgs": TEXTS,
        "customizations": {"type": "object"},
    },
}


def described(tmp_path: Path, text: str = ""):
    (tmp_path / "data").mkdir(exist_ok=True)
    spec = parse_spec(
        f'[project]\nname = "demo"\n[images.app]\nfrom = "debian:bookworm"\ntags = ["1"]\n{text}'.encode(),
        file="layerwright.toml",
        root=tmp_path,
    )
    return devcontainer_of(spec.cells["app"], project=spec.project)


def document(files) -> dict:
    found = json.loads(files["devcontainer.json"])
    jsonschema.validate(found, SCHEMA)
    return found


def test_the_least(tmp_path: Path) -> None:
    files = described(tmp_path)
    found = document(files)
    assert found["workspaceFolder"] == "/code"
    assert found["workspaceMount"] == "source=${localWorkspaceFolder},target=/code,type=bind"
    assert found["containerEnv"]["HF_HOME"] == "/home/dev/.cache/hf_home"
    assert (found["remoteUser"], found["updateRemoteUserUID"]) == ("dev", True)
    assert "runArgs" not in found
    assert files["Dockerfile"].splitlines()[1] == "FROM demo-app:1"


def test_what_run_gives_is_given(tmp_path: Path) -> None:
    text = """\
workdir = "/"
accelerator = "nvidia"
env = { HF_HOME = "/models" }
[images.app.run]
gpus = "device=0,1"
shm_size = "8g"
groups = ["109"]
mounts = [
  { from = "data", to = "/data", read_only = true }, { from = "~/sets", to = "/sets" }, { from = "/srv", to = "/srv" },
]
"""
    found = document(described(tmp_path, text))
    assert found["workspaceFolder"] == "/workspace"
    assert found["mounts"] == [
        "source=${localWorkspaceFolder}/data,target=/data,type=bind,readonly",
        "source=${localEnv:HOME}/sets,target=/sets,type=bind",
        "source=/srv,target=/srv,type=bind",
    ]
    arguments = found["runArgs"]
    assert arguments[arguments.index("--gpus") + 1] == '"device=0,1"'
    assert arguments[arguments.index("--group-add") + 1] == "109"
    assert arguments[arguments.index("--shm-size") + 1] == str(8 << 30)
    assert "HF_HOME" not in found["containerEnv"]  # the image says where its models are


def test_moore_threads(tmp_path: Path) -> None:
    found = document(described(tmp_path, 'accelerator = "mthreads"\nrun = { gpus = "2" }\n'))
    assert found["runArgs"] == ["--runtime", "mthreads", "--env", "MTHREADS_VISIBLE_DEVICES=0,1"]


def test_ours_is_renewed_and_others_stay(tmp_path: Path) -> None:
    folder = tmp_path / ".devcontainer"
    write_devcontainer(folder, described(tmp_path))
    write_devcontainer(folder, described(tmp_path, 'workdir = "/elsewhere"\n'))
    assert json.loads((folder / "devcontainer.json").read_text())["workspaceFolder"] == "/elsewhere"
    for theirs in ('{\n  // mine\n  "image": "x"\n}\n', '{"image": "x"}', "[]"):
        (folder / "devcontainer.json").write_text(theirs)
        with pytest.raises(UsageError, match="stays as it is"):
            write_devcontainer(folder, described(tmp_path))
        assert (folder / "devcontainer.json").read_text() == theirs
