"""The wrapper script as text: what stands in it for what the spec says, and that no name can break out of it."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwright.core.errors import SpecError
from layerwright.spec.load import load_spec
from layerwright.workflow.script import script_text

HEAD = '[project]\nname = "demo"\nversion = "1"\n[images.app]\nfrom = "debian:bookworm"\nentrypoint = ["python3"]\n'


def text_of(tmp_path, more: str, way: str = ".") -> str:
    file = tmp_path / "layerwright.toml"
    file.write_text(HEAD + more, encoding="utf-8")
    spec = load_spec(file, tmp_path)
    return script_text(spec, spec.cells["app"], way=way, name="run.sh")


def test_c13_the_caller_is_asked_for_when_it_runs(tmp_path):
    text = text_of(tmp_path, "")
    assert "uid=$(id -u)" in text
    assert '--env "USER_ID=$uid" --env "GROUP_ID=$gid"' in text
    assert str(tmp_path) not in text
    assert "\\\n" not in text, "no line goes on in the next one"
    assert text.endswith('exec "$engine" run --rm --init --interactive "$@"\n')


def test_c14_limits_are_those_of_the_spec(tmp_path):
    text = text_of(
        tmp_path,
        '[images.app.run]\nshm_size = "8g"\ncpu_set = "0-3"\nulimits = { memlock = "-1" }\nnetwork = false\n',
    )
    assert "--network none --shm-size 8589934592 --cpuset-cpus 0-3 --ulimit memlock=-1" in text


@pytest.mark.parametrize(
    ("gpus", "docker", "podman"),
    [
        ("all", "--gpus all", "--device nvidia.com/gpu=all"),
        ("2", "--gpus 2", "--device nvidia.com/gpu=0 --device nvidia.com/gpu=1"),
        ("device=0,1", "--gpus '\"device=0,1\"'", "--device nvidia.com/gpu=0 --device nvidia.com/gpu=1"),
    ],
)
def test_c03_gpus_in_each_engines_words(tmp_path, gpus, docker, podman):
    text = text_of(tmp_path, f'accelerator = "nvidia"\nrun = {{ gpus = "{gpus}" }}\n')
    assert docker in text
    assert podman in text


def test_f16_moore_threads(tmp_path):
    text = text_of(tmp_path, 'accelerator = "mthreads"\nrun = { gpus = "2" }\n')
    assert "--env MTHREADS_VISIBLE_DEVICES=0,1" in text
    assert "MTHREADS" not in text_of(tmp_path, 'accelerator = "mthreads"\n')


def test_no_rights_that_the_spec_does_not_name(tmp_path):
    text = text_of(tmp_path, "")
    assert not any(word in text for word in ("--privileged", "--network", "--ipc", "--gpus", "--device"))


def test_a_large_stop_time_or_an_unknown_limit_is_refused(tmp_path):
    for more in (
        'run = { cpu_set = "a" }',
        'run = { ulimits = { memlock = "x" } }',
        'run = { ipc = "shared" }',
    ):
        with pytest.raises(SpecError):
            text_of(tmp_path, more + "\n")


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20).filter(
        lambda t: t.strip()
    )
)
def test_any_name_of_a_mount_stays_one_word(tmp_path_factory, name):
    text = text_of(
        tmp_path_factory.mktemp("spec"),
        "[images.app.run]\nmounts = [{ from = '''/srv/" + name.replace("'", "_") + "''', to = \"/data\" }]\n",
    )
    (line,) = [
        line for line in text.splitlines() if line.startswith("one=$(bind ") and line.endswith(" /data)")
    ]
    assert len(shlex.split(line.removeprefix("one=$(bind ").removesuffix(")"))) == 2
