"""executor lint: folders, specs, images by their files and through their entrypoint."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support.command import Command, Project

pytestmark = pytest.mark.engine

IMAGE = """
[images.exec]
role = "executor"
entry_program = false
{more}
copy = [{{ from = "start.sh", to = "/usr/bin/start.sh" }}, {{ from = "own", to = "/usr/bin/own" }}]
parameters = [{{ name = "epochs", default = 10 }}]
"""


def codes(document: dict) -> list[tuple[str, str]]:
    return sorted({(one["level"], one["code"].removeprefix("LW-YMIR-")) for one in document["findings"]})


def make(project: Project, own: str, more: str = 'entrypoint = ["/usr/bin/own"]') -> None:
    project.write({"start.sh": "echo hi\n", "own": own})
    (project.folder / "own").chmod(0o755)
    project.spec(IMAGE.format(more=more))


def test_an_image_that_passes_cat_through(
    project: Project, docker: str, loaded: Callable[[str], str]
) -> None:
    make(project, '#!/bin/sh\nexec "$@"\n')
    project("build", "--output", "docker")
    name = f"docker:{loaded('demo-exec:1')}"
    assert codes(project("executor", "lint", name, "--json").json()) == []
    # By its words alone nobody knows what the program does; unknown fails only when it is asked to.
    assert codes(project("executor", "lint", "exec", "--json").json()) == [("unknown", "ENTRYPOINT")]
    project("executor", "lint", name, "--no-engine", "--strict", status=1)


def test_a_banner_is_seen_only_through_the_entrypoint(
    project: Project, docker: str, loaded: Callable[[str], str], tmp_path: Path
) -> None:
    make(project, '#!/bin/sh\necho "CUDA: ok"\nexec "$@"\n')
    project("build", "--output", "docker", "--output", f"oci:{tmp_path}/layout")
    done = project("executor", "lint", f"docker:{loaded('demo-exec:1')}", "--json", status=1)
    assert codes(done.json()) == [("error", "BANNER")]
    (found,) = done.json()["findings"]
    assert "9 bytes come before /img-man/manifest.yaml and 3 more files" in found["message"]
    assert "parameters: CUDA" in found["message"]
    assert [fix["text"] for fix in found["fix"]] == [
        "end with an entrypoint that prints nothing: ENTRYPOINT []"
    ]
    layout = project("executor", "lint", f"oci:{tmp_path}/layout", "--json").json()
    assert codes(layout) == [("unknown", "ENTRYPOINT")]


def test_an_entrypoint_whose_error_is_taken_for_the_template(
    project: Project, docker: str, loaded: Callable[[str], str]
) -> None:
    make(project, '#!/bin/sh\necho "exec failed: nope" >&2\nexit 3\n')
    project("build", "--output", "docker")
    done = project("executor", "lint", f"docker:{loaded('demo-exec:1')}", "--json", status=1)
    assert codes(done.json()) == [("error", "STDERR")]


def test_an_interpreter_as_entrypoint(project: Project, docker: str, loaded: Callable[[str], str]) -> None:
    make(project, "", 'entrypoint = ["/opt/venv/bin/python"]')
    project("build", "--output", "docker")
    done = project("executor", "lint", f"docker:{loaded('demo-exec:1')}", "--json", status=1)
    assert codes(done.json()) == [("error", "ENTRYPOINT"), ("error", "NO-TEMPLATE")]
    assert codes(project("executor", "lint", "exec", "--json", status=1).json()) == [("error", "ENTRYPOINT")]


def test_a_script_that_others_may_not_read(project: Project) -> None:
    project.write({"start.sh": "echo hi\n"})
    project.spec(
        '[images.exec]\nrole = "executor"\ncopy = [{ from = "start.sh", to = "/usr/bin/start.sh" }]\n'
        'run = [{ script = "chmod 700 /usr/bin/start.sh" }]\n'
    )
    project("build")
    done = project("executor", "lint", "exec", "--json", status=1)
    assert codes(done.json()) == [("error", "READABLE")]
    assert done.json()["findings"][0]["where"]["path"] == "/usr/bin/start.sh"


def test_docker_and_the_layers_tell_the_same(
    project: Project, docker: str, loaded: Callable[[str], str]
) -> None:
    """Links and closed folders, read through the engine without saving the image."""
    project.write({"start.sh": "echo hi\n", "t.yaml": "lr: 1e-3\n"})
    project.spec(
        '[images.exec]\nrole = "executor"\nentry_program = false\n'
        'copy = [{ from = "start.sh", to = "/opt/own/start.sh" }, { from = "t.yaml", to = "/app/img-man/t.yaml" }]\n'
        'command = ["sh", "/usr/bin/start.sh"]\nrun = [{ script = """\n'
        "ln -s /opt/own/start.sh /usr/bin/start.sh\n"
        "ln -sf ../app/img-man/t.yaml /img-man/training-template.yaml\n"
        "chmod 600 /img-man/infer-template.yaml\n"
        "rm /img-man/mining-template.yaml /img-man/parameters.json\n"
        "chmod 700 /opt/own/start.sh\n"
        '"""}]\n'
    )
    project("build", "--output", "docker")
    found = {}
    for name in ("exec", f"docker:{loaded('demo-exec:1')}"):
        document = project("executor", "lint", name, "--json", status=1).json()
        found[name] = sorted(
            (one["code"], one["where"]["path"], one["message"]) for one in document["findings"]
        )
    assert found["exec"] == found["docker:demo-exec:1"]
    assert [(code.removeprefix("LW-YMIR-"), path) for code, path, _ in found["exec"]] == [
        ("NUMBER", "/img-man/training-template.yaml"),
        ("READABLE", "/img-man/infer-template.yaml"),
        ("READABLE", "/usr/bin/start.sh"),
    ]


def test_a_script_that_is_not_there(project: Project) -> None:
    project.spec('[images.exec]\nrole = "executor"\n')
    project("build")
    assert codes(project("executor", "lint", "exec", "--json", status=1).json()) == [("error", "COMMAND")]


def test_a_folder_of_templates(folder_command: Command) -> None:
    folder = folder_command.folder / "exec"
    (folder / "img-man").mkdir(parents=True)
    (folder / "img-man" / "training-template.yaml").write_text(
        "lr: 1e-3\nsince: 2020-01-01\n", encoding="utf-8"
    )
    done = folder_command("executor", "lint", "exec", status=1)
    assert "error[LW-YMIR-DATE]: since: 2020-01-01 is a date in YAML" in done.out
    assert "--> exec/img-man/training-template.yaml:2" in done.out
    assert '+ since: "2020-01-01"' in done.out
    assert "1 error, 1 warning, 1 note in exec" in done.out

    sarif = folder_command("executor", "lint", "exec", "--sarif", "-", status=1)
    run = json.loads(sarif.out)["runs"][0]
    assert {one["ruleId"] for one in run["results"]} == {"LW-YMIR-DATE", "LW-YMIR-NUMBER", "LW-YMIR-MANIFEST"}

    (folder / "Dockerfile").write_text(
        "FROM nvidia/cuda:12.4.1-base-ubuntu22.04\nCMD bash /usr/bin/start.sh\n"
    )
    done = folder_command("executor", "lint", "exec", status=1)
    assert (
        "warning[LW-YMIR-ENTRYPOINT]: the entrypoint is that of nvidia/cuda:12.4.1-base-ubuntu22.04"
        in done.out
    )
    assert "--> exec/Dockerfile:1" in done.out

    loose = folder_command.folder / "loose"
    loose.mkdir()
    (loose / "infer-template.yaml").write_text("a: 1\n", encoding="utf-8")
    (loose / "manifest.yaml").write_text("object_type: 4\n", encoding="utf-8")
    assert "nothing found in loose" in folder_command("executor", "lint", "loose").out


def test_a_folder_with_a_spec(folder_command: Command) -> None:
    (folder_command.folder / "layerwright.toml").write_text(
        '[project]\nname = "p"\n[images.a]\nfrom = "debian:bookworm"\nrole = "executor"\n'
        'parameters = [{ name = "task_id", default = "x" }]\n',
        encoding="utf-8",
    )
    done = folder_command("executor", "lint", "--json", status=1)
    assert codes(done.json()) == [("error", "COMMAND"), ("warning", "RESERVED")]
    place = done.json()["findings"][1]["where"]["location"]
    assert (place["file"], place["line"], place["key"]) == (
        "layerwright.toml",
        6,
        "images.a.parameters[0].name",
    )


def test_what_is_nothing(folder_command: Command) -> None:
    done = folder_command("executor", "lint", status=2)
    assert "nothing of an executor" in done.err
    assert "layerwright executor new NAME" in done.err
    folder_command("executor", "lint", "oci:nowhere", status=2)
    for words in ("/nowhere/at/all", "./nowhere", "../nowhere", "~/nowhere"):
        said = folder_command("executor", "lint", words, status=2).err
        assert said.startswith(f"error: there is no folder {words}"), said
        assert "docker:NAME, oci:DIR" in said
