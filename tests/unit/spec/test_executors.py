"""Executors in the spec: parameters and their types, one above the other, what is refused and where."""

import pytest
import yaml

from layerwright.ymir.image import image_files
from support.spec import problem_of, problems_of, spec_of

BASE = '[images.a]\nfrom = "debian:bookworm"\nrole = "executor"\n'


def files_of(text: str, cell: str = "a") -> dict[str, str]:
    executor = spec_of(text).cells[cell].executor
    assert executor is not None
    return image_files(executor)


def templates_of(text: str, cell: str = "a") -> dict[str, object]:
    return {
        path.removeprefix("/img-man/").removesuffix("-template.yaml"): yaml.safe_load(text)
        for path, text in files_of(text, cell).items()
        if path.endswith("-template.yaml")
    }


def test_an_executor_says_nothing_and_has_all_tasks():
    cell = spec_of(BASE).cells["a"]
    assert cell.command == ("bash", "/usr/bin/start.sh")
    assert templates_of(BASE) == {"training": {}, "mining": {}, "infer": {}}
    assert yaml.safe_load(files_of(BASE)["/img-man/manifest.yaml"]) == {
        "object_type": 2,
        "enable_livecode": False,
    }


def test_other_images_are_no_executors():
    cell = spec_of('[images.a]\nfrom = "debian:bookworm"\n').cells["a"]
    assert (cell.executor, cell.parameters, cell.command) == (None, (), ())


def test_a_command_of_ones_own_stays():
    assert spec_of(BASE + 'command = ["run"]').cells["a"].command == ("run",)


@pytest.mark.parametrize(
    ("line", "type_", "value"),
    [
        ("default = 1", "int", 1),
        ("default = 1.0", "float", 1.0),
        ("default = true", "bool", True),
        ('default = "no"', "str", "no"),
        ('default = "b"\nchoices = ["a", "b"]', "choice", "b"),
        ("default = 2\nchoices = [1, 2]", "choice", 2),
        ('default = 1\ntype = "float"', "float", 1.0),
    ],
)
def test_types_are_said_or_follow_from_the_default(line, type_, value):
    (declared,) = spec_of(f'{BASE}[[images.a.parameters]]\nname = "x"\n{line}\n').cells["a"].parameters
    assert (declared.parameter.type, declared.parameter.default) == (type_, value)
    assert type(declared.parameter.default) is type(value)
    assert declared.location.key == "images.a.parameters[0]"


def test_tasks_object_types_and_live_code():
    text = (
        f'{BASE}executor = {{ tasks = ["infer", "training"], object_types = ["detection", "instance-segmentation"], '
        'live_code = true }\nparameters = [{ name = "x", default = 1, task = ["infer"] }]'
    )
    files = files_of(text)
    assert yaml.safe_load(files["/img-man/manifest.yaml"]) == {"object_type": [2, 4], "enable_livecode": True}
    assert templates_of(text) == {
        "det/training": {},
        "det/infer": {"x": 1},
        "instance-seg/training": {},
        "instance-seg/infer": {"x": 1},
    }


def test_children_add_to_their_parents():
    text = """
    [images.base]
    from = "debian:bookworm"
    role = "base"
    executor = { object_types = ["semantic-segmentation"] }
    parameters = [{ name = "epochs", default = 10 }, { name = "seed", default = 1 }]

    [images.a]
    from = "image:base"
    role = "executor"
    executor = { tasks = ["training", "infer"] }
    parameters = [{ name = "epochs", default = 20, task = ["training"] }, { name = "more", default = "x" }]
    """
    assert templates_of(text) == {
        "training": {"epochs": 20, "seed": 1, "more": "x"},
        "infer": {"epochs": 10, "seed": 1, "more": "x"},
    }
    assert "object_type: 3" in files_of(text)["/img-man/manifest.yaml"]


def test_defaults_and_overrides_of_a_matrix():
    text = """
    [defaults]
    parameters = [{ name = "batch", default = 1 }]

    [images.a]
    from = "debian:bookworm"
    role = "executor"
    executor = { tasks = ["training"] }
    matrix = { accelerator = ["cpu", "nvidia"] }
    override = [{ when = { accelerator = "nvidia" }, parameters = [{ name = "batch", default = 16 }] }]
    """
    assert templates_of(text, "a-cpu") == {"training": {"batch": 1}}
    assert templates_of(text, "a-nvidia") == {"training": {"batch": 16}}


@pytest.mark.parametrize(
    ("line", "key", "what"),
    [
        ('parameters = [{ name = "a b", default = 1 }]', "parameters[0].name", "no name for a parameter"),
        (f'parameters = [{{ name = "{"a" * 51}", default = 1 }}]', "parameters[0].name", "51 characters"),
        (
            'parameters = [{ name = "x", default = 0, minimum = 1 }]',
            "parameters[0].default",
            "below the minimum",
        ),
        ('parameters = [{ name = "x", default = "a", minimum = 1 }]', "parameters[0].minimum", "no minimum"),
        ('parameters = [{ name = "x", default = nan }]', "parameters[0].default", "not a finite number"),
        (
            'parameters = [{ name = "x", default = 3, choices = [1] }]',
            "parameters[0].default",
            "none of its choices",
        ),
        (
            f'parameters = [{{ name = "x", default = "{"a" * 101}" }}]',
            "parameters[0].default",
            "101 characters",
        ),
        (
            'parameters = [{ name = "x", default = 1 }, { name = "x", default = 2, task = ["infer"] }]',
            "parameters[1].name",
            "declared twice for infer",
        ),
        ('parameters = [{ name = "x" }]', "parameters[0]", "missing key 'default'"),
        ('parameters = [{ name = "x", default = [1] }]', "parameters[0].default", "must be"),
        ('parameters = [{ name = "x", default = 2020-01-01 }]', "parameters[0].default", "must be"),
        (
            'parameters = [{ name = "x", default = 1, task = "infer" }]',
            "parameters[0].task",
            "must be a list",
        ),
        ('executor = { tasks = ["test"] }', "executor.tasks[0]", "'test'"),
        (
            'executor = { tasks = ["infer"] }\nparameters = [{ name = "x", default = 1, task = ["training"] }]',
            "parameters[0].task",
            "'x' is for training, which the image does not do",
        ),
        ("executor = { tasks = [] }", "executor.tasks", "must not be empty"),
        ('executor = { object_types = ["boxes"] }', "executor.object_types[0]", "'boxes'"),
        ("executor = { live-code = true }", "executor.live-code", "unknown key"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(line, key, what):
    problem = problem_of(f"{BASE}{line}\n")
    assert what in problem.what
    assert problem.where.key == f"images.a.{key}"


def test_two_declarations_of_one_name_for_different_tasks():
    text = (
        f'{BASE}parameters = [{{ name = "batch", default = 16, task = ["training"] }}, '
        '{ name = "batch", default = 1, task = ["mining", "infer"] }]'
    )
    assert templates_of(text) == {"training": {"batch": 16}, "mining": {"batch": 1}, "infer": {"batch": 1}}


def test_parameters_of_an_image_that_is_no_executor():
    problems = problems_of(
        '[images.a]\nfrom = "debian:bookworm"\nparameters = [{ name = "x", default = 1 }]\nexecutor = {}\n'
    )
    assert [problem.where.key for problem in problems] == ["images.a.parameters", "images.a.executor"]
    assert "role of 'a' is inference" in problems[0].what
    assert 'role = "executor"' in problems[0].hint
