"""Environments keep to their lock: pip and uv inside of the image, and ``verify`` where they were talked out of it."""

import os
import subprocess

import pytest

from layerwright.host.environment import HostEnvironment
from layerwright.sources.uv import find_uv
from support.command import Project
from support.index import Index
from support.packages import make_wheel
from support.pip import pip_wheel

pytestmark = pytest.mark.engine

SPEC = (
    '[images.app]\npackages = ["pip", "torch==2.1.0"]\nworkdir = "/work"\nlabels = {{ x = "{x}" }}\n{more}\n'
)
SHOW = "python -c 'import importlib.metadata as m; print(m.version(\"torch\"))'"
QUIET = "--disable-pip-version-check --no-cache-dir --root-user-action=ignore"


@pytest.fixture
def app(project: Project, index: Index) -> Project:
    index.add(
        pip_wheel(),
        make_wheel("torch", "2.1.0"),
        make_wheel("torch", "2.2.0"),
        make_wheel("vision-new", requires=["torch==2.2.0"]),
        make_wheel("vision-any", requires=["torch>=2"]),
    )
    project.spec(SPEC.format(x=os.getpid(), more=""))
    return project


@pytest.mark.parametrize("unset", ["", "env -u PIP_CONSTRAINT "], ids=["variable", "settings"])
def test_b06_pip_keeps_the_locked_torch(app: Project, index: Index, unset: str) -> None:
    # The tests' base is no Debian one, so a variable says what the environment's settings say, too.
    pip = f"{unset}pip install {QUIET} --index-url {index.simple}"
    refused = app("run", "app", "sh", "-c", f"{pip} vision-new; echo status $?; {SHOW}")
    assert refused.out.endswith("status 1\n2.1.0\n")
    assert "The user requested (constraint) torch==2.1.0" in refused.out + refused.err
    kept = app("run", "app", "sh", "-c", f"{pip} --upgrade vision-any torch && {SHOW}")
    assert kept.out.endswith("\n2.1.0\n")
    assert "Successfully installed vision-any" in kept.out


def test_b06_uv_keeps_the_locked_torch(app: Project, index: Index) -> None:
    uv = find_uv(HostEnvironment.gather(os.environ))
    start = ("run", "--mount", f"{uv}:/usr/bin/uv:ro", "app", "sh", "-c")
    install = f"uv pip install --no-cache --index-url {index.simple}"
    refused = app(*start, f"{install} vision-new; echo status $?; {SHOW}")
    assert refused.out == "status 1\n2.1.0\n"
    assert "torch==2.1.0" in refused.err
    kept = app(*start, f"{install} --upgrade vision-any torch && {SHOW}")
    assert kept.out == "2.1.0\n"
    assert "vision-any==1.0" in kept.err


def test_b06_verify_names_what_was_swapped(app: Project, index: Index) -> None:
    app("build")
    assert "LW-DECLARED-LOCK" not in app("verify", "app", status=None).out
    talked_out = "PIP_CONFIG_FILE=/dev/null PIP_CONSTRAINT="
    pip = f"{talked_out} pip install {QUIET} --no-deps --index-url {index.simple} torch==2.2.0"
    app.spec(SPEC.format(x=os.getpid(), more=f'run = [{{ script = "{pip}", network = true }}]'))
    layout = app.folder / "layout"
    app("build", "--output", f"oci:{layout}")
    # Without lock and spec: what stands in the image is enough.
    found = app("verify", f"oci:{layout}", "--json", status=None).json()["findings"]
    (swapped,) = [one for one in found if one["code"] == "LW-DECLARED-LOCK"]
    assert swapped["level"] == "error"
    assert swapped["message"].startswith("torch 2.1.0 was locked, and torch 2.2.0 is installed (layer ")
    (by_lock,) = [
        one
        for one in app("verify", "app", "--json", status=None).json()["findings"]
        if one["code"] == "LW-DECLARED-LOCK"
    ]
    assert by_lock["message"].startswith("the lock has torch 2.1.0, and torch 2.2.0 is installed")


def test_b06_an_open_environment_is_left_to_pip(app: Project, index: Index) -> None:
    app.spec(SPEC.format(x=os.getpid(), more="sealed = false"))
    pip = f"pip install {QUIET} --index-url {index.simple} vision-new"
    assert app("run", "app", "sh", "-c", f"{pip} && {SHOW}").out.endswith("\n2.2.0\n")


def test_b06_a_base_of_ours_seals_its_own_packages_alone(app: Project, index: Index, docker: str) -> None:
    name = f"layerwright-test-sealed-{os.getpid()}"
    try:
        named = SPEC.format(x=os.getpid(), more=f'name = "{name}"\ntags = ["base"]')
        app.spec(named)
        app("build", "--output", "docker")
        above = '[images.app]\nfrom = "docker:{name}:base"\nname = "{name}"\npackages = ["torch==2.2.0"]\n'
        app.spec(above.format(name=name))
        app("build", "--backend", "docker")
        version = "import importlib.metadata as m; print(m.version('torch'))"
        shown = subprocess.run(
            [docker, "run", "--rm", "--network", "none", f"{name}:1", "python", "-c", version],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert shown.stdout == "2.2.0\n"
    finally:
        for tag in ("base", "1"):
            subprocess.run(
                [docker, "image", "rm", "--force", f"{name}:{tag}"], capture_output=True, check=False
            )
